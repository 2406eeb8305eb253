//! Regions. A resource may name its region either way; Azure's database provider answers with the display name.
//! <https://learn.microsoft.com/azure/postgresql/overview#azure-regions>, of 2025-12-22.

use super::sizes::{Make, Size};

struct Region {
    display: &'static str,
    /// Generations of sizes on machines of Intel: `345` for v3, v4 and v5.
    intel: &'static str,
    amd: &'static str,
    confidential: &'static str,
    zones: Zones,
    is_paired: bool,
}

/// Whether zone-redundant servers are available.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Zones {
    Yes,
    /// Those that are there stay; new ones are "temporarily blocked".
    Full,
    None,
}

const PAIRED: bool = true;
const ALONE: bool = false;

const fn region(
    display: &'static str,
    intel: &'static str,
    amd: &'static str,
    confidential: &'static str,
    zones: Zones,
    is_paired: bool,
) -> Region {
    Region { display, intel, amd, confidential, zones, is_paired }
}

const REGIONS: [Region; 63] = [
    region("Australia Central", "345", "", "", Zones::None, PAIRED),
    region("Australia Central 2", "345", "", "", Zones::None, ALONE),
    region("Australia East", "3456", "5", "", Zones::Yes, PAIRED),
    region("Australia Southeast", "345", "", "", Zones::None, PAIRED),
    region("Austria East", "345", "5", "", Zones::Yes, ALONE),
    region("Belgium Central", "345", "5", "", Zones::Yes, ALONE),
    region("Brazil South", "345", "", "", Zones::Full, ALONE),
    region("Brazil Southeast", "345", "", "", Zones::None, ALONE),
    region("Canada Central", "345", "5", "", Zones::Yes, PAIRED),
    region("Canada East", "345", "5", "", Zones::None, PAIRED),
    region("Central India", "345", "", "", Zones::Full, PAIRED),
    region("Central US", "345", "", "", Zones::Yes, PAIRED),
    region("Chile Central", "345", "5", "", Zones::Yes, ALONE),
    region("China East 2", "34", "", "", Zones::None, ALONE),
    region("China East 3", "34", "", "", Zones::None, PAIRED),
    region("China North 2", "34", "", "", Zones::None, ALONE),
    region("China North 3", "345", "", "", Zones::Yes, PAIRED),
    region("East Asia", "345", "6", "", Zones::Full, PAIRED),
    region("East US", "345", "5", "", Zones::Full, PAIRED),
    region("East US 2", "34", "", "", Zones::Full, PAIRED),
    region("France Central", "345", "", "", Zones::Yes, PAIRED),
    region("France South", "345", "", "", Zones::None, PAIRED),
    region("Germany North", "345", "", "", Zones::None, PAIRED),
    region("Germany West Central", "345", "", "", Zones::Full, PAIRED),
    region("Indonesia Central", "345", "56", "", Zones::Yes, ALONE),
    region("Israel Central", "34", "", "", Zones::Yes, ALONE),
    region("Italy North", "345", "", "", Zones::Yes, ALONE),
    region("Japan East", "34", "", "", Zones::Yes, PAIRED),
    region("Japan West", "345", "6", "", Zones::None, PAIRED),
    region("Jio India Central", "3", "", "", Zones::None, PAIRED),
    region("Jio India West", "3", "", "", Zones::None, PAIRED),
    region("Korea Central", "345", "", "", Zones::Yes, PAIRED),
    region("Korea South", "345", "", "", Zones::None, PAIRED),
    region("Malaysia West", "345", "56", "", Zones::Yes, ALONE),
    region("Mexico Central", "34", "", "", Zones::Full, ALONE),
    region("New Zealand North", "345", "", "", Zones::Yes, ALONE),
    region("North Central US", "345", "5", "", Zones::None, PAIRED),
    region("North Europe", "345", "", "5", Zones::Full, PAIRED),
    region("Norway East", "345", "5", "", Zones::Yes, PAIRED),
    region("Norway West", "345", "", "", Zones::None, PAIRED),
    region("Poland Central", "34", "", "", Zones::Yes, ALONE),
    region("Qatar Central", "34", "", "", Zones::Full, ALONE),
    region("South Africa North", "345", "", "", Zones::Yes, PAIRED),
    region("South Africa West", "345", "", "", Zones::None, PAIRED),
    region("South Central US", "34", "", "", Zones::Full, PAIRED),
    region("South India", "345", "6", "", Zones::Yes, PAIRED),
    region("Southeast Asia", "34", "", "", Zones::Full, PAIRED),
    region("Spain Central", "34", "", "", Zones::Yes, ALONE),
    region("Sweden Central", "345", "", "", Zones::Yes, PAIRED),
    region("Switzerland North", "345", "", "", Zones::Yes, PAIRED),
    region("Switzerland West", "345", "", "", Zones::None, PAIRED),
    region("UAE Central", "345", "", "", Zones::None, PAIRED),
    region("UAE North", "345", "", "5", Zones::Yes, PAIRED),
    region("UK South", "345", "5", "", Zones::Yes, PAIRED),
    region("UK West", "345", "5", "", Zones::None, PAIRED),
    region("US Gov Arizona", "34", "", "", Zones::None, ALONE),
    region("US Gov Texas", "34", "", "", Zones::None, ALONE),
    region("US Gov Virginia", "34", "", "", Zones::Yes, PAIRED),
    region("West Central US", "345", "", "", Zones::None, PAIRED),
    region("West Europe", "345", "", "5", Zones::Full, PAIRED),
    region("West US", "345", "5", "", Zones::None, PAIRED),
    region("West US 2", "34", "", "", Zones::Full, PAIRED),
    region("West US 3", "345", "5", "", Zones::Yes, ALONE),
];

/// <https://learn.microsoft.com/azure/reliability/regions-paired>
const PAIRS: [(&str, &str); 26] = [
    ("Australia Central", "Australia Central 2"),
    ("Australia East", "Australia Southeast"),
    ("Canada Central", "Canada East"),
    ("Central India", "South India"),
    ("Central US", "East US 2"),
    ("China East 2", "China North 2"),
    ("China East 3", "China North 3"),
    ("East Asia", "Southeast Asia"),
    ("East US", "West US"),
    ("France Central", "France South"),
    ("Germany West Central", "Germany North"),
    ("Japan East", "Japan West"),
    ("Jio India Central", "Jio India West"),
    ("Korea Central", "Korea South"),
    ("North Central US", "South Central US"),
    ("North Europe", "West Europe"),
    ("Norway East", "Norway West"),
    ("South Africa North", "South Africa West"),
    ("Sweden Central", "Sweden South"),
    ("Switzerland North", "Switzerland West"),
    ("UAE North", "UAE Central"),
    ("UK South", "UK West"),
    // Arizona comes after: Texas is first of all the pair of Virginia.
    ("US Gov Virginia", "US Gov Texas"),
    ("US Gov Arizona", "US Gov Texas"),
    ("West US 2", "West Central US"),
    ("West India", "South India"),
];

fn find(location: &str) -> Option<&'static Region> {
    let short = short_name(location);
    REGIONS.iter().find(|region| short_name(region.display) == short)
}

/// `norwayeast` for `Norway East`.
pub(in crate::azure) fn short_name(location: &str) -> String {
    location.chars().filter(|character| !character.is_whitespace()).collect::<String>().to_lowercase()
}

/// `Norway East` for `norwayeast`; `None` for what is not a region.
pub(in crate::azure) fn display_name(location: &str) -> Option<&'static str> {
    find(location).map(|region| region.display)
}

/// Whether a region has zone-redundant servers.
pub(in crate::azure) fn has_zones(location: &str) -> bool {
    find(location).is_some_and(|region| region.zones != Zones::None)
}

/// Whether more servers can become zone-redundant there.
pub(in crate::azure) fn takes_new_zonal(location: &str) -> bool {
    find(location).is_some_and(|region| region.zones == Zones::Yes)
}

/// Whether a region has another one that its backups can be copied to.
pub(in crate::azure) fn is_paired(location: &str) -> bool {
    find(location).is_some_and(|region| region.is_paired)
}

/// The region that a region's backups are copied to, which is its pair.
pub(in crate::azure) fn pair_of(location: &str) -> Option<&'static str> {
    let short = short_name(location);
    PAIRS.iter().find_map(|(one, other)| {
        if short_name(one) == short { Some(*other) } else { (short_name(other) == short).then_some(*one) }
    })
}

/// Whether a region has machines for this size.
pub(in crate::azure) fn sells(location: &str, size: &Size) -> bool {
    let has = |generations: &str| {
        size.generation().is_some_and(|generation| generations.contains(&generation.to_string()))
    };
    find(location).is_some_and(|region| match size.make() {
        Make::Any => true,
        Make::Intel => has(region.intel),
        Make::Amd => has(region.amd),
        Make::Confidential => has(region.confidential),
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{super::sizes, *};

    #[rstest]
    #[case("norwayeast", Some("Norway East"))]
    #[case("Norway East", Some("Norway East"))]
    #[case("southcentralus", Some("South Central US"))]
    #[case("atlantis", None)]
    fn a_region_has_two_names(#[case] location: &str, #[case] display: Option<&str>) {
        assert_eq!(display_name(location), display);
    }

    #[rstest]
    #[case("Norway East", (true, true), true)]
    #[case("norwaywest", (false, false), true)]
    #[case("westeurope", (true, false), true)]
    #[case("polandcentral", (true, true), false)]
    #[case("southindia", (true, true), true)]
    #[case("brazilsouth", (true, false), false)]
    #[case("atlantis", (false, false), false)]
    fn not_every_region_has_everything(
        #[case] location: &str,
        #[case] zones: (bool, bool),
        #[case] paired: bool,
    ) {
        assert_eq!((has_zones(location), takes_new_zonal(location)), zones);
        assert_eq!(is_paired(location), paired);
    }

    #[test]
    fn every_paired_region_has_a_pair() {
        assert_eq!(pair_of("norwayeast"), Some("Norway West"));
        assert_eq!(pair_of("Norway West"), Some("Norway East"));
        for region in REGIONS.iter().filter(|region| region.is_paired) {
            assert!(pair_of(region.display).is_some(), "{}", region.display);
        }
    }

    #[rstest]
    #[case("norwayeast", "Standard_B1ms", true)]
    #[case("norwayeast", "Standard_D2ds_v5", true)]
    #[case("norwayeast", "Standard_D2ads_v5", true)]
    #[case("norwayeast", "Standard_D2ds_v6", false)]
    #[case("norwayeast", "Standard_DC2ads_v5", false)]
    #[case("westeurope", "Standard_DC2ads_v5", true)]
    #[case("westeurope", "Standard_D2ads_v5", false)]
    #[case("australiaeast", "Standard_D2ds_v6", true)]
    #[case("eastasia", "Standard_D2ads_v6", true)]
    #[case("eastus2", "Standard_D2ds_v5", false)]
    #[case("atlantis", "Standard_B1ms", false)]
    fn not_every_region_has_every_size(#[case] location: &str, #[case] size: &str, #[case] sold: bool) {
        assert_eq!(sells(location, sizes::find(size).expect("a size")), sold);
    }
}
