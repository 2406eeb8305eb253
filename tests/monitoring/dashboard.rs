//! The dashboard as Grafana reads it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    monitoring::{Exposed, dashboard, expressions},
    used,
};

fn panels(dashboard: &Value) -> &Vec<Value> {
    dashboard["panels"].as_array().unwrap()
}

/// The cells of the grid that a panel takes.
fn cells(panel: &Value) -> impl Iterator<Item = (u64, u64)> {
    let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
    let (x, y, w, h) = (at("x"), at("y"), at("w"), at("h"));
    assert!(w > 0 && h > 0 && x + w <= 24, "{}", panel["title"]);
    (x..x + w).flat_map(move |x| (y..y + h).map(move |y| (x, y)))
}

#[test]
fn no_panel_lies_on_another_one_and_each_says_what_it_shows() {
    let dashboard = dashboard();
    let (mut ids, mut titles, mut taken) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for panel in panels(&dashboard) {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}");
        let title = panel["title"].as_str().unwrap();
        assert!(titles.insert((panel["type"].to_string(), title)), "{title}");
        for cell in cells(panel) {
            assert!(taken.insert(cell), "{title} lies on another panel at {cell:?}");
        }
        if panel["type"] == "row" {
            continue;
        }
        assert!(panel["description"].as_str().is_some_and(|text| text.ends_with('.')), "{title}");
        assert!(!expressions(panel).is_empty(), "{title}");
    }
    assert!(ids.len() > 30);
}

/// An alert says that some databases are amiss. How many there are of each kind, and since when, is seen here.
#[test]
fn each_count_of_databases_is_shown() {
    let (exposed, dashboard) = (Exposed::new(), dashboard());
    let shown = used(&exposed, panels(&dashboard).iter().flat_map(expressions));
    let counts: Vec<&str> =
        exposed.names().into_iter().filter(|name| name.starts_with("database_operator_databases")).collect();
    assert!(counts.len() > 5, "{counts:?}");
    let hidden: Vec<&&str> = counts.iter().filter(|name| !shown.contains(**name)).collect();
    assert!(hidden.is_empty(), "{hidden:?}");
}

/// A dashboard with the name of somebody's data source works for nobody else.
#[test]
fn each_panel_asks_the_data_source_that_the_reader_has_chosen() {
    let dashboard = dashboard();
    let chosen = json!({"type": "prometheus", "uid": "${datasource}"});
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    assert!(variables.iter().any(|one| one["name"] == "datasource" && one["type"] == "datasource"));
    for panel in panels(&dashboard).iter().filter(|panel| panel["type"] != "row") {
        assert_eq!(panel["datasource"], chosen, "{}", panel["title"]);
        let mut refs = BTreeSet::new();
        for target in panel["targets"].as_array().unwrap() {
            assert_eq!(target["datasource"], chosen, "{}", panel["title"]);
            assert!(refs.insert(target["refId"].as_str().unwrap()), "{}", panel["title"]);
        }
    }
}

/// A column that is renamed is one that the query gives.
#[test]
fn each_column_of_a_table_is_there() {
    let dashboard = dashboard();
    let tables = panels(&dashboard).iter().filter(|panel| panel["type"] == "table");
    let mut count = 0;
    for table in tables {
        let all = expressions(table).join(" ");
        let targets = table["targets"].as_array().unwrap();
        let transformations = table["transformations"].as_array().unwrap();
        let renamed = transformations.iter().find(|one| one["id"] == "organize").unwrap();
        let renamed = renamed["options"]["renameByName"].as_object().unwrap();
        for column in renamed.keys() {
            count += 1;
            let is_value = match column.strip_prefix("Value") {
                Some("") => targets.len() == 1,
                Some(of) => {
                    targets.iter().any(|target| of == format!(" #{}", target["refId"].as_str().unwrap()))
                }
                None => false,
            };
            assert!(is_value || all.contains(column.as_str()), "{}: {column}", table["title"]);
        }
        let shown: Vec<&str> = renamed.values().map(|name| name.as_str().unwrap()).collect();
        for unit in table["fieldConfig"]["overrides"].as_array().unwrap() {
            let name = unit["matcher"]["options"].as_str().unwrap();
            assert!(shown.contains(&name), "{}: {name}", table["title"]);
        }
    }
    assert!(count > 8, "{count}");
}
