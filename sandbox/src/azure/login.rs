//! The part of Microsoft Entra ID that a service principal needs to log in.
//!
//! The Azure SDK first asks `login.microsoftonline.com` whether it may trust the configured authority (instance
//! discovery, see the "AAD instance discovery" of MSAL), then reads that authority's `OpenID` configuration, then
//! trades a client secret or an assertion for a bearer token.
//! <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>

use axum::{
    Form, Json, Router,
    extract::{Path, Query, State, rejection::FormRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::json;

use super::cloud::Shared;

const TOKEN_LIFETIME_SECONDS: u32 = 3599;

pub(super) fn router(shared: &Shared) -> Router {
    Router::new()
        .route("/common/discovery/instance", get(discover_instance))
        .route("/{tenant}/v2.0/.well-known/openid-configuration", get(openid_configuration))
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
        "id_token_signing_alg_values_supported": ["RS256"],
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
    let Ok(Form(asked)) = asked else {
        return refused("invalid_request", "AADSTS900144: The request body lacks a required parameter.");
    };
    if asked.grant_type != "client_credentials" {
        return refused(
            "unsupported_grant_type",
            "AADSTS70003: The app requested an unsupported grant type.",
        );
    }
    if asked.client_secret.is_none() && asked.client_assertion.is_none() {
        return refused(
            "invalid_client",
            "AADSTS7000216: 'client_assertion', 'client_secret' or 'request' is required.",
        );
    }
    if asked.client_id.is_empty() || asked.scope.is_empty() {
        return refused("invalid_request", "AADSTS900144: 'client_id' and 'scope' must not be empty.");
    }
    Json(json!({
        "token_type": "Bearer",
        "expires_in": TOKEN_LIFETIME_SECONDS,
        "ext_expires_in": TOKEN_LIFETIME_SECONDS,
        "access_token": shared.lock().issue_token(&tenant),
    }))
    .into_response()
}

fn refused(error: &str, description: &str) -> Response {
    let body = json!({"error": error, "error_description": description});
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}
