//! What a server can be restored from, and to.
//! <https://learn.microsoft.com/azure/postgresql/backup-restore/concepts-backup-restore#point-in-time-recovery>

use jiff::{SignedDuration, Timestamp};

use crate::azure::{
    arm::{
        errors::ArmError,
        resource_id::ResourceId,
        server::{Server, is_enabled},
    },
    catalogue::regions,
};

pub(in crate::azure) const MODE: &str = "PointInTimeRestore";
/// From the copies in the paired region.
pub(in crate::azure) const GEO: &str = "GeoRestore";
/// From what is kept of a dropped server.
pub(in crate::azure) const REVIVE: &str = "ReviveDropped";

/// A restored server has its data from another.
pub(in crate::azure) fn restores(requested: &Server) -> bool {
    matches!(requested.properties.create_mode.as_deref(), Some(MODE | GEO | REVIVE))
}

/// Backups of a moment don't leave their region. Since September 2023 they may leave their subscription.
/// <https://learn.microsoft.com/azure/postgresql/release-notes/release-notes>
pub(in crate::azure) fn same_region(source: &Server, requested: &Server) -> Result<(), ArmError> {
    let region = |server: &Server| server.location.as_deref().map(regions::short_name);
    // A request without one is refused like any other.
    if requested.location.is_none() || region(source) == region(requested) {
        return Ok(());
    }
    Err(ArmError::invalid_parameter_because(
        "Location",
        "A server can only be restored to a point in time within the region of its source.",
    )
    .target("location"))
}

/// A restored server is "created with the source server's configuration for the pricing tier, compute generation, number of
/// virtual cores". Here it is refused to ask for another one; what Azure's API does then is not known.
pub(in crate::azure) fn same_compute(source: &Server, requested: &Server) -> Result<(), ArmError> {
    let differs = |wanted: &Option<String>, theirs: &Option<String>| wanted.is_some() && wanted != theirs;
    let (wanted, theirs) = (&requested.sku, &source.sku);
    if !differs(&wanted.name, &theirs.name) && !differs(&wanted.tier, &theirs.tier) {
        return Ok(());
    }
    let message =
        "A restored server has the compute size and tier of its source. Change it once it is there.";
    Err(ArmError::invalid_parameter_because("Sku", message).target("sku"))
}

/// A source that goes in the middle of a restore takes it along. In which words Azure says so is not known.
pub(in crate::azure) fn source_is_gone() -> ArmError {
    ArmError::not_found(
        "ResourceNotFound",
        "The source of the restore was not found. It was dropped meanwhile.",
    )
}

/// As far back as there are backups, and not into the future.
pub(in crate::azure) fn time_is_in_reach(
    source: &Server,
    requested: &Server,
    now: Timestamp,
) -> Result<(), ArmError> {
    let time = |text: Option<&str>| text.and_then(|text| text.parse::<Timestamp>().ok());
    let earliest = time(source.properties.backup.earliest_restore_date.as_deref());
    let wanted = time(requested.properties.point_in_time_utc.as_deref());
    let in_reach = wanted.is_some_and(|wanted| wanted <= now && earliest.is_none_or(|first| first <= wanted));
    if in_reach {
        return Ok(());
    }
    let first = earliest.unwrap_or(now);
    Err(ArmError::invalid_parameter_because(
        "PointInTimeUTC",
        &format!("The source can be restored to a time from {first} to {now}."),
    )
    .target("properties.pointInTimeUTC"))
}

/// Public or in a virtual network, as the source is.
pub(in crate::azure) fn same_kind_of_network(source: &Server, requested: &Server) -> Result<(), ArmError> {
    let is_private = |server: &Server| server.properties.network.delegated_subnet_resource_id.is_some();
    if is_private(source) == is_private(requested) {
        return Ok(());
    }
    Err(ArmError::invalid_parameter_because(
        "Network",
        "A server can only be restored into the same kind of network that its source is in.",
    ))
}

/// The data must fit, and are in the format of their version.
pub(in crate::azure) fn takes_the_data(source: &Server, requested: &Server) -> Result<(), ArmError> {
    let (theirs, wanted) = (&source.properties, &requested.properties);
    if wanted.storage.size_gib.is_some_and(|size| Some(size) < theirs.storage.size_gib) {
        return Err(ArmError::invalid_parameter_because(
            "StorageSizeGB",
            "A restored server can't have less storage than its source.",
        )
        .target("properties.storage.storageSizeGB"));
    }
    if wanted.version.is_some() && wanted.version != theirs.version {
        return Err(ArmError::invalid_parameter_because(
            "Version",
            "A restored server has the version of its source.",
        )
        .target("properties.version"));
    }
    Ok(())
}

/// What is left of a dropped server doesn't leave its subscription.
/// <https://learn.microsoft.com/azure/postgresql/backup-restore/how-to-restore-deleted-server>
pub(in crate::azure) fn same_subscription(source: &ResourceId, target: &ResourceId) -> Result<(), ArmError> {
    if source.subscription.eq_ignore_ascii_case(&target.subscription) {
        return Ok(());
    }
    let message = "A dropped server can only be restored in the subscription that it was in.";
    Err(ArmError::invalid_parameter_because("SourceServerResourceId", message)
        .target("properties.sourceServerResourceId"))
}

/// The time is the one at which the drop was submitted, or a later one.
pub(in crate::azure) fn time_is_of_the_drop(
    dropped: Timestamp,
    requested: &Server,
    now: Timestamp,
) -> Result<(), ArmError> {
    let wanted = requested.properties.point_in_time_utc.as_deref();
    let wanted = wanted.and_then(|wanted| wanted.parse::<Timestamp>().ok());
    if wanted.is_some_and(|wanted| dropped <= wanted && wanted <= now) {
        return Ok(());
    }
    let message =
        format!("The server was dropped at {dropped}. Its last data can be restored, and no others.");
    Err(ArmError::invalid_parameter_because("PointInTimeUTC", &message).target("properties.pointInTimeUTC"))
}

/// Backups are copied to the paired region, if they are copied at all.
/// <https://learn.microsoft.com/azure/postgresql/backup-restore/concepts-backup-restore#geo-redundant-backup-and-restore>
pub(in crate::azure) fn paired_region(source: &Server, requested: &Server) -> Result<(), ArmError> {
    if !is_enabled(source.properties.backup.geo_redundant_backup.as_deref()) {
        let message = "The source has no geo-redundant backup.";
        return Err(ArmError::invalid_parameter_because("SourceServerResourceId", message)
            .target("properties.sourceServerResourceId"));
    }
    let pair = source.location.as_deref().and_then(regions::pair_of);
    let wanted = requested.location.as_deref();
    if wanted.is_none() || pair.map(regions::short_name) == wanted.map(regions::short_name) {
        return Ok(());
    }
    let message = format!(
        "A geo-redundant backup can only be restored in the paired region, '{}'.",
        pair.unwrap_or_default()
    );
    Err(ArmError::invalid_parameter_because("Location", &message).target("location"))
}

/// "After you create a server, wait at least one hour before initiating a geo-restore."
/// <https://learn.microsoft.com/azure/postgresql/backup-restore/concepts-backup-restore#geo-redundant-backup-and-restore>
pub(in crate::azure) fn copy_has_arrived(created: Option<Timestamp>, now: Timestamp) -> Result<(), ArmError> {
    if created.is_some_and(|created| now.duration_since(created) >= SignedDuration::from_hours(1)) {
        return Ok(());
    }
    let message = "The source has no backup in the paired region yet: it takes an hour.";
    Err(ArmError::invalid_parameter_because("SourceServerResourceId", message)
        .target("properties.sourceServerResourceId"))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::{
        super::testing::{asking, plain, plain_with, server},
        *,
    };

    #[rstest]
    #[case::within("2026-11-20T10:00:00Z", true)]
    #[case::the_first("2026-11-13T10:00:00Z", true)]
    #[case::too_early("2026-11-13T09:59:59Z", false)]
    #[case::now("2026-11-21T10:00:00Z", true)]
    #[case::future("2026-11-21T10:00:01Z", false)]
    #[case::no_time("yesterday", false)]
    fn a_restore_goes_to_a_time_that_was(#[case] time: &str, #[case] allowed: bool) {
        let source = plain_with(json!({"backup": {"earliestRestoreDate": "2026-11-13T10:00:00Z"}}));
        let now = "2026-11-21T10:00:00Z".parse().expect("a time");
        let requested = asking(json!({"pointInTimeUTC": time}));
        assert_eq!(time_is_in_reach(&source, &requested, now).is_ok(), allowed);
    }

    #[rstest]
    #[case::as_it_is(json!({}), true)]
    #[case::larger(json!({"storage": {"storageSizeGB": 256}}), true)]
    #[case::smaller(json!({"storage": {"storageSizeGB": 64}}), false)]
    #[case::same_version(json!({"version": "17"}), true)]
    #[case::newer(json!({"version": "18"}), false)]
    fn a_restored_server_takes_the_data(#[case] requested: Value, #[case] allowed: bool) {
        assert_eq!(takes_the_data(&plain(), &asking(requested)).is_ok(), allowed);
    }

    #[rstest]
    #[case::as_it_is(json!({}), true)]
    #[case::the_same(json!({"name": "Standard_D2ds_v5", "tier": "GeneralPurpose"}), true)]
    #[case::larger(json!({"name": "Standard_D4ds_v5", "tier": "GeneralPurpose"}), false)]
    #[case::another_tier(json!({"tier": "Burstable"}), false)]
    fn a_restored_server_has_the_compute_of_its_source(#[case] sku: Value, #[case] allowed: bool) {
        assert_eq!(same_compute(&plain(), &server(json!({"sku": sku}))).is_ok(), allowed);
    }

    #[test]
    fn a_restore_stays_in_its_region_and_kind_of_network() {
        let there = |location: &str| server(json!({"location": location}));
        assert_eq!(same_region(&plain(), &there("Norway East")), Ok(()));
        assert!(same_region(&plain(), &there("norwaywest")).is_err());
        let private = plain_with(json!({"network": {"delegatedSubnetResourceId": "/s"}}));
        assert_eq!(same_kind_of_network(&private, &private), Ok(()));
        assert!(same_kind_of_network(&private, &plain()).is_err());
    }
}
