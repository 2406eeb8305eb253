//! Each alert, by Prometheus itself: that it fires for what it is about, and is quiet otherwise.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use promql_parser::parser;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    common::{
        programs::{cache, output},
        run,
    },
    monitoring::{Exposed, Rule, dashboard, expressions, file, groups, rules},
};

/// Where the page stands on which the alerts' addresses lead.
const PAGE: &str = "https://github.com/altinn/database-operator/blob/main/docs/monitoring.md";

/// Cases by the name of the alert.
type Cases = BTreeMap<String, Vec<Case>>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    when: String,
    /// How often something is scraped, and the alert is looked at.
    #[serde(default = "minute")]
    every: String,
    /// The values of each, in promtool's notation.
    series: BTreeMap<String, String>,
    /// When it is looked at.
    after: String,
    /// What fires then.
    #[serde(default)]
    fires: Vec<Fires>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fires {
    #[serde(default)]
    labels: BTreeMap<String, String>,
    summary: String,
}

fn minute() -> String {
    "1m".to_owned()
}

fn cases() -> Cases {
    serde_saphyr::from_str(include_str!("cases.yaml")).unwrap()
}

/// Prometheus' own tool, in the version of `promtool/go.mod`.
static PROMTOOL: LazyLock<PathBuf> = LazyLock::new(|| {
    const MODULE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/monitoring/promtool");
    let go_mod = fs::read_to_string(Path::new(MODULE).join("go.mod")).unwrap();
    let required =
        |line: &str| Some(line.trim().strip_prefix("github.com/prometheus/prometheus ")?.to_owned());
    let version = go_mod.lines().find_map(required).unwrap();
    let version = version.split_whitespace().next().unwrap();
    let folder = cache("promtool", version, |folder| {
        let mut go = Command::new("go");
        // Nobody discovers targets here; the clients of all clouds take minutes to build.
        go.args(["build", "-mod=readonly", "-tags=remove_all_sd", "-ldflags=-s -w", "-o"]);
        go.arg(folder).arg("github.com/prometheus/prometheus/cmd/promtool");
        go.current_dir(MODULE).env("GOWORK", "off").env("CGO_ENABLED", "0").env("GOGC", "800");
        output(go);
    });
    folder.join("promtool")
});

fn promtool(arguments: &[&str], file: &Path) -> Result<(), String> {
    let mut command = Command::new(&*PROMTOOL);
    command.args(arguments).arg(file);
    let output = run(command, "");
    if output.ok { Ok(()) } else { Err(format!("{}{}", output.stdout, output.stderr)) }
}

/// As promtool takes it.
fn tests_of(rule: &Rule, cases: &[Case]) -> Vec<Value> {
    let test = |case: &Case| {
        let series: Vec<Value> =
            case.series.iter().map(|(series, values)| json!({"series": series, "values": values})).collect();
        let fires: Vec<Value> = case
            .fires
            .iter()
            .map(|fires| {
                let mut labels = rule.labels.clone();
                labels.extend(fires.labels.clone());
                let address = &rule.annotations["runbook_url"];
                json!({"exp_labels": labels, "exp_annotations": {"summary": fires.summary, "runbook_url": address}})
            })
            .collect();
        json!({
            "name": format!("{}: {}", rule.alert, case.when), "interval": case.every, "input_series": series,
            "alert_rule_test": [{"alertname": rule.alert, "eval_time": case.after, "exp_alerts": fires}],
        })
    };
    cases.iter().map(test).collect()
}

/// What promtool says of these cases.
fn judge(tests: &[Value]) -> Result<(), String> {
    let intervals: BTreeSet<&str> = tests.iter().map(|test| test["interval"].as_str().unwrap()).collect();
    for every in intervals {
        let tests: Vec<&Value> = tests.iter().filter(|test| test["interval"] == every).collect();
        let whole =
            json!({"rule_files": [file("alerts.yaml")], "evaluation_interval": every, "tests": tests});
        let written = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
        fs::write(written.path(), whole.to_string()).unwrap();
        promtool(&["test", "rules"], written.path())?;
    }
    Ok(())
}

#[test]
fn each_alert_fires_when_it_must_and_is_quiet_otherwise() {
    let (rules, cases) = (rules(), cases());
    let mut tests = Vec::new();
    for rule in &rules {
        let cases = cases.get(&rule.alert).unwrap_or_else(|| panic!("no case for {}", rule.alert));
        assert!(cases.iter().any(|case| case.fires.is_empty()), "{} is never quiet", rule.alert);
        assert!(cases.iter().any(|case| !case.fires.is_empty()), "{} never fires", rule.alert);
        tests.extend(tests_of(rule, cases));
    }
    assert_eq!(cases.len(), rules.len(), "a case for an alert that isn't there");
    judge(&tests).unwrap_or_else(|said| panic!("{said}"));
}

/// Or the test above says yes to everything.
#[test]
fn a_case_that_does_not_hold_is_found() {
    let (rules, mut cases) = (rules(), cases());
    let rule = rules.iter().find(|rule| rule.alert == "DatabasesOutOfSync").unwrap();
    let mut cases = cases.remove(&rule.alert).unwrap();
    for case in &mut cases {
        case.fires.clear();
    }
    let said = judge(&tests_of(rule, &cases)).unwrap_err();
    assert!(said.contains("DatabasesOutOfSync"), "{said}");
}

/// A series of a case that the binary doesn't expose would prove nothing.
#[test]
fn each_series_of_a_case_is_exposed() {
    let exposed = Exposed::new();
    for (alert, cases) in cases() {
        for series in cases.iter().flat_map(|case| case.series.keys()) {
            // The labels of a pod are Prometheus' own.
            let parsed = parser::parse(series).unwrap_or_else(|error| panic!("{alert}: {series}: {error}"));
            let parser::Expr::VectorSelector(selector) = parsed else { panic!("{series}") };
            let name = selector.name.unwrap();
            assert!(exposed.metric(&name).is_some(), "{alert}: {name}");
            for label in selector.matchers.matchers.iter().filter(|label| label.name != "pod") {
                assert!(
                    exposed.labels(&name).contains(label.name.as_str()),
                    "{alert}: {series}: {}",
                    label.name
                );
            }
        }
    }
}

#[test]
fn prometheus_takes_the_rules_and_what_panels_ask() {
    let check = |path: &Path| promtool(&["check", "rules"], path).unwrap_or_else(|said| panic!("{said}"));
    check(&file("alerts.yaml"));
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let rules: Vec<Value> = panels
        .flat_map(expressions)
        .zip(1..)
        .map(|(expression, number)| json!({"record": format!("panel:{number}"), "expr": expression}))
        .collect();
    assert!(rules.len() > 40, "{}", rules.len());
    let written = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
    fs::write(written.path(), json!({"groups": [{"name": "panels", "rules": rules}]}).to_string()).unwrap();
    check(written.path());
}

/// <https://learn.microsoft.com/azure/azure-monitor/fundamentals/service-limits#prometheus-metrics>
#[test]
fn a_group_has_no_more_rules_than_azure_takes() {
    for group in groups() {
        assert!(group.rules.len() <= 20, "{}: {}", group.name, group.rules.len());
    }
}

#[test]
fn each_alert_says_how_urgent_it_is_what_is_the_matter_and_where_to_read_on() {
    let exposed = Exposed::new();
    let mut names = BTreeSet::new();
    for rule in rules() {
        let Rule { alert, expr, labels, annotations, .. } = &rule;
        assert!(names.insert(alert.clone()), "{alert} is there twice");
        let severities = ["critical", "warning", "info"];
        assert!(
            severities.contains(&labels["severity"].as_str()) && labels.len() == 1,
            "{alert}: {labels:?}"
        );
        let keys: Vec<&str> = annotations.keys().map(String::as_str).collect();
        assert_eq!(keys, ["runbook_url", "summary"], "{alert}");
        assert_eq!(annotations["runbook_url"], format!("{PAGE}#{}", alert.to_lowercase()));
        let summary = &annotations["summary"];
        assert!(summary.ends_with('.') && summary.lines().count() == 1, "{alert}: {summary}");
        // A label that isn't there shows as nothing.
        for label in summary.split("$labels.").skip(1) {
            let label: String = label.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let (series, _) = exposed.asked(expr);
            assert!(
                series.iter().all(|one| exposed.labels(one).contains(label.as_str())),
                "{alert}: {label}"
            );
            assert!(expr.contains("by (") && expr.contains(&label), "{alert}: {label} is lost on the way");
        }
    }
}
