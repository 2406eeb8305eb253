//! How many servers a namespace may have, and which of its databases must wait where there are more.
//!
//! Admission counts what there is at the moment, and many that are created at once all see the same. So the operator
//! counts again before it makes anything.

use jiff::Timestamp;

use crate::quote::quote;

/// What a namespace has already.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Used {
    /// Databases.
    pub live: u32,
    /// Servers that are kept after their `Database` was deleted.
    pub kept: u32,
}

impl Used {
    /// Servers of both kinds.
    pub fn total(self) -> u32 {
        self.live.saturating_add(self.kept)
    }
}

impl From<u32> for Used {
    fn from(live: u32) -> Self {
        Self { live, kept: 0 }
    }
}

/// A `Database`, as far as its turn depends on it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Claimant<'a> {
    /// Given by the API server.
    pub created: Option<Timestamp>,
    /// Given by the API server: it distinguishes those of one second.
    pub uid: &'a str,
    /// It has a server, or one is being made for it.
    pub has_server: bool,
}

/// How many servers the namespace may have with this one, if that many are too many for it: the policy's number, and
/// what is there. `None` lets it be made.
///
/// What has a server is never held back, and comes first. The others come in the order in which they were created.
/// `kept` are the servers of the namespace without a `Database`.
pub fn held_back<'a>(
    me: &Claimant<'_>,
    others: impl IntoIterator<Item = Claimant<'a>>,
    kept: u32,
    most: u32,
) -> Option<Used> {
    let turn = |claimant: &Claimant<'_>| (claimant.created, claimant.uid.to_owned());
    let mine = turn(me);
    let is_first = |other: &Claimant<'_>| other.has_server || turn(other) < mine;
    let live = others.into_iter().filter(is_first).count();
    let used = Used { live: u32::try_from(live).unwrap_or(u32::MAX), kept };
    (!me.has_server && used.total() >= most).then_some(used)
}

/// What is there, what may be, and what to do.
pub fn text(namespace: &str, used: Used, most: u32) -> String {
    let namespace = quote(namespace);
    if most == 0 {
        return format!("{namespace} may have no databases; use another namespace, or ask the platform team");
    }
    let total = used.total();
    let databases = if total == 1 { "database" } else { "databases" };
    if used.kept == 0 {
        return format!(
            "{namespace} has {total} {databases} and may have {most}; delete one, or ask the platform team for more"
        );
    }
    format!(
        "{namespace} has {total} {databases} and may have {most}, and what is kept after a delete counts ({} of them); bring \
         one back by its name, or ask the platform team to end one or to allow more",
        used.kept
    )
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn at(second: i64, uid: &str, has_server: bool) -> Claimant<'_> {
        Claimant { created: Timestamp::from_second(second).ok(), uid, has_server }
    }

    #[rstest]
    #[case::alone(at(1, "a", false), &[], 0, 1, None)]
    #[case::none_is_allowed(at(1, "a", false), &[], 0, 0, Some((0, 0)))]
    #[case::older_ones_come_first(at(2, "a", false), &[at(1, "b", false)], 0, 1, Some((1, 0)))]
    #[case::younger_ones_wait(at(1, "a", false), &[at(2, "b", false)], 0, 1, None)]
    #[case::of_one_second_by_uid(at(1, "b", false), &[at(1, "a", false), at(1, "c", false)], 0, 1, Some((1, 0)))]
    #[case::a_server_comes_first_however_young(at(1, "a", false), &[at(9, "b", true)], 0, 1, Some((1, 0)))]
    #[case::who_has_a_server_keeps_it(at(9, "z", true), &[at(1, "a", true), at(2, "b", true)], 5, 1, None)]
    #[case::kept_ones_count(at(1, "a", false), &[], 1, 1, Some((0, 1)))]
    #[case::kept_and_live_together(at(3, "c", false), &[at(1, "a", true)], 1, 3, None)]
    fn the_youngest_beyond_the_quota_wait(
        #[case] me: Claimant<'_>,
        #[case] others: &[Claimant<'_>],
        #[case] kept: u32,
        #[case] most: u32,
        #[case] held: Option<(u32, u32)>,
    ) {
        let used = held_back(&me, others.iter().copied(), kept, most);
        assert_eq!(used, held.map(|(live, kept)| Used { live, kept }));
    }

    /// Whichever of them is looked at first, and whoever already has a server: the same number of servers.
    #[test]
    fn of_forty_that_come_at_once_as_many_are_made_as_may_be() {
        let uids: Vec<String> = (0..40).map(|number| format!("{:02}", number * 7 % 40)).collect();
        for first in 0..40 {
            let mut made = [false; 40];
            for turn in 0..80 {
                let index = (first + turn * 11) % 40;
                let of = |at: usize| Claimant {
                    created: Timestamp::from_second(i64::try_from(at / 20).unwrap()).ok(),
                    uid: &uids[at],
                    has_server: made[at],
                };
                let others: Vec<_> = (0..40).filter(|at| *at != index).map(of).collect();
                let is_held = held_back(&of(index), others, 1, 5).is_some();
                made[index] = !is_held;
            }
            assert_eq!(made.iter().filter(|made| **made).count(), 4, "beginning with {first}");
        }
    }
}
