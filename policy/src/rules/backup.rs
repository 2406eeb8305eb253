//! `spec.backup`: how long backups are kept, whether another region has them too, and whether a vault has copies of its own.

use api::{Backup, DatabaseSpec};

use super::{ASK, Context};
use crate::{Code, Problem, catalogue::BACKUP_DAYS, quote::quote, spec::vault, suggest::instead};

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

const VAULT: &str = "spec.backup.vault";

fn is_vault_changed(context: &Context<'_>) -> bool {
    context.changed(|spec| vault(spec).to_owned())
}

/// What may be written, be it allowed or not: the policy's names, and `None`.
fn vaults<'a>(context: &Context<'a>) -> impl Iterator<Item = &'a str> {
    let vault = context.policy.azure.backup_vault.as_ref();
    let names = vault.into_iter().flat_map(|vault| vault.policies.value.keys().map(String::as_str));
    names.chain([Backup::NO_VAULT])
}

fn is_vault_allowed(context: &Context<'_>, name: &str) -> bool {
    context.profile.allow.vault.as_ref().is_none_or(|allowed| allowed.iter().any(|allowed| allowed == name))
}

/// What may be written instead.
fn usable_vaults<'a>(context: &Context<'a>) -> Vec<&'a str> {
    vaults(context).filter(|name| is_vault_allowed(context, name)).collect()
}

/// The policy has the name.
pub(super) fn vault_known(context: &Context<'_>) -> Option<Problem> {
    let wanted = vault(context.new);
    if !is_vault_changed(context) || vaults(context).any(|name| name == wanted) {
        return None;
    }
    let text = format!(
        "{} is not a backup policy of the vault that the policy names; {}",
        quote(wanted),
        instead(&usable_vaults(context), ASK)
    );
    Some(Problem::new(Code::Backup, VAULT, &text))
}

/// The profile allows it.
pub(super) fn vault_allowed(context: &Context<'_>) -> Option<Problem> {
    let wanted = vault(context.new);
    let is_known = vaults(context).any(|name| name == wanted);
    if !is_vault_changed(context) || !is_known || is_vault_allowed(context, wanted) {
        return None;
    }
    let written = context.new.backup.as_ref().is_some_and(|backup| backup.vault.is_some());
    let hint = if written { "" } else { " (as it is when left out)" };
    let text = format!("{wanted}{hint} is not allowed here; {}", instead(&usable_vaults(context), ASK));
    Some(Problem::new(Code::Backup, VAULT, &text))
}
