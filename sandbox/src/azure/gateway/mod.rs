//! The way to the PostgreSQL behind each server, as clients know it: `<server>.postgres.database.azure.com`, port 5432, TLS.
//!
//! All servers of a stand-in share one loopback address, which is told apart from those of others: `PGHOSTADDR`, or any
//! other way to have a name mean an address, leads there. The name that a client sends with TLS says which server it
//! wants. `session` logs it in, and `token` judges the tokens of Microsoft Entra ID.
//!
//! Clients on 127.0.0.1 are the cluster, and so are pods, whose addresses are private: they come from the address that the
//! policy's firewall names. A client that binds another loopback address, such as 127.0.0.2, is somebody elsewhere at that
//! address.
//!
//! Known gaps: `pg_stat_ssl` says that there is no TLS, and `channel_binding=require` fails.

mod admission;
mod session;
mod token;
mod wire;

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{LazyConfigAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use self::{
    admission::{Admission, Client},
    session::{Sessions, Target},
    wire::First,
};
use super::{
    arm::{
        resource_id::{Key, Kind},
        server::{Server, is_enabled},
    },
    cloud::Shared,
    gateway_faults::GatewayFaultKind,
    logins::LoginAttempt,
    serve,
};

const PORT: u16 = 5432;
const ALPN: &[u8] = b"postgresql";
/// PostgreSQL's own limit for a login.
const LOGIN: Duration = Duration::from_mins(1);
/// Where nobody answers: about as long as Linux tries to connect to an address whose packets are dropped.
const SILENCE: Duration = Duration::from_secs(127);
/// How many of the first packets may ask for encryption.
const REQUESTS: usize = 3;
/// The first byte of TLS, which a client of PostgreSQL 17 may begin with.
const TLS_HANDSHAKE: u8 = 0x16;

/// Addresses in 127.64.0.0/10, from a place that depends on the process, so that sandboxes that start at the same time
/// don't meet. Other systems than Linux have just the one.
pub(super) async fn bind() -> io::Result<TcpListener> {
    let spread = std::process::id().wrapping_mul(2_654_435_761) >> 12;
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    let own = (0..256_u32).map(|next| {
        let [_, high, middle, low] = spread.wrapping_add(next).to_be_bytes();
        Ipv4Addr::new(127, 64 + high % 64, middle, low.clamp(1, 254))
    });
    for address in own.chain([Ipv4Addr::LOCALHOST]) {
        match TcpListener::bind((address, PORT)).await {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(last)
}

struct Gate {
    shared: Shared,
    tls: Arc<ServerConfig>,
    sessions: Sessions,
}

/// Serves until the stand-in stops.
pub(super) async fn serve(
    shared: Shared,
    listener: Arc<TcpListener>,
    mut tls: ServerConfig,
    stopping: CancellationToken,
) {
    tls.alpn_protocols = vec![ALPN.to_vec()];
    let gate = Arc::new(Gate { shared, tls: Arc::new(tls), sessions: Sessions::default() });
    serve::accept(&listener, &stopping, |stream| {
        let gate = gate.clone();
        async move {
            if let Err(error) = gate.connection(stream).await {
                debug!(%error, "a connection to a server ended early");
            }
        }
    })
    .await;
}

/// How a connection goes on after the name of its server is known.
enum Route {
    Open(Box<Target>),
    Silent,
    Closed,
    Reset,
    Error(String, String),
    /// In a real network the name would lead nowhere.
    Unknown,
}

impl Gate {
    async fn connection(&self, mut stream: TcpStream) -> io::Result<()> {
        let client = self.client(stream.peer_addr()?);
        let negotiated = tokio::time::timeout(LOGIN, self.until_tls(&mut stream, client));
        let Some(directly) = negotiated.await?? else { return Ok(()) };
        let start = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream);
        let start = tokio::time::timeout(LOGIN, start).await??;
        let host = start.client_hello().server_name().unwrap_or_default().to_lowercase();
        let mut attempt = LoginAttempt {
            time: self.shared.lock().now().to_string(),
            server: host.split('.').next().unwrap_or_default().to_owned(),
            client: client.address.to_string(),
            ..LoginAttempt::default()
        };
        let route = self.route(&host, client, &mut attempt);
        match route {
            Route::Silent => {
                tokio::time::sleep(SILENCE).await;
                return Ok(());
            }
            Route::Closed => return Ok(()),
            _ => {}
        }
        let tls = tokio::time::timeout(LOGIN, start.into_stream(self.tls.clone())).await??;
        if directly && tls.get_ref().1.alpn_protocol() != Some(ALPN) {
            return Err(io::Error::other("TLS at once, and not for PostgreSQL"));
        }
        self.secured(tls, route, attempt).await
    }

    /// Answers what comes before TLS. `None` ends the connection; else, whether TLS began at once.
    async fn until_tls(&self, stream: &mut TcpStream, client: Client) -> io::Result<Option<bool>> {
        let mut first = [0];
        stream.peek(&mut first).await?;
        if first == [TLS_HANDSHAKE] {
            return Ok(Some(true));
        }
        for _ in 0..REQUESTS {
            let refusal = match wire::read_first(stream).await? {
                First::Ssl => {
                    tokio::io::AsyncWriteExt::write_all(stream, b"S").await?;
                    return Ok(Some(false));
                }
                First::GssEncryption => {
                    tokio::io::AsyncWriteExt::write_all(stream, b"N").await?;
                    continue;
                }
                First::Cancel(request) => return self.sessions.cancel(&request).await.map(|()| None),
                First::Startup(startup) => wire::fatal(
                    "28000",
                    &format!(
                        "no pg_hba.conf entry for host \"{}\", user \"{}\", database \"{}\", no encryption",
                        client.address, startup.user, startup.database
                    ),
                ),
            };
            wire::write(stream, &refusal).await?;
            break;
        }
        Ok(None)
    }

    async fn secured(
        &self,
        mut tls: TlsStream<TcpStream>,
        route: Route,
        mut attempt: LoginAttempt,
    ) -> io::Result<()> {
        let startup = match tokio::time::timeout(LOGIN, wire::read_first(&mut tls)).await?? {
            First::Startup(startup) => startup,
            First::Cancel(request) => return self.sessions.cancel(&request).await,
            First::Ssl | First::GssEncryption => {
                return Err(io::Error::other("encryption within encryption"));
            }
        };
        attempt.user.clone_from(&startup.user);
        attempt.database.clone_from(&startup.database);
        let (code, words) = match route {
            Route::Open(target) => {
                return session::serve(&self.shared, &self.sessions, &target, &startup, tls, attempt).await;
            }
            Route::Reset => {
                GatewayFaultKind::Reset.outcome().clone_into(&mut attempt.outcome);
                self.shared.lock().logins.record(attempt);
                return tls.get_ref().0.set_zero_linger();
            }
            Route::Error(code, words) => (code, words),
            Route::Silent | Route::Closed | Route::Unknown => {
                ("08001".to_owned(), format!("there is no server \"{}\" in this sandbox", attempt.server))
            }
        };
        session::refuse(&self.shared, &mut tls, attempt, &wire::fatal(&code, &words)).await
    }

    /// Who connects from 127.0.0.1 or from a private address is in the cluster.
    fn client(&self, peer: SocketAddr) -> Client {
        let IpAddr::V4(address) = peer.ip() else {
            return Client { address: Ipv4Addr::UNSPECIFIED, in_cluster: false };
        };
        let in_cluster = address == Ipv4Addr::LOCALHOST || address.is_private();
        Client { address: if in_cluster { self.shared.lock().cluster_address } else { address }, in_cluster }
    }

    /// Where a connection leads. What ends without a word is recorded here.
    fn route(&self, host: &str, client: Client, attempt: &mut LoginAttempt) -> Route {
        let mut cloud = self.shared.lock();
        cloud.settle();
        let found = cloud.resources.values().find(|resource| {
            resource.id.kind == Kind::FlexibleServer
                && resource.body["properties"]["fullyQualifiedDomainName"].as_str() == Some(host)
        });
        let server = found.map(|found| (found.id.key(), Server::read(&found.body)));
        let Some((key, Ok(server))) = server else { return Route::Unknown };
        let rules = cloud.below(&key, Kind::FirewallRule).map(|rule| &rule.body["properties"]);
        let admission = admission::admits(&server, rules, client);
        let fault = cloud.gateway_faults.strike(&attempt.server);
        let tenant = server.properties.auth_config.tenant_id.clone().unwrap_or_else(|| cloud.tenant());
        let (route, outcome) = self.decide(&key, &server, tenant, admission, fault);
        if let Some(outcome) = outcome {
            cloud.logins.record(LoginAttempt { outcome, ..attempt.clone() });
        }
        route
    }

    fn decide(
        &self,
        key: &Key,
        server: &Server,
        tenant: String,
        admission: Admission,
        fault: Option<GatewayFaultKind>,
    ) -> (Route, Option<String>) {
        let outcome = fault.as_ref().map(GatewayFaultKind::outcome);
        let delay = match (admission, fault) {
            (Admission::Silent(why), _) => return (Route::Silent, Some(why.to_owned())),
            (Admission::Closed(why), _) => return (Route::Closed, Some(why.to_owned())),
            (Admission::Open, Some(GatewayFaultKind::Silence)) => return (Route::Silent, outcome),
            (Admission::Open, Some(GatewayFaultKind::Refusal)) => return (Route::Closed, outcome),
            (Admission::Open, Some(GatewayFaultKind::Reset)) => return (Route::Reset, None),
            (Admission::Open, Some(GatewayFaultKind::Error { code, message })) => {
                return (Route::Error(code, message), None);
            }
            (Admission::Open, Some(GatewayFaultKind::Slow { milliseconds })) => {
                Duration::from_millis(milliseconds)
            }
            (Admission::Open, None) => Duration::ZERO,
        };
        let Some(endpoint) = self.shared.endpoints.get(key) else {
            return (Route::Closed, Some("not running".to_owned()));
        };
        let methods = &server.properties.auth_config;
        let target = Target {
            endpoint,
            tenant,
            takes_tokens: is_enabled(methods.active_directory_auth.as_deref()),
            takes_passwords: is_enabled(methods.password_auth.as_deref()),
            delay,
        };
        (Route::Open(Box::new(target)), None)
    }
}
