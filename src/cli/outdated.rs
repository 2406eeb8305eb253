//! `database-operator outdated`

use std::{
    fmt::Write as _,
    fs,
    io::{IsTerminal as _, Read as _, stdin},
    path::PathBuf,
};

use ::policy::{
    catalogue::Catalogue,
    outdated::{Age, Phase, WITHIN, age},
    quote::quote,
};
use api::{Database, DatabaseRef};
use clap::{Args, ValueEnum};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use kube::{Api, Client, api::ListParams};
use serde::Serialize;
use serde_json::Value;

use super::{Failure, read_policy};
use crate::api_error;

#[derive(Args, Debug)]
pub(super) struct OutdatedArgs {
    /// Databases as JSON, as `kubectl get databases --all-namespaces --output json` prints them; `-` is standard input [default:
    /// the databases of all namespaces of the current context of kubectl]
    file: Option<PathBuf>,
    /// Also those whose standard support ends within so many days
    #[arg(long, value_name = "DAYS", default_value_t = WITHIN)]
    within: u16,
    /// A policy whose catalogue adds to what this version knows
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// How they are printed
    #[arg(long, short, value_enum, default_value_t = Output::Table)]
    output: Output,
    /// The day that counts as today, in UTC
    #[arg(long, value_name = "DATE")]
    today: Option<Date>,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
enum Output {
    #[default]
    Table,
    Json,
}

/// A database, and how old its version is.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    namespace: String,
    name: String,
    /// The major version that runs, or, before there is a server, that is wanted.
    version: u16,
    phase: &'static str,
    standard_support_until: Date,
    extra_cost_from: Option<Date>,
    extended_support_until: Option<Date>,
    /// The newest version.
    newest: Option<u16>,
}

pub(super) fn run(args: &OutdatedArgs) -> Result<(), Failure> {
    let databases = databases(args)?;
    let policy = args.policy.as_deref().map(read_policy).transpose()?;
    let catalogue = match &policy {
        Some(policy) => policy.catalogue(),
        None => Catalogue::known(),
    };
    let today = args.today.unwrap_or_else(|| Timestamp::now().to_zoned(TimeZone::UTC).date());
    let rows = rows(&databases, catalogue, today, args.within);
    match args.output {
        Output::Table => print!("{}", table(&rows)),
        Output::Json => println!("{}", serde_json::to_string_pretty(&rows)?),
    }
    match rows.len() {
        0 => Ok(()),
        outdated => Err(format!("{outdated} of {} databases are outdated", databases.len()).into()),
    }
}

fn databases(args: &OutdatedArgs) -> Result<Vec<Database>, Failure> {
    match &args.file {
        None => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(of_the_cluster())
        }
        Some(path) if path.as_os_str() == "-" => {
            if stdin().is_terminal() {
                eprintln!("reading databases as JSON from standard input");
            }
            let mut text = String::new();
            stdin().read_to_string(&mut text).map_err(|error| format!("standard input: {error}"))?;
            listed(&text).map_err(|error| format!("standard input: {error}").into())
        }
        Some(path) => {
            let named = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
            let text = fs::read_to_string(path).map_err(|error| named(&error))?;
            listed(&text).map_err(|error| named(&error).into())
        }
    }
}

async fn of_the_cluster() -> Result<Vec<Database>, Failure> {
    let client = Client::try_default().await.map_err(|error| {
        format!("no cluster: {}; name a file, or write - for standard input", api_error::words(&error))
    })?;
    let all = Api::<Database>::all(client).list(&ListParams::default()).await;
    let all = all.map_err(|error| format!("databases can't be listed: {}", api_error::words(&error)))?;
    Ok(all.items)
}

/// One `Database`, or a list of them.
fn listed(text: &str) -> Result<Vec<Database>, String> {
    let what =
        "expected databases as JSON, as `kubectl get databases --all-namespaces --output json` prints them";
    let value: Value = serde_json::from_str(text).map_err(|error| {
        format!("line {}, column {}: this is no JSON; {what}", error.line(), error.column())
    })?;
    let items = match value.get("items") {
        Some(Value::Array(items)) => items.clone(),
        _ => vec![value],
    };
    let read = |(place, item): (usize, Value)| {
        match item["kind"].as_str() {
            Some("Database") => {}
            Some(kind) => return Err(format!("items[{place}] is of kind {}; {what}", quote(kind))),
            None => return Err(format!("items[{place}] has no kind; {what}")),
        }
        serde_json::from_value(item).map_err(|error| format!("items[{place}]: {error}; {what}"))
    };
    items.into_iter().enumerate().map(read).collect()
}

/// The oldest first.
fn rows(databases: &[Database], catalogue: &Catalogue, today: Date, within: u16) -> Vec<Row> {
    let mut rows: Vec<(Phase, Row)> = databases
        .iter()
        .filter_map(|database| {
            let running =
                database.status.as_ref().and_then(|status| status.server.as_ref()?.version.as_deref());
            let running = running.and_then(api::version::of_server);
            let version =
                running.as_ref().or(database.spec.version.as_ref()).and_then(api::version::major)?;
            let age = age(version, catalogue, today, within)?;
            (age.phase != Phase::Supported)
                .then(|| (age.phase, row(DatabaseRef::of(database), version, &age)))
        })
        .collect();
    rows.sort_by(|(a_phase, a), (b_phase, b)| {
        let order = |row: &Row| (row.version, row.namespace.clone(), row.name.clone());
        b_phase.cmp(a_phase).then_with(|| order(a).cmp(&order(b)))
    });
    rows.into_iter().map(|(_, row)| row).collect()
}

fn row(database: DatabaseRef<'_>, version: u16, age: &Age) -> Row {
    Row {
        namespace: database.namespace.to_owned(),
        name: database.name.to_owned(),
        version,
        phase: age.phase.as_str(),
        standard_support_until: age.version.until,
        extra_cost_from: age.extra_cost_from(),
        extended_support_until: age.version.extended_until,
        newest: age.newest,
    }
}

fn table(rows: &[Row]) -> String {
    const HEAD: [&str; 7] =
        ["NAMESPACE", "NAME", "VERSION", "SUPPORT", "STANDARD UNTIL", "EXTRA COST FROM", "NEWEST"];
    if rows.is_empty() {
        return "No database is outdated.\n".to_owned();
    }
    let shown = |day: Option<Date>| day.map_or_else(|| "-".to_owned(), |day| day.to_string());
    let mut lines = vec![HEAD.map(str::to_owned)];
    lines.extend(rows.iter().map(|row| {
        [
            row.namespace.clone(),
            row.name.clone(),
            row.version.to_string(),
            row.phase.to_owned(),
            row.standard_support_until.to_string(),
            shown(row.extra_cost_from),
            row.newest.map_or_else(|| "-".to_owned(), |newest| newest.to_string()),
        ]
    }));
    let widths: Vec<usize> = (0..HEAD.len())
        .map(|column| lines.iter().map(|line| line[column].len()).max().unwrap_or_default())
        .collect();
    let mut text = String::new();
    for line in lines {
        let cells: Vec<String> =
            line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        let _ = writeln!(text, "{}", cells.join("   ").trim_end());
    }
    text
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn database(name: &str, wanted: &Value, running: Option<&str>) -> Value {
        json!({
            "apiVersion": "altinn.app/v1alpha1", "kind": "Database",
            "metadata": {"name": name, "namespace": "orders"}, "spec": {"version": wanted},
            "status": {"server": {"name": "srv", "version": running}},
        })
    }

    /// A corpus with a database of each version.
    fn corpus() -> Vec<Database> {
        let all: Vec<Value> = (11..=18)
            .map(|major| database(&format!("v{major}"), &json!(major), Some(&major.to_string())))
            .collect();
        listed(&json!({"kind": "List", "items": all}).to_string()).unwrap()
    }

    #[rstest]
    #[case(date(2026, 7, 31))]
    #[case(date(2026, 8, 1))]
    #[case(date(2026, 11, 28))]
    #[case(date(2027, 11, 14))]
    #[case(date(2031, 1, 1))]
    fn what_is_outdated_on_a_day(#[case] today: Date) {
        insta::with_settings!({snapshot_suffix => today.to_string(), omit_expression => true}, {
            insta::assert_snapshot!(table(&rows(&corpus(), Catalogue::known(), today, 180)));
        });
    }

    #[test]
    fn what_runs_counts_and_not_what_is_wanted() {
        let all = [
            database("upgraded-soon", &json!(17), Some("13")),
            database("new", &json!("13"), None),
            database("unknown", &json!(99), None),
        ];
        let all = listed(&json!({"items": all}).to_string()).unwrap();
        let rows = rows(&all, Catalogue::known(), date(2026, 11, 28), 180);
        insta::assert_snapshot!(serde_json::to_string_pretty(&rows).unwrap());
    }

    #[test]
    fn one_database_alone_will_do() {
        assert_eq!(listed(&database("main", &json!(17), None).to_string()).unwrap().len(), 1);
        assert_eq!(table(&[]), "No database is outdated.\n");
    }

    #[rstest]
    #[case(
        "apiVersion: altinn.app/v1alpha1",
        "line 1, column 1: this is no JSON; expected databases as JSON"
    )]
    #[case(r#"{"items": [{"kind": "Pod"}]}"#, "items[0] is of kind \"Pod\"; expected databases")]
    #[case(r#"{"kind": "Database", "metadata": {"name": "a"}, "spec": {"version": {}}}"#, "items[0]: ")]
    #[case("[]", "items[0] has no kind; expected databases")]
    #[case(r#"{"kind": "a\u001b[31m\nb"}"#, r#"items[0] is of kind "a\u{1b}[31m\nb"; expected databases"#)]
    fn what_cannot_be_read_is_told(#[case] text: &str, #[case] expected: &str) {
        let said = listed(text).unwrap_err();
        assert!(said.starts_with(expected), "{said}");
    }
}
