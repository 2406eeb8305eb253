//! The rules that a platform makes, by name: how strictly each is taken, and who need not keep it for a while.

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Deserialize;

/// What happens to a request that breaks a rule of the policy.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase")]
pub enum Level {
    /// It is refused.
    #[default]
    Enforce,
    /// It is admitted with a warning.
    Warn,
    /// It is admitted without a warning; status, metric and audit log show it.
    Audit,
}

/// The rules, a row for each: its name, and its key in `allow` as a field and as it is written.
macro_rules! rules {
    ($($rule:ident: $field:ident = $key:literal,)+) => {
        /// A rule that the platform makes: a key of `allow`. What Azure or PostgreSQL can't do is not a rule of this kind, and
        /// nothing lets it pass.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Rule {
            $($rule,)+
        }

        impl Rule {
            /// Every rule, with its key.
            pub const ALL: &[(&str, Self)] = &[$(($key, Self::$rule)),+];

            /// Its key of `allow`.
            pub fn key(self) -> &'static str {
                match self {
                    $(Self::$rule => $key,)+
                }
            }

            /// The rule of that key of `allow`.
            pub fn parse(key: &str) -> Option<Self> {
                Self::ALL.iter().find(|(known, _)| *known == key).map(|(_, rule)| *rule)
            }
        }

        /// How strictly each key of `allow` is taken: `enforce` (the default), `warn` or `audit`.
        #[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        #[allow(missing_docs, reason = "the keys are those of `allow`")]
        pub struct Enforcement {
            $(pub $field: Option<Level>,)+
        }

        impl Enforcement {
            /// How strictly the rule is taken.
            pub fn level(&self, rule: Rule) -> Level {
                let level = match rule {
                    $(Rule::$rule => self.$field,)+
                };
                level.unwrap_or_default()
            }
        }
    };
}

rules! {
    Skus: skus = "skus",
    Versions: versions = "versions",
    Storage: storage = "storage",
    HighAvailability: high_availability = "highAvailability",
    Backup: backup = "backup",
    Extensions: extensions = "extensions",
    Parameters: parameters = "parameters",
    Authentication: authentication = "authentication",
    DatabasesPerNamespace: databases_per_namespace = "databasesPerNamespace",
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
