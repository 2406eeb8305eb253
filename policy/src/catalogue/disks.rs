//! Premium SSD: sizes, and the performance tiers that each size can have.
//!
//! Source: "Storage options" (<https://learn.microsoft.com/azure/postgresql/compute-storage/concepts-storage-premium-ssd>).

use api::StorageTier;

use StorageTier::{P4, P6, P10, P15, P20, P30, P40, P50, P60, P70, P80};

/// Performance tiers, the slowest first.
const TIERS: &[StorageTier] = &[P4, P6, P10, P15, P20, P30, P40, P50, P60, P70, P80];

/// Size in GiB, the tier that it comes with, and the fastest that it can have.
const DISKS: &[(i32, StorageTier, StorageTier)] = &[
    (32, P4, P50),
    (64, P6, P50),
    (128, P10, P50),
    (256, P15, P50),
    (512, P20, P50),
    (1024, P30, P50),
    (2048, P40, P50),
    (4095, P50, P50),
    (4096, P50, P50),
    (8192, P60, P80),
    (16384, P70, P80),
    (32767, P80, P80),
];

/// Sizes in GiB. 4095 is a step of its own: Azure calls 4 TiB and more another disk class.
pub const DISK_SIZES_GIB: &[i32] = &[32, 64, 128, 256, 512, 1024, 2048, 4095, 4096, 8192, 16384, 32767];

/// The tiers that a disk of this size can have, the slowest first; none for a size that Azure doesn't have.
pub fn tiers(size_gib: i32) -> impl Iterator<Item = StorageTier> {
    let range =
        DISKS.iter().find(|(size, ..)| *size == size_gib).map(|(_, slowest, fastest)| (slowest, fastest));
    TIERS.iter().copied().filter(move |tier| {
        range.is_some_and(|(slowest, fastest)| rank(*tier) >= rank(*slowest) && rank(*tier) <= rank(*fastest))
    })
}

/// The size's own tier, which a disk has when nobody asks for another.
pub fn own_tier(size_gib: i32) -> Option<StorageTier> {
    tiers(size_gib).next()
}

/// The tier of a disk of this size for which one of another size was asked for: none is slower than the size's own.
pub fn tier_of_grown(wanted: StorageTier, size_gib: i32) -> StorageTier {
    own_tier(size_gib).filter(|own| rank(*own) > rank(wanted)).unwrap_or(wanted)
}

/// How many steps lie between two tiers.
pub fn tier_distance(one: StorageTier, other: StorageTier) -> usize {
    rank(one).abs_diff(rank(other))
}

fn rank(tier: StorageTier) -> usize {
    TIERS.iter().position(|known| *known == tier).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(32, &[P4, P6, P10, P15, P20, P30, P40, P50])]
    #[case(1024, &[P30, P40, P50])]
    #[case(8192, &[P60, P70, P80])]
    #[case(33, &[])]
    fn a_size_has_its_tiers(#[case] size_gib: i32, #[case] expected: &[StorageTier]) {
        assert_eq!(tiers(size_gib).collect::<Vec<_>>(), expected);
    }

    #[rstest]
    #[case(P6, 64, P6)]
    #[case(P6, 128, P10)]
    #[case(P30, 128, P30)]
    #[case(P50, 8192, P60)]
    #[case::of_no_size(P6, 65, P6)]
    fn a_disk_that_has_grown_is_no_slower_than_its_size(
        #[case] wanted: StorageTier,
        #[case] size_gib: i32,
        #[case] expected: StorageTier,
    ) {
        assert_eq!(tier_of_grown(wanted, size_gib), expected);
    }

    #[test]
    fn the_list_of_sizes_is_that_of_the_disks() {
        assert!(DISKS.iter().map(|(size, ..)| size).eq(DISK_SIZES_GIB));
    }
}
