//! The network of a sandbox with nodes: a bridge with a port for each node, and a subnet of pods behind each.
//!
//! Where etcd, the API server, Azure Service Operator and the stand-in for Azure run is called the machine: it has an address
//! on the bridge, and reaches pods and Services as a node does. All addresses exist in the sandbox's own network alone.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use super::command::{self, run};

/// Of the machine.
pub(crate) const MACHINE: Ipv4Addr = Ipv4Addr::new(172, 31, 0, 1);
/// The Service of the API server.
pub(crate) const API_SERVER: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 1);
/// Where a cluster's DNS is expected. Nothing answers there: the operator needs none.
pub(crate) const DNS: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 10);
/// Of all pods.
pub(crate) const PODS: &str = "10.244.0.0/16";
const BRIDGE: &str = "sandbox0";

/// Of a node, counted from 1.
pub(crate) fn node_address(node: u8) -> Ipv4Addr {
    Ipv4Addr::new(172, 31, 0, 10 + node)
}

/// Of its pods.
pub(crate) fn pods(node: u8) -> String {
    format!("10.244.{node}.0/24")
}

/// Of a node, of its network namespace, and of its port on the bridge.
pub(crate) fn node_name(node: u8) -> String {
    format!("node-{node}")
}

/// The file of its network namespace.
pub(crate) fn namespace(node: u8) -> PathBuf {
    Path::new("/run/netns").join(node_name(node))
}

/// Makes the bridge, and the network of each node.
pub(crate) async fn set_up(ip: &Path, nodes: u8) -> Result<(), command::Error> {
    let machine = format!("{MACHINE}/24");
    for words in [
        "link set lo up".to_owned(),
        format!("link add {BRIDGE} type bridge"),
        format!("address add {machine} dev {BRIDGE}"),
        format!("link set {BRIDGE} up"),
        // So that addresses of Services lead anywhere before kube-proxy changes them.
        format!("route add default dev {BRIDGE}"),
    ] {
        call(ip, &words).await?;
    }
    for node in 1..=nodes {
        add_node(ip, node, nodes).await?;
    }
    Ok(())
}

async fn add_node(ip: &Path, node: u8, nodes: u8) -> Result<(), command::Error> {
    let (name, address) = (node_name(node), node_address(node));
    for words in [
        format!("netns add {name}"),
        format!("link add {name} type veth peer name eth0 netns {name}"),
        format!("link set {name} master {BRIDGE} up"),
        format!("route add {} via {address}", pods(node)),
        format!("-n {name} link set lo up"),
        format!("-n {name} address add {address}/24 dev eth0"),
        format!("-n {name} link set eth0 up"),
        format!("-n {name} route add default via {MACHINE}"),
    ] {
        call(ip, &words).await?;
    }
    for other in (1..=nodes).filter(|other| *other != node) {
        call(ip, &format!("-n {name} route add {} via {}", pods(other), node_address(other))).await?;
    }
    Ok(())
}

/// Cuts a node off, or connects it again: nothing leaves it or reaches it, as when it lost its power.
pub(crate) async fn set_connected(ip: &Path, node: u8, connected: bool) -> Result<(), command::Error> {
    let state = if connected { "up" } else { "down" };
    call(ip, &format!("link set {} {state}", node_name(node))).await
}

async fn call(ip: &Path, words: &str) -> Result<(), command::Error> {
    let words: Vec<&str> = words.split(' ').collect();
    run(ip, &words).await.map(drop)
}
