//! What a server looks like once a request has been carried out: what was asked for, and Azure's defaults.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    resource_id::ResourceId,
    server::{HighAvailability, Server, Storage, is_enabled},
};
use crate::azure::{
    catalogue::{regions, sizes, storage, versions},
    rules::tags,
};

/// The first backup is taken once the server is there; nobody can restore to a moment before it.
pub(in crate::azure) const FIRST_BACKUP: SignedDuration = SignedDuration::from_mins(5);

/// The body after `requested` is carried out on `current`. `requested` has passed every rule.
pub(super) fn compose(current: Option<&Value>, requested: &Server, id: &ResourceId, now: Timestamp) -> Value {
    let mut body = current.cloned().unwrap_or_else(|| new(requested, id, now));
    body["properties"]["state"] = Value::from("Ready");
    if let Some(size) = requested.sku.name.as_deref().and_then(sizes::find) {
        body["sku"] = json!({"name": size.name, "tier": size.tier.name()});
    }
    if let Some(sent) = &requested.tags {
        body["tags"] = tags::kept(&json!(sent));
    }
    let wanted = &requested.properties;
    let properties = &mut body["properties"];
    if let Some(version) = &wanted.version {
        properties["version"] = json!(version);
        properties["minorVersion"] = json!(versions::minor(version));
    }
    for (field, value) in
        [("administratorLogin", &wanted.administrator_login), ("availabilityZone", &wanted.availability_zone)]
    {
        if let Some(value) = value.as_deref().filter(|value| !value.is_empty()) {
            properties[field] = json!(value);
        }
    }
    authentication(properties, requested);
    disk(&mut properties["storage"], &wanted.storage);
    availability(properties, &wanted.high_availability);
    if let Some(days) = wanted.backup.backup_retention_days {
        properties["backup"]["backupRetentionDays"] = json!(days);
    }
    window(&mut properties["maintenanceWindow"], requested);
    network(&mut properties["network"], requested);
    body
}

/// A server before anything was asked for.
fn new(requested: &Server, id: &ResourceId, now: Timestamp) -> Value {
    let location = requested.location.as_deref().unwrap_or_default();
    json!({
        "sku": {},
        "systemData": {"createdAt": now.strftime("%Y-%m-%dT%H:%M:%S%.7fZ").to_string()},
        "properties": {
            "replica": {"role": "Primary", "capacity": 5},
            "storage": {"type": "", "autoGrow": "Disabled"},
            "network": {"publicNetworkAccess": "Enabled"},
            "privateEndpointConnections": [],
            "dataEncryption": {"type": "SystemManaged"},
            "authConfig": {"activeDirectoryAuth": "Disabled", "passwordAuth": "Enabled"},
            "fullyQualifiedDomainName": format!("{}.postgres.database.azure.com", id.name()),
            "availabilityZone": "1",
            "backup": {
                "backupRetentionDays": 7,
                "geoRedundantBackup": setting(requested.properties.backup.geo_redundant_backup.as_deref()),
                "earliestRestoreDate": date(now.saturating_add(FIRST_BACKUP).unwrap_or(now)),
            },
            "highAvailability": {"mode": "Disabled", "state": "NotEnabled"},
            "maintenanceWindow": {"customWindow": "Disabled", "dayOfWeek": 0, "startHour": 0, "startMinute": 0},
            "replicationRole": "Primary",
            "replicaCapacity": 5,
        },
        "location": regions::display_name(location).unwrap_or(location),
        "id": id.to_string(),
        "name": id.name(),
        "type": id.kind.full_type(),
    })
}

/// As the provider writes the dates of its backups.
fn date(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string()
}

/// Has a new server's first backup taken so long after it was made.
pub(super) fn first_backup_in(after: SignedDuration, server: &mut Value, now: Timestamp) {
    let first = now.saturating_add(after).unwrap_or(now);
    server["properties"]["backup"]["earliestRestoreDate"] = Value::from(date(first));
}

/// Moves the earliest moment that a server can be restored to: there is a backup each day, and it goes when it is older
/// than the server keeps its backups.
/// <https://learn.microsoft.com/azure/postgresql/backup-restore/concepts-backup-restore#backup-retention>
pub(in crate::azure) fn backups_age(server: &mut Value, now: Timestamp) {
    let backup = &mut server["properties"]["backup"];
    let days = backup["backupRetentionDays"].as_i64().unwrap_or_default();
    let Ok(kept_since) = now.checked_sub(SignedDuration::from_hours(24 * days)) else { return };
    let first = backup["earliestRestoreDate"].as_str().and_then(|first| first.parse::<Timestamp>().ok());
    let Some(first) = first.filter(|first| *first < kept_since) else { return };
    let gone = (kept_since.duration_since(first).as_hours() / 24).saturating_add(1);
    if let Ok(earliest) = first.checked_add(SignedDuration::from_hours(24 * gone)) {
        backup["earliestRestoreDate"] = Value::from(date(earliest));
    }
}

/// `Enabled` or `Disabled`, whatever the case of what was sent.
fn setting(sent: Option<&str>) -> &'static str {
    if is_enabled(sent) { "Enabled" } else { "Disabled" }
}

fn authentication(properties: &mut Value, requested: &Server) {
    let wanted = &requested.properties.auth_config;
    let config = &mut properties["authConfig"];
    if let Some(entra) = &wanted.active_directory_auth {
        config["activeDirectoryAuth"] = json!(setting(Some(entra)));
    }
    if let Some(password) = &wanted.password_auth {
        config["passwordAuth"] = json!(setting(Some(password)));
    }
    if let Some(tenant) = &wanted.tenant_id {
        config["tenantId"] = json!(tenant);
    }
}

/// A disk that grows takes at least the performance tier of its new size.
fn disk(disk: &mut Value, wanted: &Storage) {
    if let Some(auto_grow) = &wanted.auto_grow {
        disk["autoGrow"] = json!(setting(Some(auto_grow)));
    }
    if let Some(kind) = wanted.kind.as_deref().filter(|kind| *kind == "PremiumV2_LRS") {
        disk["type"] = json!(kind);
    }
    let size = wanted.size_gib.or_else(|| disk["storageSizeGB"].as_i64()).unwrap_or_default();
    disk["storageSizeGB"] = json!(size);
    if disk["type"] == "PremiumV2_LRS" {
        let kept = |field: &str, lowest: i64| disk[field].as_i64().unwrap_or(lowest);
        let (iops, throughput) = (kept("iops", 3_000), kept("throughput", 125));
        disk["iops"] = json!(wanted.iops.unwrap_or(iops));
        disk["throughput"] = json!(wanted.throughput.unwrap_or(throughput));
        return;
    }
    let kept = disk["tier"].as_str().filter(|tier| storage::tier_fits(size, tier)).map(str::to_owned);
    let asked = wanted.tier.clone().filter(|tier| !tier.is_empty());
    let tier = asked.or(kept).or_else(|| storage::default_tier(size).map(str::to_owned)).unwrap_or_default();
    disk["iops"] = json!(storage::iops(&tier));
    disk["tier"] = json!(tier);
}

fn availability(properties: &mut Value, wanted: &HighAvailability) {
    let primary = properties["availabilityZone"].as_str().unwrap_or("1").to_owned();
    let config = &mut properties["highAvailability"];
    if let Some(mode) = &wanted.mode {
        config["mode"] = json!(mode);
    }
    let kept = config["standbyAvailabilityZone"].as_str().map(str::to_owned);
    let asked = wanted.standby_availability_zone.clone().filter(|zone| !zone.is_empty());
    *config = match config["mode"].as_str() {
        Some("ZoneRedundant") => {
            let other = if primary == "1" { "2" } else { "1" };
            let standby = asked.or(kept).filter(|zone| *zone != primary).unwrap_or_else(|| other.to_owned());
            json!({"mode": "ZoneRedundant", "state": "Healthy", "standbyAvailabilityZone": standby})
        }
        Some("SameZone") => {
            json!({"mode": "SameZone", "state": "Healthy", "standbyAvailabilityZone": primary})
        }
        _ => json!({"mode": "Disabled", "state": "NotEnabled"}),
    };
}

fn window(window: &mut Value, requested: &Server) {
    let wanted = &requested.properties.maintenance_window;
    if let Some(custom) = &wanted.custom_window {
        window["customWindow"] = json!(setting(Some(custom)));
    }
    for (field, value) in [
        ("dayOfWeek", wanted.day_of_week),
        ("startHour", wanted.start_hour),
        ("startMinute", wanted.start_minute),
    ] {
        if let Some(value) = value {
            window[field] = json!(value);
        }
    }
}

fn network(network: &mut Value, requested: &Server) {
    let wanted = &requested.properties.network;
    if let Some(access) = &wanted.public_network_access {
        network["publicNetworkAccess"] = json!(setting(Some(access)));
    }
    if let Some(subnet) = &wanted.delegated_subnet_resource_id {
        network["delegatedSubnetResourceId"] = json!(subnet);
        network["publicNetworkAccess"] = json!("Disabled");
    }
    if let Some(zone) = &wanted.private_dns_zone_arm_resource_id {
        network["privateDnsZoneArmResourceId"] = json!(zone);
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::azure::rules::testing::{asking, plain};

    fn id() -> ResourceId {
        let path =
            "/subscriptions/s/resourceGroups/rg/providers/Microsoft.DBforPostgreSQL/flexibleServers/db1";
        ResourceId::parse(path).expect("an id")
    }

    fn at(time: &str) -> Timestamp {
        time.parse().expect("a time")
    }

    #[rstest]
    #[case::before_the_first_backup("2026-11-20T10:00:00Z", "2026-11-20T10:05:00.000000+00:00")]
    #[case::within_the_retention("2026-11-27T10:05:00Z", "2026-11-20T10:05:00.000000+00:00")]
    #[case::after_it("2026-11-27T11:00:00Z", "2026-11-21T10:05:00.000000+00:00")]
    #[case::a_day_after_it("2026-11-28T11:00:00Z", "2026-11-22T10:05:00.000000+00:00")]
    #[case::long_after("2027-11-27T10:00:00Z", "2027-11-20T10:05:00.000000+00:00")]
    fn the_earliest_restore_is_the_first_backup_until_that_is_too_old(
        #[case] now: &str,
        #[case] first: &str,
    ) {
        let mut server = compose(None, &plain(), &id(), at("2026-11-20T10:00:00Z"));
        assert_eq!(server["systemData"]["createdAt"], "2026-11-20T10:00:00.0000000Z");
        backups_age(&mut server, at(now));
        assert_eq!(server["properties"]["backup"]["earliestRestoreDate"], first);
    }

    #[test]
    fn a_new_server_has_azures_defaults() {
        let body = compose(None, &plain(), &id(), at("2026-11-20T10:00:00Z"));
        assert_eq!(body["location"], "Norway East");
        let properties = &body["properties"];
        assert_eq!(properties["fullyQualifiedDomainName"], "db1.postgres.database.azure.com");
        assert_eq!(properties["storage"]["tier"], "P10");
        assert_eq!(properties["storage"]["iops"], 500);
        assert_eq!(properties["backup"]["backupRetentionDays"], 7);
        assert_eq!(properties["highAvailability"], json!({"mode": "Disabled", "state": "NotEnabled"}));
        assert_eq!(properties["network"]["publicNetworkAccess"], "Enabled");
        assert!(!body.to_string().contains("Correct-Horse-1"), "a password is never shown");
    }

    #[test]
    fn what_is_not_asked_for_stays() {
        let before = compose(None, &plain(), &id(), at("2026-11-20T10:00:00Z"));
        let after = compose(
            Some(&before),
            &asking(json!({"backup": {"backupRetentionDays": 14}})),
            &id(),
            at("2026-11-20T10:00:00Z"),
        );
        assert_eq!(after["properties"]["backup"]["backupRetentionDays"], 14);
        assert_eq!(after["properties"]["storage"], before["properties"]["storage"]);
        assert_eq!(after["sku"], before["sku"]);
    }

    #[test]
    fn a_disk_that_grows_takes_the_tier_of_its_size() {
        let before = compose(None, &plain(), &id(), at("2026-11-20T10:00:00Z"));
        let after = compose(
            Some(&before),
            &asking(json!({"storage": {"storageSizeGB": 512}})),
            &id(),
            at("2026-11-20T10:00:00Z"),
        );
        assert_eq!(after["properties"]["storage"]["tier"], "P20");
    }

    #[test]
    fn a_zone_redundant_server_gets_a_standby_elsewhere() {
        let before = compose(None, &plain(), &id(), at("2026-11-20T10:00:00Z"));
        let wanted = asking(json!({"highAvailability": {"mode": "ZoneRedundant"}}));
        let after = compose(Some(&before), &wanted, &id(), at("2026-11-20T10:00:00Z"));
        assert_eq!(
            after["properties"]["highAvailability"],
            json!({"mode": "ZoneRedundant", "state": "Healthy", "standbyAvailabilityZone": "2"})
        );
    }
}
