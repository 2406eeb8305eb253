//! The files under `examples/` do what they say.

use std::collections::BTreeSet;

use rstest::rstest;
use serde_json::Value;

use crate::{common::Story, story};

/// The documents of an example.
fn documents(example: &str) -> (String, Vec<Value>) {
    let path = format!("{}/examples/{example}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap();
    (path, serde_saphyr::from_multiple(&text).unwrap())
}

/// The keys of the Secret of this name, when it is there.
fn keys(story: &Story<'_>, secret: &Value) -> BTreeSet<String> {
    let name = secret.as_str().unwrap();
    let secret = story.get("secret", name).unwrap_or_else(|| panic!("there is no Secret {name}"));
    secret["data"].as_object().unwrap().keys().cloned().collect()
}

#[test]
fn the_example_that_is_to_be_refused_is_refused() {
    let path = format!("{}/examples/refused.yaml", env!("CARGO_MANIFEST_DIR"));
    assert!(story().kubectl(&["apply", "-f", &path]).refused().contains("[DB101]"));
}

#[rstest]
#[case::python("app-python.yaml", "orders")]
#[case::java("app-java.yaml", "payments")]
fn an_app_finds_what_its_deployment_names(#[case] example: &str, #[case] database: &str) {
    let story = story();
    let (path, documents) = documents(example);
    story.kubectl(&["apply", "-f", &path]).succeeded();
    story.wait_ready(database);
    let deployment = documents.iter().find(|document| document["kind"] == "Deployment").unwrap();
    let pod = &deployment["spec"]["template"];
    assert_eq!(pod["metadata"]["labels"]["azure.workload.identity/use"], "true");
    let account = pod["spec"]["serviceAccountName"].as_str().unwrap();
    let account = story.get("serviceaccount", account).unwrap();
    assert!(account["metadata"]["annotations"]["azure.workload.identity/client-id"].is_string());

    let container = &pod["spec"]["containers"][0];
    let mut found = 0;
    for source in container["envFrom"].as_array().into_iter().flatten() {
        assert!(keys(&story, &source["secretRef"]["name"]).contains("uri"));
        found += 1;
    }
    for variable in container["env"].as_array().into_iter().flatten() {
        let reference = &variable["valueFrom"]["secretKeyRef"];
        if !reference.is_null() {
            assert!(keys(&story, &reference["name"]).contains(reference["key"].as_str().unwrap()));
            found += 1;
        }
    }
    assert_eq!(found, 1, "{container}");
}

#[test]
fn a_service_binding_finds_the_secret_by_the_status() {
    let story = story();
    let (_, documents) = documents("service-binding.yaml");
    // The kind ServiceBinding is somebody else's, and not installed here.
    story.apply(&documents[0].to_string()).succeeded();
    let service = &documents[1]["spec"]["service"];
    let name = service["name"].as_str().unwrap();
    assert_eq!(
        (&service["kind"], &service["apiVersion"]),
        (&documents[0]["kind"], &documents[0]["apiVersion"])
    );
    story.wait_ready(name);
    let database = story.get("database", name).unwrap();
    let keys = keys(&story, &database["status"]["binding"]["name"]);
    for key in ["type", "provider", "host", "port", "uri", "username", "password"] {
        assert!(keys.contains(key), "{key}");
    }
    // Implementations look for this label, and for a ClusterRole that lets them read.
    let crd = story.get("customresourcedefinition", "databases.altinn.app").unwrap();
    assert_eq!(crd["metadata"]["labels"]["servicebinding.io/provisioned-service"], "true");
    let role = story.get("clusterrole", "database-operator-service-binding").unwrap();
    assert_eq!(role["metadata"]["labels"]["servicebinding.io/controller"], "true");
    assert_eq!(role["rules"][0]["resources"][0], "databases");
}
