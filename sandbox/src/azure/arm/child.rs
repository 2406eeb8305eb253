//! What lies on a server and is written and dropped by long-running operations: databases, firewall rules and
//! administrators.
//! <https://learn.microsoft.com/rest/api/postgresql>

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{
    call::Call,
    errors::ArmError,
    reply::Reply,
    resource_id::{Kind, ResourceId},
    server::Server,
};
use crate::azure::{
    cloud::{Cloud, Resource},
    rules::{administrator, database, firewall, owner, state},
    work::Work,
};

pub(super) fn read(cloud: &Cloud, id: &ResourceId) -> Option<Value> {
    if let Some(stored) = cloud.get(id) {
        return Some(cloud.shown(stored));
    }
    (id.kind == Kind::Database && database::BUILT_IN.contains(&id.name()))
        .then(|| id.body(&database::default_properties()))
}

/// The databases that come with every server; they are not stored.
pub(super) fn built_in_databases(server: &ResourceId) -> impl Iterator<Item = Value> {
    database::BUILT_IN
        .iter()
        .map(|name| server.child(Kind::Database, name).body(&database::default_properties()))
}

const fn operation(kind: Kind, upsert: bool) -> &'static str {
    match (kind, upsert) {
        (Kind::Database, true) => "UpsertServerDatabaseManagementOperation",
        (Kind::Database, false) => "DropServerDatabaseManagementOperation",
        (Kind::FirewallRule, true) => "UpsertServerFirewallRulesManagementOperation",
        (Kind::FirewallRule, false) => "DropServerFirewallRulesManagementOperation",
        (_, true) => "UpsertAadAuthPrincipalManagementOperation",
        (_, false) => "DropAadAuthPrincipalManagementOperation",
    }
}

pub(super) fn put(call: &mut Call<'_>, id: &ResourceId, server: &Resource) -> Result<Reply, ArmError> {
    let existing = Server::read(&server.body)?;
    state::is_running(server.id.name(), &existing)?;
    let requested = call.body.get("properties").cloned().unwrap_or_else(|| json!({}));
    let current = call.cloud.get(id).map(|child| child.body.clone());
    let properties = match id.kind {
        Kind::Database => database_properties(id, current.as_ref(), &requested)?,
        Kind::FirewallRule => {
            firewall::server_is_public(&existing)?;
            firewall::name_shape(id.name())?;
            firewall::range_is_valid(&requested)?;
            json!({"startIpAddress": requested["startIpAddress"], "endIpAddress": requested["endIpAddress"]})
        }
        _ => {
            administrator::entra_is_enabled(&existing)?;
            administrator::principal_is_named(id.name(), &requested)?;
            json!({
                "principalType": requested["principalType"],
                "principalName": requested["principalName"],
                "objectId": id.name(),
                "tenantId": requested.get("tenantId").cloned().unwrap_or_else(|| call.cloud.tenant().into()),
            })
        }
    };
    let operation = operation(id.kind, true);
    let work = work_of_put(call.cloud, id, &existing, current.is_some(), &properties);
    if call.server_is_busy(id) {
        return Ok(call.accept_in_vain(operation, id, state::busy(server.id.name())));
    }
    call.work = work;
    Ok(call.accept(operation, id, current, Some(id.body(&properties))))
}

/// Firewall rules are the gateway's, and a database that is there stays as it is.
fn work_of_put(
    cloud: &Cloud,
    id: &ResourceId,
    server: &Server,
    exists: bool,
    properties: &Value,
) -> Option<Work> {
    let name = id.name().to_owned();
    let text = |field: &str| properties[field].as_str().unwrap_or_default().to_owned();
    match id.kind {
        Kind::Database if !exists => {
            let key = id.parent()?.key();
            let administrators = cloud.below(&key, Kind::Administrator).map(|resource| &resource.body);
            let owner = owner::of_new_database(server, administrators, cloud.now()).owner;
            Some(Work::CreateDatabase { name, owner })
        }
        Kind::Administrator => Some(Work::CreateAdministrator {
            name: text("principalName"),
            object_id: name,
            principal_type: text("principalType"),
        }),
        _ => None,
    }
}

fn database_properties(
    id: &ResourceId,
    current: Option<&Value>,
    requested: &Value,
) -> Result<Value, ArmError> {
    database::name_shape(id.name())?;
    database::is_not_built_in(id.name())?;
    let current = current.map(|current| &current["properties"]);
    database::encoding_is_fixed(current, requested)?;
    if let Some(current) = current {
        return Ok(current.clone());
    }
    let mut properties = database::default_properties();
    if let Some(charset) = requested["charset"].as_str() {
        properties["charset"] = Value::from(charset.to_uppercase());
    }
    if let Some(collation) = requested["collation"].as_str() {
        properties["collation"] = Value::from(collation);
    }
    Ok(properties)
}

pub(super) fn delete(call: &mut Call<'_>, id: &ResourceId, server: &Resource) -> Result<Reply, ArmError> {
    if id.kind == Kind::Database {
        database::is_not_built_in(id.name())?;
    }
    let Some(current) = call.cloud.get(id) else { return Ok(Reply::empty(StatusCode::NO_CONTENT)) };
    let current = current.body.clone();
    state::is_running(server.id.name(), &Server::read(&server.body)?)?;
    let operation = operation(id.kind, false);
    if call.server_is_busy(id) {
        return Ok(call.accept_in_vain(operation, id, state::busy(server.id.name())));
    }
    call.work = match id.kind {
        Kind::Database => Some(Work::DropDatabase { name: id.name().to_owned() }),
        Kind::Administrator => Some(Work::DropAdministrator { object_id: id.name().to_owned() }),
        _ => None,
    };
    Ok(call.accept(operation, id, Some(current), None))
}
