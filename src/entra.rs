//! Tokens of Microsoft Entra for the operator's own identity, by which it logs in to servers.
//!
//! Azure Workload Identity gives the operator's pod the token of its ServiceAccount in a file, and says in its environment where
//! that is exchanged for one of Entra.
//! <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow#third-case-access-token-request-with-a-federated-credential>

use std::{
    fmt,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::http::{Request, StatusCode, Uri, header::CONTENT_TYPE};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Body;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use policy::quote::clean;
use rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::CertificateDer};
use serde::Deserialize;
use tokio::{sync::Mutex, time::timeout};
use tower::BoxError;

/// What a token is for: logging in to Azure Database for PostgreSQL.
/// <https://learn.microsoft.com/azure/postgresql/security/security-entra-configure>
const SCOPE: &str = "https://ossrdbms-aad.database.windows.net/.default";
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How long Entra may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// An answer is a token of a few kilobytes.
const LARGEST_ANSWER: usize = 64 * 1024;
/// How long an error is told to everybody who asks, so that Entra isn't asked for each server.
const AFTER_ERROR: Duration = Duration::from_secs(5);
/// How old a token must be that a server refuses, before Entra is asked for another one: hundreds of servers may refuse it.
const AFTER_REFUSAL: Duration = Duration::from_secs(20);
/// A token that says nothing else is taken to live so long.
const SHORTEST_LIFE: Duration = Duration::from_mins(5);
/// Entra gives none that lives longer.
/// <https://learn.microsoft.com/azure/postgresql/security/security-entra-concepts>
const LONGEST_LIFE: Duration = Duration::from_hours(24);
/// The longest text of Entra's that is told.
const LONGEST_TEXT: usize = 300;

/// Which identity, and where its tokens come from.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// Such as `https://login.microsoftonline.com/`.
    pub(crate) authority: Uri,
    pub(crate) tenant_id: String,
    pub(crate) client_id: String,
    /// With the token of the operator's ServiceAccount.
    pub(crate) token_file: PathBuf,
}

/// Why there is no token.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum TokenError {
    #[error("the file {} with the token of the operator's ServiceAccount can't be read: {why}", .file.display())]
    File { file: PathBuf, why: String },
    #[error("Microsoft Entra at {authority} can't be reached: {why}")]
    Unreachable { authority: String, why: String },
    #[error("Microsoft Entra at {authority} gave no answer in {} seconds", PATIENCE.as_secs())]
    NoAnswer { authority: String },
    #[error("Microsoft Entra gives the operator's identity {client_id} no token: {why}")]
    Refused { client_id: String, why: String },
    #[error("Microsoft Entra at {authority} answered what is no token")]
    NoToken { authority: String },
}

/// Gives tokens, each for as long as it is good.
pub(crate) struct Tokens {
    identity: Identity,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    last: Mutex<Option<Last>>,
}

/// What Entra has said.
#[derive(Debug)]
struct Last {
    said: Result<Token, TokenError>,
    /// Until when it isn't asked again.
    until: Instant,
    since: Instant,
}

#[derive(Clone, Debug)]
struct Token {
    text: Arc<str>,
    expires: Instant,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tokens").field(&self.identity).finish()
    }
}

impl Tokens {
    pub(crate) fn new(
        identity: Identity,
        authorities: impl IntoIterator<Item = CertificateDer<'static>>,
    ) -> Result<Self, rustls::Error> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(authorities);
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_only().enable_http1().build();
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { identity, client, last: Mutex::default() })
    }

    /// With a token that is good for an hour.
    #[cfg(test)]
    pub(crate) fn holding(text: &str) -> Self {
        let identity = Identity {
            authority: Uri::from_static("https://login.example/"),
            tenant_id: String::new(),
            client_id: String::new(),
            token_file: PathBuf::new(),
        };
        let until = Instant::now() + Duration::from_hours(1);
        let said = Ok(Token { text: text.into(), expires: until });
        let last = Last { said, until, since: Instant::now() };
        Self { last: Mutex::new(Some(last)), ..Self::new(identity, []).unwrap() }
    }

    /// A token that is good for a while. Entra is asked anew at two thirds of a token's life, and whoever asks meanwhile waits.
    pub(crate) async fn token(&self) -> Result<Arc<str>, TokenError> {
        let mut last = self.last.lock().await;
        if let Some(last) = last.as_ref().filter(|last| Instant::now() < last.until) {
            return last.said.clone().map(|token| token.text);
        }
        let asked = self.ask().await;
        let now = Instant::now();
        let before = last.take().and_then(|last| last.said.ok()).filter(|token| now < token.expires);
        let (said, until) = match (asked, before) {
            (Ok((text, life)), _) => {
                (Ok(Token { text: text.into(), expires: now + life }), now + life * 2 / 3)
            }
            // What was given before is good for a while yet.
            (Err(error), Some(token)) => {
                tracing::warn!(%error, "no new token for the servers; the last one is used");
                (Ok(token), now + AFTER_ERROR)
            }
            (Err(error), None) => (Err(error), now + AFTER_ERROR),
        };
        let text = said.clone().map(|token| token.text);
        *last = Some(Last { said, until, since: now });
        text
    }

    /// A server doesn't let in who has this token. A new one may be better: a token says in which groups the identity is, as it
    /// was when the token was made.
    pub(crate) async fn was_refused(&self, token: &Arc<str>) {
        if let Some(last) = self.last.lock().await.as_mut()
            && last.said.as_ref().is_ok_and(|said| said.text == *token)
            && last.since.elapsed() >= AFTER_REFUSAL
        {
            last.until = Instant::now();
        }
    }

    /// A token, and how long it is good.
    async fn ask(&self) -> Result<(String, Duration), TokenError> {
        let Identity { authority, tenant_id, client_id, token_file } = &self.identity;
        // Kubernetes writes a new one into the file before the old one is over.
        let assertion = tokio::fs::read_to_string(token_file)
            .await
            .map_err(|error| TokenError::File { file: token_file.clone(), why: error.to_string() })?;
        let unreachable = |why: String| TokenError::Unreachable { authority: authority.to_string(), why };
        let body = form(&[
            ("grant_type", "client_credentials"),
            ("client_id", client_id),
            ("scope", SCOPE),
            ("client_assertion_type", ASSERTION),
            ("client_assertion", assertion.trim()),
        ]);
        let uri = format!("{}/{tenant_id}/oauth2/v2.0/token", authority.to_string().trim_end_matches('/'));
        let request = Request::post(uri)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::from(body))
            .map_err(|error| unreachable(error.to_string()))?;
        let answer = async {
            let answer = self.client.request(request).await.map_err(|error| unreachable(causes(&error)))?;
            let (head, body) = answer.into_parts();
            let body = whole(body).await.map_err(|error| unreachable(causes(error.as_ref())))?;
            Ok::<_, TokenError>((head.status, body))
        };
        let (status, body) = timeout(PATIENCE, answer)
            .await
            .map_err(|_| TokenError::NoAnswer { authority: authority.to_string() })??;
        read(status, &body, &self.identity)
    }
}

/// A body that isn't larger than a token's.
async fn whole<B>(body: B) -> Result<Bytes, BoxError>
where
    B: Body<Error: Into<BoxError>>,
{
    Ok(Limited::new(body, LARGEST_ANSWER).collect().await?.to_bytes())
}

/// The words of an error and of what caused it, each once.
fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut words = vec![error.to_string()];
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !words.iter().any(|word| word.contains(&text)) {
            words.push(text);
        }
        next = cause.source();
    }
    clean(&words.join(": "))
}

/// `name=value&…`. <https://url.spec.whatwg.org/#application/x-www-form-urlencoded>
fn form(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

#[derive(Deserialize)]
struct Answer {
    access_token: Option<String>,
    /// In seconds.
    expires_in: Option<u64>,
    error: Option<String>,
    error_description: Option<String>,
}

/// What Entra's answer says.
fn read(status: StatusCode, body: &[u8], identity: &Identity) -> Result<(String, Duration), TokenError> {
    let answer: Option<Answer> = serde_json::from_slice(body).ok();
    match answer {
        Some(Answer { access_token: Some(token), expires_in, .. })
            if status.is_success() && !token.is_empty() =>
        {
            let life = expires_in.map_or(SHORTEST_LIFE, Duration::from_secs);
            Ok((token, life.min(LONGEST_LIFE)))
        }
        Some(Answer { error: Some(error), error_description, .. }) => {
            // The description begins with Entra's own code, and goes on with ids of the request.
            let description = error_description.as_deref().unwrap_or_default();
            let text = description.lines().next().filter(|line| !line.is_empty()).unwrap_or(&error);
            let why = clean(text).chars().take(LONGEST_TEXT).collect();
            Err(TokenError::Refused { client_id: identity.client_id.clone(), why })
        }
        _ => Err(TokenError::NoToken { authority: identity.authority.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::trust;

    fn identity() -> Identity {
        Identity {
            authority: Uri::from_static("https://login.example/"),
            tenant_id: "tenant".to_owned(),
            client_id: "client".to_owned(),
            token_file: "/nowhere/token".into(),
        }
    }

    #[rstest]
    #[case::a_token(200, r#"{"access_token": "t", "expires_in": 3599, "token_type": "Bearer"}"#, Ok(("t", 3599)))]
    #[case::without_a_life(200, r#"{"access_token": "t"}"#, Ok(("t", 300)))]
    #[case::for_ever(200, r#"{"access_token": "t", "expires_in": 18446744073709551615}"#, Ok(("t", 86400)))]
    #[case::an_empty_one(
        200,
        r#"{"access_token": ""}"#,
        Err("Microsoft Entra at https://login.example/ answered what is no token")
    )]
    #[case::a_page(200, "<html>", Err("Microsoft Entra at https://login.example/ answered what is no token"))]
    #[case::a_token_with_an_error(
        500,
        r#"{"access_token": "t"}"#,
        Err("Microsoft Entra at https://login.example/ answered what is no token")
    )]
    #[case::an_error(401, r#"{"error": "invalid_client", "error_description": "AADSTS700213: No matching federated identity record found.\r\nTrace ID: 0"}"#, Err("Microsoft Entra gives the operator's identity client no token: AADSTS700213: No matching federated identity record found."))]
    #[case::without_words(
        400,
        r#"{"error": "invalid_request"}"#,
        Err("Microsoft Entra gives the operator's identity client no token: invalid_request")
    )]
    fn an_answer_is_a_token_or_says_why_not(
        #[case] status: u16,
        #[case] body: &str,
        #[case] expected: Result<(&str, u64), &str>,
    ) {
        let read = read(StatusCode::from_u16(status).unwrap(), body.as_bytes(), &identity());
        let read = read.map(|(token, life)| (token, life.as_secs())).map_err(|error| error.to_string());
        assert_eq!(
            read.as_ref().map(|(token, life)| (token.as_str(), *life)).map_err(String::as_str),
            expected
        );
    }

    #[tokio::test]
    async fn an_answer_that_is_larger_than_a_token_is_not_read_to_its_end() {
        let answer = |length| whole(Full::<Bytes>::from(vec![b' '; length]));
        assert_eq!(answer(LARGEST_ANSWER).await.unwrap().len(), LARGEST_ANSWER);
        assert!(answer(LARGEST_ANSWER + 1).await.is_err());
    }

    #[test]
    fn what_a_form_holds_cannot_end_it() {
        assert_eq!(form(&[("a", "x y&b=c+%"), ("b", "å-._~")]), "a=x+y%26b%3Dc%2B%25&b=%C3%A5-._%7E");
    }

    #[tokio::test]
    async fn without_the_file_there_is_no_token_and_the_error_is_kept_for_a_while() {
        let tokens = Tokens::new(identity(), trust::roots()).unwrap();
        let error = tokens.token().await.unwrap_err();
        assert!(error.to_string().starts_with("the file /nowhere/token with the token"), "{error}");
        assert_eq!(tokens.token().await.unwrap_err(), error);
        assert!(tokens.last.lock().await.as_ref().unwrap().until > Instant::now());
    }

    #[tokio::test]
    async fn a_token_is_used_until_two_thirds_of_its_life_and_longer_where_there_is_no_other() {
        let tokens = Tokens::new(identity(), trust::roots()).unwrap();
        let now = Instant::now();
        let token = Token { text: "t".into(), expires: now + Duration::from_mins(1) };
        *tokens.last.lock().await =
            Some(Last { said: Ok(token.clone()), until: now + Duration::from_mins(1), since: now });
        assert_eq!(&*tokens.token().await.unwrap(), "t");
        *tokens.last.lock().await = Some(Last { said: Ok(token.clone()), until: now, since: now });
        assert_eq!(&*tokens.token().await.unwrap(), "t", "the file isn't there, and the token is good");
        *tokens.last.lock().await =
            Some(Last { said: Ok(Token { expires: now, ..token }), until: now, since: now });
        assert!(tokens.token().await.is_err());
    }

    /// Such as one from before the identity became a member of the group that administers the servers.
    #[tokio::test]
    async fn a_token_that_a_server_refuses_is_used_no_longer_unless_it_is_new() {
        let tokens = Tokens::new(identity(), trust::roots()).unwrap();
        let hour = Duration::from_hours(1);
        for (age, other, is_asked_anew) in
            [(AFTER_REFUSAL, "t", true), (Duration::ZERO, "t", false), (AFTER_REFUSAL, "another", false)]
        {
            let until = Instant::now() + hour;
            let said = Ok(Token { text: "t".into(), expires: until });
            *tokens.last.lock().await =
                Some(Last { said, until, since: Instant::now().checked_sub(age).unwrap() });
            tokens.was_refused(&other.into()).await;
            let last = tokens.last.lock().await.as_ref().unwrap().until;
            assert_eq!(last <= Instant::now(), is_asked_anew, "{age:?} {other}");
        }
    }
}
