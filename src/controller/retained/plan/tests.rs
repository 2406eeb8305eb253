#![allow(clippy::unnecessary_wraps, reason = "a case says what there is, and so do they")]

use api::{DatabaseRef, RetainedDatabase, reason::Reason};
use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::{
    azure::FlexibleServer,
    controller::server::objects::{Objects, ServerRef},
};

const KEPT: ServerRef<'_> = ServerRef { database: DatabaseRef::new("orders", "main"), server_name: "srv" };
const NOW: &str = "2026-11-20T12:00:00Z";
const SINCE: &str = "2026-11-01T12:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Kept since 1 November.
fn record(status: &Value) -> RetainedDatabase {
    let mut record = json!({
        "apiVersion": "altinn.app/v1alpha1", "kind": "RetainedDatabase",
        "metadata": {"name": "srv", "uid": "u1", "creationTimestamp": "2026-11-01T12:00:00Z"},
        "spec": {
            "database": "orders/main", "server": {"name": "srv", "id": "/s"}, "reason": "Deleted",
            "since": SINCE,
        },
        "status": {"uid": "u1"},
    });
    record["status"].as_object_mut().unwrap().extend(status.as_object().unwrap().clone());
    serde_json::from_value(record).unwrap()
}

fn noted() -> RetainedDatabase {
    record(&json!({"destroy": {"requestedAt": NOW}}))
}

/// The server's object: made by Azure on that day of October or November, with this reconcile policy.
fn server(created_at: &str, policy: &str, is_going: bool) -> FlexibleServer {
    serde_json::from_value(json!({
        "apiVersion": "dbforpostgresql.azure.com/v20250801", "kind": "FlexibleServer",
        "metadata": {
            "name": "srv", "generation": 1, "creationTimestamp": created_at,
            "deletionTimestamp": is_going.then_some(NOW),
            "labels": {"altinn.app/database-namespace": "orders", "altinn.app/database-name": "main"},
            "annotations": {"serviceoperator.azure.com/reconcile-policy": policy},
        },
        "spec": {"azureName": "srv", "owner": {}, "location": "x", "tags": {"managed-by": "database-operator"}},
        "status": {
            "id": "/s", "systemData": {"createdAt": created_at},
            "conditions": [{"type": "Ready", "status": "True", "reason": "Succeeded", "observedGeneration": 1}],
        },
    }))
    .unwrap()
}

fn there() -> Option<FlexibleServer> {
    Some(server("2026-10-01T12:00:00Z", "skip", false))
}

fn recreated() -> Option<FlexibleServer> {
    Some(server("2026-11-10T12:00:00Z", "skip", false))
}

/// Azure was told: with this policy the server goes along with its object.
fn requested() -> Option<FlexibleServer> {
    Some(server("2026-10-01T12:00:00Z", "manage", true))
}

fn seen(record: &RetainedDatabase, server: Option<FlexibleServer>, end: End, is_over: bool) -> Seen<'_> {
    let (database, now) = (Owner::Absent, at(NOW));
    let (objects, server) = (Objects::default(), server.map(Server::from));
    Seen {
        record,
        kept: KEPT,
        database,
        objects,
        server,
        end: Some(end),
        is_over,
        is_anothers: false,
        is_fresh: false,
        copied_to: None,
        now,
    }
}

/// Only looked at, to see whose it is.
fn looking() -> Option<FlexibleServer> {
    let mut server = there()?;
    server.spec.tags.clear();
    Some(server)
}

/// Azure is at work on it.
fn being_changed() -> Option<FlexibleServer> {
    changed(there())
}

/// Written since Azure Service Operator looked.
fn changed(server: Option<FlexibleServer>) -> Option<FlexibleServer> {
    let mut server = server?;
    server.metadata.generation = Some(2);
    Some(server)
}

/// Azure is making it, and tells nothing of it.
fn being_made() -> Option<FlexibleServer> {
    let mut server = server("2026-11-01T11:00:00Z", "detach-on-delete", false);
    server.status = None;
    Some(server)
}

/// Azure Service Operator says so, and nothing of a server.
fn never_made(reason: &str) -> Option<FlexibleServer> {
    let mut server = being_made()?;
    let severity = if reason == "Reconciling" { "Info" } else { "Warning" };
    server.status = serde_json::from_value(json!({"conditions": [{
        "type": "Ready", "status": "False", "severity": severity, "reason": reason, "message": "",
        "observedGeneration": 1,
    }]}))
    .unwrap();
    Some(server)
}

/// In a word, with the reason that people are told.
fn word(plan: &Plan) -> String {
    match plan {
        Plan::Wait => "wait".to_owned(),
        Plan::Tell(told, _) => format!("tell {}", told.why.cause.as_str()),
        Plan::TakeBack { cancels: true } => "take back and cancel".to_owned(),
        Plan::TakeBack { cancels: false } => "take back".to_owned(),
        Plan::Recover { .. } => "recover".to_owned(),
        Plan::Settle { settled, .. } => format!("settle {settled:?}"),
        Plan::LetAlone { .. } => "let alone".to_owned(),
        Plan::LookAnew { before: Closing::Must } => "look anew once they are closed".to_owned(),
        Plan::LookAnew { before: Closing::IfPossible } => "close, and look anew".to_owned(),
        Plan::LookAnew { before: Closing::No } => "look anew".to_owned(),
        Plan::Destroy => "destroy".to_owned(),
        Plan::Keep { told, .. } => format!("keep {}", told.why.cause.as_str()),
    }
}

fn never() -> End {
    End::Never(None)
}

fn until() -> End {
    End::At { promised: at("2026-11-19T12:00:00Z"), warned_at: Some(at("2026-11-18T12:00:00Z")) }
}

fn confirmed() -> End {
    End::Confirmed(at("2026-11-19T12:00:00Z"))
}

#[rstest]
#[case::kept(record(&json!({})), there(), never(), false, None)]
#[case::over(record(&json!({})), there(), until(), true, Some("look anew once they are closed"))]
// Who has confirmed it needs no closed ways in for a sign: Azure may refuse that.
#[case::over_as_confirmed(record(&json!({})), there(), confirmed(), true, Some("close, and look anew"))]
#[case::asked_for(record(&json!({})), there(), End::Approved, true, Some("close, and look anew"))]
// Its object, once it has gone, would be taken for what Azure was told.
#[case::noted_from_before(noted(), there(), confirmed(), true, Some("tell DestroyConfirmed"))]
#[case::requested_already(noted(), requested(), until(), true, None)]
// Somebody else deletes the object.
#[case::on_its_way(record(&json!({})), Some(server("2026-10-01T12:00:00Z", "skip", true)), until(), true, Some("wait"))]
// Nothing is there that could be from a backup.
#[case::without_an_object(record(&json!({})), None, until(), true, None)]
fn what_is_over_is_looked_for_anew_first(
    #[case] record: RetainedDatabase,
    #[case] server: Option<FlexibleServer>,
    #[case] end: End,
    #[case] is_over: bool,
    #[case] expected: Option<&str>,
) {
    let seen = seen(&record, server, end, is_over);
    assert_eq!(first(&seen).as_ref().map(word).as_deref(), expected);
    let anothers = Seen { is_anothers: true, ..seen };
    let looks = expected.map(|expected| if expected.contains("look anew") { "look anew" } else { expected });
    assert_eq!(first(&anothers).as_ref().map(word).as_deref(), looks, "another cluster has it");
    let fresh = Seen { is_fresh: true, ..anothers };
    assert_eq!(first(&fresh), None, "once it has looked");
}

/// Azure need not tell of a server that it is making: it would be there later, for nobody.
#[rstest]
#[case::it_is_over(being_made(), confirmed(), true, Some("keep DestroyWaits"))]
#[case::it_is_not(being_made(), never(), false, None)]
#[case::azure_has_refused(never_made("QuotaExceeded"), confirmed(), true, Some("close, and look anew"))]
#[case::azure_is_at_it(never_made("Reconciling"), confirmed(), true, Some("keep DestroyWaits"))]
// What it said of an older generation is over.
#[case::it_waited_for_a_password(
    changed(never_made("ReferenceNotFound")),
    confirmed(),
    true,
    Some("keep DestroyWaits")
)]
// Azure Service Operator has not asked for it, and may never do.
#[case::it_waits_for_a_password(
    never_made("ReferenceNotFound"),
    confirmed(),
    true,
    Some("close, and look anew")
)]
fn what_azure_is_making_is_destroyed_once_it_is_made(
    #[case] server: Option<FlexibleServer>,
    #[case] end: End,
    #[case] is_over: bool,
    #[case] expected: Option<&str>,
) {
    let record = record(&json!({}));
    assert_eq!(first(&seen(&record, server, end, is_over)).as_ref().map(word).as_deref(), expected);
}

#[test]
fn nothing_is_decided_while_the_end_is_not_known() {
    let record = record(&json!({}));
    let seen = Seen { end: None, ..seen(&record, there(), never(), false) };
    assert_eq!((first(&seen), then(&seen, Restored::There)), (Some(Plan::Wait), Plan::Wait));
}

fn foreign() -> Restored {
    Restored::Foreign(Blocked::by(Reason::ServerNotOurs, "another's".to_owned()))
}

fn blocked() -> Restored {
    Restored::Blocked(Blocked::by(Reason::ServerUnknown, "no answer".to_owned()))
}

#[rstest]
#[case::kept(record(&json!({})), there(), never(), false, Restored::There, "keep Kept")]
#[case::until(record(&json!({})), there(), End::At { promised: at("2026-12-19T12:00:00Z"), warned_at: None }, false, Restored::There, "keep KeptUntil")]
#[case::a_day_before(record(&json!({})), there(), End::At { promised: at("2026-11-21T11:00:00Z"), warned_at: None }, false, Restored::There, "keep ExpiresSoon")]
#[case::confirmed(record(&json!({})), there(), confirmed(), false, Restored::There, "keep DestroyConfirmed")]
#[case::over(record(&json!({})), there(), until(), true, Restored::There, "destroy")]
// A Database had it since: it ends nothing, and closes nothing.
#[case::outdated(record(&json!({})), there(), End::Outdated, false, Restored::There, "tell RecordOutdated")]
#[case::looked_for(record(&json!({})), None, never(), false, Restored::UnderWay, "wait")]
// Not before it is known what Azure has.
#[case::looked_for_and_over(record(&json!({})), None, until(), true, Restored::UnderWay, "wait")]
#[case::gone(record(&json!({})), there(), never(), false, Restored::Gone, "keep ServerGone")]
#[case::gone_and_over(record(&json!({})), None, until(), true, Restored::Gone, "destroy")]
// Its ways in are left alone, too.
#[case::of_others(record(&json!({})), None, never(), false, foreign(), "tell ServerNotOurs")]
#[case::of_others_and_taken_since(record(&json!({})), there(), until(), false, foreign(), "tell ServerNotOurs")]
#[case::of_others_and_noted(noted(), there(), never(), false, foreign(), "tell ServerNotOurs")]
#[case::of_others_and_over(record(&json!({})), None, until(), true, foreign(), "let alone")]
#[case::without_an_answer(record(&json!({})), None, never(), false, blocked(), "keep ServerUnknown")]
#[case::without_an_answer_and_over(record(&json!({})), None, until(), true, blocked(), "destroy")]
// What was promised was the end of another server of this name.
#[case::recreated(record(&json!({})), recreated(), never(), false, Restored::There, "keep ServerRecreated")]
#[case::recreated_and_over(record(&json!({})), recreated(), until(), true, Restored::There, "keep ServerRecreated")]
#[case::recreated_and_confirmed(record(&json!({})), recreated(), confirmed(), true, Restored::There, "keep ServerRecreated")]
#[case::recreated_and_asked_for_since(record(&json!({})), recreated(), End::Approved, true, Restored::There, "destroy")]
// It was written down, and Azure wasn't told: that is taken back first.
#[case::noted(noted(), there(), never(), false, Restored::There, "tell Kept")]
#[case::noted_and_recreated(noted(), recreated(), until(), true, Restored::There, "tell ServerRecreated")]
// Azure was told: nothing takes that back.
#[case::requested(noted(), requested(), never(), false, Restored::There, "destroy")]
#[case::requested_and_without_a_note(record(&json!({})), requested(), never(), false, Restored::There, "destroy")]
#[case::gone_since(noted(), None, never(), false, Restored::There, "destroy")]
fn what_becomes_of_a_server(
    #[case] record: RetainedDatabase,
    #[case] server: Option<FlexibleServer>,
    #[case] end: End,
    #[case] is_over: bool,
    #[case] restored: Restored,
    #[case] expected: &str,
) {
    assert_eq!(word(&then(&seen(&record, server, end, is_over), restored)), expected);
}

/// Also without a policy, which alone tells what may be taken over.
#[test]
fn what_another_cluster_has_is_not_closed() {
    let record = record(&json!({}));
    let seen = Seen { is_anothers: true, ..seen(&record, there(), never(), false) };
    assert_eq!(word(&then(&seen, Restored::There)), "tell Kept");
}

#[test]
fn a_warning_is_noted_once_and_goes_when_the_end_is_put_off() {
    let soon = || End::At { promised: at("2026-11-21T11:00:00Z"), warned_at: None };
    let warned =
        |record: &RetainedDatabase, end: End| match then(&seen(record, there(), end, false), Restored::There)
        {
            Plan::Keep { told, .. } => told.notes.warned_at.map(|time| time.0.to_string()),
            other => panic!("{other:?}"),
        };
    assert_eq!(warned(&record(&json!({})), soon()).as_deref(), Some(NOW));
    let before = record(&json!({"warnedAt": "2026-11-20T11:00:00Z"}));
    assert_eq!(warned(&before, soon()).as_deref(), Some("2026-11-20T11:00:00Z"));
    assert_eq!(warned(&before, never()), None);
}

#[rstest]
// At its warning, at its end, and now and then.
#[case::months(End::At { promised: at("2027-12-19T12:00:00Z"), warned_at: None }, Again::In(LONGEST))]
#[case::warning(End::At { promised: at("2026-11-21T12:05:00Z"), warned_at: None }, Again::In(Duration::from_mins(5)))]
#[case::end(End::Confirmed(at("2026-11-20T12:03:00Z")), Again::In(Duration::from_mins(3)))]
#[case::now(End::Confirmed(at("2026-11-20T11:00:00Z")), Again::In(Duration::from_secs(1)))]
#[case::warned(
    End::At { promised: at("2026-11-20T15:00:00Z"), warned_at: Some(at("2026-11-19T15:00:00Z")) },
    Again::In(LONGEST)
)]
#[case::never(never(), Again::About(RESYNC))]
fn a_record_is_looked_at_when_something_is_due(#[case] end: End, #[case] expected: Again) {
    let record = record(&json!({}));
    match then(&seen(&record, there(), end, false), Restored::There) {
        Plan::Keep { again, .. } => assert_eq!(again, expected),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_record_in_which_something_is_amiss_is_looked_at_more_often() {
    let record = record(&json!({}));
    match then(&seen(&record, there(), never(), false), Restored::Gone) {
        Plan::Keep { again, .. } => assert_eq!(again, Again::About(LONGEST)),
        other => panic!("{other:?}"),
    }
}

/// The same server of Azure's, whose object was made after the server was kept.
fn object_made_anew() -> Option<FlexibleServer> {
    let mut server = there();
    let created = serde_json::from_value(json!("2026-11-10T12:00:00Z")).unwrap();
    server.as_mut().unwrap().metadata.creation_timestamp = Some(created);
    server
}

/// The `Database`, with this status.
fn database(status: &Value) -> Owner {
    let database = json!({
        "apiVersion": "altinn.app/v1alpha1", "kind": "Database", "metadata": {"name": "main"}, "spec": {},
        "status": status,
    });
    Owner::There(Box::new(serde_json::from_value(database).unwrap()))
}

fn has_it() -> Owner {
    database(&json!({"server": {"name": "srv"}}))
}

#[rstest]
#[case::going(record(&json!({})), there(), Owner::Going(at(SINCE)), "wait")]
#[case::going_once_more(record(&json!({})), there(), Owner::Going(at(NOW)), "take back")]
#[case::unreadable(record(&json!({})), there(), Owner::Unreadable, "take back and cancel")]
#[case::without_its_server(record(&json!({})), there(), database(&json!({})), "take back and cancel")]
#[case::with_another_server(record(&json!({})), there(), database(&json!({"server": {"name": "other"}})), "take back and cancel")]
#[case::without_an_object(record(&json!({})), None, has_it(), "take back and cancel")]
// What is told of it is of what there was.
#[case::looked_for(record(&json!({})), looking(), has_it(), "take back and cancel")]
#[case::being_changed(record(&json!({})), being_changed(), has_it(), "take back and cancel")]
#[case::with_its_server(record(&json!({})), there(), has_it(), "recover")]
// First it is noted that the end doesn't count any more.
#[case::with_an_end(record(&json!({"confirmed": {"confirmation": "x", "destroyAt": NOW}})), there(), has_it(), "take back")]
#[case::too_late(noted(), Some(server("2026-11-10T12:00:00Z", "skip", false)), has_it(), "settle Destroyed")]
#[case::too_late_by_the_object(noted(), object_made_anew(), has_it(), "settle Destroyed")]
#[case::made_anew_by_hand(record(&json!({})), object_made_anew(), has_it(), "recover")]
#[case::noted_and_azure_never_told(noted(), there(), has_it(), "recover")]
#[case::recreated(record(&json!({})), recreated(), has_it(), "settle Destroyed")]
fn who_is_back_has_the_server_back(
    #[case] record: RetainedDatabase,
    #[case] server: Option<FlexibleServer>,
    #[case] database: Owner,
    #[case] expected: &str,
) {
    // However much is over.
    for (end, is_over) in [(never(), false), (until(), true)] {
        let seen = Seen { database: database.clone(), ..seen(&record, server.clone(), end, is_over) };
        assert_eq!(first(&seen).as_ref().map(word).as_deref(), Some(expected));
    }
}

#[test]
fn whoever_took_it_over_has_it_once_azure_says_so() {
    let mut record = record(&json!({}));
    record.spec.formerly = Some("orders/old".to_owned());
    let seen = Seen { database: has_it(), ..seen(&record, there(), never(), false) };
    assert_eq!(first(&seen).as_ref().map(word).as_deref(), Some("take back"));
}

#[test]
fn the_server_of_another_database_is_left_to_it() {
    let record = record(&json!({}));
    let mut theirs = there();
    let labels = theirs.as_mut().unwrap().metadata.labels.as_mut().unwrap();
    labels.insert("altinn.app/database-name".to_owned(), "other".to_owned());
    for end in [never(), until(), End::Approved] {
        let seen = seen(&record, theirs.clone(), end, true);
        assert_eq!(first(&seen).as_ref().map(word).as_deref(), Some("settle Mistaken"));
    }
}

/// Azure reads its backups as long as it restores them elsewhere.
#[rstest]
#[case::over(there(), until(), true, "keep DestroyWaits")]
#[case::confirmed(there(), confirmed(), true, "keep DestroyWaits")]
#[case::asked_for(there(), End::Approved, true, "keep DestroyWaits")]
// Nobody can take that back.
#[case::told_already(requested(), until(), true, "destroy")]
fn what_is_over_waits_while_its_data_are_restored_elsewhere(
    #[case] server: Option<FlexibleServer>,
    #[case] end: End,
    #[case] is_over: bool,
    #[case] expected: &str,
) {
    let (record, is_told) = (record(&json!({})), expected == "destroy");
    let seen = Seen { copied_to: Some("orders/copy".to_owned()), ..seen(&record, server, end, is_over) };
    assert_eq!(first(&seen), None, "it isn't looked for anew, either");
    let plan = then(&seen, Restored::There);
    assert_eq!(word(&plan), expected);
    let Plan::Keep { told, .. } = plan else { return assert!(is_told) };
    assert!(told.why.message.contains("Database orders/copy"), "{}", told.why.message);
}
