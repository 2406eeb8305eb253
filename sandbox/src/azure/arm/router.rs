//! The way of a request: logged in? a known API version? a fault? within the limits? then to its provider.

use std::time::{Duration, Instant};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use serde_json::Value;

use super::{
    api_versions, backup_vault,
    call::Call,
    child, configuration,
    errors::ArmError,
    existence, federated_credential, flexible_server, identity,
    reply::Reply,
    resource_group,
    resource_id::{Key, Kind, ResourceId, Target},
    tag_change,
};
use crate::azure::{
    cloud::{Cloud, Shared},
    faults::Phase,
    requests,
    rules::{lock, tags},
    servers,
};

/// ARM's own limit on a request.
const LARGEST_BODY: usize = 4 * 1024 * 1024;
/// Of servers and what lies on them.
const NEWEST: &str = "2025-08-01";
const REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-request-id");
const CORRELATION_ID: HeaderName = HeaderName::from_static("x-ms-correlation-request-id");

pub(in crate::azure) fn router(shared: Shared) -> Router {
    Router::new().fallback(handle).with_state(shared)
}

async fn handle(State(shared): State<Shared>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let api_version = api_version(&parts);
    let body = read(body).await;
    let answer = match &body {
        Ok(body) => answer(&shared, &parts, api_version.as_deref(), body).await,
        Err(error) => Err(error.clone()),
    };
    let mut response = answer.unwrap_or_else(Reply::from).into_response();
    let mut cloud = shared.lock();
    for name in [REQUEST_ID, CORRELATION_ID] {
        if let Ok(id) = HeaderValue::from_str(&cloud.fresh_guid()) {
            response.headers_mut().insert(name, id);
        }
    }
    cloud.requests.record(requests::Request {
        sequence: 0,
        time: Timestamp::now().to_string(),
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        api_version,
        status: response.status().as_u16(),
        body: body.ok().filter(|body| !body.is_null()),
    });
    response
}

fn api_version(parts: &Parts) -> Option<String> {
    let query = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&parts.uri).ok()?;
    query.0.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("api-version")).map(|(_, value)| value)
}

/// The body as JSON, null for an empty one.
async fn read(body: Body) -> Result<Value, ArmError> {
    let bytes = to_bytes(body, LARGEST_BODY)
        .await
        .map_err(|_| ArmError::new(413, "RequestEntityTooLarge", "The request content is too large."))?;
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&bytes).map_err(|error| {
        ArmError::bad_request(
            "InvalidRequestContent",
            format!("The request content was invalid and could not be deserialized: '{error}'."),
        )
    })
}

async fn answer(
    shared: &Shared,
    parts: &Parts,
    api_version: Option<&str>,
    body: &Value,
) -> Result<Reply, ArmError> {
    let path = parts.uri.path();
    let target = Target::parse(path);
    {
        let mut cloud = shared.lock();
        cloud.settle();
        authenticate(&cloud, parts)?;
        if let Some(fault) = cloud.faults.strike(Phase::Request, parts.method.as_str(), path) {
            return Err(fault);
        }
    }
    let target = target?;
    let api_version = api_version.ok_or_else(|| {
        ArmError::bad_request(
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        )
    })?;
    if let Some(server) = mirrored(&target) {
        servers::refresh(shared, &server).await;
    }
    let _turn = match &target {
        Target::Resource(id) if is_write(&parts.method) => {
            federated_credential::Turn::take(shared, id).await?
        }
        _ => None,
    };
    let mut cloud = shared.lock();
    let mut call = Call {
        cloud: &mut cloud,
        endpoint: &shared.endpoint,
        method: &parts.method,
        path,
        api_version,
        body,
        work: None,
    };
    match target {
        Target::Resource(id) => resource(&mut call, &id),
        Target::Collection { kind, below } => list(&call, kind, &below),
        Target::Action { server, action } => {
            api_versions::check(Kind::FlexibleServer, call.api_version)?;
            if call.method != Method::POST {
                return Err(method_not_allowed(call.method));
            }
            existence::of_parents(call.cloud, &server, "action")?;
            lock::allows(call.cloud.locks.values().map(|(scope, lock)| (scope, *lock)), &server, "write")?;
            flexible_server::act(&mut call, &server, &action)
        }
        Target::OperationStatus { id } => {
            poll(call.cloud, &id);
            call.cloud.operations.status(&id)
        }
        Target::OperationResult { id } => {
            poll(call.cloud, &id);
            let location = format!("{}{}", call.endpoint, parts.uri);
            call.cloud.operations.result(&id, &location)
        }
    }
}

/// The server that what is asked for is read from.
fn mirrored(target: &Target) -> Option<Key> {
    let is_mirrored = |kind: &Kind| matches!(kind, Kind::Database | Kind::Administrator);
    match target {
        Target::Resource(id) if is_mirrored(&id.kind) => id.parent().map(|server| server.key()),
        Target::Collection { kind, below } if is_mirrored(kind) => Some(below.clone()),
        _ => None,
    }
}

/// How often is asked how an operation goes.
const POLL: Duration = Duration::from_millis(10);

/// A PUT that doesn't come over HTTP, by the same rules. Returns once its operation has ended.
pub(in crate::azure) async fn put(shared: &Shared, id: &ResourceId, body: &Value) -> Result<(), ArmError> {
    let operation = {
        let mut cloud = shared.lock();
        cloud.settle();
        let path = id.to_string();
        let mut call = Call {
            cloud: &mut cloud,
            endpoint: &shared.endpoint,
            method: &Method::PUT,
            path: &path,
            api_version: NEWEST,
            body,
            work: None,
        };
        resource(&mut call, id)?;
        cloud.operations.last_on(&id.key())
    };
    let Some(operation) = operation else { return Ok(()) };
    loop {
        {
            let mut cloud = shared.lock();
            poll(&mut cloud, &operation);
            if let Some(outcome) = cloud.operations.outcome(&operation) {
                return outcome;
            }
        }
        tokio::time::sleep(POLL).await;
    }
}

fn is_write(method: &Method) -> bool {
    matches!(*method, Method::PUT | Method::PATCH | Method::DELETE)
}

fn poll(cloud: &mut Cloud, id: &str) {
    cloud.operations.poll(id);
    cloud.settle();
}

/// A bearer token that the login endpoint has handed out.
/// <https://learn.microsoft.com/rest/api/azure/#create-the-request>
fn authenticate(cloud: &Cloud, parts: &Parts) -> Result<(), ArmError> {
    let sent = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some(token) = sent.and_then(|sent| sent.strip_prefix("Bearer ")) else {
        return Err(ArmError::new(
            401,
            "AuthenticationFailed",
            "Authentication failed. The 'Authorization' header is missing.",
        ));
    };
    if cloud.accepts_token(token) {
        return Ok(());
    }
    Err(ArmError::new(401, "InvalidAuthenticationToken", "The access token is invalid."))
}

fn resource(call: &mut Call<'_>, id: &ResourceId) -> Result<Reply, ArmError> {
    api_versions::check(id.kind, call.api_version)?;
    let verb = match *call.method {
        Method::GET | Method::HEAD => "read",
        Method::PUT | Method::PATCH => "write",
        Method::DELETE => "delete",
        _ => return Err(method_not_allowed(call.method)),
    };
    if verb != "read" {
        call.cloud.throttle.take(&id.subscription, Instant::now())?;
    }
    existence::of_parents(call.cloud, id, verb)?;
    lock::allows(call.cloud.locks.values().map(|(scope, lock)| (scope, *lock)), id, verb)?;
    match verb {
        "read" => show(call, id),
        "write" => write(call, id),
        _ => delete(call, id),
    }
}

fn show(call: &Call<'_>, id: &ResourceId) -> Result<Reply, ArmError> {
    let body = match id.kind {
        Kind::Configuration => configuration::read(call.cloud, id)?,
        _ => child::read(call.cloud, id),
    };
    match body {
        None => Err(existence::not_found(id)),
        // ARM's way to say that something is there.
        Some(_) if call.method == Method::HEAD => Ok(Reply::empty(StatusCode::NO_CONTENT)),
        Some(body) => Ok(Reply::ok(body)),
    }
}

fn write(call: &mut Call<'_>, id: &ResourceId) -> Result<Reply, ArmError> {
    if !call.body.is_object() {
        return Err(ArmError::bad_request(
            "InvalidRequestContent",
            "The request content was invalid and could not be deserialized: it must be a JSON object.",
        ));
    }
    if let Some(name) = call.body.get("name").and_then(Value::as_str)
        && !name.eq_ignore_ascii_case(id.name())
    {
        return Err(ArmError::bad_request(
            "MismatchingResourceName",
            format!("The provided resource name '{name}' did not match the name in the Url '{}'.", id.name()),
        ));
    }
    tags::check(call.body.get("tags"))?;
    let is_put = call.method == Method::PUT;
    let server = id.parent().and_then(|parent| call.cloud.get(&parent).cloned());
    match (id.kind, is_put, server) {
        (Kind::ResourceGroup, true, _) => resource_group::put(call, id),
        (Kind::FlexibleServer, may_create, _) => flexible_server::write(call, id, may_create),
        (Kind::Configuration, _, Some(server)) => configuration::put(call, id, &server),
        (Kind::Database | Kind::FirewallRule | Kind::Administrator, true, Some(server)) => {
            child::put(call, id, &server)
        }
        (Kind::UserAssignedIdentity, true, _) => identity::put(call, id),
        (Kind::ResourceGroup | Kind::UserAssignedIdentity, false, _) => tag_change::patch(call, id),
        (Kind::FederatedIdentityCredential, true, _) => federated_credential::put(call, id),
        (Kind::BackupInstance, true, _) => backup_vault::put(call, id),
        _ => Err(method_not_allowed(call.method)),
    }
}

fn delete(call: &mut Call<'_>, id: &ResourceId) -> Result<Reply, ArmError> {
    let server = id.parent().and_then(|parent| call.cloud.get(&parent).cloned());
    match (id.kind, server) {
        (Kind::ResourceGroup, _) => resource_group::delete(call, id),
        (Kind::FlexibleServer, _) => Ok(flexible_server::delete(call, id)),
        (Kind::Database | Kind::FirewallRule | Kind::Administrator, Some(server)) => {
            child::delete(call, id, &server)
        }
        (Kind::UserAssignedIdentity | Kind::FederatedIdentityCredential, _) => Ok(identity::delete(call, id)),
        (Kind::BackupInstance, _) => Ok(backup_vault::delete(call, id)),
        // A parameter is part of its server: it can be set back, never deleted.
        _ => Err(method_not_allowed(call.method)),
    }
}

fn list(call: &Call<'_>, kind: Kind, below: &String) -> Result<Reply, ArmError> {
    api_versions::check(kind, call.api_version)?;
    if call.method != Method::GET {
        return Err(method_not_allowed(call.method));
    }
    // Below a subscription there is nothing to miss.
    if let Some(parent) = ResourceId::parse(below) {
        existence::of_parents(call.cloud, &parent.child(kind, ""), "read")?;
    }
    let parent = call.cloud.resources.get(below);
    if let (Kind::Configuration, Some(server)) = (kind, parent) {
        return Ok(Reply::list(configuration::list(call.cloud, server)?.into_iter()));
    }
    let built_in =
        parent.filter(|_| kind == Kind::Database).map(|server| child::built_in_databases(&server.id));
    let stored = call.cloud.below(below, kind).map(|resource| call.cloud.shown(resource));
    Ok(Reply::list(built_in.into_iter().flatten().chain(stored)))
}

fn method_not_allowed(method: &Method) -> ArmError {
    ArmError::new(
        405,
        "MethodNotAllowed",
        format!("The requested resource does not support http method '{method}'."),
    )
}
