//! Exceptions: which database, from which rules, until when, and why.

use super::{Findings, database, last_day, profile::meant, reason};
use crate::{
    Code,
    document::{Exception, Rule, raw},
    quote::quote,
    suggest::alternatives,
};

pub(super) fn check_exceptions(raw: &[raw::Exception], findings: &mut Findings) -> Vec<Exception> {
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
    for (index, rule) in raw.rules.value.iter().enumerate() {
        if Rule::parse(&rule.value).is_none() {
            let meant = meant(&rule.value, keys.iter().copied());
            let text = format!("{} is no rule{meant}; use {}", quote(&rule.value), alternatives(&keys));
            findings.add(rule.line, &format!("{path}.rules[{index}]"), Code::PolicyUnknownValue, text);
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
