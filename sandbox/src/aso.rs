//! The real Azure Service Operator, as a process, with the stand-in in Azure's place.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use crate::aso_manifests::{self, Endpoint, Manifests};
use crate::certificates::{self, Authority};
use crate::kubeconfig::{self, Cluster};
use crate::kubectl::{self, Kubectl};
use crate::place::Place;
use crate::ports::{self, Ports};
use crate::probe::Probe;
use crate::process::Spec;
use crate::state::Azure;
use crate::tools::Tools;

pub(crate) const ASO: &str = "aso";

/// Where ASO's own chart puts it.
const NAMESPACE: &str = "azureserviceoperator-system";

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Certificate(#[from] certificates::Error),
    #[error(transparent)]
    Kubeconfig(#[from] kubeconfig::Error),
    #[error(transparent)]
    Ports(#[from] ports::Error),
    #[error(transparent)]
    Manifests(#[from] aso_manifests::Error),
    #[error("can't create {}: {source}", path.display())]
    Directory { path: PathBuf, source: io::Error },
    #[error("can't install Azure Service Operator: {0}")]
    Install(#[from] kubectl::Error),
}

/// Which of ASO's CRDs.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Crds {
    /// All versions, which ASO converts into each other.
    Converted,
    /// The newest version alone, for which ASO needn't run.
    Newest,
}

/// ASO, ready to be installed.
#[derive(Debug)]
pub(crate) struct Aso {
    pub(crate) spec: Spec,
    manifests: Manifests,
}

impl Aso {
    pub(crate) fn prepare(
        tools: &Tools,
        authority: &Authority,
        cluster: &Cluster,
        azure: &Azure,
        settings: &Settings,
        ports: &mut Ports,
        directory: &Path,
    ) -> Result<Self, Error> {
        let directory = directory.join("aso");
        fs::create_dir_all(&directory)
            .map_err(|source| Error::Directory { path: directory.clone(), source })?;
        let kubeconfig = directory.join("kubeconfig");
        cluster.for_user(&authority.user("azure-service-operator", Some("system:masters"))?, &kubeconfig)?;
        // controller-runtime looks for these names.
        let serving = authority.server(&["127.0.0.1", "localhost"])?;
        certificates::write(&directory.join("tls.crt"), &serving.certificate)?;
        certificates::write_secret(&directory.join("tls.key"), &serving.key)?;
        let trusted = directory.join("ca.crt");
        certificates::write(&trusted, authority.certificate())?;

        let port = ports.take()?;
        let health = ports.take()?;
        let probes = vec![Probe::Http { port: health, path: "/readyz" }, Probe::Listens { port }];
        let spec = Spec::new(ASO, &tools.aso_controller, probes)
            .flag("crd-management", "none")
            // The one port that isn't on the loopback address alone: ASO has no flag for it.
            .flag("webhook-port", port.to_string())
            .flag("webhook-cert-dir", &directory)
            .flag("health-addr", format!("127.0.0.1:{health}"))
            .env("KUBECONFIG", &kubeconfig)
            .env("POD_NAMESPACE", NAMESPACE)
            .env("AZURE_OPERATOR_MODE", "watchers-and-webhooks")
            .env("AZURE_SYNC_PERIOD", format!("{}s", settings.sync_period.as_secs()))
            .env("AZURE_SUBSCRIPTION_ID", &settings.place.subscription_id)
            .env("AZURE_TENANT_ID", &settings.place.tenant_id)
            // Any will do: the stand-in gives a token to whoever asks.
            .env("AZURE_CLIENT_ID", "00000000-0000-4000-8000-0000000000c1")
            .env("AZURE_CLIENT_SECRET", "sandbox")
            .env("AZURE_RESOURCE_MANAGER_ENDPOINT", &azure.endpoint)
            .env("AZURE_RESOURCE_MANAGER_AUDIENCE", &azure.endpoint)
            .env("AZURE_AUTHORITY_HOST", &azure.endpoint)
            // Whatever it asks of the world beyond this machine ends at the stand-in's proxy.
            .env("SSL_CERT_FILE", &trusted)
            .env("HTTPS_PROXY", &azure.proxy)
            .env("NO_PROXY", "127.0.0.1,localhost");
        let endpoint = Endpoint {
            url: format!("https://127.0.0.1:{port}"),
            authority: authority.certificate().to_owned(),
        };
        Ok(Self { spec, manifests: aso_manifests::read(&tools.aso_manifests, &endpoint)? })
    }

    /// Installs the CRDs, as ASO's release does, and waits until they are served: ASO asks once, when it starts,
    /// which of its kinds there are.
    pub(crate) async fn install_crds(&self, kubectl: &Kubectl, crds: Crds) -> Result<(), Error> {
        let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE } });
        kubectl.apply(&namespace.to_string()).await?;
        let crds = match crds {
            Crds::Converted => self.manifests.crds.to_string(),
            Crds::Newest => aso_manifests::newest(self.manifests.crds.clone()).to_string(),
        };
        kubectl.apply(&crds).await?;
        kubectl.wait_for_crds("--selector=app.kubernetes.io/name=azure-service-operator").await?;
        Ok(())
    }

    /// Only once ASO answers them: until then they would refuse every object of ASO's.
    pub(crate) async fn install_webhooks(&self, kubectl: &Kubectl) -> Result<(), Error> {
        Ok(kubectl.apply(&self.manifests.webhooks.to_string()).await?)
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) place: Place,
    /// How often ASO looks at Azure without a reason.
    pub(crate) sync_period: Duration,
}
