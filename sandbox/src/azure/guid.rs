//! GUIDs made up from text: the same text gives the same GUID.

use sha2::{Digest, Sha256};

/// A GUID in the form of a random one (version 4, variant 1), derived from `seed`.
pub(super) fn from_text(seed: &str) -> String {
    let mut bytes: [u8; 32] = Sha256::digest(seed.as_bytes()).into();
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let number = bytes.iter().take(16).fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
    let hex = format!("{number:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// Whether `text` has the form of a GUID.
pub(super) fn is_guid(text: &str) -> bool {
    text.len() == 36
        && text.char_indices().all(|(index, character)| match index {
            8 | 13 | 18 | 23 => character == '-',
            _ => character.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_text_gives_the_same_guid() {
        assert_eq!(from_text("a"), from_text("a"));
        assert_ne!(from_text("a"), from_text("b"));
        assert!(is_guid(&from_text("a")));
    }

    #[test]
    fn other_text_is_no_guid() {
        assert!(!is_guid("my-app"));
        assert!(!is_guid("00000000-0000-4000-8000-00000000000g"));
    }
}
