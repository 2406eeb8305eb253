//! Compute sizes and tiers.
//! <https://learn.microsoft.com/azure/postgresql/compute-storage/concepts-compute>

use crate::azure::{
    arm::{errors::ArmError, server::Server},
    catalogue::sizes::{self, Tier},
};

/// Only sizes in the catalogue can be had.
pub(super) fn size_is_known(_: Option<&Server>, requested: &Server) -> Result<(), ArmError> {
    match requested.sku.name.as_deref() {
        Some(name) if sizes::find(name).is_none() => {
            Err(ArmError::invalid_parameter("Sku").target("sku.name"))
        }
        _ => Ok(()),
    }
}

/// The tier must be the one the size belongs to.
pub(super) fn tier_matches_size(current: Option<&Server>, requested: &Server) -> Result<(), ArmError> {
    let Some(tier) = requested.sku.tier.as_deref() else { return Ok(()) };
    let size =
        Server::effective(current, requested, |server| server.sku.name.as_deref()).and_then(sizes::find);
    match size {
        Some(size) if size.tier.name() == tier => Ok(()),
        _ => Err(ArmError::invalid_parameter("Tier").target("sku.tier")),
    }
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
    #[case::unknown_size("Standard_X1", "Burstable", Some("InvalidParameterValue"))]
    #[case::other_tier("Standard_B1ms", "GeneralPurpose", Some("InvalidParameterValue"))]
    #[case::unknown_tier("Standard_B1ms", "burstable", Some("InvalidParameterValue"))]
    fn a_size_goes_with_its_tier(#[case] name: &str, #[case] tier: &str, #[case] expected: Option<&str>) {
        let requested = server(json!({"sku": {"name": name, "tier": tier}}));
        let result = size_is_known(None, &requested).and_then(|()| tier_matches_size(None, &requested));
        assert_eq!(code(result).as_deref(), expected);
    }

    #[test]
    fn a_tier_alone_is_judged_by_the_size_that_exists() {
        let requested = server(json!({"sku": {"tier": "Burstable"}}));
        assert!(tier_matches_size(Some(&plain()), &requested).is_err());
    }
}
