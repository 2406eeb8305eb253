//! A sandbox with nodes leaves nothing on the machine.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use sandbox::{Options, Sandbox};
use serde_json::json;

use crate::{
    alone,
    common::{eventually, run},
    start,
};

/// What of the machine a kubelet, containerd, CNI or kube-proxy would change outside of namespaces.
const SYSCTLS: [&str; 6] = [
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "net/ipv4/ip_forward",
];
const FOLDERS: [&str; 10] = [
    "/run/containerd",
    "/run/netns",
    "/run/nodes",
    "/opt/containerd",
    "/usr/libexec/kubernetes",
    "/var/lib/cni",
    "/var/lib/containerd",
    "/var/lib/kubelet",
    "/var/log/containers",
    "/var/log/pods",
];

/// The machine, as far as a sandbox could leave something on it.
#[derive(Debug, PartialEq, Eq)]
struct Machine {
    mounts: Vec<String>,
    interfaces: BTreeSet<String>,
    sysctls: Vec<String>,
    /// `None` for one that doesn't exist.
    folders: Vec<Option<BTreeSet<String>>>,
}

impl Machine {
    fn look() -> Self {
        let read = |name: &&str| fs::read_to_string(Path::new("/proc/sys").join(name)).unwrap();
        Self {
            mounts: fs::read_to_string("/proc/mounts").unwrap().lines().map(ToOwned::to_owned).collect(),
            interfaces: entries(Path::new("/sys/class/net")),
            sysctls: SYSCTLS.iter().map(read).collect(),
            folders: FOLDERS
                .map(Path::new)
                .into_iter()
                .map(|folder| folder.exists().then(|| entries(folder)))
                .collect(),
        }
    }
}

fn entries(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Processes whose network is this one.
fn processes_in(network: &Path) -> Vec<String> {
    entries(Path::new("/proc"))
        .into_iter()
        .filter(|pid| pid.bytes().all(|byte| byte.is_ascii_digit()))
        .filter(|pid| fs::read_link(format!("/proc/{pid}/ns/net")).is_ok_and(|link| link == network))
        .collect()
}

/// All cgroups of a sandbox, wherever there is a hierarchy.
fn cgroups(supervisor: u32) -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let places = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let (place, kind) = (words.nth(1)?, words.next()?);
        kind.starts_with("cgroup").then(|| Path::new(place).join(format!("database-sandbox-{supervisor}")))
    });
    places.filter(|place| place.exists()).collect()
}

/// One with a pod in it.
struct Busy {
    sandbox: Sandbox,
    supervisor: u32,
    network: PathBuf,
}

impl Busy {
    fn start() -> Self {
        let without = Options {
            without_aso: true,
            without_operator: true,
            without_postgres: true,
            ..Options::with_nodes(1)
        };
        let sandbox = start(&without);
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "busy" },
            "spec": { "containers": [{ "name": "pause", "image": "registry.k8s.io/pause:sandbox" }] },
        });
        eventually("a pod can be made", || {
            run(sandbox.kubectl(&["create", "-f", "-"]), &pod.to_string()).ok.then_some(())
        });
        run(sandbox.kubectl(&["wait", "--for=condition=Ready", "pod/busy", "--timeout=120s"]), "")
            .succeeded();
        let supervisor = sandbox.state().unwrap().supervisor;
        let child = fs::read_to_string(format!("/proc/{supervisor}/task/{supervisor}/children")).unwrap();
        // One of its children sweeps, and the other one is in the sandbox's network.
        let ours = fs::read_link("/proc/self/ns/net").unwrap();
        let networks =
            child.split_whitespace().map(|pid| fs::read_link(format!("/proc/{pid}/ns/net")).unwrap());
        let network = networks.into_iter().find(|network| *network != ours).unwrap();
        assert!(processes_in(&network).len() > 5, "etcd, the API server, the kubelet, the pod …");
        assert!(!cgroups(supervisor).is_empty());
        Self { sandbox, supervisor, network }
    }

    fn is_gone(supervisor: u32, network: &Path) {
        eventually("no process and no cgroup is left", || {
            (processes_in(network).is_empty() && cgroups(supervisor).is_empty()).then_some(())
        });
    }
}

#[test]
#[ignore = "it needs root on Linux: make nodes"]
fn nothing_is_left_of_a_sandbox_that_ended_and_of_one_that_was_killed() {
    let _alone = alone();
    let before = Machine::look();

    let Busy { sandbox, supervisor, network } = Busy::start();
    drop(sandbox);
    // Whoever has ended it needn't wait for anything.
    assert_eq!((processes_in(&network), cgroups(supervisor)), (Vec::new(), Vec::new()));
    assert_eq!(Machine::look(), before);

    let Busy { sandbox, supervisor, network } = Busy::start();
    let mut kill = Command::new("sh");
    kill.args(["-c", &format!("kill -KILL {supervisor}")]);
    run(kill, "").succeeded();
    Busy::is_gone(supervisor, &network);
    assert_eq!(Machine::look(), before);
    drop(sandbox);
}
