//! Our operator, installed by its chart and run as processes with the rights that the chart gives it.
//!
//! Without nodes the chart's Deployments stay on paper. Their arguments are read back from the API server, so that what the
//! chart says is what runs. With nodes the chart is installed as in any cluster.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::Deserialize;
use serde_json::{Value, json};

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
/// Where each pod finds the root certificate of its cluster.
const ROOT: &str = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";
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
    #[error("can't write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
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
        let url = format!("--set=webhook.url=https://127.0.0.1:{listen}");
        self.helm_upgrade(&[&url]).await?;

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

    /// Installs the chart with its pods, and waits until they are ready. The namespace takes only pods without any rights on
    /// their node.
    pub(crate) async fn install_in_pods(&self, policy: &str, values: &Value) -> Result<(), Error> {
        let restricted = json!({ "pod-security.kubernetes.io/enforce": "restricted" });
        self.apply_namespace(&restricted).await?;
        let write = |name: &str, text: &str| {
            let path = self.directory.join(name);
            fs::write(&path, text).map_err(|source| Error::Write { path: path.clone(), source })?;
            Ok::<_, Error>(path)
        };
        let policy = write("policy.yaml", policy)?.display().to_string();
        let values = write("values.json", &values.to_string())?.display().to_string();
        let policy = format!("policy={policy}");
        self.helm_upgrade(&["--values", &values, "--set-file", &policy, "--wait", "--timeout=3m"]).await
    }

    async fn apply_namespace(&self, labels: &Value) -> Result<(), Error> {
        let metadata = json!({ "name": NAME, "labels": labels });
        let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": metadata });
        Ok(self.kubectl.apply(&namespace.to_string()).await?)
    }

    async fn apply_policy(&self, policy: &str) -> Result<(), Error> {
        self.apply_namespace(&json!({})).await?;
        let config_map = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": { "name": POLICY, "namespace": NAME },
            "data": { "policy.yaml": policy },
        });
        Ok(self.kubectl.apply(&config_map.to_string()).await?)
    }

    async fn helm_upgrade(&self, arguments: &[&str]) -> Result<(), Error> {
        let home = self.directory.join("helm");
        let output = spawn::command(self.helm)
            .args(["upgrade", "--install", NAME])
            .arg(self.chart)
            .args(["--namespace", NAME, "--create-namespace"])
            .args(arguments)
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

/// The chart's values for pods: which tag of the image, and where the operator logs in to servers, its identity and the way to
/// them. The names of Azure's servers lead to the sandbox, and the cluster's root stands for theirs.
pub(crate) fn in_pods(tag: &str, client_id: Option<&str>, servers: IpAddr) -> Value {
    let mut values = json!({ "image": { "tag": tag } });
    if let Some(client_id) = client_id {
        values["controller"] = json!({
            "workloadIdentity": { "clientId": client_id },
            "extraEnv": [
                { "name": "PGHOSTADDR", "value": servers },
                { "name": "SSL_CERT_FILE", "value": ROOT },
            ],
        });
    }
    values
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
