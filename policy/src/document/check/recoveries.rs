//! Recoveries: which kept server may come back as which other database, until when, and why.

use super::{Findings, database, last_day, reason};
use crate::document::{Recovery, limits::GRANTS, raw};

pub(super) fn check_recoveries(raw: &[raw::Recovery], findings: &mut Findings) -> Vec<Recovery> {
    let line = raw.first().map_or(0, |recovery| recovery.from.line);
    findings.too_many(line, "recoveries", raw.len(), GRANTS, "recoveries");
    let check = |(index, raw): (usize, &raw::Recovery)| {
        check_recovery(raw, &format!("recoveries[{index}]"), findings)
    };
    raw.iter().enumerate().filter_map(check).collect()
}

fn check_recovery(raw: &raw::Recovery, path: &str, findings: &mut Findings) -> Option<Recovery> {
    let from = database(findings, &format!("{path}.from"), &raw.from);
    let to = database(findings, &format!("{path}.to"), &raw.to);
    let until = last_day(findings, &format!("{path}.until"), &raw.until);
    let reason = reason(findings, &format!("{path}.reason"), &raw.reason);
    Some(Recovery { from: from?, to: to?, until: until?, reason })
}
