//! Exceptions: which database, from which rules, until when, and why.

use super::{Findings, database, last_day, offered::meant, reason};
use crate::{
    Code,
    document::{
        Exception, Rule,
        limits::{GRANTS, ITEMS},
        raw,
    },
    quote::quote,
    suggest::alternatives,
};

pub(super) fn check_exceptions(raw: &[raw::Exception], findings: &mut Findings) -> Vec<Exception> {
    let line = raw.first().map_or(0, |exception| exception.database.line);
    findings.too_many(line, "exceptions", raw.len(), GRANTS, "exceptions");
    let check = |(index, raw): (usize, &raw::Exception)| {
        check_exception(raw, &format!("exceptions[{index}]"), findings)
    };
    raw.iter().enumerate().filter_map(check).collect()
}

fn check_exception(raw: &raw::Exception, path: &str, findings: &mut Findings) -> Option<Exception> {
    let database = database(findings, &format!("{path}.database"), &raw.database);
    let keys: Vec<&str> = Rule::ALL.iter().map(|(key, _)| *key).collect();
    if raw.rules.value.is_empty() {
        let text = format!("is empty, so nothing is excepted; write some of {}", keys.join(", "));
        findings.add(raw.rules.line, &format!("{path}.rules"), Code::PolicyMalformed, text);
    }
    findings.too_many(raw.rules.line, &format!("{path}.rules"), raw.rules.value.len(), ITEMS, "items");
    for (index, rule) in raw.rules.value.iter().enumerate() {
        if Rule::parse(&rule.value).is_none() {
            let text = || {
                let meant = meant(&rule.value, keys.iter().copied());
                format!("{} is not a rule{meant}; use {}", quote(&rule.value), alternatives(&keys))
            };
            findings.add_with(rule.line, &format!("{path}.rules[{index}]"), Code::PolicyUnknownValue, text);
        }
    }
    let until = last_day(findings, &format!("{path}.until"), &raw.until);
    let reason = reason(findings, &format!("{path}.reason"), &raw.reason);
    let (namespace, name) = database?;
    Some(Exception {
        namespace,
        name,
        rules: raw.rules.value.iter().filter_map(|rule| Rule::parse(&rule.value)).collect(),
        until: until?,
        reason,
    })
}
