//! Argo CD's health script, run by Argo CD's own interpreter.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "each test binary uses a part of what they share")]
#[path = "common/sandbox_programs.rs"]
mod sandbox_programs;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use sandbox_programs::program;
use serde::Deserialize;
use serde_json::Value;

/// The form of Argo CD's own tests.
#[derive(Deserialize)]
struct Tests {
    tests: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    health_status: Health,
    input_path: String,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Health {
    status: String,
    message: String,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/argo-cd")
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> T {
    serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A value as a Lua program spells it.
fn lua(value: &Value) -> String {
    match value {
        Value::Null => "nil".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => format!("{text:?}"),
        Value::Array(items) => format!("{{{}}}", items.iter().map(lua).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let entries: Vec<_> =
                map.iter().map(|(key, value)| format!("[{key:?}] = {}", lua(value))).collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

#[test]
fn argo_cd_waits_for_a_database_and_tells_of_one_that_needs_a_person() {
    let (folder, interpreter) = (folder(), program("glua"));
    let tests: Tests = read(&folder.join("health_test.yaml"));
    let script = folder.join("health.lua");
    let temporary = tempfile::tempdir().unwrap();
    let program = temporary.path().join("program.lua");
    for case in &tests.tests {
        let object: Value = read(&folder.join(&case.input_path));
        let call = format!(
            "obj = {}\nlocal health = assert(loadfile({:?}))()\nprint(health.status)\nprint(health.message)\n",
            lua(&object),
            script.display().to_string()
        );
        std::fs::write(&program, call).unwrap();
        let output = Command::new(interpreter).arg(&program).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (status, message) = text.trim_end().split_once('\n').unwrap_or_else(|| {
            panic!("{}: {text}{}", case.input_path, String::from_utf8_lossy(&output.stderr))
        });
        let seen = Health { status: status.to_owned(), message: message.to_owned() };
        assert_eq!(seen, case.health_status, "{}", case.input_path);
    }
    let inputs = std::fs::read_dir(folder.join("testdata")).unwrap().count();
    assert_eq!(inputs, tests.tests.len(), "each input has a test");
}

#[test]
fn the_config_map_has_the_script_that_is_tested() {
    let config_map: Value = read(&folder().join("argocd-cm.yaml"));
    let script = std::fs::read_to_string(folder().join("health.lua")).unwrap();
    assert_eq!(config_map["data"]["resource.customizations.health.altinn.app_Database"], script);
}
