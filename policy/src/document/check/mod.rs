//! Finds what can't work in a policy: names that don't exist, defaults that their own `allow` refuses,
//! profiles that never match. All mistakes are reported, not the first alone.

mod azure;
mod catalogue;
mod defaults;
mod exceptions;
mod profile;
mod recoveries;

use std::borrow::Cow;

use jiff::civil::Date;

use super::{Document, Located, Policy, PolicyError, PolicyErrors, Profile};
use crate::{
    Code,
    catalogue::Catalogue,
    day,
    quote::{quote, sets_off},
};

/// What defaults and rules are held against.
struct Place<'a> {
    /// Azure region.
    location: &'a str,
    catalogue: &'a Catalogue,
}

/// The mistakes found so far.
struct Findings(Vec<PolicyError>);

impl Findings {
    fn add(&mut self, line: u64, path: &str, code: Code, text: String) {
        self.0.push(PolicyError { line, path: path.to_owned(), code, text });
    }
}

pub(super) fn check(document: Document) -> Result<Policy, PolicyErrors> {
    let mut findings = Findings(Vec::new());
    azure::check_azure(&document.azure, &mut findings);
    let catalogue = catalogue::check_catalogue(&document.catalogue, &mut findings);
    let catalogue = catalogue.map_or_else(|| Cow::Borrowed(Catalogue::known()), Cow::Owned);
    let place = Place { location: &document.azure.location.value, catalogue: &catalogue };
    if document.profiles.value.is_empty() {
        let text = "is empty, so no database is allowed anywhere; write at least one profile".into();
        findings.add(document.profiles.line, "profiles", Code::PolicyMalformed, text);
    }
    let mut profiles: Vec<Profile> = Vec::new();
    for (index, raw) in document.profiles.value.into_iter().enumerate() {
        let path = format!("profiles[{index}]");
        let line = raw.name.line;
        let profile = profile::check_profile(raw, &path, &place, &mut findings);
        if let Some(earlier) = profiles.iter().find(|earlier| earlier.namespaces.covers(&profile.namespaces))
        {
            let text = format!(
                "({}) can never match: {} stands before it and takes every namespace of it; put the narrower one first",
                profile.name, earlier.name
            );
            findings.add(line, &path, Code::PolicyNeverMatches, text);
        }
        if profiles.iter().any(|earlier| earlier.name == profile.name) {
            let text = format!(
                "{} is the name of an earlier profile; names tell them apart in messages",
                quote(&profile.name)
            );
            findings.add(line, &format!("{path}.name"), Code::PolicyMalformed, text);
        }
        profiles.push(profile);
    }
    let exceptions = exceptions::check_exceptions(&document.exceptions, &mut findings);
    let recoveries = recoveries::check_recoveries(&document.recoveries, &mut findings);
    if findings.0.is_empty() {
        let (revision, azure) = (String::new(), document.azure);
        Ok(Policy { revision, azure, profiles, exceptions, recoveries, catalogue })
    } else {
        Err(PolicyErrors(findings.0))
    }
}

/// A name of limited length and characters.
fn shape(
    findings: &mut Findings,
    path: &str,
    written: &Located<String>,
    longest: usize,
    described: &str,
    takes: impl Fn(char) -> bool,
) {
    let value = &written.value;
    if value.is_empty() || value.chars().count() > longest || !value.chars().all(takes) {
        let text = format!("{} must be 1 to {longest} characters: {described}", quote(value));
        findings.add(written.line, path, Code::PolicyMalformed, text);
    }
}

/// A database, as `<namespace>/<name>`.
fn database(findings: &mut Findings, path: &str, written: &Located<String>) -> Option<(String, String)> {
    let database = crate::retained::owner(&written.value);
    if database.is_none() {
        let text = format!(
            "{} is no database; write <namespace>/<name>, such as orders/main",
            quote(&written.value)
        );
        findings.add(written.line, path, Code::PolicyMalformed, text);
    }
    database.map(|(namespace, name)| (namespace.to_owned(), name.to_owned()))
}

/// The last day of what is granted for a while.
fn last_day(findings: &mut Findings, path: &str, written: &Located<String>) -> Option<Date> {
    let until = day::parse(&written.value);
    if until.is_none() {
        let text = format!("{} is no day; write its last day as 2027-01-31", quote(&written.value));
        findings.add(written.line, path, Code::PolicyMalformed, text);
    }
    until
}

/// Long enough for a sentence and a ticket; it stands in the API server's audit log.
const LONGEST_REASON: usize = 200;

/// Why it is granted.
fn reason(findings: &mut Findings, path: &str, written: &Located<String>) -> String {
    let reason = written.value.trim();
    if reason.is_empty() || reason.chars().count() > LONGEST_REASON || sets_off(reason) {
        let text = format!(
            "{} must be one line of 1 to {LONGEST_REASON} characters that says why; people read it in the audit log",
            quote(reason)
        );
        findings.add(written.line, path, Code::PolicyMalformed, text);
    }
    reason.to_owned()
}
