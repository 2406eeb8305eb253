//! `database-operator controller`

use clap::Args;
use prometheus_client::registry::Registry;

use super::{Failure, Place, stop_on_signal};
use crate::{
    cluster,
    controller::{self, Config, Metrics},
    policy_watch::PolicyWatch,
    telemetry::{Readiness, serve_admin},
};

#[derive(Args, Debug)]
pub(super) struct ControllerArgs {
    #[command(flatten)]
    place: Place,
}

const POLICY: &str = "the policy to be read";
const CRDS: &str = "the CRD databases.altinn.app to be installed";

pub(super) async fn run(args: ControllerArgs) -> Result<(), Failure> {
    let Place { namespace, policy_configmap, admin_listen } = args.place;
    let stop = stop_on_signal()?;
    let mut registry = Registry::with_prefix("database_operator");
    let metrics = Metrics::new(&mut registry);
    let watch = PolicyWatch::new(&mut registry);
    let readiness = Readiness::waiting_for(&[POLICY, CRDS]);
    serve_admin(admin_listen, registry, readiness.clone(), stop.clone()).await?;
    let client = cluster::client().await?;

    let (state, mut changes) = (watch.state.clone(), watch.changes.clone());
    let policy = tokio::spawn(watch.run(client.clone(), namespace.clone(), policy_configmap.clone()));
    let ready = async {
        changes.wait_for(|count| *count > 0).await?;
        readiness.done(POLICY);
        controller::wait_for_crd(&client).await;
        readiness.done(CRDS);
        Ok::<_, tokio::sync::watch::error::RecvError>(())
    };
    tokio::select! {
        ready = ready => ready?,
        () = stop.cancelled() => return Ok(()),
    }
    tracing::info!(namespace, "controller running");
    let config = Config { operator_namespace: namespace, policy_name: policy_configmap };
    controller::run(client, config, state, changes, metrics, stop).await;
    policy.abort();
    Ok(())
}
