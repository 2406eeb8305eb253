#![allow(clippy::unnecessary_wraps, reason = "a case says what there is, and so do they")]

use api::{Database, DatabaseRef, annotations::CONFIRM_DESTROY};
use jiff::SignedDuration;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::{
    azure::FlexibleServer,
    controller::server::{describe::Server, objects::Objects},
};

const DELETED: &str = "2026-11-01T12:00:00Z";
const NOW: &str = "2026-11-01T12:00:05Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn database() -> Database {
    serde_json::from_value(json!({
        "apiVersion": "altinn.app/v1alpha1", "kind": "Database", "spec": {},
        "metadata": {
            "name": "main", "namespace": "orders", "deletionTimestamp": DELETED,
            "annotations": {CONFIRM_DESTROY: "orders/main@2026-11-02"},
        },
    }))
    .unwrap()
}

/// A server that is kept for ever, with nothing on record yet.
fn seen(database: &Database) -> Seen<'_> {
    Seen {
        database,
        whose: DatabaseRef::of(database),
        operator_namespace: "database-operator",
        deleted: at(DELETED),
        now: at(NOW),
        destroy_delay: SignedDuration::from_mins(15),
        leaves: Some(ServerOf::Named("srv".to_owned())),
        kept_elsewhere: None,
        is_synced: true,
        retention: Some(Ok(Retention::Retain)),
        objects: Objects::default(),
        server: None,
        record: None,
    }
}

/// A record, kept since then, with this beside.
fn record(since: &str, changes: &Value) -> Option<Box<RetainedDatabase>> {
    let mut record = json!({
        "apiVersion": "altinn.app/v1alpha1", "kind": "RetainedDatabase",
        "metadata": {"name": "srv", "uid": "u1", "creationTimestamp": since},
        "spec": {"database": "orders/main", "server": {"name": "srv"}, "reason": "Deleted", "since": since},
    });
    for (key, change) in changes.as_object().unwrap() {
        match record.get_mut(key) {
            Some(Value::Object(into)) => into.extend(change.as_object().unwrap().clone()),
            _ => record[key] = change.clone(),
        }
    }
    serde_json::from_value(record).unwrap()
}

const EARLIER: &str = "2026-10-01T12:00:00Z";

/// In a word.
fn word(plan: &Plan) -> String {
    match plan {
        Plan::Wait => "wait".to_owned(),
        Plan::Stay(why) => format!("stay {}", why.cause.as_str()),
        Plan::Release => "release".to_owned(),
        Plan::TakeBackAndRelease(_) => "take back, release".to_owned(),
        Plan::CancelDestroy => "cancel destroy".to_owned(),
        Plan::Settle { settled, .. } => format!("settle {settled:?}"),
        Plan::Keep(kept) => {
            let on = match kept.on {
                On::New => "new",
                On::This(_) => "this",
                On::Earlier(_) => "earlier",
            };
            let end = if kept.until.is_some() { " until" } else { "" };
            let confirmed = if kept.confirmed.is_some() { " confirmed" } else { "" };
            let doubt = if kept.note.contains("doesn't count") { " in doubt" } else { "" };
            format!("keep on {on}{end}{confirmed}{doubt}")
        }
    }
}

fn destroy() -> Option<Result<Retention, String>> {
    Some(Ok(Retention::Destroy))
}

fn days(days: u16) -> Option<Result<Retention, String>> {
    Some(Ok(Retention::Days(days)))
}

/// The server's object, with the policy by which the server in Azure is deleted along with it.
fn prepared(deletion_timestamp: Option<&str>) -> FlexibleServer {
    serde_json::from_value(json!({
        "apiVersion": "dbforpostgresql.azure.com/v20250801", "kind": "FlexibleServer",
        "metadata": {
            "name": "srv", "deletionTimestamp": deletion_timestamp,
            "annotations": {"serviceoperator.azure.com/reconcile-policy": "manage"},
        },
        "spec": {"azureName": "srv", "owner": {}, "location": "x", "tags": {"managed-by": "database-operator"}},
    }))
    .unwrap()
}

fn being_destroyed() -> Option<Server> {
    Some(prepared(Some(NOW)).into())
}

fn being_prepared() -> Objects {
    Objects { server: Some(prepared(None)), ..Objects::default() }
}

type Change = fn(&mut Seen<'_>);

/// What a case is about, the plan, and what was seen otherwise.
const CASES: &[(&str, &str, Change)] = &[
    // What isn't known yet is waited for, and the finalizer stays.
    ("nobody knows which server it leaves", "wait", |seen| seen.leaves = None),
    ("the caches are being filled", "wait", |seen| seen.is_synced = false),
    ("the labels of namespaces are not known", "wait", |seen| seen.retention = None),
    ("nothing says whose the server is", "stay ServerNameUnknown", |seen| {
        seen.leaves = Some(ServerOf::Unclear("srv".to_owned()));
    }),
    // Nothing is left behind.
    ("it never had one", "release", |seen| seen.leaves = Some(ServerOf::None)),
    ("it never had one though nothing is synced", "release", |seen| {
        seen.leaves = Some(ServerOf::None);
        seen.is_synced = false;
    }),
    ("it came to have its server back", "take back, release", |seen| {
        seen.leaves = Some(ServerOf::None);
        seen.kept_elsewhere = record(EARLIER, &json!({}));
    }),
    // A destroy that somebody began in Azure Service Operator's objects is taken back before anything is written down.
    ("a destroy was begun", "cancel destroy", |seen| seen.objects = being_prepared()),
    ("a destroy was begun and is confirmed", "cancel destroy", |seen| {
        seen.objects = being_prepared();
        seen.retention = destroy();
    }),
    // It is written down.
    ("for ever", "keep on new", |_| {}),
    ("for days", "keep on new until", |seen| seen.retention = days(14)),
    ("confirmed", "keep on new confirmed", |seen| seen.retention = destroy()),
    ("in doubt", "keep on new in doubt", |seen| seen.retention = Some(Err("no".to_owned()))),
    // The record was written by a pass that got no further.
    ("again", "keep on this", |seen| seen.record = record(DELETED, &json!({}))),
    ("again and the confirmation is not noted yet", "keep on this confirmed", |seen| {
        seen.retention = destroy();
        seen.record = record(DELETED, &json!({}));
    }),
    ("again and it is noted", "keep on this", |seen| {
        seen.retention = destroy();
        let confirmed =
            json!({"confirmation": "orders/main@2026-11-02", "destroyAt": "2026-11-01T12:15:00Z"});
        seen.record = record(DELETED, &json!({"status": {"uid": "u1", "confirmed": confirmed}}));
    }),
    // Somebody has said on the record to keep them, before the confirmation was noted.
    ("again and it is overruled", "keep on this", |seen| {
        seen.retention = destroy();
        seen.record =
            record(DELETED, &json!({"metadata": {"annotations": {"altinn.app/retention": "Retain"}}}));
    }),
    // A record of this delete that somebody is deleting is none.
    ("somebody deletes the record", "settle Recovered", |seen| {
        seen.record = record(DELETED, &json!({"metadata": {"deletionTimestamp": NOW, "finalizers": ["x"]}}));
    }),
    // A record of an earlier delete goes first.
    ("an earlier one", "settle Recovered", |seen| seen.record = record(EARLIER, &json!({}))),
    ("an earlier one that says the same", "settle Recovered", |seen| {
        seen.record =
            record(EARLIER, &json!({"metadata": {"annotations": {"altinn.app/retention": "Retain"}}}));
    }),
    ("an earlier one that says to keep them", "keep on earlier in doubt", |seen| {
        seen.retention = destroy();
        seen.record =
            record(EARLIER, &json!({"metadata": {"annotations": {"altinn.app/retention": "Retain"}}}));
    }),
    ("an earlier one that keeps them longer", "keep on earlier in doubt", |seen| {
        seen.retention = days(14);
        seen.record = record(EARLIER, &json!({"spec": {"until": "2026-12-24T12:00:00Z"}}));
    }),
    ("an earlier one that keeps them for a shorter time", "settle Recovered", |seen| {
        seen.retention = days(14);
        seen.record = record(EARLIER, &json!({"spec": {"until": "2026-11-02T12:00:00Z"}}));
    }),
    // An earlier decision, which this Database came too late for.
    ("azure was told already", "release", |seen| {
        seen.record = record(EARLIER, &json!({}));
        seen.server = being_destroyed();
    }),
    ("azure was told and the server is gone", "release", |seen| {
        seen.record = record(EARLIER, &json!({"status": {"uid": "u1", "destroy": {"requestedAt": NOW}}}));
    }),
];

#[test]
fn what_is_seen_of_a_deleted_database_decides_on_its_data() {
    for (name, expected, change) in CASES {
        let database = database();
        let mut seen = seen(&database);
        change(&mut seen);
        assert_eq!(word(&plan(&seen)), *expected, "{name}");
    }
}

#[rstest]
#[case::retain(Ok(Retention::Retain), NOW, None, None)]
#[case::days(Ok(Retention::Days(14)), NOW, Some("2026-11-15T12:00:00Z"), None)]
#[case::a_day(Ok(Retention::Days(1)), DELETED, Some("2026-11-02T12:00:00Z"), None)]
#[case::days_that_are_over(
    Ok(Retention::Days(1)),
    "2026-12-01T12:00:00Z",
    Some("2026-12-02T12:00:00Z"),
    None
)]
#[case::destroy(Ok(Retention::Destroy), NOW, None, Some("2026-11-01T12:15:00Z"))]
#[case::in_doubt(Err("no".to_owned()), NOW, None, None)]
fn data_are_kept_first_whatever_is_said(
    #[case] retention: Result<Retention, String>,
    #[case] now: &str,
    #[case] until: Option<&str>,
    #[case] destroy_at: Option<&str>,
) {
    let database = database();
    let doubt = retention.clone().err();
    let seen = Seen { retention: Some(retention), now: at(now), ..seen(&database) };
    let confirmed = destroy_at.map(|time| Confirmed {
        confirmation: "orders/main@2026-11-02".to_owned(),
        destroy_at: Time(at(time)),
    });
    let Plan::Keep(kept) = plan(&seen) else { panic!("not kept") };
    assert_eq!((kept.until, kept.confirmed), (until.map(at), confirmed));
    assert_eq!(
        doubt.is_some(),
        kept.note.contains("What the annotation says doesn't count: no"),
        "{}",
        kept.note
    );
}
