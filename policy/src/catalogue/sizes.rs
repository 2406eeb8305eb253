//! Server sizes.
//!
//! Source: "Compute options in Azure Database for PostgreSQL"
//! (<https://learn.microsoft.com/azure/postgresql/compute-storage/concepts-compute>) and, for the confidential ones,
//! <https://learn.microsoft.com/azure/postgresql/security/security-confidential-computing>.

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

/// Hardware that only some regions have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hardware {
    IntelV6,
    AmdV6,
    Confidential,
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

impl Size {
    /// The hardware that it needs, where not every region has it.
    pub fn hardware(&self) -> Option<Hardware> {
        let name = self.name.to_ascii_lowercase();
        if name.starts_with("standard_dc") || name.starts_with("standard_ec") {
            return Some(Hardware::Confidential);
        }
        let is_amd = name.contains("ads_");
        self.is_v6().then_some(if is_amd { Hardware::AmdV6 } else { Hardware::IntelV6 })
    }

    /// Whether it is of the sixth generation, which isn't for virtual networks, and which no Burstable server is scaled to or
    /// comes from.
    /// <https://learn.microsoft.com/azure/postgresql/overview#v6-sku-family-limitations>
    pub fn is_v6(&self) -> bool {
        self.name.to_ascii_lowercase().ends_with("_v6")
    }

    /// Whether Azure scales a server from one to the other.
    pub fn scales_to(&self, other: &Self) -> bool {
        let is_burstable = |size: &Self| size.tier == Tier::Burstable;
        !(is_burstable(self) && other.is_v6() || self.is_v6() && is_burstable(other))
    }
}

/// A family of sizes: `Standard_<letters><vCores><suffix>`.
struct Family {
    tier: Tier,
    letters: &'static str,
    suffix: &'static str,
    /// vCores and memory in GiB.
    sizes: &'static [(u16, u16)],
}

/// Within a tier, newer families come first, because suggestions are taken in this order; confidential ones come last.
#[rustfmt::skip] // A table is read line by line.
const FAMILIES: &[Family] = &[
    Family { tier: Tier::Burstable, letters: "B", suffix: "ms", sizes: &[(1, 2), (2, 8), (4, 16), (8, 32), (12, 48), (16, 64), (20, 80)] },
    Family { tier: Tier::Burstable, letters: "B", suffix: "s", sizes: &[(2, 4)] },
    Family { tier: Tier::GeneralPurpose, letters: "D", suffix: "ds_v6", sizes: &[(2, 8), (4, 16), (8, 32), (16, 64), (32, 128), (48, 192), (64, 256), (96, 384), (128, 512), (192, 768)] },
    Family { tier: Tier::GeneralPurpose, letters: "D", suffix: "ads_v6", sizes: &[(2, 8), (4, 16), (8, 32), (16, 64), (32, 128), (48, 192), (64, 256), (96, 384)] },
    Family { tier: Tier::GeneralPurpose, letters: "D", suffix: "ds_v5", sizes: &[(2, 8), (4, 16), (8, 32), (16, 64), (32, 128), (48, 192), (64, 256), (96, 384)] },
    Family { tier: Tier::GeneralPurpose, letters: "D", suffix: "ads_v5", sizes: &[(2, 8), (4, 16), (8, 32), (16, 64), (32, 128), (48, 192), (64, 256), (96, 384)] },
    Family { tier: Tier::GeneralPurpose, letters: "D", suffix: "ds_v4", sizes: &[(2, 8), (4, 16), (8, 32), (16, 64), (32, 128), (48, 192), (64, 256)] },
    Family { tier: Tier::GeneralPurpose, letters: "D", suffix: "s_v3", sizes: &[(2, 8), (4, 16), (8, 32), (16, 64), (32, 128), (48, 192), (64, 256)] },
    Family { tier: Tier::GeneralPurpose, letters: "DC", suffix: "ads_v5", sizes: &[(2, 8), (4, 16), (8, 32), (16, 64), (32, 128), (48, 192), (64, 256), (96, 384)] },
    Family { tier: Tier::MemoryOptimized, letters: "E", suffix: "ds_v6", sizes: &[(2, 16), (4, 32), (8, 64), (16, 128), (20, 160), (32, 256), (48, 384), (64, 512), (96, 768), (128, 1024), (192, 1832)] },
    Family { tier: Tier::MemoryOptimized, letters: "E", suffix: "ads_v6", sizes: &[(2, 16), (4, 32), (8, 64), (16, 128), (20, 160), (32, 256), (48, 384), (64, 512), (96, 672)] },
    Family { tier: Tier::MemoryOptimized, letters: "E", suffix: "ds_v5", sizes: &[(2, 16), (4, 32), (8, 64), (16, 128), (20, 160), (32, 256), (48, 384), (64, 512), (96, 672)] },
    Family { tier: Tier::MemoryOptimized, letters: "E", suffix: "bds_v5", sizes: &[(96, 672)] },
    Family { tier: Tier::MemoryOptimized, letters: "E", suffix: "ads_v5", sizes: &[(2, 16), (4, 32), (8, 64), (16, 128), (20, 160), (32, 256), (48, 384), (64, 512), (96, 672)] },
    Family { tier: Tier::MemoryOptimized, letters: "E", suffix: "ds_v4", sizes: &[(2, 16), (4, 32), (8, 64), (16, 128), (20, 160), (32, 256), (48, 384), (64, 432)] },
    Family { tier: Tier::MemoryOptimized, letters: "E", suffix: "s_v3", sizes: &[(2, 16), (4, 32), (8, 64), (16, 128), (32, 256), (48, 384), (64, 432)] },
    Family { tier: Tier::MemoryOptimized, letters: "EC", suffix: "ads_v5", sizes: &[(2, 16), (4, 32), (8, 64), (16, 128), (20, 160), (32, 256), (48, 384), (64, 512), (96, 672)] },
];

pub(super) fn known() -> Vec<Size> {
    FAMILIES
        .iter()
        .flat_map(|family| {
            family.sizes.iter().map(|&(vcores, memory_gib)| Size {
                name: format!("Standard_{}{vcores}{}", family.letters, family.suffix),
                tier: family.tier,
                vcores,
                memory_gib,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;
    use rstest::rstest;

    #[rstest]
    #[case("Standard_B1ms", Tier::Burstable, 1, 2)]
    #[case("standard_b2S", Tier::Burstable, 2, 4)]
    #[case("Standard_D192ds_v6", Tier::GeneralPurpose, 192, 768)]
    #[case("Standard_E96bds_v5", Tier::MemoryOptimized, 96, 672)]
    #[case("Standard_DC2ads_v5", Tier::GeneralPurpose, 2, 8)]
    #[case("Standard_EC96ads_v5", Tier::MemoryOptimized, 96, 672)]
    fn sizes_have_azures_name_tier_and_memory(
        #[case] name: &str,
        #[case] tier: Tier,
        #[case] vcores: u16,
        #[case] memory_gib: u16,
    ) {
        let size = Catalogue::known().size(name).unwrap();
        assert_eq!((size.tier, size.vcores, size.memory_gib), (tier, vcores, memory_gib));
    }

    #[test]
    fn no_size_stands_twice() {
        let mut names: Vec<_> = known().iter().map(|size| size.name.to_ascii_lowercase()).collect();
        names.sort();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[rstest]
    #[case("Standard_D2ds_v6", Some(Hardware::IntelV6))]
    #[case("Standard_E20ads_v6", Some(Hardware::AmdV6))]
    #[case("Standard_DC2ads_v5", Some(Hardware::Confidential))]
    #[case("Standard_D2ads_v5", None)]
    #[case("Standard_B2s", None)]
    fn some_sizes_need_hardware_that_not_every_region_has(
        #[case] name: &str,
        #[case] expected: Option<Hardware>,
    ) {
        assert_eq!(Catalogue::known().size(name).unwrap().hardware(), expected);
    }

    #[rstest]
    #[case("Standard_B2s", "Standard_D2ds_v6", false)]
    #[case("Standard_E2ads_v6", "Standard_B2s", false)]
    #[case("Standard_B2s", "Standard_D2ds_v5", true)]
    #[case("Standard_D2ds_v5", "Standard_D2ds_v6", true)]
    fn nothing_scales_between_burstable_and_v6(#[case] from: &str, #[case] to: &str, #[case] scales: bool) {
        let size = |name| Catalogue::known().size(name).unwrap();
        assert_eq!(size(from).scales_to(size(to)), scales);
    }
}
