//! ASO's CRDs and webhook configurations, made fit for an ASO that runs outside the cluster.
//!
//! They are generated from ASO's packages once per version (see [`crate::tools`]). What its own release adds to them
//! with kustomize is added here: the label by which ASO finds its CRDs, and the conversion webhook. Where a release
//! names the Service in front of its pods, there is the URL of the process.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("can't read {}: {source}; remove the folder, and it is generated again", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("can't understand {}: {message}; remove the file's folder, and it is generated again", path.display())]
    Parse { path: PathBuf, message: String },
}

/// Where ASO's webhooks answer.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    /// `https://127.0.0.1:PORT`
    pub(crate) url: String,
    /// Who signed its certificate, PEM.
    pub(crate) authority: String,
}

/// What to apply: the CRDs, and the webhook configurations, each a List.
#[derive(Debug)]
pub(crate) struct Manifests {
    pub(crate) crds: Value,
    pub(crate) webhooks: Value,
}

/// Reads what was generated, and adds what ASO's release adds.
pub(crate) fn read(directory: &Path, endpoint: &Endpoint) -> Result<Manifests, Error> {
    let mut crds = Vec::new();
    let mut webhooks = Vec::new();
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::Read { path, source }
    };
    for entry in fs::read_dir(directory).map_err(failed(directory))? {
        let path = entry.map_err(failed(directory))?.path();
        let text = fs::read_to_string(&path).map_err(failed(&path))?;
        // Limits against hostile YAML would refuse the half megabyte that describes a FlexibleServer.
        let options = serde_saphyr::options! { budget: None };
        let documents: Vec<Value> = serde_saphyr::from_multiple_with_options(&text, options)
            .map_err(|error| Error::Parse { path: path.clone(), message: error.to_string() })?;
        for document in documents {
            match document["kind"].as_str() {
                Some("CustomResourceDefinition") => crds.push(crd(document, endpoint)),
                Some(_) => webhooks.push(webhook(document, endpoint)),
                None => {}
            }
        }
    }
    Ok(Manifests { crds: list(&crds), webhooks: list(&webhooks) })
}

fn list(items: &[Value]) -> Value {
    json!({ "apiVersion": "v1", "kind": "List", "items": items })
}

fn crd(mut crd: Value, endpoint: &Endpoint) -> Value {
    // ASO doesn't serve a kind whose CRD lacks this label.
    crd["metadata"]["labels"]["app.kubernetes.io/name"] = "azure-service-operator".into();
    crd["spec"]["conversion"] = json!({
        "strategy": "Webhook",
        "webhook": {
            "conversionReviewVersions": ["v1"],
            "clientConfig": client_config("/convert", endpoint),
        },
    });
    crd
}

/// The same CRDs with one version each, stored as it is. ASO stores a version of its own, named after the newest that
/// people write, and converts all others into it.
pub(crate) fn newest(mut crds: Value) -> Value {
    for crd in crds["items"].as_array_mut().into_iter().flatten() {
        crd["spec"]["conversion"] = json!({ "strategy": "None" });
        let versions = crd["spec"]["versions"].as_array().cloned().unwrap_or_default();
        let stored = versions.iter().find(|version| version["storage"] == true);
        let stored = stored.and_then(|version| version["name"].as_str()).unwrap_or_default();
        let newest = stored.strip_suffix("storage").unwrap_or(stored);
        let mut kept: Vec<Value> =
            versions.iter().filter(|version| version["name"] == newest).cloned().collect();
        for version in &mut kept {
            version["storage"] = true.into();
        }
        crd["spec"]["versions"] = kept.into();
    }
    crds
}

fn webhook(mut configuration: Value, endpoint: &Endpoint) -> Value {
    if let Some(name) = configuration["metadata"]["name"].as_str() {
        configuration["metadata"]["name"] = format!("azureserviceoperator-{name}").into();
    }
    for webhook in configuration["webhooks"].as_array_mut().into_iter().flatten() {
        let path = webhook["clientConfig"]["service"]["path"].as_str().unwrap_or_default().to_owned();
        webhook["clientConfig"] = client_config(&path, endpoint);
    }
    configuration
}

fn client_config(path: &str, endpoint: &Endpoint) -> Value {
    json!({
        "url": format!("{}{path}", endpoint.url),
        "caBundle": BASE64_STANDARD.encode(&endpoint.authority),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint() -> Endpoint {
        Endpoint { url: "https://127.0.0.1:1234".to_owned(), authority: "PEM".to_owned() }
    }

    #[test]
    fn a_crd_gets_the_label_and_the_conversion() {
        let crd = crd(
            json!({"kind": "CustomResourceDefinition", "metadata": {"name": "a"}, "spec": {}}),
            &endpoint(),
        );
        assert_eq!(crd["metadata"]["labels"]["app.kubernetes.io/name"], "azure-service-operator");
        let client = &crd["spec"]["conversion"]["webhook"]["clientConfig"];
        assert_eq!(*client, json!({"url": "https://127.0.0.1:1234/convert", "caBundle": "UEVN"}));
    }

    #[test]
    fn the_newest_version_is_the_one_that_is_stored_without_a_name_of_its_own() {
        let version = |name: &str, storage: bool| json!({"name": name, "served": true, "storage": storage});
        let versions = [version("v1", false), version("v2", false), version("v2storage", true)];
        let crds =
            newest(list(&[json!({"spec": {"versions": versions, "conversion": {"strategy": "Webhook"}}})]));
        let spec = &crds["items"][0]["spec"];
        assert_eq!(*spec, json!({"versions": [version("v2", true)], "conversion": {"strategy": "None"}}));
    }

    #[test]
    fn a_webhooks_service_becomes_a_url_with_its_path() {
        let before = json!({"metadata": {"name": "validating"}, "webhooks": [
            {"name": "w", "clientConfig": {"service": {"name": "s", "namespace": "n", "path": "/validate-x"}}},
        ]});
        let after = webhook(before, &endpoint());
        assert_eq!(after["metadata"]["name"], "azureserviceoperator-validating");
        let client = &after["webhooks"][0]["clientConfig"];
        assert_eq!(*client, json!({"url": "https://127.0.0.1:1234/validate-x", "caBundle": "UEVN"}));
    }
}
