//! A restored server has the data of the moment that was asked for, by this Azure's clock.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use rstest::rstest;
use serde_json::{Value, json};

use super::{
    logging_in::column,
    support::{Setup, plain_server, server_path},
};

const VERSION: &str = "2025-08-01";
const HOUR: Duration = Duration::from_hours(1);

/// What asks for a server with the data that another one had.
fn at(source: &str, moment: Timestamp) -> Value {
    json!({"location": "norwayeast", "properties": {
        "createMode": "PointInTimeRestore",
        "sourceServerResourceId": server_path(source),
        "pointInTimeUTC": moment.to_string(),
    }})
}

async fn execute(setup: &Setup, server: &str, statement: &str) -> Timestamp {
    setup.administrator(server, "app").await.batch_execute(statement).await.unwrap();
    setup.control.now().await.unwrap()
}

async fn items(setup: &Setup, server: &str) -> Vec<String> {
    let app = setup.administrator(server, "app").await;
    column(&app, "SELECT name FROM item ORDER BY 1").await
}

async fn pass(setup: &Setup, time: Duration) -> Timestamp {
    setup.control.advance_clock(time).await.unwrap();
    setup.control.now().await.unwrap()
}

/// A server `orders` with an empty table in the database `app`, that is an hour old.
async fn with_orders(version: &str) -> Setup {
    let setup = Setup::start_with_postgres().await.with_server("orders", version).await;
    let administrator = setup.administrator("orders", "postgres").await;
    administrator.batch_execute("CREATE DATABASE app").await.unwrap();
    execute(&setup, "orders", "CREATE TABLE item (name text)").await;
    // Backups begin five minutes after the server does.
    pass(&setup, HOUR).await;
    setup
}

#[rstest]
#[tokio::test]
async fn a_wrong_delete_is_undone(#[values("16", "17", "18")] version: &str) {
    let setup = with_orders(version).await;
    let noon = execute(&setup, "orders", "INSERT INTO item VALUES ('coffee')").await;
    pass(&setup, HOUR).await;
    let one = execute(&setup, "orders", "INSERT INTO item VALUES ('tea')").await;
    pass(&setup, 24 * HOUR).await;
    let now = execute(&setup, "orders", "DELETE FROM item").await;
    let half_past = noon + SignedDuration::from_mins(30);
    let mut setup = setup;
    for (name, moment, expected) in [
        ("before", noon - SignedDuration::from_mins(30), [].as_slice()),
        ("noon", noon, &["coffee"]),
        ("half-past", half_past, &["coffee"]),
        ("one", one, &["coffee", "tea"]),
        ("now", now, &[]),
    ] {
        setup = setup.with_server_like(name, at("orders", moment)).await;
        assert_eq!(items(&setup, name).await, expected, "{name}");
        let databases = setup.get(&format!("{}/databases/app", server_path(name))).await;
        assert_eq!(databases.status, StatusCode::OK);
    }
    execute(&setup, "noon", "INSERT INTO item VALUES ('cocoa')").await;
    assert_eq!(items(&setup, "orders").await, <[&str; 0]>::default(), "the source goes its own way");
}

#[tokio::test]
async fn a_restored_server_can_be_restored() {
    let setup = with_orders("17").await;
    let noon = execute(&setup, "orders", "INSERT INTO item VALUES ('coffee')").await;
    execute(&setup, "orders", "INSERT INTO item VALUES ('tea')").await;
    let setup = setup.with_server_like("second", at("orders", noon)).await;
    let too_early = setup.put(&server_path("third"), VERSION, at("second", noon)).await;
    assert_eq!(too_early.body["error"]["target"], "properties.pointInTimeUTC");
    pass(&setup, HOUR).await;
    let one = execute(&setup, "second", "INSERT INTO item VALUES ('cocoa')").await;
    pass(&setup, HOUR).await;
    execute(&setup, "second", "DELETE FROM item").await;
    let setup = setup.with_server_like("third", at("second", one)).await;
    assert_eq!(items(&setup, "third").await, ["cocoa", "coffee"]);
}

#[tokio::test]
async fn a_server_that_is_stopped_can_be_restored() {
    let setup = with_orders("17").await;
    let noon = execute(&setup, "orders", "INSERT INTO item VALUES ('coffee')").await;
    execute(&setup, "orders", "DELETE FROM item").await;
    let stop = format!("{}/stop?api-version={VERSION}", server_path("orders"));
    let stopping = setup.ask(Method::POST, &stop, Value::Null).await;
    assert_eq!(setup.finish(&stopping).await["status"], "Succeeded");
    let last = pass(&setup, HOUR).await;
    let setup = setup.with_server_like("noon", at("orders", noon)).await;
    let setup = setup.with_server_like("last", at("orders", last)).await;
    assert_eq!(items(&setup, "noon").await, ["coffee"]);
    assert_eq!(items(&setup, "last").await, <[&str; 0]>::default());
}

#[tokio::test]
async fn a_server_without_postgresql_is_restored_without_it() {
    let mut old = plain_server();
    old["properties"]["version"] = json!("13");
    let setup = Setup::start_with_postgres().await.with_server_like("archive", old).await;
    setup.write(&server_path("archive"), json!({"properties": {"version": "17"}})).await;
    let moment = pass(&setup, HOUR).await;
    let setup = setup.with_server_like("restored", at("archive", moment)).await;
    let real = setup.control.real_servers().await.unwrap();
    let real = real.iter().find(|one| one.server.ends_with("/restored")).unwrap();
    let note = real.note.as_deref().unwrap_or_default();
    assert!(!real.runs && note.starts_with("there is no PostgreSQL behind the server"), "{real:?}");
}
