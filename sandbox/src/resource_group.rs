//! The resource group that the databases go into. A platform has it before it installs the operator, and so does the
//! sandbox.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::http::request::Builder;
use axum::http::{self, Method, StatusCode, header};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::certificates::Authority;
use crate::place::Place;
use crate::state::Azure;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("can't connect to the stand-in for Azure: {0}")]
    Connect(#[from] io::Error),
    #[error("can't trust the stand-in for Azure: {0}")]
    Tls(#[from] rustls::Error),
    #[error("can't read the sandbox's own certificate: {0}")]
    Certificate(#[from] rustls::pki_types::pem::Error),
    #[error("can't ask the stand-in for Azure: {0}")]
    Request(#[from] http::Error),
    #[error("the stand-in for Azure doesn't answer: {0}")]
    Answer(#[from] hyper::Error),
    #[error("the stand-in for Azure refuses {path} ({status}): {body}")]
    Refused { path: String, status: StatusCode, body: String },
    #[error("the stand-in for Azure gives a token that can't be read: {0}")]
    Token(#[from] serde_json::Error),
}

/// Logs in as ASO does, and creates the group.
pub(crate) async fn create(azure: &Azure, authority: &Authority, place: &Place) -> Result<(), Error> {
    let mut connection = Connection::open(azure, authority).await?;
    let login = connection
        .request(Method::POST, &format!("/{}/oauth2/v2.0/token", place.tenant_id))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let form = "grant_type=client_credentials&client_id=sandbox&client_secret=sandbox&scope=.default";
    let token: Token = serde_json::from_slice(&connection.send(login, form.to_owned()).await?)?;
    let path = format!(
        "/subscriptions/{}/resourceGroups/{}?api-version=2021-04-01",
        place.subscription_id, place.resource_group
    );
    let group = connection
        .request(Method::PUT, &path)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::AUTHORIZATION, format!("Bearer {}", token.access_token));
    connection.send(group, json!({ "location": place.location }).to_string()).await?;
    Ok(())
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
}

struct Connection {
    host: String,
    sender: SendRequest<Full<Bytes>>,
}

impl Connection {
    async fn open(azure: &Azure, authority: &Authority) -> Result<Self, Error> {
        let host = azure.endpoint.trim_start_matches("https://");
        let mut trusted = RootCertStore::empty();
        trusted.add(CertificateDer::from_pem_slice(authority.certificate().as_bytes())?)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(trusted)
            .with_no_client_auth();
        let stream = TcpStream::connect(host).await?;
        let name = ServerName::from(IpAddr::from(Ipv4Addr::LOCALHOST));
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { host: host.to_owned(), sender })
    }

    fn request(&self, method: Method, path: &str) -> Builder {
        http::Request::builder().method(method).uri(path).header(header::HOST, &self.host)
    }

    async fn send(&mut self, request: Builder, body: String) -> Result<Bytes, Error> {
        let request = request.body(Full::from(body))?;
        let path = request.uri().path().to_owned();
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        if status.is_success() {
            Ok(body)
        } else {
            Err(Error::Refused { path, status, body: String::from_utf8_lossy(&body).into_owned() })
        }
    }
}
