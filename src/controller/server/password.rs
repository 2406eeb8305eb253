//! The password of a server with `authentication: Password`: which ones are kept, which one works, and when a new one is
//! due. Pure: a new password and the time come from outside.
//!
//! They lie in a Secret of the operator's namespace that Azure Service Operator reads, each under a key that tells when it
//! was made. The server's object names the key, so a new password is a new generation of it, and ASO's `Ready` for that
//! generation says that Azure has taken it. Only then the app's Secret gets it, and the one before is forgotten.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::ResourceExt;
use ring::rand::{SecureRandom, SystemRandom};

/// How the keys begin; what follows is the time in UTC, so that their order is that of time.
const KEY: &str = "password-";
/// RFC 3339 without the marks that a Secret's key can't have.
pub(super) const TIME: &str = "%Y%m%dT%H%M%SZ";
/// On the Secret: the value of the request that was fulfilled last.
pub(crate) const FULFILLED: &str = "altinn.app/rotated-by";

/// Letters and digits that nobody confuses and that no URI, shell or connection string takes for more.
const ALPHABET: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
/// Azure takes 8 to 128 characters. 40 of this alphabet are worth 233 bits.
/// <https://learn.microsoft.com/azure/postgresql/configure-maintain/quickstart-create-server>
const LENGTH: usize = 40;

/// The administrator's login. Azure keeps `admin`, `administrator`, `root` and the like for itself.
/// <https://learn.microsoft.com/azure/postgresql/configure-maintain/quickstart-create-server>
pub(crate) const LOGIN: &str = "dbadmin";

/// Name of the Secret of a server.
pub(crate) fn secret_name(server: &str) -> String {
    format!("{server}-admin")
}

/// What is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wanted<'a> {
    /// Value of the annotation that asks for a new password.
    pub(crate) request: Option<&'a str>,
    /// Age in days at which a password is replaced.
    pub(crate) rotate_after_days: Option<u16>,
    /// One that was made before this is replaced.
    pub(crate) made_since: Option<Timestamp>,
}

impl Wanted<'_> {
    /// Whether another one is asked for than the one that was made then, and fulfils this request.
    pub(super) fn is_due(&self, made: Timestamp, fulfilled: Option<&str>, now: Timestamp) -> bool {
        let is_asked = self.request.is_some() && self.request != fulfilled;
        let is_older = self.made_since.is_some_and(|since| made < since);
        let is_old = self
            .rotate_after_days
            .is_some_and(|days| now.duration_since(made) >= SignedDuration::from_hours(24 * i64::from(days)));
        is_asked || is_older || is_old
    }
}

/// The password that was sent to Azure last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent<'a> {
    /// The key that the server's object names.
    pub(crate) key: Option<&'a str>,
    /// Whether Azure has taken what the object says.
    pub(crate) accepted: bool,
}

/// The passwords of a server.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Passwords {
    /// By key, the oldest first; two at most, while a new one is on its way.
    pub(crate) kept: BTreeMap<String, ByteString>,
    /// The request that the newest one fulfils.
    pub(crate) fulfilled: Option<String>,
    /// The key that Azure is to be told.
    pub(crate) newest: String,
    /// The one that works, as far as that can be told.
    pub(crate) works: Option<String>,
}

impl Passwords {
    /// The passwords that are to be there, by those that are. `fresh` is called when a new one is due; `None` if it has
    /// none to give.
    pub(crate) fn plan(
        existing: Option<&Secret>,
        sent: Sent<'_>,
        wanted: Wanted<'_>,
        now: Timestamp,
        fresh: impl FnOnce() -> Option<String>,
    ) -> Option<Self> {
        let mut kept: BTreeMap<String, ByteString> = existing
            .and_then(|secret| secret.data.clone())
            .unwrap_or_default()
            .into_iter()
            .filter(|(key, password)| made(key).is_some() && !password.0.is_empty())
            .collect();
        let mut fulfilled = existing.and_then(|secret| secret.annotations().get(FULFILLED).cloned());
        let newest = kept.keys().next_back().cloned();
        let is_taken = sent.accepted && newest.is_some() && sent.key == newest.as_deref();
        if is_taken {
            // The one before works no longer.
            kept.retain(|key, _| Some(key) == newest.as_ref());
        }
        let works = match &newest {
            // While a new one is on its way, the one before it works.
            Some(newest) if !is_taken => kept.keys().rev().find(|key| *key != newest).or_else(|| {
                // A single one that Azure was told of before: ASO only compares.
                kept.keys().next().filter(|key| sent.key == Some(key.as_str()))
            }),
            _ => newest.as_ref(),
        };
        let works = works.and_then(|key| kept.get(key)).map(text);
        let is_due = match &newest {
            None => true,
            // One after the other: which of three works could not be told.
            Some(_) if !is_taken => false,
            Some(newest) => made(newest).is_none_or(|made| wanted.is_due(made, fulfilled.as_deref(), now)),
        };
        let newest = if let Some(newest) = newest.filter(|_| !is_due) {
            newest
        } else {
            let key = format!("{KEY}{}", now.strftime(TIME));
            kept.insert(key.clone(), ByteString(fresh()?.into_bytes()));
            if let Some(request) = wanted.request {
                fulfilled = Some(request.to_owned());
            }
            key
        };
        Some(Self { kept, fulfilled, newest, works })
    }
}

fn text(password: &ByteString) -> String {
    String::from_utf8_lossy(&password.0).into_owned()
}

/// When the password under this key was made; `None` for a key that isn't ours.
fn made(key: &str) -> Option<Timestamp> {
    at(key.strip_prefix(KEY)?)
}

/// The time as keys have it.
pub(super) fn at(time: &str) -> Option<Timestamp> {
    let civil = jiff::civil::DateTime::strptime(TIME, time).ok()?;
    civil.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// `None` when no random bytes are to be had.
pub(crate) fn fresh_password() -> Option<String> {
    let mut bytes = [0; 512];
    SystemRandom::new().fill(&mut bytes).ok()?;
    from_bytes(&bytes)
}

/// A password from random bytes, of which there must be many times [`LENGTH`]: one of 420 candidates has no digit, which Azure
/// wants, and the next one is taken. `None` if the bytes don't suffice; of 512, that is as good as impossible.
pub(crate) fn from_bytes(bytes: &[u8]) -> Option<String> {
    // Bytes beyond the largest multiple of the alphabet's length would make some letters likelier.
    let even = u8::try_from(256 / ALPHABET.len() * ALPHABET.len()).unwrap_or(u8::MAX);
    let letters: Vec<u8> = bytes
        .iter()
        .filter(|byte| **byte < even)
        .map(|byte| ALPHABET[usize::from(*byte) % ALPHABET.len()])
        .collect();
    let mut candidates = letters.chunks_exact(LENGTH).filter_map(|letters| str::from_utf8(letters).ok());
    candidates.find(|candidate| is_strong(candidate)).map(str::to_owned)
}

/// Azure wants characters of three kinds, and no name in it.
/// <https://learn.microsoft.com/azure/postgresql/configure-maintain/quickstart-create-server>
fn is_strong(password: &str) -> bool {
    let has = |kind: fn(&char) -> bool| password.chars().any(|c| kind(&c));
    let is_mixed =
        has(char::is_ascii_uppercase) && has(char::is_ascii_lowercase) && has(char::is_ascii_digit);
    is_mixed && !password.contains(LOGIN)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::super::password::*;

    const OLD: &str = "password-20260901T120000Z";
    const NEW: &str = "password-20261124T120000Z";

    fn now() -> Timestamp {
        "2026-11-24T12:00:00Z".parse().unwrap()
    }

    fn secret(passwords: &[(&str, &str)], fulfilled: Option<&str>) -> Secret {
        let mut secret = Secret {
            data: Some(
                passwords
                    .iter()
                    .map(|(key, password)| ((*key).to_owned(), ByteString(password.as_bytes().to_vec())))
                    .collect(),
            ),
            ..Secret::default()
        };
        secret.metadata.annotations =
            fulfilled.map(|request| [(FULFILLED.to_owned(), request.to_owned())].into());
        secret
    }

    fn plan(existing: Option<&Secret>, sent: Sent<'_>, wanted: Wanted<'_>) -> Passwords {
        Passwords::plan(existing, sent, wanted, now(), || Some("fresh".to_owned())).unwrap()
    }

    const NOTHING: Wanted<'_> = Wanted { request: None, rotate_after_days: None, made_since: None };

    fn taken(key: &str) -> Sent<'_> {
        Sent { key: Some(key), accepted: true }
    }

    fn sent(key: &str) -> Sent<'_> {
        Sent { key: Some(key), accepted: false }
    }

    fn keys(passwords: &Passwords) -> Vec<&str> {
        passwords.kept.keys().map(String::as_str).collect()
    }

    #[test]
    fn a_rotation_hands_out_the_new_password_when_azure_has_taken_it_and_never_before() {
        // The first one.
        let first = plan(None, Sent { key: None, accepted: false }, NOTHING);
        assert_eq!((keys(&first), first.newest.as_str(), first.works.clone()), (vec![NEW], NEW, None));
        // Taken, and at rest.
        let rest = plan(Some(&secret(&[(OLD, "old")], None)), taken(OLD), NOTHING);
        assert_eq!((keys(&rest), rest.works.as_deref()), (vec![OLD], Some("old")));
        // A new one is asked for: it is kept beside the old one, which still works.
        let asked = Wanted { request: Some("ticket-1"), ..NOTHING };
        let begun = plan(Some(&secret(&[(OLD, "old")], None)), taken(OLD), asked);
        assert_eq!((keys(&begun), begun.newest.as_str()), (vec![OLD, NEW], NEW));
        assert_eq!((begun.works.as_deref(), begun.fulfilled.as_deref()), (Some("old"), Some("ticket-1")));
        // Azure hasn't taken it, whether it was told or not.
        let both = secret(&[(OLD, "old"), (NEW, "new")], Some("ticket-1"));
        for told in [taken(OLD), sent(NEW)] {
            let waiting = plan(Some(&both), told, asked);
            assert_eq!((keys(&waiting), waiting.works.as_deref()), (vec![OLD, NEW], Some("old")), "{told:?}");
        }
        let done = plan(Some(&both), taken(NEW), asked);
        assert_eq!((keys(&done), done.works.as_deref()), (vec![NEW], Some("new")));
    }

    #[rstest]
    #[case::fulfilled(Some("a"), None, false)]
    #[case::another_value(Some("b"), None, true)]
    #[case::taken_back(None, None, false)]
    #[case::young(None, Some(85), false)]
    #[case::old(None, Some(84), true)]
    fn a_new_one_is_due_on_request_and_by_age(
        #[case] request: Option<&str>,
        #[case] rotate_after_days: Option<u16>,
        #[case] is_due: bool,
    ) {
        let existing = secret(&[(OLD, "old")], Some("a"));
        let plan = plan(Some(&existing), taken(OLD), Wanted { request, rotate_after_days, ..NOTHING });
        assert_eq!(plan.newest == NEW, is_due);
    }

    #[rstest]
    #[case::made_before("2026-09-01T12:00:01Z", true)]
    #[case::made_at_that_moment("2026-09-01T12:00:00Z", false)]
    #[case::made_after("2026-08-01T12:00:00Z", false)]
    fn one_that_is_too_old_for_what_has_happened_is_replaced(#[case] since: Timestamp, #[case] is_due: bool) {
        let existing = secret(&[(OLD, "old")], Some("a"));
        let plan = plan(Some(&existing), taken(OLD), Wanted { made_since: Some(since), ..NOTHING });
        assert_eq!(plan.newest == NEW, is_due);
        assert_eq!(plan.fulfilled.as_deref(), Some("a"), "nobody asked for it");
    }

    #[test]
    fn no_third_one_is_made_while_a_second_is_on_its_way() {
        let existing = secret(&[(OLD, "old"), (NEW, "new")], Some("a"));
        let plan = plan(
            Some(&existing),
            sent(NEW),
            Wanted { request: Some("b"), rotate_after_days: Some(1), ..NOTHING },
        );
        assert_eq!(keys(&plan), [OLD, NEW]);
        assert_eq!(plan.fulfilled.as_deref(), Some("a"), "the request stands");
    }

    #[test]
    fn while_aso_only_compares_the_one_that_works_goes_on_working() {
        let plan = plan(Some(&secret(&[(OLD, "old")], None)), sent(OLD), NOTHING);
        assert_eq!(plan.works.as_deref(), Some("old"));
    }

    #[test]
    fn without_a_new_one_those_that_are_there_go_on() {
        let existing = secret(&[(OLD, "old")], None);
        let plan = |existing, told| Passwords::plan(existing, told, NOTHING, now(), || None);
        assert_eq!(plan(Some(&existing), taken(OLD)).and_then(|plan| plan.works).as_deref(), Some("old"));
        assert_eq!(plan(None, Sent { key: None, accepted: false }), None);
    }

    #[test]
    fn what_others_put_beside_is_no_password() {
        let existing = secret(&[("password-of-mine", "x"), ("note", "y"), (OLD, "")], None);
        let plan = plan(Some(&existing), sent(OLD), NOTHING);
        assert_eq!((keys(&plan), plan.works.clone()), (vec![NEW], None));
    }

    proptest! {
        #[test]
        fn a_password_is_one_that_azure_and_a_uri_take(bytes in prop::collection::vec(any::<u8>(), 512)) {
            let password = from_bytes(&bytes).unwrap();
            prop_assert_eq!(password.len(), LENGTH);
            prop_assert!(password.chars().all(|c| c.is_ascii_alphanumeric()));
            prop_assert!(is_strong(&password));
        }
    }

    #[test]
    fn a_candidate_without_a_digit_is_passed_over() {
        let digit = ALPHABET.iter().position(u8::is_ascii_digit).unwrap();
        let letters: Vec<u8> =
            (0..80).map(|index| if index < 79 { index % 30 } else { digit.try_into().unwrap() }).collect();
        assert_eq!(from_bytes(&letters[..LENGTH]), None);
        let password = from_bytes(&letters).unwrap();
        assert!(password.ends_with(char::from(ALPHABET[digit])), "{password}");
    }

    #[test]
    fn too_few_bytes_give_no_password() {
        assert_eq!(from_bytes(&[7; 39]), None);
        assert_eq!(from_bytes(&[7; 512]), None, "of one letter");
    }
}
