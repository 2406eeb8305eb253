//! Each fault that was ever reported stays mended: `tests/reports/` has an entry for each, and here they are held to what
//! they say.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::BTreeMap, fmt::Write, path::PathBuf};

use jiff::{
    civil::{Date, date},
    tz::TimeZone,
};
use policy::PolicyState;
use serde::Deserialize;
use serde_json::{Value, json};
use webhook::{
    cluster::Facts,
    review::{self, Basis, Hook, Question},
};

#[path = "common/sources.rs"]
mod sources;

/// The day on which reviews are asked that name no other.
const TODAY: Date = date(2026, 11, 22);
const POLICY: &str = include_str!("../examples/policy.yaml");
const README: &str = include_str!("reports/README.md");
/// Has the table written instead of compared.
const WRITE: &str = "REPORTS";

/// One fault: what was given, what must come back, and which tests show it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Report {
    from: String,
    kind: String,
    input: String,
    answer: String,
    #[serde(rename = "shown_by")]
    shown_by: Vec<String>,
    review: Option<Review>,
}

/// What is asked of the webhook; `answer` is then its answer to the letter.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Review {
    /// Left out, it is examples/policy.yaml.
    policy: Option<String>,
    /// The day in UTC.
    today: Option<String>,
    operation: String,
    namespace: String,
    object: Option<Value>,
    old_object: Option<Value>,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/reports")
}

/// By the name of its file, without the ending.
fn reports() -> BTreeMap<String, Report> {
    let files = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let yaml = files.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    yaml.map(|path| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let report = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, report)
    })
    .collect()
}

/// `S1`, or `S1b` for a relative of it.
fn id(name: &str) -> &str {
    name.split('-').next().unwrap()
}

#[test]
fn each_report_is_whole_and_named_after_what_it_is_about() {
    for (name, report) in reports() {
        let digits = id(&name).trim_start_matches(|c: char| c.is_ascii_uppercase());
        let rest = digits.trim_start_matches(|c: char| c.is_ascii_digit());
        let is_id = digits.len() < id(&name).len() && rest.len() < digits.len() && rest.len() <= 1;
        assert!(is_id && name.contains('-'), "{name} is no <id>-<words>");
        let texts = [&report.from, &report.kind, &report.input, &report.answer];
        assert!(texts.iter().all(|text| !text.trim().is_empty()), "{name} says too little");
        assert!(!report.kind.trim().contains(['\n', '|']), "{name}: its kind is more than a line");
        assert!(!report.from.trim().contains(['\n', '|']), "{name}: where it is from is more than a line");
        assert!(!report.shown_by.is_empty(), "{name} is shown by no test");
    }
}

#[test]
fn each_test_that_a_report_names_exists() {
    let reports = reports();
    let named = reports.values().flat_map(|report| report.shown_by.iter().map(String::as_str));
    assert_eq!(sources::missing(named), Vec::<&str>::new());
}

#[test]
fn the_table_has_each_report() {
    let mut table = String::from("| report | kind | from |\n|---|---|---|\n");
    for (name, report) in reports() {
        let (kind, from) = (report.kind.trim(), report.from.trim());
        writeln!(table, "| [{}]({name}.yaml) | {kind} | {from} |", id(&name)).unwrap();
    }
    let (head, _) = README.split_once("| report |").unwrap();
    let whole = format!("{head}{table}");
    if std::env::var(WRITE).is_ok_and(|value| value == "write") {
        std::fs::write(folder().join("README.md"), whole).unwrap();
    } else {
        assert!(README == whole, "the table is out of date; run `{WRITE}=write cargo test --test reports`");
    }
}

#[test]
fn the_webhook_answers_each_report_to_the_letter() {
    let mut asked = 0;
    for (name, report) in reports() {
        let Some(review) = report.review else { continue };
        asked += 1;
        assert_eq!(answer(&review), report.answer.trim(), "{name}");
    }
    assert!(asked > 0);
}

/// What the API server shows: the denial, or that it is admitted, and each warning on a line.
fn answer(review: &Review) -> String {
    let data = BTreeMap::from([(
        policy::document::KEY.to_owned(),
        review.policy.clone().unwrap_or_else(|| POLICY.to_owned()),
    )]);
    let state = PolicyState::default().applied(Some(&data));
    let mut object = review.object.clone();
    let kind = object.as_ref().or(review.old_object.as_ref()).unwrap()["kind"].clone();
    let (group, hook) = match kind.as_str().unwrap() {
        "Database" => (api::GROUP, Hook::Validate),
        "RetainedDatabase" => (api::GROUP, Hook::Retained),
        "ConfigMap" => ("", Hook::Policy),
        "Namespace" => ("", Hook::Namespace),
        "CustomResourceDefinition" => ("apiextensions.k8s.io", Hook::Crd),
        other => panic!("no hook is asked about a {other}"),
    };
    let ask = |hook: Hook, object: Option<&Value>| {
        let name = &object.or(review.old_object.as_ref()).unwrap()["metadata"]["name"];
        let body = json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "request": {
                "uid": "1", "kind": {"group": group, "version": "v1", "kind": kind}, "name": name,
                "namespace": review.namespace, "operation": review.operation,
                "userInfo": {"username": "flux"}, "object": object, "oldObject": review.old_object,
            },
        });
        let today = review.today.as_ref().map_or(TODAY, |day| day.parse().unwrap());
        let now = today.at(12, 0, 0, 0).to_zoned(TimeZone::UTC).unwrap().timestamp();
        let facts = Facts::default();
        let basis = Basis { state: &state, policy_name: "database-policy", now, facts: &facts };
        review::answer(&Question::read(hook, body.to_string().as_bytes()), &basis).review.response.unwrap()
    };
    // Both are asked in the order of the API server, and the second sees what the first has filled in.
    let mut warnings = Vec::new();
    let mut hooks = vec![hook];
    if hook == Hook::Validate && review.operation != "DELETE" {
        hooks.insert(0, Hook::Mutate);
    }
    for hook in hooks {
        let response = ask(hook, object.as_ref());
        if !response.allowed {
            assert_eq!(response.result.code, 403);
            return response.result.message;
        }
        if let Some(patch) = response.patch {
            let patch: json_patch::Patch = serde_json::from_slice(&patch).unwrap();
            json_patch::patch(object.as_mut().unwrap(), &patch).unwrap();
        }
        warnings.extend(response.warnings.unwrap_or_default());
    }
    let warnings = warnings.iter().map(|warning| format!("\nwarning: {warning}"));
    std::iter::once("admitted".to_owned()).chain(warnings).collect()
}
