//! How much memory a body takes once it is parsed, which can be a hundred times its length: `[{"":0},{"":0}]`.

/// A map's first node, with room for eleven entries.
const MAP: usize = 640;
const LIST: usize = 160;
/// An entry of a map with a text each as key and value; an element of a list takes less.
const ENTRY: usize = 176;

/// What the parts of a review may weigh; those of a Database are a tenth of it.
pub(crate) const HEAVIEST: usize = 8 * 1024 * 1024;
/// What those of an object may weigh. An update carries two of them, and what surrounds them: whoever may create an
/// object may change it later, and take its finalizers away.
pub(crate) const HEAVIEST_OBJECT: usize = 3 * 1024 * 1024;

/// An upper estimate, in bytes, of what stands around the texts of a JSON document. The texts themselves take
/// what they take in the body.
pub(crate) fn of(json: &[u8]) -> usize {
    let mut weight = 0_usize;
    let mut rest = json;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        let more = match byte {
            b'{' => MAP,
            b'[' => LIST,
            b',' => ENTRY,
            b'"' => {
                rest = after_text(after);
                0
            }
            _ => 0,
        };
        weight = weight.saturating_add(more);
    }
    weight
}

/// What follows the end of a text.
fn after_text(mut text: &[u8]) -> &[u8] {
    while let Some(at) = memchr::memchr2(b'"', b'\\', text) {
        if text[at] == b'"' {
            return &text[at + 1..];
        }
        // The next character is a part of the text, whatever it is.
        text = text.get(at + 2..).unwrap_or_default();
    }
    &[]
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::nothing("", 0)]
    #[case::values(r#"{"a": [1, 2], "b": "c"}"#, MAP + LIST + 2 * ENTRY)]
    #[case::a_text(r#""[{,,,\\\",,,""#, 0)]
    #[case::after_a_text(r#""\\",[]"#, ENTRY + LIST)]
    #[case::an_unfinished_text(r#""{\"#, 0)]
    fn only_what_is_built_weighs(#[case] json: &str, #[case] weight: usize) {
        assert_eq!(of(json.as_bytes()), weight);
    }
}
