//! What runs on a node: containerd, the kubelet and kube-proxy, each set up by a file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use super::cgroups;
use super::command;
use super::image::{self, Store};
use super::machine;
use super::network::{self, DNS, MACHINE, PODS, namespace, node_address, node_name, pods};
use super::requirements::{self, Programs};
use crate::certificates::{self, Authority};
use crate::kubeconfig::{self, Cluster};
use crate::kubectl::Kubectl;
use crate::probe::Probe;
use crate::process::Spec;
use crate::tools::NodeTools;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Requirement(#[from] requirements::Error),
    #[error(transparent)]
    Machine(#[from] machine::Error),
    #[error("can't set up the network of the nodes: {0}")]
    Network(command::Error),
    #[error("can't make the cgroup {name}: {source}")]
    Cgroup { name: String, source: io::Error },
    #[error("can't write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Certificate(#[from] certificates::Error),
    #[error(transparent)]
    Kubeconfig(#[from] kubeconfig::Error),
    #[error(transparent)]
    Image(#[from] image::Error),
    #[error("can't load the image {}: {source}", archive.display())]
    Load { archive: PathBuf, source: command::Error },
}

/// Sockets of each node, below `/run`, which is the sandbox's own.
const RUN: &str = "/run/nodes";

/// The nodes of a sandbox, ready to be started.
#[derive(Debug)]
pub(crate) struct Nodes {
    programs: Programs,
    each: Vec<Node>,
    /// Chooses where pods run.
    pub(crate) scheduler: Spec,
    /// Leads the machine's packages to Services, as on a node.
    pub(crate) proxy: Spec,
    pause: PathBuf,
    directory: PathBuf,
}

#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) containerd: Spec,
    pub(crate) kubelet: Spec,
    pub(crate) proxy: Spec,
    store: Store,
}

/// What nodes are made of.
pub(crate) struct Parts<'a> {
    pub(crate) tools: &'a NodeTools,
    pub(crate) authority: &'a Authority,
    /// As it is reached from the nodes.
    pub(crate) cluster: &'a Cluster,
    pub(crate) kubectl: &'a Kubectl,
    /// The sandbox's.
    pub(crate) directory: &'a Path,
    pub(crate) logs: &'a Path,
    /// The process that began the sandbox.
    pub(crate) supervisor: u32,
}

/// Makes the machine and the network in which everything runs.
pub(crate) async fn set_up(directory: &Path, count: u8) -> Result<(), Error> {
    machine::cover(directory)?;
    network::set_up(&requirements::programs()?.ip, count).await.map_err(Error::Network)
}

impl Nodes {
    /// Writes what the programs read. Starts nothing yet.
    pub(crate) fn prepare(parts: &Parts<'_>, count: u8) -> Result<Self, Error> {
        let programs = requirements::programs()?;
        let directory = parts.directory.join("nodes");
        create(&directory)?;
        let scheduler = directory.join("kube-scheduler.kubeconfig");
        parts.cluster.for_user(&parts.authority.user("system:kube-scheduler", None)?, &scheduler)?;
        let scheduler = Spec::new("kube-scheduler", &parts.tools.kube_scheduler, Vec::new())
            .flag("kubeconfig", &scheduler)
            .flag("leader-elect", "false")
            .flag("secure-port", "0");
        let proxy = directory.join("kube-proxy.kubeconfig");
        parts.cluster.for_user(&parts.authority.user("system:kube-proxy", None)?, &proxy)?;
        let each = (1..=count).map(|node| Node::prepare(parts, &programs, node)).collect::<Result<_, _>>()?;
        // It waits for a node of its name. The first one will do: only Services that prefer pods of their own node would
        // make a difference.
        let proxy = kube_proxy(parts, "kube-proxy", &node_name(1), &directory)?;
        Ok(Self { programs, each, scheduler, proxy, pause: parts.tools.pause.clone(), directory })
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = Node> {
        self.each.clone().into_iter()
    }

    /// Loads what keeps the namespaces of each pod.
    pub(crate) async fn load_pause(&self) -> Result<(), Error> {
        let archive = self.directory.join("pause.oci.tar");
        image::pack(&self.pause, image::PAUSE, &archive).await?;
        self.load(&archive, image::PAUSE).await
    }

    /// Packs a program into an archive beside the nodes.
    pub(crate) async fn pack(&self, program: &Path, name: &str) -> Result<PathBuf, Error> {
        let archive = self.directory.join("operator.oci.tar");
        image::pack(program, name, &archive).await?;
        Ok(archive)
    }

    /// Gives the image of an archive a name on each node.
    pub(crate) async fn load(&self, archive: &Path, name: &str) -> Result<(), Error> {
        for node in &self.each {
            let loaded = node.store.load(archive, name).await;
            loaded.map_err(|source| Error::Load { archive: archive.to_owned(), source })?;
        }
        Ok(())
    }

    /// Cuts a node off, or connects it again. `None`: there is none of this name.
    pub(crate) async fn set_connected(&self, name: &str, connected: bool) -> Option<Result<(), Error>> {
        let count = u8::try_from(self.each.len()).unwrap_or(u8::MAX);
        let node = (1..=count).find(|node| node_name(*node) == name)?;
        Some(network::set_connected(&self.programs.ip, node, connected).await.map_err(Error::Network))
    }
}

impl Node {
    fn prepare(parts: &Parts<'_>, programs: &Programs, node: u8) -> Result<Self, Error> {
        let name = node_name(node);
        let directory = parts.directory.join("nodes").join(&name);
        let run = Path::new(RUN).join(&name);
        create(&directory)?;
        create(&run)?;
        let socket = run.join("containerd.sock");
        let within = format!("--net={}", namespace(node).display());
        let on_node = |spec: Spec| spec.run_by(&programs.nsenter, &[within.as_str(), "--"]);

        let containerd = containerd(&name, programs, &directory, &run, &socket, node)?;
        let kubelet = kubelet(parts, &name, &directory, &socket, node)?;
        let proxy = kube_proxy(parts, &format!("{name}-kube-proxy"), &name, &directory)?;
        Ok(Self {
            containerd: on_node(containerd),
            kubelet: on_node(kubelet),
            proxy: on_node(proxy),
            store: Store { ctr: programs.ctr.clone(), socket },
        })
    }
}

fn containerd(
    name: &str,
    programs: &Programs,
    directory: &Path,
    run: &Path,
    socket: &Path,
    node: u8,
) -> Result<Spec, Error> {
    let networks = directory.join("cni");
    create(&networks)?;
    let network = json!({
        "cniVersion": "1.0.0", "name": "pods",
        "plugins": [{
            "type": "bridge", "bridge": "pods", "isGateway": true, "hairpinMode": true,
            "ipam": {
                "type": "host-local", "dataDir": run.join("ipam"),
                "ranges": [[{ "subnet": pods(node) }]], "routes": [{ "dst": "0.0.0.0/0" }],
            },
        }],
    });
    write(&networks.join("10-pods.conflist"), &network.to_string())?;
    let config = directory.join("containerd.toml");
    // Quoted as JSON is, which TOML reads as well.
    let quoted = |path: &Path| Value::from(path.to_string_lossy()).to_string();
    let text = format!(
        "version = 2
root = {root}
state = {state}
[grpc]
address = {socket}
[plugins.\"io.containerd.internal.v1.opt\"]
path = {opt}
[plugins.\"io.containerd.grpc.v1.cri\"]
sandbox_image = {pause:?}
# Who may not raise a priority may not give a container its own.
restrict_oom_score_adj = true
[plugins.\"io.containerd.grpc.v1.cri\".cni]
bin_dir = {plugins}
conf_dir = {networks}
[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runc]
runtime_type = \"io.containerd.runc.v2\"
",
        root = quoted(&directory.join("containerd")),
        state = quoted(&run.join("containerd")),
        socket = quoted(socket),
        opt = quoted(&run.join("opt")),
        pause = image::PAUSE,
        plugins = quoted(&programs.cni),
        networks = quoted(&networks),
    );
    write(&config, &text)?;
    let probe = Probe::Socket { path: socket.to_owned() };
    Ok(Spec::new(format!("{name}-containerd"), &programs.containerd, vec![probe]).flag("config", &config))
}

fn kubelet(parts: &Parts<'_>, name: &str, directory: &Path, socket: &Path, node: u8) -> Result<Spec, Error> {
    let address = node_address(node).to_string();
    let cgroup = format!("{}/{name}", cgroups::name(parts.supervisor));
    cgroups::make(&cgroup).map_err(|source| Error::Cgroup { name: cgroup.clone(), source })?;
    let kubeconfig = directory.join("kubelet.kubeconfig");
    let user = parts.authority.user(&format!("system:node:{name}"), Some("system:nodes"))?;
    parts.cluster.for_user(&user, &kubeconfig)?;
    let serving = parts.authority.server(&[name, &address])?.write(directory, "kubelet")?;
    let config = json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
        "address": address,
        "containerRuntimeEndpoint": format!("unix://{}", socket.display()),
        "cgroupDriver": "cgroupfs", "cgroupRoot": format!("/{cgroup}"),
        // Which version of cgroups there is, is the machine's affair, and so is its swap.
        "failCgroupV1": false, "failSwapOn": false,
        "enforceNodeAllocatable": [],
        // Who may not raise a priority may not change it.
        "oomScoreAdj": 0,
        "authentication": {
            "anonymous": { "enabled": false }, "webhook": { "enabled": true },
            "x509": { "clientCAFile": parts.directory.join("pki/ca.crt") },
        },
        "authorization": { "mode": "Webhook" },
        "tlsCertFile": serving.certificate, "tlsPrivateKeyFile": serving.key,
        // However full the machine is, pods stay.
        "evictionHard": { "memory.available": "1Mi", "nodefs.available": "0%", "imagefs.available": "0%" },
        "imageGCHighThresholdPercent": 100,
        "clusterDNS": [DNS], "clusterDomain": "cluster.local", "resolvConf": "",
        "volumePluginDir": directory.join("volume-plugins"),
        "podLogsDir": parts.logs.join("pods").join(name),
    });
    let path = directory.join("kubelet.json");
    write(&path, &format!("{config:#}\n"))?;
    let node = format!("node/{name}");
    let probe = Probe::kubectl(parts.kubectl, &["wait", "--for=condition=Ready", &node, "--timeout=1s"]);
    Ok(Spec::new(format!("{name}-kubelet"), &parts.tools.kubelet, vec![probe])
        .flag("config", &path)
        .flag("kubeconfig", &kubeconfig)
        .flag("hostname-override", name)
        .flag("node-ip", &address)
        // It has sockets in it, whose names must not be long.
        .flag("root-dir", Path::new(RUN).join(name).join("kubelet"))
        .flag("cert-dir", directory.join("kubelet-certificates")))
}

fn kube_proxy(parts: &Parts<'_>, name: &str, node: &str, directory: &Path) -> Result<Spec, Error> {
    let zero = format!("{}s", Duration::ZERO.as_secs());
    let config = json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration",
        "mode": "nftables", "clusterCIDR": PODS, "hostnameOverride": node,
        "clientConnection": { "kubeconfig": parts.directory.join("nodes/kube-proxy.kubeconfig") },
        // They are the whole machine's.
        "conntrack": {
            "maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": zero, "tcpCloseWaitTimeout": zero,
        },
    });
    let path = directory.join("kube-proxy.json");
    write(&path, &format!("{config:#}\n"))?;
    Ok(Spec::new(name, &parts.tools.kube_proxy, Vec::new()).flag("config", &path))
}

/// Where nodes and pods reach the API server.
pub(crate) fn cluster(port: u16, authority: &Authority) -> Cluster {
    Cluster { server: format!("https://{MACHINE}:{port}"), authority: authority.certificate().to_owned() }
}

fn create(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(|source| Error::Write { path: path.to_owned(), source })
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(|source| Error::Write { path: path.to_owned(), source })
}
