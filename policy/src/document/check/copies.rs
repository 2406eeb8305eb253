//! Copies: which data a database of another namespace may begin with, until when, and why.

use super::{Findings, database, last_day, reason, server_of_id};
use crate::{
    Code,
    document::{
        Located,
        copy::{DataCopy, From},
        limits::GRANTS,
        raw,
    },
    quote::quote,
};

pub(super) fn check_copies(raw: &[raw::DataCopy], findings: &mut Findings) -> Vec<DataCopy> {
    let line = raw.first().map_or(0, |copy| copy.to.line);
    findings.too_many(line, "copies", raw.len(), GRANTS, "copies");
    let check =
        |(index, raw): (usize, &raw::DataCopy)| check_copy(raw, &format!("copies[{index}]"), findings);
    raw.iter().enumerate().filter_map(check).collect()
}

fn check_copy(raw: &raw::DataCopy, path: &str, findings: &mut Findings) -> Option<DataCopy> {
    let from = check_from(raw, path, findings);
    let to = check_to(&raw.to, &format!("{path}.to"), findings);
    let until = last_day(findings, &format!("{path}.until"), &raw.until);
    let reason = reason(findings, &format!("{path}.reason"), &raw.reason);
    Some(DataCopy { from: from?, to: to?, until: until?, reason })
}

fn check_from(raw: &raw::DataCopy, path: &str, findings: &mut Findings) -> Option<From> {
    match (&raw.from, &raw.from_server) {
        (Some(from), None) => {
            let (namespace, name) = database(findings, &format!("{path}.from"), from)?;
            Some(From::Database(namespace, name))
        }
        (None, Some(id)) if server_of_id(&id.value).is_some() => Some(From::Server(id.value.clone())),
        (None, Some(id)) => {
            let text = format!(
                "{} is not the resource id of a server; write it as /subscriptions/<id>/resourceGroups/<name>/providers/\
                 Microsoft.DBforPostgreSQL/flexibleServers/<name>",
                quote(&id.value)
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
