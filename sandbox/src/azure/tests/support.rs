//! A running stand-in with a client that trusts it and is logged in.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use crate::azure::{Addresses, Azure, Certificate, Config, Postgres, client::Client};

pub(super) const TENANT: &str = "00000000-0000-4000-8000-0000000000f1";
/// From where the cluster comes, as servers see it.
pub(super) const CLUSTER: Ipv4Addr = Ipv4Addr::new(20, 100, 0, 4);
pub(super) const GROUP: &str =
    "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg-databases";

/// An answer of ARM.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

impl Answer {
    /// The code of the error in it.
    pub(super) fn code(&self) -> &str {
        self.body.pointer("/error/code").and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// A stand-in, and everything needed to talk to it.
pub(super) struct Setup {
    pub(super) azure: Azure,
    pub(super) control: Client,
    pub(super) tls: TlsConnector,
    token: String,
}

impl Setup {
    /// A stand-in whose operations take no time, with a resource group and somebody logged in.
    pub(super) async fn start() -> Self {
        Self::start_with_delay(Duration::ZERO).await
    }

    pub(super) async fn start_with_delay(delay: Duration) -> Self {
        Self::start_with(delay, false).await
    }

    /// With a PostgreSQL behind each server.
    pub(super) async fn start_with_postgres() -> Self {
        Self::start_with(Duration::ZERO, true).await
    }

    async fn start_with(delay: Duration, with_postgres: bool) -> Self {
        let (arm_cert, tls) = certificates();
        let postgres = Postgres { cert: arm_cert.clone(), cluster_address: CLUSTER };
        let postgres = with_postgres.then_some(postgres);
        let config = Config { delay, arm_cert, postgres, addresses: Addresses::default() };
        let azure = Azure::start(config).await.expect("the stand-in starts");
        let control = Client::new(azure.control());
        let mut setup = Self { azure, control, tls, token: String::new() };
        setup.token = setup.log_in().await;
        let created = setup.put(GROUP, "2020-06-01", json!({"location": "norwayeast"})).await;
        assert_eq!(created.status, StatusCode::CREATED);
        setup
    }

    async fn log_in(&self) -> String {
        let form =
            "grant_type=client_credentials&client_id=aso&client_secret=s&scope=https%3A%2F%2Farm%2F.default";
        let request = Request::post(format!("/{TENANT}/oauth2/v2.0/token"))
            .header(header::HOST, "127.0.0.1")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::from(form))
            .expect("a request");
        let answer = exchange(self.connect("127.0.0.1").await, request).await;
        answer.body["access_token"].as_str().expect("a token").to_owned()
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, &versioned(path), Value::Null).await
    }

    pub(super) async fn delete(&self, path: &str) -> Answer {
        self.ask(Method::DELETE, &versioned(path), Value::Null).await
    }

    pub(super) async fn put(&self, path: &str, api_version: &str, body: Value) -> Answer {
        self.ask(Method::PUT, &format!("{path}?api-version={api_version}"), body).await
    }

    /// Sends one request with the token, on a connection of its own.
    pub(super) async fn ask(&self, method: Method, path_and_query: &str, body: Value) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path_and_query)
            .header(header::HOST, "127.0.0.1")
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::from(if body.is_null() { String::new() } else { body.to_string() }))
            .expect("a request");
        exchange(self.connect("127.0.0.1").await, request).await
    }

    /// Asks until a long-running operation has ended, and returns the last answer.
    pub(super) async fn finish(&self, accepted: &Answer) -> Value {
        assert_eq!(accepted.status, StatusCode::ACCEPTED, "{:?}", accepted.body);
        let url = accepted.header("azure-asyncoperation").to_owned();
        let path = url.strip_prefix(&self.azure.endpoint()).expect("a URL of this stand-in").to_owned();
        loop {
            let answer = self.ask(Method::GET, &path, Value::Null).await;
            assert_eq!(answer.status, StatusCode::OK);
            if answer.body["status"] != "InProgress" {
                return answer.body;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Writes and waits for success.
    pub(super) async fn write(&self, path: &str, body: Value) {
        let accepted = self.put(path, version_of(path), body).await;
        let outcome = self.finish(&accepted).await;
        assert_eq!(outcome["status"], "Succeeded", "{outcome}");
    }

    /// A TLS connection to the stand-in, by one of the names its certificate is for.
    pub(super) async fn connect(
        &self,
        name: &'static str,
    ) -> impl AsyncRead + AsyncWrite + Unpin + Send + 'static {
        let stream = TcpStream::connect(address(&self.azure.endpoint())).await.expect("a connection");
        self.secure(stream, name).await
    }

    pub(super) async fn secure(
        &self,
        stream: TcpStream,
        name: &'static str,
    ) -> impl AsyncRead + AsyncWrite + Unpin + Send + 'static {
        let name = ServerName::try_from(name).expect("a name");
        self.tls.connect(name, stream).await.expect("the certificate is trusted")
    }
}

pub(super) fn address(url: &str) -> SocketAddr {
    let (_, address) = url.split_once("://").expect("a URL");
    address.parse().expect("an address")
}

fn version_of(path: &str) -> &'static str {
    if path.contains("Microsoft.ManagedIdentity") {
        "2023-01-31"
    } else if path.contains("/providers/") {
        "2025-08-01"
    } else {
        "2020-06-01"
    }
}

fn versioned(path: &str) -> String {
    format!("{path}?api-version={}", version_of(path))
}

pub(super) async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<
        impl hyper::body::Body<Data = Bytes, Error = std::convert::Infallible> + Send + Unpin + 'static,
    >,
) -> Answer {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("a handshake");
    tokio::spawn(connection);
    let response = sender.send_request(request).await.expect("an answer");
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.expect("a whole answer").to_bytes();
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    Answer { status: parts.status, headers: parts.headers, body }
}

/// A CA, a certificate by it for the stand-in, and a client that trusts the CA.
fn certificates() -> (Certificate, TlsConnector) {
    let ca_key = KeyPair::generate().expect("a key");
    let mut ca = CertificateParams::new(Vec::new()).expect("parameters");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_certificate = ca.self_signed(&ca_key).expect("a CA");
    let issuer = Issuer::new(ca, ca_key);

    let names = ["127.0.0.1", "localhost", "login.microsoftonline.com", "*.postgres.database.azure.com"];
    let names = names.map(str::to_owned);
    let key = KeyPair::generate().expect("a key");
    let leaf =
        CertificateParams::new(names).expect("parameters").signed_by(&key, &issuer).expect("a certificate");

    let mut roots = RootCertStore::empty();
    roots.add(ca_certificate.der().clone()).expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let certificate = Certificate { chain_pem: leaf.pem(), key_pem: key.serialize_pem() };
    (certificate, TlsConnector::from(Arc::new(client)))
}

/// A server with nothing special about it.
pub(super) fn plain_server() -> Value {
    json!({
        "location": "norwayeast",
        "tags": {"owner": "orders"},
        "sku": {"name": "Standard_D2ds_v5", "tier": "GeneralPurpose"},
        "properties": {
            "version": "17",
            "storage": {"storageSizeGB": 128},
            "authConfig": {"activeDirectoryAuth": "Enabled", "passwordAuth": "Disabled", "tenantId": TENANT},
        },
    })
}

pub(super) fn server_path(name: &str) -> String {
    format!("{GROUP}/providers/Microsoft.DBforPostgreSQL/flexibleServers/{name}")
}
