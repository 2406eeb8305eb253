//! From an app that administers its server, as each did before the policy named an administrator, to an app with a login of its
//! own: the platform's administrator comes beside the app's, the new login is set up by SQL and handed out, and the
//! former one ends when pods have had time to take the new one. [`handover`] decides; each step shows in objects, so that a
//! process that starts anew goes on from there.

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use serde_json::json;

use super::{
    context::Context,
    known::FormerLogin,
    write::{self, Error},
};

/// Annotation of the former administrator: since when the app is given its own login, in RFC 3339.
pub(crate) const REPLACED: &str = "altinn.app/login-replaced";

/// How far it is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Handover {
    /// The app has its own login alone, or administers its server because the policy names nobody else.
    #[default]
    None,
    /// Its own login isn't known to work: it goes on by the former one.
    Prepares,
    /// It is given its own login, which is to be noted.
    Begins,
    /// The former login works as well, for so long.
    Overlaps { left: SignedDuration },
    /// The former login is to go.
    Ends {
        /// When the app was given its own one.
        since: Timestamp,
    },
}

impl Handover {
    /// Whether the app is given the former login.
    pub(crate) fn gives_former(self) -> bool {
        self == Self::Prepares
    }

    /// How long it goes on as it is.
    pub(crate) fn left(self) -> Option<SignedDuration> {
        match self {
            Self::Overlaps { left } => Some(left),
            _ => None,
        }
    }
}

/// `works` tells whether the app's own login was seen to work. The former one works for `overlap` after the other was handed
/// out.
pub(crate) fn handover(
    former: Option<&FormerLogin>,
    works: bool,
    overlap: SignedDuration,
    now: Timestamp,
) -> Handover {
    let Some(administrator) = former.and_then(|former| former.administrator.as_ref()) else {
        return Handover::None;
    };
    // What nobody can read is noted anew.
    let replaced = administrator.annotations().get(REPLACED).and_then(|time| time.parse::<Timestamp>().ok());
    match replaced {
        None if works => Handover::Begins,
        None => Handover::Prepares,
        Some(since) => match overlap - now.duration_since(since) {
            left if left.is_positive() => Handover::Overlaps { left },
            _ => Handover::Ends { since },
        },
    }
}

/// Notes that the app is given its own login. Of an object that has changed meanwhile, the next pass does.
pub(crate) async fn note(context: &Context, former: Option<&FormerLogin>) -> Result<(), Error> {
    let Some(administrator) = former.and_then(|former| former.administrator.as_ref()) else { return Ok(()) };
    let now = format!("{:.0}", context.now());
    write::amend(context, administrator, json!({"annotations": {REPLACED: now}})).await.map(drop)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::azure::FlexibleServersAdministrator;

    fn object() -> FlexibleServersAdministrator {
        let spec = serde_json::from_value(json!({"azureName": "id", "owner": {}})).unwrap();
        FlexibleServersAdministrator::new("srv", spec)
    }

    const DAY: SignedDuration = SignedDuration::from_hours(24);

    fn former(replaced: Option<&str>) -> FormerLogin {
        let mut administrator = object();
        administrator.metadata.annotations =
            replaced.map(|replaced| [(REPLACED.to_owned(), replaced.to_owned())].into());
        FormerLogin { administrator: Some(administrator), ..FormerLogin::default() }
    }

    fn at(time: &str) -> Timestamp {
        time.parse().unwrap()
    }

    #[rstest]
    #[case::not_seen_to_work(None, false, Handover::Prepares)]
    #[case::seen_to_work(None, true, Handover::Begins)]
    #[case::unreadable(Some("yesterday"), true, Handover::Begins)]
    #[case::a_moment_later(Some("2026-11-30T12:00:00Z"), true, Handover::Overlaps { left: DAY })]
    #[case::after_a_restart(Some("2026-11-29T13:00:00Z"), false, Handover::Overlaps { left: SignedDuration::from_hours(1) })]
    #[case::in_time(Some("2026-11-29T12:00:00Z"), true, Handover::Ends { since: at("2026-11-29T12:00:00Z") })]
    #[case::whatever_was_seen(Some("2026-11-01T12:00:00Z"), false, Handover::Ends { since: at("2026-11-01T12:00:00Z") })]
    fn the_former_login_works_until_pods_have_had_time(
        #[case] replaced: Option<&str>,
        #[case] works: bool,
        #[case] expected: Handover,
    ) {
        let found = handover(Some(&former(replaced)), works, DAY, at("2026-11-30T12:00:00Z"));
        assert_eq!(found, expected);
        assert_eq!(found.gives_former(), !works && replaced.is_none());
    }

    #[test]
    fn without_a_former_administrator_nothing_is_handed_over() {
        let now = at("2026-11-30T12:00:00Z");
        for former in [None, Some(FormerLogin::default())] {
            assert_eq!(handover(former.as_ref(), true, DAY, now), Handover::None);
        }
    }
}
