//! How long a failed object waits: longer each time, for each object by itself, with jitter so that objects
//! that failed together don't come back together.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use api::Database;
use kube::runtime::reflector::ObjectRef;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(5);

/// Failures in a row by object.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: Mutex<HashMap<ObjectRef<Database>, u32>>,
}

impl Backoff {
    /// Counts a failure and gives the time to wait.
    pub(super) fn failed(&self, object: &ObjectRef<Database>) -> Duration {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(object.clone()).or_default();
        *count = count.saturating_add(1);
        jittered(FIRST.saturating_mul(2_u32.saturating_pow(*count - 1)).min(LONGEST))
    }

    /// Forgets the failures of an object that succeeded or is gone.
    pub(super) fn succeeded(&self, object: &ObjectRef<Database>) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(object);
    }
}

/// Between three quarters and five quarters of the duration.
pub(super) fn jittered(duration: Duration) -> Duration {
    // Each `RandomState` has keys of its own: randomness enough to spread a crowd.
    let random = RandomState::new().hash_one(duration) % 501;
    duration.saturating_mul(750 + u32::try_from(random).unwrap_or_default()) / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_waits_longer_each_time_until_it_succeeds() {
        let backoff = Backoff::default();
        let (one, other) = (ObjectRef::new("one").within("a"), ObjectRef::new("other").within("a"));
        let mut before = Duration::ZERO;
        for _ in 0..4 {
            let next = backoff.failed(&one);
            assert!(next > before, "{next:?} after {before:?}");
            before = next;
        }
        assert!(backoff.failed(&other) < Duration::from_secs(2));
        backoff.succeeded(&one);
        assert!(backoff.failed(&one) < Duration::from_secs(2));
    }

    #[test]
    fn the_wait_has_an_end() {
        let backoff = Backoff::default();
        let object = ObjectRef::new("one").within("a");
        let longest = (0..100).map(|_| backoff.failed(&object)).max();
        assert!(longest <= Some(LONGEST * 5 / 4));
    }
}
