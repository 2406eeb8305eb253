//! High availability and zones.
//! <https://learn.microsoft.com/azure/postgresql/high-availability/concepts-high-availability>

use super::compute;
use crate::azure::{
    arm::{errors::ArmError, server::Server},
    catalogue::{regions, sizes::Tier},
};

const MODE: &str = "properties.highAvailability.mode";

fn mode<'a>(current: Option<&'a Server>, requested: &'a Server) -> &'a str {
    Server::effective(current, requested, |server| server.properties.high_availability.mode.as_deref())
        .unwrap_or("Disabled")
}

fn zone(server: &Server) -> Option<&str> {
    server.properties.availability_zone.as_deref().filter(|zone| !zone.is_empty())
}

fn standby_zone(server: &Server) -> Option<&str> {
    server.properties.high_availability.standby_availability_zone.as_deref().filter(|zone| !zone.is_empty())
}

/// `Disabled`, `SameZone` or `ZoneRedundant`.
pub(super) fn mode_is_known(_: Option<&Server>, requested: &Server) -> Result<(), ArmError> {
    match requested.properties.high_availability.mode.as_deref() {
        None | Some("Disabled" | "SameZone" | "ZoneRedundant") => Ok(()),
        Some(_) => Err(ArmError::invalid_parameter("HighAvailability.Mode").target(MODE)),
    }
}

/// The burstable tier has no high availability, and a server that has it can't become burstable.
/// <https://learn.microsoft.com/azure/postgresql/high-availability/concepts-high-availability#limitations>
pub(super) fn not_on_burstable(current: Option<&Server>, requested: &Server) -> Result<(), ArmError> {
    if mode(current, requested) != "Disabled" && compute::tier(current, requested) == Some(Tier::Burstable) {
        return Err(ArmError::invalid_parameter_because(
            "HighAvailability.Mode",
            "High availability is not available with the Burstable tier.",
        )
        .target(MODE));
    }
    Ok(())
}

/// Zone redundancy needs zones. Not every region has them, and some take only the zone-redundant servers that they have.
/// <https://learn.microsoft.com/azure/reliability/availability-zones-region-support>
pub(super) fn region_has_zones(current: Option<&Server>, requested: &Server) -> Result<(), ArmError> {
    let location = Server::effective(current, requested, |server| server.location.as_deref());
    let is_zonal = current
        .is_some_and(|current| current.properties.high_availability.mode.as_deref() == Some("ZoneRedundant"));
    let has_room = |location: &str| {
        if is_zonal { regions::has_zones(location) } else { regions::takes_new_zonal(location) }
    };
    match location {
        Some(location) if mode(current, requested) == "ZoneRedundant" && !has_room(location) => {
            Err(ArmError::invalid_parameter_because(
                "HighAvailability.Mode",
                &format!("Zone redundancy is not available in region '{}'.", regions::short_name(location)),
            )
            .target(MODE))
        }
        _ => Ok(()),
    }
}

/// A zone-redundant standby lies in another zone than the primary.
/// <https://learn.microsoft.com/azure/reliability/reliability-postgresql-flexible-server>
pub(super) fn zones_differ(current: Option<&Server>, requested: &Server) -> Result<(), ArmError> {
    let primary = Server::effective(current, requested, zone);
    let standby = Server::effective(current, requested, standby_zone);
    if mode(current, requested) == "ZoneRedundant" && standby.is_some() && primary == standby {
        return Err(ArmError::invalid_parameter_because(
            "StandbyAvailabilityZone",
            "The standby of a zone-redundant server must be in another zone than the primary.",
        )
        .target("properties.highAvailability.standbyAvailabilityZone"));
    }
    Ok(())
}

/// A server stays in its zone; only a planned failover, which swaps both zones, moves it.
/// <https://learn.microsoft.com/azure/postgresql/high-availability/concepts-high-availability#planned-failover>
pub(super) fn zone_only_swaps(current: Option<&Server>, requested: &Server) -> Result<(), ArmError> {
    let Some(current) = current else { return Ok(()) };
    let (Some(before), Some(wanted)) = (zone(current), zone(requested)) else { return Ok(()) };
    let swapped = standby_zone(current) == Some(wanted) && standby_zone(requested) == Some(before);
    if before == wanted || swapped {
        return Ok(());
    }
    Err(ArmError::fixed("properties.availabilityZone"))
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
    #[case::off("Standard_B1ms", "Disabled", true)]
    #[case::burstable("Standard_B1ms", "SameZone", false)]
    #[case::burstable_across_zones("Standard_B2s", "ZoneRedundant", false)]
    #[case::general_purpose("Standard_D2ds_v5", "ZoneRedundant", true)]
    #[case::unknown("Standard_D2ds_v5", "Always", false)]
    fn availability_needs_more_than_burstable(#[case] size: &str, #[case] mode: &str, #[case] allowed: bool) {
        let requested = server(json!({
            "sku": {"name": size},
            "properties": {"highAvailability": {"mode": mode}},
        }));
        let result = mode_is_known(None, &requested).and_then(|()| not_on_burstable(None, &requested));
        assert_eq!(result.is_ok(), allowed);
    }

    #[rstest]
    #[case::zones("norwayeast", "ZoneRedundant", true)]
    #[case::no_zones("norwaywest", "ZoneRedundant", false)]
    #[case::no_zones_needed("norwaywest", "SameZone", true)]
    fn zone_redundancy_needs_zones(#[case] location: &str, #[case] mode: &str, #[case] allowed: bool) {
        let availability = json!({"highAvailability": {"mode": mode}});
        let new = server(json!({"location": location, "properties": availability}));
        assert_eq!(region_has_zones(None, &new).is_ok(), allowed);
        let current = server(json!({"location": location}));
        assert_eq!(region_has_zones(Some(&current), &asking(availability)).is_ok(), allowed);
    }

    #[test]
    fn a_full_region_keeps_the_zone_redundant_servers_it_has() {
        let zonal = json!({"highAvailability": {"mode": "ZoneRedundant"}});
        let new = server(json!({"location": "westeurope", "properties": zonal}));
        assert!(region_has_zones(None, &new).is_err());
        assert!(region_has_zones(Some(&server(json!({"location": "westeurope"}))), &asking(zonal)).is_err());
        assert_eq!(region_has_zones(Some(&new), &new), Ok(()));
    }

    #[test]
    fn a_server_with_a_standby_does_not_become_burstable() {
        let current = plain_with(json!({"highAvailability": {"mode": "SameZone"}}));
        let requested = server(json!({"sku": {"name": "Standard_B1ms", "tier": "Burstable"}}));
        assert!(not_on_burstable(Some(&current), &requested).is_err());
        assert!(not_on_burstable(Some(&plain()), &requested).is_ok());
    }

    #[rstest]
    #[case::other_zone(json!({"mode": "ZoneRedundant", "standbyAvailabilityZone": "2"}), true)]
    #[case::same_zone(json!({"mode": "ZoneRedundant", "standbyAvailabilityZone": "1"}), false)]
    #[case::left_to_azure(json!({"mode": "ZoneRedundant"}), true)]
    fn zones_of_a_pair_differ(#[case] availability: Value, #[case] allowed: bool) {
        let requested = plain_with(json!({"availabilityZone": "1", "highAvailability": availability}));
        assert_eq!(zones_differ(None, &requested).is_ok(), allowed);
    }

    #[rstest]
    #[case::unchanged(json!({"availabilityZone": "1"}), None)]
    #[case::moved(json!({"availabilityZone": "3"}), Some("PropertyChangeNotAllowed"))]
    #[case::swapped(
        json!({"availabilityZone": "2", "highAvailability": {"standbyAvailabilityZone": "1"}}),
        None
    )]
    fn a_zone_changes_by_failover_only(#[case] requested: Value, #[case] expected: Option<&str>) {
        let current = plain_with(json!({
            "availabilityZone": "1",
            "highAvailability": {"mode": "ZoneRedundant", "standbyAvailabilityZone": "2"},
        }));
        assert_eq!(code(zone_only_swaps(Some(&current), &asking(requested))).as_deref(), expected);
    }
}
