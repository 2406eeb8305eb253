//! What people copy from a page into a file is taken as it stands.

use std::collections::BTreeMap;

use api::{Database, DatabaseRef, RetainedDatabase};
use jiff::civil::{Date, date};
use policy::{Policy, Request};
use serde_json::{Value, json};

use crate::pages::{self, Page, root};

/// A version that is past its support by then is refused.
const TODAY: Date = date(2026, 11, 30);
const QUICKSTART: &str = "docs/quickstart-aks.md";

fn documents(yaml: &str) -> Result<Vec<Value>, String> {
    let documents = serde_saphyr::from_multiple::<Value>(yaml).map_err(|error| error.to_string())?;
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}

/// The problems of a `Database`, by Azure's rules and the policy's.
fn problems(policy: &Policy, database: &Database) -> Vec<String> {
    let name = database.metadata.name.as_deref().unwrap();
    let namespace = database.metadata.namespace.as_deref().unwrap_or("try");
    let request = Request::new("database-policy", DatabaseRef::new(namespace, name), &database.spec, TODAY);
    let denial = policy.judge(&request, None).denial;
    denial.into_iter().flat_map(|denial| denial.problems).map(|problem| problem.text).collect()
}

/// The policy that the quickstart writes, with what its reader's shell would fill in.
fn policy_of_the_quickstart() -> String {
    let page = pages::page(QUICKSTART);
    let block =
        page.blocks().into_iter().find(|block| block.text.contains("> platform/policy.yaml")).unwrap();
    let (_, rest) = block.text.split_once("policy.yaml <<END\n").unwrap();
    let (text, _) = rest.split_once("\nEND\n").unwrap();
    let filled = [
        ("$SUBSCRIPTION", "00000000-0000-4000-8000-000000000001"),
        ("$TENANT", "00000000-0000-4000-8000-0000000000f1"),
        ("$DATABASES_GROUP", "rg-databases"),
        ("$LOCATION", "norwayeast"),
        ("$CLUSTER", "prod-1"),
        ("$EGRESS", "20.100.0.4"),
        ("$ISSUER", "https://norwayeast.oic.prod-aks.azure.com/00000000-0000-4000-8000-0000000000f1/1/"),
        ("$ADMINISTRATORS", "db-operators-prod-1"),
        ("$GROUP_ID", "00000000-0000-4000-8000-0000000000d0"),
    ];
    let text = filled.iter().fold(text.to_owned(), |text, (variable, value)| text.replace(variable, value));
    assert!(!text.contains('$'), "{text}");
    text
}

#[test]
fn the_policy_of_the_quickstart_holds_and_takes_its_database() {
    let text = policy_of_the_quickstart();
    let policy = Policy::parse(&text).unwrap_or_else(|error| panic!("{error}"));
    let example = std::fs::read_to_string(root().join("examples/quickstart.yaml")).unwrap();
    let database = documents(&example).unwrap().swap_remove(0);
    let database: Database = serde_json::from_value(database).unwrap();
    assert_eq!(problems(&policy, &database), Vec::<String>::new());
    // The last step destroys it.
    let retention = text.lines().find(|line| line.contains("retention:")).unwrap();
    assert!(retention.contains("destroy: allow"), "{retention}");
}

/// Each variable that a step uses is one that a step before it has set.
#[test]
fn the_quickstart_sets_each_variable_before_it_uses_it() {
    let page = pages::page(QUICKSTART);
    let (walk, _) = page.text.split_once("## From a clone").unwrap();
    let walk = Page { text: walk.to_owned(), ..page };
    let code: String =
        walk.blocks().into_iter().filter(|block| block.language == "sh").map(|block| block.text).collect();
    let mut known: Vec<&str> = vec!["namespace"];
    let mut used = 0;
    for line in code.lines() {
        for (at, _) in line.match_indices('$') {
            let name = line[at + 1..].trim_start_matches('{');
            let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
            // `$(` begins a command.
            if end == 0 || name.starts_with(' ') {
                continue;
            }
            used += 1;
            assert!(known.contains(&&name[..end]), "{line}: nobody has set {}", &name[..end]);
        }
        if let Some((name, _)) = line.strip_prefix("export ").and_then(|rest| rest.split_once('=')) {
            known.push(name);
        }
    }
    assert!(used > 30, "{used}");
}

/// What a document of a page is, or is a part of.
fn kind(document: &Value) -> &str {
    let keys: Vec<&String> = document.as_object().map(|object| object.keys().collect()).unwrap_or_default();
    let schema: Value = serde_json::from_str(include_str!("../../docs/policy.schema.json")).unwrap();
    let is_of_policy = |key: &&String| schema["properties"].get(key.as_str()).is_some();
    match document["kind"].as_str() {
        Some(kind) => kind,
        None if keys == ["spec"] => "spec",
        None if !keys.is_empty() && keys.iter().all(is_of_policy) => "policy",
        None => "",
    }
}

/// What is wrong with a document of a page, if it is of one of our kinds, or a part of one.
fn faults(policy: &Policy, text: &str, document: Value) -> Vec<String> {
    let read = match kind(&document) {
        "Database" => serde_json::from_value(document).map(|database| problems(policy, &database)),
        "spec" => {
            let metadata = json!({"namespace": "orders", "name": "main"});
            let database = json!({
                "apiVersion": "altinn.app/v1alpha1", "kind": "Database", "metadata": metadata, "spec": document["spec"],
            });
            serde_json::from_value(database).map(|database| problems(policy, &database))
        }
        "RetainedDatabase" => serde_json::from_value::<RetainedDatabase>(document).map(|_| Vec::new()),
        "policy" => {
            let mut whole: Value = documents(text).unwrap().swap_remove(0);
            json_patch::merge(&mut whole, &document);
            let read = Policy::parse(&whole.to_string());
            return read.err().into_iter().map(|error| error.to_string()).collect();
        }
        _ => return Vec::new(),
    };
    read.unwrap_or_else(|error| vec![error.to_string()])
}

/// Who copies one into a file must have it taken.
#[test]
fn each_block_of_yaml_is_yaml_and_each_manifest_in_it_is_taken() {
    // One that allows whatever Azure has.
    let text = policy_of_the_quickstart();
    let open: Vec<&str> = text.lines().filter(|line| !line.contains("allow:")).collect();
    let open = open.join("\n");
    let policy = Policy::parse(&open).unwrap_or_else(|error| panic!("{error}"));
    let (mut kinds, mut wrong) = (BTreeMap::new(), Vec::new());
    for page in pages::all() {
        for block in page.blocks().into_iter().filter(|block| block.language == "yaml") {
            let found = documents(&block.text)
                .unwrap_or_else(|error| panic!("{}: {error}\n{}", page.name, block.text));
            for document in found {
                *kinds.entry(kind(&document).to_owned()).or_insert(0) += 1;
                let faults = faults(&policy, &open, document);
                wrong.extend(
                    faults.into_iter().map(|fault| format!("{}: {fault}\n{}", page.name, block.text)),
                );
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let parts = kinds["policy"] + kinds["spec"];
    assert!(kinds[""] + parts > 10 && kinds["Database"] > 2 && kinds["RetainedDatabase"] > 0, "{kinds:?}");
    assert!(kinds["policy"] > 3 && kinds["spec"] > 1, "{kinds:?}");
}

/// The policy is not pruned, and keeps its name: whichever page shows how kustomize makes it.
#[test]
fn the_pages_generate_the_policy_in_one_way() {
    let generators: Vec<Value> = ["docs/installing.md", QUICKSTART]
        .iter()
        .map(|name| {
            let page = pages::page(name);
            let (_, from) = page.text.split_once("configMapGenerator:\n").unwrap();
            let body = from.lines().take_while(|line| line.starts_with(' ')).collect::<Vec<_>>().join("\n");
            documents(&format!("configMapGenerator:\n{body}\n")).unwrap().swap_remove(0)
        })
        .collect();
    assert_eq!(generators[0], generators[1]);
    let options = &generators[0]["configMapGenerator"][0]["options"];
    assert_eq!(options["disableNameSuffixHash"], true);
    let template =
        std::fs::read_to_string(root().join("charts/database-operator/templates/_helpers.tpl")).unwrap();
    for (key, value) in options["annotations"].as_object().unwrap() {
        let line = format!("{key}: {}", value.as_str().unwrap());
        assert!(template.contains(&line), "the chart annotates its policy otherwise than {line}");
    }
}

fn example(path: &str) -> Vec<Value> {
    documents(&std::fs::read_to_string(root().join("examples").join(path)).unwrap()).unwrap()
}

/// Who installs by Flux gets what who installs by Helm gets.
#[test]
fn the_example_for_flux_has_the_values_for_aks_and_both_have_the_version_of_the_chart() {
    let read =
        |path: &str| std::fs::read_to_string(root().join("charts/database-operator").join(path)).unwrap();
    let aks = documents(&read("values-aks.yaml")).unwrap().swap_remove(0);
    let chart = documents(&read("Chart.yaml")).unwrap().swap_remove(0);
    let flux = example("flux/database-operator.yaml");
    let of = |kind: &str| flux.iter().find(|document| document["kind"] == kind).unwrap();
    let mut values: BTreeMap<String, Value> =
        serde_json::from_value(of("HelmRelease")["spec"]["values"].clone()).unwrap();
    let identity = values.remove("controller").unwrap();
    assert_eq!(serde_json::to_value(values).unwrap(), aks);
    let argo = example("argo-cd/database-operator.yaml").swap_remove(0);
    let source = &argo["spec"]["source"];
    assert_eq!(source["helm"]["valuesObject"]["controller"], identity);
    assert!(
        root()
            .join("charts/database-operator")
            .join(source["helm"]["valueFiles"][0].as_str().unwrap())
            .exists()
    );

    let url = of("OCIRepository")["spec"]["url"].as_str().unwrap();
    let (registry, name) = (source["repoURL"].as_str().unwrap(), source["chart"].as_str().unwrap());
    assert_eq!(url, format!("oci://{registry}/{name}"));
    assert_eq!(chart["name"], name);
    for version in [&of("OCIRepository")["spec"]["ref"]["tag"], &source["targetRevision"]] {
        assert_eq!(*version, chart["version"]);
    }
    // So do the pages, which name the image as well.
    let image = format!("oci://ghcr.io/altinn/{name}:{}", chart["version"].as_str().unwrap());
    for page in pages::all() {
        for (at, _) in page.text.match_indices("oci://ghcr.io") {
            let line = page.text[at..].lines().next().unwrap();
            assert!(line.starts_with(url) || line.starts_with(&image), "{}: {line}", page.name);
            let version = line.split_once("--version ").and_then(|(_, rest)| rest.split_whitespace().next());
            let is_it = version.is_none_or(|version| chart["version"] == version || version == "VERSION");
            assert!(is_it, "{}: {line}", page.name);
        }
    }
}
