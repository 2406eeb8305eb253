//! What was written and hasn't come back through the watch yet.
//!
//! A cache is a little behind. Without this, a reconcile that runs in between would find the old object and
//! write the same thing again.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde::Serialize;

use crate::monotonic;

/// After this long a cache isn't behind but the object was changed back or deleted in between.
pub(crate) const EXPIRY: Duration = Duration::from_secs(10);

/// What became of a write.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Written {
    /// The cache doesn't show it yet.
    InFlight,
    /// It changed nothing: whatever differs in the object is not ours.
    Settled,
}

/// A write: what, over which cached version, when, and what became of it.
#[derive(Debug)]
struct Write {
    fingerprint: u64,
    version: Option<String>,
    at: Instant,
    written: Written,
}

/// Writes by object, until the cache shows them.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    writes: Mutex<HashMap<String, Write>>,
}

impl InFlight {
    /// Whether this was written over this very cached version already, so that writing it again would be idle.
    pub(crate) fn holds(
        &self,
        key: &str,
        wanted: &impl Serialize,
        cached_version: Option<&str>,
    ) -> Option<Written> {
        let writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
        let write = writes.get(key)?;
        let is_same =
            write.fingerprint == fingerprint_of(wanted) && write.version.as_deref() == cached_version;
        (is_same && !write.is_over()).then_some(write.written)
    }

    /// Whether any write over this cached version has yet to come back.
    pub(crate) fn is_pending(&self, key: &str, cached_version: Option<&str>) -> bool {
        let writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
        writes.get(key).is_some_and(|write| {
            write.written == Written::InFlight
                && write.version.as_deref() == cached_version
                && !write.is_over()
        })
    }

    /// Notes a write.
    pub(crate) fn note(
        &self,
        key: String,
        wanted: &impl Serialize,
        cached_version: Option<&str>,
        written: Written,
    ) {
        let mut writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
        writes.retain(|_, write| !write.is_over());
        let version = cached_version.map(str::to_owned);
        let write = Write { fingerprint: fingerprint_of(wanted), version, at: monotonic::now(), written };
        writes.insert(key, write);
    }
}

impl Write {
    fn is_over(&self) -> bool {
        self.written == Written::InFlight && monotonic::since(self.at) >= EXPIRY
    }
}

fn fingerprint_of(value: &impl Serialize) -> u64 {
    let mut hasher = DefaultHasher::new();
    // What can't be serialized can't have been written either.
    serde_json::to_string(value).unwrap_or_default().hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::super::in_flight::*;

    #[test]
    fn a_write_is_in_flight_until_the_cache_moves() {
        let in_flight = InFlight::default();
        assert_eq!(in_flight.holds("a", &"x", None), None);
        in_flight.note("a".into(), &"x", None, Written::InFlight);
        assert_eq!(in_flight.holds("a", &"x", None), Some(Written::InFlight));
        assert_eq!(in_flight.holds("a", &"y", None), None, "something else is wanted");
        assert_eq!(in_flight.holds("a", &"x", Some("1")), None, "the cache has moved");
        assert_eq!(in_flight.holds("b", &"x", None), None, "another object");
        assert!(in_flight.is_pending("a", None), "whatever is wanted now");
        assert!(!in_flight.is_pending("a", Some("1")) && !in_flight.is_pending("b", None));
    }

    #[test]
    fn after_a_while_the_cache_is_not_behind_any_more() {
        monotonic::stand_still();
        let in_flight = InFlight::default();
        in_flight.note("a".into(), &"x", None, Written::InFlight);
        in_flight.note("b".into(), &"x", None, Written::Settled);
        monotonic::advance(Duration::from_secs(9));
        assert!(in_flight.is_pending("a", None));
        monotonic::advance(Duration::from_secs(1));
        assert!(!in_flight.is_pending("a", None));
        assert_eq!(in_flight.holds("a", &"x", None), None);
        assert_eq!(in_flight.holds("b", &"x", None), Some(Written::Settled), "as long as nobody changes it");
    }
}
