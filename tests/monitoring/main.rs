//! The alerts and the dashboard of the chart ask for what the binary exposes, and each alert fires when it must.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "each test binary uses a part of what they share")]

mod alerts;
#[path = "../common/mod.rs"]
mod common;
mod dashboard;
#[path = "../common/monitoring.rs"]
mod monitoring;

use std::collections::BTreeSet;

use exposition::Who;
use monitoring::{Exposed, dashboard, expressions, rules};

/// What alerts and panels ask for, each with where it stands.
fn all_expressions() -> Vec<(String, String)> {
    let of_alerts = rules().into_iter().map(|rule| (rule.alert, rule.expr));
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let of_panels = panels.flat_map(|panel| {
        let title = panel["title"].as_str().unwrap().to_owned();
        expressions(panel).into_iter().map(move |expression| (title.clone(), expression))
    });
    of_alerts.chain(of_panels).collect()
}

#[test]
fn each_expression_asks_for_metrics_labels_and_values_that_are_exposed() {
    let exposed = Exposed::new();
    let wrong: Vec<String> = all_expressions()
        .into_iter()
        .flat_map(|(place, expression)| {
            let (_, wrong) = exposed.asked(&expression);
            wrong.into_iter().map(move |what| format!("{place}: {what}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_is_not_exposed_is_found_wherever_it_stands() {
    let exposed = Exposed::new();
    for (expression, expected) in [
        ("sum(database_operator_database)", "database_operator_database is not exposed"),
        ("rate(database_operator_writes[5m])", "database_operator_writes is not exposed"),
        ("database_operator_databases{stat=\"ready\"}", "database_operator_databases has no label stat"),
        (
            "database_operator_databases{state=\"Ready\"}",
            "database_operator_databases never has state=\"Ready\"",
        ),
        (
            "1 - sum by (reason) (database_operator_databases{state=~\"ready|working\"})",
            "database_operator_databases has no label reason",
        ),
        (
            "database_operator_databases_access{reason!~\"Settled|Conecting\"}",
            "database_operator_databases_access never has reason=\"Conecting\"",
        ),
    ] {
        assert_eq!(exposed.asked(expression).1, [expected], "{expression}");
    }
}

/// The metrics that some expressions ask for.
fn used(exposed: &Exposed, expressions: impl Iterator<Item = String>) -> BTreeSet<String> {
    let series = expressions.flat_map(|expression| exposed.asked(&expression).0);
    series.map(|series| exposed.metric(&series).unwrap().name.clone()).collect()
}

/// A metric that nobody looks at is none, and nobody looks at one at night unless something rings.
#[test]
fn each_metric_is_shown_or_used_by_an_alert_as_its_description_says() {
    let exposed = Exposed::new();
    let by_any = used(&exposed, all_expressions().into_iter().map(|(_, expression)| expression));
    let unused: Vec<&str> = exposed.names().into_iter().filter(|name| !by_any.contains(*name)).collect();
    assert!(unused.is_empty(), "{unused:?}");
    let by_alerts = used(&exposed, rules().into_iter().map(|rule| rule.expr));
    for (_, descriptions) in database_operator::cli::metrics() {
        for one in descriptions.iter().filter(|one| one.looks == Who::OnCall) {
            assert!(by_alerts.contains(&one.name), "who is on call looks at {}, and no alert does", one.name);
        }
    }
}

/// Prometheus renames a label of ours that it wants to set itself.
#[test]
fn no_label_is_one_that_prometheus_sets_for_what_it_scrapes() {
    const ITS_OWN: [&str; 8] =
        ["job", "instance", "namespace", "pod", "container", "endpoint", "service", "cluster"];
    let exposed = Exposed::new();
    for (_, descriptions) in database_operator::cli::metrics() {
        for label in descriptions.iter().flat_map(|one| one.labels) {
            assert!(!ITS_OWN.contains(&label.name), "{}", label.name);
            assert!(!label.meaning.trim().is_empty(), "{}", label.name);
        }
    }
    assert!(exposed.names().len() > 35);
}
