//! Which servers this process had looked for anew. What the API server holds may have come back from a backup of it, status
//! and all, so before a server is destroyed its object is made anew, and Azure asked what there is today. Before a server at
//! rest is changed, Azure is asked for the same reason: it may be gone, and would be made anew and empty, or have grown.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::describe::Server;
use crate::{
    azure::{
        AsoObject,
        condition::{self, Progress},
    },
    monotonic,
};

/// What was seen longer ago isn't fresh any more.
const FRESH_FOR: Duration = Duration::from_hours(1);

/// What was seen longer ago isn't changed by it any more: people do things in Azure, too.
const SEEN_FOR: Duration = Duration::from_mins(10);

#[derive(Debug, Default)]
pub(crate) struct Looks {
    /// By the name of the server.
    anew: Mutex<HashMap<String, Look>>,
    /// By kind, namespace and name of the object.
    again: Mutex<HashMap<String, Again>>,
}

#[derive(Debug)]
struct Again {
    asked: Instant,
    /// Uid of the object that was asked: another one of its name has generations of its own.
    of: Option<String>,
    /// When it has seen this one, it has looked.
    generation: i64,
}

#[derive(Debug)]
struct Look {
    asked: Instant,
    /// Uid of the object that was there before.
    stale: Option<String>,
}

impl Looks {
    /// Notes that the object with this uid is gone, or that there was none: one that is there later has looked anew.
    pub(crate) fn asked(&self, server_name: &str, stale: Option<String>) {
        let look = Look { asked: monotonic::now(), stale };
        self.anew.lock().unwrap_or_else(PoisonError::into_inner).insert(server_name.to_owned(), look);
    }

    /// Whether an object was made since this process asked for that.
    pub(crate) fn is_fresh(&self, server_name: &str, object: &Server) -> bool {
        let looks = self.anew.lock().unwrap_or_else(PoisonError::into_inner);
        looks
            .get(server_name)
            .is_some_and(|look| monotonic::since(look.asked) < FRESH_FOR && look.stale != object.uid())
    }

    /// Whether this process has asked for it lately, and the object is on its way.
    pub(crate) fn is_asked(&self, server_name: &str) -> bool {
        let looks = self.anew.lock().unwrap_or_else(PoisonError::into_inner);
        looks.get(server_name).is_some_and(|look| monotonic::since(look.asked) < FRESH_FOR)
    }

    /// Forgets a server that is settled.
    pub(crate) fn forget(&self, server_name: &str) {
        self.anew.lock().unwrap_or_else(PoisonError::into_inner).remove(server_name);
    }

    /// Notes that Azure Service Operator was asked to look at an object again, and will have when it has seen this generation.
    pub(crate) fn asked_again(&self, key: String, of: Option<String>, generation: i64) {
        let again = Again { asked: monotonic::now(), of, generation };
        self.again.lock().unwrap_or_else(PoisonError::into_inner).insert(key, again);
    }

    /// Whether it has seen what there is since it was asked; `None` when it wasn't asked lately. A look that failed has seen
    /// nothing.
    pub(crate) fn has_looked_again<K: AsoObject>(&self, key: &str, object: &K) -> Option<bool> {
        let again = self.again.lock().unwrap_or_else(PoisonError::into_inner);
        let again = again.get(key).filter(|again| {
            monotonic::since(again.asked) < SEEN_FOR && again.of.as_deref() == object.meta().uid.as_deref()
        })?;
        let is_newer = object.meta().generation.is_some_and(|now| now >= again.generation);
        Some(is_newer && condition::progress(object) == Progress::Ready)
    }

    /// What it saw was used.
    pub(crate) fn used(&self, key: &str) {
        self.again.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

#[cfg(test)]
mod tests {
    use kube::api::ObjectMeta;
    use rstest::rstest;
    use serde_json::json;

    use super::super::looks::*;
    use crate::azure::FlexibleServer;

    const JUST_BEFORE: Duration = Duration::from_millis(1);

    fn object(uid: &str) -> Server {
        FlexibleServer {
            metadata: ObjectMeta { uid: Some(uid.to_owned()), ..ObjectMeta::default() },
            ..server(3, "Succeeded")
        }
        .into()
    }

    /// Of which Azure Service Operator has seen the third generation.
    fn server(generation: i64, reason: &str) -> FlexibleServer {
        let status = if reason == "Succeeded" { "True" } else { "False" };
        serde_json::from_value(json!({
            "apiVersion": "dbforpostgresql.azure.com/v20250801", "kind": "FlexibleServer",
            "metadata": {"name": "srv", "generation": generation},
            "spec": {"azureName": "srv", "owner": {}, "location": "x"},
            "status": {"conditions": [{
                "type": "Ready", "status": status, "severity": "Warning", "reason": reason, "observedGeneration": 3,
            }]},
        }))
        .unwrap()
    }

    #[test]
    fn another_object_is_fresh_for_an_hour_after_it_was_asked_for() {
        monotonic::stand_still();
        let (looks, old, new) = (Looks::default(), object("old"), object("new"));
        let answers = || [looks.is_fresh("srv", &old), looks.is_fresh("srv", &new), looks.is_asked("srv")];
        assert_eq!(answers(), [false, false, false], "nobody has asked");
        looks.asked("srv", Some("old".to_owned()));
        assert_eq!(answers(), [false, true, true]);
        assert!(
            !looks.is_fresh("other", &new) && !looks.is_asked("other"),
            "of another server nothing was asked"
        );
        monotonic::advance(FRESH_FOR.saturating_sub(JUST_BEFORE));
        assert_eq!(answers(), [false, true, true]);
        monotonic::advance(JUST_BEFORE);
        assert_eq!(answers(), [false, false, false], "people do things in Azure, too");
        looks.asked("srv", None);
        assert_eq!(answers(), [true, true, true], "there was none");
        looks.forget("srv");
        assert_eq!(answers(), [false, false, false], "it is settled");
    }

    #[test]
    fn it_has_looked_again_once_it_has_told_of_the_generation() {
        monotonic::stand_still();
        let looks = Looks::default();
        assert_eq!(looks.has_looked_again("srv", &server(3, "Succeeded")), None, "nobody has asked");
        looks.asked_again("srv".to_owned(), None, 3);
        let answer = |generation| looks.has_looked_again("srv", &server(generation, "Succeeded"));
        assert_eq!(answer(2), Some(false), "the cache is behind");
        assert_eq!(answer(4), Some(false), "it has yet to tell of this one");
        assert_eq!(answer(3), Some(true));
        monotonic::advance(SEEN_FOR.saturating_sub(JUST_BEFORE));
        assert_eq!(answer(3), Some(true));
        monotonic::advance(JUST_BEFORE);
        assert_eq!(answer(3), None, "that was long ago");
        looks.asked_again("srv".to_owned(), None, 3);
        looks.used("srv");
        assert_eq!(answer(3), None, "what it saw was used");
        looks.asked_again("srv".to_owned(), Some("old".to_owned()), 3);
        assert_eq!(answer(3), None, "the one that was asked is gone");
    }

    #[rstest]
    #[case::azure_is_away("Failed")]
    #[case::throttled("TooManyRequests")]
    #[case::no_rights("AuthorizationFailed")]
    #[case::under_way("Reconciling")]
    fn a_look_that_failed_has_seen_nothing(#[case] reason: &str) {
        monotonic::stand_still();
        let looks = Looks::default();
        looks.asked_again("srv".to_owned(), None, 3);
        assert_eq!(looks.has_looked_again("srv", &server(3, reason)), Some(false));
    }
}
