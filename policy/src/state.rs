//! Which policy is in force. A broken one never replaces a good one.

use std::{collections::BTreeMap, sync::Arc};

use crate::{Code, Denial, Policy, Problem, document::PolicyErrors, message::and_more, quote::clean};

/// The policy ConfigMap as it stands.
#[derive(Clone, Debug, Default)]
pub enum PolicyState {
    /// There is no ConfigMap, and was no good one.
    #[default]
    Missing,
    /// It can't be used, and there was no good one before.
    Broken(Arc<PolicyErrors>),
    /// It holds.
    Good(Arc<Policy>),
    /// It was good, and is missing or broken now: the last good one stays in force.
    Stale { last_good: Arc<Policy>, because: Option<Arc<PolicyErrors>> },
}

impl PolicyState {
    /// The policy in force, if there is one.
    pub fn policy(&self) -> Option<&Arc<Policy>> {
        match self {
            Self::Good(policy) | Self::Stale { last_good: policy, .. } => Some(policy),
            Self::Missing | Self::Broken(_) => None,
        }
    }

    /// The state after the ConfigMap was written.
    #[must_use]
    pub fn applied(&self, data: Option<&BTreeMap<String, String>>) -> Self {
        match Policy::from_config_map(data) {
            Ok(policy) => Self::Good(Arc::new(policy)),
            Err(errors) => self.without(Some(Arc::new(errors))),
        }
    }

    /// The state after the ConfigMap was deleted.
    #[must_use]
    pub fn deleted(&self) -> Self {
        self.without(None)
    }

    fn without(&self, because: Option<Arc<PolicyErrors>>) -> Self {
        match (self.policy(), because) {
            (Some(last_good), because) => Self::Stale { last_good: last_good.clone(), because },
            (None, Some(errors)) => Self::Broken(errors),
            (None, None) => Self::Missing,
        }
    }

    /// What is wrong with the ConfigMap, for logs and events; `None` when it holds.
    pub fn trouble(&self, policy_name: &str) -> Option<String> {
        match self {
            Self::Good(_) => None,
            Self::Missing => Some(format!("the policy ConfigMap {policy_name} is missing")),
            Self::Broken(errors) => Some(format!("the policy ConfigMap {policy_name} is broken: {errors}")),
            Self::Stale { last_good, because } => {
                let why = because
                    .as_ref()
                    .map_or_else(|| "is missing".to_owned(), |errors| format!("is broken: {errors}"));
                Some(format!(
                    "the policy ConfigMap {policy_name} {why}; revision {} stays in force",
                    last_good.revision
                ))
            }
        }
    }

    /// The policy in force, or the denial of everything that needs one.
    pub fn require(&self, policy_name: &str) -> Result<&Arc<Policy>, Denial> {
        self.policy().ok_or_else(|| {
            let broken = match self {
                Self::Broken(errors) => errors.0.split_first(),
                _ => None,
            };
            let (code, text) = if let Some((first, rest)) = broken {
                let more = and_more(rest.len());
                // A parser's own words can hold what the policy's author wrote.
                let first_text = clean(&first.without_code());
                let text = format!(
                    "is broken, so no database can be created or changed; the platform team must mend it: \
                     {first_text}{more}"
                );
                (first.code, text)
            } else {
                let text =
                    "is missing, so no database can be created or changed; the platform team must create it";
                (Code::PolicyMissing, text.to_owned())
            };
            Denial {
                problems: vec![Problem::new(
                    code,
                    &format!("the policy ConfigMap {}", clean(policy_name)),
                    &text,
                )],
                policy: policy_name.to_owned(),
                profile: None,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::KEY;

    const GOOD: &str = include_str!("../../examples/policy.yaml");

    fn data(yaml: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(KEY.to_owned(), yaml.to_owned())])
    }

    fn revision(state: &PolicyState) -> Option<&str> {
        state.policy().map(|policy| policy.revision.as_str())
    }

    #[test]
    fn a_broken_or_deleted_policy_leaves_the_last_good_one_in_force() {
        let good = PolicyState::default().applied(Some(&data(GOOD)));
        for worse in [good.applied(Some(&data("azure: ["))), good.deleted(), good.applied(None)] {
            assert!(matches!(worse, PolicyState::Stale { .. }), "{worse:?}");
            assert_eq!(revision(&worse), revision(&good));
            assert!(worse.trouble("database-policy").unwrap().contains("stays in force"));
        }
    }

    #[test]
    fn a_good_policy_replaces_the_last_good_one() {
        let good = PolicyState::default().applied(Some(&data(GOOD)));
        let newer = good.deleted().applied(Some(&data(&GOOD.replace("prod-1", "prod-2"))));
        assert!(matches!(newer, PolicyState::Good(_)));
        assert_ne!(revision(&newer), revision(&good));
    }

    #[test]
    fn a_word_of_the_policy_that_sets_off_a_tool_reaches_no_app_team() {
        let yaml = GOOD.replacen("whenMissing: deny", "whenMissing: immutable", 1);
        let broken = PolicyState::default().applied(Some(&data(&yaml)));
        let message = broken.require("database-policy").unwrap_err().message();
        assert!(!message.contains("immutable"), "{message}");
        assert!(message.contains("[DB404]"), "{message}");
    }

    #[test]
    fn missing_and_broken_are_told_apart() {
        let missing = PolicyState::default().deleted();
        insta::assert_snapshot!(missing.require("database-policy").unwrap_err().message(), @"the policy ConfigMap database-policy is missing, so no database can be created or changed; the platform team must create it [DB401]. Policy database-policy.");
        let broken = missing.applied(Some(&data("azur: {}")));
        insta::assert_snapshot!(broken.require("database-policy").unwrap_err().message(), @r#"the policy ConfigMap database-policy is broken, so no database can be created or changed; the platform team must mend it: line 1: azur is not a known key; did you mean azure? known here: azure, catalogue, profiles, exceptions, recoveries, copies [DB403]. Policy database-policy."#);
    }
}
