//! What Helm and kustomize do to a `Database`, as docs/gitops.md and docs/installing.md tell.

use std::{fs, path::Path, process::Command};

use sandbox::Sandbox;

use crate::{
    common::{OPERATOR_NAMESPACE, Output, run},
    sandbox, story,
};

const PAGE: &str = include_str!("../../docs/gitops.md");

fn helm(sandbox: &Sandbox, namespace: &str, arguments: &[&str]) -> Output {
    let home = sandbox.directory().join("helm");
    let mut command = Command::new(sandbox.state().unwrap().helm);
    command
        .args(arguments)
        .args(["--namespace", namespace])
        .env("KUBECONFIG", sandbox.kubeconfig())
        // Neither repositories nor plugins of the user's.
        .env("HELM_CACHE_HOME", home.join("cache"))
        .env("HELM_CONFIG_HOME", home.join("config"))
        .env("HELM_DATA_HOME", home.join("data"));
    run(command, "")
}

/// A file with what comes between two lines of the page.
fn copy(page: &str, to: &Path) {
    let (text, _) = page.split_once("```\n").unwrap();
    fs::write(to, text).unwrap();
}

#[test]
fn helm_uninstalls_an_app_once_its_database_says_what_becomes_of_the_data() {
    let story = story();
    let chart = tempfile::tempdir().unwrap();
    let (templates, file) = (chart.path().join("templates"), "apiVersion: v2\nname: app\nversion: 1.0.0\n");
    fs::create_dir(&templates).unwrap();
    fs::write(chart.path().join("Chart.yaml"), file).unwrap();
    let manifests = "apiVersion: altinn.app/v1alpha1\nkind: Database\nmetadata: {name: main}\nspec: {}\n---\n\
                     apiVersion: v1\nkind: ConfigMap\nmetadata: {name: app}\n";
    fs::write(templates.join("app.yaml"), manifests).unwrap();
    let helm = |arguments: &[&str]| helm(story.sandbox, &story.namespace, arguments);
    helm(&["install", "app", &chart.path().display().to_string()]).succeeded();
    story.wait_ready("main");

    assert!(helm(&["uninstall", "app"]).refused().contains("failed to delete release"));
    let status = || helm(&["status", "app"]).succeeded();
    assert!(status().contains("STATUS: uninstalling\n"), "{}", status());
    let upgrade = ["upgrade", "--install", "app", &chart.path().display().to_string()];
    assert!(helm(&upgrade).refused().contains("has no deployed releases"));
    helm(&["rollback", "app", "1"]).succeeded();
    assert!(status().contains("STATUS: deployed\n"), "{}", status());
    assert!(story.get("configmap", "app").is_some());

    helm(&["uninstall", "app"]).refused();
    story.kubectl(&["annotate", "databases.altinn.app", "main", "altinn.app/retention=Retain"]).succeeded();
    helm(&["uninstall", "app"]).succeeded();
    story.wait_record("Kept");
    story.data_is_kept();
}

#[test]
fn the_operator_goes_on_under_another_release_name_when_helm_is_told_so() {
    let chart = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/database-operator");
    let install = ["install", "another", chart, "--dry-run=server"];
    let said = helm(sandbox(), OPERATOR_NAMESPACE, &install).refused();
    assert!(said.contains("invalid ownership metadata"), "{said}");
    let taken = [&install[..], &["--take-ownership"]].concat();
    helm(sandbox(), OPERATOR_NAMESPACE, &taken).succeeded();
}

/// What the chart says after an upgrade; nothing is changed.
fn notes(set: &str) -> String {
    let chart = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/database-operator");
    let upgrade = ["upgrade", "database-operator", chart, "--dry-run=server", set];
    helm(sandbox(), OPERATOR_NAMESPACE, &upgrade).succeeded().split_once("NOTES:\n").unwrap().1.to_owned()
}

#[test]
fn the_chart_says_what_is_missing_in_the_cluster_and_nothing_of_what_is_there() {
    let said = notes("--set=logLevel=info");
    assert!(!said.contains("crdPattern") && !said.contains("Create the policy"), "{said}");
    assert!(said.contains("1. Create the Secret aso-credential in database-operator."), "{said}");
    let said = notes("--set=policyConfigMap=another");
    assert!(said.contains("create configmap another --from-file=policy.yaml"), "{said}");
}

#[test]
fn kustomize_renames_what_the_operator_will_make_as_the_page_says() {
    let app = tempfile::tempdir().unwrap();
    let (_, page) = PAGE.split_once("## kustomize").unwrap();
    let blocks: Vec<&str> = page.split("```yaml\n").skip(1).collect();
    copy(blocks[0], &app.path().join("kustomization.yaml"));
    copy(blocks[1], &app.path().join("names.yaml"));
    let example = include_str!("../../examples/app-python.yaml");
    fs::write(app.path().join("app.yaml"), example).unwrap();
    let all = fs::read_to_string(app.path().join("kustomization.yaml")).unwrap();
    fs::write(app.path().join("kustomization.yaml"), format!("resources: [app.yaml]\n{all}")).unwrap();

    let built = run(sandbox().kubectl(&["kustomize", &app.path().display().to_string()]), "").succeeded();
    let documents: Vec<serde_json::Value> = serde_saphyr::from_multiple(&built).unwrap();
    let of = |kind: &str| documents.iter().find(|document| document["kind"] == kind).unwrap();
    assert_eq!(of("Database")["metadata"]["name"], "orders-dev");
    let pod = &of("Deployment")["spec"]["template"]["spec"];
    assert_eq!(pod["serviceAccountName"], "orders-dev");
    let secret = "orders-dev-db-credentials";
    assert_eq!(pod["containers"][0]["env"][0]["valueFrom"]["secretKeyRef"]["name"], secret);
    assert_eq!(pod["volumes"][1]["secret"]["secretName"], secret);
}
