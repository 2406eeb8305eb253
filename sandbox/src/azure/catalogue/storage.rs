//! Premium SSD sizes, with the performance tier and the IOPS that each comes with.
//! <https://learn.microsoft.com/azure/postgresql/compute-storage/concepts-storage-premium-ssd>

use super::capabilities::{Disk, capabilities};

fn find(size_gib: i64) -> Option<&'static Disk> {
    capabilities()
        .storage
        .managed_disk
        .sizes
        .iter()
        .find(|disk| size_gib.checked_mul(1024) == Some(disk.size_mb))
}

/// The tier that a disk of this size comes with; `None` for a size that is not sold.
pub(in crate::azure) fn default_tier(size_gib: i64) -> Option<&'static str> {
    find(size_gib).map(|disk| disk.default_tier.as_str())
}

/// Whether a disk of this size can have this tier. P1 to P3 are in the API, and no disk can have them.
pub(in crate::azure) fn tier_fits(size_gib: i64, tier: &str) -> bool {
    find(size_gib).is_some_and(|disk| disk.tiers.iter().any(|offered| offered == tier))
}

pub(in crate::azure) fn iops(tier: &str) -> u32 {
    capabilities().storage.managed_disk.tier_iops.get(tier).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(32, "P4", true)]
    #[case(32, "P50", true)]
    #[case(32, "P60", false)]
    #[case(128, "P6", false)]
    #[case(32, "P1", false)]
    #[case(8192, "P70", true)]
    #[case(8192, "P80", true)]
    #[case(32767, "P80", true)]
    #[case(100, "P10", false)]
    fn a_tier_fits_a_size(#[case] size: i64, #[case] tier: &str, #[case] fits: bool) {
        assert_eq!(tier_fits(size, tier), fits);
    }

    #[rstest]
    #[case(4095, Some("P50"))]
    #[case(4096, Some("P50"))]
    #[case(16384, Some("P70"))]
    #[case(i64::MAX, None)]
    fn a_size_comes_with_a_tier(#[case] size: i64, #[case] tier: Option<&str>) {
        assert_eq!(default_tier(size), tier);
        assert!(tier.is_none_or(|tier| iops(tier) > 0));
    }
}
