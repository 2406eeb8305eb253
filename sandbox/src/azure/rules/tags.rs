//! Tags. ARM judges them for every resource, before the resource's provider sees the request.
//! <https://learn.microsoft.com/azure/azure-resource-manager/management/tag-resources#limitations>

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::azure::arm::errors::ArmError;

const MOST: usize = 50;
const LONGEST_NAME: usize = 512;
const LONGEST_VALUE: usize = 256;
const RESERVED_CHARACTERS: [char; 7] = ['<', '>', '%', '&', '\\', '?', '/'];
const RESERVED_PREFIXES: [&str; 3] = ["microsoft", "azure", "windows"];
/// Azure's own tools link resources by such tags, whose names may have any character.
const HIDDEN: [&str; 2] = ["hidden-", "link:"];

type Tags = Map<String, Value>;
type TagRule = fn(&Tags) -> Result<(), ArmError>;

/// Azure reports the first problem only.
const RULES: &[TagRule] = &[
    values_are_text,
    are_not_too_many,
    names_have_no_reserved_characters,
    names_have_no_reserved_prefix,
    names_are_short,
    values_are_short,
];

/// Every rule about the tags of a request; a request without any changes none.
pub(in crate::azure) fn check(tags: Option<&Value>) -> Result<(), ArmError> {
    match tags {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Object(tags)) => RULES.iter().try_for_each(|rule| rule(tags)),
        Some(_) => Err(unreadable("tags")),
    }
}

/// Names are kept as they were written, but two that differ only in their case are one tag
/// (<https://github.com/MicrosoftDocs/azure-docs/issues/57888>).
pub(in crate::azure) fn kept(tags: &Value) -> Value {
    let mut kept = Tags::new();
    for (name, value) in tags.as_object().into_iter().flatten() {
        let before = kept.keys().find(|other| same(other, name)).cloned();
        kept.insert(before.unwrap_or_else(|| name.clone()), value.clone());
    }
    Value::Object(kept)
}

fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// .NET counts UTF-16 units.
fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

fn list<'a>(names: impl Iterator<Item = &'a String>) -> String {
    names.map(String::as_str).collect::<Vec<_>>().join(",")
}

fn unreadable(what: &str) -> ArmError {
    ArmError::bad_request(
        "InvalidRequestContent",
        format!("The request content was invalid and could not be deserialized: '{what}'."),
    )
}

fn values_are_text(tags: &Tags) -> Result<(), ArmError> {
    match tags.iter().find(|(_, value)| !value.is_string()) {
        Some((name, _)) => Err(unreadable(&format!("tags.{name}"))),
        None => Ok(()),
    }
}

/// The number is documented; the code and the words are from memory.
fn are_not_too_many(tags: &Tags) -> Result<(), ArmError> {
    let names: BTreeSet<String> = tags.keys().map(|name| name.to_lowercase()).collect();
    if names.len() <= MOST {
        return Ok(());
    }
    Err(ArmError::bad_request(
        "TooManyTags",
        format!("The number of tags '{}' exceeds the maximum of '{MOST}' tags for a resource.", names.len()),
    ))
}

/// Code and words as in <https://github.com/coreos/tectonic-installer/issues/596>.
fn names_have_no_reserved_characters(tags: &Tags) -> Result<(), ArmError> {
    let is_bad = |c: char| RESERVED_CHARACTERS.contains(&c) || c.is_control();
    let bad = list(tags.keys().filter(|name| {
        name.contains(is_bad) && !HIDDEN.iter().any(|hidden| name.to_lowercase().starts_with(hidden))
    }));
    if bad.is_empty() {
        return Ok(());
    }
    Err(ArmError::bad_request(
        "InvalidTagNameCharacters",
        format!("The tag names '{bad}' have reserved characters '<,>,%,&,\\,?,/' or control characters."),
    ))
}

/// The prefixes are documented; the code and the words are from memory.
fn names_have_no_reserved_prefix(tags: &Tags) -> Result<(), ArmError> {
    let bad =
        list(tags.keys().filter(|name| {
            RESERVED_PREFIXES.iter().any(|reserved| name.to_lowercase().starts_with(reserved))
        }));
    if bad.is_empty() {
        return Ok(());
    }
    Err(ArmError::bad_request(
        "InvalidTagName",
        format!("The tag names '{bad}' have a reserved prefix: 'microsoft', 'azure', 'windows'."),
    ))
}

/// Code and words as Azure's own `az` module for virtual machines repeats them. That an empty name is refused is from
/// memory.
fn names_are_short(tags: &Tags) -> Result<(), ArmError> {
    if tags.keys().any(|name| name.trim().is_empty()) {
        return Err(ArmError::bad_request(
            "InvalidTagName",
            "The tag name must not be null, empty or whitespace.",
        ));
    }
    let long = list(tags.keys().filter(|name| length(name) > LONGEST_NAME));
    if long.is_empty() {
        return Ok(());
    }
    Err(ArmError::bad_request(
        "InvalidTagName",
        format!(
            "Tag key too large. Following tag name '{long}' exceeded the maximum length. Maximum allowed length for \
             tag name - '{LONGEST_NAME}' characters."
        ),
    ))
}

/// Code and words as [`names_are_short`].
fn values_are_short(tags: &Tags) -> Result<(), ArmError> {
    let texts = tags.values().filter_map(Value::as_str);
    let long: Vec<&str> = texts.filter(|value| length(value) > LONGEST_VALUE).collect();
    if long.is_empty() {
        return Ok(());
    }
    Err(ArmError::bad_request(
        "InvalidTagValueLength",
        format!(
            "Tag value too large. Following tag value '{}' exceeded the maximum length. Maximum allowed length for \
             tag value - '{LONGEST_VALUE}' characters.",
            long.join(",")
        ),
    ))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn many(count: usize) -> Value {
        Value::Object((0..count).map(|number| (format!("tag-{number}"), json!("x"))).collect())
    }

    #[rstest]
    #[case::none(Value::Null, None)]
    #[case::plain(json!({"owner": "team a/b <x>", "Cost Center": "", "a:b": "c"}), None)]
    #[case::no_object(json!(["owner"]), Some("InvalidRequestContent"))]
    #[case::no_text(json!({"owner": 1}), Some("InvalidRequestContent"))]
    #[case::slash(json!({"cost/center": "1"}), Some("InvalidTagNameCharacters"))]
    #[case::less_than(json!({"a<b": "1"}), Some("InvalidTagNameCharacters"))]
    #[case::percent(json!({"100%": "1"}), Some("InvalidTagNameCharacters"))]
    #[case::backslash(json!({"a\\b": "1"}), Some("InvalidTagNameCharacters"))]
    #[case::line_break(json!({"a\nb": "1"}), Some("InvalidTagNameCharacters"))]
    #[case::of_azure(json!({"hidden-link:/subscriptions/s": "Resource"}), None)]
    #[case::microsoft(json!({"microsoft.owner": "1"}), Some("InvalidTagName"))]
    #[case::azure_in_any_case(json!({"AzureOwner": "1"}), Some("InvalidTagName"))]
    #[case::windows(json!({"windows": "1"}), Some("InvalidTagName"))]
    #[case::in_the_middle(json!({"my-azure": "1"}), None)]
    #[case::nameless(json!({" ": "1"}), Some("InvalidTagName"))]
    #[case::long_name(json!({"ø".repeat(512): "1"}), None)]
    #[case::too_long_a_name(json!({"a".repeat(513): "1"}), Some("InvalidTagName"))]
    #[case::long_value(json!({"a": "ø".repeat(256)}), None)]
    #[case::too_long_a_value(json!({"a": "b".repeat(257)}), Some("InvalidTagValueLength"))]
    #[case::fifty(many(50), None)]
    #[case::fifty_one(many(51), Some("TooManyTags"))]
    fn tags_are_taken_or_not(#[case] tags: Value, #[case] expected: Option<&str>) {
        assert_eq!(check(Some(&tags)).err().map(|error| error.code).as_deref(), expected);
    }

    #[test]
    fn a_refusal_names_every_tag_in_azures_words() {
        let refused =
            check(Some(&json!({"a/b": "1", "c": "2", "d?": "3"}))).expect_err("reserved characters");
        assert_eq!(
            refused.message,
            "The tag names 'a/b,d?' have reserved characters '<,>,%,&,\\,?,/' or control characters."
        );
    }

    #[test]
    fn names_that_differ_in_their_case_are_one_tag() {
        let tags = kept(&json!({"CostCenter": "1", "costcenter": "2", "owner": "3"}));
        assert_eq!(tags, json!({"CostCenter": "2", "owner": "3"}));
    }
}
