//! Events: each transition once, with its values, and never a flood of them.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use api::{Database, DatabaseStatus};
use k8s_openapi::{api::core::v1::ObjectReference, apimachinery::pkg::apis::meta::v1::Condition};
use kube::{
    Resource,
    runtime::{events::EventType, reflector::ObjectRef},
};

use super::{
    recorder::Recorder,
    status::{self, CLIENT_ID_CONFLICT, is_change},
};

/// Events of one object that go out at once.
const BURST: u32 = 10;
/// How soon there may be one more after that.
const REFILL: Duration = Duration::from_mins(1);

/// Writes events.
pub(super) struct Events {
    recorder: Recorder,
    limits: Mutex<Limits>,
}

impl Events {
    pub(super) fn new(recorder: Recorder) -> Self {
        Self { recorder, limits: Mutex::default() }
    }

    /// An event if the status tells of a transition.
    pub(super) async fn announce(&self, database: &Database, new: &DatabaseStatus) {
        if let Some(ready) = transition(database.status.as_ref(), new) {
            // What comes back is no trouble, nor what Kubernetes does by itself.
            let is_harmless = ["Recovering", "SecretLeftOver"].contains(&ready.reason.as_str());
            let is_trouble = ready.status == "False" && !is_harmless;
            let type_ = if is_trouble { EventType::Warning } else { EventType::Normal };
            self.publish(database, type_, &ready.reason, &ready.message).await;
        }
        let before = database.status.as_ref().map(|status| &*status.conditions).unwrap_or_default();
        let before = status::find(before, CLIENT_ID_CONFLICT).map(|conflict| &conflict.reason);
        if let Some(conflict) = status::find(&new.conditions, CLIENT_ID_CONFLICT)
            && before != Some(&conflict.reason)
        {
            self.publish(database, EventType::Warning, CLIENT_ID_CONFLICT, &conflict.message).await;
        }
    }

    /// An event, unless the object had too many of late.
    pub(super) async fn publish(&self, database: &Database, type_: EventType, reason: &str, note: &str) {
        let may_go = self
            .limits
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take(ObjectRef::from_obj(database), Instant::now());
        if !may_go {
            tracing::debug!(reason, "the object has had too many events of late; this one is left out");
            return;
        }
        self.publish_of(&database.object_ref(&()), type_, reason, note).await;
    }

    /// An event of whatever object.
    pub(super) async fn publish_of(
        &self,
        object: &ObjectReference,
        type_: EventType,
        reason: &str,
        note: &str,
    ) {
        self.recorder.publish(object, type_, "Reconcile", reason, note).await;
    }
}

/// The condition `Ready`, if it has another reason than before, or tells of another change. Words of Azure's that differ
/// from one try to the next, as ids of requests do, are no transition.
fn transition<'a>(old: Option<&DatabaseStatus>, new: &'a DatabaseStatus) -> Option<&'a Condition> {
    let (before, now) = (status::ready(old), status::ready(Some(new))?);
    let is_same = before.is_some_and(|before| {
        before.reason == now.reason && (before.message == now.message || !is_change(&now.reason))
    });
    (!is_same).then_some(now)
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

    use super::*;

    fn status(reason: &str, message: &str) -> DatabaseStatus {
        serde_json::from_value(json!({"conditions": [{
            "type": "Ready", "status": "False", "reason": reason, "message": message,
            "lastTransitionTime": "2026-11-24T12:00:00Z",
        }]}))
        .unwrap()
    }

    #[rstest]
    #[case::first(None, status("Creating", "a"), true)]
    #[case::another_reason(Some(status("Creating", "a")), status("Ready", "a"), true)]
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
