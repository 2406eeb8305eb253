//! Resource groups.

use axum::http::{Method, StatusCode};
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

#[tokio::test]
async fn a_group_stays_in_its_region() {
    let setup = Setup::start().await;
    let moved = setup.put(GROUP, "2020-06-01", json!({"location": "westeurope"})).await;
    assert_eq!((moved.status, moved.code()), (StatusCode::CONFLICT, "InvalidResourceGroupLocation"));
}
