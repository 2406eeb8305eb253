//! Storage.
//! <https://learn.microsoft.com/azure/postgresql/compute-storage/concepts-storage>

use jiff::SignedDuration;

use super::compute;
use crate::azure::{
    arm::{
        errors::ArmError,
        server::{Server, is_enabled},
    },
    catalogue::{sizes::Tier, storage},
};

const SIZE: &str = "properties.storage.storageSizeGB";
const TIER_RESTS: SignedDuration = SignedDuration::from_hours(12);
const PREMIUM_V2: &str = "PremiumV2_LRS";
const PREMIUM_V2_LARGEST_GIB: i64 = 64 * 1024;

fn size(current: Option<&Server>, requested: &Server) -> Option<i64> {
    Server::effective(current, requested, |server| server.properties.storage.size_gib.as_ref()).copied()
}

fn is_v2(current: Option<&Server>, requested: &Server) -> bool {
    Server::effective(current, requested, |server| server.properties.storage.kind.as_deref())
        == Some(PREMIUM_V2)
}

/// Premium SSD comes in fixed sizes, Premium SSD v2 in any up to 64 TiB.
/// <https://learn.microsoft.com/azure/postgresql/compute-storage/concepts-storage-premium-ssd>
pub(super) fn size_is_sold(current: Option<&Server>, requested: &Server) -> Result<(), ArmError> {
    let Some(wanted) = requested.properties.storage.size_gib else { return Ok(()) };
    let sold = if is_v2(current, requested) {
        (32..=PREMIUM_V2_LARGEST_GIB).contains(&wanted)
    } else {
        storage::default_tier(wanted).is_some()
    };
    if sold { Ok(()) } else { Err(ArmError::invalid_parameter("StorageSizeGB").target(SIZE)) }
}

/// Storage can't be made smaller.
/// <https://learn.microsoft.com/azure/postgresql/scale/how-to-scale-storage-size>
pub(super) fn only_grows(current: Option<&Server>, requested: &Server) -> Result<(), ArmError> {
    let before = current.and_then(|current| current.properties.storage.size_gib);
    match (before, requested.properties.storage.size_gib) {
        (Some(before), Some(wanted)) if wanted < before => Err(ArmError::invalid_parameter_because(
            "StorageSizeGB",
            &format!("Storage can't shrink from {before} GiB to {wanted} GiB."),
        )
        .target(SIZE)),
        _ => Ok(()),
    }
}

/// A performance tier is at least the one that the size comes with, and at most what the table allows.
/// <https://learn.microsoft.com/azure/postgresql/compute-storage/concepts-storage-premium-ssd#performance-tiers>
pub(super) fn tier_fits_size(current: Option<&Server>, requested: &Server) -> Result<(), ArmError> {
    let Some(tier) = requested.properties.storage.tier.as_deref().filter(|tier| !tier.is_empty()) else {
        return Ok(());
    };
    let fits = !is_v2(current, requested)
        && size(current, requested).is_some_and(|size| storage::tier_fits(size, tier));
    if fits { Ok(()) } else { Err(ArmError::invalid_parameter("Tier").target("properties.storage.tier")) }
}

/// The performance tier is changed once in twelve hours. `since_change` is how long ago that was. A disk that grows
/// takes the tier of its new size at any time.
/// <https://learn.microsoft.com/azure/postgresql/compute-storage/concepts-storage-premium-ssd#performance-tiers>
pub(in crate::azure) fn tier_has_rested(
    current: &Server,
    requested: &Server,
    since_change: Option<SignedDuration>,
) -> Result<(), ArmError> {
    let wanted = requested.properties.storage.tier.as_deref().filter(|tier| !tier.is_empty());
    let changes = wanted.is_some() && wanted != current.properties.storage.tier.as_deref();
    if changes && since_change.is_some_and(|since| since < TIER_RESTS) {
        return Err(ArmError::not_allowed(
            "The performance tier of the storage can be changed once in 12 hours. Try again later.",
        )
        .target("properties.storage.tier"));
    }
    Ok(())
}

/// Premium SSD v2 is not for the burstable tier and doesn't grow automatically; Ultra Disk is not offered.
/// <https://learn.microsoft.com/azure/postgresql/compute-storage/concepts-storage-premium-ssd-v2#limitations>
pub(super) fn suits_compute_tier(current: Option<&Server>, requested: &Server) -> Result<(), ArmError> {
    match requested.properties.storage.kind.as_deref() {
        None | Some("" | "Premium_LRS" | PREMIUM_V2) => {}
        Some(_) => return Err(ArmError::invalid_parameter("StorageType").target("properties.storage.type")),
    }
    if !is_v2(current, requested) {
        return Ok(());
    }
    if compute::tier(current, requested) == Some(Tier::Burstable) {
        return Err(ArmError::invalid_parameter_because(
            "StorageType",
            "Premium SSD v2 is not available with the Burstable tier.",
        ));
    }
    let auto_grow =
        Server::effective(current, requested, |server| server.properties.storage.auto_grow.as_deref());
    if is_enabled(auto_grow) {
        return Err(ArmError::invalid_parameter_because(
            "AutoGrow",
            "Storage autogrow is not available with Premium SSD v2.",
        ));
    }
    Ok(())
}

/// IOPS and throughput can be set with Premium SSD v2 only, within its limits.
/// <https://learn.microsoft.com/azure/postgresql/compute-storage/concepts-storage-premium-ssd-v2>
pub(super) fn performance_in_range(current: Option<&Server>, requested: &Server) -> Result<(), ArmError> {
    let wanted = &requested.properties.storage;
    if !is_v2(current, requested) {
        // Premium SSD shows its tier's IOPS, so a client that sends back what it read must be taken at its word.
        return Ok(());
    }
    if wanted.iops.is_some_and(|iops| !(3_000..=80_000).contains(&iops)) {
        return Err(ArmError::invalid_parameter("Iops").target("properties.storage.iops"));
    }
    if wanted.throughput.is_some_and(|throughput| !(125..=1_200).contains(&throughput)) {
        return Err(ArmError::invalid_parameter("Throughput").target("properties.storage.throughput"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::{
        super::testing::{asking, code, plain, plain_with, server},
        *,
    };

    fn check(current: Option<&Server>, requested: &Server) -> Option<String> {
        let rules = [size_is_sold, only_grows, tier_fits_size, suits_compute_tier, performance_in_range];
        code(rules.iter().try_for_each(|rule| rule(current, requested)))
    }

    #[rstest]
    #[case::sold(json!({"storageSizeGB": 256}), true)]
    #[case::not_sold(json!({"storageSizeGB": 100}), false)]
    #[case::too_small(json!({"storageSizeGB": 16}), false)]
    #[case::largest(json!({"storageSizeGB": 32767}), true)]
    #[case::higher_tier(json!({"storageSizeGB": 128, "tier": "P30"}), true)]
    #[case::lower_tier(json!({"storageSizeGB": 128, "tier": "P6"}), false)]
    #[case::unusable_tier(json!({"storageSizeGB": 32, "tier": "P1"}), false)]
    #[case::v2(json!({"storageSizeGB": 100, "type": "PremiumV2_LRS", "iops": 3000, "throughput": 125}), true)]
    #[case::v2_with_a_tier(json!({"storageSizeGB": 128, "type": "PremiumV2_LRS", "tier": "P10"}), false)]
    #[case::v2_that_grows(json!({"storageSizeGB": 128, "type": "PremiumV2_LRS", "autoGrow": "Enabled"}), false)]
    #[case::v2_too_slow(json!({"storageSizeGB": 128, "type": "PremiumV2_LRS", "iops": 100}), false)]
    #[case::ultra(json!({"storageSizeGB": 128, "type": "UltraSSD_LRS"}), false)]
    fn a_new_server_gets_what_is_sold(#[case] storage: Value, #[case] allowed: bool) {
        let requested = plain_with(json!({"storage": storage}));
        assert_eq!(check(None, &requested).as_deref(), (!allowed).then_some("InvalidParameterValue"));
    }

    #[rstest]
    #[case::same(json!({"storageSizeGB": 128}), true)]
    #[case::larger(json!({"storageSizeGB": 256}), true)]
    #[case::smaller(json!({"storageSizeGB": 64}), false)]
    #[case::tier_alone(json!({"tier": "P20"}), true)]
    #[case::tier_too_low(json!({"tier": "P4"}), false)]
    fn storage_only_grows(#[case] storage: Value, #[case] allowed: bool) {
        let requested = server(json!({"properties": {"storage": storage}}));
        assert_eq!(check(Some(&plain()), &requested).is_none(), allowed);
    }

    #[test]
    fn premium_ssd_v2_is_not_for_the_burstable_tier() {
        let requested = server(json!({
            "sku": {"name": "Standard_B1ms", "tier": "Burstable"},
            "properties": {"storage": {"storageSizeGB": 128, "type": "PremiumV2_LRS"}},
        }));
        assert!(suits_compute_tier(None, &requested).is_err());
    }

    #[rstest]
    #[case::first_change("P20", None, true)]
    #[case::too_soon("P20", Some(11), false)]
    #[case::rested("P20", Some(12), true)]
    #[case::same("P10", Some(0), true)]
    #[case::left_to_azure("", Some(0), true)]
    fn a_tier_rests_between_changes(#[case] tier: &str, #[case] hours: Option<i64>, #[case] allowed: bool) {
        let current = plain_with(json!({"storage": {"tier": "P10"}}));
        let requested = asking(json!({"storage": {"tier": tier}}));
        let since = hours.map(SignedDuration::from_hours);
        assert_eq!(tier_has_rested(&current, &requested, since).is_ok(), allowed);
    }
}
