//! Defaults: each must exist, and be something that the profile itself would let pass.

use api::{Backup, DatabaseSpec, HighAvailability, Storage};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{
    Findings, Place,
    offered::{check_backup_days, check_version, meant_or_add},
};
use crate::{
    Code,
    catalogue::{self, Tier, Zones},
    document::{Allow, Located, raw},
    quote::quote,
    suggest::{alternatives, instead},
};

pub(super) fn check_defaults(
    raw: &raw::Defaults,
    allow: &Allow,
    place: &Place<'_>,
    path: &str,
    findings: &mut Findings,
) -> DatabaseSpec {
    let path = format!("{path}.defaults");
    check_sku(raw, allow, place, &path, findings);
    if let Some(version) = &raw.version {
        let path = format!("{path}.version");
        check_version(version, &path, place.catalogue, findings);
        if allow.versions.as_ref().is_some_and(|allowed| !allowed.contains(&version.value)) {
            refused(findings, version, &path, "versions");
        }
    }
    check_storage(&raw.storage, allow, &path, findings);
    check_high_availability(raw, allow, place, &path, findings);
    check_backup(&raw.backup, allow, place, &path, findings);
    if let Some(window) = &raw.maintenance_window
        && !(0..=23).contains(&window.value.hour)
    {
        let text = format!("{} is no hour of the day; use 0 to 23", window.value.hour);
        findings.add(window.line, &format!("{path}.maintenanceWindow.hour"), Code::PolicyUnknownValue, text);
    }
    spec(raw)
}

fn spec(raw: &raw::Defaults) -> DatabaseSpec {
    let storage = Storage {
        size_gib: raw.storage.size_gib.as_ref().map(|size| size.value),
        tier: raw.storage.tier.as_ref().map(|tier| tier.value),
        auto_grow: raw.storage.auto_grow,
    };
    let backup = Backup {
        retention_days: raw.backup.retention_days.as_ref().map(|days| days.value),
        geo_redundant: raw.backup.geo_redundant.as_ref().map(|geo| geo.value),
    };
    DatabaseSpec {
        version: raw.version.as_ref().map(|version| IntOrString::Int(i32::from(version.value))),
        sku: raw.sku.as_ref().map(|sku| sku.value.clone()),
        storage: (storage != Storage::default()).then_some(storage),
        high_availability: raw.high_availability.as_ref().map(|mode| mode.value),
        backup: (backup != Backup::default()).then_some(backup),
        maintenance_window: raw.maintenance_window.as_ref().map(|window| window.value.clone()),
        ..DatabaseSpec::default()
    }
}

/// A default that the profile's own `allow` refuses.
fn refused<T: std::fmt::Display>(findings: &mut Findings, written: &Located<T>, path: &str, key: &str) {
    let text = format!("{} is refused by the profile's own allow.{key}; change one of them", written.value);
    findings.add(written.line, path, Code::PolicyDefaultRefused, text);
}

fn check_sku(raw: &raw::Defaults, allow: &Allow, place: &Place<'_>, path: &str, findings: &mut Findings) {
    let Some(sku) = &raw.sku else { return };
    let path = format!("{path}.sku");
    if place.catalogue.size(&sku.value).is_none() {
        let sizes = place.catalogue.sizes().iter().map(|size| size.name.as_str());
        let meant = meant_or_add(&sku.value, "sizes", sizes);
        let text = format!("{} is no size that is known{meant}", quote(&sku.value));
        findings.add(sku.line, &path, Code::PolicyUnknownValue, text);
    } else if !allow.sku(&sku.value) {
        refused(findings, sku, &path, "skus");
    }
}

fn check_storage(raw: &raw::StorageDefaults, allow: &Allow, path: &str, findings: &mut Findings) {
    let path = format!("{path}.storage");
    if let Some(size) = &raw.size_gib {
        let path = format!("{path}.sizeGiB");
        if !catalogue::DISK_SIZES_GIB.contains(&size.value) {
            let mut sizes = catalogue::DISK_SIZES_GIB.to_vec();
            sizes.sort_by_key(|known| known.abs_diff(size.value));
            let text =
                format!("{} is no disk size of Azure's; use {}", size.value, alternatives(&sizes[..2]));
            findings.add(size.line, &path, Code::PolicyUnknownValue, text);
        } else if allow.max_gib.is_some_and(|max| size.value > max) {
            refused(findings, size, &path, "storage.maxGiB");
        }
        let own = catalogue::own_tier(size.value).filter(|_| raw.tier.is_none());
        if let (Some(own), Some(allowed)) = (own, &allow.tiers)
            && !allowed.contains(&own)
        {
            let text = format!(
                "{} comes with the tier {own}, which the profile's own allow.storage.tiers refuses; write a default tier as well",
                size.value
            );
            findings.add(size.line, &path, Code::PolicyDefaultRefused, text);
        }
    }
    let Some(tier) = &raw.tier else { return };
    let path = format!("{path}.tier");
    if allow.tiers.as_ref().is_some_and(|tiers| !tiers.contains(&tier.value)) {
        refused(findings, tier, &path, "storage.tiers");
    }
    if let Some(size) = &raw.size_gib
        && !catalogue::tiers(size.value).any(|known| known == tier.value)
    {
        let mut usable: Vec<_> = catalogue::tiers(size.value).collect();
        usable.sort_by_key(|usable| catalogue::tier_distance(*usable, tier.value));
        let text = format!(
            "{} is not for a disk of {} GiB, the default size; {}",
            tier.value,
            size.value,
            instead(&usable, "use another size")
        );
        findings.add(tier.line, &path, Code::PolicyDefaultRefused, text);
    }
}

fn check_high_availability(
    raw: &raw::Defaults,
    allow: &Allow,
    place: &Place<'_>,
    path: &str,
    findings: &mut Findings,
) {
    let path = format!("{path}.highAvailability");
    let Some(mode) = &raw.high_availability else { return };
    if allow.high_availability.as_ref().is_some_and(|modes| !modes.contains(&mode.value)) {
        refused(findings, mode, &path, "highAvailability");
    }
    let size = raw.sku.as_ref().and_then(|sku| place.catalogue.size(&sku.value));
    if mode.value != HighAvailability::Disabled
        && let Some(size) = size.filter(|size| size.tier == Tier::Burstable)
    {
        let text = format!(
            "{} does not go with the default size {}, which is Burstable; use Disabled",
            mode.value, size.name
        );
        findings.add(mode.line, &path, Code::PolicyDefaultRefused, text);
    }
    let region = place.catalogue.region(place.location);
    if mode.value == HighAvailability::ZoneRedundant && region.zones == Zones::None {
        let text = format!(
            "{} needs a region with zones, and {} has none; use SameZone",
            mode.value,
            quote(place.location)
        );
        findings.add(mode.line, &path, Code::PolicyDefaultRefused, text);
    }
}

fn check_backup(
    raw: &raw::BackupDefaults,
    allow: &Allow,
    place: &Place<'_>,
    path: &str,
    findings: &mut Findings,
) {
    if let Some(days) = &raw.retention_days {
        let path = format!("{path}.backup.retentionDays");
        let (min, max) = allow.retention_days;
        let is_outside = min.is_some_and(|min| days.value < min) || max.is_some_and(|max| days.value > max);
        if check_backup_days(days, &path, findings) && is_outside {
            refused(findings, days, &path, "backup");
        }
    }
    if let Some(geo) = &raw.geo_redundant {
        let path = format!("{path}.backup.geoRedundant");
        if allow.geo_redundant.as_ref().is_some_and(|allowed| !allowed.contains(&geo.value)) {
            refused(findings, geo, &path, "backup.geoRedundant");
        }
        if geo.value && !place.catalogue.region(place.location).is_paired {
            let text = format!(
                "true needs a region with a paired one, and {} has none; use false",
                quote(place.location)
            );
            findings.add(geo.line, &path, Code::PolicyDefaultRefused, text);
        }
    }
}
