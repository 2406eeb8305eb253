//! What Azure offers, as data. What a platform allows of it is the policy's.
//!
//! Sources: sizes and memory from "Compute options in Azure Database for PostgreSQL"
//! (<https://learn.microsoft.com/azure/postgresql/compute-storage/concepts-compute>), versions from "Supported versions"
//! (<https://learn.microsoft.com/azure/postgresql/configure-maintain/concepts-supported-versions>) and the
//! final release dates from <https://www.postgresql.org/support/versioning/>.

mod disks;
mod extensions;
mod parameters;
mod regions;

use std::{ops::RangeInclusive, sync::LazyLock};

pub use disks::{DISK_SIZES_GIB, own_tier, tier_distance, tier_of_grown, tiers};
pub use extensions::{Extension, LOADED_ANYWAY, extension, extensions};
pub use parameters::{
    Form, Parameter, Unsettable, can_match as can_match_parameter, library, names as parameter_names,
    parameter, spelling,
};
pub use regions::{has_zones, is_paired};

use jiff::civil::{Date, date};

/// Azure's class of a size.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Tier {
    Burstable,
    GeneralPurpose,
    MemoryOptimized,
}

impl Tier {
    /// As Azure's API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Burstable => "Burstable",
            Self::GeneralPurpose => "GeneralPurpose",
            Self::MemoryOptimized => "MemoryOptimized",
        }
    }
}

/// A server size.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Size {
    /// Azure's name, e.g. `Standard_D2ds_v5`.
    pub name: String,
    pub tier: Tier,
    pub vcores: u16,
    pub memory_gib: u16,
}

/// A family of sizes: `Standard_<letter><vCores><suffix>`.
struct Family {
    tier: Tier,
    letter: char,
    suffix: &'static str,
    /// vCores and memory in GiB.
    sizes: &'static [(u16, u16)],
}

/// Within a tier, newer families come first, because suggestions are taken in this order.
#[rustfmt::skip] // A table is read line by line.
const FAMILIES: &[Family] = &[
    Family { tier: Tier::Burstable, letter: 'B', suffix: "ms", sizes: &[(1, 2), (2, 8), (4, 16), (8, 32), (12, 48), (16, 64), (20, 80)] },
    Family { tier: Tier::Burstable, letter: 'B', suffix: "s", sizes: &[(2, 4)] },
    Family { tier: Tier::GeneralPurpose, letter: 'D', suffix: "ds_v6", sizes: &[(2, 8), (4, 16), (8, 32), (16, 64), (32, 128), (48, 192), (64, 256), (96, 384), (128, 512), (192, 768)] },
    Family { tier: Tier::GeneralPurpose, letter: 'D', suffix: "ads_v6", sizes: &[(2, 8), (4, 16), (8, 32), (16, 64), (32, 128), (48, 192), (64, 256), (96, 384)] },
    Family { tier: Tier::GeneralPurpose, letter: 'D', suffix: "ds_v5", sizes: &[(2, 8), (4, 16), (8, 32), (16, 64), (32, 128), (48, 192), (64, 256), (96, 384)] },
    Family { tier: Tier::GeneralPurpose, letter: 'D', suffix: "ads_v5", sizes: &[(2, 8), (4, 16), (8, 32), (16, 64), (32, 128), (48, 192), (64, 256), (96, 384)] },
    Family { tier: Tier::GeneralPurpose, letter: 'D', suffix: "ds_v4", sizes: &[(2, 8), (4, 16), (8, 32), (16, 64), (32, 128), (48, 192), (64, 256)] },
    Family { tier: Tier::GeneralPurpose, letter: 'D', suffix: "s_v3", sizes: &[(2, 8), (4, 16), (8, 32), (16, 64), (32, 128), (48, 192), (64, 256)] },
    Family { tier: Tier::MemoryOptimized, letter: 'E', suffix: "ds_v6", sizes: &[(2, 16), (4, 32), (8, 64), (16, 128), (20, 160), (32, 256), (48, 384), (64, 512), (96, 768), (128, 1024), (192, 1832)] },
    Family { tier: Tier::MemoryOptimized, letter: 'E', suffix: "ads_v6", sizes: &[(2, 16), (4, 32), (8, 64), (16, 128), (20, 160), (32, 256), (48, 384), (64, 512), (96, 672)] },
    Family { tier: Tier::MemoryOptimized, letter: 'E', suffix: "ds_v5", sizes: &[(2, 16), (4, 32), (8, 64), (16, 128), (20, 160), (32, 256), (48, 384), (64, 512), (96, 672)] },
    Family { tier: Tier::MemoryOptimized, letter: 'E', suffix: "ads_v5", sizes: &[(2, 16), (4, 32), (8, 64), (16, 128), (20, 160), (32, 256), (48, 384), (64, 512), (96, 672)] },
    Family { tier: Tier::MemoryOptimized, letter: 'E', suffix: "ds_v4", sizes: &[(2, 16), (4, 32), (8, 64), (16, 128), (20, 160), (32, 256), (48, 384), (64, 504)] },
    Family { tier: Tier::MemoryOptimized, letter: 'E', suffix: "s_v3", sizes: &[(2, 16), (4, 32), (8, 64), (16, 128), (32, 256), (48, 384), (64, 432)] },
];

static SIZES: LazyLock<Vec<Size>> = LazyLock::new(|| {
    FAMILIES
        .iter()
        .flat_map(|family| {
            family.sizes.iter().map(|&(vcores, memory_gib)| Size {
                name: format!("Standard_{}{vcores}{}", family.letter, family.suffix),
                tier: family.tier,
                vcores,
                memory_gib,
            })
        })
        .collect()
});

/// Every size.
pub fn sizes() -> &'static [Size] {
    &SIZES
}

/// The size of that name, in whatever case.
pub fn size(name: &str) -> Option<&'static Size> {
    sizes().iter().find(|size| size.name.eq_ignore_ascii_case(name))
}

/// A major version of PostgreSQL.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Version {
    pub major: u16,
    /// Day of the final release; from then on Azure creates no new server of it.
    pub end_of_support: Date,
}

/// Versions in Azure's API.
pub const VERSIONS: &[Version] = &[
    Version { major: 11, end_of_support: date(2023, 11, 9) },
    Version { major: 12, end_of_support: date(2024, 11, 21) },
    Version { major: 13, end_of_support: date(2025, 11, 13) },
    Version { major: 14, end_of_support: date(2026, 11, 12) },
    Version { major: 15, end_of_support: date(2027, 11, 11) },
    Version { major: 16, end_of_support: date(2028, 11, 9) },
    Version { major: 17, end_of_support: date(2029, 11, 8) },
    Version { major: 18, end_of_support: date(2030, 11, 14) },
];

/// Days that Azure can keep backups.
/// <https://learn.microsoft.com/azure/postgresql/backup-restore/concepts-backup-restore>
pub const BACKUP_DAYS: RangeInclusive<i32> = 7..=35;

/// The version of that number.
pub fn version(major: u16) -> Option<&'static Version> {
    VERSIONS.iter().find(|version| version.major == major)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("Standard_B1ms", Tier::Burstable, 1, 2)]
    #[case("standard_b2S", Tier::Burstable, 2, 4)]
    #[case("Standard_D2ds_v5", Tier::GeneralPurpose, 2, 8)]
    #[case("Standard_E64ds_v5", Tier::MemoryOptimized, 64, 512)]
    #[case("Standard_E64ds_v4", Tier::MemoryOptimized, 64, 504)]
    #[case("Standard_D192ds_v6", Tier::GeneralPurpose, 192, 768)]
    fn sizes_have_azures_name_tier_and_memory(
        #[case] name: &str,
        #[case] tier: Tier,
        #[case] vcores: u16,
        #[case] memory_gib: u16,
    ) {
        let size = size(name).unwrap();
        assert_eq!((size.tier, size.vcores, size.memory_gib), (tier, vcores, memory_gib));
    }

    #[test]
    fn no_size_stands_twice() {
        let mut names: Vec<_> = sizes().iter().map(|size| size.name.to_ascii_lowercase()).collect();
        names.sort();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn later_versions_are_supported_longer() {
        assert!(VERSIONS.is_sorted_by(|a, b| a.major < b.major && a.end_of_support < b.end_of_support));
    }
}
