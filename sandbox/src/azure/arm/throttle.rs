//! ARM's limit on writes, off unless a test asks for it.
//! <https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling>

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::errors::ArmError;

const WINDOW: Duration = Duration::from_mins(1);

#[derive(Default)]
pub(in crate::azure) struct Throttle {
    /// How many writes a minute are taken; `None` for as many as come.
    pub(in crate::azure) writes_per_minute: Option<u32>,
    recent: VecDeque<Instant>,
}

impl Throttle {
    /// Counts a write, or refuses it with the time until the next is taken.
    pub(super) fn take(&mut self, subscription: &str, now: Instant) -> Result<(), ArmError> {
        let Some(limit) = self.writes_per_minute else { return Ok(()) };
        while self.recent.front().is_some_and(|oldest| now.duration_since(*oldest) >= WINDOW) {
            self.recent.pop_front();
        }
        if self.recent.len() < usize::try_from(limit).unwrap_or(usize::MAX) {
            self.recent.push_back(now);
            return Ok(());
        }
        let waited = self.recent.front().map_or(WINDOW, |oldest| now.duration_since(*oldest));
        let seconds = WINDOW.saturating_sub(waited).as_secs().max(1);
        let message = format!(
            "Number of 'write' requests for subscription '{subscription}' exceeded. Please try again after \
             '{seconds}' seconds after additional tokens are available. Refer to https://aka.ms/arm-throttling for \
             additional information."
        );
        Err(ArmError::new(429, "SubscriptionRequestsThrottled", message).retry_after(seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_beyond_the_limit_wait_for_the_window_to_pass() {
        let mut throttle = Throttle { writes_per_minute: Some(2), ..Throttle::default() };
        let start = Instant::now();
        assert_eq!(throttle.take("s", start), Ok(()));
        assert_eq!(throttle.take("s", start), Ok(()));
        let refused = throttle.take("s", start + Duration::from_secs(20)).expect_err("one too many");
        assert_eq!((refused.status.as_u16(), refused.retry_after_seconds), (429, Some(40)));
        assert_eq!(throttle.take("s", start + WINDOW), Ok(()));
    }
}
