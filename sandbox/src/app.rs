//! An app, for the story on a terminal: it logs in with what a pod has, and runs SQL.
//!
//! That is the Secret of its `Database`, and a token of its ServiceAccount, which Microsoft Entra's stand-in trades for one that
//! the server takes.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, InvalidDnsNameError, ServerName, pem};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::azure::TOKEN_EXCHANGE;
use crate::kubectl::{self, Kubectl};
use crate::place::{self, PolicyFile};
use crate::state::{self, Directory, State};

/// Length 8, and the number of `SSLRequest`.
/// <https://www.postgresql.org/docs/current/protocol-message-formats.html>
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
/// How long a server may take to let the app in.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Directory(#[from] state::Error),
    #[error("no sandbox runs in {}", .0.display())]
    Down(PathBuf),
    #[error("the sandbox was started without PostgreSQL")]
    WithoutPostgres,
    #[error(transparent)]
    Kubectl(#[from] kubectl::Error),
    #[error("the Secret {secret} has no {key}")]
    Missing { secret: String, key: &'static str },
    #[error("the pod's file holds something else: {0}")]
    Pod(serde_json::Error),
    #[error(transparent)]
    Place(#[from] place::Error),
    #[error("the sandbox's root certificate can't be read: {0}")]
    Root(#[from] pem::Error),
    #[error("no TLS: {0}")]
    Tls(#[from] rustls::Error),
    #[error("not a host name: {0}")]
    Name(#[from] InvalidDnsNameError),
    #[error("{0}")]
    Network(#[from] io::Error),
    #[error("Microsoft Entra's stand-in: {0}")]
    Http(#[from] hyper::Error),
    #[error("Microsoft Entra's stand-in: {0}")]
    Request(#[from] hyper::http::Error),
    #[error("Microsoft Entra gives no token: {0}")]
    NoToken(String),
    #[error("{host} gives no answer in {} seconds: its firewall is closed", PATIENCE.as_secs())]
    NoAnswer { host: String },
    #[error("{0}")]
    Sql(String),
}

/// Which app.
#[derive(Debug, clap::Args)]
pub(crate) struct AppArgs {
    /// Namespace of the `Database`
    #[arg(long, short)]
    namespace: String,
    /// Name of the `Database`
    #[arg(long, short)]
    database: String,
    /// A file in which the app keeps its Secret and its token, as a pod does that goes on running
    #[arg(long, value_name = "FILE")]
    pod: Option<PathBuf>,
    /// Statements of SQL
    sql: Vec<String>,
}

/// Logs in, and prints what each statement returns.
pub(crate) async fn run(directory: &Directory, app: &AppArgs) -> Result<(), Error> {
    let down = || Error::Down(directory.path().to_owned());
    let state = directory.read()?.filter(|state| state.ready).ok_or_else(down)?;
    let gateway = state.azure.gateway.ok_or(Error::WithoutPostgres)?;
    let cache = directory.path().join("kubectl-cache");
    let kubectl = Kubectl::new(&state.kubectl, &state.kubeconfig, &cache);
    let tls = trusting(CertificateDer::from_pem_file(directory.root_certificate())?)?;
    let pod = match app.pod.as_ref().and_then(|file| std::fs::read(file).ok()) {
        Some(kept) => serde_json::from_slice(&kept).map_err(Error::Pod)?,
        None => start(&kubectl, app, &state, &tls).await?,
    };
    if let Some(file) = &app.pod {
        std::fs::write(file, serde_json::to_vec(&pod).map_err(Error::Pod)?)?;
    }
    let Pod { host, user, database, password } = pod;
    let within = timeout(PATIENCE, log_in(gateway, &tls, &host, &user, &database, &password));
    let client = within.await.map_err(|_| Error::NoAnswer { host: host.clone() })??;
    for statement in &app.sql {
        println!("{database}=> {statement}");
        for message in client.simple_query(statement).await.map_err(|error| Error::Sql(words(&error)))? {
            if let SimpleQueryMessage::Row(row) = message {
                let values: Vec<&str> = (0..row.len()).map(|column| row.get(column).unwrap_or("")).collect();
                println!(" {}", values.join(" | "));
            }
        }
    }
    Ok(())
}

async fn log_in(
    gateway: SocketAddr,
    tls: &TlsConnector,
    host: &str,
    user: &str,
    database: &str,
    password: &str,
) -> Result<Client, Error> {
    let stream = secure(gateway, host, tls).await?;
    let mut config = Config::new();
    config.user(user).password(password).dbname(database).ssl_mode(SslMode::Disable);
    let (client, connection) =
        config.connect_raw(stream, NoTls).await.map_err(|error| Error::Sql(words(&error)))?;
    tokio::spawn(connection);
    Ok(client)
}

/// PostgreSQL's own words, as psql shows them.
fn words(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(error) => format!("{}:  {}", error.severity(), error.message()),
        None => error.to_string(),
    }
}

/// What a pod has once it is up.
#[derive(Debug, Serialize, Deserialize)]
struct Pod {
    host: String,
    user: String,
    database: String,
    /// Or a token.
    password: String,
}

async fn start(kubectl: &Kubectl, app: &AppArgs, state: &State, tls: &TlsConnector) -> Result<Pod, Error> {
    let name = format!("{}-db-credentials", app.database);
    let found = ["get", "secret", &name, "--namespace", &app.namespace, "--output", "json"];
    let found: Value = serde_json::from_str(&kubectl.run(&found).await?).unwrap_or_default();
    let value = |key: &str| {
        let decoded = BASE64_STANDARD.decode(found["data"][key].as_str()?).ok()?;
        String::from_utf8(decoded).ok()
    };
    let of = |key: &'static str| value(key).ok_or_else(|| Error::Missing { secret: name.clone(), key });
    let password = match value("password") {
        Some(password) => password,
        None => token(kubectl, app, &of("client-id")?, state, tls).await?,
    };
    Ok(Pod { host: of("host")?, user: of("username")?, database: of("database")?, password })
}

/// Trades a token of the app's ServiceAccount.
async fn token(
    kubectl: &Kubectl,
    app: &AppArgs,
    client: &str,
    state: &State,
    tls: &TlsConnector,
) -> Result<String, Error> {
    let AppArgs { namespace, database, .. } = app;
    let path = "jsonpath={.status.serviceAccountName}";
    let account =
        kubectl.run(&["get", "database", database, "--namespace", namespace, "--output", path]).await?;
    let (account, audience) = (account.trim(), TOKEN_EXCHANGE);
    let assertion =
        ["create", "token", account, "--namespace", namespace, "--audience", audience, "--duration", "1h"];
    let assertion = kubectl.run(&assertion).await?;
    let form = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("grant_type", "client_credentials"),
            ("client_id", client),
            ("scope", "https://ossrdbms-aad.database.windows.net/.default"),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", assertion.trim()),
        ])
        .finish();
    let address = state.azure.endpoint.trim_start_matches("https://");
    let tenant = PolicyFile::of(&state.options)?.place.tenant_id;
    let stream = TcpStream::connect(address).await?;
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host).to_owned();
    let stream = tls.connect(ServerName::try_from(host)?, stream).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = hyper::Request::post(format!("/{tenant}/oauth2/v2.0/token"))
        .header("host", address)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Full::<Bytes>::from(form))?;
    let answer = sender.send_request(request).await?.into_body().collect().await?.to_bytes();
    let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
    match answer["access_token"].as_str() {
        Some(token) => Ok(token.to_owned()),
        None => Err(Error::NoToken(answer["error_description"].as_str().unwrap_or("no answer").to_owned())),
    }
}

/// TLS as PostgreSQL begins it.
async fn secure(gateway: SocketAddr, host: &str, tls: &TlsConnector) -> Result<TlsStream<TcpStream>, Error> {
    let mut stream = TcpStream::connect(gateway).await?;
    stream.write_all(&SSL_REQUEST).await?;
    let mut answer = [0];
    stream.read_exact(&mut answer).await?;
    Ok(tls.connect(ServerName::try_from(host.to_owned())?, stream).await?)
}

/// Trusts what this certificate has signed, and nothing else.
fn trusting(root: CertificateDer<'static>) -> Result<TlsConnector, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(root)?;
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
