//! What stories ask of a cluster with pods.

use sandbox::Sandbox;
use serde_json::Value;

use crate::common::{OPERATOR_NAMESPACE, eventually, run};

/// kubectl in the operator's namespace.
#[track_caller]
pub(crate) fn kubectl(sandbox: &Sandbox, arguments: &[&str]) -> String {
    run(sandbox.kubectl(&[&["--namespace", OPERATOR_NAMESPACE], arguments].concat()), "").succeeded()
}

#[track_caller]
pub(crate) fn helm(sandbox: &Sandbox, arguments: &[&str]) -> String {
    run(sandbox.helm(&[&["--namespace", OPERATOR_NAMESPACE], arguments].concat()), "").succeeded()
}

/// The operator's pods that nobody has deleted, of one component or, with an empty word, of both.
#[track_caller]
pub(crate) fn pods(sandbox: &Sandbox, component: &str) -> Vec<Value> {
    let mut selector = "app.kubernetes.io/name=database-operator".to_owned();
    if !component.is_empty() {
        selector = format!("{selector},app.kubernetes.io/component={component}");
    }
    let list = kubectl(sandbox, &["get", "pods", "--selector", &selector, "--output=json"]);
    let list: Value = serde_json::from_str(&list).unwrap();
    let is_alive = |pod: &&Value| pod["metadata"]["deletionTimestamp"].is_null();
    list["items"].as_array().unwrap().iter().filter(is_alive).cloned().collect()
}

pub(crate) fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|one| one["type"] == "Ready" && one["status"] == "True")
}

pub(crate) fn name(object: &Value) -> String {
    object["metadata"]["name"].as_str().unwrap().to_owned()
}

/// The nodes of pods, in order.
pub(crate) fn nodes_of(pods: &[Value]) -> Vec<String> {
    let mut nodes: Vec<String> =
        pods.iter().map(|pod| pod["spec"]["nodeName"].as_str().unwrap_or_default().to_owned()).collect();
    nodes.sort();
    nodes
}

/// Waits until each Deployment has the pods that it is to have, all ready and of its newest revision.
#[track_caller]
pub(crate) fn settled(sandbox: &Sandbox) {
    for component in ["webhook", "controller"] {
        let deployment = format!("deployment/database-operator-{component}");
        kubectl(sandbox, &["rollout", "status", &deployment, "--timeout=180s"]);
        eventually(&format!("two pods of the {component} are ready"), || {
            let pods = pods(sandbox, component);
            (pods.len() == 2 && pods.iter().all(is_ready)).then_some(())
        });
    }
}
