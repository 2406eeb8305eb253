//! Publishes the CA to the webhook configurations, which the API server trusts it from.

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

/// Why the CA isn't published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error(
        "{kind} {name} doesn't exist: install the chart's webhook configurations, or name others with --webhook-configuration"
    )]
    Absent { kind: String, name: String },
    #[error("{kind} {name} can't be {action}: {source}")]
    Api { kind: String, name: String, action: &'static str, source: Box<kube::Error> },
}

/// A webhook configuration, of whichever kind.
trait Configuration: Resource<DynamicType = ()> + Clone + serde::de::DeserializeOwned + std::fmt::Debug {
    /// Name and client configuration of each webhook in it.
    fn webhooks(&self) -> Vec<(&str, &WebhookClientConfig)>;
}

impl Configuration for ValidatingWebhookConfiguration {
    fn webhooks(&self) -> Vec<(&str, &WebhookClientConfig)> {
        self.webhooks
            .iter()
            .flatten()
            .map(|webhook| (webhook.name.as_str(), &webhook.client_config))
            .collect()
    }
}

impl Configuration for MutatingWebhookConfiguration {
    fn webhooks(&self) -> Vec<(&str, &WebhookClientConfig)> {
        self.webhooks
            .iter()
            .flatten()
            .map(|webhook| (webhook.name.as_str(), &webhook.client_config))
            .collect()
    }
}

/// Writes the CA into every webhook of both configurations of that name; writes nothing where it stands.
pub async fn publish(client: &Client, name: &str, ca_pem: &str) -> Result<(), PublishError> {
    publish_to::<ValidatingWebhookConfiguration>(client, name, ca_pem).await?;
    publish_to::<MutatingWebhookConfiguration>(client, name, ca_pem).await
}

async fn publish_to<K: Configuration>(client: &Client, name: &str, ca_pem: &str) -> Result<(), PublishError> {
    let api: Api<K> = Api::all(client.clone());
    let kind = || K::kind(&()).into_owned();
    let failed = |action| {
        move |source| PublishError::Api {
            kind: kind(),
            name: name.to_owned(),
            action,
            source: Box::new(source),
        }
    };
    let configuration = api
        .get_opt(name)
        .await
        .map_err(failed("read"))?
        .ok_or_else(|| PublishError::Absent { kind: kind(), name: name.to_owned() })?;
    let patch = patch(&configuration.webhooks(), ca_pem);
    if patch.0.is_empty() {
        return Ok(());
    }
    api.patch(name, &PatchParams::default(), &Patch::Json::<()>(patch)).await.map_err(failed("patched"))?;
    tracing::info!(kind = %kind(), name, "published the webhook's CA");
    Ok(())
}

/// What has to be written so that each webhook trusts the CA. Each step tests that the webhook still stands
/// at its index, since the list can change between reading and writing.
fn patch(webhooks: &[(&str, &WebhookClientConfig)], ca_pem: &str) -> JsonPatch {
    let ca = ByteString(ca_pem.as_bytes().to_vec());
    let operations = webhooks
        .iter()
        .enumerate()
        .filter(|(_, (_, config))| config.ca_bundle.as_ref() != Some(&ca))
        .flat_map(|(index, (name, _))| {
            let index = index.to_string();
            [
                PatchOperation::Test(TestOperation {
                    path: jsonptr::PointerBuf::from_tokens(["webhooks", &index, "name"]),
                    value: json!(name),
                }),
                PatchOperation::Add(AddOperation {
                    path: jsonptr::PointerBuf::from_tokens(["webhooks", &index, "clientConfig", "caBundle"]),
                    value: json!(ca),
                }),
            ]
        })
        .collect();
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
    fn only_what_differs_is_written() {
        let (stands, absent, old) = (config(Some("ca")), config(None), config(Some("old")));
        let webhooks = [("a", &stands), ("b", &absent), ("c", &old)];
        let written = serde_json::to_value(patch(&webhooks, "ca")).unwrap();
        assert_eq!(
            written,
            json!([
                {"op": "test", "path": "/webhooks/1/name", "value": "b"},
                {"op": "add", "path": "/webhooks/1/clientConfig/caBundle", "value": "Y2E="},
                {"op": "test", "path": "/webhooks/2/name", "value": "c"},
                {"op": "add", "path": "/webhooks/2/clientConfig/caBundle", "value": "Y2E="},
            ])
        );
        assert!(patch(&[("a", &stands)], "ca").0.is_empty());
    }
}
