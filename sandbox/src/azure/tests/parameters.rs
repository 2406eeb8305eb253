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
    let listed = setup.get(&format!("{path}/configurations")).await.body;
    assert!(listed["value"].as_array().is_some_and(|all| all.len() > 40));
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
    let act = async |action: &str| {
        let accepted =
            setup.ask(Method::POST, &format!("{path}/{action}?api-version={VERSION}"), Value::Null).await;
        assert_eq!(pending().await, true, "{action} has only begun");
        setup.finish(&accepted).await;
    };
    setup.control.inject(&failing_operation("*/restart")).await.expect("injected");
    act("restart").await;
    assert_eq!(pending().await, true, "the restart failed");
    act("restart").await;
    assert_eq!(pending().await, false);

    setup.write(&parameter, value("100")).await;
    act("stop").await;
    act("start").await;
    assert_eq!(pending().await, false);
    setup.write(&parameter, value("200")).await;
    assert_eq!(setup.get(&parameter).await.body["properties"]["value"], "200");
}

#[rstest]
#[case::unknown("max_happiness", "1", "ConfigurationNotExists")]
#[case::read_only("ssl", "off", "OperationNotAllowed")]
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
