//! Compute sizes.
//! <https://learn.microsoft.com/azure/postgresql/compute-storage/concepts-compute>

use std::sync::LazyLock;

use super::capabilities::capabilities;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::azure) enum Tier {
    Burstable,
    GeneralPurpose,
    MemoryOptimized,
}

impl Tier {
    const ALL: [Self; 3] = [Self::Burstable, Self::GeneralPurpose, Self::MemoryOptimized];

    pub(in crate::azure) const fn name(self) -> &'static str {
        match self {
            Self::Burstable => "Burstable",
            Self::GeneralPurpose => "GeneralPurpose",
            Self::MemoryOptimized => "MemoryOptimized",
        }
    }
}

/// Whose machines a size runs on: not every region has each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::azure) enum Make {
    /// Burstable sizes are available everywhere.
    Any,
    Intel,
    Amd,
    Confidential,
}

/// One size, for example `Standard_D4ds_v5`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::azure) struct Size {
    /// As Azure spells it.
    pub(in crate::azure) name: String,
    pub(in crate::azure) tier: Tier,
    pub(in crate::azure) vcores: u32,
    pub(in crate::azure) memory_gib: u32,
}

impl Size {
    pub(in crate::azure) fn make(&self) -> Make {
        let model = self.name.trim_start_matches("Standard_");
        match self.tier {
            Tier::Burstable => Make::Any,
            _ if model.starts_with("DC") || model.starts_with("EC") => Make::Confidential,
            _ if model.contains("ads_") => Make::Amd,
            _ => Make::Intel,
        }
    }

    /// `5` of `Standard_D4ds_v5`.
    pub(in crate::azure) fn generation(&self) -> Option<u8> {
        self.name.rsplit_once("_v")?.1.parse().ok()
    }

    pub(in crate::azure) fn is_v6(&self) -> bool {
        self.generation() == Some(6)
    }
}

/// Sizes that differ only in their vCores: `D`, vCores, `ds_v6`. Those that the recorded region does not have; see
/// [`capabilities`].
/// <https://learn.microsoft.com/azure/postgresql/compute-storage/concepts-compute>,
/// <https://learn.microsoft.com/azure/postgresql/security/security-confidential-computing>
struct Family {
    tier: Tier,
    letters: &'static str,
    suffix: &'static str,
    vcores: &'static [u32],
    memory_gib_per_vcore: u32,
}

const TO_96: &[u32] = &[2, 4, 8, 16, 32, 48, 64, 96];
const TO_192: &[u32] = &[2, 4, 8, 16, 32, 48, 64, 96, 128, 192];
const WITH_20_TO_96: &[u32] = &[2, 4, 8, 16, 20, 32, 48, 64, 96];
const WITH_20_TO_192: &[u32] = &[2, 4, 8, 16, 20, 32, 48, 64, 96, 128, 192];

const fn general(letters: &'static str, suffix: &'static str, vcores: &'static [u32]) -> Family {
    Family { tier: Tier::GeneralPurpose, letters, suffix, vcores, memory_gib_per_vcore: 4 }
}

const fn memory(letters: &'static str, suffix: &'static str, vcores: &'static [u32]) -> Family {
    Family { tier: Tier::MemoryOptimized, letters, suffix, vcores, memory_gib_per_vcore: 8 }
}

const ELSEWHERE: [Family; 6] = [
    general("D", "ads_v6", TO_96),
    general("D", "ds_v6", TO_192),
    general("DC", "ads_v5", TO_96),
    memory("E", "ads_v6", WITH_20_TO_96),
    memory("E", "ds_v6", WITH_20_TO_192),
    memory("EC", "ads_v5", WITH_20_TO_96),
];

static SIZES: LazyLock<Vec<Size>> = LazyLock::new(|| {
    let recorded = Tier::ALL.into_iter().flat_map(|tier| {
        let edition = capabilities().editions.get(tier.name());
        edition.into_iter().flat_map(|edition| &edition.sizes).map(move |(name, size)| Size {
            name: name.clone(),
            tier,
            vcores: size.vcores,
            memory_gib: size.memory_gib,
        })
    });
    let elsewhere = ELSEWHERE.iter().flat_map(|family| {
        family.vcores.iter().map(|vcores| Size {
            name: format!("Standard_{}{vcores}{}", family.letters, family.suffix),
            tier: family.tier,
            vcores: *vcores,
            memory_gib: vcores * family.memory_gib_per_vcore,
        })
    });
    recorded.chain(elsewhere).collect()
});

pub(in crate::azure) fn all() -> impl Iterator<Item = &'static Size> {
    SIZES.iter()
}

/// The size with this name, in any case.
pub(in crate::azure) fn find(name: &str) -> Option<&'static Size> {
    all().find(|size| size.name.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("Standard_B1ms", Some((Tier::Burstable, Make::Any, None)))]
    #[case("standard_d4ds_V5", Some((Tier::GeneralPurpose, Make::Intel, Some(5))))]
    #[case("Standard_E20ads_v5", Some((Tier::MemoryOptimized, Make::Amd, Some(5))))]
    #[case("Standard_E96bds_v5", Some((Tier::MemoryOptimized, Make::Intel, Some(5))))]
    #[case("Standard_E20ds_v6", Some((Tier::MemoryOptimized, Make::Intel, Some(6))))]
    #[case("Standard_DC2ads_v5", Some((Tier::GeneralPurpose, Make::Confidential, Some(5))))]
    #[case("Standard_D20ds_v5", None)]
    #[case("B1ms", None)]
    fn a_size_is_known_by_its_name(#[case] name: &str, #[case] expected: Option<(Tier, Make, Option<u8>)>) {
        let found = find(name).map(|size| (size.tier, size.make(), size.generation()));
        assert_eq!(found, expected);
    }

    #[test]
    fn no_size_is_there_twice() {
        let names: std::collections::BTreeSet<&str> = all().map(|size| size.name.as_str()).collect();
        assert_eq!(names.len(), all().count());
        assert!(all().all(|size| size.memory_gib >= 2 * size.vcores));
    }
}
