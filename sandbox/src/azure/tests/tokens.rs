//! A ServiceAccount's token is traded for one of its identity, as Microsoft Entra ID does it.

use std::time::Duration;

use axum::http::{Request, StatusCode, header};
use http_body_util::Full;
use rstest::rstest;
use serde_json::{Value, json};

use super::{
    logging_in::{Login, column},
    support::{Answer, GROUP, Setup, TENANT, exchange},
};
use crate::azure::jwt::{Keys, Signer};

const ISSUER: &str = "https://oidc.example/prod-1";
const SUBJECT: &str = "system:serviceaccount:orders:app";
const SCOPE: &str = "https://ossrdbms-aad.database.windows.net/.default";

/// An identity that a ServiceAccount of a cluster may act as.
struct Identity {
    setup: Setup,
    cluster: Signer,
    client: String,
    object_id: String,
}

/// What a client says of itself, each as it should be.
struct Asked {
    tenant: String,
    client: String,
    scope: String,
    assertion: String,
}

impl Identity {
    async fn new(setup: Setup) -> Self {
        let cluster = Signer::new().unwrap();
        assert!(setup.azure.trust_issuer(ISSUER, &cluster.key_set()));
        let path = format!("{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/orders");
        let identity = setup.put(&path, "2023-01-31", json!({"location": "norwayeast"})).await.body;
        let credential = json!({"properties": {
            "issuer": ISSUER, "subject": SUBJECT, "audiences": ["api://AzureADTokenExchange"],
        }});
        setup.put(&format!("{path}/federatedIdentityCredentials/app"), "2023-01-31", credential).await;
        let id = |field: &str| identity["properties"][field].as_str().unwrap().to_owned();
        Self { setup, cluster, client: id("clientId"), object_id: id("principalId") }
    }

    /// A ServiceAccount's token, changed.
    fn assertion(&self, change: &Value) -> String {
        let now = jiff::Timestamp::now().as_second();
        let mut claims = json!({
            "iss": ISSUER, "sub": SUBJECT, "aud": ["api://AzureADTokenExchange"], "iat": now, "nbf": now, "exp": now + 3_600,
        });
        json_patch::merge(&mut claims, change);
        self.cluster.sign(&claims).unwrap()
    }

    fn asked(&self) -> Asked {
        Asked {
            tenant: TENANT.to_owned(),
            client: self.client.clone(),
            scope: SCOPE.to_owned(),
            assertion: self.assertion(&json!({})),
        }
    }

    async fn ask(&self, asked: &Asked) -> Answer {
        let form = format!(
            "grant_type=client_credentials&client_id={}&scope={}&client_assertion={}&client_assertion_type=urn%3Aietf%3Aparams%3A\
             oauth%3Aclient-assertion-type%3Ajwt-bearer",
            asked.client,
            asked.scope.replace(':', "%3A").replace('/', "%2F").replace(' ', "+"),
            asked.assertion
        );
        let request = Request::post(format!("/{}/oauth2/v2.0/token", asked.tenant))
            .header(header::HOST, "127.0.0.1")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::from(form))
            .unwrap();
        exchange(self.setup.connect("127.0.0.1").await, request).await
    }
}

#[tokio::test]
async fn a_service_accounts_token_is_traded_for_one_of_its_identity() {
    let identity = Identity::new(Setup::start().await).await;
    let group = "33333333-3333-4333-8333-333333333333";
    identity.setup.control.set_members(group, &[&identity.object_id]).await.unwrap();
    let answer = identity.ask(&identity.asked()).await;
    assert_eq!((answer.status, &answer.body["token_type"]), (StatusCode::OK, &json!("Bearer")));
    let token = answer.body["access_token"].as_str().unwrap();
    let published = identity.setup.connect("127.0.0.1").await;
    let request = Request::get(format!("/{TENANT}/discovery/v2.0/keys")).header(header::HOST, "127.0.0.1");
    let published = exchange(published, request.body(Full::from("")).unwrap()).await.body;
    let claims = Keys::read(&published).unwrap().verify(token).unwrap();
    let expected = json!({
        "aud": "https://ossrdbms-aad.database.windows.net",
        "iss": format!("https://sts.windows.net/{TENANT}/"),
        "oid": identity.object_id,
        "tid": TENANT,
        "groups": [group],
        "appid": identity.client,
    });
    for (claim, value) in expected.as_object().unwrap() {
        assert_eq!(&claims[claim], value, "{claim}");
    }
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), answer.body["expires_in"]);
}

#[tokio::test]
async fn an_identity_that_has_a_token_for_azures_api_gets_in_there() {
    let identity = Identity::new(Setup::start().await).await;
    let bearer = async |scope: &str| {
        let answer = identity.ask(&Asked { scope: scope.to_owned(), ..identity.asked() }).await;
        let token = answer.body["access_token"].as_str().unwrap().to_owned();
        let request = Request::get(format!("{GROUP}?api-version=2020-06-01"))
            .header(header::HOST, "127.0.0.1")
            .header(header::AUTHORIZATION, format!("Bearer {token}"));
        exchange(identity.setup.connect("127.0.0.1").await, request.body(Full::from("")).unwrap())
            .await
            .status
    };
    assert_eq!(bearer("https://management.azure.com/.default").await, StatusCode::OK);
    // As Microsoft's libraries ask.
    assert_eq!(
        bearer("https://management.azure.com/.default openid offline_access profile").await,
        StatusCode::OK
    );
    assert_eq!(bearer(SCOPE).await, StatusCode::UNAUTHORIZED);
}

#[rstest]
#[case::stranger(
    json!({"sub": "system:serviceaccount:orders:stranger"}),
    700_213,
    "AADSTS700213: No matching federated identity record found for presented assertion subject 'system:serviceaccount:orders:stranger'."
)]
#[case::capitals(
    json!({"sub": "system:serviceaccount:Orders:app"}),
    7_002_138,
    "AADSTS7002138: No matching federated identity record found for presented assertion subject 'system:serviceaccount:Orders:app'."
)]
#[case::audience(
    json!({"aud": ["https://kubernetes.default.svc"]}),
    700_212,
    "AADSTS700212: No matching federated identity record found for presented assertion audience 'https://kubernetes.default.svc'."
)]
#[case::issuer(
    json!({"iss": "https://oidc.example/prod-2"}),
    700_211,
    "AADSTS700211: No matching federated identity record found for presented assertion issuer 'https://oidc.example/prod-2'."
)]
#[case::expired(
    json!({"iat": 0, "nbf": 0, "exp": 1_000_000_000}),
    700_024,
    "AADSTS700024: Client assertion is not within its valid time range. Current time: "
)]
#[case::too_early(
    json!({"nbf": 100_000_000_000_i64}),
    700_024,
    "AADSTS700024: Client assertion is not within its valid time range. Current time: "
)]
#[tokio::test]
async fn a_wrong_assertion_is_refused_in_entras_words(
    #[case] change: Value,
    #[case] code: u32,
    #[case] begins: &str,
) {
    let identity = Identity::new(Setup::start().await).await;
    let asked = Asked { assertion: identity.assertion(&change), ..identity.asked() };
    let answer = identity.ask(&asked).await;
    refused_with(&answer, code, "invalid_client", StatusCode::UNAUTHORIZED);
    let words = answer.body["error_description"].as_str().unwrap();
    assert!(words.starts_with(begins), "{words}");
}

#[track_caller]
fn refused_with(answer: &Answer, code: u32, error: &str, status: StatusCode) {
    assert_eq!((answer.status, &answer.body["error"]), (status, &json!(error)), "{:?}", answer.body);
    assert_eq!(answer.body["error_codes"], json!([code]));
    let words = answer.body["error_description"].as_str().unwrap();
    assert!(words.starts_with(&format!("AADSTS{code}: ")), "{words}");
}

#[tokio::test]
async fn whoever_asks_wrongly_is_refused_with_entras_code() {
    let identity = Identity::new(Setup::start().await).await;
    let unauthorized = StatusCode::UNAUTHORIZED;
    let stranger = Signer::new()
        .unwrap()
        .sign(&json!({"iss": ISSUER, "sub": SUBJECT, "aud": "api://AzureADTokenExchange"}));
    let asked = Asked { assertion: stranger.unwrap(), ..identity.asked() };
    refused_with(&identity.ask(&asked).await, 5_000_811, "invalid_request", StatusCode::BAD_REQUEST);
    let (claims, _) = asked.assertion.rsplit_once('.').unwrap();
    let own = identity.assertion(&json!({}));
    let (own_claims, signature) = own.rsplit_once('.').unwrap();
    let (own_header, _) = own_claims.split_once('.').unwrap();
    let (_, other_claims) = claims.split_once('.').unwrap();
    let asked = Asked { assertion: format!("{own_header}.{other_claims}.{signature}"), ..identity.asked() };
    refused_with(&identity.ask(&asked).await, 50_013, "invalid_client", unauthorized);
    let asked = Asked { assertion: "a.b.c".to_owned(), ..identity.asked() };
    refused_with(&identity.ask(&asked).await, 50_027, "invalid_request", StatusCode::BAD_REQUEST);
    let asked = Asked { client: "00000000-0000-4000-8000-000000000099".to_owned(), ..identity.asked() };
    refused_with(&identity.ask(&asked).await, 700_016, "unauthorized_client", unauthorized);
    let asked = Asked { tenant: "00000000-0000-4000-8000-0000000000f2".to_owned(), ..identity.asked() };
    refused_with(&identity.ask(&asked).await, 90_002, "invalid_request", StatusCode::BAD_REQUEST);
    let asked = Asked { scope: "https://ossrdbms-aad.database.windows.net".to_owned(), ..identity.asked() };
    refused_with(&identity.ask(&asked).await, 1_002_012, "invalid_scope", StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_deleted_credential_lets_nobody_in() {
    let identity = Identity::new(Setup::start().await).await;
    let path = format!("{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/orders");
    identity.setup.delete(&format!("{path}/federatedIdentityCredentials/app")).await;
    refused_with(&identity.ask(&identity.asked()).await, 700_211, "invalid_client", StatusCode::UNAUTHORIZED);
    identity.setup.delete(&path).await;
    refused_with(
        &identity.ask(&identity.asked()).await,
        700_016,
        "unauthorized_client",
        StatusCode::UNAUTHORIZED,
    );
}

#[rstest]
#[tokio::test]
async fn an_app_logs_in_with_its_service_accounts_token(#[values("16", "17", "18")] version: &str) {
    let setup = Setup::start_with_postgres().await.with_server("orders", version).await;
    let identity = Identity::new(setup).await;
    let administrator = identity.setup.administrator("orders", "postgres").await;
    let id = &identity.object_id;
    let create =
        format!("SELECT pgaadauth_create_principal_with_oid('orders-app', '{id}', 'service', false, false)");
    administrator.batch_execute(&create).await.unwrap();
    let answer = identity.ask(&identity.asked()).await;
    let token = answer.body["access_token"].as_str().unwrap();
    // Nobody who holds a token learns that this Azure's clock was moved.
    identity.setup.control.advance_clock(Duration::from_hours(48)).await.unwrap();
    let app = Login::of("orders", "orders-app", token).log_in(&identity.setup).await.unwrap();
    assert_eq!(column(&app, "SELECT current_user::text").await, ["orders-app"]);
    let again = identity.ask(&identity.asked()).await;
    assert_eq!(again.status, StatusCode::OK, "{}", again.body);
}
