//! A certificate and its key, and what they are good for.

use std::{net::IpAddr, sync::Arc};

use jiff::Timestamp;
use rustls::{
    client::verify_server_name,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    server::ParsedCertificate,
    sign::CertifiedKey,
};
use sha2::{Digest, Sha256};
use x509_parser::{extensions::GeneralName, parse_x509_certificate, prelude::X509Certificate};

/// Both in PEM; empty when absent.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Pair {
    pub certificate: String,
    pub key: String,
}

/// Keys never reach a log.
impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pair").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

/// What is wrong with a certificate or its key; follows on "the certificate".
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Invalid {
    #[error("is missing")]
    Absent,
    #[error("has no key")]
    NoKey,
    #[error("can't be read: {0}")]
    Unreadable(String),
    #[error("does not belong to the key: {0}")]
    OtherKey(String),
    #[error("is not one of a CA")]
    NoCa,
    #[error("is not valid yet")]
    NotYet,
    #[error("has expired")]
    Expired,
    #[error("is not for {0}")]
    OtherName(String),
    #[error("is not from a valid CA beside it")]
    OtherCa,
    /// It does its work still.
    #[error("is past two thirds of its life")]
    Due,
}

/// Whether it does its work, be it due or not.
pub(crate) fn works(fit: &Result<(), Invalid>) -> bool {
    matches!(fit, Ok(()) | Err(Invalid::Due))
}

impl Pair {
    /// Whether this is a CA that can sign, for another third of its life at least. A leaf is issued only
    /// once in two months: a key that can't do it is to be found long before.
    pub(crate) fn signs(&self, now: Timestamp) -> Result<(), Invalid> {
        self.is_there()?;
        let der = der(&self.certificate)?;
        let ca = parse(&der)?;
        let key =
            rcgen::KeyPair::from_pem(&self.key).map_err(|error| Invalid::OtherKey(error.to_string()))?;
        if ca.public_key().subject_public_key.data.as_ref() != key.public_key_raw() {
            return Err(Invalid::OtherKey("it is another one's".into()));
        }
        if !ca.is_ca() {
            return Err(Invalid::NoCa);
        }
        in_time(&ca, now)
    }

    /// Whether this serves all of these names, for another third of its life at least.
    pub(crate) fn serves(&self, names: &[String], now: Timestamp) -> Result<(), Invalid> {
        self.is_there()?;
        let der = der(&self.certificate)?;
        let leaf = parse(&der)?;
        self.certified_key().map_err(|error| Invalid::OtherKey(error.to_string()))?;
        let verified =
            ParsedCertificate::try_from(&der).map_err(|error| Invalid::Unreadable(error.to_string()))?;
        let is_for = |name: &str| {
            ServerName::try_from(name).is_ok_and(|name| verify_server_name(&verified, &name).is_ok())
        };
        if let Some(missing) = names.iter().find(|name| !is_for(name)) {
            return Err(Invalid::OtherName(missing.clone()));
        }
        in_time(&leaf, now)
    }

    /// The DNS names and IP addresses that the certificate is for.
    pub(crate) fn names(&self) -> Vec<String> {
        let Ok(der) = der(&self.certificate) else { return Vec::new() };
        let Ok(leaf) = parse(&der) else { return Vec::new() };
        let Ok(Some(alternatives)) = leaf.subject_alternative_name() else { return Vec::new() };
        let name = |name: &GeneralName<'_>| match *name {
            GeneralName::DNSName(name) => Some(name.to_owned()),
            GeneralName::IPAddress(bytes) => <[u8; 4]>::try_from(bytes)
                .map(IpAddr::from)
                .or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
                .ok()
                .map(|address| address.to_string()),
            _ => None,
        };
        alternatives.value.general_names.iter().filter_map(name).collect()
    }

    fn is_there(&self) -> Result<(), Invalid> {
        match (self.certificate.trim(), self.key.trim()) {
            ("", _) => Err(Invalid::Absent),
            (_, "") => Err(Invalid::NoKey),
            _ => Ok(()),
        }
    }

    /// Ready to be served.
    pub fn certified_key(&self) -> Result<CertifiedKey, rustls::Error> {
        let general = |error: rustls::pki_types::pem::Error| rustls::Error::General(error.to_string());
        let chain: Vec<_> = CertificateDer::pem_slice_iter(self.certificate.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(general)?;
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).map_err(general)?;
        let provider: Arc<CryptoProvider> = CryptoProvider::get_default()
            .cloned()
            .unwrap_or_else(|| Arc::new(rustls::crypto::ring::default_provider()));
        CertifiedKey::from_der(chain, key, &provider)
    }
}

fn der(pem: &str) -> Result<CertificateDer<'static>, Invalid> {
    CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| Invalid::Unreadable(error.to_string()))
}

fn parse<'a>(der: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, Invalid> {
    parse_x509_certificate(der)
        .map(|(_, certificate)| certificate)
        .map_err(|error| Invalid::Unreadable(error.to_string()))
}

fn in_time(certificate: &X509Certificate<'_>, now: Timestamp) -> Result<(), Invalid> {
    let validity = certificate.validity();
    let (from, to, now) = (validity.not_before.timestamp(), validity.not_after.timestamp(), now.as_second());
    if now < from {
        Err(Invalid::NotYet)
    } else if now > to {
        Err(Invalid::Expired)
    } else if now >= from + (to - from) / 3 * 2 {
        Err(Invalid::Due)
    } else {
        Ok(())
    }
}

/// When the first certificate in this PEM to expire does so, in seconds since 1970.
pub(crate) fn not_after(pem: &str) -> Option<i64> {
    certificates(pem)
        .filter_map(|block| Some(parse(&der(block).ok()?).ok()?.validity().not_after.timestamp()))
        .min()
}

/// The SHA-256 of a certificate in PEM, in hexadecimal; `None` of what can't be read.
pub(crate) fn fingerprint(pem: &str) -> Option<String> {
    der(pem).ok().map(|der| format!("{:x}", Sha256::digest(&der)))
}

/// Each certificate of a PEM text, as it is written there.
pub(crate) fn certificates(pem: &str) -> impl Iterator<Item = &str> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    pem.split_inclusive(END)
        .filter(|part| part.ends_with(END))
        .filter_map(|part| part.rfind(BEGIN).and_then(|begin| part.get(begin..)))
}

/// All of these certificates in one PEM text, each once, without what can't be read.
pub(crate) fn bundle<'a>(pems: impl IntoIterator<Item = &'a str>) -> String {
    let mut all: Vec<&str> = Vec::new();
    for block in pems.into_iter().flat_map(certificates) {
        if !all.contains(&block) && der(block).is_ok_and(|der| parse(&der).is_ok()) {
            all.push(block);
        }
    }
    all.iter().flat_map(|block| [*block, "\n"]).collect()
}

/// Those of these CAs which are valid now.
pub(crate) fn valid(pem: &str, now: Timestamp) -> impl Iterator<Item = &str> {
    certificates(pem).filter(move |block| {
        der(block).is_ok_and(|der| parse(&der).is_ok_and(|ca| works(&in_time(&ca, now))))
    })
}

/// The one of these CAs that has signed the certificate.
pub(crate) fn issuer<'a>(certificate: &str, cas: &'a str) -> Option<&'a str> {
    let leaf = der(certificate).ok()?;
    let leaf = parse(&leaf).ok()?;
    certificates(cas).find(|block| {
        der(block)
            .is_ok_and(|der| parse(&der).is_ok_and(|ca| leaf.verify_signature(Some(ca.public_key())).is_ok()))
    })
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use rstest::rstest;

    use super::*;
    use crate::issue;

    const DAY: SignedDuration = SignedDuration::from_hours(24);

    fn now() -> Timestamp {
        "2026-11-22T12:00:00Z".parse().unwrap()
    }

    fn names() -> Vec<String> {
        vec!["webhook.database-operator.svc".into(), "127.0.0.1".into()]
    }

    fn fresh() -> (Pair, Pair) {
        let authority = issue::authority(now()).unwrap();
        let leaf = issue::leaf(&authority, &names(), now()).unwrap();
        (authority, leaf)
    }

    #[rstest]
    #[case::at_once(0, Ok(()))]
    #[case::before_two_thirds(59, Ok(()))]
    #[case::after_two_thirds(61, Err(Invalid::Due))]
    #[case::at_the_end(91, Err(Invalid::Expired))]
    #[case::too_soon(-1, Err(Invalid::NotYet))]
    fn a_leaf_serves_for_two_thirds_of_its_life(#[case] days: i32, #[case] expected: Result<(), Invalid>) {
        assert_eq!(fresh().1.serves(&names(), now() + DAY * days), expected);
    }

    #[rstest]
    #[case(2400, Ok(()))]
    #[case(2500, Err(Invalid::Due))]
    #[case(3651, Err(Invalid::Expired))]
    #[case(-1, Err(Invalid::NotYet))]
    fn a_ca_signs_for_two_thirds_of_its_life(#[case] days: i32, #[case] expected: Result<(), Invalid>) {
        assert_eq!(fresh().0.signs(now() + DAY * days), expected);
    }

    #[test]
    fn a_leaf_serves_its_own_names_only() {
        let more = [names(), vec!["10.0.0.1".into()]].concat();
        assert_eq!(fresh().1.serves(&more, now()), Err(Invalid::OtherName("10.0.0.1".into())));
        let any = issue::leaf(&fresh().0, &["*.database-operator.svc".into()], now()).unwrap();
        assert_eq!(any.serves(&["webhook.database-operator.svc".into()], now()), Ok(()));
        let all = [names(), vec!["fd00::1".into()]].concat();
        assert_eq!(issue::leaf(&fresh().0, &all, now()).unwrap().names(), all);
    }

    #[test]
    fn what_is_broken_is_told_and_no_panic() {
        let (authority, leaf) = fresh();
        assert_eq!(Pair::default().signs(now()), Err(Invalid::Absent));
        assert_eq!(leaf.signs(now()), Err(Invalid::NoCa));
        assert_eq!(Pair { key: String::new(), ..leaf.clone() }.serves(&names(), now()), Err(Invalid::NoKey));
        for key in ["not PEM".to_owned(), fresh().0.key] {
            let other = Pair { key, ..authority.clone() };
            assert!(matches!(other.signs(now()), Err(Invalid::OtherKey(_))));
        }
        let other = Pair { key: fresh().1.key, ..leaf.clone() };
        assert!(matches!(other.serves(&names(), now()), Err(Invalid::OtherKey(_))));
        let broken = Pair { certificate: "not PEM".into(), ..leaf };
        assert!(matches!(broken.serves(&names(), now()), Err(Invalid::Unreadable(_))));
    }

    #[test]
    fn a_bundle_holds_each_ca_once_and_nothing_else() {
        let (one, two) = (fresh().0.certificate, fresh().0.certificate);
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----";
        let both = bundle([one.as_str(), "", broken, &format!("# a comment\n{two}{one}")]);
        assert_eq!(both, format!("{one}{two}"));
        assert_eq!(bundle([both.as_str()]), both);
    }

    #[test]
    fn a_fingerprint_is_of_the_certificate_and_not_of_how_it_is_written() {
        let (one, other) = (fresh().0.certificate, fresh().0.certificate);
        let print = fingerprint(&one);
        assert_eq!(print.as_ref().map(String::len), Some(64));
        assert_eq!(fingerprint(one.trim()), print);
        assert_ne!(fingerprint(&other), print);
        assert_eq!(fingerprint("not PEM"), None);
    }

    #[test]
    fn the_issuer_is_found_among_cas_of_one_name() {
        let (authority, leaf) = fresh();
        let both = bundle([fresh().0.certificate.as_str(), &authority.certificate]);
        assert_eq!(issuer(&leaf.certificate, &both), Some(authority.certificate.trim()));
        assert_eq!(issuer(&leaf.certificate, &fresh().0.certificate), None);
    }
}
