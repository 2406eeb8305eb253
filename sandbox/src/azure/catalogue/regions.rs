//! Regions. A resource may name its region either way; Azure's database provider answers with the display name.
//! <https://learn.microsoft.com/azure/reliability/regions-list>

const REGIONS: [(&str, &str); 24] = [
    ("australiaeast", "Australia East"),
    ("brazilsouth", "Brazil South"),
    ("canadacentral", "Canada Central"),
    ("centralindia", "Central India"),
    ("centralus", "Central US"),
    ("eastasia", "East Asia"),
    ("eastus", "East US"),
    ("eastus2", "East US 2"),
    ("francecentral", "France Central"),
    ("germanywestcentral", "Germany West Central"),
    ("italynorth", "Italy North"),
    ("japaneast", "Japan East"),
    ("northeurope", "North Europe"),
    ("norwayeast", "Norway East"),
    ("norwaywest", "Norway West"),
    ("polandcentral", "Poland Central"),
    ("southeastasia", "Southeast Asia"),
    ("swedencentral", "Sweden Central"),
    ("switzerlandnorth", "Switzerland North"),
    ("uksouth", "UK South"),
    ("ukwest", "UK West"),
    ("westeurope", "West Europe"),
    ("westus2", "West US 2"),
    ("westus3", "West US 3"),
];

/// `norwayeast` for `Norway East`.
pub(in crate::azure) fn short_name(location: &str) -> String {
    location.chars().filter(|character| !character.is_whitespace()).collect::<String>().to_lowercase()
}

/// `Norway East` for `norwayeast`; `None` for what is no region.
pub(in crate::azure) fn display_name(location: &str) -> Option<&'static str> {
    let short = short_name(location);
    REGIONS.iter().find(|(name, _)| *name == short).map(|(_, display)| *display)
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
}
