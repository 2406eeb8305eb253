//! A password as PostgreSQL keeps it, made here, so that the password itself never leaves the process.
//!
//! The form is `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`.
//! <https://www.postgresql.org/docs/current/catalog-pg-authid.html>, RFC 5802 §3, RFC 7677.
//!
//! PostgreSQL prepares passwords by `SASLprep` (RFC 4013), which leaves those of ASCII as they are. Passwords that the
//! operator makes are of ASCII. Others are refused: prepared in another way than by the app's library, they would
//! never match.

use std::{
    fmt,
    hash::{Hash, Hasher},
    num::NonZeroU32,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::{
    digest,
    hmac::{self, HMAC_SHA256},
    pbkdf2::{self, PBKDF2_HMAC_SHA256},
    rand::{SecureRandom, SystemRandom},
};

/// PostgreSQL's own number (`scram_iterations`).
const ITERATIONS: u32 = 4096;
const SALT: usize = 16;
const KEY: usize = 32;

/// What PostgreSQL keeps of a password. Whoever has it can check guesses, so that it isn't shown.
#[derive(Clone, Eq, PartialEq)]
pub struct Verifier(String);

/// One password has as many verifiers as there are salts: two wishes are told apart by the generation of their password.
impl Hash for Verifier {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// Why there is no verifier for a password.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum VerifierError {
    #[error("the password is empty: write one")]
    Empty,
    #[error("the password has characters beyond ASCII, or NUL: write letters, digits and signs of ASCII")]
    NotAscii,
    #[error("the system gave no random numbers for a salt: try again")]
    NoSalt,
}

impl Verifier {
    /// With a random salt of 16 bytes.
    ///
    /// # Errors
    /// If the password is empty or not of ASCII, or if the system has no random numbers.
    pub fn new(password: &str) -> Result<Self, VerifierError> {
        let mut salt = [0; SALT];
        SystemRandom::new().fill(&mut salt).map_err(|_| VerifierError::NoSalt)?;
        Self::with_salt(password, &salt)
    }

    /// With a salt that is given.
    ///
    /// # Errors
    /// If the password is empty or not of ASCII.
    pub fn with_salt(password: &str, salt: &[u8; SALT]) -> Result<Self, VerifierError> {
        if password.is_empty() {
            return Err(VerifierError::Empty);
        }
        if !password.is_ascii() || password.contains('\0') {
            return Err(VerifierError::NotAscii);
        }
        let mut salted = [0; KEY];
        let iterations = NonZeroU32::new(ITERATIONS).unwrap_or(NonZeroU32::MIN);
        pbkdf2::derive(PBKDF2_HMAC_SHA256, iterations, salt, password.as_bytes(), &mut salted);
        let salted = hmac::Key::new(HMAC_SHA256, &salted);
        let client_key = hmac::sign(&salted, b"Client Key");
        let stored_key = digest::digest(&digest::SHA256, client_key.as_ref());
        let server_key = hmac::sign(&salted, b"Server Key");
        let [salt, stored_key, server_key] =
            [&salt[..], stored_key.as_ref(), server_key.as_ref()].map(|bytes| STANDARD.encode(bytes));
        Ok(Self(format!("SCRAM-SHA-256${ITERATIONS}:{salt}${stored_key}:{server_key}")))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier(…)")
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// The example of RFC 7677 §3: user `user`, password `pencil`. What the client proves there, and what the server
    /// signs, follows from the two keys of the verifier.
    #[test]
    fn the_example_of_the_rfc_is_proven_by_the_verifier() {
        let salt: [u8; SALT] = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap().try_into().unwrap();
        let verifier = Verifier::with_salt("pencil", &salt).unwrap();
        let keys = verifier.as_str().strip_prefix("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$").unwrap();
        let (stored_key, server_key) = keys.split_once(':').unwrap();
        let auth_message = "n=user,r=rOprNGfwEbeRWgbNEkqO,\
            r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,\
            c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let signed = |key: &str| {
            hmac::sign(&hmac::Key::new(HMAC_SHA256, &STANDARD.decode(key).unwrap()), auth_message.as_bytes())
        };
        // The server's signature is the HMAC by the server key.
        assert_eq!(STANDARD.encode(signed(server_key)), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
        // The client's proof, by the client's signature, is the client key, whose hash is the stored key.
        let proof = STANDARD.decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=").unwrap();
        let client_key: Vec<u8> = proof.iter().zip(signed(stored_key).as_ref()).map(|(a, b)| a ^ b).collect();
        assert_eq!(STANDARD.encode(digest::digest(&digest::SHA256, &client_key)), stored_key);
    }

    #[rstest]
    #[case("", VerifierError::Empty)]
    #[case("blåbær", VerifierError::NotAscii)]
    #[case("a\0b", VerifierError::NotAscii)]
    fn a_password_that_would_never_match_is_refused(#[case] password: &str, #[case] error: VerifierError) {
        assert_eq!(Verifier::new(password), Err(error));
    }

    #[test]
    fn each_verifier_has_a_salt_of_its_own_and_is_not_shown() {
        let verifier = Verifier::new("pencil").unwrap();
        assert_ne!(verifier, Verifier::new("pencil").unwrap());
        assert_eq!(format!("{verifier:?}"), "Verifier(…)");
    }
}
