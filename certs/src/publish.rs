//! Publishes the CAs to the webhook configurations, which the API server trusts them from.

use json_patch::{AddOperation, Patch as JsonPatch, PatchOperation, TestOperation};
use k8s_openapi::{
    ByteString,
    api::admissionregistration::v1::{
        MutatingWebhookConfiguration, ValidatingWebhookConfiguration, WebhookClientConfig,
    },
};
use kube::{
    Api, Client, Resource,
    api::{Patch, PatchParams},
};
use serde_json::json;

use crate::pair::certificates;

/// Why the CA isn't published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error(
        "{kind} {name} doesn't exist: install the chart's webhook configurations, or name others with --webhook-configuration"
    )]
    Absent { kind: String, name: String },
    #[error("{kind} {name} can't be {action}: {source}")]
    Api { kind: String, name: String, action: &'static str, source: Box<kube::Error> },
    #[error("{kind} {name} was changed while it was looked at; it is looked at again")]
    Outdated { kind: String, name: String },
}

impl PublishError {
    /// Whether another replica was quicker, and looking again helps.
    pub(crate) fn is_conflict(&self) -> bool {
        match self {
            Self::Api { source, .. } => {
                matches!(&**source, kube::Error::Api(status) if matches!(status.code, 409 | 422))
            }
            Self::Outdated { .. } => true,
            Self::Absent { .. } => false,
        }
    }
}

/// A webhook configuration, of whichever kind.
trait Configuration: Resource<DynamicType = ()> + Clone + serde::de::DeserializeOwned + std::fmt::Debug {
    /// How the API server reaches each webhook in it.
    fn webhooks(&self) -> Vec<&WebhookClientConfig>;
}

impl Configuration for ValidatingWebhookConfiguration {
    fn webhooks(&self) -> Vec<&WebhookClientConfig> {
        self.webhooks.iter().flatten().map(|webhook| &webhook.client_config).collect()
    }
}

impl Configuration for MutatingWebhookConfiguration {
    fn webhooks(&self) -> Vec<&WebhookClientConfig> {
        self.webhooks.iter().flatten().map(|webhook| &webhook.client_config).collect()
    }
}

/// The two configurations of our webhooks; `None` where one doesn't exist.
#[derive(Debug)]
pub(crate) struct Configurations {
    validating: Option<ValidatingWebhookConfiguration>,
    mutating: Option<MutatingWebhookConfiguration>,
}

/// The `caBundle` of each webhook.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Seen(pub Vec<String>);

impl Seen {
    pub fn bundles(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether each webhook trusts this CA.
    pub fn everywhere(&self, ca: &str) -> bool {
        self.bundles().all(|bundle| certificates(bundle).any(|block| block == ca.trim()))
    }
}

impl Configurations {
    pub async fn read(client: &Client, name: &str) -> Result<Self, PublishError> {
        Ok(Self { validating: read(client, name).await?, mutating: read(client, name).await? })
    }

    pub fn seen(&self) -> Seen {
        Seen([bundles(self.validating.as_ref()), bundles(self.mutating.as_ref())].concat())
    }

    /// Writes the CAs into every webhook of both; writes nothing where they stand.
    pub async fn publish(&self, client: &Client, name: &str, cas: &str) -> Result<(), PublishError> {
        let validating = write(client, name, self.validating.as_ref(), cas).await;
        write(client, name, self.mutating.as_ref(), cas).await.and(validating)
    }

    /// Fails where somebody has changed one of them since.
    pub async fn are_unchanged(&self, client: &Client, name: &str) -> Result<(), PublishError> {
        is_unchanged(client, name, self.validating.as_ref()).await?;
        is_unchanged(client, name, self.mutating.as_ref()).await
    }
}

/// What the webhooks of one configuration trust; nothing where it doesn't exist.
fn bundles<K: Configuration>(configuration: Option<&K>) -> Vec<String> {
    let Some(configuration) = configuration else { return vec![String::new()] };
    let text = |ca: &ByteString| String::from_utf8_lossy(&ca.0).into_owned();
    configuration
        .webhooks()
        .iter()
        .map(|config| config.ca_bundle.as_ref().map(text).unwrap_or_default())
        .collect()
}

fn failed<K: Configuration>(name: &str, action: &'static str) -> impl FnOnce(kube::Error) -> PublishError {
    let (kind, name) = (K::kind(&()).into_owned(), name.to_owned());
    move |source| PublishError::Api { kind, name, action, source: Box::new(source) }
}

async fn read<K: Configuration>(client: &Client, name: &str) -> Result<Option<K>, PublishError> {
    Api::all(client.clone()).get_opt(name).await.map_err(failed::<K>(name, "read"))
}

async fn write<K: Configuration>(
    client: &Client,
    name: &str,
    configuration: Option<&K>,
    cas: &str,
) -> Result<(), PublishError> {
    let kind = || K::kind(&()).into_owned();
    let configuration =
        configuration.ok_or_else(|| PublishError::Absent { kind: kind(), name: name.to_owned() })?;
    let version = configuration.meta().resource_version.as_deref().unwrap_or_default();
    let patch = patch(version, &configuration.webhooks(), cas);
    if patch.0.is_empty() {
        return Ok(());
    }
    Api::<K>::all(client.clone())
        .patch(name, &PatchParams::default(), &Patch::Json::<()>(patch))
        .await
        .map_err(failed::<K>(name, "patched"))?;
    let count = certificates(cas).count();
    tracing::info!(kind = %kind(), name, count, "published the webhook's CAs");
    Ok(())
}

async fn is_unchanged<K: Configuration>(
    client: &Client,
    name: &str,
    configuration: Option<&K>,
) -> Result<(), PublishError> {
    let version = |found: Option<&K>| found.and_then(|found| found.meta().resource_version.clone());
    let now = read::<K>(client, name).await?;
    if version(now.as_ref()) == version(configuration) {
        return Ok(());
    }
    Err(PublishError::Outdated { kind: K::kind(&()).into_owned(), name: name.to_owned() })
}

/// What has to be written so that each webhook trusts the CAs. It tests that nobody has written since the
/// configuration was read: a replica that was held up must not put back what another has replaced, and the
/// list of webhooks may have changed.
fn patch(version: &str, webhooks: &[&WebhookClientConfig], cas: &str) -> JsonPatch {
    let cas = ByteString(cas.as_bytes().to_vec());
    let mut operations: Vec<_> = webhooks
        .iter()
        .enumerate()
        .filter(|(_, config)| config.ca_bundle.as_ref() != Some(&cas))
        .map(|(index, _)| {
            PatchOperation::Add(AddOperation {
                path: jsonptr::PointerBuf::from_tokens([
                    "webhooks",
                    &index.to_string(),
                    "clientConfig",
                    "caBundle",
                ]),
                value: json!(cas),
            })
        })
        .collect();
    if !operations.is_empty() {
        let unchanged = TestOperation {
            path: jsonptr::PointerBuf::from_tokens(["metadata", "resourceVersion"]),
            value: json!(version),
        };
        operations.insert(0, PatchOperation::Test(unchanged));
    }
    JsonPatch(operations)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(ca: Option<&str>) -> WebhookClientConfig {
        WebhookClientConfig {
            ca_bundle: ca.map(|ca| ByteString(ca.as_bytes().to_vec())),
            ..WebhookClientConfig::default()
        }
    }

    #[test]
    fn only_what_differs_is_written_and_only_to_what_was_read() {
        let (stands, absent, old) = (config(Some("ca")), config(None), config(Some("old")));
        let webhooks = [&stands, &absent, &old];
        let written = serde_json::to_value(patch("7", &webhooks, "ca")).unwrap();
        assert_eq!(
            written,
            json!([
                {"op": "test", "path": "/metadata/resourceVersion", "value": "7"},
                {"op": "add", "path": "/webhooks/1/clientConfig/caBundle", "value": "Y2E="},
                {"op": "add", "path": "/webhooks/2/clientConfig/caBundle", "value": "Y2E="},
            ])
        );
        assert!(patch("7", &[&stands], "ca").0.is_empty());
    }

    #[test]
    fn a_configuration_that_is_absent_trusts_nothing() {
        let seen = Configurations { validating: None, mutating: None }.seen();
        assert!(!seen.everywhere("ca"));
        assert_eq!(seen.bundles().collect::<String>(), "");
    }
}
