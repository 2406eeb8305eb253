//! When a server that is kept comes to its end. Pure.
//!
//! The past decides nothing. A record can come back from a backup, with an end that lies behind us and a confirmation that was
//! meant for another day. So an end counts only when this very object (by its uid and the API server's `creationTimestamp`)
//! was there for as long as the policy demands, has warned for a day, and the server's tags in Azure say that no `Database`
//! has had the server since.

use api::{
    RetainedDatabase, RetainedDatabaseStatus,
    annotations::{CONFIRM_DESTROY, RETENTION},
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::ResourceExt;
use policy::{deleting::Retention, quote::quote, retained::days_after};

use crate::controller::{engine::conditions, server::describe::Server};

/// So long before the end a warning goes out, and so long it stands.
pub(crate) const WARNING: SignedDuration = SignedDuration::from_hours(24);

/// Everything that an end depends on.
#[derive(Clone, Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) record: &'a RetainedDatabase,
    /// The server's object, as Azure Service Operator saw the server last.
    pub(crate) server: Option<&'a Server>,
    /// What the record's annotation `altinn.app/retention` comes to by the policy of today, or why it doesn't count; `None`
    /// when there is none.
    pub(crate) annotation: Option<Result<Retention, String>>,
    /// The fewest days that data are kept here; `None` when no profile tells.
    pub(crate) minimum_days: Option<u16>,
    /// How long a confirmed end can be taken back.
    pub(crate) destroy_delay: SignedDuration,
}

/// When a server that is kept comes to its end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// By the record: not before `promised`, nor before a day has passed since the warning.
    At { promised: Timestamp, warned_at: Option<Timestamp> },
    /// Its `Database` was deleted with a confirmed `Destroy`, which can be taken back until then.
    Confirmed(Timestamp),
    /// Someone who may has asked for it on the record, and confirmed.
    Approved,
    /// Never by itself: a `Database` had the server after the record was written.
    Outdated,
    /// Never by itself; with what is said and doesn't count.
    Never(Option<String>),
}

impl End {
    /// The moment from which the server is destroyed; `None` while none is settled. The past for what was asked for now.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        match self {
            Self::At { promised, warned_at } => Some((*promised).max(later((*warned_at)?, WARNING))),
            Self::Confirmed(at) => Some(*at),
            Self::Approved => Some(Timestamp::MIN),
            Self::Outdated | Self::Never(_) => None,
        }
    }

    /// Whether it is time to warn.
    pub(crate) fn warns(&self, now: Timestamp) -> bool {
        matches!(self, Self::At { promised, .. } if now.duration_until(*promised) <= WARNING)
    }
}

/// What a record has noted of itself in its status. A status of another object says nothing: it came with a copy.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Notes {
    pub(crate) warned_at: Option<Time>,
    pub(crate) inherited_confirmation: Option<String>,
    pub(crate) inherited_until: Option<Time>,
    pub(crate) confirmed: Option<api::Confirmed>,
    /// The condition that says whether anybody can log in.
    pub(crate) access_closed: Option<Condition>,
}

/// Type of that condition.
pub(crate) const ACCESS_CLOSED: &str = "AccessClosed";

impl Notes {
    pub(crate) fn of(record: &RetainedDatabase) -> Self {
        match record.own_status().cloned() {
            Some(RetainedDatabaseStatus {
                warned_at,
                inherited_confirmation,
                inherited_until,
                confirmed,
                conditions,
                ..
            }) => {
                let access_closed = conditions::find(&conditions, ACCESS_CLOSED).cloned();
                Self { warned_at, inherited_confirmation, inherited_until, confirmed, access_closed }
            }
            // Seen for the first time: what it bears was written for another object, for all that is known.
            None => Self {
                inherited_confirmation: record.annotations().get(CONFIRM_DESTROY).cloned(),
                ..Self::default()
            },
        }
    }

    /// With the end taken back that the record has so far: its `Database` was applied again. Should that vanish before it has its
    /// server back, only a new word ends the data. `None` when nothing was left to take back.
    pub(crate) fn taken_back(record: &RetainedDatabase) -> Option<Self> {
        let now = Self::of(record);
        let confirmation = record.annotations().get(CONFIRM_DESTROY).cloned();
        let taken_back = Self {
            warned_at: None,
            inherited_confirmation: confirmation.or_else(|| now.inherited_confirmation.clone()),
            inherited_until: record.spec.until.clone().or_else(|| now.inherited_until.clone()),
            confirmed: None,
            // It opens them.
            access_closed: None,
        };
        (taken_back != now).then_some(taken_back)
    }

    /// A status of this record that holds them.
    pub(crate) fn onto(
        self,
        record: &RetainedDatabase,
        mut status: RetainedDatabaseStatus,
    ) -> RetainedDatabaseStatus {
        let Self { warned_at, inherited_confirmation, inherited_until, confirmed, access_closed } = self;
        status.conditions.retain(|condition| condition.type_ != ACCESS_CLOSED);
        status.conditions.extend(access_closed);
        let uid = record.metadata.uid.clone();
        RetainedDatabaseStatus {
            uid,
            warned_at,
            inherited_confirmation,
            inherited_until,
            confirmed,
            ..status
        }
    }
}

/// Whether somebody has said something on the record itself, which counts more than what was confirmed when its `Database` was
/// deleted. And for good: who takes it out again doesn't destroy anything by that.
pub(crate) fn is_overruled(record: &RetainedDatabase) -> bool {
    record.spec.until.is_some() || record.annotations().contains_key(RETENTION)
}

/// What somebody has said on a record of an earlier delete by which the data are kept for longer than until this end. They may
/// have said it a moment ago, to stop that very end.
pub(crate) fn overrules(earlier: &RetainedDatabase, end: Timestamp) -> Option<String> {
    let said = earlier.annotations().get(RETENTION);
    let word = match (said, &earlier.spec.until) {
        (Some(said), _) if said != "Destroy" => {
            format!("is annotated with {RETENTION}: {}", quote(said))
        }
        (None, Some(until)) if until.0 > end => format!("has spec.until {}", until.0),
        _ => return None,
    };
    Some(format!("RetainedDatabase {}, which was there before this delete, {word}", earlier.name_any()))
}

pub(crate) fn end(facts: &Facts<'_>) -> End {
    let record = facts.record;
    let notes = Notes::of(record);
    let confirmation = record.annotations().get(CONFIRM_DESTROY);
    let doubt = match &facts.annotation {
        Some(Ok(Retention::Destroy)) if confirmation == notes.inherited_confirmation.as_ref() => {
            Some(format!(
                "the confirmation was there when this record was first seen, or when its Database was applied again, and may have \
                 been written for something else; take {CONFIRM_DESTROY} out, and write another one"
            ))
        }
        Some(Ok(Retention::Destroy)) => return End::Approved,
        Some(Ok(_)) => return End::Never(None),
        Some(Err(doubt)) => Some(doubt.clone()),
        None => None,
    };
    // Without one it isn't stored, so nothing tells how old it is.
    let Some(created) = record.creation_timestamp() else { return End::Never(doubt) };
    let end = match (&record.spec.until, &notes.confirmed) {
        (Some(until), _) if Some(until) == notes.inherited_until.as_ref() => {
            return End::Never(Some(format!(
                "its Database was applied again after spec.until was set to {}; write another one",
                until.0
            )));
        }
        (Some(until), _) => {
            let Some(days) = facts.minimum_days else {
                return End::Never(Some("no policy says how long data are kept here".to_owned()));
            };
            let held = days_after(created.0, days).max(later(created.0, WARNING));
            End::At { promised: until.0.max(held), warned_at: notes.warned_at.map(|time| time.0) }
        }
        (None, Some(confirmed)) if doubt.is_none() => {
            End::Confirmed(confirmed.destroy_at.0.max(later(created.0, facts.destroy_delay)))
        }
        _ => return End::Never(doubt),
    };
    let Some(server) = facts.server.filter(|server| server.is_known_to_azure()) else { return end };
    match server.taken_at() {
        // Both are whole seconds, and in the same one either may have been first.
        Some(taken) if taken < record.spec.since.0 => end,
        Some(_) => End::Outdated,
        None => End::Never(Some(
            "the server's tag database-operator-taken in Azure is missing, so nothing tells whether a Database had the \
             server since"
                .to_owned(),
        )),
    }
}

fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::needless_pass_by_value, reason = "values written in place read best")]

    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;
    use crate::azure::FlexibleServer;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// Kept since 1 November, and written then.
    fn record(changes: Value) -> RetainedDatabase {
        let mut record = json!({
            "apiVersion": "altinn.app/v1alpha1", "kind": "RetainedDatabase",
            "metadata": {"name": "srv", "uid": "u1", "creationTimestamp": "2026-11-01T12:00:00Z"},
            "spec": {
                "database": "orders/main", "server": {"name": "srv", "id": "/s"}, "reason": "Deleted",
                "since": "2026-11-01T12:00:00Z", "until": "2026-11-15T12:00:00Z",
            },
            "status": {"uid": "u1"},
        });
        json_merge(&mut record, &changes);
        serde_json::from_value(record).unwrap()
    }

    fn json_merge(into: &mut Value, changes: &Value) {
        match (into, changes) {
            (Value::Object(into), Value::Object(changes)) => {
                for (key, change) in changes {
                    json_merge(into.entry(key.clone()).or_insert(Value::Null), change);
                }
            }
            (into, changes) => *into = changes.clone(),
        }
    }

    /// As Azure has it: a `Database` took it at that time.
    fn server(taken: Option<&str>) -> Server {
        let mut tags = json!({"managed-by": "database-operator"});
        tags["database-operator-taken"] = json!(taken.unwrap_or("never"));
        let server: FlexibleServer = serde_json::from_value(json!({
            "apiVersion": "dbforpostgresql.azure.com/v20250801", "kind": "FlexibleServer", "metadata": {"name": "srv"},
            "spec": {"azureName": "srv", "owner": {}, "location": "x", "tags": tags}, "status": {"id": "/s", "tags": tags},
        }))
        .unwrap();
        server.into()
    }

    fn seen<'a>(record: &'a RetainedDatabase, server: Option<&'a Server>) -> Facts<'a> {
        let destroy_delay = SignedDuration::from_mins(15);
        Facts { record, server, annotation: None, minimum_days: Some(7), destroy_delay }
    }

    const BEFORE: Option<&str> = Some("2026-10-01T12:00:00Z");

    #[rstest]
    #[case::not_warned_yet(json!({}), None)]
    #[case::warned(json!({"status": {"warnedAt": "2026-11-14T12:00:00Z"}}), Some("2026-11-15T12:00:00Z"))]
    #[case::warned_late(json!({"status": {"warnedAt": "2026-11-16T00:00:00Z"}}), Some("2026-11-17T00:00:00Z"))]
    #[case::not_warned_by_this_object(json!({"status": {"warnedAt": "2026-11-14T12:00:00Z", "uid": "u0"}}), None)]
    #[case::from_a_backup_of_last_week(
        json!({
            "metadata": {"creationTimestamp": "2026-11-20T12:00:00Z", "uid": "u2"},
            "status": {"uid": "u2", "warnedAt": "2026-11-20T12:00:01Z"},
        }),
        Some("2026-11-27T12:00:00Z")
    )]
    #[case::never(json!({"spec": {"until": null}}), None)]
    #[case::confirmed_when_its_database_was_deleted(confirmed("u1"), Some("2026-11-01T12:20:00Z"))]
    #[case::confirmed_for_another_object(confirmed("u0"), None)]
    #[case::confirmed_and_put_off(
        json!({"spec": {"until": "2026-11-20T12:00:00Z"}, "status": {"confirmed": confirmed("u1")["status"]["confirmed"]}}),
        None
    )]
    #[case::confirmed_a_moment_ago_on_a_record_that_is_younger(
        json!({
            "metadata": {"creationTimestamp": "2026-11-01T12:30:00Z"}, "spec": {"until": null},
            "status": confirmed("u1")["status"],
        }),
        Some("2026-11-01T12:45:00Z")
    )]
    fn an_end_counts_only_for_the_object_that_was_there_and_warned(
        #[case] changes: Value,
        #[case] due: Option<&str>,
    ) {
        let (record, server) = (record(changes), server(BEFORE));
        let end = end(&seen(&record, Some(&server)));
        assert_eq!(end.due(), due.map(at), "{end:?}");
    }

    fn confirmed(uid: &str) -> Value {
        json!({"spec": {"until": null}, "status": {"uid": uid, "confirmed": {
            "confirmation": "orders/main@2026-11-02", "destroyAt": "2026-11-01T12:20:00Z",
        }}})
    }

    #[rstest]
    #[case::by_the_record(json!({"status": {"warnedAt": "2026-11-14T12:00:00Z"}}))]
    #[case::confirmed(confirmed("u1"))]
    fn a_record_that_is_older_than_the_servers_last_database_ends_nothing(#[case] changes: Value) {
        let record = record(changes);
        let end_with = |server: &Server| end(&seen(&record, Some(server)));
        assert!(end_with(&server(Some("2026-11-01T11:59:59Z"))).due().is_some());
        assert_eq!(end_with(&server(Some("2026-11-01T12:00:00Z"))), End::Outdated);
        // Nothing tells.
        assert!(matches!(end_with(&server(None)), End::Never(Some(_))));
    }

    #[rstest]
    #[case::written_on_it("orders/main@2026-11-30", None, true)]
    #[case::that_came_with_it("orders/main@2026-11-30", Some("orders/main@2026-11-30"), false)]
    #[case::written_again("orders/main@2026-12-01", Some("orders/main@2026-11-30"), true)]
    fn a_confirmation_counts_for_the_object_that_it_was_written_on(
        #[case] now: &str,
        #[case] inherited: Option<&str>,
        #[case] counts: bool,
    ) {
        let changes = json!({
            "metadata": {"annotations": {"altinn.app/confirm-destroy": now}}, "spec": {"until": null},
            "status": {"inheritedConfirmation": inherited},
        });
        let record = record(changes);
        // Even of a server that a Database had since: someone asks for this one, now.
        let server = server(Some("2026-11-20T12:00:00Z"));
        let approved = Facts { annotation: Some(Ok(Retention::Destroy)), ..seen(&record, Some(&server)) };
        assert_eq!(end(&approved) == End::Approved, counts);
        assert_eq!(end(&approved).due().is_some(), counts);
    }

    #[rstest]
    #[case::by_the_record(json!({"status": {"warnedAt": "2026-11-14T12:00:00Z"}}))]
    #[case::confirmed(confirmed("u1"))]
    #[case::asked_for(json!({
        "metadata": {"annotations": {"altinn.app/confirm-destroy": "orders/main@2026-11-30"}}, "spec": {"until": null},
    }))]
    fn a_database_that_is_applied_again_takes_the_end_back_for_good(#[case] changes: Value) {
        let annotation = changes["metadata"].is_object().then_some(Ok(Retention::Destroy));
        let (mut record, server) = (record(changes), server(BEFORE));
        let end_of = |record: &RetainedDatabase| {
            end(&Facts { annotation: annotation.clone(), ..seen(record, Some(&server)) })
        };
        assert!(end_of(&record).due().is_some());
        let taken_back = Notes::taken_back(&record).unwrap();
        let mut status = taken_back.onto(&record, RetainedDatabaseStatus::default());
        // That it warns once more ends nothing either.
        status.warned_at = Some(Time(at("2026-11-14T12:00:00Z")));
        record.status = Some(status);
        assert_eq!(end_of(&record).due(), None);
        // Another word is needed.
        record.spec.until = Some(Time(at("2026-11-20T12:00:00Z")));
        let confirm = "altinn.app/confirm-destroy".to_owned();
        record
            .annotations_mut()
            .entry(confirm)
            .and_modify(|value| "orders/main@2026-12-01".clone_into(value));
        assert!(end_of(&record).due().is_some());
    }

    #[rstest]
    #[case::retain(json!({"metadata": {"annotations": {"altinn.app/retention": "Retain"}}}), Some("with altinn.app/retention: \"Retain\""))]
    #[case::days(json!({"metadata": {"annotations": {"altinn.app/retention": "30d"}}}), Some("\"30d\""))]
    #[case::a_slip(json!({"metadata": {"annotations": {"altinn.app/retention": "retian"}}}), Some("\"retian\""))]
    #[case::destroy(json!({"metadata": {"annotations": {"altinn.app/retention": "Destroy"}}}), None)]
    #[case::put_off(json!({"spec": {"until": "2026-11-16T00:00:00Z"}}), Some("has spec.until 2026-11-16T00:00:00Z"))]
    #[case::as_it_was(json!({}), None)]
    #[case::brought_forward(json!({"spec": {"until": "2026-11-14T00:00:00Z"}}), None)]
    // Nothing tells whether that was before or after it was put off.
    #[case::put_off_and_taken_back(
        json!({"spec": {"until": "2026-11-16T00:00:00Z"}, "status": {"inheritedUntil": "2026-11-16T00:00:00Z"}}),
        Some("has spec.until 2026-11-16T00:00:00Z")
    )]
    #[case::nothing(json!({"spec": {"until": null}}), None)]
    fn what_was_said_on_an_earlier_record_to_keep_the_data_longer_counts(
        #[case] changes: Value,
        #[case] expected: Option<&str>,
    ) {
        let word = overrules(&record(changes), at("2026-11-15T12:00:00Z"));
        assert_eq!(word.is_some(), expected.is_some(), "{word:?}");
        assert!(word.unwrap_or_default().ends_with(expected.unwrap_or_default()));
    }

    #[test]
    fn one_that_is_seen_for_the_first_time_inherits_what_it_bears() {
        let bears =
            json!({"metadata": {"annotations": {"altinn.app/confirm-destroy": "orders/main@2026-11-30"}}});
        for status in [json!({"uid": null}), json!({"uid": "another"})] {
            let mut changes = bears.clone();
            changes["status"] = status;
            let record = record(changes);
            assert_eq!(Notes::of(&record).inherited_confirmation.as_deref(), Some("orders/main@2026-11-30"));
            let approved = Facts { annotation: Some(Ok(Retention::Destroy)), ..seen(&record, None) };
            assert_ne!(end(&approved), End::Approved);
        }
    }

    #[rstest]
    #[case::retain(Some(Ok(Retention::Retain)), Some(7))]
    #[case::without_a_policy(None, None)]
    fn whatever_is_in_doubt_is_kept(
        #[case] annotation: Option<Result<Retention, String>>,
        #[case] minimum_days: Option<u16>,
    ) {
        let (record, server) =
            (record(json!({"status": {"warnedAt": "2026-11-14T12:00:00Z"}})), server(BEFORE));
        let seen = Facts { annotation, minimum_days, ..seen(&record, Some(&server)) };
        assert!(matches!(end(&seen), End::Never(_)));
    }

    #[test]
    fn what_the_annotation_says_and_does_not_count_takes_a_confirmed_end_back() {
        let (record, server) = (record(confirmed("u1")), server(BEFORE));
        let seen = Facts { annotation: Some(Err("no".to_owned())), ..seen(&record, Some(&server)) };
        assert_eq!(end(&seen), End::Never(Some("no".to_owned())));
    }
}
