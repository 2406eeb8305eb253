//! Compute sizes and tiers.
//! <https://learn.microsoft.com/azure/postgresql/compute-storage/concepts-compute>

use crate::azure::{
    arm::{errors::ArmError, server::Server},
    catalogue::sizes::{self, Size, Tier},
};

/// How the provider refuses what is not in one of its lists.
pub(super) fn out_of_range<'a>(parameter: &str, offered: impl Iterator<Item = &'a str>) -> ArmError {
    let offered: Vec<&str> = offered.collect();
    ArmError::bad_request(
        "ParameterOutOfRange",
        format!(
            "The value of the '{parameter}' should be in: [{}]. Verify that the specified parameter value is correct.",
            offered.join(",")
        ),
    )
}

/// The tier must be the one the size belongs to. Of a size that isn't known, [`super::region`] says more.
pub(super) fn tier_matches_size(current: Option<&Server>, requested: &Server) -> Result<(), ArmError> {
    match (requested.sku.tier.as_deref(), size(current, requested)) {
        (Some(tier), Some(size)) if size.tier.name() != tier => {
            Err(ArmError::invalid_parameter("Tier").target("sku.tier"))
        }
        _ => Ok(()),
    }
}

fn size<'a>(current: Option<&'a Server>, requested: &'a Server) -> Option<&'static Size> {
    Server::effective(current, requested, |server| server.sku.name.as_deref()).and_then(sizes::find)
}

/// Sizes of version 6 isn't available in a virtual network. In which words Azure says so is not known.
/// <https://learn.microsoft.com/azure/postgresql/overview#azure-regions>
pub(super) fn v6_is_not_in_a_network(current: Option<&Server>, requested: &Server) -> Result<(), ArmError> {
    let subnet = Server::effective(current, requested, |server| {
        server.properties.network.delegated_subnet_resource_id.as_deref()
    });
    match size(current, requested) {
        Some(size) if size.is_v6() && subnet.is_some() => Err(ArmError::invalid_parameter_because(
            "Sku",
            "Sizes of version 6 are not available in a virtual network.",
        )
        .target("sku.name")),
        _ => Ok(()),
    }
}

/// A server doesn't go from a burstable size to one of version 6, nor back. In which words Azure says so is not known.
/// <https://learn.microsoft.com/azure/postgresql/overview#azure-regions>
pub(super) fn v6_and_burstable_dont_meet(
    current: Option<&Server>,
    requested: &Server,
) -> Result<(), ArmError> {
    let Some(before) = current.and_then(|current| sizes::find(current.sku.name.as_deref()?)) else {
        return Ok(());
    };
    let Some(after) = size(current, requested) else { return Ok(()) };
    let meet = |one: &Size, other: &Size| one.is_v6() && other.tier == Tier::Burstable;
    if meet(before, after) || meet(after, before) {
        return Err(ArmError::invalid_parameter_because(
            "Sku",
            "A server can't be scaled between the Burstable tier and sizes of version 6.",
        )
        .target("sku.name"));
    }
    Ok(())
}

/// The tier that the server has, or will have.
pub(super) fn tier(current: Option<&Server>, requested: &Server) -> Option<Tier> {
    Server::effective(current, requested, |server| server.sku.name.as_deref())
        .and_then(sizes::find)
        .map(|size| size.tier)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::{
        super::testing::{code, plain, server},
        *,
    };

    #[rstest]
    #[case::matching("Standard_B1ms", "Burstable", None)]
    #[case::unknown_size("Standard_X1", "Burstable", None)]
    #[case::other_tier("Standard_B1ms", "GeneralPurpose", Some("InvalidParameterValue"))]
    #[case::unknown_tier("Standard_B1ms", "burstable", Some("InvalidParameterValue"))]
    fn a_size_goes_with_its_tier(#[case] name: &str, #[case] tier: &str, #[case] expected: Option<&str>) {
        let requested = server(json!({"sku": {"name": name, "tier": tier}}));
        assert_eq!(code(tier_matches_size(None, &requested)).as_deref(), expected);
    }

    #[test]
    fn a_tier_alone_is_judged_by_the_size_that_exists() {
        let requested = server(json!({"sku": {"tier": "Burstable"}}));
        assert!(tier_matches_size(Some(&plain()), &requested).is_err());
    }

    #[rstest]
    #[case("Standard_D2ds_v6", true, false)]
    #[case("Standard_D2ds_v6", false, true)]
    #[case("Standard_D2ds_v5", true, true)]
    fn version_6_is_not_in_a_network(#[case] size: &str, #[case] private: bool, #[case] allowed: bool) {
        let subnet = private.then_some("/s");
        let network = json!({"network": {"delegatedSubnetResourceId": subnet}});
        let new = server(json!({"sku": {"name": size}, "properties": network}));
        assert_eq!(v6_is_not_in_a_network(None, &new).is_ok(), allowed);
        let current = server(json!({"sku": {"name": "Standard_D2ds_v4"}, "properties": network}));
        let change = server(json!({"sku": {"name": size}}));
        assert_eq!(v6_is_not_in_a_network(Some(&current), &change).is_ok(), allowed);
    }

    #[rstest]
    #[case("Standard_B1ms", "Standard_D2ds_v6", false)]
    #[case("Standard_E2ds_v6", "Standard_B1ms", false)]
    #[case("Standard_B1ms", "Standard_D2ds_v5", true)]
    #[case("Standard_D2ds_v6", "Standard_D4ds_v6", true)]
    fn version_6_and_burstable_dont_meet(#[case] before: &str, #[case] after: &str, #[case] allowed: bool) {
        let [before, after] = [before, after].map(|size| server(json!({"sku": {"name": size}})));
        assert_eq!(v6_and_burstable_dont_meet(Some(&before), &after).is_ok(), allowed);
        assert_eq!(v6_and_burstable_dont_meet(None, &after), Ok(()));
    }
}
