//! The rules that a platform makes, by name: how strictly each is taken, and who need not keep it for a while.

use jiff::civil::Date;

use super::raw;
pub use raw::Level;

/// A rule that the platform makes: a key of `allow`. What Azure or PostgreSQL can't do is no rule of this kind, and
/// nothing lets it pass.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Rule {
    Skus,
    Versions,
    Storage,
    HighAvailability,
    Backup,
    Extensions,
    Parameters,
    Authentication,
    DatabasesPerNamespace,
}

impl Rule {
    /// Every rule, with its key.
    pub const ALL: &[(&str, Self)] = &[
        ("skus", Self::Skus),
        ("versions", Self::Versions),
        ("storage", Self::Storage),
        ("highAvailability", Self::HighAvailability),
        ("backup", Self::Backup),
        ("extensions", Self::Extensions),
        ("parameters", Self::Parameters),
        ("authentication", Self::Authentication),
        ("databasesPerNamespace", Self::DatabasesPerNamespace),
    ];

    /// Its key of `allow`.
    pub fn key(self) -> &'static str {
        Self::ALL.iter().find(|(_, known)| *known == self).map_or("", |(key, _)| key)
    }

    /// The rule of that key of `allow`.
    pub fn parse(key: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == key).map(|(_, rule)| *rule)
    }
}

impl raw::Enforcement {
    /// How strictly the rule is taken.
    pub fn level(&self, rule: Rule) -> Level {
        let level = match rule {
            Rule::Skus => self.skus,
            Rule::Versions => self.versions,
            Rule::Storage => self.storage,
            Rule::HighAvailability => self.high_availability,
            Rule::Backup => self.backup,
            Rule::Extensions => self.extensions,
            Rule::Parameters => self.parameters,
            Rule::Authentication => self.authentication,
            Rule::DatabasesPerNamespace => self.databases_per_namespace,
        };
        level.unwrap_or_default()
    }
}

/// A database that need not keep some rules until a day.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Exception {
    pub namespace: String,
    pub name: String,
    pub rules: Vec<Rule>,
    /// The last day in UTC.
    pub until: Date,
    pub reason: String,
}

impl Exception {
    /// Whether it lets this database pass this rule on this day.
    pub fn covers(&self, namespace: &str, name: &str, rule: Rule, today: Date) -> bool {
        self.namespace == namespace && self.name == name && self.rules.contains(&rule) && today <= self.until
    }
}
