//! JSON Web Tokens, signed with ECDSA on the curve P-256: those of ServiceAccounts, and those that this directory issues.
//!
//! Microsoft Entra ID signs with RSA; whoever checks a token takes the algorithm from its header.
//! <https://www.rfc-editor.org/rfc/rfc7519>, <https://www.rfc-editor.org/rfc/rfc7517>

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use ring::{
    error::Unspecified,
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
    },
};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Longer than any token: it must fit into a header, and into a password.
const LONGEST: usize = 32 * 1024;
/// Of an uncompressed point, before its two coordinates.
const UNCOMPRESSED: u8 = 4;

/// Why a token counts for nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Invalid {
    #[error("it is not a token")]
    Malformed,
    #[error("its key {0:?} is not one of the issuer's")]
    UnknownKey(String),
    #[error("its signature is not the issuer's")]
    Signature,
}

/// Public keys, each with its id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Keys(Vec<(String, Vec<u8>)>);

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Key>,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Key {
    kid: String,
    crv: String,
    x: String,
    y: String,
}

impl Keys {
    /// Those of a JSON Web Key Set that are on this curve; `None` if it isn't one.
    pub(super) fn read(set: &Value) -> Option<Self> {
        let set = KeySet::deserialize(set).ok()?;
        let keys = set.keys.into_iter().filter(|key| key.crv == "P-256").filter_map(|key| {
            let (x, y) = (BASE64.decode(&key.x).ok()?, BASE64.decode(&key.y).ok()?);
            Some((key.kid, [[UNCOMPRESSED].as_slice(), &x, &y].concat()))
        });
        Some(Self(keys.collect()))
    }

    /// The claims of a token that was signed with one of these. Whom it is for and when it holds is for others to judge.
    pub(super) fn verify(&self, token: &str) -> Result<Value, Invalid> {
        let unverified = Unverified::read(token)?;
        let known = self.0.iter().find(|(id, _)| *id == unverified.key);
        let (_, point) = known.ok_or_else(|| Invalid::UnknownKey(unverified.key.clone()))?;
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
            .verify(unverified.signed.as_bytes(), &unverified.signature)
            .map_err(|_| Invalid::Signature)?;
        Ok(unverified.claims)
    }
}

/// A token as it says itself that it is.
#[derive(Debug)]
pub(super) struct Unverified<'a> {
    pub(super) claims: Value,
    key: String,
    signed: &'a str,
    signature: Vec<u8>,
}

impl<'a> Unverified<'a> {
    pub(super) fn read(token: &'a str) -> Result<Self, Invalid> {
        let parts = || {
            let (signed, signature) = token.rsplit_once('.')?;
            let (header, claims) = signed.split_once('.')?;
            let decode = |part: &str| serde_json::from_slice::<Value>(&BASE64.decode(part).ok()?).ok();
            let (header, claims) = (decode(header)?, decode(claims)?);
            let key = header.get("kid").and_then(Value::as_str).unwrap_or_default().to_owned();
            let is_ours = header.get("alg").and_then(Value::as_str) == Some("ES256") && claims.is_object();
            is_ours.then_some(Self { claims, key, signed, signature: BASE64.decode(signature).ok()? })
        };
        if token.len() > LONGEST {
            return Err(Invalid::Malformed);
        }
        parts().ok_or(Invalid::Malformed)
    }
}

/// Signs tokens.
pub(super) struct Signer {
    key: EcdsaKeyPair,
    id: String,
    random: SystemRandom,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Signer {
    /// With a new key.
    pub(super) fn new() -> Result<Self, Unspecified> {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random)?;
        let key = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).map_err(|_| Unspecified)?;
        let id = BASE64.encode(Sha256::digest(key.public_key().as_ref()));
        Ok(Self { key, id, random })
    }

    pub(super) fn sign(&self, claims: &Value) -> Result<String, Unspecified> {
        let header = json!({"typ": "JWT", "alg": "ES256", "kid": self.id});
        let [header, claims] = [header, claims.clone()].map(|part| BASE64.encode(part.to_string()));
        let signed = format!("{header}.{claims}");
        let signature = self.key.sign(&self.random, signed.as_bytes())?;
        Ok(format!("{signed}.{}", BASE64.encode(signature.as_ref())))
    }

    pub(super) fn keys(&self) -> Keys {
        Keys(vec![(self.id.clone(), self.key.public_key().as_ref().to_vec())])
    }

    /// As a JSON Web Key Set.
    pub(super) fn key_set(&self) -> Value {
        let point = self.key.public_key().as_ref();
        let half = |range: std::ops::Range<usize>| BASE64.encode(point.get(range).unwrap_or_default());
        json!({"keys": [{
            "kty": "EC", "use": "sig", "alg": "ES256", "crv": "P-256", "kid": self.id, "x": half(1..33), "y": half(33..65),
        }]})
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[test]
    fn a_token_is_verified_by_the_published_keys() {
        let signer = Signer::new().unwrap();
        let token = signer.sign(&json!({"oid": "a"})).unwrap();
        let published = Keys::read(&signer.key_set()).unwrap();
        assert_eq!(published, signer.keys());
        assert_eq!(published.verify(&token), Ok(json!({"oid": "a"})));
    }

    #[test]
    fn nobody_elses_token_counts() {
        let (signer, other) = (Signer::new().unwrap(), Signer::new().unwrap());
        let token = other.sign(&json!({"oid": "a"})).unwrap();
        assert!(matches!(signer.keys().verify(&token), Err(Invalid::UnknownKey(_))));
        // With our key's id, and with claims of ours under another's signature.
        let forged = Signer { id: signer.id.clone(), ..other }.sign(&json!({"oid": "a"})).unwrap();
        assert_eq!(signer.keys().verify(&forged), Err(Invalid::Signature));
        let (claims, signature) = forged.rsplit_once('.').unwrap();
        let own = signer.sign(&json!({"oid": "b"})).unwrap();
        let (other_claims, own_signature) = own.rsplit_once('.').unwrap();
        for mixed in [format!("{claims}.{own_signature}"), format!("{other_claims}.{signature}")] {
            assert_eq!(signer.keys().verify(&mixed), Err(Invalid::Signature));
        }
    }

    proptest! {
        /// One changed character is enough, wherever it is.
        #[test]
        fn a_token_that_was_touched_counts_for_nothing(place in any::<prop::sample::Index>(), by in 1_u8..64) {
            let signer = Signer::new().unwrap();
            let token = signer.sign(&json!({"oid": "a", "groups": ["g"]})).unwrap();
            let mut touched = token.clone().into_bytes();
            let place = place.index(touched.len());
            let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
            let Some(letter) = letters.iter().position(|letter| *letter == touched[place]) else { return Ok(()) };
            touched[place] = letters[(letter + usize::from(by)) % letters.len()];
            let touched = String::from_utf8(touched).unwrap();
            prop_assert!(signer.keys().verify(&touched).is_err(), "{}", touched);
        }

        #[test]
        fn any_text_is_refused_in_order(text in ".{0,300}") {
            prop_assert!(Signer::new().unwrap().keys().verify(&text).is_err());
        }
    }

    #[rstest]
    #[case("")]
    #[case("a")]
    #[case("a.b.c")]
    #[case("..")]
    #[case("eyJhbGciOiJub25lIn0.e30.")]
    #[case::algorithm("eyJhbGciOiJSUzI1NiJ9.e30.AAAA")]
    #[case::claims("eyJhbGciOiJFUzI1NiJ9.W10.AAAA")]
    #[case::long(&"a".repeat(LONGEST + 1))]
    fn anything_else_is_no_token(#[case] text: &str) {
        let signer = Signer::new().unwrap();
        assert_eq!(signer.keys().verify(text), Err(Invalid::Malformed));
    }
}
