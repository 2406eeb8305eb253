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
