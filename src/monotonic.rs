//! How long ago something was, whatever becomes of the time of day.

use std::time::{Duration, Instant};

/// A moment, to be compared with others of this process.
pub(crate) fn now() -> Instant {
    #[cfg(test)]
    if let Some(still) = STILL.get() {
        return still;
    }
    Instant::now()
}

/// The time since then.
pub(crate) fn since(then: Instant) -> Duration {
    now().saturating_duration_since(then)
}

#[cfg(test)]
thread_local! {
    /// The moment at which the clock of this thread stands.
    static STILL: std::cell::Cell<Option<Instant>> = const { std::cell::Cell::new(None) };
}

/// From now on, time passes on this thread only when a test says so.
#[cfg(test)]
pub(crate) fn stand_still() {
    STILL.set(Some(now()));
}

/// So much time has passed.
#[cfg(test)]
pub(crate) fn advance(by: Duration) {
    STILL.set(now().checked_add(by));
}
