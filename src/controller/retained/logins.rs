//! The logins of a server that is kept: closed by SQL while it can be reached, and that is before its firewall is closed. A token that
//! an app has is good for a day, and a session goes on for ever.

use std::{sync::Arc, time::Instant};

use api::{Database, reason::Reason};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::runtime::reflector::ObjectRef;

use super::{
    end::{ACCESS_CLOSED, Notes},
    seen::Seen,
};
use crate::controller::{
    access::Outcome,
    engine::conditions::Writer,
    server::{context::Context, inside, observe},
};

/// How long the other ways in wait for this one to be closed. The data are kept from the start.
const PATIENCE: SignedDuration = SignedDuration::from_mins(2);

/// How far that is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Logins {
    /// There is nothing that the operator could close so.
    None,
    Closed,
    /// Somebody is at it.
    UnderWay,
    /// It failed, and is tried again.
    Open(Arc<Outcome>),
}

/// Has them closed, unless they are.
pub(super) fn close(seen: &Seen<'_>, context: &Context) -> Logins {
    let (caches, namespace) = (&context.caches, &context.operator_namespace);
    let of_source = observe::administrators_of_source(caches, namespace, seen.objects.server.as_ref());
    let name = seen.record.spec.database_name.as_deref();
    let Some(wish) = inside::closed(&seen.objects, &of_source, name) else {
        return Logins::None;
    };
    let before = Notes::of(seen.record).access_closed;
    if before.as_ref().is_some_and(|closed| closed.status == "True") {
        return Logins::Closed;
    }
    let kept = &seen.kept;
    let database: ObjectRef<Database> = ObjectRef::new(kept.database.name).within(kept.database.namespace);
    let look = context.accesses.look(kept.server_name, database, &wish, before.is_some(), Instant::now());
    match look.outcome {
        None => Logins::UnderWay,
        Some(outcome) if outcome.is_settled() => Logins::Closed,
        Some(outcome) => Logins::Open(outcome),
    }
}

impl Logins {
    /// Whether the other ways in stay open for a while, so that these can be closed.
    pub(super) fn hold_back(&self, since: Timestamp, now: Timestamp) -> bool {
        // A clock that was set back must not make it longer.
        let is_early = (SignedDuration::ZERO..PATIENCE).contains(&now.duration_since(since));
        is_early && matches!(self, Self::UnderWay | Self::Open(_))
    }

    /// What the record says of it.
    pub(super) fn condition(&self, before: Option<Condition>, now: Timestamp) -> Option<Condition> {
        let (status, reason, message) = match self {
            Self::None | Self::UnderWay => return before,
            Self::Closed => {
                let message = "Nobody can log in: the logins are closed, and their sessions have ended";
                ("True", Reason::Settled, message.to_owned())
            }
            Self::Open(outcome) => {
                let message = format!("Logins may be open, and are tried again: {}", outcome.message);
                ("False", outcome.reason, message)
            }
        };
        let writer = Writer { old: before.as_slice(), generation: None, now };
        Some(writer.condition(ACCESS_CLOSED, status, reason.as_str(), message))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn open() -> Logins {
        Logins::Open(Arc::new(Outcome::unseen(Reason::Unreachable, "no answer".to_owned())))
    }

    #[rstest]
    #[case::nothing_to_close(Logins::None, 0, false)]
    #[case::closed(Logins::Closed, 0, false)]
    #[case::at_once(Logins::UnderWay, 0, true)]
    #[case::under_way(Logins::UnderWay, 119, true)]
    #[case::for_too_long(Logins::UnderWay, 120, false)]
    #[case::failed(open(), 119, true)]
    #[case::failed_for_too_long(open(), 120, false)]
    #[case::a_clock_that_was_set_back(open(), -1, false)]
    fn the_other_ways_in_wait_for_two_minutes_at_the_most(
        #[case] logins: Logins,
        #[case] seconds: i64,
        #[case] expected: bool,
    ) {
        let since: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
        assert_eq!(logins.hold_back(since, since + SignedDuration::from_secs(seconds)), expected);
    }

    #[test]
    fn the_record_says_how_it_is_and_since_when() {
        let [first, second]: [Timestamp; 2] =
            ["2026-11-24T12:00:00Z", "2026-11-24T12:01:00Z"].map(|time| time.parse().unwrap());
        assert_eq!(Logins::UnderWay.condition(None, first), None);
        let failed = open().condition(None, first).unwrap();
        insta::assert_snapshot!(
            format!("{} {} {}: {}", failed.type_, failed.status, failed.reason, failed.message),
            @"AccessClosed False Unreachable: Logins may be open, and are tried again: no answer"
        );
        let again = open().condition(Some(failed.clone()), second).unwrap();
        assert_eq!(again.last_transition_time.0, first);
        assert_eq!(Logins::UnderWay.condition(Some(failed.clone()), second), Some(failed.clone()));
        let closed = Logins::Closed.condition(Some(failed), second).unwrap();
        assert_eq!(
            (&*closed.status, &*closed.reason, closed.last_transition_time.0),
            ("True", "Settled", second)
        );
    }
}
