//! The policy: what platform engineers write into the ConfigMap.
//!
//! [`raw`] is the YAML as it is written, [`check`] finds what can't work in it, and [`Policy`] is what
//! remains: a policy that holds.

mod check;
mod enforcement;
mod limits;
mod located;
mod namespaces;
mod profile;
mod raw;
mod recovery;

use std::{collections::BTreeMap, fmt::Write};

use jiff::civil::Date;
use serde_path_to_error::Segment;
use sha2::{Digest, Sha256};

pub use enforcement::{Exception, Level, Rule};
pub use limits::{LARGEST, NODES};
pub use located::Located;
pub use namespaces::{Labels, Namespace, NoProfile};
pub use profile::{Allow, Patterns, Profile};
pub use raw::{Azure, Destroy, Document, Firewall, Network, Private, WorkloadIdentity};
pub use recovery::Recovery;

use crate::{
    Code, Problem, catalogue,
    message::and_more,
    quote::{clean, quote},
    suggest::{alternatives, did_you_mean},
};
use namespaces::Namespaces;

/// As many other keys of the ConfigMap are named.
const SHOWN: usize = 8;

/// Key of the ConfigMap that holds the policy.
pub const KEY: &str = "policy.yaml";

/// A policy that holds: every name in it exists, and every default is allowed.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Short hash of the document.
    pub revision: String,
    pub azure: Azure,
    profiles: Vec<Profile>,
    /// By namespace and name of their database, and as written for each.
    exceptions: Vec<Exception>,
    pub(crate) recoveries: Vec<Recovery>,
}

impl Policy {
    /// Reads a policy. All mistakes are reported at once, each with its line.
    pub fn parse(yaml: &str) -> Result<Self, PolicyErrors> {
        if yaml.len() > LARGEST {
            let text =
                format!("has more than {LARGEST} bytes, which are the most; leave comments and examples out");
            let code = Code::PolicyUnreadable;
            return Err(PolicyErrors(vec![PolicyError { line: 0, path: String::new(), code, text }]));
        }
        if let Some(error) = PolicyError::of_control_characters(yaml) {
            return Err(PolicyErrors(vec![error]));
        }
        let document = read(yaml).map_err(|error| PolicyErrors(vec![error]))?;
        let mut policy = check::check(document)?;
        policy.revision = revision(yaml);
        Ok(policy)
    }

    /// Reads a policy from the data of its ConfigMap.
    pub fn from_config_map(data: Option<&BTreeMap<String, String>>) -> Result<Self, PolicyErrors> {
        let yaml = data.and_then(|data| data.get(KEY)).ok_or_else(|| {
            let all = data.map_or(0, BTreeMap::len);
            let keys: Vec<String> =
                data.into_iter().flatten().take(SHOWN).map(|(key, _)| clean(key)).collect();
            let found = if keys.is_empty() {
                "it is empty".to_owned()
            } else {
                format!("it has {}{}", keys.join(", "), and_more(all.saturating_sub(SHOWN)))
            };
            let text = format!("the ConfigMap has no key {KEY} ({found}); put the policy there");
            PolicyErrors(vec![PolicyError { line: 0, path: String::new(), code: Code::PolicyMissing, text }])
        })?;
        Self::parse(yaml)
    }

    /// The first profile that matches the namespace.
    pub fn profile(&self, namespace: Namespace<'_>) -> Result<&Profile, NoProfile> {
        for profile in &self.profiles {
            match profile.namespaces.matches(namespace) {
                Some(true) => return Ok(profile),
                Some(false) => {}
                None => return Err(NoProfile::LabelsUnknown),
            }
        }
        Err(NoProfile::NoMatch)
    }

    /// The profile of this name.
    pub fn profile_named(&self, name: &str) -> Option<&Profile> {
        self.profiles.iter().find(|profile| profile.name == name)
    }

    /// Whether a profile can depend on more of a namespace than its name.
    pub fn looks_at_labels(&self) -> bool {
        self.profiles.iter().any(|profile| !profile.namespaces.labels.is_empty())
    }

    /// Whether a profile limits how many databases a namespace has.
    pub fn has_quotas(&self) -> bool {
        self.profiles.iter().any(|profile| profile.allow.databases_per_namespace.is_some())
    }

    /// The exception that lets this database pass this rule on this day.
    pub fn exception(&self, namespace: &str, name: &str, rule: Rule, today: Date) -> Option<&Exception> {
        let of = |exception: &Exception| {
            (exception.namespace.as_str(), exception.name.as_str()).cmp(&(namespace, name))
        };
        let first = self.exceptions.partition_point(|exception| of(exception).is_lt());
        let mut own = self.exceptions[first..].iter().take_while(|exception| of(exception).is_eq());
        own.find(|exception| exception.covers(namespace, name, rule, today))
    }

    /// Profiles whose default version nobody can have any more, with that version.
    pub fn outdated_defaults(
        &self,
        today: Date,
    ) -> impl Iterator<Item = (&str, &'static catalogue::Version)> {
        self.profiles.iter().filter_map(move |profile| {
            let version = profile.defaults.version.as_ref().and_then(api::version::major)?;
            let version = catalogue::version(version)?;
            (version.end_of_support <= today).then_some((profile.name.as_str(), version))
        })
    }

    /// Exceptions whose last day has passed.
    pub fn expired_exceptions(&self, today: Date) -> impl Iterator<Item = &Exception> {
        self.exceptions.iter().filter(move |exception| today > exception.until)
    }

    /// Recoveries whose last day has passed.
    pub fn expired_recoveries(&self, today: Date) -> impl Iterator<Item = &Recovery> {
        self.recoveries.iter().filter(move |recovery| today > recovery.until)
    }
}

/// Reads the YAML; of a mistake in it, where it is.
fn read(yaml: &str) -> Result<Document, PolicyError> {
    let mut path = String::new();
    serde_saphyr::with_deserializer_from_str_with_options(yaml, options(), |deserializer| {
        serde_path_to_error::deserialize(deserializer).map_err(|error| {
            path = shown(error.path());
            error.into_inner()
        })
    })
    .map_err(|error| PolicyError::from_yaml(&error, path))
}

/// What an alias repeats counts like what is written.
fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_nodes: NODES,
            max_events: 2 * NODES,
            max_aliases: NODES,
            max_anchors: NODES,
            max_recorded_anchor_events: NODES,
            max_recorded_anchor_bytes: LARGEST,
            max_total_scalar_bytes: LARGEST,
            max_merge_keys: limits::PROFILES,
            max_depth: limits::DEPTH,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: NODES,
            max_replay_stack_depth: limits::DEPTH,
        },
    }
}

/// `profiles[0].allow.skus[1]`: without the steps that reading a line's number takes.
fn shown(path: &serde_path_to_error::Path) -> String {
    let mut shown = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => {
                let _ = write!(shown, "[{index}]");
            }
            Segment::Map { key } if key != Located::<()>::STEP => {
                let dot = if shown.is_empty() { "" } else { "." };
                let _ = write!(shown, "{dot}{}", clean(key));
            }
            _ => {}
        }
    }
    shown
}

/// First twelve hexadecimal digits of the document's SHA-256: short enough to read, and enough to tell
/// two revisions apart.
fn revision(yaml: &str) -> String {
    let digest = format!("{:x}", Sha256::digest(yaml.as_bytes()));
    digest[..12].to_owned()
}

/// A mistake in the policy.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PolicyError {
    /// Line of the document, from 1; 0 when it belongs to no line.
    pub line: u64,
    /// Where in the document, e.g. `profiles[0].allow.skus[1]`; empty when the YAML can't be read.
    pub path: String,
    pub code: Code,
    /// What is wrong and what to write instead.
    pub text: String,
}

impl std::fmt::Display for PolicyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} [{}]", self.without_code(), self.code)
    }
}

impl PolicyError {
    /// Line, path and text, for a message that puts the code elsewhere.
    pub(crate) fn without_code(&self) -> String {
        let line = if self.line > 0 { format!("line {}: ", self.line) } else { String::new() };
        let path = if self.path.is_empty() { String::new() } else { format!("{} ", self.path) };
        format!("{line}{path}{}", self.text)
    }

    /// YAML has none but tab and line ends (<https://yaml.org/spec/1.2.2/#51-character-set>). The parser looks for
    /// them late, after seconds with some documents, and shows them in its message.
    fn of_control_characters(yaml: &str) -> Option<Self> {
        let (line, found) = yaml.split('\n').zip(1..).find_map(|(text, line)| {
            let is_wrong = |c: &char| c.is_control() && !matches!(c, '\t' | '\r' | '\u{85}');
            text.chars().find(is_wrong).map(|found| (line, found))
        })?;
        let text = format!(
            "has the control character U+{:04X}, which YAML can't hold; delete it, or write it as an escape in double quotes",
            u32::from(found)
        );
        Some(Self { line, path: String::new(), code: Code::PolicyUnreadable, text })
    }

    fn from_yaml(error: &serde_saphyr::Error, path: String) -> Self {
        use serde_saphyr::Error;

        let mut error = error.without_snippet();
        let line = error.location().map_or(0, |location| location.line());
        // What an alias repeats is told like what is written.
        while let Error::AliasError { error: repeated, .. } = error {
            error = repeated;
        }
        let (code, text) = match error {
            Error::SerdeUnknownField { field, expected, .. } => {
                let meant = did_you_mean(field, expected.iter().copied())
                    .map(|meant| format!("did you mean {meant}? "))
                    .unwrap_or_default();
                // The path ends with the key.
                let text = format!("is no key that is known; {meant}known here: {}", expected.join(", "));
                (Code::PolicyUnknownKey, text)
            }
            Error::SerdeUnknownVariant { variant, expected, .. } => {
                let meant = did_you_mean(variant, expected.iter().copied())
                    .map(|meant| format!("did you mean {meant}? "))
                    .unwrap_or_default();
                let text =
                    format!("{} is not known here; {meant}use {}", quote(variant), alternatives(expected));
                (Code::PolicyUnknownValue, text)
            }
            Error::SerdeMissingField { field, .. } => {
                let text = format!("needs the key {field}, which is missing");
                (Code::PolicyUnreadable, if path.is_empty() { format!("the policy {text}") } else { text })
            }
            Error::Budget { .. }
            | Error::AliasReplayLimitExceeded { .. }
            | Error::AliasReplayStackDepthExceeded { .. } => {
                let text = format!(
                    "the policy holds more than is read: {NODES} keys and values, {} levels deep, at the most; write fewer, \
                     and what is the same in several profiles once",
                    limits::DEPTH
                );
                return Self { line, path: String::new(), code: Code::PolicyUnreadable, text };
            }
            other => {
                // The library's text can span lines and repeat the place; ours is one line with the place first.
                let text = other.render_with_options(serde_saphyr::RenderOptions::default());
                let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
                let first = first.split(" at line ").next().unwrap_or_default();
                let first = first
                    .replace("invalid u16", "expected a whole number")
                    .replace("invalid i32", "expected a whole number");
                let text = match first.strip_prefix("expected ").filter(|_| !path.is_empty()) {
                    Some("mapping start") => "must be keys with values".to_owned(),
                    Some("string scalar") => "must be text".to_owned(),
                    Some("sequence start") => "must be a list".to_owned(),
                    Some(wanted) => format!("must be {wanted}"),
                    None if path.is_empty() => first,
                    None => format!("can't be read: {first}"),
                };
                (Code::PolicyUnreadable, text)
            }
        };
        Self { line, path, code, text }
    }
}

/// Everything that is wrong with a policy; at least one mistake.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub struct PolicyErrors(pub Vec<PolicyError>);

impl PolicyErrors {
    /// The same for a denial: who wrote the policy reads it in the words of every other refusal.
    pub fn to_problems(&self) -> Vec<Problem> {
        let problem = |error: &PolicyError| {
            // A parser's own words can hold what the policy's author wrote.
            let text = format!("{KEY}, {}", clean(&error.without_code()));
            Problem { code: error.code, field: error.path.clone(), text }
        };
        self.0.iter().map(problem).collect()
    }
}

impl std::fmt::Display for PolicyErrors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
