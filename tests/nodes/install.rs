//! The chart, as a platform team installs it.

use sandbox::Sandbox;
use serde_json::{Value, json};

use crate::cluster::{helm, is_ready, kubectl, nodes_of, pods};
use crate::common::{Story, ask, run};

/// Names of values that were set, without those that Helm fills in.
fn leaves(values: &Value, prefix: &str, names: &mut Vec<String>) {
    match values {
        Value::Object(map) => {
            for (key, value) in map {
                leaves(value, &format!("{prefix}{key}."), names);
            }
        }
        _ => names.push(prefix.trim_end_matches('.').to_owned()),
    }
}

pub(crate) fn pods_are_ready_on_both_nodes_under_restricted(sandbox: &Sandbox) {
    let values =
        serde_json::from_str(&helm(sandbox, &["get", "values", "database-operator", "--output=json"]));
    let mut set = Vec::new();
    leaves(&values.unwrap(), "", &mut set);
    assert_eq!(set, ["controller.extraEnv", "controller.workloadIdentity.clientId", "image.tag", "policy"]);
    for component in ["webhook", "controller"] {
        let pods = pods(sandbox, component);
        assert!(pods.len() == 2 && pods.iter().all(is_ready), "{pods:#?}");
        assert_eq!(nodes_of(&pods), ["node-1", "node-2"], "{component}");
        for pod in &pods {
            let status = &pod["status"]["containerStatuses"][0];
            assert_eq!(status["restartCount"], 0, "{status}");
        }
    }
    // A pod that says nothing may be root, and doesn't get in there.
    let root = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "root" },
        "spec": { "containers": [{ "name": "root", "image": "registry.k8s.io/pause:sandbox" }] },
    });
    let create = ["--namespace=database-operator", "create", "-f", "-"];
    let refused = run(sandbox.kubectl(&create), &root.to_string()).refused();
    assert!(refused.contains("violates PodSecurity \"restricted:latest\""), "{refused}");
}

pub(crate) fn a_database_becomes_ready_another_is_refused_and_a_delete_is_blocked(sandbox: &Sandbox) {
    let story = Story::new(sandbox, "orders");
    for manifest in [include_str!("../../examples/version.yaml"), include_str!("../../examples/size.yaml")] {
        story.apply(manifest).succeeded();
        story.wait_ready("my-app-db");
    }
    // The operator's pod has logged in to the server by the token of its ServiceAccount.
    let logins = ask(sandbox.azure().logins()).unwrap();
    let by_the_operator = |login: &&sandbox::azure::LoginAttempt| {
        login.was_accepted() && login.user == "db-operators" && login.method == "token"
    };
    let login = logins.iter().find(by_the_operator).unwrap_or_else(|| panic!("{logins:#?}"));
    assert_eq!(login.client, "20.100.0.4", "the address under which the cluster leaves");

    let refused = story.apply(include_str!("../../examples/refused.yaml")).refused();
    assert!(refused.contains("Standard_E64ds_v5") && refused.contains("[DB101]"), "{refused}");
    let blocked = story.kubectl(&["delete", "database", "my-app-db"]).refused();
    assert!(blocked.contains("DB201"), "{blocked}");
    story.data_is_kept();
    let logs = kubectl(sandbox, &["logs", "deployment/database-operator-webhook", "--all-pods"]);
    assert!(!logs.contains("panicked"), "{logs}");
}
