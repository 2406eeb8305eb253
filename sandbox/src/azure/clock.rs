//! This Azure's clock: the machine's, until somebody moves it ahead.
//!
//! PostgreSQL notes by the machine's clock when it commits, and people name a moment by this one. So each move is kept, and a
//! moment is translated by the last one before it. In the time that a move leaps over nothing happened: a moment of it is
//! the moment of the move.

use jiff::{SignedDuration, Timestamp};

#[derive(Debug, Default)]
pub(super) struct Clock {
    /// Oldest first.
    moves: Vec<Move>,
}

#[derive(Clone, Copy, Debug)]
struct Move {
    /// By the machine's clock.
    at: Timestamp,
    /// How far this clock is ahead since then.
    ahead: SignedDuration,
}

/// The time by which tokens are good: the machine's. Who holds one goes by that, too, and asks for no other until then.
pub(super) fn time_of_tokens() -> Timestamp {
    Timestamp::now()
}

impl Clock {
    pub(super) fn now(&self) -> Timestamp {
        Timestamp::now().saturating_add(self.ahead()).unwrap_or(Timestamp::MAX)
    }

    fn ahead(&self) -> SignedDuration {
        self.moves.last().map_or(SignedDuration::ZERO, |last| last.ahead)
    }

    pub(super) fn advance(&mut self, by: SignedDuration) {
        self.advance_at(Timestamp::now(), by);
    }

    fn advance_at(&mut self, at: Timestamp, by: SignedDuration) {
        let ahead = self.ahead().saturating_add(by);
        self.moves.push(Move { at, ahead });
    }

    /// What the machine's clock showed at a moment of this one.
    pub(super) fn on_machine(&self, moment: Timestamp) -> Timestamp {
        let mut latest = Timestamp::MAX;
        for moved in self.moves.iter().rev() {
            let then = moment.saturating_sub(moved.ahead).unwrap_or(Timestamp::MIN);
            if then >= moved.at {
                return then.min(latest);
            }
            latest = moved.at;
        }
        moment.min(latest)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn at(time: &str) -> Timestamp {
        format!("2026-11-{time}Z").parse().expect("a time")
    }

    #[rstest]
    #[case::before_any_move("20T09:00:00", "20T09:00:00")]
    #[case::leapt_over_by_the_first("20T10:30:00", "20T10:00:00")]
    #[case::of_the_first_move("20T11:00:00", "20T10:00:00")]
    #[case::between_the_moves("20T11:10:00", "20T10:10:00")]
    #[case::leapt_over_by_the_second("21T00:00:00", "20T10:20:00")]
    #[case::of_the_second_move("22T11:20:00", "20T10:20:00")]
    #[case::after_all("22T11:30:00", "20T10:30:00")]
    fn a_moment_is_translated_by_the_moves_before_it(#[case] moment: &str, #[case] on_machine: &str) {
        let mut clock = Clock::default();
        assert_eq!(clock.on_machine(at(moment)), at(moment), "nobody moved it");
        clock.advance_at(at("20T10:00:00"), SignedDuration::from_hours(1));
        clock.advance_at(at("20T10:20:00"), SignedDuration::from_hours(48));
        assert_eq!(clock.on_machine(at(moment)), at(on_machine));
    }
}
