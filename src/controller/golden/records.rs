//! One pass over one `RetainedDatabase`: what is written because of it.

use std::sync::Arc;

use api::RetainedDatabase;
use serde_json::{Value, json};

use super::{There, api_server::ApiServer, context};
use crate::{
    azure::RECONCILE_POLICY,
    controller::{
        caches::{Caches, Health},
        context::Context,
        retained::reconcile::reconcile,
    },
};

const SERVER: &str = "prod-1-orders-main-fa6e2486";

fn there() -> There {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/controller/golden/cases/ready/there.yaml");
    There::read(path.as_ref())
}

/// All that stands for orders/main, at work, with this change to its server's metadata.
fn at_work(metadata: &Value) -> Vec<Value> {
    let mut cluster = there().cluster;
    let server = cluster.iter_mut().find(|object| object["kind"] == "FlexibleServer").unwrap();
    server["metadata"].as_object_mut().unwrap().extend(metadata.as_object().unwrap().clone());
    cluster
}

fn record(reason: &str, annotations: &Value) -> Value {
    json!({
        "apiVersion": "altinn.app/v1alpha1", "kind": "RetainedDatabase",
        "metadata": {
            "name": SERVER, "namespace": "database-operator", "generation": 1, "resourceVersion": "9",
            "annotations": annotations,
        },
        "spec": {
            "database": "orders/main", "server": {"name": SERVER}, "reason": "Deleted",
            "since": "2026-11-24T12:00:00Z",
        },
        "status": {"conditions": [{
            "type": "Ready", "status": "False", "reason": reason, "message": "",
            "lastTransitionTime": "2026-11-24T12:00:00Z",
        }]},
    })
}

/// The annotations with which its end is asked for, whatever the day is.
fn destroy() -> Value {
    let tomorrow = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date().tomorrow().unwrap();
    let confirmation = format!("orders/main@{tomorrow}");
    json!({"altinn.app/retention": "Destroy", "altinn.app/confirm-destroy": confirmation})
}

async fn pass_with(record: &Value, cluster: &[Value], caches: Caches) -> ApiServer {
    let all = [cluster.to_vec(), vec![record.clone()]].concat();
    let server = ApiServer::holding(&all);
    let there = There { cluster: all, ..there() };
    let context = Context { caches, ..context(&there, server.client()) };
    let record: RetainedDatabase = serde_json::from_value(record.clone()).unwrap();
    Box::pin(reconcile(Arc::new(record), Arc::new(context))).await.unwrap();
    server
}

async fn pass(record: &Value, cluster: &[Value]) -> ApiServer {
    pass_with(record, cluster, Caches::holding(cluster, &Health::Synced)).await
}

fn reason(server: &ApiServer) -> Option<String> {
    let status = server.status_written()?;
    Some(status["conditions"][0]["reason"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_record_says_nothing_while_nobody_knows_which_ways_in_are_open() {
    let (record, cluster) = (record("Kept", &json!({})), at_work(&json!({})));
    // Until they are filled, there seems to be nothing to close.
    let server = pass_with(&record, &cluster, Caches::holding(&[], &Health::Starting)).await;
    assert_eq!((reason(&server), server.written()), (None, "nothing".to_owned()));
    assert_eq!(reason(&pass(&record, &cluster).await).as_deref(), Some("Kept"));
}

#[tokio::test]
async fn a_destroy_that_an_apply_has_overtaken_is_undone_though_the_database_is_stuck() {
    let mut cluster = at_work(&json!({"annotations": {RECONCILE_POLICY: "manage"}}));
    cluster.push(json!({
        "apiVersion": "altinn.app/v1alpha1", "kind": "Database", "spec": {},
        "metadata": {"name": "main", "namespace": "orders", "uid": "u"},
        "status": {"conditions": []},
    }));
    let written = pass(&record("Kept", &destroy()), &cluster).await.written();
    assert!(written.contains("flexibleservers/prod-1-orders-main-fa6e2486"), "{written}");
    assert!(written.contains("reconcile-policy: detach-on-delete"), "{written}");
}

#[tokio::test]
async fn that_a_destroy_was_taken_back_is_written_down_before_anything_else() {
    for policy in ["manage", "detach-on-delete"] {
        let cluster = at_work(&json!({"annotations": {RECONCILE_POLICY: policy}}));
        let server = pass(&record("Destroying", &json!({})), &cluster).await;
        assert_eq!(
            (reason(&server).as_deref(), server.written()),
            (Some("Kept"), "nothing".to_owned()),
            "{policy}"
        );
    }
}

#[tokio::test]
async fn an_object_that_somebody_else_lets_go_of_is_not_taken_for_the_server_that_is_destroyed() {
    let going = json!({"deletionTimestamp": "2026-11-24T12:00:00Z"});
    let server = pass(&record("Kept", &destroy()), &at_work(&going)).await;
    assert_eq!((reason(&server), server.written()), (None, "nothing".to_owned()));
}

#[tokio::test]
async fn what_azure_was_told_stays_written_down_while_a_kind_is_missing() {
    let without_aso = || Caches::holding(&[], &Health::UnknownKind);
    let server = pass_with(&record("Destroying", &destroy()), &[], without_aso()).await;
    assert_eq!(reason(&server), None);
    let server = pass_with(&record("Kept", &destroy()), &[], without_aso()).await;
    assert_eq!(reason(&server).as_deref(), Some("AzureServiceOperatorMissing"));
}

#[tokio::test]
async fn the_object_of_a_kept_server_is_made_to_look_where_the_server_was() {
    let mut record = record("Kept", &json!({}));
    record["spec"]["server"]["id"] = json!(format!(
        "/subscriptions/other/resourceGroups/rg-old/providers/Microsoft.DBforPostgreSQL/flexibleServers/{SERVER}"
    ));
    record["spec"]["lastSpec"] = json!({"version": 17, "sku": "Standard_B2s", "storage": {"sizeGiB": 64}});
    let written = pass(&record, &[]).await.written();
    assert!(written.contains("reconcile-policy: skip") && written.contains("tags: {}"), "{written}");
    assert!(written.contains("armId: /subscriptions/other/resourceGroups/rg-old\n"), "{written}");
    assert_eq!(written.matches("PATCH").count(), 1, "{written}");
}
