//! Kubeconfig files: for the administrator, for the programs of the control plane, and for service accounts.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::certificates::{self, Identity, write_secret};
use crate::kubectl::{self, Kubectl};

/// A year: longer than anyone leaves a sandbox up.
const TOKEN_LIFETIME: &str = "8760h";

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Write(#[from] certificates::Error),
    #[error("no token for ServiceAccount {namespace}/{name}: {source}")]
    Token { namespace: String, name: String, source: kubectl::Error },
}

/// The API server that a kubeconfig leads to.
#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    pub(crate) server: String,
    pub(crate) authority: String,
}

impl Cluster {
    /// For a user with a client certificate.
    pub(crate) fn for_user(&self, identity: &Identity, path: &Path) -> Result<(), Error> {
        let user = json!({
            "client-certificate-data": BASE64_STANDARD.encode(&identity.certificate),
            "client-key-data": BASE64_STANDARD.encode(&identity.key),
        });
        self.write(&user, path)
    }

    /// For a service account: a token as its pods would get, with its rights and no others.
    pub(crate) async fn for_service_account(
        &self,
        admin: &Kubectl,
        namespace: &str,
        name: &str,
        path: &Path,
    ) -> Result<PathBuf, Error> {
        let token = admin
            .run(&["create", "token", name, "--namespace", namespace, "--duration", TOKEN_LIFETIME])
            .await
            .map_err(|source| Error::Token {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
                source,
            })?;
        self.write(&json!({ "token": token.trim() }), path)?;
        Ok(path.to_owned())
    }

    fn write(&self, user: &Value, path: &Path) -> Result<(), Error> {
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "sandbox", "cluster": {
                "server": self.server,
                "certificate-authority-data": BASE64_STANDARD.encode(&self.authority),
            }}],
            "users": [{"name": "sandbox", "user": user}],
            "contexts": [{"name": "sandbox", "context": {"cluster": "sandbox", "user": "sandbox"}}],
            "current-context": "sandbox",
        });
        // JSON is YAML, and every client reads it.
        write_secret(path, &format!("{config:#}\n"))?;
        Ok(())
    }
}
