//! etcd, kube-apiserver and kube-controller-manager, each as in a cluster but for its size.

use std::path::{Path, PathBuf};

use crate::certificates::{self, Authority, signing_keys, write, write_secret};
use crate::kubeconfig::{self, Cluster};
use crate::kubectl::Kubectl;
use crate::nodes::network::{API_SERVER as SERVICE, MACHINE};
use crate::nodes::outside::Outside;
use crate::ports::{self, Ports};
use crate::probe::Probe;
use crate::process::Spec;
use crate::tools::Tools;

const ETCD: &str = "etcd";
const API_SERVER: &str = "kube-apiserver";
pub(crate) const CONTROLLER_MANAGER: &str = "kube-controller-manager";

/// Every request, without its body: who asked for what and what came of it. Tests count writes with this.
const AUDIT_POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
";

/// The controllers whose work our operator meets. Those that make pods are left out where there is no node to run them:
/// what `kubectl get` shows should be what runs.
const CONTROLLERS: [&str; 9] = [
    "garbage-collector-controller",
    "namespace-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
    "root-ca-certificate-publisher-controller",
    "clusterrole-aggregation-controller",
    "validatingadmissionpolicy-status-controller",
    "resourcequota-controller",
    "storage-version-migrator-controller",
];

/// Who issues the tokens of ServiceAccounts where no policy says it: the one of examples/policy.yaml.
const ISSUER: &str = "https://oidc.example/prod-1";

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Certificate(#[from] certificates::Error),
    #[error(transparent)]
    Kubeconfig(#[from] kubeconfig::Error),
    #[error(transparent)]
    Ports(#[from] ports::Error),
    #[error("can't create {}: {source}", path.display())]
    Directory { path: PathBuf, source: std::io::Error },
    #[error("the disk of {} has {free} MB left, and a sandbox needs {needed}: free some", path.display())]
    DiskFull { path: PathBuf, free: u64, needed: u64 },
}

/// MB that etcd takes for its log at once, twice, and what is written while somebody looks around. Without them it panics.
const SPACE: u64 = 500;

/// Whether the disk of a folder has so many MB left.
fn check_space(path: &Path, needed: u64) -> Result<(), Error> {
    let directory = |source| Error::Directory { path: path.to_owned(), source };
    let disk = rustix::fs::statvfs(path).map_err(|error| directory(error.into()))?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize) / 1_000_000;
    if free < needed { Err(Error::DiskFull { path: path.to_owned(), free, needed }) } else { Ok(()) }
}

/// The control plane, ready to be started.
#[derive(Debug)]
pub(crate) struct ControlPlane {
    pub(crate) etcd: Spec,
    pub(crate) api_server: Spec,
    pub(crate) controller_manager: Spec,
    pub(crate) cluster: Cluster,
    /// As an administrator (`system:masters`).
    pub(crate) kubectl: Kubectl,
    pub(crate) audit_log: PathBuf,
    /// Who issues the tokens of ServiceAccounts: as the policy says, as in a cluster whose policy is right.
    pub(crate) issuer: String,
}

impl ControlPlane {
    /// Writes keys, certificates and kubeconfig files, and chooses the ports. Starts nothing yet. With nodes, it is in a
    /// network of the sandbox's own, and is found from outside of it.
    pub(crate) fn prepare(
        tools: &Tools,
        authority: &Authority,
        ports: &mut Ports,
        directory: &Path,
        logs: &Path,
        issuer: Option<&str>,
        outside: Option<&Outside>,
    ) -> Result<Self, Error> {
        let pki = directory.join("pki");
        std::fs::create_dir_all(&pki).map_err(|source| Error::Directory { path: pki.clone(), source })?;
        check_space(directory, SPACE)?;
        write(&pki.join("ca.crt"), authority.certificate())?;

        let etcd_port = ports.take()?;
        let etcd = etcd(tools, etcd_port, ports.take()?, &directory.join("etcd"));

        let port = outside.map_or_else(|| ports.take(), |outside| Ok(outside.api_server))?;
        let cluster = Cluster {
            server: format!("https://127.0.0.1:{port}"),
            authority: authority.certificate().to_owned(),
        };
        let kubeconfig = directory.join("kubeconfig");
        cluster.for_user(&authority.user("sandbox-admin", Some("system:masters"))?, &kubeconfig)?;
        let kubectl = Kubectl::new(&tools.kubectl, &kubeconfig, &directory.join("kubectl-cache"));

        let audit_log = logs.join("audit.log");
        let api_server = api_server(tools, authority, &kubectl, directory, &pki)?
            .flag("etcd-servers", format!("http://127.0.0.1:{etcd_port}"))
            .flag("secure-port", port.to_string())
            .flag("service-account-issuer", issuer.unwrap_or(ISSUER))
            .flag("audit-log-path", &audit_log);
        let api_server = if outside.is_some() {
            for_nodes(api_server, authority, &pki)?
        } else {
            api_server
                .flag("bind-address", "127.0.0.1")
                .flag("advertise-address", "127.0.0.1")
                // A Service can't lead to a loopback address, and nothing here needs it to.
                .flag("endpoint-reconciler-type", "none")
                .flag("authorization-mode", "RBAC")
        };

        let controllers = if outside.is_some() { "*".to_owned() } else { CONTROLLERS.join(",") };
        let port = ports.take()?;
        let controller_manager =
            controller_manager(tools, authority, &cluster, &kubectl, port, directory, &pki)?
                .flag("controllers", controllers);
        let issuer = issuer.unwrap_or(ISSUER).to_owned();
        Ok(Self { etcd, api_server, controller_manager, cluster, kubectl, audit_log, issuer })
    }
}

fn etcd(tools: &Tools, port: u16, peer_port: u16, data: &Path) -> Spec {
    let client = format!("http://127.0.0.1:{port}");
    let peer = format!("http://127.0.0.1:{peer_port}");
    Spec::new(ETCD, &tools.etcd, vec![Probe::Http { port, path: "/health" }])
        .flag("data-dir", data)
        .flag("listen-client-urls", &client)
        .flag("advertise-client-urls", &client)
        .flag("listen-peer-urls", &peer)
        .flag("initial-advertise-peer-urls", &peer)
        .flag("initial-cluster", format!("default={peer}"))
        .flag("log-level", "warn")
        // Each run starts with an empty store, so there is nothing that a crash of the machine could lose.
        .flag("unsafe-no-fsync", "true")
}

/// What doesn't depend on where it listens.
fn api_server(
    tools: &Tools,
    authority: &Authority,
    kubectl: &Kubectl,
    directory: &Path,
    pki: &Path,
) -> Result<Spec, Error> {
    let (service, machine) = (SERVICE.to_string(), MACHINE.to_string());
    // The last two are those that nodes and pods use.
    let names = ["127.0.0.1", "localhost", "kubernetes.default.svc", &service, &machine];
    let serving = authority.server(&names)?.write(pki, "apiserver")?;
    let (private_key, public_key) = signing_keys()?;
    write_secret(&pki.join("service-accounts.key"), &private_key)?;
    write(&pki.join("service-accounts.pub"), &public_key)?;
    let audit_policy = directory.join("audit-policy.yaml");
    write(&audit_policy, AUDIT_POLICY)?;
    let probe = Probe::kubectl(kubectl, &["get", "--raw", "/readyz", "--request-timeout=5s"]);
    Ok(Spec::new(API_SERVER, &tools.kube_apiserver, vec![probe])
        .flag("service-cluster-ip-range", "10.96.0.0/16")
        .flag("tls-cert-file", &serving.certificate)
        .flag("tls-private-key-file", &serving.key)
        .flag("client-ca-file", pki.join("ca.crt"))
        .flag("service-account-key-file", pki.join("service-accounts.pub"))
        .flag("service-account-signing-key-file", pki.join("service-accounts.key"))
        .flag("audit-policy-file", &audit_policy)
        // Rotation would hide lines from a test that counts them.
        .flag("audit-log-maxsize", "0")
        .flag("profiling", "false"))
}

/// Reached by nodes and pods, and reaching kubelets for logs.
fn for_nodes(api_server: Spec, authority: &Authority, pki: &Path) -> Result<Spec, Error> {
    let client = authority.user("kube-apiserver-kubelet-client", Some("system:masters"))?;
    let client = client.write(pki, "kubelet-client")?;
    Ok(api_server
        .flag("bind-address", "0.0.0.0")
        .flag("advertise-address", MACHINE.to_string())
        .flag("authorization-mode", "Node,RBAC")
        .flag("enable-admission-plugins", "NodeRestriction")
        .flag("kubelet-certificate-authority", pki.join("ca.crt"))
        .flag("kubelet-client-certificate", &client.certificate)
        .flag("kubelet-client-key", &client.key)
        .flag("kubelet-preferred-address-types", "InternalIP"))
}

fn controller_manager(
    tools: &Tools,
    authority: &Authority,
    cluster: &Cluster,
    kubectl: &Kubectl,
    port: u16,
    directory: &Path,
    pki: &Path,
) -> Result<Spec, Error> {
    let kubeconfig = directory.join("kube-controller-manager.kubeconfig");
    cluster.for_user(&authority.user("system:kube-controller-manager", None)?, &kubeconfig)?;
    let serving = authority.server(&["127.0.0.1"])?.write(pki, "controller-manager")?;
    let server = format!("--server=https://127.0.0.1:{port}");
    let probes = vec![
        Probe::kubectl(kubectl, &[&server, "get", "--raw", "/healthz", "--request-timeout=5s"]),
        // It is at work once a namespace that every cluster has got the ServiceAccount that every namespace gets.
        Probe::kubectl(kubectl, &["get", "serviceaccount", "default", "--namespace", "default"]),
    ];
    Ok(Spec::new(CONTROLLER_MANAGER, &tools.kube_controller_manager, probes)
        .flag("kubeconfig", kubeconfig)
        // As in a cluster: the garbage collector and the namespace controller act as ServiceAccounts of kube-system.
        .flag("use-service-account-credentials", "true")
        .flag("service-account-private-key-file", pki.join("service-accounts.key"))
        .flag("root-ca-file", pki.join("ca.crt"))
        .flag("leader-elect", "false")
        .flag("kube-api-qps", "200")
        .flag("kube-api-burst", "400")
        .flag("profiling", "false")
        .flag("bind-address", "127.0.0.1")
        .flag("secure-port", port.to_string())
        .flag("tls-cert-file", &serving.certificate)
        .flag("tls-private-key-file", &serving.key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_without_room_is_told_of_before_etcd_panics() {
        let folder = tempfile::tempdir().unwrap();
        check_space(folder.path(), 0).unwrap();
        let said = check_space(folder.path(), u64::MAX).unwrap_err().to_string();
        assert!(said.contains(&folder.path().display().to_string()), "{said}");
        assert!(said.ends_with(&format!("MB left, and a sandbox needs {}: free some", u64::MAX)), "{said}");
    }
}
