//! Finds what can't work in a policy: names that don't exist, defaults that their own `allow` refuses,
//! profiles that never match. All mistakes are reported, not the first alone.

mod azure;
mod catalogue;
mod copies;
mod defaults;
mod exceptions;
mod offered;
mod profile;
mod recoveries;

use std::borrow::Cow;

use jiff::civil::Date;

use super::{
    Document, Located, Policy, PolicyError, PolicyErrors, Profile,
    limits::{FINDINGS, NAMES, PATTERNS, PROFILES},
    raw,
};
use crate::{
    Code,
    catalogue::Catalogue,
    day,
    quote::{quote, triggers_tool},
};

/// The mistakes found so far: the first ones, and how many there are besides.
#[derive(Default)]
struct Findings {
    shown: Vec<PolicyError>,
    more: usize,
}

impl Findings {
    fn add(&mut self, line: u64, path: &str, code: Code, text: String) {
        self.add_with(line, path, code, || text);
    }

    /// The same where finding the words takes long: they are looked for as long as they are shown.
    fn add_with(&mut self, line: u64, path: &str, code: Code, text: impl FnOnce() -> String) {
        if self.shown.len() < FINDINGS {
            self.shown.push(PolicyError { line, path: path.to_owned(), code, text: text() });
        } else {
            self.more += 1;
        }
    }

    /// Whether there are more than a list, or a map, may have.
    fn too_many(&mut self, line: u64, path: &str, found: usize, most: usize, what: &str) -> bool {
        if found > most {
            let text = format!("has {found} {what}, and {most} are the most; write fewer");
            self.add(line, path, Code::PolicyMalformed, text);
        }
        found > most
    }

    fn is_empty(&self) -> bool {
        self.shown.is_empty()
    }

    /// What is found from now on is counted alone.
    fn is_full(&self) -> bool {
        self.shown.len() == FINDINGS
    }

    fn into_errors(mut self) -> PolicyErrors {
        if let (1.., Some(last)) = (self.more, self.shown.last()) {
            let text = format!("{} more mistakes are shown when these are corrected", self.more);
            self.shown.push(PolicyError { line: 0, path: String::new(), code: last.code, text });
        }
        PolicyErrors(self.shown)
    }
}

pub(super) fn check(document: Document) -> Result<Policy, PolicyErrors> {
    let mut findings = Findings::default();
    azure::check_azure(&document.azure, &mut findings);
    let catalogue = catalogue::check_catalogue(&document.catalogue, &mut findings);
    let catalogue = catalogue.map_or_else(|| Cow::Borrowed(Catalogue::known()), Cow::Owned);
    // Its defaults are judged by what there is of it.
    let mut policy = Policy {
        revision: String::new(),
        azure: document.azure,
        profiles: Vec::new(),
        exceptions: Vec::new(),
        recoveries: Vec::new(),
        copies: Vec::new(),
        catalogue,
    };
    if document.profiles.value.is_empty() {
        let text = "is empty, so no database is allowed anywhere; write at least one profile".into();
        findings.add(document.profiles.line, "profiles", Code::PolicyMalformed, text);
    }
    let line = document.profiles.line;
    let raw = document.profiles.value;
    // Each is compared with those before it.
    let are_compared = !findings.too_many(line, "profiles", raw.len(), PROFILES, "profiles")
        && !has_too_many_names(&raw, line, &mut findings);
    let mut profiles: Vec<Profile> = Vec::new();
    for (index, raw) in raw.into_iter().enumerate() {
        let path = format!("profiles[{index}]");
        let line = raw.name.line;
        let profile = profile::check_profile(raw, &path, &policy, &mut findings);
        if are_compared && !findings.is_full() {
            check_earlier(&profiles, &profile, line, &path, &mut findings);
        }
        profiles.push(profile);
    }
    let mut exceptions = exceptions::check_exceptions(&document.exceptions, &mut findings);
    // Stable: of several for one database the first one counts.
    exceptions.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    let recoveries = recoveries::check_recoveries(&document.recoveries, &mut findings);
    let copies = copies::check_copies(&document.copies, &mut findings);
    if findings.is_empty() {
        (policy.profiles, policy.exceptions) = (profiles, exceptions);
        (policy.recoveries, policy.copies) = (recoveries, copies);
        Ok(policy)
    } else {
        Err(findings.into_errors())
    }
}

/// Names of namespaces in all profiles together.
fn has_too_many_names(profiles: &[raw::Profile], line: u64, findings: &mut Findings) -> bool {
    let lists = profiles.iter().filter_map(|profile| profile.namespaces.as_ref()?.names.as_ref());
    let (patterns, names): (Vec<_>, Vec<_>) =
        lists.flat_map(|names| &names.value).partition(|name| name.value.contains(['*', '?']));
    let many = [
        findings.too_many(line, "profiles", names.len(), NAMES, "names of namespaces"),
        findings.too_many(line, "profiles", patterns.len(), PATTERNS, "names of namespaces with * or ?"),
    ];
    many.contains(&true)
}

/// What a profile must not have in common with those before it.
fn check_earlier(earlier: &[Profile], profile: &Profile, line: u64, path: &str, findings: &mut Findings) {
    if let Some(earlier) = earlier.iter().find(|earlier| earlier.namespaces.covers(&profile.namespaces)) {
        let text = format!(
            "({}) can never match: {} stands before it and takes every namespace of it; put the narrower one first",
            profile.name, earlier.name
        );
        findings.add(line, path, Code::PolicyNeverMatches, text);
    }
    if earlier.iter().any(|earlier| earlier.name == profile.name) {
        let text = format!(
            "{} is the name of an earlier profile; in messages, each profile needs a name of its own",
            quote(&profile.name)
        );
        findings.add(line, &format!("{path}.name"), Code::PolicyMalformed, text);
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
    let database = api::DatabaseRef::parse(&written.value);
    if database.is_none() {
        let text = format!(
            "{} is not a database; write <namespace>/<name>, such as orders/main",
            quote(&written.value)
        );
        findings.add(written.line, path, Code::PolicyMalformed, text);
    }
    database.map(|database| (database.namespace.to_owned(), database.name.to_owned()))
}

/// The last day of what is granted for a while.
fn last_day(findings: &mut Findings, path: &str, written: &Located<String>) -> Option<Date> {
    let until = day::parse(&written.value);
    if until.is_none() {
        let text = format!("{} is not a day; write the last day as 2027-01-31", quote(&written.value));
        findings.add(written.line, path, Code::PolicyMalformed, text);
    }
    until
}

/// Long enough for a sentence and a ticket; it stands in the API server's audit log.
const LONGEST_REASON: usize = 200;

/// Why it is granted.
fn reason(findings: &mut Findings, path: &str, written: &Located<String>) -> String {
    let reason = written.value.trim();
    if reason.is_empty() || reason.chars().count() > LONGEST_REASON || triggers_tool(reason) {
        let text = format!(
            "{} must be one line of 1 to {LONGEST_REASON} characters that says why; people read it in the audit log",
            quote(reason)
        );
        findings.add(written.line, path, Code::PolicyMalformed, text);
    }
    reason.to_owned()
}
