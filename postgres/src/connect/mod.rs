//! A session with a server: over TLS, with the server's name verified, and with an end to whatever takes long.
//!
//! There is no connection without TLS, and none with a server whose certificate isn't for its name: what libpq calls
//! `sslmode=verify-full`. Where the address is given, as by libpq's `hostaddr`, the name is still verified.

mod connections;
mod failures;
mod tls;

use std::{
    fmt,
    future::{Future, poll_fn},
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::{net::TcpStream, task::JoinHandle, time::timeout};
use tokio_postgres::{
    Client, Config, NoTls, Row, SimpleQueryMessage,
    config::SslMode,
    types::{ToSql, Type},
};

use crate::failure::{Failure, Unreachable};

pub use connections::Connections;
pub use tls::{Tls, TlsError};

/// Shown in `pg_stat_activity`.
const APPLICATION: &str = "database-operator";
/// How much later than PostgreSQL itself we give up on a statement.
const GRACE: Duration = Duration::from_secs(2);

/// How long each thing may take.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// From looking up the name to the first answer after the login.
    pub connect: Duration,
    /// PostgreSQL's `statement_timeout`.
    pub statement: Duration,
    /// PostgreSQL's `lock_timeout`: how long a statement waits for a lock, as one that the app's migration holds.
    pub lock: Duration,
    /// A whole pass.
    pub pass: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            statement: Duration::from_secs(10),
            lock: Duration::from_secs(3),
            pass: Duration::from_secs(30),
        }
    }
}

/// A server, and how to log in there as its administrator.
#[derive(Clone)]
pub struct Server {
    host: String,
    port: u16,
    address: Option<IpAddr>,
    user: String,
    password: String,
    tls: Tls,
    limits: Limits,
    connections: Connections,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, address, user, limits, .. } = self;
        write!(f, "Server({user}@{host}:{port} at {address:?}, {limits:?})")
    }
}

impl Server {
    /// The password may be a token of Microsoft Entra.
    pub fn new(
        host: impl Into<String>,
        port: u16,
        user: impl Into<String>,
        password: impl Into<String>,
        tls: Tls,
    ) -> Self {
        let (host, user, password) = (host.into(), user.into(), password.into());
        Self {
            host,
            port,
            address: None,
            user,
            password,
            tls,
            limits: Limits::default(),
            connections: Connections::default(),
        }
    }

    /// Reached at this address instead of the one that the DNS has for its name.
    #[must_use]
    pub fn at(self, address: Option<IpAddr>) -> Self {
        Self { address, ..self }
    }

    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Counts its connections there.
    #[must_use]
    pub fn counted_in(self, connections: &Connections) -> Self {
        Self { connections: connections.clone(), ..self }
    }

    pub fn limits(&self) -> Limits {
        self.limits
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    /// A session in one of the server's databases.
    ///
    /// # Errors
    /// Each way in which it can fail has its own [`Failure`].
    pub async fn connect(&self, database: &str) -> Result<Session, Failure> {
        let after = self.limits.connect;
        match timeout(after, self.connect_in_time(database)).await {
            Ok(session) => session,
            Err(_) => Err(self.unreachable(Unreachable::NoAnswer { after })),
        }
    }

    async fn connect_in_time(&self, database: &str) -> Result<Session, Failure> {
        let stream = self.dial().await.map_err(|cause| self.unreachable(cause))?;
        let open = self.connections.one_more();
        let stream = self.tls.connect(&self.host, stream).await.map_err(|cause| self.unreachable(cause))?;
        let config = self.config(database);
        let (client, mut connection) = config
            .connect_raw(stream, NoTls)
            .await
            .map_err(|error| failures::of_login(self, database, &error))?;
        let version = connection.parameter("server_version").and_then(major).unwrap_or_default();
        // Notices are passed over: whether a statement had an effect is read back.
        let task = tokio::spawn(async move {
            let _open = open;
            while let Some(Ok(_)) = poll_fn(|context| connection.poll_message(context)).await {}
        });
        let wait = self.limits.statement + GRACE;
        Ok(Session {
            client,
            task: Task(task),
            version,
            wait,
            host: self.host.clone(),
            counts: Arc::default(),
        })
    }

    async fn dial(&self) -> Result<TcpStream, Unreachable> {
        let addresses: Vec<SocketAddr> = match self.address {
            Some(address) => vec![(address, self.port).into()],
            None => match tokio::net::lookup_host((self.host.as_str(), self.port)).await {
                Ok(addresses) => addresses.collect(),
                Err(_) => Vec::new(),
            },
        };
        if addresses.is_empty() {
            return Err(Unreachable::NameUnknown);
        }
        let stream = TcpStream::connect(&*addresses).await.map_err(|error| failures::of_network(&error))?;
        // Small packets that wait for each other make a pass slow, and no more.
        stream.set_nodelay(true).ok();
        Ok(stream)
    }

    /// TLS is there already, so that the library is told to do without.
    fn config(&self, database: &str) -> Config {
        let Limits { statement, lock, pass, .. } = self.limits;
        // What a database or a role has as its settings doesn't count where a session brings its own. In particular no
        // function, type or operator of the app is ever found by its name alone.
        let options = format!(
            "-c search_path=pg_catalog,pg_temp -c role=none -c standard_conforming_strings=on \
             -c default_transaction_read_only=off -c default_transaction_isolation=read\\ committed \
             -c statement_timeout={} -c lock_timeout={} -c idle_in_transaction_session_timeout={}",
            statement.as_millis(),
            lock.as_millis(),
            pass.as_millis()
        );
        let mut config = Config::new();
        config
            .user(&self.user)
            .password(&self.password)
            .dbname(database)
            .application_name(APPLICATION)
            .options(options)
            .ssl_mode(SslMode::Disable);
        config
    }

    fn unreachable(&self, cause: Unreachable) -> Failure {
        Failure::Unreachable { host: self.host.clone(), cause }
    }
}

/// `17.6` is 17, and so are `17beta1` and `17.10 (Debian 17.10-1)`.
fn major(version: &str) -> Option<u32> {
    let digits = version.find(|c: char| !c.is_ascii_digit()).map_or(version, |end| &version[..end]);
    digits.parse().ok()
}

/// What was sent.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    queries: AtomicU32,
    statements: AtomicU32,
}

impl Counts {
    /// Queries, and statements that change something.
    pub(crate) fn both(&self) -> (u32, u32) {
        (self.queries.load(Ordering::Relaxed), self.statements.load(Ordering::Relaxed))
    }
}

/// A connection that is logged in. Dropped, it is closed, and the server undoes a transaction that is open.
#[derive(Debug)]
pub struct Session {
    client: Client,
    task: Task,
    version: u32,
    wait: Duration,
    host: String,
    counts: Arc<Counts>,
}

/// The connection's own task, which goes with it.
#[derive(Debug)]
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A value of a query, with its type.
pub(crate) type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

impl Session {
    /// The server's major version, such as 17; 0 if it doesn't say.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Says goodbye, as far as that takes no time.
    pub async fn close(self) {
        const LONGEST: Duration = Duration::from_secs(1);
        let Self { client, mut task, .. } = self;
        drop(client);
        timeout(LONGEST, &mut task.0).await.ok();
    }

    pub(crate) fn counted_by(mut self, counts: &Arc<Counts>) -> Self {
        self.counts = Arc::clone(counts);
        self
    }

    /// Rows of a query that changes nothing. Several at once go out in one packet.
    pub(crate) async fn query(
        &self,
        doing: &str,
        sql: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Vec<Row>, Failure> {
        self.counts.queries.fetch_add(1, Ordering::Relaxed);
        // Boxed: a dozen of them at once are part of each pass.
        Box::pin(self.in_time(doing, self.client.query_typed(sql, parameters))).await
    }

    /// A statement without parameters. Its answer is the first value of its last row.
    pub(crate) async fn execute(&self, doing: &str, sql: &str) -> Result<Option<String>, Failure> {
        self.counts.statements.fetch_add(1, Ordering::Relaxed);
        self.send(doing, sql).await
    }

    /// `BEGIN`, `COMMIT` and `ROLLBACK`, which change nothing by themselves.
    pub(crate) async fn send(&self, doing: &str, sql: &str) -> Result<Option<String>, Failure> {
        let messages = Box::pin(self.in_time(doing, self.client.simple_query(sql))).await?;
        let row = messages.iter().rev().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        Ok(row.and_then(|row| row.get(0)).map(ToOwned::to_owned))
    }

    async fn in_time<T>(
        &self,
        doing: &str,
        answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Failure> {
        match timeout(self.wait, answer).await {
            Ok(answer) => {
                answer.map_err(|error| failures::of_statement(&self.host, doing, self.wait, &error))
            }
            Err(_) => Err(Failure::TimedOut { doing: doing.to_owned(), after: self.wait }),
        }
    }
}

#[cfg(test)]
mod tests;
