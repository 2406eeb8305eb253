//! `database-operator webhook`

use std::{net::SocketAddr, sync::Arc, time::Duration};

use certs::Resolver;
use clap::Args;
use exposition::Registry;
use jiff::SignedDuration;
use prometheus_client::metrics::gauge::Gauge;
use tokio_util::sync::CancellationToken;
use webhook::{Limits, Metrics, Server, State, Tls};

use super::{Failure, OperatorArgs, certificate::CertificateArgs, client_ca::ClientCa, stop_on_signal};
use crate::{
    certificate::{self, Expiry},
    cluster::{
        client,
        inventory::{self, Inventory},
        policy_watch::PolicyWatch,
    },
    telemetry::{Dropped, Readiness, registry, serve_admin},
};

#[derive(Args, Debug)]
pub(super) struct WebhookArgs {
    #[command(flatten)]
    operator: OperatorArgs,
    /// Address of the webhooks, in HTTPS
    #[arg(long, default_value = "127.0.0.1:8443")]
    pub(super) listen: SocketAddr,
    /// How long requests are taken on after the signal to stop: whoever sends them has to hear of it. It and ten seconds
    /// for the last answers have to fit into the pod's terminationGracePeriodSeconds
    #[arg(long, default_value = "10s")]
    settle: SignedDuration,
    #[command(flatten)]
    certificate: CertificateArgs,
    #[command(flatten)]
    client_ca: ClientCa,
}

const POLICY: &str = "the policy to be read";
const DATABASES: &str = "the Databases to be listed";

/// Where everything is counted that the process exposes.
pub(super) struct Exposed {
    metrics: Metrics,
    watch: PolicyWatch,
    expiry: Expiry,
    synced: Gauge,
}

impl Exposed {
    pub(super) fn new(registry: &mut Registry) -> Self {
        Self {
            metrics: Metrics::new(registry),
            watch: PolicyWatch::new(registry),
            expiry: Expiry::new(registry),
            synced: inventory::synced(registry),
        }
    }
}

pub(super) async fn run(args: WebhookArgs, dropped: Dropped) -> Result<(), Failure> {
    let OperatorArgs { namespace, policy_configmap, admin_listen } = args.operator;
    let limits = Limits { settle: Duration::try_from(args.settle)?, ..Limits::default() };
    let stop = stop_on_signal()?;
    let resolver = Arc::new(Resolver::default());
    let tls = Tls::for_everyone(resolver.clone())?;
    let client_ca = args.client_ca.start(&tls)?;
    let mut registry = registry(dropped);
    let Exposed { metrics, watch, expiry, synced } = Exposed::new(&mut registry);
    let (certificate_ready, check) = (args.certificate.readiness(), args.certificate.check());
    let readiness = Readiness::waiting_for(&[POLICY, DATABASES, certificate_ready]);
    let admin_stop = CancellationToken::new();
    serve_admin(admin_listen, registry, readiness.clone(), admin_stop.clone()).await?;
    let listener = webhook::server::bind(args.listen).await?;
    let client = client::connect().await?;

    let inventory = Inventory::watch(client.clone(), synced);
    // Before that, the delete of a namespace that holds databases would be admitted.
    let (listed, databases_listed) = (inventory.listed(), readiness.clone());
    tokio::spawn(async move {
        listed.await;
        databases_listed.done(DATABASES);
    });
    let state = State {
        policy: watch.state.clone(),
        policy_name: policy_configmap.as_str().into(),
        cluster: Arc::new(inventory),
        metrics: metrics.clone(),
    };
    let mut changes = watch.changes.clone();
    let policy = tokio::spawn(watch.run(client.clone(), namespace.clone(), policy_configmap));
    let policy_read = readiness.clone();
    tokio::spawn(async move {
        if changes.wait_for(|count| *count > 0).await.is_ok() {
            policy_read.done(POLICY);
        }
    });
    let source = args.certificate.source(client, namespace, resolver)?;
    let kept = readiness.clone();
    let certificate = tokio::spawn(async move {
        certificate::keep(source, check, &expiry, || kept.done(certificate_ready)).await;
    });

    // Unready first, so that no new request comes while the last ones are answered.
    let (stopping, stopped) = (readiness, stop.clone());
    tokio::spawn(async move {
        stopped.cancelled().await;
        stopping.stopping();
    });
    tracing::info!(address = %args.listen, "webhook listening");
    Server { router: webhook::router(state), tls, limits, metrics }.run(listener, stop).await;
    admin_stop.cancel();
    policy.abort();
    certificate.abort();
    client_ca.abort();
    Ok(())
}
