//! What a new server needs, and in which ways one comes to be.
//! <https://learn.microsoft.com/rest/api/postgresql/servers/create-or-update>

use super::restore;
use crate::azure::arm::{
    errors::ArmError,
    server::{Server, is_enabled},
};

const CREATE_MODE: &str = "properties.createMode";

/// A mode that makes a server can't be sent again for one that exists; see ASO's issue 5086.
pub(super) fn mode_suits(current: Option<&Server>, requested: &Server) -> Result<(), ArmError> {
    let mode = requested.properties.create_mode.as_deref();
    match (mode, current) {
        (None | Some("Default" | "Create"), _) | (Some("Update"), Some(_)) => Ok(()),
        (Some(restore::MODE | restore::REVIVE), None) => {
            restore_names_source(requested)?;
            restore_names_time(requested)
        }
        // There are only the last data.
        (Some(restore::GEO), None) => restore_names_source(requested),
        (Some("Replica"), Some(_)) => Err(ArmError::bad_request(
            "ReadReplicaAlreadyExist",
            "The read replica already exists. Its create mode can't be sent again.",
        )),
        (Some(restore::MODE | restore::GEO | restore::REVIVE), Some(_)) => {
            Err(ArmError::conflict("ServerNameAlreadyExists", "Specified server name is already used."))
        }
        // Azure has these; a client that comes to need one finds out here instead of in a false success.
        (Some("Replica"), None) => Err(ArmError::new(
            501,
            "NotImplemented",
            "This stand-in for Azure does not offer that create mode.",
        )),
        _ => Err(ArmError::invalid_parameter("CreateMode").target(CREATE_MODE)),
    }
}

/// A restore says of which server, and to which time if there is a choice.
/// <https://learn.microsoft.com/azure/postgresql/backup-restore/concepts-backup-restore#point-in-time-recovery>
fn restore_names_source(requested: &Server) -> Result<(), ArmError> {
    if requested.properties.source_server_resource_id.is_none() {
        return Err(
            ArmError::invalid_parameter("SourceServerResourceId").target("properties.sourceServerResourceId")
        );
    }
    Ok(())
}

fn restore_names_time(requested: &Server) -> Result<(), ArmError> {
    let time = requested.properties.point_in_time_utc.as_deref();
    if time.and_then(|time| time.parse::<jiff::Timestamp>().ok()).is_none() {
        return Err(ArmError::invalid_parameter("PointInTimeUTC").target("properties.pointInTimeUTC"));
    }
    Ok(())
}

/// A region always; a size and a disk for a new server.
/// A restored server has them from its source by now.
/// The disk's size is not marked as required in the API and is all the same (azure-rest-api-specs issue 27309).
pub(super) fn essentials_are_given(current: Option<&Server>, requested: &Server) -> Result<(), ArmError> {
    if current.is_some() {
        return Ok(());
    }
    if requested.location.is_none() {
        return Err(ArmError::bad_request(
            "LocationRequired",
            "The location property is required for this definition.",
        ));
    }
    if requested.sku.name.is_none() || requested.sku.tier.is_none() {
        return Err(ArmError::invalid_parameter("Sku").target("sku"));
    }
    if requested.properties.storage.size_gib.is_none() {
        return Err(ArmError::invalid_parameter("StorageSizeGB").target("properties.storage.storageSizeGB"));
    }
    if requested.properties.version.is_none() {
        return Err(ArmError::invalid_parameter("Version").target("properties.version"));
    }
    Ok(())
}

/// A server in a virtual network is not public, and its private DNS zone has a fixed ending.
/// <https://learn.microsoft.com/azure/postgresql/network/concepts-networking-private#use-a-private-dns-zone>
pub(super) fn network_is_complete(current: Option<&Server>, requested: &Server) -> Result<(), ArmError> {
    let network = &requested.properties.network;
    let zone = network.private_dns_zone_arm_resource_id.as_deref();
    if zone.is_some_and(|zone| !zone.to_lowercase().ends_with(".postgres.database.azure.com")) {
        return Err(ArmError::invalid_parameter_because(
            "PrivateDnsZoneArmResourceId",
            "The zone's name must end with '.postgres.database.azure.com'.",
        ));
    }
    if current.is_some() || network.delegated_subnet_resource_id.is_none() {
        return Ok(());
    }
    if is_enabled(network.public_network_access.as_deref()) {
        return Err(ArmError::invalid_parameter_because(
            "PublicNetworkAccess",
            "A server in a virtual network can't have public access.",
        ));
    }
    if zone.is_none() {
        return Err(ArmError::invalid_parameter("PrivateDnsZoneArmResourceId"));
    }
    Ok(())
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
    #[case::default(json!({"createMode": "Default"}), false, None)]
    #[case::default_again(json!({"createMode": "Default"}), true, None)]
    #[case::update(json!({"createMode": "Update"}), true, None)]
    #[case::update_of_nothing(json!({"createMode": "Update"}), false, Some("InvalidParameterValue"))]
    #[case::restore(
        json!({"createMode": "PointInTimeRestore", "sourceServerResourceId": "/s", "pointInTimeUTC": "2026-11-20T10:00:00Z"}),
        false,
        None
    )]
    #[case::restore_of_nothing(
        json!({"createMode": "PointInTimeRestore", "pointInTimeUTC": "2026-11-20T10:00:00Z"}),
        false,
        Some("InvalidParameterValue")
    )]
    #[case::restore_to_no_time(
        json!({"createMode": "PointInTimeRestore", "sourceServerResourceId": "/s", "pointInTimeUTC": "yesterday"}),
        false,
        Some("InvalidParameterValue")
    )]
    #[case::revival(
        json!({"createMode": "ReviveDropped", "sourceServerResourceId": "/s", "pointInTimeUTC": "2026-11-20T10:00:00Z"}),
        false,
        None
    )]
    #[case::revival_to_no_time(
        json!({"createMode": "ReviveDropped", "sourceServerResourceId": "/s"}),
        false,
        Some("InvalidParameterValue")
    )]
    #[case::from_the_paired_region(json!({"createMode": "GeoRestore", "sourceServerResourceId": "/s"}), false, None)]
    #[case::from_nowhere(json!({"createMode": "GeoRestore"}), false, Some("InvalidParameterValue"))]
    #[case::restore_again(json!({"createMode": "PointInTimeRestore"}), true, Some("ServerNameAlreadyExists"))]
    #[case::replica_again(json!({"createMode": "Replica"}), true, Some("ReadReplicaAlreadyExist"))]
    #[case::replica(json!({"createMode": "Replica"}), false, Some("NotImplemented"))]
    #[case::nonsense(json!({"createMode": "Conjure"}), false, Some("InvalidParameterValue"))]
    fn a_create_mode_suits(#[case] requested: Value, #[case] exists: bool, #[case] expected: Option<&str>) {
        let current = exists.then(plain);
        assert_eq!(code(mode_suits(current.as_ref(), &asking(requested))).as_deref(), expected);
    }

    #[rstest]
    #[case::all(json!({}), None)]
    #[case::no_location(json!({"location": null}), Some("LocationRequired"))]
    #[case::no_size(json!({"sku": {"name": null}}), Some("InvalidParameterValue"))]
    #[case::no_tier(json!({"sku": {"tier": null}}), Some("InvalidParameterValue"))]
    #[case::no_disk(json!({"properties": {"storage": {"storageSizeGB": null}}}), Some("InvalidParameterValue"))]
    #[case::no_version(json!({"properties": {"version": null}}), Some("InvalidParameterValue"))]
    fn a_new_server_needs_essentials(#[case] left_out: Value, #[case] expected: Option<&str>) {
        let mut body = super::super::testing::plain_body();
        json_patch::merge(&mut body, &left_out);
        assert_eq!(code(essentials_are_given(None, &server(body))).as_deref(), expected);
    }

    #[rstest]
    #[case::public(json!({}), true)]
    #[case::private(
        json!({"delegatedSubnetResourceId": "/s", "privateDnsZoneArmResourceId": "/z/a.postgres.database.azure.com"}),
        true
    )]
    #[case::no_zone(json!({"delegatedSubnetResourceId": "/s"}), false)]
    #[case::wrong_zone(
        json!({"delegatedSubnetResourceId": "/s", "privateDnsZoneArmResourceId": "/z/example.org"}),
        false
    )]
    #[case::both(
        json!({
            "delegatedSubnetResourceId": "/s",
            "privateDnsZoneArmResourceId": "/z/a.postgres.database.azure.com",
            "publicNetworkAccess": "Enabled",
        }),
        false
    )]
    fn a_private_server_is_private(#[case] network: Value, #[case] allowed: bool) {
        assert_eq!(network_is_complete(None, &plain_with(json!({"network": network}))).is_ok(), allowed);
    }
}
