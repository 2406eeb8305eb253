//! The page on monitoring is made of what the binary exposes and of the chart's alerts.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use exposition::Description;

#[allow(dead_code, reason = "each test binary uses a part of it")]
#[path = "../common/monitoring.rs"]
mod expressions;

use expressions::{Exposed, Rule, rules};

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/monitoring.md")
}

fn page() -> String {
    fs::read_to_string(path()).unwrap()
}

/// With this in the place of what stands between the marks.
fn with_part(page: &str, mark: &str, part: &str) -> String {
    let begin = format!("<!-- {mark} -->\n");
    let (before, rest) = page.split_once(&begin).unwrap_or_else(|| panic!("no {begin}"));
    let (_, after) = rest.split_once("<!-- end -->").unwrap();
    format!("{before}{begin}\n{part}\n\n<!-- end -->{after}")
}

/// The rows of some metrics. `used_by` names the alerts that go by one.
fn table_of(metrics: &[&Description], used_by: impl Fn(&Description) -> Vec<String>) -> String {
    let row = |metric: &&Description| {
        let name = if metric.kind == "histogram" { metric.name.clone() } else { metric.series().remove(0) };
        let kind = [metric.kind.as_str(), metric.unit()].join(", ");
        let labels: Vec<String> =
            metric.labels.iter().map(|label| format!("`{}`: {}", label.name, label.meaning.trim())).collect();
        let alerts = used_by(metric);
        let alerts = if alerts.is_empty() { "the dashboard".to_owned() } else { alerts.join(", ") };
        format!(
            "| `{name}` | {} | {} | {} | {} | {alerts} |",
            kind.trim_end_matches(", "),
            labels.join("<br>"),
            metric.meaning,
            metric.looks.as_str()
        )
    };
    let rows: Vec<String> = metrics.iter().map(row).collect();
    format!(
        "| metric | type, unit | labels | what it means | who looks | used by |\n|---|---|---|---|---|---|\n{}",
        rows.join("\n")
    )
}

#[test]
fn the_page_on_monitoring_shows_each_metric_and_each_alert() {
    let exposed = Exposed::new();
    let rules = rules();
    let used_by = |metric: &Description| -> Vec<String> {
        let goes_by =
            |rule: &&Rule| exposed.asked(&rule.expr).0.iter().any(|series| metric.series().contains(series));
        let alerts = rules.iter().filter(goes_by);
        alerts.map(|rule| format!("[{}](#{})", rule.alert, rule.alert.to_lowercase())).collect()
    };
    let all = database_operator::cli::metrics();
    let [(_, of_webhook), (_, of_controller)] = &all;
    let both: Vec<&Description> = of_webhook.iter().filter(|one| of_controller.contains(one)).collect();
    let before = page();
    let mut shown = with_part(&before, "metrics: both", &table_of(&both, used_by));
    for (process, metrics) in &all {
        let own: Vec<&Description> = metrics.iter().filter(|one| !both.contains(one)).collect();
        shown = with_part(&shown, &format!("metrics: {process}"), &table_of(&own, used_by));
    }
    for rule in &rules {
        let lasting = rule.lasting.as_ref().map_or_else(String::new, |time| format!(" for {time}"));
        let severity = &rule.labels["severity"];
        let when = format!("`{severity}`, if this holds{lasting}:\n\n```promql\n{}\n```", rule.expr);
        shown = with_part(&shown, &format!("alert: {}", rule.alert), &when);
    }
    if std::env::var(super::WRITE).is_ok_and(|write| write == "write") {
        fs::write(path(), shown).unwrap();
    } else {
        let command = "DOCS=write cargo test --test docs";
        assert!(
            before == shown,
            "docs/monitoring.md is not as the code and files/alerts.yaml say: {command}"
        );
    }
}

/// Whoever is woken by one finds what to do.
#[test]
fn each_alert_has_its_paragraph_in_the_order_of_the_file() {
    let page = page();
    let section = page.split("\n## The alerts\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let paragraphs: Vec<&str> = section.split("\n### ").skip(1).collect();
    let headings: Vec<&str> = paragraphs.iter().map(|text| text.lines().next().unwrap()).collect();
    let alerts: Vec<String> = rules().into_iter().map(|rule| rule.alert).collect();
    assert_eq!(headings, alerts);
    for paragraph in paragraphs {
        let rows: Vec<&str> = paragraph.lines().filter_map(|line| line.strip_prefix("| ")).collect();
        let of = |what: &str| rows.iter().find_map(|row| row.strip_prefix(what)?.strip_prefix(" | "));
        for what in ["what it means", "look at", "do", "who"] {
            assert!(of(what).is_some_and(|text| text.len() > 10), "{what}: {paragraph}");
        }
        assert_eq!(rows.len(), 5, "{paragraph}");
    }
}

/// A page that names a metric which is called otherwise now sends its reader nowhere.
#[test]
fn each_metric_that_a_page_names_is_exposed() {
    let exposed = Exposed::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages = fs::read_dir(root.join("docs")).unwrap().map(|page| page.unwrap().path());
    let mut named = BTreeSet::new();
    for path in pages.chain([root.join("README.md")]) {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for rest in text.split("database_operator_").skip(1) {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            named.insert(format!("database_operator_{}", &rest[..end]));
        }
    }
    let metrics = exposed.names();
    let strange: Vec<&String> = named
        .iter()
        .filter(|name| exposed.metric(name).is_none() && !metrics.contains(name.as_str()))
        .collect();
    assert!(named.len() > 35, "{named:?}");
    assert!(strange.is_empty(), "{strange:?}");
}
