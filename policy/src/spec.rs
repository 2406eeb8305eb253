//! What a spec says, and what it means where a field is left out or where Azure compares in its own way.

use api::{Backup, DatabaseSpec, HighAvailability, StorageTier, version};

/// Major version of PostgreSQL, if it is one.
pub(crate) fn major(spec: &DatabaseSpec) -> Option<u16> {
    spec.version.as_ref().and_then(version::major)
}

/// Size of the disk in GiB.
pub(crate) fn size_gib(spec: &DatabaseSpec) -> Option<i32> {
    spec.storage.as_ref().and_then(|storage| storage.size_gib)
}

/// Name of the vault's backup policy in the platform's policy, or `None`, written or not.
pub(crate) fn vault(spec: &DatabaseSpec) -> &str {
    let written = spec.backup.as_ref().and_then(|backup| backup.vault.as_deref());
    written.unwrap_or(Backup::NO_VAULT)
}

/// Performance tier of the disk, where it isn't left to the size.
pub(crate) fn tier(spec: &DatabaseSpec) -> Option<StorageTier> {
    spec.storage.as_ref().and_then(|storage| storage.tier)
}

pub(crate) fn high_availability(spec: &DatabaseSpec) -> HighAvailability {
    spec.high_availability.unwrap_or(HighAvailability::Disabled)
}

pub(crate) fn sku_in_lower_case(spec: &DatabaseSpec) -> Option<String> {
    spec.sku.as_ref().map(|sku| sku.to_ascii_lowercase())
}
