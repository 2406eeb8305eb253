//! Flexible servers: creating, changing, deleting, restarting.
//! <https://learn.microsoft.com/rest/api/postgresql/servers>

use axum::http::StatusCode;
use serde_json::Value;

use super::{
    call::Call,
    errors::ArmError,
    existence, inheritance,
    reply::Reply,
    resource_id::{Kind, ResourceId},
    server::Server,
    server_body,
};
use crate::azure::{
    catalogue::regions,
    circumstances::Region,
    cloud::Cloud,
    faults::Phase,
    rules::{self, name, restore, state, storage, version},
    work::{PasswordLogin, Source, Work},
};

const UPSERT: &str = "UpsertServerManagementOperationV2";
const DROP: &str = "DropServerManagementOperation";

/// Parts of the API that this stand-in does not have. Passing over them in silence would be a false success.
const NOT_OFFERED: [&str; 4] = [
    "/identity/userAssignedIdentities",
    "/properties/cluster",
    "/properties/dataEncryption/primaryKeyURI",
    "/properties/replica/promoteMode",
];

/// PUT and PATCH: both leave as it is what they don't mention, but only PUT creates.
pub(super) fn write(call: &mut Call<'_>, id: &ResourceId, may_create: bool) -> Result<Reply, ArmError> {
    is_offered(call.body)?;
    let current = call.cloud.get(id).map(|server| server.body.clone());
    let mut requested = Server::read(call.body)?;
    let existing = match &current {
        Some(current) => Some(Server::read(current)?),
        None if may_create => None,
        None => return Err(existence::not_found(id)),
    };
    if let Some(existing) = &existing {
        state::is_running(id.name(), existing)?;
    } else {
        name::server_name_shape(id.name())?;
        name::server_name_is_free(name_is_taken(call.cloud, id))?;
    }
    if existing.is_none() && restore::restores(&requested) {
        // First: a restored server is judged as what it becomes.
        inheritance::inherit(call.cloud, id, &mut requested)?;
    }
    let region = region_of(call.cloud, existing.as_ref(), &requested);
    rules::check_server(existing.as_ref(), &requested, &region)?;
    if let Err(refused) = rules::region::is_open(existing.as_ref(), &requested, &region) {
        return Ok(call.accept_in_vain(UPSERT, id, refused));
    }
    if let Some(existing) = &existing {
        let changed = call.cloud.tier_changes.get(&id.key());
        let since_change = changed.map(|changed| call.cloud.now().duration_since(*changed));
        storage::tier_has_rested(existing, &requested, since_change)?;
    }
    if call.server_is_busy(id) {
        return Ok(call.accept_in_vain(UPSERT, id, state::busy(id.name())));
    }

    let mut after = server_body::compose(current.as_ref(), &requested, id, call.cloud.now());
    if current.is_none() {
        server_body::first_backup_in(call.cloud.first_backup, &mut after, call.cloud.now());
    }
    let meanwhile = match &current {
        Some(current) => with_state(current, "Updating"),
        None => with_state(&after, "Provisioning"),
    };
    let phases: &[Phase] = if version::is_upgrade(existing.as_ref(), &requested) {
        &[Phase::Upgrade, Phase::Operation]
    } else {
        &[Phase::Operation]
    };
    call.work = work(existing.as_ref(), &requested);
    let reply = call.accept_in(phases, UPSERT, id, current, Some(after));
    if let Some(password) = requested.properties.administrator_login_password {
        call.cloud.passwords_sent.insert(id.key(), password);
    }
    call.cloud.put(id, meanwhile);
    Ok(reply)
}

pub(super) fn delete(call: &mut Call<'_>, id: &ResourceId) -> Reply {
    let Some(server) = call.cloud.get(id) else { return Reply::empty(StatusCode::NO_CONTENT) };
    let current = server.body.clone();
    if call.server_is_busy(id) {
        return call.accept_in_vain(DROP, id, state::busy(id.name()));
    }
    let meanwhile = with_state(&current, "Dropping");
    let reply = call.accept(DROP, id, Some(current), None);
    call.cloud.put(id, meanwhile);
    reply
}

/// `restart`, `stop` and `start`.
/// <https://learn.microsoft.com/azure/postgresql/configure-maintain/how-to-stop-server>
pub(super) fn act(call: &mut Call<'_>, id: &ResourceId, action: &str) -> Result<Reply, ArmError> {
    let current =
        call.cloud.get(id).map(|server| server.body.clone()).ok_or_else(|| existence::not_found(id))?;
    let (operation, meanwhile, after) = match action {
        "stop" => ("StopServerManagementOperation", "Stopping", "Stopped"),
        "start" => ("StartServerManagementOperation", "Starting", "Ready"),
        _ => ("RestartServerManagementOperation", "Restarting", "Ready"),
    };
    let state = current.pointer("/properties/state").and_then(Value::as_str).unwrap_or_default();
    if let Err(refused) = state::allows(id.name(), action, state) {
        return Ok(call.accept_in_vain(operation, id, refused));
    }
    if call.server_is_busy(id) {
        return Ok(call.accept_in_vain(operation, id, state::busy(id.name())));
    }
    call.work = Some(match action {
        "stop" => Work::Stop,
        "start" => Work::Start,
        _ => Work::Restart,
    });
    let reply = call.accept(operation, id, Some(current.clone()), Some(with_state(&current, after)));
    call.cloud.put(id, with_state(&current, meanwhile));
    Ok(reply)
}

/// What becomes of PostgreSQL. Dropping it needs no word here: it goes with the server, be that in whichever way.
fn work(existing: Option<&Server>, requested: &Server) -> Option<Work> {
    let properties = &requested.properties;
    let name =
        Server::effective(existing, requested, |server| server.properties.administrator_login.as_deref());
    let login = name.zip(properties.administrator_login_password.as_deref());
    let login =
        login.map(|(name, password)| PasswordLogin { name: name.to_owned(), password: password.to_owned() });
    let version = properties.version.clone();
    let Some(existing) = existing else {
        let source = restored_from(requested);
        return Some(Work::Create { version: version.unwrap_or_default(), source, login });
    };
    let version = version.filter(|_| version::is_upgrade(Some(existing), requested));
    (version.is_some() || login.is_some()).then_some(Work::Update { version, login })
}

/// What a new server has its data from, if from another one.
fn restored_from(requested: &Server) -> Option<Source> {
    let properties = &requested.properties;
    let source = properties.source_server_resource_id.as_deref().filter(|_| restore::restores(requested))?;
    // Of what was dropped and of what was copied to another region there are the last data only.
    let is_timed = properties.create_mode.as_deref() == Some(restore::MODE);
    let moment = properties.point_in_time_utc.as_deref().filter(|_| is_timed);
    let moment = moment.and_then(|moment| moment.parse().ok());
    Some(Source { server: ResourceId::parse(source)?.key(), moment })
}

fn with_state(server: &Value, state: &str) -> Value {
    let mut server = server.clone();
    server["properties"]["state"] = Value::from(state);
    server
}

fn is_offered(body: &Value) -> Result<(), ArmError> {
    match NOT_OFFERED.iter().find(|pointer| body.pointer(pointer).is_some_and(|value| !value.is_null())) {
        None => Ok(()),
        Some(pointer) => Err(ArmError::new(
            501,
            "NotImplemented",
            format!(
                "This stand-in for Azure does not offer '{}'.",
                pointer.trim_start_matches('/').replace('/', ".")
            ),
        )),
    }
}

/// How things stand where the server is, or will be.
fn region_of(cloud: &Cloud, existing: Option<&Server>, requested: &Server) -> Region {
    let location = Server::effective(existing, requested, |server| server.location.as_deref());
    let restricted = location.and_then(|location| cloud.regions.get(&regions::short_name(location)));
    restricted.cloned().unwrap_or_default()
}

/// In use in any group of any subscription, or by a dropped server that Azure still keeps.
fn name_is_taken(cloud: &Cloud, id: &ResourceId) -> bool {
    let wanted = id.name().to_lowercase();
    cloud.dropped_servers.contains_key(&wanted)
        || cloud
            .resources
            .values()
            .any(|other| other.id.kind == Kind::FlexibleServer && other.id.name().to_lowercase() == wanted)
}
