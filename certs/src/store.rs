//! Keeps the bundle in a Secret, so that all replicas serve certificates of one CA.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
};

use crate::{Bundle, issue};

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the certificate can't be issued: {0}")]
    Issue(#[from] rcgen::Error),
    #[error("Secret {namespace}/{name} can't be {action}: {source}")]
    Api { namespace: String, name: String, action: &'static str, source: Box<kube::Error> },
    #[error(
        "Secret {namespace}/{name} was changed by others each time it was to be written; trying again later"
    )]
    Contended { namespace: String, name: String },
}

/// As often as replicas may come between each other before one gives up.
const TRIES: usize = 5;

/// The bundle of the Secret; issues or renews it first where that is due. Replicas that do so at the same
/// time agree: one of them writes, the others read what it wrote.
pub async fn ensure(
    client: &Client,
    namespace: &str,
    name: &str,
    names: &[String],
    now: Timestamp,
) -> Result<Bundle, StoreError> {
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let failed = |action| {
        move |source| StoreError::Api {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            action,
            source: Box::new(source),
        }
    };
    for _ in 0..TRIES {
        let stored = api.get_opt(name).await.map_err(failed("read"))?;
        let bundle = Bundle::from_data(stored.as_ref().and_then(|secret| secret.data.as_ref()));
        let renewed = match bundle.check(names, now) {
            Ok(()) => return Ok(bundle),
            Err(unfit) if unfit.leaf_only() => {
                tracing::info!(%unfit, "issuing a new webhook certificate of the same CA");
                issue::leaf(&bundle, names, now)?
            }
            Err(unfit) => {
                tracing::info!(%unfit, "issuing a new CA and webhook certificate");
                issue::bundle(names, now)?
            }
        };
        let secret = Secret {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                labels: Some(
                    [
                        ("app.kubernetes.io/name", "database-operator"),
                        ("app.kubernetes.io/component", "webhook"),
                    ]
                    .map(|(key, value)| (key.to_owned(), value.to_owned()))
                    .into(),
                ),
                // Writing with the version that was read makes the slower of two replicas fail.
                resource_version: stored.as_ref().and_then(|secret| secret.metadata.resource_version.clone()),
                ..ObjectMeta::default()
            },
            data: Some(renewed.to_data()),
            ..Secret::default()
        };
        let written = match stored {
            Some(_) => api.replace(name, &PostParams::default(), &secret).await,
            None => api.create(&PostParams::default(), &secret).await,
        };
        match written {
            Ok(_) => return Ok(renewed),
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            Err(error) => return Err(failed("written")(error)),
        }
    }
    Err(StoreError::Contended { namespace: namespace.to_owned(), name: name.to_owned() })
}
