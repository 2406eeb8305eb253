//! All that is rendered, as snapshots.

use std::fmt::Write;

use serde_json::Value;

use crate::{CHART, EVERYTHING, FILES, helm, objects, template, values_file, with_values};

/// The objects that are in none of the others, as YAML. The CRDs are generated, and compared where they are; of the alerts and
/// the dashboard it is enough that they are those of the files.
fn shown(objects: &[Value], others: &[Value]) -> String {
    let file = |name: &str| std::fs::read_to_string(format!("{CHART}/files/{name}")).unwrap();
    let mut text = String::new();
    for object in objects {
        let mut object = object.clone();
        if object["kind"] == "CustomResourceDefinition" || others.contains(&object) {
            continue;
        }
        if object["kind"] == "PrometheusRule" {
            assert_eq!(object["spec"], serde_saphyr::from_str::<Value>(&file("alerts.yaml")).unwrap());
            object["spec"] = "as files/alerts.yaml".into();
        }
        if let Some(dashboard) = object.pointer_mut("/data/database-operator.json") {
            assert_eq!(*dashboard, file("dashboard.json"));
            *dashboard = "as files/dashboard.json".into();
        }
        write!(text, "---\n{}", serde_saphyr::to_string(&object).unwrap()).unwrap();
    }
    text
}

#[test]
fn the_chart_without_any_values() {
    insta::assert_snapshot!(shown(&objects(&template(&[]).unwrap()), &[]));
}

#[test]
fn what_each_file_of_values_renders_in_another_way() {
    let default = objects(&template(&[]).unwrap());
    for file in FILES {
        let rendered = objects(&template(&values_file(file)).unwrap());
        insta::assert_snapshot!(file.trim_end_matches(".yaml"), shown(&rendered, &default));
    }
}

#[test]
fn what_everything_that_can_be_set_renders_in_another_way() {
    let default = objects(&template(&[]).unwrap());
    let rendered = objects(&template(&values_file(EVERYTHING)).unwrap());
    insta::assert_snapshot!(shown(&rendered, &default));
}

#[test]
fn a_webhook_outside_the_cluster_has_neither_service_nor_budget() {
    let default = objects(&template(&[]).unwrap());
    let url = objects(&template(&["--set=webhook.url=https://127.0.0.1:8443".into()]).unwrap());
    let names = |objects: &[Value], others: &[Value]| -> Vec<String> {
        let name = |object: &Value| format!("{} {}", object["kind"], object["metadata"]["name"]);
        let others: Vec<String> = others.iter().map(name).collect();
        objects.iter().map(name).filter(|name| !others.contains(name)).collect()
    };
    let gone = [
        "\"PodDisruptionBudget\" \"database-operator-webhook\"",
        "\"Service\" \"database-operator-webhook\"",
    ];
    assert_eq!(names(&default, &url), gone);
    assert_eq!(names(&url, &default), Vec::<String>::new());
    assert!(shown(&url, &default).contains("url: https://127.0.0.1:8443/validate"));
}

#[test]
fn a_monitor_of_services_has_services_with_its_port() {
    let default = objects(&template(&[]).unwrap());
    let rendered = objects(&template(&["--set=metrics.monitor.kind=ServiceMonitor".into()]).unwrap());
    insta::assert_snapshot!(shown(&rendered, &default));
}

#[test]
fn the_policy_is_in_the_release_word_for_word_and_outlives_it() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/policy.yaml");
    let rendered = objects(&template(&[format!("--set-file=policy={file}")]).unwrap());
    let policy = rendered.iter().find(|object| object["kind"] == "ConfigMap").unwrap();
    assert_eq!(policy["metadata"]["name"], "database-policy");
    assert_eq!(policy["data"]["policy.yaml"], std::fs::read_to_string(file).unwrap());
    let crd = rendered.iter().find(|object| object["kind"] == "CustomResourceDefinition").unwrap();
    assert_eq!(policy["metadata"]["annotations"], crd["metadata"]["annotations"]);
    assert_eq!(policy["metadata"]["annotations"]["helm.sh/resource-policy"], "keep");
}

/// Whoever installs by one of the examples gets what Helm installs with the values for AKS.
#[test]
fn flux_and_argo_cd_render_what_helm_renders_for_aks() {
    let example = |path: &str, kind: &str| {
        let path = format!("{}/examples/{path}/database-operator.yaml", env!("CARGO_MANIFEST_DIR"));
        let found = objects(&std::fs::read_to_string(path).unwrap());
        found.into_iter().find(|document| document["kind"] == kind).unwrap()
    };
    let aks = values_file("values-aks.yaml");
    let client = "--set=controller.workloadIdentity.clientId=00000000-0000-4000-8000-0000000000d2".to_owned();
    let by_helm = template(&[aks.clone(), vec![client]].concat()).unwrap();
    assert!(by_helm.contains("CriticalAddonsOnly") && by_helm.contains("0000000000d2"));
    let flux = &example("flux", "HelmRelease")["spec"];
    assert_eq!(with_values(&flux["values"]).unwrap(), by_helm);
    let argo = &example("argo-cd", "Application")["spec"]["source"]["helm"];
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), argo["valuesObject"].to_string()).unwrap();
    let own = values_file(&file.path().display().to_string());
    let files =
        argo["valueFiles"].as_array().unwrap().iter().flat_map(|file| values_file(file.as_str().unwrap()));
    assert_eq!(template(&files.chain(own).collect::<Vec<_>>()).unwrap(), by_helm);
}

/// What Helm prints after an installation, here without a cluster to look at.
fn notes(arguments: &[&str]) -> String {
    let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    let output = helm(&["install", "--dry-run=client"], &arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_once("NOTES:\n").unwrap().1.to_owned()
}

#[test]
fn the_notes_say_what_is_next() {
    insta::assert_snapshot!(notes(&[]));
}

#[test]
fn the_notes_warn_of_a_webhook_that_the_api_server_may_not_reach() {
    let said = notes(&["--set=webhook.allowFrom[0].ipBlock.cidr=10.0.0.0/28"]);
    assert!(said.contains("webhook.allowFrom is set. If the API server isn't among these peers"), "{said}");
    let said = notes(&["--set=policy=profiles: []"]);
    assert!(!said.contains("Create the policy"), "{said}");
}
