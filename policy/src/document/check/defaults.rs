//! Defaults: each must be something that a `Database` could write, by the same rules.

use api::DatabaseSpec;

use super::Findings;
use crate::{
    Code, Problem,
    document::{Policy, Profile, raw},
    field::{self, Value},
    rules::{ASK, Ground},
};

/// What a profile fills in, as a spec.
pub(super) fn spec(raw: &raw::Defaults) -> DatabaseSpec {
    let mut spec = DatabaseSpec::default();
    for (_, value) in field::values() {
        (value.default)(raw, &mut spec);
    }
    spec
}

/// Judges the defaults of a profile by the rules for a `Database`.
pub(super) fn check_defaults(
    raw: &raw::Defaults,
    profile: &Profile,
    policy: &Policy,
    path: &str,
    findings: &mut Findings,
) {
    for (ground, Problem { field, text, .. }) in policy.judge_defaults(profile) {
        let text = text.strip_prefix(&field).unwrap_or(&text).trim_start();
        let (code, text) = match ground {
            Ground::Own => continue,
            Ground::Exists => (Code::PolicyUnknownValue, text.to_owned()),
            Ground::Fits => (Code::PolicyDefaultRefused, text.to_owned()),
            Ground::Allowed(rule) => {
                // Who reads this is the platform team.
                let text = text.strip_suffix(ASK).map_or_else(|| format!("{text}, or "), ToOwned::to_owned);
                let own = format!("change the profile's own allow.{}, which refuses it", rule.key());
                (Code::PolicyDefaultRefused, text + &own)
            }
        };
        let field = field.strip_prefix("spec.").unwrap_or(&field);
        findings.add(line(raw, field), &format!("{path}.defaults.{field}"), code, text);
    }
}

/// Where the default is written; of one that is left out, another that makes it what it is.
fn line(raw: &raw::Defaults, path: &str) -> u64 {
    let of = |value: &Value| (value.default)(raw, &mut DatabaseSpec::default());
    let Some((field, value)) = field::value_at(path) else { return 0 };
    let others = || field.judged_by.iter().filter_map(|by| of(field::value_at(by)?.1));
    of(value).or_else(|| others().next()).unwrap_or(0)
}
