//! The chart as Helm renders it, without a cluster.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod documents;
mod pods;
mod rendered;
#[allow(dead_code, reason = "each test binary uses a part of what they share")]
#[path = "../common/sandbox_programs.rs"]
mod sandbox_programs;
mod values;

use std::process::{Command, Output};

use serde_json::Value;

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/database-operator");
/// Beside the chart's own values.
const FILES: [&str; 3] = ["values-aks.yaml", "values-aks-automatic.yaml", "values-laptop.yaml"];
const EVERYTHING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/chart/everything.yaml");

/// Runs Helm with the chart, apart from the user's own settings and clusters.
fn helm(command: &[&str], arguments: &[String]) -> Output {
    let home = tempfile::tempdir().unwrap();
    let folder = |name: &str| home.path().join(name);
    Command::new(sandbox_programs::program("helm"))
        .args(command)
        .args(["database-operator", CHART, "--namespace", "database-operator"])
        .args(arguments)
        .env("KUBECONFIG", folder("kubeconfig"))
        .env("HELM_CACHE_HOME", folder("cache"))
        .env("HELM_CONFIG_HOME", folder("config"))
        .env("HELM_DATA_HOME", folder("data"))
        .output()
        .unwrap()
}

/// What `helm template` prints, or why it refuses.
fn template(arguments: &[String]) -> Result<String, String> {
    let output = helm(&["template"], arguments);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

fn values_file(path: &str) -> Vec<String> {
    let path = if path.contains('/') { path.to_owned() } else { format!("{CHART}/{path}") };
    vec![format!("--values={path}")]
}

/// With these values beside the chart's own.
fn with_values(values: &Value) -> Result<String, String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), values.to_string()).unwrap();
    template(&values_file(&file.path().display().to_string()))
}

/// The objects of what was rendered.
fn objects(rendered: &str) -> Vec<Value> {
    let all: Vec<Value> = serde_saphyr::from_multiple(rendered).unwrap();
    all.into_iter().filter(|object| !object.is_null()).collect()
}

/// With the chart's own values, with each of its files, and with everything set.
fn renderings() -> Vec<(&'static str, Vec<Value>)> {
    let render = |arguments: &[String]| objects(&template(arguments).unwrap());
    let files = FILES.iter().copied().chain([EVERYTHING]).map(|file| (file, render(&values_file(file))));
    std::iter::once(("values.yaml", render(&[]))).chain(files).collect()
}
