//! Events: each transition once, with its values, and never a flood of them.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use api::{Database, DatabaseStatus, Restored, reason::Reason};
use k8s_openapi::{api::core::v1::ObjectReference, apimachinery::pkg::apis::meta::v1::Condition};
use kube::{
    Resource,
    runtime::{events::EventType, reflector::ObjectRef},
};

use super::{
    conditions::{
        self, ACCESS_READY, CLIENT_ID_CONFLICT, PAUSED, SYNCED, UP_TO_DATE, VAULT_BACKUP, event_type, find,
        is_change, is_work,
    },
    recorder::Recorder,
};
use crate::monotonic;

/// Events of one object that go out at once.
const BURST: u32 = 10;
/// How soon there may be one more after that.
const REFILL: Duration = Duration::from_mins(1);

/// Writes events.
pub(crate) struct Events {
    recorder: Recorder,
    limits: Mutex<Limits>,
}

impl Events {
    pub(crate) fn new(recorder: Recorder) -> Self {
        Self { recorder, limits: Mutex::default() }
    }

    /// An event of each transition that the status tells of.
    pub(crate) async fn announce(&self, database: &Database, new: &DatabaseStatus) {
        for (type_, reason, note) in told(database.status.as_ref(), new) {
            self.publish_as(database, type_, reason, note).await;
        }
        let was_restored = database.status.as_ref().is_some_and(|status| status.restored.is_some());
        if let Some(Restored { server, time }) = new.restored.as_ref().filter(|_| !was_restored) {
            let note = format!("The server has the data that server {server} had at {time}");
            self.publish(database, Reason::Restored, &note).await;
        }
        let before = database.status.as_ref().map(|status| &*status.conditions).unwrap_or_default();
        let before = find(before, CLIENT_ID_CONFLICT).map(|conflict| &conflict.reason);
        if let Some(conflict) = find(&new.conditions, CLIENT_ID_CONFLICT)
            && before != Some(&conflict.reason)
        {
            self.publish(database, Reason::ClientIdConflict, &conflict.message).await;
        }
    }

    /// An event, unless the object had too many of late.
    pub(crate) async fn publish(&self, database: &Database, reason: Reason, note: &str) {
        self.publish_as(database, event_type(reason.as_str()), reason.as_str(), note).await;
    }

    async fn publish_as(&self, database: &Database, type_: EventType, reason: &str, note: &str) {
        let may_go = self
            .limits
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take(ObjectRef::from_obj(database), monotonic::now());
        if !may_go {
            tracing::debug!(reason, "the object has had too many events of late; this one is left out");
            return;
        }
        self.recorder.publish(&database.object_ref(&()), type_, "Reconcile", reason, note).await;
    }

    /// An event of whatever object.
    pub(crate) async fn publish_of(&self, object: &ObjectReference, reason: &str, note: &str) {
        self.recorder.publish(object, event_type(reason), "Reconcile", reason, note).await;
    }
}

/// What is worth an event.
fn told<'a>(old: Option<&DatabaseStatus>, new: &'a DatabaseStatus) -> Vec<(EventType, &'a str, &'a str)> {
    let mut told = Vec::new();
    if let Some(ready) = transition(old, new) {
        told.push((event_type(&ready.reason), ready.reason.as_str(), ready.message.as_str()));
    }
    let before = |type_: &str| find(&old?.conditions, type_);
    let is_ready = conditions::ready(Some(new)).is_some_and(|ready| ready.status == "True");
    let trouble = |synced: &&Condition| !is_work(&synced.reason);
    let was_troubled = before(SYNCED).filter(trouble);
    match find(&new.conditions, SYNCED).filter(trouble) {
        Some(now) if was_troubled.is_none_or(|before| before.reason != now.reason) => {
            told.push((EventType::Warning, &now.reason, &now.message));
        }
        None if was_troubled.is_some() && is_ready => {
            told.push((EventType::Normal, Reason::Synced.as_str(), "Azure has what is wanted again"));
        }
        _ => {}
    }
    let was_paused = before(PAUSED);
    match find(&new.conditions, PAUSED) {
        Some(now) if was_paused.is_none_or(|before| before.message != now.message) => {
            let type_ = if now.status == "True" { EventType::Normal } else { EventType::Warning };
            told.push((type_, Reason::Paused.as_str(), &now.message));
        }
        None if was_paused.is_some_and(|before| before.status == "True") => {
            told.push((
                EventType::Normal,
                Reason::PauseEnded.as_str(),
                "What is in Azure is kept as it is written again",
            ));
        }
        _ => {}
    }
    told.extend(told_of_access(
        before(ACCESS_READY),
        find(&new.conditions, ACCESS_READY).filter(|_| is_ready),
    ));
    told.extend(told_of_age(before(UP_TO_DATE), find(&new.conditions, UP_TO_DATE)));
    told.extend(told_of_copies(before(VAULT_BACKUP), find(&new.conditions, VAULT_BACKUP)));
    told
}

/// What was found by SQL of a database that is ready: of one that isn't, `Ready` tells.
fn told_of_access<'a>(
    before: Option<&Condition>,
    now: Option<&'a Condition>,
) -> Option<(EventType, &'a str, &'a str)> {
    let is_trouble = |access: &&Condition| access.status != "True" && !is_work(&access.reason);
    let was_troubled = before.filter(is_trouble);
    let now = now?;
    let is_news = if is_trouble(&now) {
        was_troubled.is_none_or(|before| before.reason != now.reason)
    } else if now.reason == Reason::FormerLogin.as_str() {
        // Pods are to be restarted.
        before.is_none_or(|before| before.reason != now.reason)
    } else {
        now.status == "True" && was_troubled.is_some()
    };
    is_news.then_some((event_type(&now.reason), &*now.reason, &*now.message))
}

/// That the version of PostgreSQL has become older than it should be.
fn told_of_age<'a>(
    before: Option<&Condition>,
    now: Option<&'a Condition>,
) -> Option<(EventType, &'a str, &'a str)> {
    let now = now.filter(|now| now.status == "False")?;
    let is_news = before.is_none_or(|before| before.reason != now.reason);
    is_news.then_some((event_type(&now.reason), &*now.reason, &*now.message))
}

/// That a vault makes copies now, or what keeps it from that. How far Azure is with it, the status tells.
fn told_of_copies<'a>(
    before: Option<&Condition>,
    now: Option<&'a Condition>,
) -> Option<(EventType, &'a str, &'a str)> {
    // It says nothing of the copies, and passes.
    let is_unknown = |condition: &Condition| condition.reason == Reason::CacheNotSynced.as_str();
    let now = now.filter(|now| !is_work(&now.reason) && !is_unknown(now))?;
    let is_news = before
        .is_none_or(|before| before.reason != now.reason && !(is_unknown(before) && now.status == "True"));
    is_news.then_some((event_type(&now.reason), &*now.reason, &*now.message))
}

/// The condition `Ready`, if it has another reason than before, or tells of another change. Words of Azure's that differ
/// from one try to the next, as ids of requests do, are no transition; nor are the steps of a creation that goes well, which
/// the status tells of: its event is that the database is ready.
fn transition<'a>(old: Option<&DatabaseStatus>, new: &'a DatabaseStatus) -> Option<&'a Condition> {
    let (before, now) = (conditions::ready(old), conditions::ready(Some(new))?);
    let is_same = before.is_some_and(|before| {
        before.reason == now.reason && (before.message == now.message || !is_change(&now.reason))
    });
    let goes_well = is_creation(now) && before.is_none_or(is_creation);
    (!is_same && !goes_well).then_some(now)
}

fn is_creation(ready: &Condition) -> bool {
    [Reason::Creating, Reason::Restoring, Reason::Configuring]
        .iter()
        .any(|step| step.as_str() == ready.reason)
}

/// How many events each object may still have, and since when. Who isn't in it may have all.
#[derive(Debug, Default)]
struct Limits(HashMap<ObjectRef<Database>, (u32, Instant)>);

impl Limits {
    fn take(&mut self, object: ObjectRef<Database>, now: Instant) -> bool {
        self.0.retain(|_, (_, since)| now.saturating_duration_since(*since) < REFILL * BURST);
        let (left, since) = self.0.entry(object).or_insert((BURST, now));
        let refilled = now.saturating_duration_since(*since).as_secs() / REFILL.as_secs();
        if refilled > 0 {
            *left = left.saturating_add(u32::try_from(refilled).unwrap_or(BURST)).min(BURST);
            *since = now;
        }
        let may_go = *left > 0;
        *left = left.saturating_sub(1);
        may_go
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::super::events::*;

    fn status(reason: &str, message: &str) -> DatabaseStatus {
        serde_json::from_value(json!({"conditions": [{
            "type": "Ready", "status": "False", "reason": reason, "message": message,
            "lastTransitionTime": "2026-11-24T12:00:00Z",
        }]}))
        .unwrap()
    }

    #[rstest]
    #[case::a_creation_begins(None, status("Creating", "a"), false)]
    #[case::a_creation_goes_on(Some(status("Creating", "a")), status("Configuring", "b"), false)]
    #[case::a_creation_ends(Some(status("Configuring", "a")), status("Ready", "a"), true)]
    #[case::trouble_of_a_creation(Some(status("Creating", "a")), status("QuotaExceeded", "b"), true)]
    #[case::trouble_at_once(None, status("PolicyDenied", "a"), true)]
    #[case::trouble_is_over(Some(status("QuotaExceeded", "a")), status("Creating", "b"), true)]
    #[case::a_login_is_made_anew(Some(status("Ready", "a")), status("Configuring", "b"), true)]
    #[case::the_same(Some(status("Updating", "a")), status("Updating", "a"), false)]
    #[case::another_change(Some(status("Updating", "a")), status("Updating", "b"), true)]
    #[case::another_try(
        Some(status("QuotaExceeded", "request 1")),
        status("QuotaExceeded", "request 2"),
        false
    )]
    fn each_transition_is_told_once(
        #[case] old: Option<DatabaseStatus>,
        #[case] new: DatabaseStatus,
        #[case] is_told: bool,
    ) {
        assert_eq!(transition(old.as_ref(), &new).is_some(), is_told);
    }

    #[test]
    fn what_lies_beside_ready_is_told_when_it_begins_and_when_it_ends() {
        let with = |conditions: &[(&str, &str, &str)]| -> DatabaseStatus {
            let conditions =
                [("Ready", "True", "Ready")].iter().chain(conditions).map(|(type_, status, reason)| {
                    json!({"type": type_, "status": status, "reason": reason, "message": reason,
                       "lastTransitionTime": "2026-11-24T12:00:00Z"})
                });
            serde_json::from_value(json!({"conditions": conditions.collect::<Vec<_>>()})).unwrap()
        };
        let well = with(&[]);
        let in_trouble = with(&[("Synced", "False", "AuthorizationFailed")]);
        let other = with(&[("Synced", "False", "ScopeLocked")]);
        let updating = with(&[("Synced", "False", "Updating")]);
        let paused = with(&[("Paused", "True", "Paused")]);
        let ignored = with(&[("Paused", "False", "Malformed")]);
        let [connecting, handed_over, full, drifted, settled] = [
            ("Unknown", "Connecting"),
            ("True", "FormerLogin"),
            ("Unknown", "TooManyConnections"),
            ("False", "Drifted"),
            ("True", "Settled"),
        ]
        .map(|(status, reason)| with(&[("AccessReady", status, reason)]));
        let [current, ending, extended] =
            [("True", "Current"), ("False", "VersionEnding"), ("False", "VersionExtended")]
                .map(|(status, reason)| with(&[("UpToDate", status, reason)]));
        let reasons = |old: &DatabaseStatus, new: &DatabaseStatus| -> Vec<String> {
            let type_of = |type_| if matches!(type_, EventType::Warning) { "!" } else { "" };
            told(Some(old), new)
                .iter()
                .map(|(type_, reason, _)| format!("{reason}{}", type_of(*type_)))
                .collect()
        };
        assert_eq!(reasons(&well, &in_trouble), ["AuthorizationFailed!"]);
        assert_eq!(reasons(&in_trouble, &in_trouble), [""; 0]);
        assert_eq!(reasons(&in_trouble, &other), ["ScopeLocked!"]);
        assert_eq!(reasons(&other, &well), ["Synced"]);
        assert_eq!(reasons(&well, &updating), [""; 0]);
        assert_eq!(reasons(&updating, &well), [""; 0]);
        assert_eq!(reasons(&well, &paused), ["Paused"]);
        assert_eq!(reasons(&paused, &well), ["PauseEnded"]);
        assert_eq!(reasons(&well, &ignored), ["Paused!"]);
        assert_eq!(reasons(&ignored, &well), [""; 0]);
        assert_eq!(reasons(&connecting, &settled), [""; 0]);
        assert_eq!(reasons(&connecting, &handed_over), ["FormerLogin!"]);
        assert_eq!(reasons(&handed_over, &handed_over), [""; 0]);
        assert_eq!(reasons(&handed_over, &settled), [""; 0]);
        assert_eq!(reasons(&settled, &full), ["TooManyConnections!"]);
        assert_eq!(reasons(&full, &full), [""; 0]);
        assert_eq!(reasons(&full, &drifted), ["Drifted!"]);
        assert_eq!(reasons(&drifted, &settled), ["Settled"]);
        assert_eq!(reasons(&current, &ending), ["VersionEnding!"]);
        assert_eq!(reasons(&ending, &ending), [""; 0]);
        assert_eq!(reasons(&ending, &extended), ["VersionExtended!"]);
        assert_eq!(reasons(&extended, &current), [""; 0]);
    }

    #[rstest]
    #[case::it_begins(None, ("Unknown", "ConfiguringProtection"), None)]
    #[case::it_makes_copies_for_the_first_time(Some("ConfiguringProtection"), ("True", "Protected"), Some("Protected"))]
    #[case::it_was_protected_before_anybody_looked(None, ("True", "Protected"), Some("Protected"))]
    #[case::it_is_at_rest(Some("Protected"), ("True", "Protected"), None)]
    #[case::its_policy_changes(Some("Protected"), ("Unknown", "UpdatingProtection"), None)]
    #[case::its_policy_has_changed(Some("UpdatingProtection"), ("True", "Protected"), Some("Protected"))]
    #[case::it_has_an_error(Some("Protected"), ("False", "ProtectionError"), Some("ProtectionError!"))]
    #[case::the_error_goes_on(Some("ProtectionError"), ("False", "ProtectionError"), None)]
    #[case::the_error_is_over(Some("ProtectionError"), ("True", "Protected"), Some("Protected"))]
    #[case::it_was_stopped(Some("Protected"), ("False", "ProtectionStopped"), Some("ProtectionStopped!"))]
    #[case::it_was_deleted_afterwards(Some("ProtectionStopped"), ("False", "SoftDeleted"), Some("SoftDeleted!"))]
    #[case::there_is_no_vault(None, ("False", "VaultMissing"), Some("VaultMissing!"))]
    #[case::nobody_can_ask_it(
        Some("Protected"), ("Unknown", "AzureServiceOperatorMissing"), Some("AzureServiceOperatorMissing!")
    )]
    #[case::nobody_knows_for_a_moment(Some("Protected"), ("Unknown", "CacheNotSynced"), None)]
    #[case::it_is_known_again(Some("CacheNotSynced"), ("True", "Protected"), None)]
    #[case::it_is_known_again_and_amiss(
        Some("CacheNotSynced"), ("False", "ProtectionStopped"), Some("ProtectionStopped!")
    )]
    fn what_becomes_of_the_copies_is_told_once(
        #[case] before: Option<&str>,
        #[case] (status, reason): (&str, &str),
        #[case] expected: Option<&str>,
    ) {
        let with = |copies: Option<(&str, &str)>| -> DatabaseStatus {
            let conditions = copies.map(|(status, reason)| {
                json!({"type": "VaultBackup", "status": status, "reason": reason, "message": reason,
                       "lastTransitionTime": "2026-11-24T12:00:00Z"})
            });
            serde_json::from_value(json!({"conditions": conditions.as_slice()})).unwrap()
        };
        let (old, new) = (with(before.map(|reason| ("Unknown", reason))), with(Some((status, reason))));
        let told = told(Some(&old), &new);
        let told = told.first().map(|(type_, reason, _)| {
            format!("{reason}{}", if matches!(type_, EventType::Warning) { "!" } else { "" })
        });
        assert_eq!(told.as_deref(), expected);
    }

    #[test]
    fn an_object_that_goes_to_and_fro_does_not_flood_the_cluster() {
        let (mut limits, start) = (Limits::default(), Instant::now());
        let object = |name: &str| ObjectRef::new(name).within("orders");
        let taken = (0..100).filter(|_| limits.take(object("main"), start)).count();
        assert_eq!(taken, 10);
        assert!(limits.take(object("other"), start), "each object by itself");
        assert!(!limits.take(object("main"), start + REFILL / 2));
        assert!(limits.take(object("main"), start + REFILL));
        assert!(!limits.take(object("main"), start + REFILL));
        limits.take(object("other"), start + REFILL * 60);
        assert_eq!(limits.0.len(), 1, "what is long ago is forgotten");
    }
}
