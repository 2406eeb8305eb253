//! What a region of Azure lacks. A region that isn't named here is taken to have everything: Azure adds regions, and
//! what it refuses itself is reported in the status.
//!
//! Source: "Azure regions list" (<https://learn.microsoft.com/azure/reliability/regions-list>).

/// Regions without availability zones.
#[rustfmt::skip]
const WITHOUT_ZONES: &[&str] = &[
    "australiacentral", "australiacentral2", "australiasoutheast", "brazilsoutheast", "canadaeast", "francesouth",
    "germanynorth", "jioindiacentral", "jioindiawest", "koreasouth", "northcentralus", "norwaywest",
    "southafricawest", "southindia", "swedensouth", "switzerlandwest", "uaecentral", "ukwest", "westcentralus",
    "westindia", "westus",
];

/// Regions without a paired one, which geo-redundant backups would be copied to.
#[rustfmt::skip]
const WITHOUT_PAIR: &[&str] = &[
    "austriaeast", "belgiumcentral", "chilecentral", "indonesiacentral", "israelcentral", "italynorth",
    "malaysiawest", "mexicocentral", "newzealandnorth", "polandcentral", "qatarcentral", "spaincentral",
];

/// Whether a standby can stand in another zone of the region.
pub fn has_zones(location: &str) -> bool {
    !WITHOUT_ZONES.contains(&location)
}

/// Whether backups can be copied to another region.
pub fn is_paired(location: &str) -> bool {
    !WITHOUT_PAIR.contains(&location)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("norwayeast", true, true)]
    #[case("norwaywest", false, true)]
    #[case("polandcentral", true, false)]
    #[case("opened-tomorrow", true, true)]
    fn a_region_lacks_what_is_listed(#[case] location: &str, #[case] zones: bool, #[case] paired: bool) {
        assert_eq!((has_zones(location), is_paired(location)), (zones, paired));
    }
}
