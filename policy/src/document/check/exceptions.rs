//! Exceptions: which database, from which rules, until when, and why.

use super::{Findings, profile::meant};
use crate::{
    Code, day,
    document::{Exception, Rule, raw},
    quote::{quote, sets_off},
    suggest::alternatives,
};

/// Long enough for a sentence and a ticket; it stands in the API server's audit log.
const LONGEST_REASON: usize = 200;

pub(super) fn check_exceptions(raw: &[raw::Exception], findings: &mut Findings) -> Vec<Exception> {
    let check = |(index, raw): (usize, &raw::Exception)| {
        check_exception(raw, &format!("exceptions[{index}]"), findings)
    };
    raw.iter().enumerate().filter_map(check).collect()
}

fn check_exception(raw: &raw::Exception, path: &str, findings: &mut Findings) -> Option<Exception> {
    let database = raw.database.value.split_once('/').filter(|(namespace, name)| {
        [namespace, name].iter().all(|part| {
            !part.is_empty()
                && part.len() <= 63
                && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        })
    });
    if database.is_none() {
        let text = format!(
            "{} is no database; write <namespace>/<name>, such as orders/main",
            quote(&raw.database.value)
        );
        findings.add(raw.database.line, &format!("{path}.database"), Code::PolicyMalformed, text);
    }
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
    let until = day::parse(&raw.until.value);
    if until.is_none() {
        let text = format!("{} is no day; write its last day as 2027-01-31", quote(&raw.until.value));
        findings.add(raw.until.line, &format!("{path}.until"), Code::PolicyMalformed, text);
    }
    let reason = raw.reason.value.trim();
    if reason.is_empty() || reason.chars().count() > LONGEST_REASON || sets_off(reason) {
        let text = format!(
            "{} must be one line of 1 to {LONGEST_REASON} characters that says why; people read it in the audit log",
            quote(reason)
        );
        findings.add(raw.reason.line, &format!("{path}.reason"), Code::PolicyMalformed, text);
    }
    let (namespace, name) = database?;
    Some(Exception {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        rules: raw.rules.value.iter().filter_map(|rule| Rule::parse(&rule.value)).collect(),
        until: until?,
        reason: reason.to_owned(),
    })
}
