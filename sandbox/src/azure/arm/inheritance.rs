//! What a server has from the one whose data it gets.
//! <https://learn.microsoft.com/azure/postgresql/backup-restore/concepts-backup-restore>

use jiff::Timestamp;
use serde_json::Value;

use super::{
    errors::ArmError,
    existence,
    resource_id::{Kind, ResourceId},
    server::{HighAvailability, Server, Storage},
};
use crate::azure::{cloud::Cloud, rules::restore};

/// A restored server has what its source has, where the request says nothing else. Firewall rules, parameters, tags and
/// high availability are not copied, and high availability is not even taken: it comes by a later change.
pub(super) fn inherit(cloud: &Cloud, id: &ResourceId, requested: &mut Server) -> Result<(), ArmError> {
    let named = requested.properties.source_server_resource_id.as_deref();
    let named = named.and_then(ResourceId::parse).filter(|source| source.kind == Kind::FlexibleServer);
    let Some(named) = named else {
        return Err(
            ArmError::invalid_parameter("SourceServerResourceId").target("properties.sourceServerResourceId")
        );
    };
    let source = match requested.properties.create_mode.as_deref() {
        Some(restore::REVIVE) => dropped(cloud, &named, id, requested)?,
        Some(restore::GEO) => in_another_region(cloud, &named, requested)?,
        _ => at_a_moment(cloud, &named, requested)?,
    };
    restore::same_kind_of_network(&source, requested)?;
    restore::same_compute(&source, requested)?;
    restore::takes_the_data(&source, requested)?;

    let (wanted, theirs) = (&mut requested.properties, source.properties);
    requested.sku = source.sku;
    inherit_disk(&mut wanted.storage, theirs.storage);
    let backup = &mut wanted.backup;
    backup.backup_retention_days = backup.backup_retention_days.or(theirs.backup.backup_retention_days);
    backup.geo_redundant_backup = backup.geo_redundant_backup.take().or(theirs.backup.geo_redundant_backup);
    wanted.high_availability = HighAvailability::default();
    wanted.version = theirs.version;
    wanted.administrator_login = theirs.administrator_login;
    wanted.auth_config = theirs.auth_config;
    Ok(())
}

fn at_a_moment(cloud: &Cloud, source: &ResourceId, requested: &Server) -> Result<Server, ArmError> {
    let source = Server::read(&shown(cloud, source)?)?;
    restore::time_is_in_reach(&source, requested, cloud.now())?;
    restore::same_region(&source, requested)?;
    Ok(source)
}

fn in_another_region(cloud: &Cloud, source: &ResourceId, requested: &Server) -> Result<Server, ArmError> {
    let shown = shown(cloud, source)?;
    let created = shown.pointer("/systemData/createdAt").and_then(Value::as_str);
    let source = Server::read(&shown)?;
    restore::paired_region(&source, requested)?;
    restore::copy_has_arrived(created.and_then(|created| created.parse().ok()), cloud.now())?;
    Ok(source)
}

fn dropped(
    cloud: &Cloud,
    source: &ResourceId,
    id: &ResourceId,
    requested: &Server,
) -> Result<Server, ArmError> {
    let dropped = cloud.dropped(&source.key()).ok_or_else(|| existence::not_found(source))?;
    let at: Timestamp = dropped.at;
    let source_id = &dropped.remains.server.id;
    let source = Server::read(&dropped.remains.server.body)?;
    restore::same_subscription(source_id, id)?;
    restore::same_region(&source, requested)?;
    restore::time_is_of_the_drop(at, requested, cloud.now())?;
    Ok(source)
}

fn shown(cloud: &Cloud, id: &ResourceId) -> Result<Value, ArmError> {
    cloud.get(id).map(|server| cloud.shown(server)).ok_or_else(|| existence::not_found(id))
}

/// Of another size or kind, a disk has another performance.
fn inherit_disk(disk: &mut Storage, theirs: Storage) {
    disk.size_gib = disk.size_gib.or(theirs.size_gib);
    disk.auto_grow = disk.auto_grow.take().or(theirs.auto_grow);
    // The one way from Premium SSD to Premium SSD v2.
    disk.kind = disk.kind.take().or_else(|| theirs.kind.clone());
    if (disk.size_gib, &disk.kind) == (theirs.size_gib, &theirs.kind) {
        disk.tier = disk.tier.take().or(theirs.tier);
        disk.iops = disk.iops.or(theirs.iops);
        disk.throughput = disk.throughput.or(theirs.throughput);
    }
}
