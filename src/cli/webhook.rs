//! `database-operator webhook`

use std::{net::SocketAddr, sync::Arc, time::Duration};

use certs::Resolver;
use clap::Args;
use jiff::Timestamp;
use kube::Client;
use prometheus_client::{metrics::gauge::Gauge, registry::Registry};
use tokio_util::sync::CancellationToken;
use webhook::{Metrics, State};

use super::{Failure, Place, stop_on_signal};
use crate::{
    cluster,
    policy_watch::PolicyWatch,
    telemetry::{Readiness, serve_admin},
};

#[derive(Args, Debug)]
pub(super) struct WebhookArgs {
    #[command(flatten)]
    place: Place,
    /// Address of the webhooks, in HTTPS
    #[arg(long, default_value = "127.0.0.1:8443")]
    pub(super) listen: SocketAddr,
    /// A DNS name or IP address that the API server calls the webhook by; repeat it for several
    #[arg(long = "tls-name", default_value = "127.0.0.1", action = clap::ArgAction::Append)]
    tls_names: Vec<String>,
    /// Secret that holds the CA and the certificate; made if it doesn't exist
    #[arg(long, default_value = "database-operator-webhook-certificate")]
    certificate_secret: String,
    /// The validating and the mutating webhook configuration of this name get the CA
    #[arg(long, default_value = "database-operator")]
    webhook_configuration: String,
}

const POLICY: &str = "the policy to be read";
const CERTIFICATE: &str = "the CA to be published to the webhook configurations";
/// How often the certificate is looked at, and the CA put back where someone removed it.
const CERTIFICATE_CHECK: Duration = Duration::from_secs(15);
/// A connection that died in silence must not keep a certificate from being renewed.
const CERTIFICATE_LIMIT: Duration = Duration::from_secs(30);
/// How long the API server may go on calling after this process said that it stops.
const UNREADY: Duration = Duration::from_secs(3);

pub(super) async fn run(args: WebhookArgs) -> Result<(), Failure> {
    let Place { namespace, policy_configmap, admin_listen } = args.place;
    let stop = stop_on_signal()?;
    let mut registry = Registry::with_prefix("database_operator");
    let metrics = Metrics::new(&mut registry);
    let watch = PolicyWatch::new(&mut registry);
    let expiry: Gauge = Gauge::default();
    registry.register(
        "certificate_not_after_seconds",
        "When the webhook's certificate expires, in seconds since 1970",
        expiry.clone(),
    );
    let readiness = Readiness::waiting_for(&[POLICY, CERTIFICATE]);
    let admin_stop = CancellationToken::new();
    serve_admin(admin_listen, registry, readiness.clone(), admin_stop.clone()).await?;
    let listener = webhook::server::bind(args.listen).await?;
    let client = cluster::client().await?;

    let state = State { policy: watch.state.clone(), policy_name: policy_configmap.as_str().into(), metrics };
    let mut changes = watch.changes.clone();
    let policy = tokio::spawn(watch.run(client.clone(), namespace.clone(), policy_configmap));
    let policy_read = readiness.clone();
    tokio::spawn(async move {
        if changes.wait_for(|count| *count > 0).await.is_ok() {
            policy_read.done(POLICY);
        }
    });
    let resolver = Arc::new(Resolver::default());
    let certificate = tokio::spawn(keep_certificate(Certificate {
        client,
        namespace,
        secret: args.certificate_secret,
        names: args.tls_names,
        configuration: args.webhook_configuration,
        resolver: resolver.clone(),
        readiness: readiness.clone(),
        expiry,
    }));

    // Unready first, so that no new request comes while the last ones are answered.
    let drain = CancellationToken::new();
    let (stopping, draining) = (readiness, drain.clone());
    tokio::spawn(async move {
        stop.cancelled().await;
        stopping.stopping();
        tokio::time::sleep(UNREADY).await;
        draining.cancel();
    });
    tracing::info!(address = %args.listen, "webhook listening");
    webhook::serve(listener, webhook::router(state), resolver, drain).await?;
    admin_stop.cancel();
    policy.abort();
    certificate.abort();
    Ok(())
}

struct Certificate {
    client: Client,
    namespace: String,
    secret: String,
    names: Vec<String>,
    configuration: String,
    resolver: Arc<Resolver>,
    readiness: Readiness,
    expiry: Gauge,
}

/// Serves the Secret's certificate, renews it in time, and keeps its CA published. Trouble is logged and
/// tried again: the certificate that is served at present goes on.
async fn keep_certificate(certificate: Certificate) {
    let mut trouble = String::new();
    loop {
        let pass = tokio::time::timeout(CERTIFICATE_LIMIT, certificate_pass(&certificate)).await;
        let wait = match pass.unwrap_or_else(|_| Err("the API server doesn't answer".into())) {
            Ok(()) => {
                trouble.clear();
                CERTIFICATE_CHECK
            }
            Err(error) => {
                let text = error.to_string();
                if text != trouble {
                    tracing::error!("{text}; trying again every second");
                    trouble = text;
                }
                Duration::from_secs(1)
            }
        };
        tokio::time::sleep(wait).await;
    }
}

async fn certificate_pass(certificate: &Certificate) -> Result<(), Failure> {
    let Certificate { client, namespace, secret, names, configuration, resolver, readiness, expiry } =
        certificate;
    let bundle = certs::ensure(client, namespace, secret, names, Timestamp::now()).await?;
    resolver.set(&bundle)?;
    expiry.set(bundle.not_after().unwrap_or_default());
    certs::publish(client, configuration, &bundle.ca).await?;
    readiness.done(CERTIFICATE);
    Ok(())
}
