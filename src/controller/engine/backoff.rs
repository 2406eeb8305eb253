//! How long a failed object waits: longer each time, for each object by itself, with jitter so that objects
//! that failed together don't come back together.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use kube::{Resource, runtime::reflector::ObjectRef};

/// A pass takes milliseconds. A connection that died in silence would hold its place for a quarter of an hour.
pub(crate) const LIMIT: Duration = Duration::from_secs(45);

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(5);

/// Failures in a row by object.
#[derive(Debug)]
pub(crate) struct Backoff<K: Resource<DynamicType = ()>> {
    failures: Mutex<HashMap<ObjectRef<K>, Failures>>,
}

impl<K: Resource<DynamicType = ()>> Default for Backoff<K> {
    fn default() -> Self {
        Self { failures: Mutex::default() }
    }
}

#[derive(Debug, Default)]
struct Failures {
    count: u32,
    /// The generation that failed: who mends a spec need not wait for the patience that the old one used up.
    generation: Option<i64>,
}

impl<K: Resource<DynamicType = ()>> Backoff<K> {
    /// Counts a failure of this generation and gives the time to wait.
    pub(crate) fn failed(&self, object: &ObjectRef<K>, generation: Option<i64>) -> Duration {
        let mut all = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let failures = all.entry(object.clone()).or_default();
        if failures.generation != generation {
            *failures = Failures { count: 0, generation };
        }
        failures.count = failures.count.saturating_add(1);
        jittered(FIRST.saturating_mul(2_u32.saturating_pow(failures.count - 1)).min(LONGEST))
    }

    /// Forgets the failures of an object that succeeded or is gone.
    pub(crate) fn succeeded(&self, object: &ObjectRef<K>) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(object);
    }
}

/// Between three quarters and five quarters of the duration.
pub(crate) fn jittered(duration: Duration) -> Duration {
    // Each `RandomState` has keys of its own: randomness enough to spread a crowd.
    let random = RandomState::new().hash_one(duration) % 501;
    duration.saturating_mul(750 + u32::try_from(random).unwrap_or_default()) / 1000
}

#[cfg(test)]
mod tests {
    use api::Database;

    use super::super::backoff::*;

    #[test]
    fn an_object_waits_longer_each_time_until_it_succeeds() {
        let backoff = Backoff::<Database>::default();
        let (one, other) = (ObjectRef::new("one").within("a"), ObjectRef::new("other").within("a"));
        let mut before = Duration::ZERO;
        for _ in 0..4 {
            let next = backoff.failed(&one, Some(1));
            assert!(next > before, "{next:?} after {before:?}");
            before = next;
        }
        assert!(backoff.failed(&other, Some(1)) < Duration::from_secs(2));
        backoff.succeeded(&one);
        assert!(backoff.failed(&one, Some(1)) < Duration::from_secs(2));
    }

    #[test]
    fn a_spec_that_changes_begins_anew() {
        let backoff = Backoff::<Database>::default();
        let object = ObjectRef::new("one").within("a");
        for _ in 0..4 {
            backoff.failed(&object, Some(1));
        }
        assert!(backoff.failed(&object, Some(1)) > Duration::from_secs(2));
        assert!(backoff.failed(&object, Some(2)) < Duration::from_secs(2));
    }

    #[test]
    fn the_wait_has_an_end() {
        let backoff = Backoff::<Database>::default();
        let object = ObjectRef::new("one").within("a");
        let longest = (0..100).map(|_| backoff.failed(&object, None)).max();
        assert!(longest <= Some(LONGEST * 5 / 4));
    }
}
