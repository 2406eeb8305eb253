//! Resource groups.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use rstest::rstest;
use serde_json::{Value, json};

use super::support::{GROUP, Setup, plain_server, server_path};

#[tokio::test]
async fn a_group_takes_what_is_in_it_along() {
    let setup = Setup::start().await;
    setup.write(&server_path("orders"), plain_server()).await;
    let deleting = setup.delete(GROUP).await;
    assert_eq!(deleting.status, StatusCode::ACCEPTED);
    let refused = setup.put(&server_path("billing"), "2025-08-01", plain_server()).await;
    assert_eq!((refused.status, refused.code()), (StatusCode::CONFLICT, "ResourceGroupBeingDeleted"));

    for method in [Method::PUT, Method::PATCH] {
        let url = format!("{GROUP}?api-version=2020-06-01");
        let refused = setup.ask(method, &url, json!({"location": "norwayeast"})).await;
        assert_eq!((refused.status, refused.code()), (StatusCode::CONFLICT, "ResourceGroupBeingDeleted"));
    }

    let result = deleting.header("location").replace(&setup.azure.endpoint(), "");
    assert_eq!(setup.ask(Method::GET, &result, Value::Null).await.status, StatusCode::OK);
    assert_eq!(setup.get(&server_path("orders")).await.code(), "ResourceGroupNotFound");
    assert!(setup.control.resources().await.expect("resources").is_empty());
}

#[tokio::test]
async fn a_group_is_there_or_not() {
    let setup = Setup::start().await;
    let head = async |path: &str| {
        setup.ask(Method::HEAD, &format!("{path}?api-version=2020-06-01"), Value::Null).await.status
    };
    assert_eq!(head(GROUP).await, StatusCode::NO_CONTENT);
    assert_eq!(head(&GROUP.to_lowercase()).await, StatusCode::NO_CONTENT);
    assert_eq!(head(&format!("{GROUP}-other")).await, StatusCode::NOT_FOUND);
    assert_eq!(setup.delete(&format!("{GROUP}-other")).await.code(), "ResourceGroupNotFound");
}

#[rstest]
#[case::server(server_path("orders"), "2025-08-01")]
#[case::identity(
    format!("{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/orders"),
    "2023-01-31"
)]
#[case::group(GROUP.to_owned(), "2020-06-01")]
#[tokio::test]
async fn no_resource_takes_a_tag_that_azure_refuses(#[case] path: String, #[case] version: &str) {
    let setup = Setup::start().await;
    let mut body =
        if path.contains("flexibleServers") { plain_server() } else { json!({"location": "norwayeast"}) };
    for method in [Method::PUT, Method::PATCH] {
        body["tags"] = json!({"cost/center": "1"});
        let refused = setup.ask(method, &format!("{path}?api-version={version}"), body.clone()).await;
        assert_eq!((refused.status, refused.code()), (StatusCode::BAD_REQUEST, "InvalidTagNameCharacters"));
    }
    body["tags"] = json!({"CostCenter": "1", "costcenter": "2"});
    let taken = setup.put(&path, version, body).await;
    if taken.status == StatusCode::ACCEPTED {
        setup.finish(&taken).await;
    }
    assert_eq!(setup.get(&path).await.body["tags"], json!({"CostCenter": "2"}));
}

#[tokio::test]
async fn a_group_stays_in_its_region() {
    let setup = Setup::start().await;
    let moved = setup.put(GROUP, "2020-06-01", json!({"location": "westeurope"})).await;
    assert_eq!((moved.status, moved.code()), (StatusCode::CONFLICT, "InvalidResourceGroupLocation"));
}

#[tokio::test]
async fn what_is_being_created_in_a_group_goes_with_it() {
    let setup = Setup::start().await;
    setup.write(&server_path("orders"), plain_server()).await;
    setup.control.set_delay(Duration::from_mins(1)).await.expect("a delay");
    let database = format!("{}/databases/app", server_path("orders"));
    let creating = setup.put(&database, "2025-08-01", json!({"properties": {}})).await;
    setup.control.set_delay(Duration::ZERO).await.expect("no delay");
    let deleting = setup.delete(GROUP).await;
    let result = deleting.header("location").replace(&setup.azure.endpoint(), "");
    assert_eq!(setup.ask(Method::GET, &result, Value::Null).await.status, StatusCode::OK);
    assert_eq!(setup.finish(&creating).await["status"], "Canceled");
    assert!(setup.control.resources().await.expect("resources").is_empty());
}

#[tokio::test]
async fn a_group_can_be_there_without_a_request() {
    let setup = Setup::start().await;
    setup.control.clear_requests().await.expect("cleared");
    setup.azure.create_resource_group("00000000-0000-4000-8000-000000000001", "rg-mine", "Norway East");
    let group = setup.control.resource(&GROUP.replace("rg-databases", "rg-mine")).await;
    assert_eq!(group.expect("an answer").expect("a group").body["location"], "norwayeast");
    assert!(setup.control.requests().await.expect("a log").is_empty());
}
