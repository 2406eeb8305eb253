//! Keeps the webhook's certificate: looks at it again and again, and reports it in metrics, readiness and log.

use std::time::Duration;

use certs::{FilesError, KeepError, Served};
use exposition::{Registry, Unlabelled, Who};
use jiff::Timestamp;
use prometheus_client::metrics::{family::Family, gauge::Gauge};

/// A connection that died in silence must not keep a certificate from being renewed.
const LIMIT: Duration = Duration::from_secs(30);
/// How soon to look again when something is wrong.
const RETRY: Duration = Duration::from_secs(1);

/// Where the certificate comes from.
#[derive(Debug)]
pub(crate) enum Source {
    /// Issued by ourselves.
    Secret(certs::Keeper),
    /// Issued by others.
    Files(certs::Files),
}

#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Secret(#[from] KeepError),
    #[error(transparent)]
    Files(#[from] FilesError),
    #[error("the API server doesn't answer")]
    NoAnswer,
}

impl Source {
    async fn pass(&mut self) -> Result<(), Trouble> {
        match self {
            Self::Secret(keeper) => Ok(tokio::time::timeout(LIMIT, keeper.pass(Timestamp::now))
                .await
                .map_err(|_| Trouble::NoAnswer)??),
            Self::Files(files) => Ok(files.pass(Timestamp::now())?),
        }
    }

    fn served(&self) -> Option<&Served> {
        match self {
            Self::Secret(keeper) => keeper.served(),
            Self::Files(files) => files.served(),
        }
    }
}

/// Looks at the certificate every so often; `ready` is called each time that all is well. Trouble is logged
/// once and tried again: the certificate that is served at present goes on.
pub(crate) async fn keep(mut source: Source, check: Duration, expiry: &Expiry, ready: impl Fn()) {
    let mut known = String::new();
    loop {
        let pass = source.pass().await;
        // Also after trouble: a certificate may have been renewed before it came.
        expiry.set(source.served());
        let wait = match pass {
            Ok(()) => {
                known.clear();
                ready();
                check
            }
            Err(trouble) => {
                let text = trouble.to_string();
                if text != known {
                    tracing::error!("{text}; trying again every second");
                    known = text;
                }
                RETRY
            }
        };
        tokio::time::sleep(wait).await;
    }
}

/// A gauge that isn't there before it has a value: an alert on a date must not see 1970.
type Date = Family<Unlabelled, Gauge>;

/// The metrics of what is served.
#[derive(Debug)]
pub(crate) struct Expiry {
    leaf: Date,
    authority: Date,
}

impl Expiry {
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let (leaf, authority) = (Date::default(), Date::default());
        registry.register(
            "certificate_not_after_seconds",
            "When the webhook's certificate expires",
            Who::OnCall,
            leaf.clone(),
        );
        registry.register(
            "certificate_authority_not_after_seconds",
            "When the CA of the webhook's certificate expires",
            Who::OnCall,
            authority.clone(),
        );
        Self { leaf, authority }
    }

    fn set(&self, served: Option<&Served>) {
        for (date, seconds) in [
            (&self.leaf, served.and_then(Served::not_after)),
            (&self.authority, served.and_then(Served::authority_not_after)),
        ] {
            if let Some(seconds) = seconds {
                date.get_or_create(&Unlabelled).set(seconds);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        sync::{Arc, Mutex},
    };

    use axum::{
        body::Bytes,
        http::{Method, Request, Response},
    };
    use base64::{Engine, engine::general_purpose::STANDARD};
    use certs::{Config, Keeper, Resolver, Timing};
    use http_body_util::{BodyExt, Full};
    use jiff::{SignedDuration, Timestamp};
    use kube::client::Body;
    use serde_json::{Value, json};

    use crate::controller::golden::client_of;

    const SECRET: &str = "/api/v1/namespaces/database-operator/secrets/certificate";
    const KINDS: [&str; 2] = ["ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"];

    /// The Secret and the two configurations.
    #[derive(Debug)]
    struct Cluster {
        secret: Value,
        configurations: [Value; 2],
        version: u64,
        /// The bundle that somebody publishes at the next look at the Secret.
        at_the_next_look: Option<Value>,
        /// How many requests came.
        requests: i64,
    }

    impl Cluster {
        fn new() -> Self {
            let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {
                "namespace": "database-operator", "name": "certificate", "resourceVersion": "1",
            }});
            let configurations = KINDS.map(|kind| {
                json!({
                    "apiVersion": "admissionregistration.k8s.io/v1", "kind": kind,
                    "metadata": {"name": "webhook", "resourceVersion": "1"},
                    "webhooks": [{"name": "databases.altinn.app", "clientConfig": {}, "sideEffects": "None",
                        "admissionReviewVersions": ["v1"]}],
                })
            });
            Self { secret, configurations, version: 1, at_the_next_look: None, requests: 0 }
        }

        fn bundle(&self) -> &Value {
            &self.configurations[0]["webhooks"][0]["clientConfig"]["caBundle"]
        }

        fn publish(&mut self, bundle: &Value) {
            self.version += 1;
            for configuration in &mut self.configurations {
                configuration["metadata"]["resourceVersion"] = json!(self.version.to_string());
                configuration["webhooks"][0]["clientConfig"]["caBundle"] = bundle.clone();
            }
        }

        /// Since when the CAs are published, as it is written beside them.
        fn times(&self) -> [Vec<Timestamp>; 2] {
            self.configurations.each_ref().map(|configuration| {
                let text = configuration["metadata"]["annotations"]["altinn.app/ca-published"].as_str();
                let times: BTreeMap<String, Timestamp> =
                    text.map(|text| serde_json::from_str(text).unwrap()).unwrap_or_default();
                times.into_values().collect()
            })
        }

        fn answer(&mut self, method: &Method, path: &str, body: Value) -> (u16, Value) {
            self.requests += 1;
            if path == SECRET {
                if method == Method::PUT {
                    self.version += 1;
                    self.secret = body;
                    self.secret["metadata"]["resourceVersion"] = json!(self.version.to_string());
                } else if let Some(bundle) = self.at_the_next_look.take() {
                    self.publish(&bundle);
                }
                return (200, self.secret.clone());
            }
            let index = usize::from(path.contains("mutating"));
            if method == Method::PATCH {
                assert_eq!(body[0]["path"], "/metadata/resourceVersion");
                let operations: json_patch::Patch = serde_json::from_value(body).unwrap();
                if json_patch::patch(&mut self.configurations[index], &operations).is_err() {
                    let status =
                        json!({"kind": "Status", "status": "Failure", "reason": "Invalid", "code": 422});
                    return (422, status);
                }
                self.version += 1;
                self.configurations[index]["metadata"]["resourceVersion"] = json!(self.version.to_string());
            }
            (200, self.configurations[index].clone())
        }
    }

    fn keeper(cluster: &Arc<Mutex<Cluster>>) -> Keeper {
        let cluster = cluster.clone();
        let client = client_of(move |request: Request<Body>| {
            let cluster = cluster.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                let body: Value = serde_json::from_slice(&body).unwrap_or_default();
                let (code, answer) = cluster.lock().unwrap().answer(&parts.method, parts.uri.path(), body);
                let answer: Full<Bytes> = Full::from(answer.to_string());
                Response::builder().status(code).body(answer).unwrap()
            }
        });
        let config = Config {
            namespace: "database-operator".to_owned(),
            secret: "certificate".to_owned(),
            configuration: "webhook".to_owned(),
            names: vec!["webhook.database-operator.svc".to_owned()],
        };
        let timing = Timing { settle: SignedDuration::from_mins(1), overlap: SignedDuration::from_mins(5) };
        Keeper::new(client, config, timing, Arc::new(Resolver::default()))
    }

    /// The Secret was put back from a copy, and the CA in it is one that was dropped between this replica's looks at the
    /// configurations and at the Secret. What was read of the configurations then still speaks for that CA.
    #[rstest::rstest]
    #[case::and_nothing_had_to_be_published(false)]
    #[case::and_something_had_to_be_published(true)]
    #[tokio::test]
    async fn no_certificate_is_taken_up_of_a_ca_that_is_trusted_no_more(#[case] has_to_publish: bool) {
        let now = || "2026-12-01T12:00:00Z".parse().unwrap();
        let [cluster, other] = [Cluster::new(), Cluster::new()].map(|cluster| Arc::new(Mutex::new(cluster)));
        keeper(&cluster).pass(now).await.unwrap();
        keeper(&other).pass(now).await.unwrap();
        let newer = other.lock().unwrap().bundle().clone();
        let copy = cluster.lock().unwrap().secret.clone();
        if has_to_publish {
            cluster.lock().unwrap().publish(&json!(""));
        }
        cluster.lock().unwrap().at_the_next_look = Some(newer.clone());
        cluster.lock().unwrap().secret = copy;

        let mut replica = keeper(&cluster);
        let result = replica.pass(now).await;
        assert!(replica.served().is_none(), "{result:?}");
        // Both are trusted now, until the one of the Secret can sign.
        let bundle = cluster.lock().unwrap().bundle().clone();
        assert_ne!(bundle, newer);
    }

    /// A CA may have been published at any time until it was seen, and API servers hear of it from then on.
    #[tokio::test]
    async fn a_ca_counts_as_published_since_the_configurations_were_read() {
        let cluster = Arc::new(Mutex::new(Cluster::new()));
        let at = |requests| {
            let start: Timestamp = "2026-12-01T12:00:00Z".parse().unwrap();
            start + SignedDuration::from_secs(requests)
        };
        let clock = || at(cluster.lock().unwrap().requests);
        let mut replica = keeper(&cluster);
        replica.pass(clock).await.unwrap();
        assert_eq!(cluster.lock().unwrap().times(), [vec![], vec![]]);
        let since = at(cluster.lock().unwrap().requests + 2);
        for _ in 0..2 {
            replica.pass(clock).await.unwrap();
            assert_eq!(cluster.lock().unwrap().times(), [vec![since], vec![since]]);
        }
        // Somebody empties the bundles, and leaves the rest.
        cluster.lock().unwrap().publish(&json!(""));
        replica.pass(clock).await.unwrap();
        assert_eq!(cluster.lock().unwrap().times(), [vec![], vec![]]);
    }

    /// A CA that was dropped after this replica had read the configurations would be published again, as if it had been trusted
    /// all the time.
    #[tokio::test]
    async fn what_others_have_dropped_since_is_not_published_again() {
        let now = || "2026-12-01T12:00:00Z".parse().unwrap();
        let [cluster, other] = [Cluster::new(), Cluster::new()].map(|cluster| Arc::new(Mutex::new(cluster)));
        let mut replica = keeper(&cluster);
        replica.pass(now).await.unwrap();
        keeper(&other).pass(now).await.unwrap();
        let pem = |cluster: &Mutex<Cluster>| {
            let bundle = cluster.lock().unwrap().bundle().as_str().unwrap().to_owned();
            String::from_utf8(STANDARD.decode(bundle).unwrap()).unwrap()
        };
        let (dropped, present) = (pem(&other), pem(&cluster));
        let in_base64 = |bundle: &str| json!(STANDARD.encode(bundle));
        cluster.lock().unwrap().publish(&in_base64(&format!("{dropped}{present}")));
        cluster.lock().unwrap().at_the_next_look = Some(in_base64(&present));
        cluster.lock().unwrap().secret["metadata"]["annotations"]["altinn.app/rotate"] = json!("ca");

        replica.pass(now).await.unwrap();
        let published = pem(&cluster);
        assert!(
            published.contains(present.trim()) && published.len() > present.len(),
            "the next one is there, too"
        );
        assert!(!published.contains(dropped.trim()));
    }
}
