//! What a region offers, to everybody and to this subscription.
//! <https://learn.microsoft.com/azure/postgresql/overview#azure-regions>

use wildmatch::WildMatch;

use super::compute;
use crate::azure::{
    arm::{errors::ArmError, server::Server},
    catalogue::{
        regions,
        sizes::{self, Size},
    },
    circumstances::{Closed, Region},
};

/// A region can be closed to a subscription: no new server comes to be there, and those that are there stay. Azure
/// accepts the request, and its operation then fails.
pub(in crate::azure) fn is_open(
    current: Option<&Server>,
    requested: &Server,
    region: &Region,
) -> Result<(), ArmError> {
    let Some(closed) = region.closed.filter(|_| current.is_none()) else { return Ok(()) };
    let location = requested.location.as_deref().map(regions::short_name).unwrap_or_default();
    Err(match closed {
        Closed::OfferRestricted => ArmError::bad_request(
            "LocationIsOfferRestricted",
            format!(
                "Subscriptions are restricted from provisioning in location '{location}'. Try again in a different \
                 location. For exceptions to this rule, see how to request a quota increase in \
                 https://aka.ms/postgres-request-quota-increase."
            ),
        ),
        // hashicorp/terraform-provider-azurerm issues 21306 and 21757.
        Closed::NoVersions => compute::out_of_range("Version", std::iter::empty()),
    })
}

/// A size that the region has no machines for isn't available, neither for a new server nor for another that changes its size
/// (MicrosoftDocs/azure-docs issue 103996).
pub(in crate::azure) fn sells_size(
    current: Option<&Server>,
    requested: &Server,
    region: &Region,
) -> Result<(), ArmError> {
    let location = Server::effective(current, requested, |server| server.location.as_deref());
    let (Some(location), Some(wanted)) = (location, requested.sku.name.as_deref()) else { return Ok(()) };
    let has_it = current.and_then(|current| current.sku.name.as_deref());
    if has_it.is_some_and(|has_it| has_it.eq_ignore_ascii_case(wanted)) {
        return Ok(());
    }
    let sold = |size: &Size| {
        regions::sells(location, size)
            && region.sizes.as_ref().is_none_or(|patterns| {
                patterns.iter().any(|pattern| WildMatch::new(pattern).matches(&size.name))
            })
    };
    if sizes::find(wanted).is_some_and(sold) {
        return Ok(());
    }
    let offered = sizes::all().filter(|size| sold(size)).map(|size| size.name.as_str());
    Err(compute::out_of_range("Sku.Name", offered).target("sku.name"))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::{
        super::testing::{code, plain, server},
        *,
    };

    fn closed(closed: Closed) -> Region {
        Region { closed: Some(closed), ..Region::default() }
    }

    #[rstest]
    #[case::open(Region::default(), None)]
    #[case::restricted(closed(Closed::OfferRestricted), Some("LocationIsOfferRestricted"))]
    #[case::without_versions(closed(Closed::NoVersions), Some("ParameterOutOfRange"))]
    fn a_closed_region_takes_no_new_server(#[case] region: Region, #[case] expected: Option<&str>) {
        assert_eq!(code(is_open(None, &plain(), &region)).as_deref(), expected);
        assert_eq!(is_open(Some(&plain()), &plain(), &region), Ok(()));
    }

    #[test]
    fn a_region_without_versions_says_so_in_azures_words() {
        let refused = is_open(None, &plain(), &closed(Closed::NoVersions)).expect_err("closed");
        assert_eq!(
            refused.message,
            "The value of the 'Version' should be in: []. Verify that the specified parameter value is correct."
        );
    }

    #[rstest]
    #[case::sold("norwayeast", "Standard_D4ds_v5", None, true)]
    #[case::not_there("norwayeast", "Standard_D4ds_v6", None, false)]
    #[case::there("australiaeast", "Standard_D4ds_v6", None, true)]
    #[case::unknown("norwayeast", "Standard_X1", None, false)]
    #[case::kept_from_us("norwayeast", "Standard_D4ds_v5", Some("Standard_B*"), false)]
    #[case::left_to_us("norwayeast", "Standard_B2s", Some("Standard_B*"), true)]
    fn a_size_is_to_be_had_or_not(
        #[case] location: &str,
        #[case] size: &str,
        #[case] only: Option<&str>,
        #[case] sold: bool,
    ) {
        let region = Region { sizes: only.map(|only| vec![only.to_owned()]), ..Region::default() };
        let new = server(json!({"location": location, "sku": {"name": size}}));
        assert_eq!(
            code(sells_size(None, &new, &region)).as_deref(),
            (!sold).then_some("ParameterOutOfRange")
        );
        let existing = server(json!({"location": location, "sku": {"name": "Standard_B1ms"}}));
        let change = server(json!({"sku": {"name": size}}));
        assert_eq!(sells_size(Some(&existing), &change, &region).is_ok(), sold);
        assert_eq!(sells_size(Some(&new), &change, &region), Ok(()), "what it has, it keeps");
    }
}
