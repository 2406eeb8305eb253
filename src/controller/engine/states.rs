//! How many databases are ready, being worked on, or in need of a person: a terminal error must not vanish from metrics.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use api::DatabaseStatus;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, gauge::Gauge},
};

use super::{cache::hash, conditions};

/// Labels of a number of databases.
#[derive(Clone, Copy, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub struct StateLabels {
    /// `ready`, `working` or `stalled`.
    pub state: &'static str,
}

const READY: &str = "ready";
const WORKING: &str = "working";
const STALLED: &str = "stalled";

/// The state of each database.
#[derive(Debug)]
pub(crate) struct States {
    /// By a hash of namespace and name: ten thousand of them must fit into little memory. Beside the state whether it is out
    /// of sync.
    of: Mutex<HashMap<u64, (&'static str, bool)>>,
    count: Family<StateLabels, Gauge>,
    out_of_sync: Gauge,
}

impl States {
    pub(crate) fn new(count: Family<StateLabels, Gauge>, out_of_sync: Gauge) -> Self {
        // An alert on a state must see 0, and not nothing.
        for state in [READY, WORKING, STALLED] {
            count.get_or_create(&StateLabels { state }).set(0);
        }
        Self { of: Mutex::default(), count, out_of_sync }
    }

    /// Takes note of what a database is.
    pub(crate) fn set(&self, namespace: &str, name: &str, status: &DatabaseStatus) {
        let is_stalled = conditions::find(&status.conditions, conditions::STALLED)
            .is_some_and(|stalled| stalled.status == "True");
        let is_ready = conditions::ready(Some(status)).is_some_and(|ready| ready.status == "True");
        let state = match (is_stalled, is_ready) {
            (true, _) => STALLED,
            (false, true) => READY,
            (false, false) => WORKING,
        };
        let synced = conditions::find(&status.conditions, conditions::SYNCED);
        let is_out_of_sync = synced.is_some_and(|synced| !conditions::is_work(&synced.reason));
        self.change(namespace, name, Some((state, is_out_of_sync)));
    }

    /// It is gone.
    pub(crate) fn forget(&self, namespace: &str, name: &str) {
        self.change(namespace, name, None);
    }

    fn change(&self, namespace: &str, name: &str, state: Option<(&'static str, bool)>) {
        let key = hash(namespace, name);
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match state {
            Some(state) => of.insert(key, state),
            None => of.remove(&key),
        };
        if let Some((state, is_out_of_sync)) = before {
            self.count.get_or_create(&StateLabels { state }).dec();
            self.out_of_sync.dec_by(i64::from(is_out_of_sync));
        }
        if let Some((state, is_out_of_sync)) = state {
            self.count.get_or_create(&StateLabels { state }).inc();
            self.out_of_sync.inc_by(i64::from(is_out_of_sync));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::states::*;

    #[test]
    fn each_database_counts_once_as_what_it_is_now() {
        let count = Family::default();
        let out_of_sync = Gauge::default();
        let states = States::new(count.clone(), out_of_sync.clone());
        let told = |conditions: serde_json::Value| {
            serde_json::from_value::<DatabaseStatus>(json!({"conditions": conditions})).unwrap()
        };
        let condition = |kind: &str, status: &str| json!({"type": kind, "status": status, "reason": "R", "message": "", "lastTransitionTime": "2026-11-24T12:00:00Z"});
        let ready = told(json!([condition("Ready", "True")]));
        let stalled = told(json!([condition("Ready", "False"), condition("Stalled", "True")]));
        let counts =
            || [READY, WORKING, STALLED].map(|state| count.get_or_create(&StateLabels { state }).get());
        states.set("a", "one", &told(json!([])));
        states.set("a", "two", &stalled);
        assert_eq!(counts(), [0, 1, 1]);
        states.set("a", "one", &ready);
        states.set("a", "one", &ready);
        assert_eq!(counts(), [1, 0, 1]);
        states.forget("a", "two");
        states.forget("a", "two");
        assert_eq!(counts(), [1, 0, 0]);
        // Trouble that no app feels is seen all the same.
        let beside = |reason: &str| {
            let mut synced = condition("Synced", "False");
            synced["reason"] = json!(reason);
            told(json!([condition("Ready", "True"), synced]))
        };
        states.set("a", "one", &beside("AuthorizationFailed"));
        states.set("a", "three", &beside("Updating"));
        assert_eq!((counts(), out_of_sync.get()), ([2, 0, 0], 1));
        states.set("a", "one", &ready);
        states.forget("a", "one");
        assert_eq!((counts(), out_of_sync.get()), ([1, 0, 0], 0));
    }
}
