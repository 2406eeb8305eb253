//! The policy: what platform engineers write into the ConfigMap.
//!
//! [`raw`] is the YAML as it is written, [`check`] finds what can't work in it, and [`Policy`] is what
//! remains: a policy that holds.

mod check;
mod copy;
mod enforcement;
mod limits;
mod located;
mod namespaces;
mod policy;
mod profile;
pub(crate) mod raw;
mod recovery;
mod words;

use std::{collections::BTreeMap, fmt::Write};

use serde_path_to_error::Segment;
use sha2::{Digest, Sha256};

pub use copy::{DataCopy, From as CopiedFrom};
pub use enforcement::{Exception, Level, Rule};
pub use limits::{LARGEST, NODES};
pub use located::Located;
pub use namespaces::{Labels, Namespace, NoProfile};
pub use policy::Policy;
pub use profile::{Allowed, Patterns, Profile};
pub use raw::{
    Administrator, AdministratorKind, Azure, BackupVault, Document, Firewall, Network, Private,
    WorkloadIdentity,
};
pub use recovery::Recovery;

use crate::{Code, Problem, message::and_more, quote::clean};
use namespaces::Namespaces;

/// As many other keys of the ConfigMap are named.
const SHOWN: usize = 8;

/// Key of the ConfigMap that holds the policy.
pub const KEY: &str = "policy.yaml";

/// Stands among the data of a ConfigMap for a policy that is in its `binaryData`: `kubectl create configmap` puts what is
/// no UTF-8, such as a file of UTF-16, there.
pub const KEY_OF_BYTES: &str = "policy.yaml in binaryData";

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
            if data.is_some_and(|data| data.contains_key(KEY_OF_BYTES)) {
                let text = format!(
                    "the ConfigMap has {KEY_OF_BYTES}, since the file was not UTF-8 when the ConfigMap was created; save it as UTF-8 \
                     and make the ConfigMap from it again"
                );
                let code = Code::PolicyUnreadable;
                return PolicyErrors(vec![PolicyError { line: 0, path: String::new(), code, text }]);
            }
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
    .map_err(|error| PolicyError::from_yaml(&error, yaml, path))
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

/// First twelve hexadecimal digits of the document's SHA-256: short enough to read, and enough to
/// distinguish two revisions.
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
        let what = match found {
            // What else has one is a file of two bytes for each character.
            '\0' => "save the file as UTF-8: it looks like UTF-16",
            _ => "delete it, or write it as an escape in double quotes",
        };
        let text =
            format!("has the control character U+{:04X}, which YAML can't hold; {what}", u32::from(found));
        Some(Self { line, path: String::new(), code: Code::PolicyUnreadable, text })
    }

    fn from_yaml(error: &serde_saphyr::Error, yaml: &str, path: String) -> Self {
        let line = error.location().map_or(0, |location| location.line());
        let (code, text) = words::describe(error, yaml, &path);
        let path = if words::is_of_all(error) { String::new() } else { path };
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
