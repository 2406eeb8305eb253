//! Managed identities and their federated credentials.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::support::{GROUP, Setup, TENANT};
use crate::azure::arm::{federated_credential::Turn, resource_id::ResourceId};

const VERSION: &str = "2023-01-31";

fn identity_path(name: &str) -> String {
    format!("{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}")
}

fn credential(subject: &str) -> Value {
    json!({"properties": {
        "issuer": "https://oidc.example/",
        "subject": subject,
        "audiences": ["api://AzureADTokenExchange"],
    }})
}

async fn with_identity() -> (Setup, String) {
    let setup = Setup::start().await;
    let path = identity_path("orders");
    let created = setup.put(&path, VERSION, json!({"location": "norwayeast"})).await;
    assert_eq!(created.status, StatusCode::CREATED);
    (setup, path)
}

#[tokio::test]
async fn an_identity_keeps_its_ids() {
    let (setup, path) = with_identity().await;
    let before = setup.get(&path).await.body;
    assert_eq!(before["properties"]["tenantId"], TENANT);
    assert_ne!(before["properties"]["clientId"], before["properties"]["principalId"]);
    let again = setup.put(&path, VERSION, json!({"location": "norwayeast", "tags": {"a": "b"}})).await;
    assert_eq!(again.status, StatusCode::OK);
    assert_eq!(again.body["properties"], before["properties"]);
}

#[tokio::test]
async fn an_identity_that_is_made_again_is_another_one() {
    let (setup, path) = with_identity().await;
    let ids = async || setup.get(&path).await.body["properties"].clone();
    let before = ids().await;
    setup.delete(&path).await;
    setup.put(&path, VERSION, json!({"location": "norwayeast"})).await;
    let after = ids().await;
    assert_ne!(before["principalId"], after["principalId"]);
    assert_ne!(before["clientId"], after["clientId"]);
    setup.control.delete_resource(&path).await.expect("deleted");
    setup.put(&path, VERSION, json!({"location": "norwayeast"})).await;
    assert_ne!(after["principalId"], ids().await["principalId"], "also if somebody else deleted it");
}

#[tokio::test]
async fn an_issuer_and_subject_come_once() {
    let (setup, path) = with_identity().await;
    let put = async |name: &str, subject: &str| {
        setup.put(&format!("{path}/federatedIdentityCredentials/{name}"), VERSION, credential(subject)).await
    };
    assert_eq!(put("first", "one").await.status, StatusCode::CREATED);
    assert_eq!(put("first", "one").await.status, StatusCode::OK);
    assert_eq!(put("second", "one").await.status, StatusCode::CONFLICT);
    assert_eq!(put("second", "two").await.status, StatusCode::CREATED);
    assert_eq!(
        setup.delete(&format!("{path}/federatedIdentityCredentials/first")).await.status,
        StatusCode::OK
    );
    let gone = setup.get(&format!("{path}/federatedIdentityCredentials/first")).await;
    assert_eq!((gone.status, gone.code()), (StatusCode::NOT_FOUND, "NotFound"));
}

#[tokio::test]
async fn credentials_of_one_identity_are_written_in_turn() {
    let (setup, path) = with_identity().await;
    let credentials = format!("{path}/federatedIdentityCredentials");
    let first = ResourceId::parse(&format!("{credentials}/one")).expect("an id");
    let turn = Turn::take(&setup.azure.shared, &first).await.expect("the first").expect("a turn");
    let second = format!("{credentials}/two");
    assert_eq!(setup.put(&second, VERSION, credential("two")).await.status, StatusCode::CONFLICT);
    drop(turn);
    assert_eq!(setup.put(&second, VERSION, credential("two")).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_deleted_identity_takes_its_credentials_along() {
    let (setup, path) = with_identity().await;
    let credential_path = format!("{path}/federatedIdentityCredentials/one");
    setup.put(&credential_path, VERSION, credential("one")).await;
    assert_eq!(setup.delete(&path).await.status, StatusCode::OK);
    assert_eq!(setup.delete(&path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(setup.get(&credential_path).await.code(), "ParentResourceNotFound");
}
