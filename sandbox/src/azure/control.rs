//! What tests ask: what exists, what was asked, and to play Azure's own doing. Plain HTTP, no login.

use std::{net::Ipv4Addr, time::Duration};

use axum::{
    Json, Router,
    extract::{Path, Query, State, rejection::JsonRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{delete, get, post, put},
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    arm::{
        backup_vault,
        resource_id::{Key, Kind, ResourceId},
    },
    catalogue::regions,
    circumstances::{Lock, Region},
    clock::time_of_tokens,
    cloud::Shared,
    directory::DirectoryEntry,
    endpoints::RealServer,
    faults::{Fault, Phase},
    gateway_faults::GatewayFault,
    login::DATABASES,
    logins::LoginAttempt,
    requests::Request,
    servers,
    work::Work,
};

/// A resource, as the control endpoint shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Existing {
    pub id: String,
    /// For example `Microsoft.DBforPostgreSQL/flexibleServers`.
    #[serde(rename = "type")]
    pub resource_type: String,
    pub name: String,
    /// What a GET shows.
    pub body: Value,
}

/// How this Azure behaves; what is left out stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Settings {
    /// How long each long-running operation takes from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay_milliseconds: Option<u64>,
    /// How many writes a minute ARM takes before it answers 429; 0 for as many as come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub writes_per_minute: Option<u32>,
    /// Under which address clients on 127.0.0.1 leave, which servers' firewalls judge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_address: Option<Ipv4Addr>,
    /// Whether the list of a restored server's administrators has those of its source. Azure's pages don't say; they are in
    /// its data in any case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restores_administrators: Option<bool>,
    /// How long after it was made a new server has its first backup, before which nothing can be restored of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_backup_seconds: Option<u32>,
}

pub(super) fn router(shared: Shared) -> Router {
    Router::new()
        .route("/resources", get(resources).patch(patch_resource).delete(delete_resource))
        .route("/requests", get(requests).delete(clear_requests))
        .route("/faults", get(faults).post(inject).delete(clear_faults))
        .route("/settings", put(change_settings))
        .route("/dropped-servers", get(dropped_servers).delete(forget_dropped_servers))
        .route("/login", post(login))
        .route("/tier-changes", delete(forget_tier_changes))
        .route("/clock", get(time).post(advance_clock))
        .route("/owners", get(owner))
        .route("/regions", put(restrict_region))
        .route("/locks", put(lock).delete(unlock))
        .route("/backup-vaults", put(create_vault))
        .route("/lost-recovery-points", get(lost_recovery_points))
        .route("/servers/{action}", post(act))
        .route("/postgres", get(real_servers))
        .route("/logins", get(logins).delete(clear_logins))
        .route("/gateway-faults", get(gateway_faults).post(inject_at_gateway).delete(clear_gateway_faults))
        .route("/groups", put(set_members))
        .route("/directory", put(register))
        .route("/tokens", post(issue_token))
        .fallback(async || refused(StatusCode::NOT_FOUND, "there is no such page here"))
        .with_state(shared)
}

#[derive(Deserialize)]
struct ById {
    id: Option<String>,
}

/// Everything that exists. Of parameters, those that were set; of databases, not those that come with a server.
async fn resources(State(shared): State<Shared>, Query(by): Query<ById>) -> Response {
    let running = shared.endpoints.keys();
    futures::future::join_all(running.iter().map(|server| servers::refresh(&shared, server))).await;
    let mut cloud = shared.lock();
    cloud.settle();
    let wanted = by.id.map(|id| id.to_lowercase());
    let found: Vec<Existing> = cloud
        .resources
        .values()
        .filter(|resource| {
            let shown = resource.body["id"].as_str().unwrap_or_default().to_lowercase();
            wanted.as_ref().is_none_or(|wanted| *wanted == resource.id.key() || *wanted == shown)
        })
        .map(|resource| Existing {
            id: resource.id.to_string(),
            resource_type: resource.id.kind.full_type(),
            name: resource.id.name().to_owned(),
            body: cloud.shown(resource),
        })
        .collect();
    Json(found).into_response()
}

/// Azure's own doing: a disk that grew, zones that were swapped, a server that was stopped. No rule applies.
async fn patch_resource(
    State(shared): State<Shared>,
    Query(by): Query<ById>,
    change: Result<Json<Value>, JsonRejection>,
) -> Response {
    let change = match change {
        Ok(Json(change)) if change.is_object() => change,
        Ok(_) => return refused(StatusCode::BAD_REQUEST, "the change must be a JSON object"),
        Err(rejection) => return unreadable(&rejection),
    };
    let Some(id) = by.id.as_deref().and_then(ResourceId::parse) else { return nameless() };
    let mut cloud = shared.lock();
    cloud.settle();
    let key = id.key();
    let Some(resource) = cloud.resources.get_mut(&key) else { return absent(&id) };
    json_patch::merge(&mut resource.body, &change);
    let body = resource.body.clone();
    cloud.operations.amend(&key, |body| json_patch::merge(body, &change));
    cloud.note_state(&id);
    Json(body).into_response()
}

/// Who wants to be let in where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// Resource id of the server.
    pub server: String,
    pub user: String,
    pub password: String,
}

/// Whether a server lets an administrator in, as Azure's API has it: also where there is no PostgreSQL to be asked.
async fn login(State(shared): State<Shared>, login: Result<Json<Login>, JsonRejection>) -> Response {
    let login = match login {
        Ok(Json(login)) => login,
        Err(rejection) => return unreadable(&rejection),
    };
    let Some(id) = ResourceId::parse(&login.server) else {
        return refused(StatusCode::BAD_REQUEST, "name the server by its resource id");
    };
    let mut cloud = shared.lock();
    cloud.settle();
    Json(cloud.lets_in(&id, &login.user, &login.password)).into_response()
}

async fn requests(State(shared): State<Shared>) -> Json<Vec<Request>> {
    Json(shared.lock().requests.entries().iter().cloned().collect())
}

async fn clear_requests(State(shared): State<Shared>) -> StatusCode {
    shared.lock().requests.clear();
    StatusCode::NO_CONTENT
}

async fn faults(State(shared): State<Shared>) -> Json<Vec<Fault>> {
    Json(shared.lock().faults.all().to_vec())
}

async fn inject(State(shared): State<Shared>, fault: Result<Json<Fault>, JsonRejection>) -> Response {
    let fault = match fault {
        Ok(Json(fault)) => fault,
        Err(rejection) => return unreadable(&rejection),
    };
    if !(400..=599).contains(&fault.status) {
        return refused(StatusCode::BAD_REQUEST, "the status of a fault must be 400 to 599");
    }
    if fault.times == 0 || fault.path.is_empty() {
        return refused(StatusCode::BAD_REQUEST, "a fault needs a path, and times of at least 1");
    }
    if fault.phase != Phase::Request
        && let Some(why) = fault.misses_every_operation()
    {
        return refused(StatusCode::BAD_REQUEST, &format!("this fault would never strike: {why}"));
    }
    shared.lock().faults.inject(fault);
    StatusCode::NO_CONTENT.into_response()
}

#[derive(Deserialize)]
struct ByPath {
    path: Option<String>,
}

/// All of them, or those that were injected for this path: other tests may have theirs.
async fn clear_faults(State(shared): State<Shared>, Query(by): Query<ByPath>) -> StatusCode {
    shared.lock().faults.clear(by.path.as_deref());
    StatusCode::NO_CONTENT
}

async fn change_settings(
    State(shared): State<Shared>,
    settings: Result<Json<Settings>, JsonRejection>,
) -> Response {
    let settings = match settings {
        Ok(Json(settings)) => settings,
        Err(rejection) => return unreadable(&rejection),
    };
    let mut cloud = shared.lock();
    if let Some(milliseconds) = settings.delay_milliseconds {
        cloud.delay = Duration::from_millis(milliseconds);
    }
    if let Some(address) = settings.cluster_address {
        cloud.cluster_address = address;
    }
    if let Some(restores) = settings.restores_administrators {
        cloud.restores_administrators = restores;
    }
    if let Some(seconds) = settings.first_backup_seconds {
        cloud.first_backup = SignedDuration::from_secs(i64::from(seconds));
    }
    if let Some(limit) = settings.writes_per_minute {
        cloud.throttle.writes_per_minute = (limit > 0).then_some(limit);
    }
    StatusCode::NO_CONTENT.into_response()
}

async fn dropped_servers(State(shared): State<Shared>) -> Json<Value> {
    let mut cloud = shared.lock();
    cloud.settle();
    Json(json!(cloud.dropped_servers.keys().collect::<Vec<_>>()))
}

/// Somebody deletes it in the portal, with all that lies under it. It is done at once, past every lock.
async fn delete_resource(State(shared): State<Shared>, Query(by): Query<ById>) -> Response {
    let Some(id) = by.id.as_deref().and_then(ResourceId::parse) else { return nameless() };
    {
        let mut cloud = shared.lock();
        cloud.settle();
        if !cloud.resources.contains_key(&id.key()) {
            return absent(&id);
        }
        cloud.delete(&id);
    }
    let server = if id.kind == Kind::FlexibleServer { Some(id.clone()) } else { id.parent() };
    done_so_far(&shared, server.map(|server| server.key()).unwrap_or_default()).await;
    StatusCode::NO_CONTENT.into_response()
}

/// Waits until PostgreSQL has done what it was asked for so far.
async fn done_so_far(shared: &Shared, server: Key) {
    let done = shared.lock().done_so_far(server);
    if let Some(done) = done {
        // It is done, or the stand-in stops.
        done.await.ok();
    }
}

/// Whom a database belongs to; null for one that came with its server, or doesn't exist.
async fn owner(State(shared): State<Shared>, Query(by): Query<ById>) -> Response {
    let Some(id) = by.id.as_deref().and_then(ResourceId::parse) else { return nameless() };
    let mut cloud = shared.lock();
    cloud.settle();
    Json(cloud.owners.get(&id.key())).into_response()
}

#[derive(Deserialize)]
struct ByName {
    name: String,
}

/// From now on a region gives this and nothing else; the default takes every restriction away.
async fn restrict_region(
    State(shared): State<Shared>,
    Query(by): Query<ByName>,
    region: Result<Json<Region>, JsonRejection>,
) -> Response {
    let region = match region {
        Ok(Json(region)) => region,
        Err(rejection) => return unreadable(&rejection),
    };
    if regions::display_name(&by.name).is_none() {
        return refused(StatusCode::NOT_FOUND, &format!("there is no region {}", by.name));
    }
    shared.lock().regions.insert(regions::short_name(&by.name), region);
    StatusCode::NO_CONTENT.into_response()
}

/// Somebody locks a resource or a group.
async fn lock(
    State(shared): State<Shared>,
    Query(by): Query<ById>,
    lock: Result<Json<Lock>, JsonRejection>,
) -> Response {
    let lock = match lock {
        Ok(Json(lock)) => lock,
        Err(rejection) => return unreadable(&rejection),
    };
    let Some(id) = by.id.as_deref().and_then(ResourceId::parse) else { return nameless() };
    let mut cloud = shared.lock();
    cloud.settle();
    if !cloud.resources.contains_key(&id.key()) {
        return absent(&id);
    }
    cloud.locks.insert(id.key(), (id, lock));
    StatusCode::NO_CONTENT.into_response()
}

async fn unlock(State(shared): State<Shared>, Query(by): Query<ById>) -> Response {
    let Some(id) = by.id.as_deref().and_then(ResourceId::parse) else { return nameless() };
    match shared.lock().locks.remove(&id.key()) {
        Some(_) => StatusCode::NO_CONTENT.into_response(),
        None => refused(StatusCode::NOT_FOUND, &format!("there is no lock on {id}")),
    }
}

/// A Backup vault that somebody makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewVault {
    pub(super) location: String,
    /// Names of its backup policies.
    pub(super) policies: Vec<String>,
}

/// Somebody makes a Backup vault with backup policies, and its group.
async fn create_vault(
    State(shared): State<Shared>,
    Query(by): Query<ById>,
    vault: Result<Json<NewVault>, JsonRejection>,
) -> Response {
    let vault = match vault {
        Ok(Json(vault)) => vault,
        Err(rejection) => return unreadable(&rejection),
    };
    let id = by.id.as_deref().and_then(ResourceId::parse).filter(|id| id.kind == Kind::BackupVault);
    let Some(id) = id else { return refused(StatusCode::BAD_REQUEST, "name the vault by its resource id") };
    let mut cloud = shared.lock();
    cloud.settle();
    backup_vault::create(&mut cloud, &id, &vault.policies, &vault.location);
    StatusCode::NO_CONTENT.into_response()
}

/// Backup instances that ARM was asked to delete.
async fn lost_recovery_points(State(shared): State<Shared>) -> Json<Vec<String>> {
    Json(shared.lock().lost_recovery_points.clone())
}

/// Somebody stops or starts a server in the portal. It is done at once.
async fn act(State(shared): State<Shared>, Path(action): Path<String>, Query(by): Query<ById>) -> Response {
    let Some(id) = by.id.as_deref().and_then(ResourceId::parse) else { return nameless() };
    {
        let mut cloud = shared.lock();
        cloud.settle();
        if id.kind != Kind::FlexibleServer || cloud.get(&id).is_none() {
            return absent(&id);
        }
        match action.as_str() {
            "stop" => cloud.stop(&id),
            "start" => cloud.start(&id),
            _ => return refused(StatusCode::NOT_FOUND, "a server can only be stopped and started"),
        }
    }
    done_so_far(&shared, id.key()).await;
    StatusCode::NO_CONTENT.into_response()
}

/// The PostgreSQL behind each server that has one, or should have.
async fn real_servers(State(shared): State<Shared>) -> Json<Vec<RealServer>> {
    Json(shared.lock().real_servers.values().cloned().collect())
}

/// Who logged in to which server as what, oldest first.
async fn logins(State(shared): State<Shared>) -> Json<Vec<LoginAttempt>> {
    Json(shared.lock().logins.entries().iter().cloned().collect())
}

async fn clear_logins(State(shared): State<Shared>) -> StatusCode {
    shared.lock().logins.clear();
    StatusCode::NO_CONTENT
}

async fn gateway_faults(State(shared): State<Shared>) -> Json<Vec<GatewayFault>> {
    Json(shared.lock().gateway_faults.all().to_vec())
}

async fn inject_at_gateway(
    State(shared): State<Shared>,
    fault: Result<Json<GatewayFault>, JsonRejection>,
) -> Response {
    let fault = match fault {
        Ok(Json(fault)) => fault,
        Err(rejection) => return unreadable(&rejection),
    };
    if fault.times == 0 || fault.server.is_empty() {
        return refused(StatusCode::BAD_REQUEST, "a fault needs a server, and times of at least 1");
    }
    shared.lock().gateway_faults.inject(fault);
    StatusCode::NO_CONTENT.into_response()
}

#[derive(Deserialize)]
struct ByServer {
    server: Option<String>,
}

/// All of them, or those that were injected for these servers.
async fn clear_gateway_faults(State(shared): State<Shared>, Query(by): Query<ByServer>) -> StatusCode {
    shared.lock().gateway_faults.clear(by.server.as_deref());
    StatusCode::NO_CONTENT
}

/// Somebody changes who is in a group. Tokens that were issued before stay as they are.
async fn set_members(
    State(shared): State<Shared>,
    Query(by): Query<ById>,
    members: Result<Json<Vec<String>>, JsonRejection>,
) -> Response {
    let members = match members {
        Ok(Json(members)) => members,
        Err(rejection) => return unreadable(&rejection),
    };
    let Some(group) = by.id else {
        return refused(StatusCode::BAD_REQUEST, "name the group with ?id= and its object id");
    };
    shared.lock().groups.insert(group, members);
    StatusCode::NO_CONTENT.into_response()
}

/// Somebody comes to be known by name, or under another object id.
async fn register(
    State(shared): State<Shared>,
    entry: Result<Json<DirectoryEntry>, JsonRejection>,
) -> Response {
    let entry = match entry {
        Ok(Json(entry)) => entry,
        Err(rejection) => return unreadable(&rejection),
    };
    let learning: Vec<_> = {
        let mut cloud = shared.lock();
        cloud.directory.insert(entry.name.clone(), entry);
        cloud.real_servers.keys().filter_map(|server| cloud.ask(server.clone(), Work::Learn)).collect()
    };
    // They have learnt it, or the stand-in stops.
    futures::future::join_all(learning).await;
    StatusCode::NO_CONTENT.into_response()
}

/// Who logs in to Microsoft Entra ID, as a person does with `az account get-access-token`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokenRequest {
    pub object_id: String,
    /// By default PostgreSQL's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// By default the one of everything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// By default an hour. A token of a negative lifetime has expired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime_seconds: Option<i64>,
}

impl TokenRequest {
    /// A token that lasts for an hour, for PostgreSQL.
    pub fn of(object_id: &str) -> Self {
        Self { object_id: object_id.to_owned(), audience: None, tenant: None, lifetime_seconds: None }
    }
}

/// A token for whom a test says, with the groups that they are in.
async fn issue_token(
    State(shared): State<Shared>,
    asked: Result<Json<TokenRequest>, JsonRejection>,
) -> Response {
    let asked = match asked {
        Ok(Json(asked)) => asked,
        Err(rejection) => return unreadable(&rejection),
    };
    let cloud = shared.lock();
    let tenant = asked.tenant.unwrap_or_else(|| cloud.tenant());
    let now = time_of_tokens().as_second();
    let until = now.saturating_add(asked.lifetime_seconds.unwrap_or(3_600));
    let claims = json!({
        "aud": asked.audience.as_deref().unwrap_or(DATABASES),
        "iss": format!("https://sts.windows.net/{tenant}/"),
        "iat": now.min(until),
        "nbf": now.min(until),
        "exp": until,
        "oid": asked.object_id,
        "sub": asked.object_id,
        "tid": tenant,
        "groups": cloud.groups_of(&asked.object_id),
        "ver": "1.0",
    });
    drop(cloud);
    match shared.signer.sign(&claims) {
        Ok(token) => Json(token).into_response(),
        Err(_) => refused(StatusCode::INTERNAL_SERVER_ERROR, "the token can't be signed"),
    }
}

fn nameless() -> Response {
    refused(StatusCode::BAD_REQUEST, "name the resource with ?id=/subscriptions/…")
}

fn absent(id: &ResourceId) -> Response {
    refused(StatusCode::NOT_FOUND, &format!("there is no resource {id}"))
}

/// How far a clock is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Advance {
    pub(super) seconds: u32,
}

/// What time it is in this Azure.
async fn time(State(shared): State<Shared>) -> Json<Timestamp> {
    Json(shared.lock().now())
}

/// Days pass in this Azure, for everything in it and for it alone. They don't come back.
async fn advance_clock(
    State(shared): State<Shared>,
    advance: Result<Json<Advance>, JsonRejection>,
) -> Response {
    let advance = match advance {
        Ok(Json(advance)) => advance,
        Err(rejection) => return unreadable(&rejection),
    };
    let mut cloud = shared.lock();
    cloud.clock.advance(SignedDuration::from_secs(i64::from(advance.seconds)));
    cloud.settle();
    StatusCode::NO_CONTENT.into_response()
}

/// As if the five days had passed for which Azure keeps dropped servers and their names.
async fn forget_dropped_servers(State(shared): State<Shared>) -> StatusCode {
    shared.lock().forget_dropped_servers(|_| true);
    StatusCode::NO_CONTENT
}

/// As if the twelve hours had passed in which Azure takes no other change of a disk's performance tier.
async fn forget_tier_changes(State(shared): State<Shared>) -> StatusCode {
    shared.lock().tier_changes.clear();
    StatusCode::NO_CONTENT
}

fn unreadable(rejection: &JsonRejection) -> Response {
    refused(StatusCode::BAD_REQUEST, &rejection.body_text())
}

/// One line that says what is wrong.
fn refused(status: StatusCode, why: &str) -> Response {
    (status, format!("{}\n", why.replace('\n', " "))).into_response()
}
