//! Compute sizes.
//! <https://learn.microsoft.com/azure/postgresql/compute-storage/concepts-compute>

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::azure) enum Tier {
    Burstable,
    GeneralPurpose,
    MemoryOptimized,
}

impl Tier {
    pub(in crate::azure) const fn name(self) -> &'static str {
        match self {
            Self::Burstable => "Burstable",
            Self::GeneralPurpose => "GeneralPurpose",
            Self::MemoryOptimized => "MemoryOptimized",
        }
    }
}

/// One size, for example `Standard_D4ds_v5`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::azure) struct Size {
    /// As Azure spells it.
    pub(in crate::azure) name: String,
    pub(in crate::azure) tier: Tier,
    pub(in crate::azure) vcores: u32,
}

/// A burstable size by its name, with its vCores.
const BURSTABLE: [(&str, u32); 8] = [
    ("B1ms", 1),
    ("B2s", 2),
    ("B2ms", 2),
    ("B4ms", 4),
    ("B8ms", 8),
    ("B12ms", 12),
    ("B16ms", 16),
    ("B20ms", 20),
];

/// Sizes that differ only in their vCores: `D`, vCores, `ds_v5`.
struct Family {
    tier: Tier,
    letter: char,
    suffix: &'static str,
    vcores: &'static [u32],
}

const TO_64: &[u32] = &[2, 4, 8, 16, 32, 48, 64];
const TO_96: &[u32] = &[2, 4, 8, 16, 32, 48, 64, 96];
const TO_192: &[u32] = &[2, 4, 8, 16, 32, 48, 64, 96, 128, 192];
const WITH_20_TO_64: &[u32] = &[2, 4, 8, 16, 20, 32, 48, 64];
const WITH_20_TO_96: &[u32] = &[2, 4, 8, 16, 20, 32, 48, 64, 96];

const fn general(suffix: &'static str, vcores: &'static [u32]) -> Family {
    Family { tier: Tier::GeneralPurpose, letter: 'D', suffix, vcores }
}

const fn memory(suffix: &'static str, vcores: &'static [u32]) -> Family {
    Family { tier: Tier::MemoryOptimized, letter: 'E', suffix, vcores }
}

const FAMILIES: [Family; 12] = [
    general("s_v3", TO_64),
    general("ds_v4", TO_64),
    general("ds_v5", TO_96),
    general("ads_v5", TO_96),
    general("ads_v6", TO_96),
    general("ds_v6", TO_192),
    memory("s_v3", TO_64),
    memory("ds_v4", WITH_20_TO_64),
    memory("ds_v5", WITH_20_TO_96),
    memory("ads_v5", WITH_20_TO_96),
    memory("ads_v6", WITH_20_TO_96),
    memory("ds_v6", TO_192),
];

fn all() -> impl Iterator<Item = Size> {
    let burstable =
        BURSTABLE.into_iter().map(|(name, vcores)| (format!("Standard_{name}"), Tier::Burstable, vcores));
    let families = FAMILIES.iter().flat_map(|family| {
        family.vcores.iter().map(|vcores| {
            (format!("Standard_{}{vcores}{}", family.letter, family.suffix), family.tier, *vcores)
        })
    });
    burstable.chain(families).map(|(name, tier, vcores)| Size { name, tier, vcores })
}

/// The size with this name, in any case.
pub(in crate::azure) fn find(name: &str) -> Option<Size> {
    all().find(|size| size.name.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("Standard_B1ms", Some(Tier::Burstable))]
    #[case("standard_d4ds_V5", Some(Tier::GeneralPurpose))]
    #[case("Standard_E20ds_v5", Some(Tier::MemoryOptimized))]
    #[case("Standard_D20ds_v5", None)]
    #[case("B1ms", None)]
    fn a_size_belongs_to_a_tier(#[case] name: &str, #[case] tier: Option<Tier>) {
        assert_eq!(find(name).map(|size| size.tier), tier);
    }
}
