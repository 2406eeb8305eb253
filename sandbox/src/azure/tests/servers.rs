//! The life of a flexible server.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use rstest::rstest;
use serde_json::{Value, json};

use super::support::{GROUP, Setup, plain_server, server_path};
use crate::azure::Login;

const VERSION: &str = "2025-08-01";
const DAY: Duration = Duration::from_hours(24);

async fn state(setup: &Setup, path: &str) -> Value {
    setup.get(path).await.body["properties"]["state"].clone()
}

#[tokio::test]
async fn a_server_is_provisioning_until_its_operation_is_polled() {
    let setup = Setup::start().await;
    let path = server_path("orders");
    let accepted = setup.put(&path, VERSION, plain_server()).await;
    assert_eq!(accepted.body["operation"], "UpsertServerManagementOperationV2");
    assert!(accepted.header("location").contains("/locations/norwayeast/operationResults/"));
    // The Azure SDK takes 0 for no answer.
    assert_eq!(accepted.header("retry-after"), "");
    assert_eq!(state(&setup, &path).await, "Provisioning");

    assert_eq!(setup.finish(&accepted).await["status"], "Succeeded");
    let server = setup.get(&path.to_lowercase()).await;
    assert_eq!(server.body["properties"]["state"], "Ready");
    assert_eq!(server.body["properties"]["fullyQualifiedDomainName"], "orders.postgres.database.azure.com");
    assert_eq!(server.body["id"], path);
    assert_eq!(server.body["tags"], json!({"owner": "orders"}));
    assert_eq!(server.header("x-ms-request-id").len(), 36);
}

#[tokio::test]
async fn an_operation_that_takes_time_says_how_long() {
    let setup = Setup::start_with_delay(Duration::from_millis(1600)).await;
    let accepted = setup.put(&server_path("orders"), VERSION, plain_server()).await;
    assert_eq!(accepted.header("retry-after"), "2");
    let result = accepted.header("location").replace(&setup.azure.endpoint(), "");
    assert_eq!(setup.ask(Method::GET, &result, Value::Null).await.status, StatusCode::ACCEPTED);

    setup.control.set_delay(Duration::ZERO).await.expect("a new delay");
    assert_eq!(setup.finish(&accepted).await["status"], "Succeeded");
    assert_eq!(setup.ask(Method::GET, &result, Value::Null).await.body["name"], "orders");
}

#[rstest]
#[case::smaller(json!({"properties": {"storage": {"storageSizeGB": 64}}}), "InvalidParameterValue")]
#[case::older(json!({"properties": {"version": "16"}}), "InvalidParameterValue")]
#[case::elsewhere(json!({"location": "westeurope"}), "InvalidResourceLocation")]
#[case::no_size(json!({"sku": {"name": "Standard_X1", "tier": "Burstable"}}), "ParameterOutOfRange")]
#[case::no_number(json!({"properties": {"storage": {"storageSizeGB": "big"}}}), "InvalidRequestContent")]
#[case::other_name(json!({"name": "billing"}), "MismatchingResourceName")]
#[case::no_tenant(json!({"properties": {"authConfig": {"tenantId": "contoso"}}}), "InvalidParameterValue")]
#[case::key_vault(json!({"properties": {"dataEncryption": {"primaryKeyURI": "https://k"}}}), "NotImplemented")]
#[tokio::test]
async fn a_change_that_azure_refuses_changes_nothing(#[case] change: Value, #[case] code: &str) {
    let setup = Setup::start().await;
    let path = server_path("orders");
    setup.write(&path, plain_server()).await;
    let before = setup.get(&path).await.body;
    let refused = setup.put(&path, VERSION, change).await;
    assert_eq!(refused.code(), code, "{:?}", refused.body);
    assert_eq!(setup.get(&path).await.body, before);
}

#[tokio::test]
async fn a_change_leaves_as_it_is_what_it_does_not_mention() {
    let setup = Setup::start().await;
    let path = server_path("orders");
    setup.write(&path, plain_server()).await;
    setup.write(&path, json!({"properties": {"storage": {"storageSizeGB": 256}}})).await;
    let server = setup.get(&path).await.body;
    assert_eq!(server["properties"]["storage"]["storageSizeGB"], 256);
    assert_eq!(server["sku"]["name"], "Standard_D2ds_v5");
}

#[tokio::test]
async fn a_password_lets_in_once_the_operation_that_brought_it_has_succeeded() {
    let setup = Setup::start().await;
    let path = server_path("orders");
    let with = |password: &str| {
        json!({"properties": {
            "authConfig": {"passwordAuth": "Enabled"},
            "administratorLogin": "dbadmin", "administratorLoginPassword": password,
        }})
    };
    let lets_in = async |password: &str| {
        let login = Login { server: path.clone(), user: "dbadmin".to_owned(), password: password.to_owned() };
        setup.control.login(&login).await.expect("an answer")
    };
    setup.write(&path, plain_server()).await;
    setup.write(&path, with("Correct-Horse-1")).await;
    assert!(lets_in("Correct-Horse-1").await && !lets_in("Correct-Horse-2").await);

    let accepted = setup.put(&path, VERSION, with("Correct-Horse-2")).await;
    assert!(lets_in("Correct-Horse-1").await);
    setup.finish(&accepted).await;
    assert!(lets_in("Correct-Horse-2").await && !lets_in("Correct-Horse-1").await);
    setup.write(&path, json!({"properties": {"authConfig": {"passwordAuth": "Disabled"}}})).await;
    assert!(!lets_in("Correct-Horse-2").await);
}

#[tokio::test]
async fn a_name_is_taken_everywhere_and_after_a_drop() {
    let setup = Setup::start().await;
    setup.write(&server_path("orders"), plain_server()).await;
    let elsewhere = "/subscriptions/00000000-0000-4000-8000-000000000002/resourceGroups/other";
    setup.put(elsewhere, "2020-06-01", json!({"location": "norwayeast"})).await;
    let other = server_path("orders").replace(GROUP, elsewhere);
    let refused = setup.put(&other, VERSION, plain_server()).await;
    assert_eq!((refused.status, refused.code()), (StatusCode::CONFLICT, "ServerNameAlreadyExists"));

    let dropped = setup.delete(&server_path("orders")).await;
    assert_eq!(state(&setup, &server_path("orders")).await, "Dropping");
    setup.finish(&dropped).await;
    assert_eq!(setup.get(&server_path("orders")).await.code(), "ResourceNotFound");
    assert_eq!(setup.put(&other, VERSION, plain_server()).await.code(), "ServerNameAlreadyExists");
    assert_eq!(setup.control.dropped_servers().await.expect("names"), ["orders"]);
    setup.control.forget_dropped_servers().await.expect("forgotten");
    setup.write(&other, plain_server()).await;
}

#[tokio::test]
async fn a_server_does_one_thing_at_a_time() {
    let setup = Setup::start().await;
    let path = server_path("orders");
    let creating = setup.put(&path, VERSION, plain_server()).await;
    let too_soon = setup.put(&format!("{path}/databases/app"), VERSION, json!({"properties": {}})).await;
    let outcome = setup.finish(&too_soon).await;
    assert_eq!((&outcome["status"], &outcome["error"]["code"]), (&json!("Failed"), &json!("ServerIsBusy")));
    assert_eq!(setup.finish(&creating).await["status"], "Succeeded");
    assert_eq!(state(&setup, &path).await, "Ready");
    assert_eq!(setup.get(&format!("{path}/databases/app")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_operation_that_nobody_polls_ends_all_the_same() {
    let setup = Setup::start().await;
    let path = server_path("orders");
    setup.put(&path, VERSION, plain_server()).await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(state(&setup, &path).await, "Ready");
}

#[tokio::test]
async fn a_server_that_is_being_changed_is_not_restarted() {
    let setup = Setup::start().await;
    let path = server_path("orders");
    setup.write(&path, plain_server()).await;
    let changing = setup.put(&path, VERSION, plain_server()).await;
    let restart = format!("{path}/restart?api-version={VERSION}");
    let accepted = setup.ask(Method::POST, &restart, Value::Null).await;
    let outcome = setup.finish(&accepted).await;
    assert_eq!(outcome["error"]["code"], "ServerIsNotReady");
    assert!(
        outcome["error"]["message"]
            .as_str()
            .is_some_and(|why| why.ends_with("Current Server State = Updating"))
    );
    assert_eq!(setup.finish(&changing).await["status"], "Succeeded");
}

#[tokio::test]
async fn azure_says_when_to_ask_again_and_where() {
    let setup = Setup::start().await;
    let path = server_path("orders");
    setup.write(&path, plain_server()).await;
    setup.control.set_delay(Duration::from_mins(5)).await.expect("a delay");
    let asked_after = async |path: &str, body: Value| {
        let accepted = setup.put(path, VERSION, body).await;
        (accepted.header("retry-after").to_owned(), accepted)
    };
    let (after, changing) = asked_after(&path, plain_server()).await;
    let status = changing.header("azure-asyncoperation").replace(&setup.azure.endpoint(), "");
    let polled = setup.ask(Method::GET, &status, Value::Null).await;
    assert_eq!((after.as_str(), polled.header("retry-after")), ("60", "60"));

    let child = format!("{}/databases/app", server_path("billing"));
    setup.control.set_delay(Duration::ZERO).await.expect("no delay");
    setup.write(&server_path("billing"), plain_server()).await;
    setup.control.set_delay(Duration::from_mins(5)).await.expect("a delay");
    assert_eq!(asked_after(&child, json!({"properties": {}})).await.0, "10");

    setup.control.set_delay(Duration::ZERO).await.expect("no delay");
    setup.write(&server_path("archive"), plain_server()).await;
    let dropping = setup.delete(&server_path("archive")).await;
    assert!(dropping.header("location").contains("/locations/Norway%20East/operationResults/"));
    assert_eq!(setup.finish(&dropping).await["status"], "Succeeded");
    setup.control.set_delay(Duration::from_mins(5)).await.expect("a delay");
    assert_eq!(setup.delete(GROUP).await.header("retry-after"), "15");
}

#[tokio::test]
async fn what_lay_on_a_server_that_is_gone_is_missed_by_the_servers_name() {
    let setup = Setup::start().await;
    let path = server_path("orders");
    setup.write(&path, plain_server()).await;
    setup.control.delete_resource(&path).await.expect("deleted");
    let database = format!("{path}/databases/app");
    let words = async || {
        let missing = setup.get(&database).await;
        assert_eq!((missing.status, missing.code()), (StatusCode::NOT_FOUND, "ResourceNotFound"));
        missing.body["error"]["message"].as_str().expect("a message").to_owned()
    };
    let at_first = words().await;
    assert!(
        at_first.starts_with(
            "The Resource 'Microsoft.DBforPostgreSQL/flexibleServers/orders' under resource group"
        )
    );
    let written = setup.put(&database, VERSION, json!({"properties": {}})).await;
    assert_eq!(written.code(), "ParentResourceNotFound");
    setup.control.delete_resource(GROUP).await.expect("deleted");
    assert_eq!(words().await, at_first, "also when the group is gone, too");
}

#[tokio::test]
async fn a_stopped_server_takes_no_change() {
    let setup = Setup::start().await;
    let path = server_path("orders");
    setup.write(&path, plain_server()).await;
    let action = |action: &str| format!("{path}/{action}?api-version={VERSION}");
    let stopping = setup.ask(Method::POST, &action("stop"), Value::Null).await;
    setup.finish(&stopping).await;
    assert_eq!(state(&setup, &path).await, "Stopped");
    assert_eq!(setup.put(&path, VERSION, plain_server()).await.code(), "ServerIsNotReady");
    for impossible in ["restart", "stop"] {
        let accepted = setup.ask(Method::POST, &action(impossible), Value::Null).await;
        let outcome = setup.finish(&accepted).await;
        assert_eq!(outcome["error"]["code"], "ServerIsNotReady");
        assert_eq!(
            outcome["error"]["message"],
            "Restart or Stop Server can only be performed on Started servers. Sever Name = orders, Current Server \
             State = Stopped"
        );
    }
    for hidden in ["configurations", "configurations/work_mem"] {
        let refused = setup.get(&format!("{path}/{hidden}")).await;
        assert_eq!((refused.status, refused.code()), (StatusCode::BAD_REQUEST, "ServerStoppedError"));
    }
    let setting = json!({"properties": {"value": "8192"}});
    let refused = setup.put(&format!("{path}/configurations/work_mem"), VERSION, setting).await;
    assert_eq!(refused.code(), "ServerStoppedError");
    let starting = setup.ask(Method::POST, &action("start"), Value::Null).await;
    setup.finish(&starting).await;
    assert_eq!(state(&setup, &path).await, "Ready");
}

#[tokio::test]
async fn a_server_that_is_made_again_is_younger() {
    let setup = Setup::start().await;
    let path = server_path("orders");
    let created_at = async || {
        let server = setup.get(&path).await.body;
        let first = server["properties"]["backup"]["earliestRestoreDate"].clone();
        (server["systemData"]["createdAt"].clone(), first)
    };
    setup.write(&path, plain_server()).await;
    let before = created_at().await;
    setup.write(&path, plain_server()).await;
    assert_eq!(created_at().await, before, "a change makes no other server of it");
    setup.control.delete_resource(&path).await.expect("deleted");
    setup.control.forget_dropped_servers().await.expect("forgotten");
    setup.write(&path, plain_server()).await;
    let after = created_at().await;
    assert!(
        before.0.as_str() < after.0.as_str() && before.1.as_str() < after.1.as_str(),
        "{before:?} {after:?}"
    );
}

#[tokio::test]
async fn backups_go_back_as_far_as_they_are_kept() {
    let setup = Setup::start().await;
    let path = server_path("orders");
    setup.write(&path, plain_server()).await;
    let first = async || {
        let server = setup.get(&path).await.body;
        let listed = setup.get(path.trim_end_matches("/orders")).await.body;
        assert_eq!(listed["value"][0], server);
        assert_eq!(setup.control.resource(&path).await.expect("an answer").expect("a server").body, server);
        server["properties"]["backup"]["earliestRestoreDate"].as_str().map(str::to_owned)
    };
    let at_first = first().await;
    setup.control.advance_clock(6 * DAY).await.expect("advanced");
    assert_eq!(first().await, at_first);
    setup.control.advance_clock(2 * DAY).await.expect("advanced");
    assert!(first().await > at_first, "seven days are kept");
}

#[tokio::test]
async fn a_name_is_free_after_five_days() {
    let setup = Setup::start().await;
    setup.write(&server_path("orders"), plain_server()).await;
    setup.control.delete_resource(&server_path("orders")).await.expect("deleted");
    setup.control.advance_clock(4 * DAY).await.expect("advanced");
    let taken = setup.put(&server_path("orders"), VERSION, plain_server()).await;
    assert_eq!((taken.status, taken.code()), (StatusCode::CONFLICT, "ServerNameAlreadyExists"));
    setup.control.advance_clock(DAY).await.expect("advanced");
    assert!(setup.control.dropped_servers().await.expect("names").is_empty());
    setup.write(&server_path("orders"), plain_server()).await;
}

#[tokio::test]
async fn a_performance_tier_changes_once_in_twelve_hours() {
    let setup = Setup::start().await;
    let path = server_path("orders");
    setup.write(&path, plain_server()).await;
    let tier = |tier: &str| json!({"properties": {"storage": {"tier": tier}}});
    setup.write(&path, tier("P20")).await;
    setup.write(&path, tier("P20")).await;
    assert_eq!(setup.put(&path, VERSION, tier("P10")).await.code(), "OperationNotAllowed");
    setup.write(&path, json!({"properties": {"storage": {"storageSizeGB": 256}}})).await;
    setup.control.forget_tier_changes().await.expect("forgotten");
    setup.write(&path, tier("P15")).await;
}

#[tokio::test]
async fn databases_rules_and_administrators_lie_on_a_server() {
    let setup = Setup::start().await;
    let path = server_path("orders");
    let database = format!("{path}/databases/app");
    let missing = setup.put(&database, VERSION, json!({"properties": {}})).await;
    assert_eq!((missing.status, missing.code()), (StatusCode::NOT_FOUND, "ParentResourceNotFound"));

    setup.write(&path, plain_server()).await;
    setup.write(&database, json!({"properties": {"charset": "utf8"}})).await;
    assert_eq!(
        setup.get(&database).await.body["properties"],
        json!({"charset": "UTF8", "collation": "en_US.utf8"})
    );
    let listed = setup.get(&format!("{path}/databases")).await.body;
    let names: Vec<&str> =
        listed["value"].as_array().expect("a list").iter().filter_map(|d| d["name"].as_str()).collect();
    assert_eq!(names, ["azure_maintenance", "azure_sys", "postgres", "app"]);

    let rule = json!({"properties": {"startIpAddress": "20.100.0.4", "endIpAddress": "20.100.0.4"}});
    setup.write(&format!("{path}/firewallRules/egress"), rule).await;
    let principal = "00000000-0000-4000-8000-0000000000aa";
    let administrator = json!({"properties": {"principalName": "app", "principalType": "ServicePrincipal"}});
    let administrators = format!("{path}/administrators/{principal}");
    setup.write(&administrators, administrator).await;
    let administrator = setup.get(&administrators).await.body;
    assert_eq!(administrator["properties"]["objectId"], principal);

    let dropping = setup.delete(&database).await;
    setup.finish(&dropping).await;
    assert_eq!(setup.get(&database).await.code(), "ResourceNotFound");
    assert_eq!(setup.delete(&database).await.status, StatusCode::NO_CONTENT);
    assert_eq!(setup.delete(&format!("{path}/databases/postgres")).await.code(), "OperationNotAllowed");
}

#[rstest]
#[case::missing("", "MissingApiVersionParameter")]
#[case::unknown("?api-version=2017-12-01", "NoRegisteredProviderFound")]
#[tokio::test]
async fn an_api_version_is_required(#[case] query: &str, #[case] code: &str) {
    let setup = Setup::start().await;
    let answer = setup.ask(Method::GET, &format!("{}{query}", server_path("orders")), Value::Null).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::BAD_REQUEST, code));
}

#[tokio::test]
async fn what_lies_on_no_server_is_not_listed() {
    let setup = Setup::start().await;
    for children in ["databases", "configurations", "firewallRules"] {
        let missing = setup.get(&format!("{}/{children}", server_path("orders"))).await;
        assert_eq!((missing.status, missing.code()), (StatusCode::NOT_FOUND, "ResourceNotFound"));
    }
    let servers = server_path("").replace(GROUP, &format!("{GROUP}-other"));
    assert_eq!(setup.get(servers.trim_end_matches('/')).await.code(), "ResourceGroupNotFound");
}
