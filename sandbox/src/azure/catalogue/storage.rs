//! Premium SSD sizes, with the performance tier and the IOPS that each comes with.
//! <https://learn.microsoft.com/azure/postgresql/compute-storage/concepts-storage-premium-ssd>

/// Performance tiers from lowest to highest, with their IOPS. P1 to P3 are in the API and can't be used.
const TIERS: [(&str, u32); 11] = [
    ("P4", 120),
    ("P6", 240),
    ("P10", 500),
    ("P15", 1100),
    ("P20", 2300),
    ("P30", 5000),
    ("P40", 7500),
    ("P50", 7500),
    ("P60", 16000),
    ("P70", 18000),
    ("P80", 20000),
];

/// Size in GiB, the tier it comes with, and the highest tier it can be given.
const SIZES: [(i64, &str, &str); 12] = [
    (32, "P4", "P50"),
    (64, "P6", "P50"),
    (128, "P10", "P50"),
    (256, "P15", "P50"),
    (512, "P20", "P50"),
    (1024, "P30", "P50"),
    (2048, "P40", "P50"),
    (4095, "P50", "P50"),
    (4096, "P50", "P50"),
    (8192, "P60", "P70"),
    (16384, "P70", "P80"),
    (32767, "P80", "P80"),
];

fn rank(tier: &str) -> Option<usize> {
    TIERS.iter().position(|(name, _)| *name == tier)
}

/// The tier that a disk of this size comes with; `None` for a size that is not sold.
pub(in crate::azure) fn default_tier(size_gib: i64) -> Option<&'static str> {
    SIZES.iter().find(|(size, ..)| *size == size_gib).map(|(_, tier, _)| *tier)
}

/// Whether a disk of this size can have this tier.
pub(in crate::azure) fn tier_fits(size_gib: i64, tier: &str) -> bool {
    SIZES.iter().find(|(size, ..)| *size == size_gib).is_some_and(|(_, lowest, highest)| {
        let tier = rank(tier);
        tier.is_some() && tier >= rank(lowest) && tier <= rank(highest)
    })
}

pub(in crate::azure) fn iops(tier: &str) -> u32 {
    TIERS.iter().find(|(name, _)| *name == tier).map_or(0, |(_, iops)| *iops)
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
    #[case(8192, "P80", false)]
    #[case(100, "P10", false)]
    fn a_tier_fits_a_size(#[case] size: i64, #[case] tier: &str, #[case] fits: bool) {
        assert_eq!(tier_fits(size, tier), fits);
    }
}
