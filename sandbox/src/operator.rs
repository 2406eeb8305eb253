//! Our operator, installed by its chart and run as processes with the rights that the chart gives it.
//!
//! There is no node to run pods, so the chart's Deployments stay on paper. Their arguments are read back from the
//! API server, so that what the chart says is what runs.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::Deserialize;
use serde_json::json;

use crate::kubeconfig::{self, Cluster};
use crate::kubectl::{self, Kubectl};
use crate::ports::{self, Ports};
use crate::probe::Probe;
use crate::process::Spec;
use crate::spawn;

pub(crate) const WEBHOOK: &str = "webhook";
pub(crate) const CONTROLLER: &str = "controller";

/// Of the release, and of the namespace.
const NAME: &str = "database-operator";
const POLICY: &str = "database-policy";

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the operator's binary isn't at {}: run `cargo build --workspace`, or say --operator-binary", path.display())]
    NoBinary { path: PathBuf },
    #[error("can't install the operator: {0}")]
    Install(#[from] kubectl::Error),
    #[error("can't run helm: {0}")]
    Helm(io::Error),
    #[error("helm can't install the chart {}:\n{output}", chart.display())]
    Chart { chart: PathBuf, output: String },
    #[error("can't understand the Deployment {name} of the chart: {source}")]
    Deployment { name: String, source: serde_json::Error },
    #[error("the Deployment {name} of the chart has no container")]
    NoContainer { name: String },
    #[error(transparent)]
    Kubeconfig(#[from] kubeconfig::Error),
    #[error(transparent)]
    Ports(#[from] ports::Error),
}

/// What is needed to install it.
#[derive(Debug)]
pub(crate) struct Installation<'a> {
    pub(crate) binary: &'a Path,
    pub(crate) chart: &'a Path,
    pub(crate) helm: &'a Path,
    pub(crate) kubectl: &'a Kubectl,
    pub(crate) cluster: &'a Cluster,
    pub(crate) directory: &'a Path,
}

impl Installation<'_> {
    /// Installs policy and chart, and says what to run.
    pub(crate) async fn install(&self, policy: &str, ports: &mut Ports) -> Result<[Spec; 2], Error> {
        if !self.binary.is_file() {
            return Err(Error::NoBinary { path: self.binary.to_owned() });
        }
        // The policy comes before the chart: from then on the webhook judges policies, and it doesn't run yet.
        self.apply_policy(policy).await?;
        let listen = ports.take()?;
        self.helm_upgrade(listen).await?;

        let admin = ports.take()?;
        let webhook = self
            .program(WEBHOOK, admin)
            .await?
            .argument("--listen")
            .argument(format!("127.0.0.1:{listen}"))
            .argument("--admin-listen")
            .argument(format!("127.0.0.1:{admin}"))
            // No node has to hear of its end.
            .argument("--settle")
            .argument("1s");
        let admin = ports.take()?;
        let controller = self
            .program(CONTROLLER, admin)
            .await?
            .argument("--admin-listen")
            .argument(format!("127.0.0.1:{admin}"))
            // Nobody here thinks it over.
            .argument("--destroy-delay")
            .argument("3s");
        Ok([webhook, controller])
    }

    async fn apply_policy(&self, policy: &str) -> Result<(), Error> {
        let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAME } });
        self.kubectl.apply(&namespace.to_string()).await?;
        let config_map = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": { "name": POLICY, "namespace": NAME },
            "data": { "policy.yaml": policy },
        });
        Ok(self.kubectl.apply(&config_map.to_string()).await?)
    }

    async fn helm_upgrade(&self, webhook_port: u16) -> Result<(), Error> {
        let home = self.directory.join("helm");
        let output = spawn::command(self.helm)
            .args(["upgrade", "--install", NAME])
            .arg(self.chart)
            .args(["--namespace", NAME, "--create-namespace"])
            .arg(format!("--set=webhook.url=https://127.0.0.1:{webhook_port}"))
            .env("KUBECONFIG", &self.kubectl.kubeconfig)
            // Neither repositories nor plugins of the user's.
            .env("HELM_CACHE_HOME", home.join("cache"))
            .env("HELM_CONFIG_HOME", home.join("config"))
            .env("HELM_DATA_HOME", home.join("data"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .output()
            .await
            .map_err(Error::Helm)?;
        if output.status.success() {
            return Ok(());
        }
        let output = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(Error::Chart { chart: self.chart.to_owned(), output })
    }

    /// The program of one Deployment, with the token of its service account.
    async fn program(&self, name: &'static str, admin_port: u16) -> Result<Spec, Error> {
        let deployment = format!("{NAME}-{name}");
        let text =
            self.kubectl.run(&["get", "deployment", &deployment, "--namespace", NAME, "-o", "json"]).await?;
        let template = serde_json::from_str::<Deployment>(&text)
            .map_err(|source| Error::Deployment { name: deployment.clone(), source })?
            .spec
            .template
            .spec;
        let account = template.service_account_name.as_deref().unwrap_or("default");
        let container = template
            .containers
            .into_iter()
            .next()
            .ok_or_else(|| Error::NoContainer { name: deployment.clone() })?;

        let kubeconfig = self.directory.join(format!("{name}.kubeconfig"));
        self.cluster.for_service_account(self.kubectl, NAME, account, &kubeconfig).await?;
        let probe = Probe::Http { port: admin_port, path: "/readyz" };
        let mut spec = Spec::new(name, self.binary, vec![probe])
            .env("KUBECONFIG", kubeconfig)
            .env("POD_NAMESPACE", NAME);
        for argument in container.args {
            spec = spec.argument(argument);
        }
        for variable in container.env {
            // Those that come from elsewhere (a field, a Secret) are the pod's, and there is no pod.
            if let Some(value) = variable.value {
                spec = spec.env(&variable.name, value);
            }
        }
        if let Some(filter) = std::env::var_os("RUST_LOG") {
            spec = spec.env("RUST_LOG", filter);
        }
        Ok(spec)
    }
}

/// The part of a Deployment that says what runs.
#[derive(Debug, Deserialize)]
struct Deployment {
    spec: DeploymentSpec,
}

#[derive(Debug, Deserialize)]
struct DeploymentSpec {
    template: PodTemplate,
}

#[derive(Debug, Deserialize)]
struct PodTemplate {
    spec: PodSpec,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodSpec {
    service_account_name: Option<String>,
    containers: Vec<Container>,
}

#[derive(Debug, Deserialize)]
struct Container {
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    env: Vec<Variable>,
}

#[derive(Debug, Deserialize)]
struct Variable {
    name: String,
    value: Option<String>,
}
