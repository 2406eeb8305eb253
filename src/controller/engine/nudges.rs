//! When each object in trouble is to be tried again.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};

/// How long after the trouble began.
const FIRST: SignedDuration = SignedDuration::from_mins(5);

/// As seldom as Azure Service Operator compares with Azure by itself.
const LONGEST: SignedDuration = SignedDuration::from_hours(1);

/// When each object in trouble is to be tried again. Forgotten with the process, which then begins anew.
#[derive(Debug, Default)]
pub(crate) struct Nudges(Mutex<HashMap<String, Next>>);

#[derive(Debug)]
struct Next {
    at: Timestamp,
    wait: SignedDuration,
}

impl Nudges {
    /// Whether it is time; then the next one comes after twice the wait.
    pub(crate) fn is_due(&self, object: String, now: Timestamp) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let next = all
            .entry(object)
            .or_insert_with(|| Next { at: now.saturating_add(FIRST).unwrap_or(now), wait: FIRST });
        if now < next.at {
            return false;
        }
        next.wait = (next.wait * 2).min(LONGEST);
        next.at = now.saturating_add(next.wait).unwrap_or(now);
        true
    }

    /// It is well, or nobody waits for it.
    pub(crate) fn forget(&self, object: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(object);
    }
}

#[cfg(test)]
mod tests {
    use super::super::nudges::*;

    #[test]
    fn an_object_is_tried_again_less_and_less_often_until_it_is_well() {
        let (nudges, start) = (Nudges::default(), "2026-11-28T12:00:00Z".parse::<Timestamp>().unwrap());
        let at = |minutes: i64| start + SignedDuration::from_mins(minutes);
        let due = |minutes: i64| nudges.is_due("a".to_owned(), at(minutes));
        let times: Vec<i64> = (0..=300).filter(|minutes| due(*minutes)).collect();
        assert_eq!(times, [5, 15, 35, 75, 135, 195, 255]);
        nudges.forget("a");
        assert!(!due(300) && due(305), "it begins anew");
    }
}
