//! A client of PostgreSQL that checks whom it talks to, as apps do.

use std::{
    io,
    net::Ipv4Addr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use rustls::pki_types::ServerName;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpSocket, TcpStream},
};
use tokio_postgres::{
    Client, Config, Error,
    config::{SslMode, SslNegotiation},
    tls::{ChannelBinding, TlsConnect},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::support::{CLUSTER, Setup, plain_server, server_path};
use crate::azure::TokenRequest;

pub(super) const OPERATORS: &str = "11111111-1111-4111-8111-111111111111";
/// A member of the group of the operators.
pub(super) const OPERATOR: &str = "11111111-1111-4111-8111-1111111111aa";

/// Who logs in where.
#[derive(Clone, Debug)]
pub(super) struct Login<'a> {
    pub(super) server: &'a str,
    pub(super) user: &'a str,
    pub(super) password: &'a str,
    pub(super) database: &'a str,
    pub(super) from: Ipv4Addr,
    /// TLS at once, as PostgreSQL 17 can.
    pub(super) directly: bool,
}

impl<'a> Login<'a> {
    /// From the cluster, into the database `postgres`.
    pub(super) const fn of(server: &'a str, user: &'a str, password: &'a str) -> Self {
        Self { server, user, password, database: "postgres", from: Ipv4Addr::LOCALHOST, directly: false }
    }

    pub(super) const fn into_database(self, database: &'a str) -> Self {
        Self { database, ..self }
    }

    /// The session, or in which words it was refused.
    pub(super) async fn log_in(&self, setup: &Setup) -> Result<Client, String> {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((self.from, 0).into()).unwrap();
        let stream = socket.connect(setup.azure.gateway().unwrap()).await.unwrap();
        let mut config = Config::new();
        config.user(self.user).password(self.password).dbname(self.database);
        if self.directly {
            config.ssl_mode(SslMode::Require).ssl_negotiation(SslNegotiation::Direct);
        }
        let (client, connection) =
            config.connect_raw(stream, self.tls(setup)).await.map_err(|error| words(&error))?;
        tokio::spawn(connection);
        Ok(client)
    }

    pub(super) fn tls(&self, setup: &Setup) -> Tls {
        let mut config = setup.tls.config().as_ref().clone();
        config.alpn_protocols = vec![b"postgresql".to_vec()];
        Tls {
            connector: Arc::new(config).into(),
            host: format!("{}.postgres.database.azure.com", self.server),
        }
    }
}

/// `28P01: password authentication failed for user "app"`, or what the client itself says.
pub(super) fn words(error: &Error) -> String {
    error
        .as_db_error()
        .map_or_else(|| error.to_string(), |said| format!("{}: {}", said.code().code(), said.message()))
}

#[derive(Clone)]
pub(super) struct Tls {
    connector: TlsConnector,
    host: String,
}

pub(super) struct Stream(TlsStream<TcpStream>);

impl TlsConnect<TcpStream> for Tls {
    type Stream = Stream;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Stream>> + Send>>;

    fn connect(self, stream: TcpStream) -> Self::Future {
        Box::pin(async move {
            let name = ServerName::try_from(self.host).map_err(io::Error::other)?;
            self.connector.connect(name, stream).await.map(Stream)
        })
    }
}

impl tokio_postgres::tls::TlsStream for Stream {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl Setup {
    /// A server of this version that the cluster reaches, with a group of administrators that has one member.
    pub(super) async fn with_server(self, name: &str, version: &str) -> Self {
        let mut server = plain_server();
        server["properties"]["version"] = json!(version);
        self.with_server_like(name, server).await
    }

    pub(super) async fn with_server_like(self, name: &str, server: Value) -> Self {
        let path = server_path(name);
        self.write(&path, server).await;
        let rule = json!({"properties": {"startIpAddress": CLUSTER, "endIpAddress": CLUSTER}});
        self.write(&format!("{path}/firewallRules/cluster"), rule).await;
        let group = json!({"properties": {"principalName": "db-operators", "principalType": "Group"}});
        self.write(&format!("{path}/administrators/{OPERATORS}"), group).await;
        self.control.set_members(OPERATORS, &[OPERATOR]).await.unwrap();
        self
    }

    pub(super) async fn token(&self, object_id: &str) -> String {
        self.control.token(&TokenRequest::of(object_id)).await.unwrap()
    }

    /// A session of an administrator's.
    pub(super) async fn administrator(&self, server: &str, database: &str) -> Client {
        let token = self.token(OPERATOR).await;
        Login::of(server, "db-operators", &token).into_database(database).log_in(self).await.unwrap()
    }
}

/// The first column of each row.
pub(super) async fn column(client: &Client, query: &str) -> Vec<String> {
    let rows = client.query(query, &[]).await.unwrap();
    rows.iter().map(|row| row.get::<_, String>(0)).collect()
}

/// What a statement is refused with; fails the test if it isn't.
pub(super) async fn refused(client: &Client, statement: &str) -> String {
    words(&client.batch_execute(statement).await.expect_err("this was not refused"))
}
