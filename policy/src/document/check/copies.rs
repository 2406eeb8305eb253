//! Copies: which data a database of another namespace may begin with, until when, and why.

use super::{Findings, azure::no_role, database, last_day, reason};
use crate::{
    Code,
    document::{
        Located,
        copy::{DataCopy, From},
        limits::GRANTS,
        raw,
    },
    quote::quote,
    resource_id,
};

/// As many roles of a server can be named.
const MOST_OWNERS: usize = 16;

pub(super) fn check_copies(raw: &[raw::DataCopy], findings: &mut Findings) -> Vec<DataCopy> {
    let line = raw.first().map_or(0, |copy| copy.to.line);
    findings.too_many(line, "copies", raw.len(), GRANTS, "copies");
    let check =
        |(index, raw): (usize, &raw::DataCopy)| check_copy(raw, &format!("copies[{index}]"), findings);
    raw.iter().enumerate().filter_map(check).collect()
}

fn check_copy(raw: &raw::DataCopy, path: &str, findings: &mut Findings) -> Option<DataCopy> {
    let from = check_from(raw, path, findings);
    let owners = check_owners(raw, path, findings);
    let to = check_to(&raw.to, &format!("{path}.to"), findings);
    let until = last_day(findings, &format!("{path}.until"), &raw.until);
    let reason = reason(findings, &format!("{path}.reason"), &raw.reason);
    Some(DataCopy { from: from?, owners, to: to?, until: until?, reason })
}

fn check_from(raw: &raw::DataCopy, path: &str, findings: &mut Findings) -> Option<From> {
    match (&raw.from, &raw.from_server) {
        (Some(from), None) => {
            let (namespace, name) = database(findings, &format!("{path}.from"), from)?;
            Some(From::Database(namespace, name))
        }
        (None, Some(id)) if resource_id::server(&id.value).is_some() => Some(From::Server(id.value.clone())),
        (None, Some(id)) => {
            let text = format!(
                "{} is not the resource id of a server; write it as {}",
                quote(&id.value),
                resource_id::SERVER
            );
            findings.add(id.line, &format!("{path}.fromServer"), Code::PolicyMalformed, text);
            None
        }
        _ => {
            let text = "must name whose data they are, by either from or fromServer".to_owned();
            findings.add(raw.to.line, path, Code::PolicyMalformed, text);
            None
        }
    }
}

fn check_owners(raw: &raw::DataCopy, path: &str, findings: &mut Findings) -> Vec<String> {
    for (index, owner) in raw.owners.iter().enumerate() {
        let path = format!("{path}.owners[{index}]");
        let why = if raw.from_server.is_none() {
            Some("is known of the data of a Database; leave owners out".to_owned())
        } else if index >= MOST_OWNERS {
            Some(format!("is more than the {MOST_OWNERS} that can be named; leave some out"))
        } else {
            no_role(&owner.value).map(|why| format!("{why}; write the name of a role of that server"))
        };
        if let Some(why) = why {
            findings.add(owner.line, &path, Code::PolicyMalformed, why);
            break;
        }
    }
    raw.owners.iter().map(|owner| owner.value.clone()).collect()
}

/// `<namespace>/<name>`, or `<namespace>/*`.
fn check_to(
    written: &Located<String>,
    path: &str,
    findings: &mut Findings,
) -> Option<(String, Option<String>)> {
    if let Some(namespace) = written.value.strip_suffix("/*")
        && api::DatabaseRef::parse(&format!("{namespace}/any")).is_some()
    {
        return Some((namespace.to_owned(), None));
    }
    database(findings, path, written).map(|(namespace, name)| (namespace, Some(name)))
}
