//! Issues the CA and the leaf.

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use time::OffsetDateTime;

use crate::Bundle;

const DAY: SignedDuration = SignedDuration::from_hours(24);
/// How long the CA is valid.
const CA_DAYS: i32 = 3650;
/// How long the leaf is valid; it is renewed at two thirds of that.
const LEAF_DAYS: i32 = 90;
/// Clocks in a cluster disagree a little: a certificate is valid from a while ago.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// A CA and a leaf for these DNS names and IP addresses.
pub(crate) fn bundle(names: &[String], now: Timestamp) -> Result<Bundle, rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = params(Vec::new(), "database-operator webhook CA", CA_DAYS, now)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(&key)?;
    let authority = Bundle {
        ca: certificate.pem(),
        ca_key: key.serialize_pem(),
        certificate: String::new(),
        key: String::new(),
    };
    leaf(&authority, names, now)
}

/// The same CA with a new leaf.
pub(crate) fn leaf(authority: &Bundle, names: &[String], now: Timestamp) -> Result<Bundle, rcgen::Error> {
    let issuer = Issuer::from_ca_cert_pem(&authority.ca, KeyPair::from_pem(&authority.ca_key)?)?;
    let key = KeyPair::generate()?;
    let mut params = params(names.to_vec(), "database-operator webhook", LEAF_DAYS, now)?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let certificate = params.signed_by(&key, &issuer)?;
    Ok(Bundle { certificate: certificate.pem(), key: key.serialize_pem(), ..authority.clone() })
}

fn params(
    names: Vec<String>,
    common_name: &str,
    days: i32,
    now: Timestamp,
) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = to_time(now - CLOCK_SKEW);
    params.not_after = to_time(now + DAY * days);
    Ok(params)
}

fn to_time(timestamp: Timestamp) -> OffsetDateTime {
    // Out of range only for years past 9999.
    OffsetDateTime::from_unix_timestamp(timestamp.as_second()).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}
