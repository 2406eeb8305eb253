//! The operator itself, applied by Flux from plain manifests, as docs/installing.md tells.

use std::path::Path;

use base64::{Engine, prelude::BASE64_STANDARD};
use sandbox::{Options, Sandbox};
use serde_json::{Value, json};

use crate::{
    common::{OPERATOR_NAMESPACE, Story, eventually, run},
    flux::{App, settings},
    sandbox,
};

const FILE: &str = "operator.yaml";

/// As `helm template` prints it for the values of the sandbox.
fn manifest() -> String {
    let get = ["--namespace", OPERATOR_NAMESPACE, "get", "manifest", "database-operator"];
    run(sandbox().helm(&get), "").succeeded()
}

/// What Flux wrote last of each object, and when.
fn writes_of_flux(manifest: &str) -> Vec<(String, Value)> {
    let get = ["--namespace", OPERATOR_NAMESPACE, "get", "--show-managed-fields", "-o", "json", "-f", "-"];
    let list: Value = serde_json::from_str(&run(sandbox().kubectl(&get), manifest).succeeded()).unwrap();
    let all = list["items"].as_array().unwrap().iter().map(|object| {
        let name = format!("{}/{}", object["kind"], object["metadata"]["name"]);
        let entries = object["metadata"]["managedFields"].as_array().unwrap();
        let flux = entries.iter().find(|entry| entry["manager"] == "kustomize-controller");
        (name.clone(), flux.unwrap_or_else(|| panic!("Flux has written nothing of {name}")).clone())
    });
    all.collect()
}

/// How many CAs the API server trusts for the webhook.
fn authorities() -> usize {
    let path = "--output=jsonpath={.webhooks[0].clientConfig.caBundle}";
    let get = ["get", "validatingwebhookconfiguration", OPERATOR_NAMESPACE, path];
    let pem = BASE64_STANDARD.decode(run(sandbox().kubectl(&get), "").succeeded()).unwrap();
    String::from_utf8(pem).unwrap().matches("BEGIN CERTIFICATE").count()
}

/// Flux looks again, and writes nothing.
#[track_caller]
fn no_difference(app: &App<'_>, manifest: &str, when: &str) {
    let before = writes_of_flux(manifest);
    let requested = app.reconcile("kustomization");
    eventually("Flux has looked again", || {
        (app.kustomization()["status"]["lastHandledReconcileAt"] == requested.as_str()).then_some(())
    });
    app.applied();
    assert_eq!(writes_of_flux(manifest), before, "Flux wrote {when}");
}

#[test]
#[ignore = "it needs Flux's controllers: make gitops"]
fn flux_sees_no_difference_in_the_operator_after_an_installation_a_rotation_and_an_upgrade() {
    let app = App::alone(Story::anywhere(sandbox()));
    let installed = manifest();
    let mut settings = settings();
    // No node runs its pods here.
    settings["wait"] = json!(false);
    // The operator stays for other stories.
    settings["prune"] = json!(false);
    settings["targetNamespace"] = json!(OPERATOR_NAMESPACE);
    let app = app.with_settings(&[(FILE, Some(&installed))], &settings);
    no_difference(&app, &installed, "after the installation");

    let rotate = ["annotate", "secret", "database-operator-webhook-certificate", "altinn.app/rotate=ca"];
    app.story.as_platform(&rotate).succeeded();
    eventually("two CAs are published", || (authorities() == 2).then_some(()));
    no_difference(&app, &installed, "while the CA rotates");
    assert_eq!(authorities(), 2);

    let upgraded = installed.replacen("replicas: 2", "replicas: 3", 1);
    assert_ne!(upgraded, installed);
    let before = writes_of_flux(&installed);
    app.push("Upgrade the operator", &[(FILE, Some(&upgraded))]);
    app.applied();
    assert_ne!(writes_of_flux(&upgraded), before, "or nothing would ever be a difference");
    no_difference(&app, &upgraded, "after the upgrade");
    assert_eq!(authorities(), 2);
    // It does its work.
    let refused = app.story.database("main", "{sku: banana}").refused();
    assert!(refused.contains("[DB115]"), "{refused}");
    app.story.database("main", "{}").succeeded();
    app.story.wait_ready("main");
}

#[test]
#[ignore = "it needs Flux's controllers: make gitops"]
fn flux_installs_the_operator_from_nothing_and_prunes_neither_its_crds_nor_the_policy() {
    let options = Options { without_aso: true, without_operator: true, ..Options::with_flux() };
    let sandbox = Sandbox::start(&options).unwrap_or_else(|error| panic!("{error}"));
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let chart = root.join("charts/database-operator").display().to_string();
    let policy = format!("--set-file=policy={}", root.join("examples/policy.yaml").display());
    let template = ["template", "database-operator", &chart, "--namespace", OPERATOR_NAMESPACE, &policy];
    let manifest = run(sandbox.helm(&template), "").succeeded();
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": OPERATOR_NAMESPACE },
    });
    let app = App::new(Story::new(&sandbox, "platform")).with_settings(
        &[(FILE, Some(&manifest)), ("namespace.yaml", Some(&namespace.to_string()))],
        // No node runs its pods here.
        &json!({ "interval": "1h", "retryInterval": "2s", "prune": true, "wait": false, "targetNamespace": OPERATOR_NAMESPACE }),
    );
    let there = || {
        let get = ["--namespace", OPERATOR_NAMESPACE, "get", "-o", "name", "--ignore-not-found", "-f", "-"];
        let names = run(sandbox.kubectl(&get), &manifest).succeeded();
        names.lines().map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    let installed = there();
    assert!(installed.len() > 20, "{installed:?}");

    app.push("Remove the operator", &[(FILE, None)]);
    app.applied();
    let kept = [
        "configmap/database-policy",
        "customresourcedefinition.apiextensions.k8s.io/databases.altinn.app",
        "customresourcedefinition.apiextensions.k8s.io/retaineddatabases.altinn.app",
    ];
    eventually("what may be pruned is gone", || {
        let mut left = there();
        left.sort();
        (left == kept).then_some(())
    });
}
