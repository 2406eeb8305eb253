//! What the API server takes in the metadata of any object.
//!
//! It judges them after the mutating webhooks and before the validating ones, and answers 422, to which tools answer by
//! deleting the object. So the mutating webhook judges the same before. It must not be laxer, and not stricter either.
//! <https://github.com/kubernetes/apimachinery/blob/v0.36.2/pkg/api/validation/objectmeta.go>

use crate::{
    Code, Problem,
    quote::{quote, triggers_tool},
};

/// Longest value of a label, and longest name in a key.
const LONGEST_WORD: usize = 63;
/// Longest name of an object, and longest domain in a key.
pub(crate) const LONGEST_SUBDOMAIN: usize = 253;
/// As much of a name's beginning is taken for it.
const LONGEST_PREFIX: usize = 58;
/// The most bytes that the annotations of an object have in all.
/// <https://kubernetes.io/docs/concepts/overview/working-with-objects/annotations/>
pub const LARGEST_ANNOTATIONS: usize = 256 * 1024;

const KEY: &str = "write at most 63 letters, digits, -, _ and . with a letter or digit at both ends, and in front of \
                   them, if anything, a domain in lower case and a /, such as team or example.com/team";

/// The garbage collector follows one of them.
const OPPOSITES: [&str; 2] = ["foregroundDeletion", "orphan"];

/// Who an object belongs to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Owner<'a> {
    pub api_version: &'a str,
    pub kind: &'a str,
    pub name: &'a str,
    pub uid: &'a str,
}

/// What is wrong with the name of a new `Database`, whose label it becomes.
pub fn name(name: &str) -> Option<Problem> {
    let is_name = name.len() <= LONGEST_WORD && is_subdomain_part(name);
    let text = || {
        format!(
            "{} must be at most {LONGEST_WORD} characters of a-z, 0-9 and -, without dots, with a letter or digit at both ends",
            quote(name)
        )
    };
    (!is_name).then(|| Problem::new(Code::Name, "metadata.name", &text()))
}

/// What is wrong with the beginning of a name, to which the API server adds five characters.
pub fn generate_name(prefix: &str) -> Option<Problem> {
    // The API server looks at it as if a letter stood in the place of its last two characters, if the last one is a dash.
    let stem = prefix.strip_suffix('-').and_then(|start| start.strip_suffix(|c: char| c.is_ascii()));
    let masked = stem.map_or_else(|| prefix.to_owned(), |stem| format!("{stem}a"));
    // What is longer is cut. A dot would be in the name.
    let name = format!("{}a", prefix.get(..LONGEST_PREFIX).unwrap_or(prefix));
    let is_prefix = is_subdomain(&masked) && is_subdomain_part(&name);
    let text = || {
        format!(
            "{} must begin with a letter or digit and go on with a-z, 0-9 and -, such as main-",
            quote(prefix)
        )
    };
    (!is_prefix).then(|| Problem::new(Code::Name, "metadata.generateName", &text()))
}

/// What is wrong with the beginning of a name that a change brings in, and that names nothing any more.
pub fn late_generate_name(prefix: &str) -> Option<Problem> {
    let text = format!("{} does nothing here, and must not have / or %; leave it out", quote(prefix));
    prefix.contains(['/', '%']).then(|| Problem::new(Code::Metadata, "metadata.generateName", &text))
}

/// That a change sets a field that is the API server's alone, as an object does that was exported and is applied again.
pub fn of_the_api_server(field: &str) -> Problem {
    let field = format!("metadata.{field}");
    let text =
        "is written by the API server alone, and this object has another one; leave it out of the manifest";
    Problem::new(Code::Metadata, &field, text)
}

/// What is wrong with a label.
pub fn label(key: &str, value: &str) -> impl Iterator<Item = Problem> {
    let of_key = (!is_qualified_name(key)).then(|| no_key("metadata.labels", key));
    let is_value = value.is_empty() || is_word(value);
    let of_value = (!is_value).then(|| {
        let field = format!("metadata.labels[{}]", quote(key));
        let text = format!(
            "{} is not a value of a label; write at most {LONGEST_WORD} letters, digits, -, _ and . with a letter or digit at \
             both ends{}",
            quote(value),
            such_as(value)
        );
        Problem::new(Code::Metadata, &field, &text)
    });
    of_key.into_iter().chain(of_value)
}

/// What is wrong with the name of an annotation, whose case counts for nothing.
pub fn annotation(key: &str) -> Option<Problem> {
    if is_qualified_name(key) {
        return None;
    }
    // As Go has it: a dotted capital I is an i there, without the dot.
    let lower: String = key.chars().filter_map(|c| c.to_lowercase().next()).collect();
    (!is_qualified_name(&lower)).then(|| no_key("metadata.annotations", key))
}

/// What is wrong with how much the annotations hold, in bytes of all names and values.
pub fn annotations(size: usize) -> Option<Problem> {
    let text = format!(
        "have {size} bytes in all, and {LARGEST_ANNOTATIONS} are the most; leave some out, or write less into them"
    );
    (size > LARGEST_ANNOTATIONS).then(|| Problem::new(Code::Metadata, "metadata.annotations", &text))
}

/// What is wrong with a finalizer.
pub fn finalizer(name: &str) -> Option<Problem> {
    (!is_qualified_name(name)).then(|| no_key("metadata.finalizers", name))
}

/// Which of two finalizers it is that say opposite things; an object with both is refused.
pub fn opposite(finalizer: &str) -> Option<usize> {
    OPPOSITES.iter().position(|opposite| *opposite == finalizer)
}

/// That both are there.
pub fn opposites() -> Problem {
    let [one, other] = OPPOSITES;
    let text = format!("have {one} and {other}, which say opposite things; leave one of them out");
    Problem::new(Code::Metadata, "metadata.finalizers", &text)
}

/// What is wrong with an owner.
pub fn owner(owner: &Owner<'_>) -> Option<Problem> {
    let Owner { api_version, kind, name, uid } = *owner;
    let has_version = match api_version.split_once('/') {
        Some((_, version)) => !version.is_empty() && !version.contains('/'),
        None => !api_version.is_empty(),
    };
    let fields = [
        ("apiVersion", has_version),
        ("kind", !kind.is_empty()),
        ("name", !name.is_empty()),
        ("uid", !uid.is_empty()),
    ];
    let missing: Vec<&str> =
        fields.iter().filter(|(_, is_there)| !is_there).map(|(field, _)| *field).collect();
    let text = if !missing.is_empty() {
        let missing = missing.join(", ");
        format!(
            "have an entry {} without a right {missing}; write apiVersion, kind, name and uid of the owner, or leave it out",
            quote(name)
        )
    } else if (api_version, kind) == ("v1", "Event") {
        format!("have the Event {}, which can own nothing; leave it out", quote(name))
    } else {
        return None;
    };
    Some(Problem::new(Code::Metadata, "metadata.ownerReferences", &text))
}

/// That more than one owner is the controller.
pub fn controllers() -> Problem {
    let text = "have more than one entry with controller: true; leave it in one of them";
    Problem::new(Code::Metadata, "metadata.ownerReferences", text)
}

fn no_key(field: &str, key: &str) -> Problem {
    let text = format!("{} is not a name that Kubernetes takes here; {KEY}", quote(key));
    Problem::new(Code::Metadata, field, &text)
}

/// What was probably meant, if anything of it can stand in a label.
fn such_as(value: &str) -> String {
    let is_in = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let is_at_end = |c: char| !c.is_ascii_alphanumeric();
    let words: String = value.chars().take(LONGEST_WORD).map(|c| if is_in(c) { c } else { '-' }).collect();
    let meant = words.trim_matches(is_at_end);
    if meant.is_empty() || triggers_tool(meant) {
        String::new()
    } else {
        format!(", such as {}", quote(meant))
    }
}

/// A word, with a domain and a slash in front of it, if anything.
fn is_qualified_name(key: &str) -> bool {
    match key.split_once('/') {
        Some((domain, name)) => is_subdomain(domain) && is_word(name),
        None => is_word(key),
    }
}

fn is_word(text: &str) -> bool {
    let is_inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let is_end = |c: char| c.is_ascii_alphanumeric();
    text.len() <= LONGEST_WORD
        && text.starts_with(is_end)
        && text.ends_with(is_end)
        && text.chars().all(is_inside)
}

/// A DNS subdomain.
/// <https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names>
pub(crate) fn is_subdomain(text: &str) -> bool {
    text.len() <= LONGEST_SUBDOMAIN && text.split('.').all(is_subdomain_part)
}

fn is_subdomain_part(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.starts_with(is_plain) && text.ends_with(is_plain) && text.chars().all(|c| is_plain(c) || c == '-')
}

#[cfg(test)]
mod tests;
