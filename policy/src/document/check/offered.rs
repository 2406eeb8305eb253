//! What Azure offers, and what may have been meant by a name that it doesn't.

use super::Findings;
use crate::{
    Code,
    catalogue::{BACKUP_DAYS, Catalogue},
    document::Located,
    suggest::{alternatives, did_you_mean},
};

/// Azure keeps backups for so many days.
pub(super) fn check_backup_days(days: &Located<i32>, path: &str, findings: &mut Findings) {
    if !BACKUP_DAYS.contains(&days.value) {
        let (min, max) = (BACKUP_DAYS.start(), BACKUP_DAYS.end());
        let text = format!("{} is outside of what Azure offers; use {min} to {max}", days.value);
        findings.add(days.line, path, Code::PolicyUnknownValue, text);
    }
}

pub(super) fn check_version(
    version: &Located<u16>,
    path: &str,
    catalogue: &Catalogue,
    findings: &mut Findings,
) {
    if catalogue.version(version.value).is_none() {
        let known: Vec<u16> = catalogue.versions().iter().rev().map(|known| known.major).collect();
        let or_add = known.first().filter(|newest| version.value > **newest).map_or("", |_| ADD_VERSION);
        let text = format!("{} is not a known version; use {}{or_add}", version.value, alternatives(&known));
        findings.add(version.line, path, Code::PolicyUnknownValue, text);
    }
}

const ADD_VERSION: &str = "; if Azure has it, add it under catalogue.versions";

pub(super) fn meant_or_add<'a>(written: &str, key: &str, known: impl Iterator<Item = &'a str>) -> String {
    // One that is new is spelt like those that are known.
    let meant = Some(meant(written, known)).filter(|meant| !meant.is_empty());
    let meant = meant.unwrap_or_else(|| "; leave it out".to_owned());
    format!("{meant} (if Azure has it, add it under catalogue.{key})")
}

/// `; did you mean X?`, if something is near enough to what was written, and that is no pattern.
pub(super) fn meant<'a>(written: &str, known: impl Iterator<Item = &'a str>) -> String {
    if written.contains(['*', '?']) {
        return String::new();
    }
    did_you_mean(written, known).map(|meant| format!("; did you mean {meant}?")).unwrap_or_default()
}
