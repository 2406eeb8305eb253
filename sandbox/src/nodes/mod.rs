//! Real nodes: a kubelet, a containerd and a kube-proxy each, so that pods run. They need root on Linux.
//!
//! A sandbox with nodes leaves no trace on the machine. All of it runs in network, mount and process namespaces of its own:
//!
//! ```text
//! supervise            `outside`: outside of the namespaces; leads ports of the loopback address into them
//! ├─ sweep             `cgroups`: removes the cgroups of pods once the rest is gone, however it ended
//! └─ unshare           from util-linux
//!    └─ init           `init`: process 1; when it ends, Linux kills whatever is left
//!       └─ within      the supervisor of a sandbox, as of one without nodes
//!          ├─ etcd, kube-apiserver, … aso, PostgreSQL
//!          ├─ kube-scheduler, kube-proxy
//!          └─ node-1-containerd, node-1-kubelet, node-1-kube-proxy, node-2-containerd …
//! ```
//!
//! - `requirements` says what the machine must have, and installs what Debian has;
//! - `network` is how nodes, pods and the machine of the control plane reach each other;
//! - `node` is what runs on a node, and `image` what it runs;
//! - `workload_identity` stands in for the webhook of Azure Workload Identity.

pub(crate) mod cgroups;
pub(crate) mod command;
pub(crate) mod image;
pub(crate) mod init;
mod linux;
pub(crate) mod machine;
pub(crate) mod network;
pub(crate) mod node;
pub(crate) mod outside;
pub(crate) mod requirements;
pub(crate) mod workload_identity;
