//! `spec.backup`: how long backups are kept, and whether another region has them too.

use api::DatabaseSpec;

use super::Context;
use crate::{Code, Problem, catalogue::BACKUP_DAYS};

/// What Azure does if nothing is written.
const AZURES_DAYS: i32 = 7;

fn days(spec: &DatabaseSpec) -> i32 {
    spec.backup.as_ref().and_then(|backup| backup.retention_days).unwrap_or(AZURES_DAYS)
}

/// As it is, written or not.
pub(super) fn is_geo_redundant(spec: &DatabaseSpec) -> bool {
    spec.backup.as_ref().and_then(|backup| backup.geo_redundant).unwrap_or(false)
}

/// The region has a paired one.
pub(super) fn possible(context: &Context<'_>) -> Option<Problem> {
    if !is_geo_redundant(context.new) || !context.changed(is_geo_redundant) || context.region().is_paired {
        return None;
    }
    let text =
        format!("true needs a region with a paired one, and {} has none; write false", context.location);
    Some(Problem::new(Code::Backup, "spec.backup.geoRedundant", &text))
}

/// Fewest and most days that the profile allows.
fn allowed_days(context: &Context<'_>) -> (i32, i32) {
    let (min, max) = context.profile.allow.retention_days;
    (min.unwrap_or(*BACKUP_DAYS.start()), max.unwrap_or(*BACKUP_DAYS.end()))
}

/// Azure keeps backups for so many days.
pub(super) fn days_possible(context: &Context<'_>) -> Option<Problem> {
    let wanted = days(context.new);
    if !context.changed(days) || BACKUP_DAYS.contains(&wanted) {
        return None;
    }
    let (min, max) = allowed_days(context);
    let text = format!("{wanted} is not a number of days for which Azure keeps backups; use {min} to {max}");
    Some(Problem::new(Code::Backup, "spec.backup.retentionDays", &text))
}

/// The profile allows so many days.
pub(super) fn retention_days(context: &Context<'_>) -> Option<Problem> {
    let (min, max) = allowed_days(context);
    let wanted = days(context.new);
    if !context.changed(days) || (min..=max).contains(&wanted) || !BACKUP_DAYS.contains(&wanted) {
        return None;
    }
    let written = context.new.backup.as_ref().is_some_and(|backup| backup.retention_days.is_some());
    let hint = if written { "" } else { " (as it is when left out)" };
    let text = format!("{wanted}{hint} is not allowed here; use {min} to {max}");
    Some(Problem::new(Code::Backup, "spec.backup.retentionDays", &text))
}

/// The profile allows it.
pub(super) fn geo_redundant(context: &Context<'_>) -> Option<Problem> {
    let allowed = context.profile.allow.geo_redundant.as_ref()?;
    let wanted = is_geo_redundant(context.new);
    if !context.changed(is_geo_redundant) || allowed.contains(&wanted) {
        return None;
    }
    let written = context.new.backup.as_ref().is_some_and(|backup| backup.geo_redundant.is_some());
    let hint = if written { "" } else { " (as it is when left out)" };
    let is_fixed =
        context.recorded.is_some() && context.stored.is_some_and(|stored| is_geo_redundant(stored) == wanted);
    let text = if is_fixed {
        format!("{wanted}{hint} is not allowed here, and is fixed at creation; ask the platform team")
    } else {
        format!("{wanted}{hint} is not allowed here; write {}", !wanted)
    };
    Some(Problem::new(Code::Backup, "spec.backup.geoRedundant", &text))
}
