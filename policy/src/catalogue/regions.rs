//! What a region of Azure has.
//!
//! Source: the table of regions in "What is Azure Database for PostgreSQL"
//! (<https://learn.microsoft.com/azure/postgresql/overview#azure-regions>), of 2025-12-22. Which of the older sizes a region has
//! changes with what is free there, so nothing is said of them.

use wildmatch::WildMatch;

use super::{Hardware, Size};
use Hardware::{AmdV6, Confidential, IntelV6};

/// Whether a standby can stand in another zone of the region.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Zones {
    Open,
    /// There are zones, but Azure has stopped taking new such standbys for a while.
    Closed,
    None,
}

/// A region, as far as it is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Region {
    pub zones: Zones,
    /// Whether there is a paired region, which geo-redundant backups are copied to.
    pub is_paired: bool,
    pub(crate) sizes: Sizes,
}

/// Which sizes a region has.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Sizes {
    All,
    /// All but those that need other hardware.
    With(&'static [Hardware]),
    /// Those that the policy names.
    Named(Vec<WildMatch>),
}

impl Region {
    /// The one of that name; one that isn't known has everything.
    pub fn known(location: &str) -> Self {
        let found = REGIONS.iter().find(|(name, ..)| *name == location);
        found.map_or(
            Self { zones: Zones::Open, is_paired: true, sizes: Sizes::All },
            |&(_, zones, is_paired, hardware)| Self { zones, is_paired, sizes: Sizes::With(hardware) },
        )
    }

    /// Whether servers of this size are available in it.
    pub fn has(&self, size: &Size) -> bool {
        match &self.sizes {
            Sizes::All => true,
            Sizes::With(hardware) => size.hardware().is_none_or(|needed| hardware.contains(&needed)),
            Sizes::Named(patterns) => {
                let name = size.name.to_ascii_lowercase();
                patterns.iter().any(|pattern| pattern.matches(&name))
            }
        }
    }
}

const PAIRED: bool = true;
const ALONE: bool = false;

/// Name, zones, pair, and the hardware beyond what every region has.
#[rustfmt::skip] // A table is read line by line.
const REGIONS: &[(&str, Zones, bool, &[Hardware])] = &[
    ("australiacentral", Zones::None, PAIRED, &[]),
    ("australiacentral2", Zones::None, ALONE, &[]),
    ("australiaeast", Zones::Open, PAIRED, &[IntelV6]),
    ("australiasoutheast", Zones::None, PAIRED, &[]),
    ("austriaeast", Zones::Open, ALONE, &[]),
    ("belgiumcentral", Zones::Open, ALONE, &[]),
    ("brazilsouth", Zones::Closed, ALONE, &[]),
    ("brazilsoutheast", Zones::None, ALONE, &[]),
    ("canadacentral", Zones::Open, PAIRED, &[]),
    ("canadaeast", Zones::None, PAIRED, &[]),
    ("centralindia", Zones::Closed, PAIRED, &[]),
    ("centralus", Zones::Open, PAIRED, &[]),
    ("chilecentral", Zones::Open, ALONE, &[]),
    ("chinaeast2", Zones::None, ALONE, &[]),
    ("chinaeast3", Zones::None, PAIRED, &[]),
    ("chinanorth2", Zones::None, ALONE, &[]),
    ("chinanorth3", Zones::Open, PAIRED, &[]),
    ("eastasia", Zones::Closed, PAIRED, &[AmdV6]),
    ("eastus", Zones::Closed, PAIRED, &[]),
    ("eastus2", Zones::Closed, PAIRED, &[]),
    ("francecentral", Zones::Open, PAIRED, &[]),
    ("francesouth", Zones::None, PAIRED, &[]),
    ("germanynorth", Zones::None, PAIRED, &[]),
    ("germanywestcentral", Zones::Closed, PAIRED, &[]),
    ("indonesiacentral", Zones::Open, ALONE, &[AmdV6]),
    ("israelcentral", Zones::Open, ALONE, &[]),
    ("italynorth", Zones::Open, ALONE, &[]),
    ("japaneast", Zones::Open, PAIRED, &[]),
    ("japanwest", Zones::None, PAIRED, &[AmdV6]),
    ("jioindiacentral", Zones::None, PAIRED, &[]),
    ("jioindiawest", Zones::None, PAIRED, &[]),
    ("koreacentral", Zones::Open, PAIRED, &[]),
    ("koreasouth", Zones::None, PAIRED, &[]),
    ("malaysiawest", Zones::Open, ALONE, &[AmdV6]),
    ("mexicocentral", Zones::Closed, ALONE, &[]),
    ("newzealandnorth", Zones::Open, ALONE, &[]),
    ("northcentralus", Zones::None, PAIRED, &[]),
    ("northeurope", Zones::Closed, PAIRED, &[Confidential]),
    ("norwayeast", Zones::Open, PAIRED, &[]),
    ("norwaywest", Zones::None, PAIRED, &[]),
    ("polandcentral", Zones::Open, ALONE, &[]),
    ("qatarcentral", Zones::Closed, ALONE, &[]),
    ("southafricanorth", Zones::Open, PAIRED, &[]),
    ("southafricawest", Zones::None, PAIRED, &[]),
    ("southcentralus", Zones::Closed, PAIRED, &[]),
    ("southeastasia", Zones::Closed, PAIRED, &[]),
    ("southindia", Zones::Open, PAIRED, &[AmdV6]),
    ("spaincentral", Zones::Open, ALONE, &[]),
    ("swedencentral", Zones::Open, PAIRED, &[]),
    ("switzerlandnorth", Zones::Open, PAIRED, &[]),
    ("switzerlandwest", Zones::None, PAIRED, &[]),
    ("uaecentral", Zones::None, PAIRED, &[]),
    ("uaenorth", Zones::Open, PAIRED, &[Confidential]),
    ("uksouth", Zones::Open, PAIRED, &[]),
    ("ukwest", Zones::None, PAIRED, &[]),
    ("usgovarizona", Zones::None, ALONE, &[]),
    ("usgovtexas", Zones::None, ALONE, &[]),
    ("usgovvirginia", Zones::Open, PAIRED, &[]),
    ("westcentralus", Zones::None, PAIRED, &[]),
    ("westeurope", Zones::Closed, PAIRED, &[Confidential]),
    ("westus", Zones::None, PAIRED, &[]),
    ("westus2", Zones::Closed, PAIRED, &[]),
    ("westus3", Zones::Open, ALONE, &[]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;
    use rstest::rstest;

    #[rstest]
    #[case("norwayeast", Zones::Open, true)]
    #[case("norwaywest", Zones::None, true)]
    #[case("southindia", Zones::Open, true)]
    #[case("japanwest", Zones::None, true)]
    #[case("westeurope", Zones::Closed, true)]
    #[case("polandcentral", Zones::Open, false)]
    #[case("brazilsouth", Zones::Closed, false)]
    #[case("westus3", Zones::Open, false)]
    #[case("opened-tomorrow", Zones::Open, true)]
    fn a_region_lacks_what_is_listed(#[case] location: &str, #[case] zones: Zones, #[case] paired: bool) {
        let region = Region::known(location);
        assert_eq!((region.zones, region.is_paired), (zones, paired));
    }

    #[rstest]
    #[case("norwayeast", "Standard_D2ds_v5", true)]
    #[case("norwayeast", "Standard_D2ds_v6", false)]
    #[case("australiaeast", "Standard_D2ds_v6", true)]
    #[case("australiaeast", "Standard_D2ads_v6", false)]
    #[case("eastasia", "Standard_D2ads_v6", true)]
    #[case("norwayeast", "Standard_DC2ads_v5", false)]
    #[case("westeurope", "Standard_EC2ads_v5", true)]
    #[case("opened-tomorrow", "Standard_D2ds_v6", true)]
    fn a_region_has_the_sizes_for_which_it_has_the_hardware(
        #[case] location: &str,
        #[case] size: &str,
        #[case] expected: bool,
    ) {
        assert_eq!(Region::known(location).has(Catalogue::known().size(size).unwrap()), expected);
    }

    #[test]
    fn no_region_stands_twice() {
        assert!(REGIONS.is_sorted_by(|a, b| a.0 < b.0));
    }
}
