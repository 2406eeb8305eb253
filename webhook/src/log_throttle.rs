//! Saying a thing once in a while, however often it happens.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

#[derive(Debug)]
pub(crate) struct LogThrottle {
    interval: Duration,
    /// By what is said: when it was, and how often it happened since.
    said: Mutex<BTreeMap<&'static str, (Instant, u64)>>,
}

impl LogThrottle {
    pub(crate) fn new(interval: Duration) -> Self {
        Self { interval, said: Mutex::default() }
    }

    /// Whether to say this now, and how often it happened without being said.
    pub(crate) fn now(&self, what: &'static str) -> Option<u64> {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        match said.get_mut(what) {
            Some((last, left_out)) if now.duration_since(*last) < self.interval => {
                *left_out += 1;
                None
            }
            Some((last, left_out)) => {
                *last = now;
                Some(std::mem::take(left_out))
            }
            None => {
                said.insert(what, (now, 0));
                Some(0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_said_and_then_how_many_were_left_out() {
        let throttle = LogThrottle::new(Duration::from_millis(50));
        assert_eq!(throttle.now("too_large"), Some(0));
        assert_eq!([throttle.now("too_large"), throttle.now("too_large")], [None, None]);
        assert_eq!(throttle.now("broken"), Some(0), "another thing");
        std::thread::sleep(Duration::from_millis(60));
        assert_eq!(throttle.now("too_large"), Some(2));
        assert_eq!(throttle.now("too_large"), None);
    }
}
