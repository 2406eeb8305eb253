//! Regions. A resource may name its region either way; Azure's database provider answers with the display name.
//! <https://learn.microsoft.com/azure/reliability/regions-list>

struct Region {
    name: &'static str,
    display: &'static str,
    has_zones: bool,
    is_paired: bool,
}

const PAIRED: bool = true;
const ALONE: bool = false;

const fn zonal(name: &'static str, display: &'static str, is_paired: bool) -> Region {
    Region { name, display, has_zones: true, is_paired }
}

const fn zoneless(name: &'static str, display: &'static str, is_paired: bool) -> Region {
    Region { name, display, has_zones: false, is_paired }
}

const REGIONS: [Region; 24] = [
    zonal("australiaeast", "Australia East", PAIRED),
    zonal("brazilsouth", "Brazil South", PAIRED),
    zonal("canadacentral", "Canada Central", PAIRED),
    zonal("centralindia", "Central India", PAIRED),
    zonal("centralus", "Central US", PAIRED),
    zonal("eastasia", "East Asia", PAIRED),
    zonal("eastus", "East US", PAIRED),
    zonal("eastus2", "East US 2", PAIRED),
    zonal("francecentral", "France Central", PAIRED),
    zonal("germanywestcentral", "Germany West Central", PAIRED),
    zonal("italynorth", "Italy North", ALONE),
    zonal("japaneast", "Japan East", PAIRED),
    zonal("northeurope", "North Europe", PAIRED),
    zonal("norwayeast", "Norway East", PAIRED),
    zoneless("norwaywest", "Norway West", PAIRED),
    zonal("polandcentral", "Poland Central", ALONE),
    zonal("southeastasia", "Southeast Asia", PAIRED),
    zonal("swedencentral", "Sweden Central", PAIRED),
    zonal("switzerlandnorth", "Switzerland North", PAIRED),
    zonal("uksouth", "UK South", PAIRED),
    zoneless("ukwest", "UK West", PAIRED),
    zonal("westeurope", "West Europe", PAIRED),
    zonal("westus2", "West US 2", PAIRED),
    zonal("westus3", "West US 3", PAIRED),
];

fn find(location: &str) -> Option<&'static Region> {
    let short = short_name(location);
    REGIONS.iter().find(|region| region.name == short)
}

/// `norwayeast` for `Norway East`.
pub(in crate::azure) fn short_name(location: &str) -> String {
    location.chars().filter(|character| !character.is_whitespace()).collect::<String>().to_lowercase()
}

/// `Norway East` for `norwayeast`; `None` for what is no region.
pub(in crate::azure) fn display_name(location: &str) -> Option<&'static str> {
    find(location).map(|region| region.display)
}

/// Whether a region has availability zones.
pub(in crate::azure) fn has_zones(location: &str) -> bool {
    find(location).is_some_and(|region| region.has_zones)
}

/// Whether a region has another one that its backups can be copied to.
pub(in crate::azure) fn is_paired(location: &str) -> bool {
    find(location).is_some_and(|region| region.is_paired)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("norwayeast", Some("Norway East"))]
    #[case("Norway East", Some("Norway East"))]
    #[case("atlantis", None)]
    fn a_region_has_two_names(#[case] location: &str, #[case] display: Option<&str>) {
        assert_eq!(display_name(location), display);
    }

    #[rstest]
    #[case("Norway East", true, true)]
    #[case("norwaywest", false, true)]
    #[case("polandcentral", true, false)]
    #[case("atlantis", false, false)]
    fn not_every_region_has_everything(#[case] location: &str, #[case] zones: bool, #[case] paired: bool) {
        assert_eq!((has_zones(location), is_paired(location)), (zones, paired));
    }
}
