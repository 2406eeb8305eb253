//! A CA with its key and a leaf with its key, as they stand in the Secret.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use jiff::Timestamp;
use k8s_openapi::ByteString;
use rustls::{
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};
use x509_parser::{extensions::GeneralName, parse_x509_certificate, prelude::X509Certificate};

/// Everything in PEM.
#[derive(Clone, Eq, PartialEq)]
pub struct Bundle {
    pub ca: String,
    pub ca_key: String,
    pub certificate: String,
    pub key: String,
}

/// Keys never reach a log.
impl std::fmt::Debug for Bundle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bundle")
            .field("ca", &self.ca)
            .field("certificate", &self.certificate)
            .finish_non_exhaustive()
    }
}

/// What is wrong with a bundle.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unfit {
    #[error("the Secret has no usable key {0:?}")]
    Absent(&'static str),
    #[error("{0} can't be read: {1}")]
    Unreadable(&'static str, String),
    #[error("the CA is past two thirds of its life")]
    CaDue,
    #[error("the certificate is past two thirds of its life")]
    LeafDue,
    #[error("the certificate is not for {0}")]
    OtherName(String),
    #[error("the certificate is not from the CA beside it")]
    OtherCa,
    #[error("the key does not belong to the certificate: {0}")]
    OtherKey(String),
    #[error("the CA's key can't be used")]
    CaKey,
}

impl Unfit {
    /// Whether a new leaf of the same CA mends it. Else a new CA is needed too.
    pub(crate) fn leaf_only(&self) -> bool {
        match self {
            Self::LeafDue | Self::OtherName(_) | Self::OtherKey(_) => true,
            Self::Absent(key) => matches!(*key, CERTIFICATE | KEY),
            Self::Unreadable(what, _) => *what == "the certificate",
            Self::CaDue | Self::OtherCa | Self::CaKey => false,
        }
    }
}

const CA: &str = "ca.crt";
const CA_KEY: &str = "ca.key";
const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";

impl Bundle {
    /// Reads the Secret's data; absent parts become empty and are found by [`Bundle::check`].
    pub fn from_data(data: Option<&BTreeMap<String, ByteString>>) -> Self {
        let text = |key: &str| {
            data.and_then(|data| data.get(key))
                .map(|bytes| String::from_utf8_lossy(&bytes.0).into_owned())
                .unwrap_or_default()
        };
        Self { ca: text(CA), ca_key: text(CA_KEY), certificate: text(CERTIFICATE), key: text(KEY) }
    }

    /// The Secret's data.
    pub fn to_data(&self) -> BTreeMap<String, ByteString> {
        [(CA, &self.ca), (CA_KEY, &self.ca_key), (CERTIFICATE, &self.certificate), (KEY, &self.key)]
            .into_iter()
            .map(|(key, pem)| (key.to_owned(), ByteString(pem.clone().into_bytes())))
            .collect()
    }

    /// Whether this serves these names from now on, for another third of its life at least.
    pub fn check(&self, names: &[String], now: Timestamp) -> Result<(), Unfit> {
        for (key, pem) in
            [(CA, &self.ca), (CA_KEY, &self.ca_key), (CERTIFICATE, &self.certificate), (KEY, &self.key)]
        {
            if pem.trim().is_empty() {
                return Err(Unfit::Absent(key));
            }
        }
        let ca = der("the CA", &self.ca)?;
        let ca = parse("the CA", &ca)?;
        if past_two_thirds(&ca, now) {
            return Err(Unfit::CaDue);
        }
        // A leaf is issued only once in two months: a key that can't do it is found long before.
        let key = rcgen::KeyPair::from_pem(&self.ca_key).map_err(|_| Unfit::CaKey)?;
        if ca.public_key().subject_public_key.data.as_ref() != key.public_key_raw() {
            return Err(Unfit::CaKey);
        }
        let leaf = der("the certificate", &self.certificate)?;
        let leaf = parse("the certificate", &leaf)?;
        if past_two_thirds(&leaf, now) {
            return Err(Unfit::LeafDue);
        }
        if let Some(missing) = names.iter().find(|name| !is_for(&leaf, name)) {
            return Err(Unfit::OtherName(missing.clone()));
        }
        if leaf.verify_signature(Some(ca.public_key())).is_err() {
            return Err(Unfit::OtherCa);
        }
        self.certified_key().map(|_| ()).map_err(|error| Unfit::OtherKey(error.to_string()))
    }

    /// The leaf and its key, ready to be served.
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

    /// When the leaf expires, in seconds since 1970.
    pub fn not_after(&self) -> Option<i64> {
        let leaf = der("the certificate", &self.certificate).ok()?;
        Some(parse("the certificate", &leaf).ok()?.validity().not_after.timestamp())
    }
}

fn der(what: &'static str, pem: &str) -> Result<CertificateDer<'static>, Unfit> {
    CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| Unfit::Unreadable(what, error.to_string()))
}

fn parse<'a>(what: &'static str, der: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, Unfit> {
    parse_x509_certificate(der)
        .map(|(_, certificate)| certificate)
        .map_err(|error| Unfit::Unreadable(what, error.to_string()))
}

fn past_two_thirds(certificate: &X509Certificate<'_>, now: Timestamp) -> bool {
    let (from, to) =
        (certificate.validity().not_before.timestamp(), certificate.validity().not_after.timestamp());
    now.as_second() >= from + (to - from) / 3 * 2
}

fn is_for(certificate: &X509Certificate<'_>, name: &str) -> bool {
    let Ok(Some(alternatives)) = certificate.subject_alternative_name() else { return false };
    alternatives.value.general_names.iter().any(|alternative| match (alternative, name.parse::<IpAddr>()) {
        (GeneralName::DNSName(dns), Err(_)) => dns.eq_ignore_ascii_case(name),
        (GeneralName::IPAddress(bytes), Ok(IpAddr::V4(address))) => *bytes == address.octets(),
        (GeneralName::IPAddress(bytes), Ok(IpAddr::V6(address))) => *bytes == address.octets(),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::issue;

    const DAY: SignedDuration = SignedDuration::from_hours(24);

    fn names() -> Vec<String> {
        vec!["webhook.database-operator.svc".into(), "127.0.0.1".into()]
    }

    fn now() -> Timestamp {
        "2026-11-22T12:00:00Z".parse().unwrap()
    }

    fn fresh() -> Bundle {
        issue::bundle(&names(), now()).unwrap()
    }

    #[test]
    fn a_fresh_bundle_is_fit_and_survives_the_secret() {
        let bundle = fresh();
        assert_eq!(bundle.check(&names(), now()), Ok(()));
        assert_eq!(Bundle::from_data(Some(&bundle.to_data())), bundle);
    }

    #[test]
    fn the_leaf_is_due_at_two_thirds_of_its_life() {
        let bundle = fresh();
        assert_eq!(bundle.check(&names(), now() + DAY * 59), Ok(()));
        assert_eq!(bundle.check(&names(), now() + DAY * 61), Err(Unfit::LeafDue));
    }

    #[test]
    fn a_new_leaf_keeps_the_ca() {
        let later = now() + DAY * 61;
        let renewed = issue::leaf(&fresh(), &names(), later).unwrap();
        assert_eq!(renewed.check(&names(), later), Ok(()));
    }

    #[test]
    fn the_ca_is_due_at_two_thirds_of_its_life() {
        let unfit = fresh().check(&names(), now() + DAY * 2500).unwrap_err();
        assert_eq!(unfit, Unfit::CaDue);
        assert!(!unfit.leaf_only());
    }

    #[test]
    fn another_name_another_key_and_another_ca_are_found() {
        let (bundle, other) = (fresh(), fresh());
        let more = [names(), vec!["10.0.0.1".into()]].concat();
        assert_eq!(bundle.check(&more, now()), Err(Unfit::OtherName("10.0.0.1".into())));
        let swapped = Bundle { key: other.key.clone(), ..bundle.clone() };
        assert!(matches!(swapped.check(&names(), now()), Err(Unfit::OtherKey(_))));
        let swapped = Bundle { ca: other.ca, ca_key: other.ca_key, ..bundle };
        assert_eq!(swapped.check(&names(), now()), Err(Unfit::OtherCa));
    }

    #[test]
    fn an_empty_or_broken_secret_is_unfit_and_not_a_panic() {
        assert_eq!(Bundle::from_data(None).check(&names(), now()), Err(Unfit::Absent("ca.crt")));
        for ca_key in ["not PEM".to_owned(), fresh().ca_key] {
            let unfit = Bundle { ca_key, ..fresh() }.check(&names(), now()).unwrap_err();
            assert_eq!(unfit, Unfit::CaKey);
            assert!(!unfit.leaf_only());
        }
        let broken = Bundle { certificate: "not PEM".into(), ..fresh() };
        assert!(matches!(broken.check(&names(), now()), Err(Unfit::Unreadable("the certificate", _))));
    }
}
