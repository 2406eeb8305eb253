//! What is fixed when a server is created.

use crate::azure::{
    arm::{
        errors::ArmError,
        server::{Server, is_enabled},
    },
    catalogue::regions,
};

/// A resource stays in its region.
/// <https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/error-invalid-resource-location>
pub(super) fn location(current: Option<&Server>, requested: &Server) -> Result<(), ArmError> {
    let wanted = requested.location.as_deref();
    match (current.and_then(|current| current.location.as_deref()), wanted) {
        (Some(current), Some(wanted)) if regions::short_name(current) != regions::short_name(wanted) => {
            Err(ArmError::conflict(
                "InvalidResourceLocation",
                format!(
                    "The resource already exists in location '{}'. A resource with the same name cannot be created \
                     in location '{}'. Please select a new resource name.",
                    regions::short_name(current),
                    regions::short_name(wanted)
                ),
            ))
        }
        (None, Some(wanted)) if regions::display_name(wanted).is_none() => Err(ArmError::bad_request(
            "LocationNotAvailableForResourceType",
            format!(
                "The provided location '{wanted}' is not available for resource type \
                 'Microsoft.DBforPostgreSQL/flexibleServers'."
            ),
        )),
        _ => Ok(()),
    }
}

/// The administrator's name can be set once, at creation or when passwords are first enabled.
/// <https://learn.microsoft.com/rest/api/postgresql/servers/update>
pub(super) fn administrator_login(current: Option<&Server>, requested: &Server) -> Result<(), ArmError> {
    let before = current.and_then(|current| current.properties.administrator_login.as_deref());
    match (before, requested.properties.administrator_login.as_deref()) {
        (Some(before), Some(wanted)) if before != wanted => {
            Err(ArmError::fixed("properties.administratorLogin"))
        }
        _ => Ok(()),
    }
}

/// Public access or a virtual network is chosen once, and so is the subnet.
/// <https://learn.microsoft.com/azure/postgresql/network/concepts-networking-private>
pub(super) fn network(current: Option<&Server>, requested: &Server) -> Result<(), ArmError> {
    let Some(current) = current else { return Ok(()) };
    let before = current.properties.network.delegated_subnet_resource_id.as_deref();
    let wanted = &requested.properties.network;
    match (before, wanted.delegated_subnet_resource_id.as_deref()) {
        (Some(before), Some(wanted)) if !before.eq_ignore_ascii_case(wanted) => {
            Err(ArmError::fixed("properties.network.delegatedSubnetResourceId"))
        }
        (None, Some(_)) => Err(ArmError::fixed("properties.network.delegatedSubnetResourceId")),
        (Some(_), _) if is_enabled(wanted.public_network_access.as_deref()) => {
            Err(ArmError::fixed("properties.network.publicNetworkAccess"))
        }
        _ => Ok(()),
    }
}

/// Geo-redundant backup is chosen once.
/// <https://learn.microsoft.com/azure/postgresql/backup-restore/concepts-backup-restore#geo-redundant-backup-and-restore>
pub(super) fn geo_redundant_backup(current: Option<&Server>, requested: &Server) -> Result<(), ArmError> {
    let Some(current) = current else { return Ok(()) };
    let before = is_enabled(current.properties.backup.geo_redundant_backup.as_deref());
    match requested.properties.backup.geo_redundant_backup.as_deref() {
        Some(wanted) if is_enabled(Some(wanted)) != before => {
            Err(ArmError::fixed("properties.backup.geoRedundantBackup"))
        }
        _ => Ok(()),
    }
}

/// Moving from Premium SSD to Premium SSD v2, or back, takes a restore.
/// <https://learn.microsoft.com/azure/postgresql/compute-storage/concepts-storage-premium-ssd-v2>
pub(super) fn storage_type(current: Option<&Server>, requested: &Server) -> Result<(), ArmError> {
    let named = |server: &Server| {
        let named = server.properties.storage.kind.clone().unwrap_or_default();
        // The provider shows plain Premium SSD as an empty string.
        if named.is_empty() { "Premium_LRS".to_owned() } else { named }
    };
    match (current, &requested.properties.storage.kind) {
        (Some(current), Some(_)) if named(current) != named(requested) => {
            Err(ArmError::fixed("properties.storage.type"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::{
        super::testing::{asking, code, plain, plain_with, server},
        *,
    };

    #[rstest]
    #[case::same("norwayeast", None)]
    #[case::display_name("Norway East", None)]
    #[case::other("westeurope", Some("InvalidResourceLocation"))]
    fn a_server_stays_in_its_region(#[case] location: &str, #[case] expected: Option<&str>) {
        let requested = server(json!({"location": location}));
        assert_eq!(code(super::location(Some(&plain()), &requested)).as_deref(), expected);
    }

    #[test]
    fn an_unknown_region_is_refused() {
        let requested = server(json!({"location": "atlantis"}));
        assert_eq!(code(location(None, &requested)).as_deref(), Some("LocationNotAvailableForResourceType"));
    }

    const SUBNET: &str =
        "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/v/subnets/a";

    #[rstest]
    #[case::login(json!({}), json!({"administratorLogin": "somebody"}), false)]
    #[case::same_login(json!({}), json!({"administratorLogin": "dbadmin"}), true)]
    #[case::into_a_network(json!({}), json!({"network": {"delegatedSubnetResourceId": SUBNET}}), false)]
    #[case::within_a_network(
        json!({"network": {"delegatedSubnetResourceId": SUBNET}}),
        json!({"network": {"delegatedSubnetResourceId": SUBNET.to_uppercase()}}),
        true
    )]
    #[case::other_subnet(
        json!({"network": {"delegatedSubnetResourceId": SUBNET}}),
        json!({"network": {"delegatedSubnetResourceId": "/other"}}),
        false
    )]
    #[case::out_of_a_network(
        json!({"network": {"delegatedSubnetResourceId": SUBNET}}),
        json!({"network": {"publicNetworkAccess": "Enabled"}}),
        false
    )]
    #[case::public_access_off(json!({}), json!({"network": {"publicNetworkAccess": "Disabled"}}), true)]
    #[case::geo_redundancy(json!({}), json!({"backup": {"geoRedundantBackup": "Enabled"}}), false)]
    #[case::no_geo_redundancy(json!({}), json!({"backup": {"geoRedundantBackup": "Disabled"}}), true)]
    #[case::storage_type(json!({}), json!({"storage": {"type": "PremiumV2_LRS"}}), false)]
    #[case::same_storage_type(json!({"storage": {"type": ""}}), json!({"storage": {"type": "Premium_LRS"}}), true)]
    fn some_properties_are_fixed(#[case] current: Value, #[case] requested: Value, #[case] allowed: bool) {
        let (current, requested) = (plain_with(current), asking(requested));
        let rules = [administrator_login, network, geo_redundant_backup, storage_type];
        let result = rules.iter().try_for_each(|rule| rule(Some(&current), &requested));
        assert_eq!(code(result).as_deref(), (!allowed).then_some("PropertyChangeNotAllowed"));
    }
}
