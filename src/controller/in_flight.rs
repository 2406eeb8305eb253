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

/// After this long a cache isn't behind but the object was changed back or deleted in between.
const EXPIRY: Duration = Duration::from_secs(10);

/// Fingerprint of what was written, over which cached version, and when.
type Written = (u64, Option<String>, Instant);

/// Writes by object, until the cache shows them.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    writes: Mutex<HashMap<String, Written>>,
}

impl InFlight {
    /// Whether this was written over this very cached version a moment ago.
    pub(super) fn holds(&self, key: &str, wanted: &impl Serialize, cached_version: Option<&str>) -> bool {
        let writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
        writes.get(key).is_some_and(|(fingerprint, version, at)| {
            *fingerprint == fingerprint_of(wanted)
                && version.as_deref() == cached_version
                && at.elapsed() < EXPIRY
        })
    }

    /// Notes a write.
    pub(super) fn note(&self, key: String, wanted: &impl Serialize, cached_version: Option<&str>) {
        let mut writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
        writes.retain(|_, (_, _, at)| at.elapsed() < EXPIRY);
        writes.insert(key, (fingerprint_of(wanted), cached_version.map(str::to_owned), Instant::now()));
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
    use super::*;

    #[test]
    fn a_write_is_in_flight_until_the_cache_moves() {
        let in_flight = InFlight::default();
        assert!(!in_flight.holds("a", &"x", None));
        in_flight.note("a".into(), &"x", None);
        assert!(in_flight.holds("a", &"x", None));
        assert!(!in_flight.holds("a", &"y", None), "something else is wanted");
        assert!(!in_flight.holds("a", &"x", Some("1")), "the cache has moved");
        assert!(!in_flight.holds("b", &"x", None), "another object");
    }
}
