//! `database-operator controller`

use std::{net::IpAddr, path::PathBuf, time::Duration};

use axum::http::Uri;
use clap::Args;
use jiff::SignedDuration;

use super::{Failure, OperatorArgs, certificate::duration, stop_on_signal};
use crate::{
    clock::Clock,
    cluster::{client, issuer, policy_watch::PolicyWatch},
    controller::{self, AccessMetrics, Config, Metrics, Sessions, WatchedPolicy},
    entra::{Identity, Tokens},
    leader::{self, Fence, Leader},
    telemetry::{Dropped, Readiness, registry, serve_admin},
    trust,
};

#[derive(Args, Debug)]
pub(super) struct ControllerArgs {
    #[command(flatten)]
    operator: OperatorArgs,
    /// How long a controller that leads and falls silent is waited for before another takes its place
    #[arg(long, default_value = "15s", value_parser = lease_duration)]
    lease_duration: Duration,
    /// How long a `Destroy` that was confirmed can be taken back: so long after the delete the server is destroyed
    #[arg(long, default_value = "15m", value_parser = duration)]
    destroy_delay: Duration,
    #[command(flatten)]
    identity: IdentityArgs,
    /// Address under which all servers are reached, instead of those that the DNS has for their names, which are verified all the
    /// same
    #[arg(long, env = "PGHOSTADDR")]
    postgres_address: Option<IpAddr>,
    /// For tests: retention periods expire so much earlier
    #[arg(long, hide = true, default_value = "0s")]
    clock_ahead: SignedDuration,
}

/// The operator's own identity in Azure, by which it logs in to servers. Azure Workload Identity sets all four in the
/// environment of a pod whose ServiceAccount has an identity
#[derive(Args, Debug)]
struct IdentityArgs {
    /// Where Microsoft Entra is
    #[arg(long = "azure-authority-host", env = "AZURE_AUTHORITY_HOST", default_value = "https://login.microsoftonline.com/", value_parser = https)]
    authority: Uri,
    /// Tenant of the operator's identity
    #[arg(long = "azure-tenant-id", env = "AZURE_TENANT_ID", requires = "client_id")]
    tenant_id: Option<String>,
    /// Client id of the operator's identity. Without one, the operator can't set up servers that the policy's
    /// azure.administrator administers
    #[arg(long = "azure-client-id", env = "AZURE_CLIENT_ID", requires_all = ["tenant_id", "token_file"])]
    client_id: Option<String>,
    /// File with the token of the operator's ServiceAccount
    #[arg(long = "azure-federated-token-file", env = "AZURE_FEDERATED_TOKEN_FILE", requires = "client_id")]
    token_file: Option<PathBuf>,
}

impl IdentityArgs {
    fn identity(self) -> Option<Identity> {
        Some(Identity {
            authority: self.authority,
            tenant_id: self.tenant_id?,
            client_id: self.client_id?,
            token_file: self.token_file?,
        })
    }
}

fn https(text: &str) -> Result<Uri, String> {
    let uri =
        text.parse::<Uri>().ok().filter(|uri| uri.scheme_str() == Some("https") && uri.host().is_some());
    uri.ok_or_else(|| "write an https URL, such as https://login.microsoftonline.com/".to_owned())
}

/// Short of this a slow API server would end the process.
const SHORTEST_LEASE: Duration = Duration::from_secs(3);

fn lease_duration(text: &str) -> Result<Duration, String> {
    duration(text).and_then(|duration| {
        let is_enough = duration >= SHORTEST_LEASE;
        is_enough.then_some(duration).ok_or_else(|| "write 3s or more".to_owned())
    })
}

const POLICY: &str = "the policy to be read";
const CRDS: &str = "the CRDs of altinn.app to be installed";

pub(super) async fn run(args: ControllerArgs, dropped: Dropped) -> Result<(), Failure> {
    let OperatorArgs { namespace, policy_configmap, admin_listen } = args.operator;
    let stop = stop_on_signal()?;
    let mut registry = registry(dropped);
    let metrics = Metrics::new(&mut registry);
    let access_metrics = AccessMetrics::new(&mut registry);
    let watch = PolicyWatch::new(&mut registry);
    let leads = leader::gauge(&mut registry);
    let issuer = issuer::gauge(&mut registry);
    let readiness = Readiness::waiting_for(&[POLICY, CRDS]);
    serve_admin(admin_listen, registry, readiness.clone(), stop.clone()).await?;
    let fence = Fence::default();
    let client = client::connect_fenced(&fence).await?;
    let lease_client = client::connect().await?;
    let roots = trust::roots();
    let tokens = args.identity.identity().map(|identity| Tokens::new(identity, roots.clone())).transpose()?;
    let sessions = Sessions::new(tokens, roots, args.postgres_address, fence.clone(), access_metrics)?;
    let mut leader = Leader::new(lease_client, &namespace, args.lease_duration, fence, leads);

    let (state, mut changes, trouble) = (watch.state.clone(), watch.changes.clone(), watch.trouble.clone());
    let policy = tokio::spawn(watch.run(client.clone(), namespace.clone(), policy_configmap.clone()));
    let ready = async {
        changes.wait_for(|count| *count > 0).await?;
        readiness.done(POLICY);
        controller::wait_for_crds(&client, &namespace).await;
        readiness.done(CRDS);
        // A standby is ready: it takes over when the leader stops.
        leader.elected().await;
        Ok::<_, tokio::sync::watch::error::RecvError>(())
    };
    tokio::select! {
        ready = ready => ready?,
        () = stop.cancelled() => return Ok(()),
    }
    tracing::info!(namespace, "controller running");
    let compared = issuer::compare(client.clone(), state.clone(), changes.clone(), issuer);
    let compared = tokio::spawn(compared);
    let clock = Clock::ahead(args.clock_ahead);
    let config = Config {
        operator_namespace: namespace,
        clock,
        destroy_delay: SignedDuration::try_from(args.destroy_delay).unwrap_or(SignedDuration::MAX),
        sessions,
    };
    let watched = WatchedPolicy { name: policy_configmap, state, changes, trouble };
    tokio::select! {
        // In this order: who has finished its work hasn't lost it.
        biased;
        () = controller::run(client, config, watched, metrics, stop) => {}
        lost = leader.lead() => return Err(lost.into()),
    }
    leader.release().await;
    policy.abort();
    compared.abort();
    Ok(())
}
