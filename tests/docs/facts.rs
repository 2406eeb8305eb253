//! Facts that stand in a page and somewhere else are the same in both.

use std::collections::{BTreeMap, BTreeSet};

use sandbox::postgres::Version;
use serde_json::Value;

use crate::{
    pages::{self, root},
    sources,
};

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// The version that a go.mod requires of a module.
fn required(go_mod: &str, module: &str) -> String {
    let text = read(go_mod);
    let line = text.lines().map(str::trim).find(|line| line.starts_with(&format!("{module} v"))).unwrap();
    line.split_whitespace().nth(1).unwrap().trim_start_matches('v').to_owned()
}

#[test]
fn the_versions_that_are_said_to_be_tested_are_those_of_the_sandbox() {
    let page = pages::page("docs/installing.md").text;
    let (_, table) = page.split_once("<!-- versions -->").unwrap();
    let (table, _) = table.split_once("<!-- end -->").unwrap();
    let row = |name: &str| {
        let row = table.lines().find(|line| line.starts_with(&format!("| {name} |"))).expect(name);
        row.split('|').nth(2).unwrap().trim().to_owned()
    };
    let tools = "sandbox/tools/go.mod";
    assert_eq!(row("Kubernetes"), required(tools, "k8s.io/kubernetes"));
    assert_eq!(row("Azure Service Operator"), required(tools, "github.com/Azure/azure-service-operator/v2"));
    assert_eq!(row("Helm"), required("sandbox/tools/helm/go.mod", "helm.sh/helm/v4"));
    let flux = required("sandbox/tools/flux/go.mod", "github.com/fluxcd/kustomize-controller");
    assert_eq!(row("Flux"), format!("kustomize-controller {flux}"));
    for name in ["docs/gitops.md", "docs/deleting.md"] {
        let words: Vec<String> = pages::page(name).text.split_whitespace().map(ToOwned::to_owned).collect();
        assert!(words.join(" ").contains(&format!("kustomize-controller {flux}")), "{name}: {flux}");
    }
    let majors: Vec<String> = Version::ALL.iter().map(ToString::to_string).collect();
    assert_eq!(row("PostgreSQL"), majors.join(", "));

    let chart = read("charts/database-operator/Chart.yaml");
    assert!(
        chart.contains("kubeVersion: \">=1.33.0-0\"") && table.contains("the chart refuses less than 1.33")
    );
    assert!(page.contains("- Kubernetes 1.33 or newer"));
    let minor = |version: String| version.rsplit_once('.').unwrap().0.to_owned();
    let run_with = format!("Kubernetes {} and Helm {}", minor(row("Kubernetes")), minor(row("Helm")));
    assert!(pages::page("charts/database-operator/README.md").text.contains(&run_with), "{run_with}");
    let quickstart = pages::page("docs/quickstart-aks.md").text;
    let helm = format!("The tests run with Helm {}.", minor(row("Helm")));
    assert!(quickstart.contains(&helm), "{helm}");
    let aso = format!("--version v{}", row("Azure Service Operator"));
    assert!(quickstart.contains(&aso), "the quickstart installs another ASO than {aso}");
}

#[test]
fn who_builds_it_is_told_the_versions_that_it_needs() {
    let cargo = read("Cargo.toml");
    let rust = cargo.split("rust-version = \"").nth(1).unwrap().split('"').next().unwrap();
    let tools = read("sandbox/tools/go.mod");
    let go = tools.lines().find_map(|line| line.strip_prefix("go ")).unwrap();
    let (go, _) = go.rsplit_once('.').unwrap();
    for page in ["README.md", "CONTRIBUTING.md"] {
        let text = pages::page(page).text;
        assert!(text.contains(&format!("Rust {rust}, Go {go},")), "{page}: Rust {rust}, Go {go}");
    }
}

/// The groups of the chart's values, of which a page can name a part.
fn groups(schema: &Value) -> Vec<&String> {
    let properties = schema["properties"].as_object().unwrap();
    let groups = properties.iter().filter(|(_, schema)| schema["properties"].is_object());
    groups.map(|(name, _)| name).collect()
}

/// Whether the chart knows a value; below a map, anything.
fn is_value(schema: &Value, path: &str) -> bool {
    let mut at = schema;
    for key in path.split('.') {
        match at["properties"].as_object() {
            Some(properties) => match properties.get(key) {
                Some(below) => at = below,
                None => return false,
            },
            None => return true,
        }
    }
    true
}

#[test]
fn each_value_of_the_chart_that_is_named_is_one_that_it_knows() {
    let schema: Value = serde_json::from_str(&read("charts/database-operator/values.schema.json")).unwrap();
    let groups = groups(&schema);
    let (mut named, mut unknown) = (BTreeSet::new(), Vec::new());
    for page in pages::all() {
        let set = page.commands();
        let set = set
            .iter()
            .flat_map(|line| line.split("--set ").skip(1))
            .filter_map(|rest| rest.split('=').next());
        let spans = page.spans();
        let spans = spans.iter().filter_map(|span| span.split([':', ' ', '=']).next());
        for path in set.chain(spans) {
            let group = path.split_once('.').map(|(group, _)| group);
            // A file is called like a group.
            let is_path = path.chars().all(|c| c.is_ascii_alphanumeric() || c == '.')
                && path.rsplit('.').next() != Some("rs");
            if is_path && group.is_some_and(|group| groups.iter().any(|known| *known == group)) {
                named.insert(path.to_owned());
                if !is_value(&schema, path) {
                    unknown.push(format!("{}: {path}", page.name));
                }
            }
        }
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
    assert!(named.len() > 20, "{named:?}");
    assert!(is_value(&schema, "webhook.replicas") && !is_value(&schema, "webhook.replica"));
}

#[test]
fn each_metric_that_is_named_is_one_that_is_registered() {
    const PREFIX: &str = "database_operator_";
    const PREFIX_OF_RECORDS: &str = "retaineddatabase_";
    let code: String = ["src", "webhook/src", "certs/src"].map(sources::below).concat();
    let mut named = BTreeMap::new();
    for page in pages::all() {
        for (at, _) in page.text.match_indices(PREFIX) {
            let rest = &page.text[at + PREFIX.len()..];
            let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(rest.len());
            named.insert(rest[..end].to_owned(), page.name.clone());
        }
    }
    let is_registered = |name: &str| {
        // The library appends these, and both loops count the same.
        let base =
            ["_total", "_bucket", "_count", "_sum"].iter().find_map(|ending| name.strip_suffix(ending));
        let base = base.unwrap_or(name);
        let of_each_loop = format!("\"{{prefix}}{}\"", base.trim_start_matches(PREFIX_OF_RECORDS));
        // One is written as a line.
        let as_line = format!("\\n{PREFIX}{name}{{{{");
        [format!("\"{name}\""), format!("\"{base}\""), of_each_loop, as_line]
            .iter()
            .any(|said| code.contains(said))
    };
    assert!(code.contains(&format!("\"{PREFIX_OF_RECORDS}\"")));
    let unknown: Vec<_> = named.iter().filter(|(name, _)| !is_registered(name)).collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
    assert!(named.len() > 15, "{named:?}");
}

/// Which crate of ours takes what from which, as Cargo knows it.
fn dependencies(manifest: &str, crates: &[&str]) -> BTreeSet<String> {
    let text = read(manifest);
    let (_, rest) = text.split_once("\n[dependencies]\n").unwrap();
    let lines = rest.lines().take_while(|line| !line.starts_with('['));
    let names = lines.filter_map(|line| line.split(['.', ' ']).next());
    names.filter(|name| crates.contains(name)).map(str::to_owned).collect()
}

#[test]
fn the_picture_of_the_crates_has_the_arrows_that_cargo_has() {
    const CRATES: [&str; 6] = ["api", "certs", "policy", "postgres", "sandbox", "webhook"];
    let page = pages::page("docs/architecture.md");
    let blocks = page.blocks();
    let picture = blocks.iter().find(|block| block.text.contains("src/ (the binary)")).unwrap();
    let mut drawn: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in picture.text.lines() {
        if let Some((from, to)) = line.split_once(" --> ") {
            let from = from.trim().split('[').next().unwrap().to_owned();
            drawn.insert(from, to.split(" & ").map(|to| to.trim().to_owned()).collect());
        }
    }
    assert_eq!(drawn.remove("bin").unwrap(), dependencies("Cargo.toml", &CRATES));
    drop(drawn.remove("tests"));
    for name in CRATES {
        let drawn = drawn.remove(name).unwrap_or_default();
        assert_eq!(drawn, dependencies(&format!("{name}/Cargo.toml"), &CRATES), "{name}");
    }
    assert_eq!(drawn, BTreeMap::new());
}

/// Each picture begins as one that GitHub draws.
#[test]
fn each_picture_says_of_what_kind_it_is() {
    let blocks = pages::page("docs/architecture.md").blocks();
    let pictures: Vec<_> = blocks.iter().filter(|block| block.language == "mermaid").collect();
    assert!(pictures.len() > 4);
    for picture in pictures {
        let first = picture.text.split_whitespace().next().unwrap();
        assert!(["flowchart", "sequenceDiagram", "stateDiagram-v2"].contains(&first), "{}", picture.text);
    }
}
