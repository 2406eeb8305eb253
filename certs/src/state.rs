//! What the Secret holds.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::{ByteString, api::core::v1::Secret};

use crate::{Pair, pair::bundle};

const CA: &str = "ca.crt";
const CA_KEY: &str = "ca.key";
const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";
const NEXT_CA: &str = "next-ca.crt";
const NEXT_CA_KEY: &str = "next-ca.key";
const OLD_CA: &str = "old-ca.crt";
/// Where former versions wrote since when the next CA has been published. A copy of the Secret that is put back would
/// say it of a CA that was dropped in between, so now the webhook configurations say it.
const FORMER_PUBLISHED: &str = "altinn.app/next-ca-published";
/// Since when no certificate of an old CA is handed out any more.
const SWITCHED: &str = "altinn.app/ca-switched";
/// What a person sets to have something renewed before it is due; taken away when that has begun.
pub(crate) const ROTATE: &str = "altinn.app/rotate";

/// The authority and its leaf, and what is under way from one authority to another.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct State {
    /// Signs the leaf. Without its key when that was lost with the Secret.
    pub authority: Pair,
    /// What all replicas serve. Absent while only replicas that have it in memory can serve.
    pub leaf: Pair,
    /// Published beside the others, until it takes the authority's place.
    pub next: Option<Pair>,
    /// Certificates of CAs whose leaves a replica may still serve.
    pub old: String,
    pub switched: Option<Timestamp>,
    pub rotate: Option<String>,
}

impl State {
    /// All CAs that the API server has to trust, the eldest first: the list stays as it is when one takes
    /// another's place.
    pub fn trusted(&self) -> String {
        let next = self.next.as_ref().map_or("", |next| &next.certificate);
        bundle([self.old.as_str(), &self.authority.certificate, next])
    }

    /// Reads the Secret; what is absent or unreadable there becomes empty, and is found by the checks.
    pub fn of(secret: &Secret) -> Self {
        let text = |key: &str| {
            secret
                .data
                .as_ref()
                .and_then(|data| data.get(key))
                .map(|bytes| String::from_utf8_lossy(&bytes.0).into_owned())
                .unwrap_or_default()
        };
        let annotation = |key: &str| secret.metadata.annotations.as_ref().and_then(|all| all.get(key));
        let time = |key: &str| annotation(key).and_then(|text| text.parse().ok());
        let next = Pair { certificate: text(NEXT_CA), key: text(NEXT_CA_KEY) };
        Self {
            authority: Pair { certificate: text(CA), key: text(CA_KEY) },
            leaf: Pair { certificate: text(CERTIFICATE), key: text(KEY) },
            next: (next != Pair::default()).then_some(next),
            old: bundle([text(OLD_CA).as_str()]),
            switched: time(SWITCHED),
            rotate: annotation(ROTATE).cloned(),
        }
    }

    /// Puts it in the Secret, and leaves alone what others wrote there.
    pub fn write_to(&self, secret: &mut Secret) {
        let next = self.next.clone().unwrap_or_default();
        let texts = [
            (CA, &self.authority.certificate),
            (CA_KEY, &self.authority.key),
            (CERTIFICATE, &self.leaf.certificate),
            (KEY, &self.leaf.key),
            (NEXT_CA, &next.certificate),
            (NEXT_CA_KEY, &next.key),
            (OLD_CA, &self.old),
        ];
        let data = secret.data.get_or_insert_default();
        for (key, text) in texts {
            put(data, key, (!text.is_empty()).then(|| ByteString(text.clone().into_bytes())));
        }
        let annotations = secret.metadata.annotations.get_or_insert_default();
        put(annotations, FORMER_PUBLISHED, None);
        put(annotations, SWITCHED, self.switched.map(|time| time.to_string()));
        put(annotations, ROTATE, self.rotate.clone());
        let labels = secret.metadata.labels.get_or_insert_default();
        put(labels, "app.kubernetes.io/name", Some("database-operator".to_owned()));
        put(labels, "app.kubernetes.io/component", Some("webhook".to_owned()));
    }
}

fn put<V>(map: &mut BTreeMap<String, V>, key: &str, value: Option<V>) {
    match value {
        Some(value) => drop(map.insert(key.to_owned(), value)),
        None => drop(map.remove(key)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &str) -> Pair {
        let now = "2026-11-22T12:00:00Z".parse().unwrap();
        Pair { key: name.into(), ..crate::issue::authority(now).unwrap() }
    }

    fn in_the_middle() -> State {
        State {
            authority: pair("a"),
            leaf: pair("b"),
            next: Some(pair("c")),
            old: pair("d").certificate,
            switched: Some("2026-11-22T11:00:00Z".parse().unwrap()),
            rotate: Some("ca".into()),
        }
    }

    #[test]
    fn it_survives_the_secret() {
        for state in [in_the_middle(), State::default()] {
            let mut secret = Secret::default();
            state.write_to(&mut secret);
            assert_eq!(State::of(&secret), state);
        }
    }

    #[test]
    fn what_is_over_is_taken_away_and_what_others_wrote_stays() {
        let mut secret = Secret::default();
        secret.data.get_or_insert_default().insert("theirs".into(), ByteString(b"x".to_vec()));
        secret.metadata.annotations.get_or_insert_default().insert("theirs".into(), "y".into());
        in_the_middle().write_to(&mut secret);
        secret.metadata.annotations.get_or_insert_default().insert(FORMER_PUBLISHED.into(), "z".into());
        let over = State { authority: pair("a"), leaf: pair("b"), ..State::default() };
        over.write_to(&mut secret);
        let keys = |map: Option<Vec<String>>| map.unwrap_or_default().join(" ");
        assert_eq!(
            keys(secret.data.map(|data| data.into_keys().collect())),
            "ca.crt ca.key theirs tls.crt tls.key"
        );
        assert_eq!(keys(secret.metadata.annotations.map(|all| all.into_keys().collect())), "theirs");
    }

    #[test]
    fn a_time_that_can_not_be_read_is_none() {
        let (mut secret, state) = (Secret::default(), in_the_middle());
        state.write_to(&mut secret);
        secret.metadata.annotations.get_or_insert_default().insert(SWITCHED.into(), "yesterday".into());
        assert_eq!(State::of(&secret), State { switched: None, ..state });
    }
}
