//! Which servers this process had looked for anew. What the API server holds may have come back from a backup of it, status
//! and all, so before a server is destroyed its object is made anew, and Azure asked what there is today. Before a server at
//! rest is changed, Azure is asked for the same reason: it may be gone, and would be made anew and empty, or have grown.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use kube::ResourceExt;

use super::describe::Server;
use crate::{
    azure::{
        FlexibleServer,
        condition::{self, Progress},
    },
    monotonic,
};

/// What was seen longer ago isn't fresh any more.
const FRESH_FOR: Duration = Duration::from_hours(1);

/// What was seen longer ago isn't changed by it any more: people do things in Azure, too.
const SEEN_FOR: Duration = Duration::from_mins(10);

/// By the name of the server.
#[derive(Debug, Default)]
pub(crate) struct Looks {
    anew: Mutex<HashMap<String, Look>>,
    again: Mutex<HashMap<String, (i64, Instant)>>,
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

    /// Notes that Azure Service Operator was asked to look again, and will have when it has seen this generation.
    pub(crate) fn asked_again(&self, server_name: &str, generation: i64) {
        let again = (generation, monotonic::now());
        self.again.lock().unwrap_or_else(PoisonError::into_inner).insert(server_name.to_owned(), again);
    }

    /// Whether it has looked since it was asked; `None` when it wasn't asked lately.
    pub(crate) fn has_looked_again(&self, object: &FlexibleServer) -> Option<bool> {
        let again = self.again.lock().unwrap_or_else(PoisonError::into_inner);
        let (generation, _) =
            again.get(&object.name_any()).filter(|(_, asked)| monotonic::since(*asked) < SEEN_FOR)?;
        let is_newer = object.metadata.generation.is_some_and(|now| now >= *generation);
        Some(is_newer && condition::progress(object) != Progress::Sent)
    }

    /// What it saw was used.
    pub(crate) fn used(&self, server_name: &str) {
        self.again.lock().unwrap_or_else(PoisonError::into_inner).remove(server_name);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const JUST_BEFORE: Duration = Duration::from_millis(1);

    fn object(uid: &str, generation: i64) -> FlexibleServer {
        serde_json::from_value(json!({
            "apiVersion": "dbforpostgresql.azure.com/v20250801", "kind": "FlexibleServer",
            "metadata": {"name": "srv", "uid": uid, "generation": generation},
            "spec": {"azureName": "srv", "owner": {}, "location": "x"},
            "status": {"conditions": [{"type": "Ready", "status": "True", "reason": "Succeeded", "observedGeneration": 3}]},
        }))
        .unwrap()
    }

    #[test]
    fn another_object_is_fresh_for_an_hour_after_it_was_asked_for() {
        monotonic::stand_still();
        let (looks, old, new) = (Looks::default(), object("old", 3).into(), object("new", 3).into());
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
        assert_eq!(looks.has_looked_again(&object("u", 3)), None, "nobody has asked");
        looks.asked_again("srv", 3);
        let answer = |generation| looks.has_looked_again(&object("u", generation));
        assert_eq!(answer(2), Some(false), "the cache is behind");
        assert_eq!(answer(4), Some(false), "it has yet to tell of this one");
        assert_eq!(answer(3), Some(true));
        monotonic::advance(SEEN_FOR.saturating_sub(JUST_BEFORE));
        assert_eq!(answer(3), Some(true));
        monotonic::advance(JUST_BEFORE);
        assert_eq!(answer(3), None, "that was long ago");
        looks.asked_again("srv", 3);
        looks.used("srv");
        assert_eq!(answer(3), None, "what it saw was used");
    }
}
