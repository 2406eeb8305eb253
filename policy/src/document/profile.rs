//! The rules for some namespaces.

use std::collections::BTreeSet;

use api::{Authentication, DatabaseSpec, HighAvailability, StorageTier};
use wildmatch::WildMatch;

use super::{Namespaces, enforcement::Enforcement};
use crate::deleting::RetentionRules;

/// The rules for some namespaces.
#[derive(Clone, Debug)]
pub struct Profile {
    pub name: String,
    pub(super) namespaces: Namespaces,
    /// What is filled in when a field is left out.
    pub defaults: DatabaseSpec,
    pub allow: Allowed,
    pub retention: RetentionRules,
    pub enforcement: Enforcement,
    /// Age in days at which a password is replaced.
    pub rotate_after_days: Option<u16>,
    /// For how many hours a password goes on working that was replaced.
    pub overlap_hours: u16,
}

/// What may be written, as the rules ask it. `None` allows all that Azure offers. [`raw::Allow`](super::raw::Allow) is the
/// same as it stands in the ConfigMap, with the lines that messages name; here patterns are ready to be matched.
#[derive(Clone, Debug, Default)]
pub struct Allowed {
    pub skus: Option<Patterns>,
    pub versions: Option<Vec<u16>>,
    /// Largest disk in GiB.
    pub max_gib: Option<i32>,
    pub tiers: Option<Vec<StorageTier>>,
    pub high_availability: Option<Vec<HighAvailability>>,
    /// Fewest and most days that backups are kept.
    pub retention_days: (Option<i32>, Option<i32>),
    pub geo_redundant: Option<Vec<bool>>,
    /// Names of backup policies of the vault, and `None`.
    pub vault: Option<Vec<String>>,
    pub extensions: Option<Patterns>,
    pub parameters: Option<Patterns>,
    pub parameters_denied: Patterns,
    pub authentication: Option<Vec<Authentication>>,
    pub databases_per_namespace: Option<u32>,
}

impl Allowed {
    /// Whether the size may be used.
    pub fn sku(&self, name: &str) -> bool {
        self.skus.as_ref().is_none_or(|skus| skus.matches(name))
    }

    /// Whether the extension may be used.
    pub fn extension(&self, name: &str) -> bool {
        self.extensions.as_ref().is_none_or(|extensions| extensions.matches(name))
    }

    /// Whether the server parameter may be set.
    pub fn parameter(&self, name: &str) -> bool {
        self.parameters.as_ref().is_none_or(|parameters| parameters.matches(name))
            && !self.parameters_denied.matches(name)
    }
}

/// Patterns with `*` and `?`; upper and lower case are the same.
#[derive(Clone, Debug, Default)]
pub struct Patterns {
    exact: BTreeSet<String>,
    wild: Vec<WildMatch>,
}

impl Patterns {
    pub(super) fn new<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Self {
        let (wild, exact): (BTreeSet<String>, _) =
            patterns.into_iter().map(str::to_ascii_lowercase).partition(|name| name.contains(['*', '?']));
        Self { exact, wild: wild.iter().map(|pattern| WildMatch::new(pattern)).collect() }
    }

    /// Whether one of them matches.
    pub fn matches(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        self.exact.contains(&name) || self.wild.iter().any(|pattern| pattern.matches(&name))
    }
}
