//! The real source-controller and kustomize-controller of Flux, as processes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::kubeconfig::{self, Cluster};
use crate::kubectl::{self, Kubectl};
use crate::ports::{self, Ports};
use crate::probe::Probe;
use crate::process::Spec;
use crate::spawn::create_private_directory;
use crate::tools::FluxTools;

pub(crate) const SOURCE_CONTROLLER: &str = "source-controller";
pub(crate) const KUSTOMIZE_CONTROLLER: &str = "kustomize-controller";

/// Where Flux's own installation puts it.
const NAMESPACE: &str = "flux-system";

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Kubeconfig(#[from] kubeconfig::Error),
    #[error(transparent)]
    Ports(#[from] ports::Error),
    #[error("can't create {}: {source}", path.display())]
    Directory { path: PathBuf, source: io::Error },
    #[error("can't read the CRDs of Flux in {}: {source}", path.display())]
    Crds { path: PathBuf, source: io::Error },
    #[error("can't install Flux: {0}")]
    Install(#[from] kubectl::Error),
}

/// Installs what both controllers need in the cluster, and says how they run.
pub(crate) async fn install(
    tools: &FluxTools,
    kubectl: &Kubectl,
    cluster: &Cluster,
    ports: &mut Ports,
    directory: &Path,
) -> Result<[Spec; 2], Error> {
    kubectl.apply(&accounts().to_string()).await?;
    for crd in crds(&tools.crds)? {
        kubectl.apply(&crd).await?;
    }
    // They ask once, when they start, which of their kinds there are.
    kubectl.wait_for_crds("--all").await?;

    let directory = directory.join("flux");
    let source = Home::make(SOURCE_CONTROLLER, &directory, kubectl, cluster).await?;
    let storage = source.path.join("artifacts");
    create(&storage)?;
    let artifacts = ports.take()?;
    let address = format!("127.0.0.1:{artifacts}");
    let source = source
        .spec(&tools.source_controller, ports.take()?, Some(Probe::Listens { port: artifacts }))
        .flag("storage-path", &storage)
        .flag("storage-addr", &address)
        // Where the other one fetches what this one has packed.
        .flag("storage-adv-addr", &address);
    let kustomize = Home::make(KUSTOMIZE_CONTROLLER, &directory, kubectl, cluster).await?;
    let kustomize = kustomize.spec(&tools.kustomize_controller, ports.take()?, None);
    Ok([source, kustomize])
}

/// Both may do everything, as in Flux's own installation.
fn accounts() -> Value {
    let account = |name: &str| {
        json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": { "name": name, "namespace": NAMESPACE },
        })
    };
    let subject = |name: &str| json!({ "kind": "ServiceAccount", "name": name, "namespace": NAMESPACE });
    json!({ "apiVersion": "v1", "kind": "List", "items": [
        { "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE } },
        account(SOURCE_CONTROLLER),
        account(KUSTOMIZE_CONTROLLER),
        {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": { "name": "cluster-reconciler-flux-system" },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin" },
            "subjects": [subject(SOURCE_CONTROLLER), subject(KUSTOMIZE_CONTROLLER)],
        },
    ] })
}

fn crds(path: &Path) -> Result<Vec<String>, Error> {
    let failed = |source| Error::Crds { path: path.to_owned(), source };
    let files = fs::read_dir(path).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(failed)?;
    files.iter().map(|file| fs::read_to_string(file.path()).map_err(failed)).collect()
}

fn create(path: &Path) -> Result<(), Error> {
    create_private_directory(path).map_err(|source| Error::Directory { path: path.to_owned(), source })
}

/// What a controller has for itself.
struct Home {
    name: &'static str,
    path: PathBuf,
    kubeconfig: PathBuf,
}

impl Home {
    async fn make(
        name: &'static str,
        directory: &Path,
        kubectl: &Kubectl,
        cluster: &Cluster,
    ) -> Result<Self, Error> {
        let path = directory.join(name);
        create(&path)?;
        let kubeconfig = path.join("kubeconfig");
        cluster.for_service_account(kubectl, NAMESPACE, name, &kubeconfig).await?;
        Ok(Self { name, path, kubeconfig })
    }

    fn spec(&self, program: &Path, health: u16, also: Option<Probe>) -> Spec {
        let probes = [Probe::Http { port: health, path: "/readyz" }].into_iter().chain(also).collect();
        Spec::new(self.name, program, probes)
            .flag("health-addr", format!("127.0.0.1:{health}"))
            // Nobody reads them here.
            .flag("metrics-addr", "0")
            .flag("watch-all-namespaces", "true")
            // What waits for another Kustomization looks again by itself, and not only after half a minute.
            .flag("requeue-dependency", "5s")
            .flag("log-encoding", "json")
            .env("KUBECONFIG", &self.kubeconfig)
            .env("RUNTIME_NAMESPACE", NAMESPACE)
            // Neither settings of the user's git, nor anything left behind.
            .env("HOME", &self.path)
            .env("TMPDIR", &self.path)
    }
}
