//! Passes over a `RetainedDatabase` that a case in `kept/` can't tell: more than one, or with caches that are behind.

use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::http::Request;
use kube::client::Body;
use serde_json::{Value, json};

use super::{
    EXAMPLE, There,
    api_server::ApiServer,
    client_of, context, in_force,
    kept::{Kept, Look, SERVER, at_work, destroy, pass, pass_after_a_look, pass_with, record, there},
};
use crate::{
    azure::RECONCILE_POLICY,
    controller::{
        engine::cache::Health,
        retained::{reconcile::reconcile, sweep},
        server::{caches::Caches, context::Context},
    },
};

fn reason(server: &ApiServer) -> Option<String> {
    let status = server.status_written()?;
    Some(status["conditions"][0]["reason"].as_str().unwrap().to_owned())
}

// Time is paused: the pass waits for the first lists.
#[tokio::test(start_paused = true)]
async fn a_record_says_nothing_while_nobody_knows_which_ways_in_are_open() {
    let (record, cluster) = (record("Kept", &json!({})), at_work(&json!({})));
    // Until they are filled, there seems to be nothing to close.
    let server = pass_with(&record, &cluster, Caches::holding(&[], &Health::Starting), Look::Old).await;
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

/// Who has copied the old one may still reach the server from within its network.
#[tokio::test]
async fn the_password_of_a_kept_server_is_changed_once() {
    let path =
        concat!(env!("CARGO_MANIFEST_DIR"), "/src/controller/golden/cases/password_is_taken/there.yaml");
    let mut cluster = There::read(path.as_ref()).cluster;
    let server = cluster.iter_mut().find(|object| object["kind"] == "FlexibleServer").unwrap();
    server["metadata"]["uid"] = json!("s");
    let record = record("Kept", &json!({}));
    let written = pass(&record, &cluster).await.written();
    assert!(written.contains("password-NEW: a new one"), "{written}");
    assert!(written.contains("key: password-NEW"), "and Azure is told of it: {written}");
    // An object that is gone by now isn't made again by that: nobody has looked what Azure has.
    assert!(written.contains("uid: s\n"), "{written}");
    // It has been made since the server is kept.
    let key = "password-20261124T120001Z";
    for object in &mut cluster {
        if object["kind"] == "FlexibleServer" {
            object["spec"]["administratorLoginPassword"]["key"] = json!(key);
        } else if object["metadata"]["name"] == format!("{SERVER}-admin") {
            object["data"] = json!({key: "bmV3ZXI="});
        }
    }
    let written = pass(&record, &cluster).await.written();
    assert!(!written.contains("-admin\n") && !written.contains("administratorLogin"), "{written}");
    // Since then a Database had the server, and went.
    let server = cluster.iter_mut().find(|object| object["kind"] == "FlexibleServer").unwrap();
    server["status"]["tags"]["database-operator-taken"] = json!("2026-11-24T12:00:02Z");
    let written = pass(&record, &cluster).await.written();
    assert!(written.contains("key: password-NEW"), "{written}");
}

/// Who takes it out again doesn't destroy anything by that.
#[tokio::test]
async fn what_is_said_on_a_record_takes_an_end_that_was_confirmed_back_for_good() {
    for (annotations, until) in
        [(json!({"altinn.app/retention": "Retain"}), Value::Null), (json!({}), json!("2026-12-24T12:00:00Z"))]
    {
        let mut record = record("DestroyConfirmed", &annotations);
        record["spec"]["until"] = until;
        record["status"]["confirmed"] =
            json!({"confirmation": "orders/main@2026-11-24", "destroyAt": "2026-11-24T13:00:00Z"});
        let status = pass(&record, &at_work(&json!({}))).await.status_written().unwrap();
        assert_eq!(status["confirmed"], Value::Null, "{status}");
    }
}

/// One pass over the `Database` that is deleted with this said on it, while there is this record.
async fn pass_over_deleted(annotations: &Value, record: &Value) -> ApiServer {
    let database = json!({
        "apiVersion": "altinn.app/v1alpha1", "kind": "Database", "spec": {},
        "metadata": {
            "name": "main", "namespace": "orders", "uid": "u", "resourceVersion": "5", "annotations": annotations,
            "deletionTimestamp": "2026-11-24T12:00:00Z", "finalizers": ["altinn.app/retain-data"],
        },
        "status": {"conditions": [], "server": {"name": SERVER, "id": "/s"}},
    });
    let cluster = [at_work(&json!({})), vec![record.clone(), database.clone()]].concat();
    let server = ApiServer::holding(&cluster);
    let context = Arc::new(context(&There { cluster, ..there() }, server.client()));
    Box::pin(super::reconcile(Arc::new(serde_json::from_value(database).unwrap()), context)).await.unwrap();
    server
}

/// Or what was said at another time, and its age, would count for this delete.
#[tokio::test]
async fn a_record_of_an_earlier_delete_goes_before_this_one_is_recorded() {
    let mut record = record("KeptUntil", &json!({}));
    record["spec"]["since"] = json!("2026-11-20T12:00:00Z");
    record["spec"]["until"] = json!("2026-11-24T12:00:01Z");
    let server = pass_over_deleted(&json!({"altinn.app/retention": "Retain"}), &record).await;
    let written = server.written();
    assert!(written.contains("DELETE") && written.contains("/retaineddatabases/"), "{written}");
    assert!(!written.contains("/namespaces/orders/databases/main"), "its finalizer stays: {written}");
    assert_eq!(server.status_written().unwrap()["settled"], "Recovered");
}

/// They may have said it to stop this very end.
#[tokio::test]
async fn what_somebody_said_on_a_record_stops_the_end_of_the_delete_that_came_before_it() {
    let retain = record("Kept", &json!({"altinn.app/retention": "Retain"}));
    // The record of this very delete: written, and read by somebody before its end was noted on it.
    let server = pass_over_deleted(&destroy(), &retain).await;
    assert_eq!(server.status_written(), None, "nothing is confirmed: {}", server.written());
    // One of an earlier delete.
    let put_off = {
        let mut record = record("KeptUntil", &json!({}));
        record["spec"]["until"] = json!("2026-12-24T12:00:00Z");
        record
    };
    for (mut record, word) in
        [(retain, "is annotated with altinn.app/retention"), (put_off, "has spec.until 2026-12-24T12")]
    {
        record["spec"]["since"] = json!("2026-11-20T12:00:00Z");
        let server = pass_over_deleted(&destroy(), &record).await;
        let written = server.written();
        assert!(!written.contains("DELETE"), "the record stays: {written}");
        assert!(written.contains("/namespaces/orders/databases/main"), "and the finalizer goes: {written}");
        let told = server.events();
        assert!(told.contains(&format!("which was there before this delete, {word}")), "{told}");
        assert!(!told.contains("destroyed then"), "{told}");
        // Its own end was of another time.
        let inherited = server.status_written().unwrap_or_default()["inheritedUntil"].clone();
        assert_eq!(inherited, record["spec"]["until"]);
    }
}

/// What knows of the data goes after them.
#[tokio::test]
async fn while_the_server_is_on_its_way_nothing_else_goes() {
    let going = json!({
        "deletionTimestamp": "2026-11-24T12:00:00Z", "finalizers": ["serviceoperator.azure.com/finalizer"],
        "annotations": {RECONCILE_POLICY: "manage"},
    });
    let mut cluster = at_work(&going);
    let written = pass(&record("Destroying", &destroy()), &cluster).await.written();
    assert_eq!(written, "nothing");
    cluster.retain(|object| object["kind"] != "FlexibleServer");
    let written = pass(&record("Destroying", &destroy()), &cluster).await.written();
    assert!(written.contains("DELETE") && !written.contains("/userassignedidentities/"), "{written}");
    // The identity is last.
    cluster.retain(|object| object["kind"] == "UserAssignedIdentity");
    let written = pass(&record("Destroying", &destroy()), &cluster).await.written();
    assert!(written.contains("/userassignedidentities/"), "{written}");
}

/// It may be about somebody else's server.
#[tokio::test]
async fn an_object_that_only_looks_tells_azure_nothing() {
    let mut cluster = with_policy("skip");
    let server = cluster.iter_mut().find(|object| object["kind"] == "FlexibleServer").unwrap();
    server["spec"]["tags"] = json!({});
    server["status"] = json!({"conditions": [{
        "type": "Ready", "status": "False", "severity": "Warning", "reason": "AuthorizationFailed", "message": "no right",
        "observedGeneration": 1,
    }]});
    let server = pass_after_a_look(&record("Kept", &destroy()), &cluster).await;
    let written = server.written();
    assert!(!written.contains("manage") && !written.contains("DELETE"), "{written}");
    assert_eq!(reason(&server).as_deref(), Some("DestroyImpossible"), "{written}");
    let server = pass_after_a_look(&record("Destroying", &destroy()), &cluster).await;
    let written = server.written();
    assert!(!written.contains("manage") && !written.contains("DELETE"), "{written}");
}

/// What is left with the marks of the former one would stay behind when the server is destroyed.
#[tokio::test]
async fn all_that_stands_for_a_server_is_given_to_the_database_that_recovers_it() {
    let cluster = at_work(&json!({}));
    let mut record = record("Kept", &json!({}));
    record["spec"]["database"] = json!("orders/other");
    record["spec"]["formerly"] = json!("orders/main");
    let written = pass(&record, &cluster).await.written();
    let is_ours = |object: &&Value| object["metadata"]["namespace"] == "database-operator";
    let ours: Vec<&Value> = cluster.iter().filter(is_ours).collect();
    assert!(ours.len() >= 6, "{ours:?}");
    assert_eq!(written.matches("PATCH").count(), ours.len(), "{written}");
    assert_eq!(written.matches("altinn.app/database-name: other").count(), ours.len(), "{written}");
}

/// The cache of Databases may be behind.
#[tokio::test]
async fn a_server_gets_a_record_only_when_the_api_server_has_no_database_of_it() {
    let database = json!({
        "apiVersion": "altinn.app/v1alpha1", "kind": "Database", "spec": {},
        "metadata": {"name": "main", "namespace": "orders", "uid": "u"},
    });
    for is_there in [true, false] {
        let cluster = at_work(&json!({}));
        let known = [cluster.clone(), is_there.then(|| database.clone()).into_iter().collect()].concat();
        let server = ApiServer::holding(&known);
        let context = context(&There { cluster, ..there() }, server.client());
        sweep::once(&context, &context.databases).await;
        let written = server.written();
        assert_eq!(written.contains("/retaineddatabases"), !is_there, "{written}");
        let told = format!(
            "Warning OwnerLost: Database orders/main is gone, and nobody has decided what becomes of its data. \
                            Server {SERVER} is kept; apply the manifest again to bring it back"
        );
        assert_eq!(server.events(), if is_there { "nothing" } else { &told });
    }
}

/// The record may be in the cache for a moment after it has gone.
#[tokio::test]
async fn that_the_data_are_back_is_told_once() {
    let mut cluster = at_work(&json!({}));
    cluster.push(json!({
        "apiVersion": "altinn.app/v1alpha1", "kind": "Database", "spec": {},
        "metadata": {"name": "main", "namespace": "orders", "uid": "u"},
        "status": {"conditions": [], "server": {"name": SERVER}},
    }));
    for is_told in [false, true] {
        let mut record = record(if is_told { "Recovered" } else { "Kept" }, &json!({}));
        if is_told {
            record["status"]["settled"] = json!("Recovered");
        }
        let server = pass(&record, &cluster).await;
        assert!(server.written().contains("DELETE"), "{}", server.written());
        // Of the Database, and of the record.
        let told = server.events().matches("Recovered").count();
        assert_eq!(told, if is_told { 0 } else { 2 }, "{}", server.events());
    }
}

/// The cache doesn't show it yet.
#[tokio::test]
async fn a_record_on_which_something_was_said_a_moment_ago_is_looked_at_again() {
    let mut cluster = at_work(&json!({}));
    cluster.push(json!({
        "apiVersion": "altinn.app/v1alpha1", "kind": "Database", "spec": {},
        "metadata": {"name": "main", "namespace": "orders", "uid": "u"},
        "status": {"conditions": [], "server": {"name": SERVER}},
    }));
    for (annotations, goes) in [(json!({}), true), (json!({"altinn.app/retention": "Retain"}), false)] {
        let all = [cluster.clone(), vec![record("Kept", &annotations)]].concat();
        let server = ApiServer::holding(&all);
        let context = Arc::new(context(&There { cluster: all, ..there() }, server.client()));
        let cached = serde_json::from_value(record("Kept", &json!({}))).unwrap();
        Box::pin(reconcile(Arc::new(cached), context)).await.unwrap();
        assert_eq!(server.written().contains("DELETE"), goes, "{}", server.written());
    }
}

/// The record is written while the `Database` is on its way, and bears our finalizer still. What another record says is of a
/// time before the `Database` was there again.
#[tokio::test]
async fn a_database_takes_back_each_end_but_that_of_its_own_delete() {
    let mut record = record("KeptUntil", &json!({}));
    record["spec"]["until"] = json!("2026-12-08T12:00:00Z");
    let until = record["spec"]["until"].clone();
    for (going, expected) in [
        (record["spec"]["since"].clone(), Value::Null),
        (json!("2026-11-24T12:00:01Z"), until.clone()),
        (Value::Null, until),
    ] {
        let mut cluster = at_work(&json!({}));
        cluster.push(json!({
            "apiVersion": "altinn.app/v1alpha1", "kind": "Database", "spec": {},
            "metadata": {
                "name": "main", "namespace": "orders", "uid": "u", "deletionTimestamp": going,
                "finalizers": ["altinn.app/retain-data"],
            },
            "status": {"conditions": []},
        }));
        let status = pass(&record, &cluster).await.status_written().unwrap_or_default();
        assert_eq!(status["inheritedUntil"], expected, "{going}");
    }
}

/// Nothing but the record tells of its server, whose object isn't there.
#[tokio::test]
async fn a_database_that_goes_before_it_has_its_server_back_leaves_no_end_standing() {
    let mut record = record("KeptUntil", &json!({}));
    record["spec"]["until"] = json!("2026-12-08T12:00:00Z");
    let database = json!({
        "apiVersion": "altinn.app/v1alpha1", "kind": "Database", "spec": {},
        "metadata": {
            "name": "main", "namespace": "orders", "uid": "u", "resourceVersion": "5",
            "deletionTimestamp": "2026-11-24T12:00:00Z", "finalizers": ["altinn.app/retain-data"],
        },
    });
    let cluster = vec![record.clone(), database.clone()];
    let server = ApiServer::holding(&cluster);
    let context = Arc::new(context(&There { cluster, ..there() }, server.client()));
    let database = Arc::new(serde_json::from_value(database).unwrap());
    Box::pin(super::reconcile(database, context)).await.unwrap();
    let status = server.status_written().unwrap();
    assert_eq!(status["inheritedUntil"], record["spec"]["until"]);
    assert!(server.written().contains("/namespaces/orders/databases/main"), "and its finalizer goes");
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
    for look in [Look::Old, Look::Fresh] {
        let cluster = at_work(&going);
        let caches = Caches::holding(&cluster, &Health::Synced);
        let server = pass_with(&record("Kept", &destroy()), &cluster, caches, look).await;
        assert_eq!((reason(&server), server.written()), (None, "nothing".to_owned()));
    }
}

/// Or the object that is made then would have to be made anew once more.
#[tokio::test]
async fn what_is_over_and_has_no_object_is_looked_for_anew_by_the_next_one() {
    let mut ended = record("Kept", &json!({}));
    json_patch::merge(
        &mut ended,
        &json!({
            "metadata": {"creationTimestamp": "2026-11-01T12:00:00Z"},
            "spec": {"since": "2026-11-01T13:00:00Z", "until": "2026-11-24T12:00:00Z"},
            "status": {"warnedAt": "2026-11-23T12:00:00Z"},
        }),
    );
    for (record, expected) in [(ended, true), (record("Kept", &json!({})), false)] {
        let cluster: Vec<Value> =
            there().cluster.into_iter().filter(|object| object["kind"] != "FlexibleServer").collect();
        let server = ApiServer::holding(&[cluster.clone(), vec![record.clone()]].concat());
        let context = Arc::new(context(&There { cluster, ..there() }, server.client()));
        let record = Arc::new(serde_json::from_value(record).unwrap());
        Box::pin(reconcile(record, context.clone())).await.unwrap();
        assert_eq!(context.looks.is_asked(SERVER), expected);
    }
}

#[tokio::test]
async fn what_azure_was_told_stays_written_down_while_a_kind_is_missing() {
    let without_aso = || Caches::holding(&[], &Health::UnknownKind);
    let server = pass_with(&record("Destroying", &destroy()), &[], without_aso(), Look::Old).await;
    assert_eq!(reason(&server), None);
    let server = pass_with(&record("Kept", &destroy()), &[], without_aso(), Look::Old).await;
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

/// The server's object, with this reconcile policy, at work.
fn with_policy(policy: &str) -> Vec<Value> {
    at_work(&json!({"uid": "today's", "annotations": {RECONCILE_POLICY: policy}}))
}

const OBJECT: &str = "flexibleservers/prod-1-orders-main-fa6e2486";

#[tokio::test]
async fn what_is_to_be_destroyed_is_looked_for_anew_first() {
    // The objects of the ways in go with the server's, and whoever keeps it after all would have them open.
    let written = pass(&record("Kept", &destroy()), &with_policy("skip")).await.written();
    assert!(written.contains("reconcile-policy: manage") && !written.contains(OBJECT), "{written}");
    let closed = |policy| {
        let is_way_in = |object: &Value| {
            ["FederatedIdentityCredential", "FlexibleServersFirewallRule"]
                .map(Value::from)
                .contains(&object["kind"])
        };
        with_policy(policy).into_iter().filter(|object| !is_way_in(object)).collect::<Vec<_>>()
    };
    let server = pass(&record("Kept", &destroy()), &closed("skip")).await;
    let written = server.written();
    assert!(written.starts_with("DELETE ") && written.contains(OBJECT), "{written}");
    assert_eq!(written.matches("DELETE").count(), 1, "{written}");
    // An older destroy is undone before its object is let go of, or Azure would be told.
    let written = pass(&record("Kept", &destroy()), &closed("manage")).await.written();
    assert!(
        written.contains("reconcile-policy: detach-on-delete") && !written.contains("DELETE"),
        "{written}"
    );
    // And what was written down is taken back before that, or the object, once it is gone, would be taken for destroyed.
    let server = pass(&record("Destroying", &destroy()), &with_policy("manage")).await;
    assert_eq!((reason(&server).as_deref(), server.written()), (Some("Kept"), "nothing".to_owned()));
}

#[tokio::test]
async fn destroying_is_prepared_then_written_down_then_told() {
    let written =
        pass_after_a_look(&record("Kept", &destroy()), &with_policy("detach-on-delete")).await.written();
    assert!(written.contains("reconcile-policy: manage") && !written.contains("DELETE"), "{written}");
    let server = pass_after_a_look(&record("Kept", &destroy()), &with_policy("manage")).await;
    assert_eq!((reason(&server).as_deref(), server.written()), (Some("Destroying"), "nothing".to_owned()));
    let written =
        pass_after_a_look(&record("Destroying", &destroy()), &with_policy("manage")).await.written();
    assert!(written.starts_with("DELETE ") && written.contains(OBJECT), "{written}");
}

#[tokio::test]
async fn what_is_not_there_is_not_taken_for_destroyed() {
    let cluster: Vec<Value> =
        at_work(&json!({})).into_iter().filter(|object| object["kind"] != "FlexibleServer").collect();
    for look in [Look::Old, Look::Fresh] {
        let caches = Caches::holding(&cluster, &Health::Synced);
        let server = pass_with(&record("Kept", &destroy()), &cluster, caches, look).await;
        let written = server.written();
        assert!(
            written.contains(OBJECT) && written.contains("reconcile-policy: skip"),
            "it is looked for: {written}"
        );
        assert_eq!((reason(&server), written.contains("DELETE")), (None, false), "{written}");
    }
}

#[tokio::test]
async fn a_record_from_the_past_touches_nothing() {
    let mut cluster = with_policy("skip");
    let server = cluster.iter_mut().find(|object| object["kind"] == "FlexibleServer").unwrap();
    // A Database has had it since the record was written.
    server["status"]["tags"]["database-operator-taken"] = json!("2026-11-25T12:00:00Z");
    let mut record = record("Kept", &json!({}));
    record["spec"]["until"] = json!("2026-11-25T00:00:00Z");
    record["status"]["warnedAt"] = json!("2026-11-25T00:00:00Z");
    let server = pass(&record, &cluster).await;
    assert_eq!(
        (reason(&server).as_deref(), server.written()),
        (Some("RecordOutdated"), "nothing".to_owned())
    );
}

#[tokio::test]
async fn a_record_about_the_server_of_another_database_goes() {
    let mut mistaken = record("Kept", &json!({}));
    mistaken["spec"]["database"] = json!("sales/main");
    let server = pass(&mistaken, &with_policy("skip")).await;
    assert_eq!(reason(&server).as_deref(), Some("Mistaken"));
    let written = server.written();
    assert!(written.starts_with("DELETE ") && written.contains("retaineddatabases"), "{written}");
    assert_eq!(written.matches("DELETE").count(), 1, "{written}");
}

#[tokio::test]
async fn an_end_is_warned_of_by_this_very_record_before_it_is_met() {
    // It came back from a backup: nothing is noted on it.
    let mut record = record("Kept", &json!({}));
    record["spec"]["until"] = json!("2026-11-24T00:00:00Z");
    record["status"] = Value::Null;
    let mut cluster = with_policy("skip");
    let server = cluster.iter_mut().find(|object| object["kind"] == "FlexibleServer").unwrap();
    server["status"]["tags"]["database-operator-taken"] = json!("2026-11-01T12:00:00Z");
    record["metadata"]["creationTimestamp"] = json!("2020-01-01T00:00:00Z");
    let server = pass(&record, &cluster).await;
    assert_eq!(reason(&server).as_deref(), Some("ExpiresSoon"));
    assert!(!server.written().contains("flexibleservers/"), "{}", server.written());
    let status = server.status_written().unwrap();
    assert!(status["uid"] == "r" && status["warnedAt"].is_string(), "{status}");
}

#[tokio::test]
async fn a_database_that_somebody_elses_finalizer_holds_is_gone() {
    let mut cluster = with_policy("skip");
    cluster.push(json!({
        "apiVersion": "altinn.app/v1alpha1", "kind": "Database", "spec": {},
        "metadata": {
            "name": "main", "namespace": "orders", "uid": "u", "deletionTimestamp": "2026-11-24T12:00:00Z",
            "finalizers": ["example.org/hold"],
        },
    }));
    let written = pass(&record("Kept", &json!({})), &cluster).await.written();
    assert!(
        written.contains("federatedidentitycredentials") && written.contains("reconcile-policy: manage"),
        "{written}"
    );
}

/// Somebody has written a policy that keeps data for longer, while the API server was asked for the time.
#[tokio::test]
async fn an_end_that_moves_while_it_is_looked_at_is_not_met() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/controller/golden/kept/end_has_come/there.yaml");
    let kept = Kept::read(path.as_ref());
    let mut record = record("Kept", &json!({}));
    json_patch::merge(&mut record, &Value::Object(kept.record.clone()));
    for (days, deletes) in [(7, true), (70, false)] {
        let all = [kept.cluster(), vec![record.clone()]].concat();
        let server = ApiServer::holding(&all);
        let policy = Arc::new(ArcSwap::from_pointee(there().policy()));
        let (asked, changed) = (server.clone(), policy.clone());
        let client = client_of(move |request: Request<Body>| {
            if request.uri().path() == "/version" {
                let more = format!("whenMissing: deny\n      minimumDays: {days}\n\n");
                changed.store(Arc::new(in_force(EXAMPLE.replace("whenMissing: deny\n\n", &more))));
            }
            let asked = asked.clone();
            async move { asked.answer(request).await }
        });
        let context = Context { policy, ..context(&There { cluster: all, ..there() }, client) };
        let record = Arc::new(serde_json::from_value(record.clone()).unwrap());
        Box::pin(reconcile(record, Arc::new(context))).await.unwrap();
        assert_eq!(server.written().contains("DELETE"), deletes, "{days}: {}", server.written());
    }
}
