//! What can be refused on a `Database`: a file for each field, a small function for each rule.
//!
//! A rule looks at the filled-in spec. On an update it judges only what the request changes: a policy that
//! became stricter never stands in the way of a database that was fine when it was made.

mod create_only;
pub mod names;
mod not_available;
mod sku;
mod storage;
mod version;

use api::DatabaseSpec;
use jiff::civil::Date;

use crate::{Code, Denial, Policy, Problem, defaults, document::Profile, quote::quote, resolve::Recorded};

/// Name of the policy ConfigMap where no other is given.
pub const POLICY_NAME: &str = "database-policy";

/// A `Database` that is to be judged.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Name of the policy ConfigMap, for messages.
    pub policy_name: &'a str,
    pub namespace: &'a str,
    pub name: &'a str,
    pub new: &'a DatabaseSpec,
    /// The stored spec; `None` on creation.
    pub old: Option<&'a DatabaseSpec>,
    /// The current day in UTC: support of versions ends on a day.
    pub today: Date,
}

/// What a rule sees.
struct Context<'a> {
    request: &'a Request<'a>,
    profile: &'a Profile,
    /// The wanted spec, filled in.
    new: &'a DatabaseSpec,
    /// The stored spec, filled in.
    old: Option<&'a DatabaseSpec>,
    /// What runs; `None` before Azure has made the server.
    recorded: Option<&'a Recorded>,
}

impl Context<'_> {
    /// Whether the request changes this; everything is new on creation.
    fn changed<T: PartialEq>(&self, value: impl Fn(&DatabaseSpec) -> T) -> bool {
        self.old.is_none_or(|old| value(old) != value(self.new))
    }
}

/// Every rule, in the order of the fields.
const RULES: &[fn(&Context<'_>) -> Option<Problem>] = &[
    names::object_name,
    version::missing,
    version::known,
    version::supported,
    version::allowed,
    version::upward,
    sku::missing,
    sku::known,
    sku::allowed,
    storage::missing,
    storage::size,
    storage::limit,
    storage::growing,
    names::database_name_shape,
    create_only::database_name,
    not_available::fields,
];

impl Policy {
    /// Judges a `Database` that is created or changed; `None` admits it.
    pub fn judge(&self, request: &Request<'_>, recorded: Option<&Recorded>) -> Option<Denial> {
        let Some(profile) = self.profile(request.namespace) else {
            return Some(Self::no_profile(request));
        };
        let new = defaults::fill(request.new, request.old, recorded, profile, &[]).spec;
        let old = request.old.map(|old| defaults::fill(old, None, recorded, profile, &[]).spec);
        let context = Context { request, profile, new: &new, old: old.as_ref(), recorded };
        let problems: Vec<Problem> = RULES.iter().filter_map(|rule| rule(&context)).collect();
        (!problems.is_empty()).then(|| Denial {
            problems,
            policy: request.policy_name.to_owned(),
            profile: Some(profile.name.clone()),
        })
    }

    pub(crate) fn no_profile(request: &Request<'_>) -> Denial {
        let text = format!(
            "{} is matched by no profile of the policy, so no database is allowed in it; \
             ask the platform team to add one",
            quote(request.namespace)
        );
        Denial {
            problems: vec![Problem::new(Code::PolicyNoProfile, "metadata.namespace", &text)],
            policy: request.policy_name.to_owned(),
            profile: None,
        }
    }
}

/// The denial for a field that neither spec nor policy gives. Rules refuse it earlier; this keeps
/// `resolve` free of panics.
pub(crate) fn missing(policy: &Policy, request: &Request<'_>, field: &str) -> Denial {
    Denial {
        problems: vec![Problem::new(
            Code::Missing,
            &format!("spec.{field}"),
            "is missing, and the policy has no default for it",
        )],
        policy: request.policy_name.to_owned(),
        profile: policy.profile(request.namespace).map(|profile| profile.name.clone()),
    }
}

#[cfg(test)]
mod tests;
