//! What is wrong with YAML, in our own words: those of a parser speak of its functions and options, and change with it.

use serde_saphyr::Error;

use super::limits::{DEPTH, NODES};
use crate::{
    Code,
    quote::quote,
    suggest::{alternatives, did_you_mean},
};

/// What is wrong at this place, and what to write; `path` is empty where no key is known.
pub(super) fn describe(error: &Error, yaml: &str, path: &str) -> (Code, String) {
    let error = inner(error);
    match error {
        Error::SerdeUnknownField { field, expected, .. } => {
            // The path ends with the key.
            let text =
                format!("is not a known key; {}known here: {}", meant(field, expected), expected.join(", "));
            (Code::PolicyUnknownKey, text)
        }
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            let text = format!(
                "{} is not known here; {}use {}",
                quote(variant),
                meant(variant, expected),
                alternatives(expected)
            );
            (Code::PolicyUnknownValue, text)
        }
        Error::SerdeMissingField { field, .. } => {
            let text = format!("needs the key {field}, which is missing");
            (Code::PolicyUnreadable, if path.is_empty() { format!("the policy {text}") } else { text })
        }
        other => (Code::PolicyUnreadable, unreadable(other, yaml, path)),
    }
}

/// Whether it concerns the whole policy, wherever the parser stands.
pub(super) fn is_of_all(error: &Error) -> bool {
    matches!(
        inner(error),
        Error::Budget { .. }
            | Error::AliasReplayLimitExceeded { .. }
            | Error::AliasReplayStackDepthExceeded { .. }
    )
}

/// The error behind an alias, which is reported where the alias stands.
fn inner(error: &Error) -> &Error {
    match error {
        Error::AliasError { error, .. } | Error::WithSnippet { error, .. } => inner(error),
        other => other,
    }
}

fn meant(written: &str, known: &[&str]) -> String {
    let meant = did_you_mean(written, known.iter().copied());
    meant.map(|meant| format!("did you mean {meant}? ")).unwrap_or_default()
}

/// What can't be read, and where.
struct Slip<'a> {
    error: &'a Error,
    yaml: &'a str,
    path: &'a str,
    column: u64,
}

/// Each knows some mistakes, and no two of them know the same.
const KNOWN_SLIPS: &[fn(&Slip<'_>) -> Option<String>] =
    &[wrong_kind, wrong_end, repeated_key, tag, alias, too_much, wrong_bytes];

fn unreadable(error: &Error, yaml: &str, path: &str) -> String {
    let column = error.location().map(|location| location.column()).unwrap_or_default();
    let slip = Slip { error, yaml, path, column };
    // The rest is what the grammar of YAML doesn't take.
    KNOWN_SLIPS.iter().find_map(|known| known(&slip)).unwrap_or_else(|| no_yaml(error, yaml, path))
}

/// A value of another kind stands at a key, and is shown beside it.
fn wrong_kind(slip: &Slip<'_>) -> Option<String> {
    let what = match slip.error {
        Error::Unexpected { expected: "mapping start", .. } => "keys with values",
        Error::Unexpected { expected: "string scalar", .. } => "text",
        Error::Unexpected { expected: "sequence start", .. } => "a list",
        Error::InvalidScalar { ty, .. } => kind(ty),
        Error::InvalidBooleanStrict { .. } => "true or false",
        Error::SerdeInvalidType { expected, .. }
        | Error::SerdeInvalidValue { expected, .. }
        | Error::SerdeInvalidLength { expected, .. } => kind(expected),
        Error::NullIntoString { .. } | Error::InvalidCharNull { .. } => {
            "text, and is empty; write it, or leave the key out"
        }
        _ => return None,
    };
    Some(if slip.path.is_empty() { format!("the policy must be {what}") } else { format!("must be {what}") })
}

/// The document ends too early, or another one follows it.
fn wrong_end(slip: &Slip<'_>) -> Option<String> {
    let is_blank = |line: &str| line.trim().is_empty() || line.trim().starts_with('#');
    let text = match slip.error {
        Error::Eof { .. } if slip.yaml.lines().all(is_blank) => {
            "the policy is empty; write the keys azure and profiles"
        }
        Error::Eof { .. } => "ends in the middle of a value; write the rest of it",
        Error::MultipleDocuments { .. } => {
            "is a second document (behind ---), and a policy is one; put all of it into the first"
        }
        _ => return None,
    };
    Some(text.to_owned())
}

fn repeated_key(slip: &Slip<'_>) -> Option<String> {
    let Error::DuplicateMappingKey { key, .. } = slip.error else { return None };
    let key = key.as_deref().map_or_else(|| "a key".to_owned(), quote);
    Some(format!("at column {}: {key} is there already; leave one of the two out", slip.column))
}

fn tag(slip: &Slip<'_>) -> Option<String> {
    let column = slip.column;
    match slip.error {
        Error::UnsupportedTag { tag, .. } => {
            Some(format!("at column {column}: the tag {} means nothing here; leave it out", quote(tag)))
        }
        Error::TaggedScalarCannotDeserializeIntoString { .. }
        | Error::TaggedEnumMismatch { .. }
        | Error::InvalidBinaryBase64 { .. }
        | Error::BinaryNotUtf8 { .. }
        | Error::TaggedStructFieldName { .. } => {
            Some(format!("at column {column}: a tag (!) means nothing here; leave it out"))
        }
        _ => None,
    }
}

fn alias(slip: &Slip<'_>) -> Option<String> {
    let text = match slip.error {
        Error::UnknownAnchor { .. } => {
            "the alias (*) has no anchor (&) of its name before it; write the value itself"
        }
        Error::MergeValueNotMapOrSeqOfMaps { .. } | Error::MergeKeyNotAllowed { .. } => {
            "<< takes keys with values or an alias (*) of them; write the keys themselves"
        }
        Error::AliasReplayCounterOverflow { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::RecursiveReferencesRequireWeakTypes { .. } => {
            "aliases (*) repeat too much, or each other; write the values themselves"
        }
        _ => return None,
    };
    Some(format!("at column {}: {text}", slip.column))
}

fn too_much(slip: &Slip<'_>) -> Option<String> {
    is_of_all(slip.error).then(|| {
        format!(
            "the policy holds more than is read: {NODES} keys and values, {DEPTH} levels deep, at the most; write fewer, and \
             what is the same in several profiles once"
        )
    })
}

fn wrong_bytes(slip: &Slip<'_>) -> Option<String> {
    match slip.error {
        Error::FoldedBlockScalarMustIndentContent { .. } | Error::IndentationError { .. } => Some(format!(
            "at column {}: is indented less than what it belongs to; put blanks in front",
            slip.column
        )),
        Error::InvalidUtf8Input => Some("is not UTF-8; save the file as UTF-8".to_owned()),
        _ => None,
    }
}

/// What the grammar doesn't take. The parser notices a slip where it can't go on, which can be behind it.
fn no_yaml(error: &Error, yaml: &str, path: &str) -> String {
    let (line, column) = error.location().map_or((0, 0), |location| (location.line(), location.column()));
    let nearby = usize::try_from(line.saturating_sub(2)).unwrap_or(usize::MAX);
    let indented_by_tab = |text: &str| text.trim_start_matches(' ').starts_with('\t');
    let is_below = if path.is_empty() { "" } else { "can't be read: " };
    if yaml.lines().skip(nearby).take(3).any(indented_by_tab) {
        return format!("{is_below}at column {column}: a tab can't indent in YAML; write blanks");
    }
    format!(
        "{is_below}at column {column}: this is not YAML; look here and in the lines beside for a quote, a bracket, a colon \
         or a blank that is missing or too much"
    )
}

/// What a value must be, where the type that reads it is a number, a list and so on.
fn kind(expected: &str) -> &'static str {
    const KINDS: &[(&[&str], &str)] = &[
        (&["u8", "u16", "u32", "u64", "usize", "i8", "i16", "i32", "i64"], "a whole number"),
        (&["bool", "boolean", "a boolean"], "true or false"),
        (&["string", "a string"], "text"),
        (&["a sequence"], "a list"),
        (&["a map"], "keys with values"),
    ];
    let known = KINDS.iter().find(|(names, _)| names.contains(&expected)).map(|(_, kind)| *kind);
    let is_group = expected.starts_with("struct ");
    known.unwrap_or(if is_group {
        "keys with values"
    } else {
        "of another kind; look at the example in the documents"
    })
}
