//! Which servers this process had looked for anew. What the API server holds may have come back from a backup of it, status
//! and all, so before a server is destroyed its object is made anew, and Azure asked what there is today.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use kube::ResourceExt;

use crate::azure::FlexibleServer;

/// What was seen longer ago isn't fresh any more.
const FRESH_FOR: Duration = Duration::from_hours(1);

/// By the name of the server.
#[derive(Debug, Default)]
pub(in crate::controller) struct Looks(Mutex<HashMap<String, Look>>);

#[derive(Debug)]
struct Look {
    asked: Instant,
    /// Uid of the object that was there before.
    stale: Option<String>,
}

impl Looks {
    /// Notes that the object with this uid is gone, or that there was none: one that is there later has looked anew.
    pub(in crate::controller) fn asked(&self, server_name: &str, stale: Option<String>) {
        let look = Look { asked: Instant::now(), stale };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(server_name.to_owned(), look);
    }

    /// Whether an object was made since this process asked for that.
    pub(super) fn is_fresh(&self, server_name: &str, object: &FlexibleServer) -> bool {
        let looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        looks
            .get(server_name)
            .is_some_and(|look| look.asked.elapsed() < FRESH_FOR && look.stale != object.uid())
    }

    /// Whether this process has asked for it lately, and the object is on its way.
    pub(super) fn is_asked(&self, server_name: &str) -> bool {
        let looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        looks.get(server_name).is_some_and(|look| look.asked.elapsed() < FRESH_FOR)
    }

    /// Forgets a server that is settled.
    pub(super) fn forget(&self, server_name: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(server_name);
    }
}
