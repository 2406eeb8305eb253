//! The part of Microsoft Entra ID that a service principal needs to log in.
//!
//! The Azure SDK first asks `login.microsoftonline.com` whether it may trust the configured authority (instance
//! discovery, see the "AAD instance discovery" of MSAL), then reads that authority's `OpenID` configuration, then
//! trades a client secret or an assertion for a bearer token. An assertion is checked as Entra checks it: it is the token
//! of a ServiceAccount, and a federated credential of a managed identity trusts it.
//! <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>

use axum::{
    Form, Json, Router,
    extract::{Path, Query, State, rejection::FormRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    arm::resource_id::Kind,
    clock::time_of_tokens,
    cloud::{Cloud, Shared},
    jwt::{Invalid, Unverified},
    rules::assertion::{self, Refusal},
};

const TOKEN_LIFETIME_SECONDS: u32 = 3599;

/// The audience of tokens that PostgreSQL takes.
/// <https://learn.microsoft.com/azure/postgresql/security/security-entra-configure>
pub(super) const DATABASES: &str = "https://ossrdbms-aad.database.windows.net";

pub(super) fn router(shared: &Shared) -> Router {
    Router::new()
        .route("/common/discovery/instance", get(discover_instance))
        .route("/{tenant}/v2.0/.well-known/openid-configuration", get(openid_configuration))
        .route("/{tenant}/discovery/v2.0/keys", get(keys))
        .route("/{tenant}/oauth2/v2.0/token", post(token))
        .with_state(shared.clone())
}

#[derive(Deserialize)]
struct Discovery {
    authorization_endpoint: String,
}

async fn discover_instance(State(shared): State<Shared>, Query(asked): Query<Discovery>) -> Response {
    let authority = asked
        .authorization_endpoint
        .strip_prefix("https://")
        .and_then(|rest| rest.split_once('/'))
        .and_then(|(host, path)| Some((host, path.split('/').next()?)));
    let Some((host, tenant)) = authority.filter(|(host, _)| format!("https://{host}") == *shared.endpoint)
    else {
        return refused("invalid_instance", "AADSTS50049: Unknown or invalid instance.");
    };
    Json(json!({
        "tenant_discovery_endpoint":
            format!("{}/{tenant}/v2.0/.well-known/openid-configuration", shared.endpoint),
        "api-version": "1.1",
        "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
    }))
    .into_response()
}

async fn openid_configuration(State(shared): State<Shared>, Path(tenant): Path<String>) -> Response {
    let authority = format!("{}/{tenant}", shared.endpoint);
    Json(json!({
        "issuer": format!("{authority}/v2.0"),
        "authorization_endpoint": format!("{authority}/oauth2/v2.0/authorize"),
        "token_endpoint": format!("{authority}/oauth2/v2.0/token"),
        "jwks_uri": format!("{authority}/discovery/v2.0/keys"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
        "response_types_supported": ["code"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["ES256"],
    }))
    .into_response()
}

#[derive(Deserialize)]
struct TokenRequest {
    grant_type: String,
    client_id: String,
    scope: String,
    client_secret: Option<String>,
    client_assertion: Option<String>,
}

async fn token(
    State(shared): State<Shared>,
    Path(tenant): Path<String>,
    asked: Result<Form<TokenRequest>, FormRejection>,
) -> Response {
    let mut cloud = shared.lock();
    cloud.settle();
    let issued = match &asked {
        Ok(Form(asked)) => issue(&mut cloud, &shared, &tenant, asked),
        Err(_) => Err(incomplete("The request body lacks a required parameter.")),
    };
    match issued {
        Ok(token) => Json(json!({
            "token_type": "Bearer",
            "expires_in": TOKEN_LIFETIME_SECONDS,
            "ext_expires_in": TOKEN_LIFETIME_SECONDS,
            "access_token": token,
        }))
        .into_response(),
        Err(refusal) => refused_by_code(&mut cloud, &refusal),
    }
}

fn incomplete(words: &str) -> Refusal {
    Refusal::new("invalid_request", 900_144, words)
}

fn issue(cloud: &mut Cloud, shared: &Shared, tenant: &str, asked: &TokenRequest) -> Result<String, Refusal> {
    if asked.grant_type != "client_credentials" {
        return Err(Refusal::new(
            "unsupported_grant_type",
            70_003,
            "The app requested an unsupported grant type.",
        ));
    }
    if asked.client_id.is_empty() || asked.scope.is_empty() {
        return Err(incomplete("'client_id' and 'scope' must not be empty."));
    }
    let Some(audience) = audience(&asked.scope) else {
        return Err(Refusal::new(
            "invalid_scope",
            1_002_012,
            format!(
                "The provided value for scope {} is not valid. Client credential flows must have a scope value with /.default \
                 suffixed to the resource identifier (application ID URI).",
                asked.scope
            ),
        ));
    };
    match (&asked.client_assertion, &asked.client_secret) {
        (Some(assertion), _) => {
            let object_id = identify(cloud, tenant, &asked.client_id, assertion)?;
            let claims = claims(cloud, &object_id, &asked.client_id, audience);
            let token = shared.signer.sign(&claims).map_err(|_| {
                Refusal::new("server_error", 90_033, "A transient error has occurred. Please try again.")
            })?;
            if audience != DATABASES {
                cloud.accept_token(&token);
            }
            Ok(token)
        }
        // Whoever has a secret is the platform: Azure Service Operator. Only managed identities are known here.
        (None, Some(_)) if audience != DATABASES => Ok(cloud.issue_token(tenant)),
        (None, Some(_)) => Err(Refusal::new(
            "invalid_client",
            7_000_215,
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the \
             client secret ID.",
        )),
        (None, None) => Err(Refusal::new(
            "invalid_client",
            7_000_216,
            "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.",
        )),
    }
}

/// Of a scope: libraries ask for `openid offline_access profile` beside it.
fn audience(scope: &str) -> Option<&str> {
    scope.split_whitespace().find_map(|one| one.strip_suffix("/.default"))
}

/// The object id of the managed identity that an assertion speaks for.
fn identify(cloud: &Cloud, tenant: &str, client: &str, assertion: &str) -> Result<String, Refusal> {
    let directory = cloud.tenant();
    if !tenant.eq_ignore_ascii_case(&directory) {
        return Err(Refusal::new(
            "invalid_request",
            90_002,
            format!("Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID."),
        ));
    }
    let Some(identity) = cloud.identity(client) else {
        return Err(Refusal::new(
            "unauthorized_client",
            700_016,
            format!("Application with identifier '{client}' was not found in the directory '{directory}'."),
        ));
    };
    let malformed = || Refusal::new("invalid_request", 50_027, "JWT token is invalid or malformed.");
    let presented = Unverified::read(assertion).map_err(|_| malformed())?.claims;
    let key = identity.id.key();
    let credentials = cloud.below(&key, Kind::FederatedIdentityCredential);
    assertion::matches_a_credential(
        &presented,
        credentials.map(|credential| &credential.body["properties"]),
    )?;
    let issuer = presented["iss"].as_str().unwrap_or_default();
    let keys = cloud.issuers.get(issuer).ok_or_else(|| {
        Refusal::new("invalid_request", 50_166, "Request to External OIDC endpoint failed.")
    })?;
    let claims = keys.verify(assertion).map_err(|invalid| match invalid {
        Invalid::UnknownKey(key) => Refusal::new(
            "invalid_request",
            5_000_811,
            format!(
                "Unable to verify token signature. The signing key identifier '{key}' does not match any valid registered keys."
            ),
        ),
        Invalid::Signature => Refusal::new("invalid_client", 50_013, "Assertion failed signature validation."),
        Invalid::Malformed => malformed(),
    })?;
    assertion::is_within_its_time(&claims, time_of_tokens())?;
    Ok(identity.body["properties"]["principalId"].as_str().unwrap_or_default().to_owned())
}

/// Of an access token.
/// <https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference>
fn claims(cloud: &Cloud, object_id: &str, client: &str, audience: &str) -> Value {
    let now = time_of_tokens().as_second();
    let tenant = cloud.tenant();
    json!({
        "aud": audience,
        "iss": format!("https://sts.windows.net/{tenant}/"),
        "iat": now,
        "nbf": now,
        "exp": now + i64::from(TOKEN_LIFETIME_SECONDS),
        "appid": client,
        "oid": object_id,
        "sub": object_id,
        "tid": tenant,
        "groups": cloud.groups_of(object_id),
        "idtyp": "app",
        "ver": "1.0",
    })
}

async fn keys(State(shared): State<Shared>) -> Json<Value> {
    Json(shared.signer.key_set())
}

/// In the form that the libraries of clients read.
fn refused_by_code(cloud: &mut Cloud, refusal: &Refusal) -> Response {
    let (trace, correlation) = (cloud.fresh_guid(), cloud.fresh_guid());
    let timestamp = cloud.now().strftime("%Y-%m-%d %H:%M:%SZ").to_string();
    let Refusal { error, code, words } = refusal;
    let body = json!({
        "error": error,
        "error_description": format!(
            "AADSTS{code}: {words} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {timestamp}"
        ),
        "error_codes": [code],
        "timestamp": timestamp,
        "trace_id": trace,
        "correlation_id": correlation,
        "error_uri": format!("https://login.microsoftonline.com/error?code={code}"),
    });
    // A client that isn't who it says is told so with another status.
    let status = if matches!(*error, "invalid_client" | "unauthorized_client") {
        StatusCode::UNAUTHORIZED
    } else {
        StatusCode::BAD_REQUEST
    };
    (status, Json(body)).into_response()
}

fn refused(error: &str, description: &str) -> Response {
    let body = json!({"error": error, "error_description": description});
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}
