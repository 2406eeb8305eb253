//! Issues the CA and the leaf.

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use time::OffsetDateTime;

use crate::Pair;

const DAY: SignedDuration = SignedDuration::from_hours(24);
/// How long the CA is valid.
const CA_DAYS: i32 = 3650;
/// How long the leaf is valid; it is renewed at two thirds of that.
const LEAF_DAYS: i32 = 90;
/// Clocks in a cluster disagree a little: a certificate is valid from a while ago.
pub(crate) const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// Whether a time that another replica wrote can be reckoned with. Its clock may be a little ahead; one that
/// was far ahead must not hold up a rotation until we get there, and then the count begins anew.
pub(crate) fn is_past(time: Timestamp, now: Timestamp) -> bool {
    time.duration_since(now) <= CLOCK_SKEW
}

/// A CA.
pub(crate) fn authority(now: Timestamp) -> Result<Pair, rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = params(Vec::new(), "database-operator webhook CA", CA_DAYS, now)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(&key)?;
    Ok(Pair { certificate: certificate.pem(), key: key.serialize_pem() })
}

/// A leaf of this CA for these DNS names and IP addresses.
pub(crate) fn leaf(authority: &Pair, names: &[String], now: Timestamp) -> Result<Pair, rcgen::Error> {
    let issuer = Issuer::from_ca_cert_pem(&authority.certificate, KeyPair::from_pem(&authority.key)?)?;
    let key = KeyPair::generate()?;
    let mut params = params(names.to_vec(), "database-operator webhook", LEAF_DAYS, now)?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let certificate = params.signed_by(&key, &issuer)?;
    Ok(Pair { certificate: certificate.pem(), key: key.serialize_pem() })
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
