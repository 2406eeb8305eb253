//! Backup vaults, and what makes copies of a server.

use rstest::rstest;
use serde_json::{Value, json};

use super::support::{GROUP, Setup, plain_server, server_path};

const VERSION: &str = "2023-11-01";

fn vault() -> String {
    format!(
        "{}/providers/Microsoft.DataProtection/backupVaults/bv",
        GROUP.replace("rg-databases", "rg-backup")
    )
}

fn instance(name: &str) -> String {
    format!("{}/backupInstances/{name}", vault())
}

fn body(server: &str, policy: &str) -> Value {
    json!({"properties": {
        "objectType": "BackupInstance", "friendlyName": "orders",
        "dataSourceInfo": {
            "objectType": "Datasource", "datasourceType": "Microsoft.DBforPostgreSQL/flexibleServers",
            "resourceID": server_path(server),
        },
        "policyInfo": {"policyId": format!("{}/backupPolicies/{policy}", vault())},
    }})
}

/// With a server, and a vault with one backup policy.
async fn start() -> Setup {
    let setup = Setup::start().await;
    setup.control.create_vault(&vault(), "norwayeast", &["pg-weekly"]).await.expect("a vault");
    let made = setup.put(&server_path("orders"), "2025-08-01", plain_server()).await;
    setup.finish(&made).await;
    setup
}

async fn protect(setup: &Setup) {
    let accepted = setup.put(&instance("orders"), VERSION, body("orders", "pg-weekly")).await;
    assert_eq!(setup.finish(&accepted).await["status"], "Succeeded", "{accepted:?}");
}

async fn state(setup: &Setup) -> Value {
    let found = setup.control.resource(&instance("orders")).await.expect("an answer").expect("an instance");
    found.body["properties"]["currentProtectionState"].clone()
}

#[tokio::test]
async fn a_server_is_protected_and_stays_as_it_is_when_it_is_asked_for_again() {
    let setup = start().await;
    protect(&setup).await;
    assert_eq!(state(&setup).await, "ProtectionConfigured");
    // Who stopped it resumes it by a request of its own.
    setup.control.set_protection(&instance("orders"), "ProtectionStopped", None).await.expect("a change");
    protect(&setup).await;
    assert_eq!(state(&setup).await, "ProtectionStopped");
    assert_eq!(setup.control.lost_recovery_points().await.expect("an answer"), Vec::<String>::new());
}

#[tokio::test]
async fn a_delete_is_noted_as_recovery_points_that_are_lost_and_leaves_what_can_be_undeleted() {
    let setup = start().await;
    protect(&setup).await;
    let accepted = setup
        .ask(
            axum::http::Method::DELETE,
            &format!("{}?api-version={VERSION}", instance("orders")),
            Value::Null,
        )
        .await;
    setup.finish(&accepted).await;
    assert_eq!(state(&setup).await, "SoftDeleted");
    assert_eq!(setup.control.lost_recovery_points().await.expect("an answer"), [instance("orders")]);
}

#[rstest]
#[case::no_such_policy(body("orders", "pg-daily"), "ResourceNotFound")]
#[case::no_such_server(body("billing", "pg-weekly"), "ResourceNotFound")]
#[case::of_no_type(json!({"properties": {"objectType": "BackupInstance"}}), "InvalidRequestContent")]
#[tokio::test]
async fn what_can_not_be_protected_is_refused(#[case] body: Value, #[case] code: &str) {
    let setup = start().await;
    assert_eq!(setup.put(&instance("orders"), VERSION, body).await.code(), code);
}

#[tokio::test]
async fn a_server_is_protected_once_and_only_in_a_vault_that_is_there() {
    let setup = start().await;
    protect(&setup).await;
    let again = setup.put(&instance("again"), VERSION, body("orders", "pg-weekly")).await;
    assert_eq!(again.code(), "UserErrorDatasourceAlreadyProtected");
    let elsewhere = instance("orders").replace("/bv/", "/other/");
    assert_eq!(
        setup.put(&elsewhere, VERSION, body("orders", "pg-weekly")).await.code(),
        "ParentResourceNotFound"
    );
    let vault_by_arm = setup.put(&vault(), VERSION, json!({"location": "norwayeast"})).await;
    assert_eq!(vault_by_arm.code(), "MethodNotAllowed");
}
