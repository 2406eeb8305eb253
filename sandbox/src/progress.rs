//! What a person sees while they wait.

use std::time::{Duration, Instant};

/// Says what happened and when, one line each, on standard error.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Progress {
    start: Instant,
}

impl Progress {
    pub(crate) fn start() -> Self {
        Self { start: Instant::now() }
    }

    pub(crate) fn say(&self, message: &str) {
        eprintln!("{:>7}  {message}", seconds(self.start.elapsed()));
    }
}

/// `12.3s`, `4m 05s`
pub(crate) fn seconds(duration: Duration) -> String {
    let whole = duration.as_secs();
    if whole < 60 {
        format!("{:.1}s", duration.as_secs_f64())
    } else {
        format!("{}m {:02}s", whole / 60, whole % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_are_shown_once_there_are_some() {
        assert_eq!(seconds(Duration::from_millis(3240)), "3.2s");
        assert_eq!(seconds(Duration::from_secs(245)), "4m 05s");
    }
}
