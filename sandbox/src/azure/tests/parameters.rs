//! Server parameters.

use axum::http::{Method, StatusCode};
use rstest::rstest;
use serde_json::{Value, json};

use super::support::{Setup, plain_server, server_path};
use crate::azure::{Fault, Phase};

const VERSION: &str = "2025-08-01";

async fn with_server() -> (Setup, String) {
    let setup = Setup::start().await;
    let path = server_path("orders");
    setup.write(&path, plain_server()).await;
    (setup, path)
}

fn failing_operation(path: &str) -> Fault {
    Fault {
        method: None,
        path: path.to_owned(),
        status: 500,
        code: "InternalServerError".to_owned(),
        message: "an unexpected error".to_owned(),
        retry_after_seconds: None,
        times: 1,
        phase: Phase::Operation,
    }
}

fn value(value: &str) -> Value {
    json!({"properties": {"value": value, "source": "user-override"}})
}

#[tokio::test]
async fn parameters_come_with_the_server() {
    let (setup, path) = with_server().await;
    let connections = setup.get(&format!("{path}/configurations/max_connections")).await.body;
    assert_eq!(connections["properties"]["value"], "859");
    assert_eq!(connections["properties"]["source"], "system-default");
    assert_eq!(listed(&setup, &path).await.len(), 562);
    let work_mem = setup.get(&format!("{path}/configurations/work_mem")).await.body;
    assert_eq!(work_mem["properties"]["unit"], "kB");
    assert_eq!(connections["properties"]["unit"], Value::Null);
}

async fn listed(setup: &Setup, path: &str) -> Vec<Value> {
    setup.get(&format!("{path}/configurations")).await.body["value"].as_array().expect("a list").clone()
}

#[tokio::test]
async fn a_new_server_has_more_libraries_loaded_than_its_default() {
    let (setup, path) = with_server().await;
    let parameter = format!("{path}/configurations/shared_preload_libraries");
    let state = async || {
        let shown = setup.get(&parameter).await.body["properties"].clone();
        (shown["value"].clone(), shown["defaultValue"].clone(), shown["source"].clone())
    };
    let default = json!("pg_stat_statements");
    assert_eq!(state().await, (json!("pg_cron,pg_stat_statements"), default.clone(), json!("user-override")));
    setup.write(&parameter, json!({"properties": {"source": "system-default"}})).await;
    assert_eq!(state().await, (default.clone(), default, json!("system-default")));
    assert_eq!(setup.get(&parameter).await.body["properties"]["isConfigPendingRestart"], true);
}

#[tokio::test]
async fn a_read_only_parameter_is_accepted_and_then_refused_without_words() {
    let (setup, path) = with_server().await;
    let parameter = format!("{path}/configurations/synchronous_commit");
    let before = setup.get(&parameter).await.body;
    let accepted = setup.put(&parameter, VERSION, value("off")).await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED);
    let outcome = setup.finish(&accepted).await;
    assert_eq!(
        (&outcome["status"], &outcome["error"]),
        (&json!("Failed"), &json!({"code": "OperationFailed", "message": "{0}"}))
    );
    assert_eq!(setup.get(&parameter).await.body, before);
}

#[tokio::test]
async fn pgbouncer_shows_its_parameters_while_it_is_on() {
    let (setup, path) = with_server().await;
    let [switch, mode] =
        ["enabled", "pool_mode"].map(|name| format!("{path}/configurations/pgbouncer.{name}"));
    let hidden = async || {
        assert_eq!(listed(&setup, &path).await.len(), 562);
        assert_eq!(setup.get(&mode).await.status, StatusCode::NOT_FOUND);
        assert_eq!(setup.put(&mode, VERSION, value("session")).await.code(), "ConfigurationNotExists");
    };
    hidden().await;
    setup.write(&switch, value("true")).await;
    assert!(listed(&setup, &path).await.len() > 562);
    setup.write(&mode, value("session")).await;
    assert_eq!(setup.get(&mode).await.body["properties"]["value"], "session");
    setup.write(&switch, value("false")).await;
    hidden().await;
}

#[tokio::test]
async fn a_default_that_follows_from_the_size_stays_when_the_size_changes() {
    let (setup, path) = with_server().await;
    setup.write(&path, json!({"sku": {"name": "Standard_D8ds_v5", "tier": "GeneralPurpose"}})).await;
    let connections = setup.get(&format!("{path}/configurations/max_connections")).await.body;
    assert_eq!(connections["properties"]["value"], "859");
}

#[tokio::test]
async fn parallel_writes_meet_a_busy_server() {
    let (setup, path) = with_server().await;
    let first = setup.put(&format!("{path}/configurations/work_mem"), VERSION, value("8192")).await;
    let second = setup.put(&format!("{path}/configurations/log_statement"), VERSION, value("ddl")).await;
    let refused = setup.finish(&second).await;
    assert_eq!(
        refused["error"]["message"],
        "Cannot complete operation while server 'orders' is busy processing another operation. Try again later."
    );
    assert_eq!(setup.finish(&first).await["status"], "Succeeded");
    setup.write(&format!("{path}/configurations/log_statement"), value("ddl")).await;
}

#[tokio::test]
async fn a_static_parameter_waits_for_a_restart() {
    let (setup, path) = with_server().await;
    let parameter = format!("{path}/configurations/max_connections");
    setup.write(&parameter, value("200")).await;
    let pending = async || setup.get(&parameter).await.body["properties"]["isConfigPendingRestart"].clone();
    assert_eq!(pending().await, true);
    let begin = async |action: &str| {
        setup.ask(Method::POST, &format!("{path}/{action}?api-version={VERSION}"), Value::Null).await
    };
    let act = async |action: &str| {
        let accepted = begin(action).await;
        assert_eq!(pending().await, true, "{action} has only begun");
        setup.finish(&accepted).await;
    };
    setup.control.inject(&failing_operation("*/restart")).await.expect("injected");
    act("restart").await;
    assert_eq!(pending().await, true, "the restart failed");
    act("restart").await;
    assert_eq!(pending().await, false);

    setup.write(&parameter, value("100")).await;
    // A stopped server doesn't show its parameters.
    setup.finish(&begin("stop").await).await;
    act("start").await;
    assert_eq!(pending().await, false);
    setup.write(&parameter, value("200")).await;
    assert_eq!(setup.get(&parameter).await.body["properties"]["value"], "200");
}

#[rstest]
#[case::unknown("max_happiness", "1", "ConfigurationNotExists")]
#[case::no_value("log_connections", "true", "InvalidConfigurationValue")]
#[case::out_of_range("max_connections", "9", "InvalidConfigurationValue")]
#[tokio::test]
async fn a_bad_parameter_is_refused(#[case] name: &str, #[case] sent: &str, #[case] code: &str) {
    let (setup, path) = with_server().await;
    let refused = setup.put(&format!("{path}/configurations/{name}"), VERSION, value(sent)).await;
    assert_eq!((refused.status, refused.code()), (StatusCode::BAD_REQUEST, code));
}

#[tokio::test]
async fn a_parameter_can_be_set_back_but_not_deleted() {
    let (setup, path) = with_server().await;
    let parameter = format!("{path}/configurations/work_mem");
    setup.write(&parameter, value("8192")).await;
    let refused = setup.delete(&parameter).await;
    assert_eq!((refused.status, refused.code()), (StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed"));
    setup.write(&parameter, json!({"properties": {"source": "system-default"}})).await;
    let parameter = setup.get(&parameter).await.body;
    assert_eq!(parameter["properties"]["value"], "4096");
}
