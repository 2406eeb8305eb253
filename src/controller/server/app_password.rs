//! The passwords of an app with `authentication: Password`, on a server that the platform administers: which ones are kept, which
//! one the app is given, and when a new one is due. Pure: a new password and the time come from outside.
//!
//! Two logins take turns. A new password is that of the other login, so that the one before goes on working for a while, for pods
//! that have read it. They lie beside the administrator's in the Secret of the operator's namespace, each under a key that
//! tells whose it is and when it was made. An annotation says which one is known to work: only that one is handed out.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::ResourceExt;
use postgres::Turn;

use super::password::{FULFILLED, TIME, Wanted, at};

/// How the keys begin; what follows is `1` or `2`, `-`, and the time in UTC.
const KEY: &str = "app-";
/// On the Secret: the key of the password that works.
pub(crate) const WORKS: &str = "altinn.app/app-password";

/// A password of the app.
#[derive(Clone, Eq, PartialEq)]
pub(crate) struct AppPassword {
    pub(crate) turn: Turn,
    made: Timestamp,
    pub(crate) text: String,
}

impl std::fmt::Debug for AppPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AppPassword({})", self.generation())
    }
}

impl AppPassword {
    fn read(key: &str, text: &ByteString) -> Option<Self> {
        let (turn, time) = key.strip_prefix(KEY)?.split_once('-')?;
        let turn = match turn {
            "1" => Turn::First,
            "2" => Turn::Second,
            _ => return None,
        };
        let text = String::from_utf8(text.0.clone()).ok().filter(|text| !text.is_empty())?;
        Some(Self { turn, made: at(time)?, text })
    }

    /// Tells it from all others that the login ever had.
    pub(crate) fn generation(&self) -> String {
        let turn = match self.turn {
            Turn::First => 1,
            Turn::Second => 2,
        };
        format!("{turn}-{}", self.made.strftime(TIME))
    }

    fn key(&self) -> String {
        format!("{KEY}{}", self.generation())
    }
}

/// The passwords of an app.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct AppPasswords {
    pub(crate) newest: AppPassword,
    /// The one before.
    pub(crate) former: Option<AppPassword>,
    /// Whether the newest one is known to work.
    pub(crate) newest_works: bool,
    /// Whether the one before lets somebody in.
    former_works: bool,
    /// How long it will, once the newest works.
    pub(crate) overlap_left: Option<SignedDuration>,
    /// The request that the newest one fulfils.
    pub(crate) fulfilled: Option<String>,
}

impl AppPasswords {
    /// The passwords that are to be there, by those that are. `fresh` is called when a new one is due; `None` if it has
    /// none to give.
    pub(crate) fn plan(
        existing: Option<&Secret>,
        wanted: Wanted<'_>,
        overlap: SignedDuration,
        now: Timestamp,
        fresh: impl FnOnce() -> Option<String>,
    ) -> Option<Self> {
        let data = existing.and_then(|secret| secret.data.as_ref());
        let mut found: Vec<_> =
            data.into_iter().flatten().filter_map(|(key, text)| AppPassword::read(key, text)).collect();
        found.sort_by_key(|password| (password.made, password.turn));
        let annotation = |name: &str| existing.and_then(|secret| secret.annotations().get(name));
        let mut fulfilled = annotation(FULFILLED).cloned();
        let newest = found.pop();
        // Of its own login there is none but the newest.
        let former =
            found.into_iter().rev().find(|one| newest.as_ref().is_some_and(|new| new.turn != one.turn));
        let works = annotation(WORKS).cloned();
        if let Some(newest) = &newest {
            let newest_works = works.as_ref() == Some(&newest.key());
            // One after the other: the former one must not go before the newest is handed out.
            if !newest_works || !wanted.is_due(newest.made, fulfilled.as_deref(), now) {
                let until = newest.made.saturating_add(overlap).unwrap_or(Timestamp::MAX);
                let is_overlapping = newest_works && former.is_some() && now < until;
                return Some(Self {
                    newest: newest.clone(),
                    former,
                    newest_works,
                    former_works: !newest_works || is_overlapping,
                    overlap_left: is_overlapping.then(|| now.duration_until(until)),
                    fulfilled,
                });
            }
        }
        if let Some(request) = wanted.request {
            fulfilled = Some(request.to_owned());
        }
        let turn = newest.as_ref().map_or(Turn::First, |newest| newest.turn.other());
        // Never the same moment as the one before, by which they are told apart.
        let next =
            |made: Timestamp| made.saturating_add(SignedDuration::from_secs(1)).unwrap_or(Timestamp::MAX);
        let made = newest.as_ref().map_or(now, |newest| now.max(next(newest.made)));
        let fresh = AppPassword { turn, made: whole_seconds(made), text: fresh()? };
        let (newest_works, former_works) = (false, true);
        Some(Self {
            newest: fresh,
            former: newest,
            newest_works,
            former_works,
            overlap_left: None,
            fulfilled,
        })
    }

    /// The one that the app is given; `None` while none is known to work.
    pub(crate) fn works(&self) -> Option<&AppPassword> {
        if self.newest_works { Some(&self.newest) } else { self.former.as_ref() }
    }

    /// Those that there are, and whether each lets anybody in.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&AppPassword, bool)> {
        let former = self.former.as_ref().map(|former| (former, self.former_works));
        [Some((&self.newest, true)), former].into_iter().flatten()
    }

    /// As the Secret holds them.
    pub(crate) fn data(&self) -> BTreeMap<String, ByteString> {
        let all = [Some(&self.newest), self.former.as_ref()].into_iter().flatten();
        all.map(|password| (password.key(), ByteString(password.text.clone().into_bytes()))).collect()
    }

    /// What the annotation [`WORKS`] is to say.
    pub(crate) fn key_that_works(&self) -> Option<String> {
        self.works().map(AppPassword::key)
    }

    /// Once the newest one is known to work.
    pub(crate) fn established(&self) -> Self {
        Self { newest_works: true, ..self.clone() }
    }
}

/// As a key tells it.
fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const DAY: SignedDuration = SignedDuration::from_hours(24);
    const NOTHING: Wanted<'_> = Wanted { request: None, rotate_after_days: None, made_since: None };
    const ASKED: Wanted<'_> = Wanted { request: Some("ticket-1"), ..NOTHING };

    fn now() -> Timestamp {
        "2026-11-24T12:00:00.5Z".parse().unwrap()
    }

    /// The Secret as it is written for a plan.
    fn secret(passwords: &AppPasswords) -> Secret {
        let mut secret = Secret { data: Some(passwords.data()), ..Secret::default() };
        let notes = [(WORKS, passwords.key_that_works()), (FULFILLED, passwords.fulfilled.clone())];
        let notes = notes.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        secret.metadata.annotations = Some(notes.collect());
        secret
    }

    fn plan(existing: Option<&Secret>, wanted: Wanted<'_>, now: Timestamp) -> AppPasswords {
        AppPasswords::plan(existing, wanted, DAY, now, || Some("fresh".to_owned())).unwrap()
    }

    /// Which of the logins let somebody in.
    fn open(passwords: &AppPasswords) -> Vec<String> {
        passwords.all().filter(|(_, works)| *works).map(|(password, _)| password.generation()).collect()
    }

    #[test]
    fn a_password_is_handed_out_once_it_is_known_to_work_and_the_one_before_goes_on_for_a_day() {
        let first = plan(None, NOTHING, now());
        assert_eq!((open(&first), first.works()), (vec!["1-20261124T120000Z".to_owned()], None));
        // Nothing changes until it is known to work, whatever is asked for.
        let waiting = plan(Some(&secret(&first)), ASKED, now());
        assert_eq!((&waiting.newest, waiting.works(), &waiting.fulfilled), (&first.newest, None, &None));
        let settled = plan(Some(&secret(&first.established())), NOTHING, now());
        assert_eq!(settled.works(), Some(&first.newest));

        // Another one is asked for: it is the other login's, and the one before works and is handed out.
        let begun = plan(Some(&secret(&settled)), ASKED, now());
        assert_eq!(begun.works(), Some(&first.newest));
        assert_eq!(open(&begun), ["2-20261124T120001Z", "1-20261124T120000Z"]);
        assert_eq!(begun.fulfilled.as_deref(), Some("ticket-1"));
        assert_eq!(plan(Some(&secret(&begun)), ASKED, now()), begun, "the same request again is none");

        let done = plan(Some(&secret(&begun.established())), ASKED, now());
        assert_eq!(done.works(), Some(&begun.newest));
        assert_eq!(open(&done).len(), 2, "both work");
        let left = done.overlap_left.unwrap();
        assert!(left > DAY && left < DAY + SignedDuration::from_secs(2), "{left}");
        let later = now() + left;
        let over = plan(Some(&secret(&done)), ASKED, later);
        assert_eq!((open(&over), over.overlap_left), (vec!["2-20261124T120001Z".to_owned()], None));

        // The first login has its turn again, and no password of before.
        let again = plan(Some(&secret(&done)), Wanted { request: Some("ticket-2"), ..NOTHING }, later);
        assert_eq!(again.newest.turn, Turn::First);
        assert_ne!(again.newest.generation(), first.newest.generation());
        assert_eq!(again.former.as_ref(), Some(&begun.newest));
        assert_eq!(again.data().len(), 2);
    }

    #[rstest]
    #[case::young(29, false)]
    #[case::old(30, true)]
    fn one_that_is_too_old_is_replaced(#[case] days: i64, #[case] is_due: bool) {
        let first = plan(None, NOTHING, now()).established();
        let later = now() + SignedDuration::from_hours(24 * days);
        let wanted = Wanted { rotate_after_days: Some(30), ..NOTHING };
        assert_eq!(plan(Some(&secret(&first)), wanted, later).newest != first.newest, is_due);
    }

    #[test]
    fn a_new_one_goes_on_being_set_up_for_as_long_as_it_takes_and_the_one_before_works() {
        let first = plan(None, NOTHING, now()).established();
        let begun = plan(Some(&secret(&first)), ASKED, now());
        let days_later = now() + DAY * 10;
        let waiting = plan(Some(&secret(&begun)), ASKED, days_later);
        assert_eq!((open(&waiting).len(), waiting.works()), (2, Some(&first.newest)));
    }

    #[test]
    fn what_others_put_beside_is_no_password() {
        let mut existing = secret(&plan(None, NOTHING, now()).established());
        let data = existing.data.get_or_insert_default();
        for key in ["app-3-20270101T000000Z", "app-2-soon", "app-", "app-2-20270101T000000Z"] {
            data.insert(key.to_owned(), ByteString(Vec::new()));
        }
        let plan = plan(Some(&existing), NOTHING, now());
        assert_eq!((plan.newest.generation().as_str(), plan.former), ("1-20261124T120000Z", None));
    }

    #[test]
    fn without_a_new_one_those_that_are_there_go_on() {
        let first = plan(None, NOTHING, now()).established();
        let secret = secret(&first);
        let none = |existing, wanted| AppPasswords::plan(existing, wanted, DAY, now(), || None);
        assert_eq!(none(Some(&secret), NOTHING).map(|there| there.newest), Some(first.newest));
        assert_eq!((none(Some(&secret), ASKED), none(None, NOTHING)), (None, None));
    }

    #[test]
    fn nobody_reads_a_password_in_a_log() {
        assert!(!format!("{:?}", plan(None, NOTHING, now())).contains("fresh"));
    }
}
