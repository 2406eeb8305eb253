//! A database on a server, its passes, and who logs in.

pub mod front;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use postgres::{
    Access, Create, Credential, DatabaseName, Desired, ExtensionName, ExtensionWish, Failure, Level, Limits,
    Login, Mark, PrincipalKind, Report, RoleName, Server, failure::LockedBy, pass,
};
use sandbox::postgres::{Cluster, PrincipalType, SUPERUSER, Version};
use tokio_postgres::SimpleQueryMessage;

use front::Front;

const PATIENCE: Duration = Duration::from_secs(20);
/// The role that passes run as: an administrator, as Azure's API makes it.
pub const OPERATORS: &str = "db-operators";
const OPERATORS_ID: &str = "11111111-1111-4111-8111-111111111111";
/// Extensions that the servers allow.
const ALLOWED: &str = "hstore,cube,earthdistance,pgcrypto,pg_stat_statements";

/// A server that several tests use at once. Passes take turns.
struct Shared {
    cluster: Cluster,
    turn: tokio::sync::Mutex<()>,
}

/// Those that some test uses at present: the last one takes it along.
static SERVERS: Mutex<BTreeMap<Version, Weak<Shared>>> = Mutex::new(BTreeMap::new());
static COUNT: AtomicU32 = AtomicU32::new(1);

fn start(version: Version) -> Arc<Shared> {
    Arc::new(Shared { cluster: Cluster::start(version).unwrap(), turn: tokio::sync::Mutex::default() })
}

fn shared(version: Version) -> Arc<Shared> {
    let mut servers = SERVERS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(server) = servers.get(&version).and_then(Weak::upgrade) {
        return server;
    }
    let server = start(version);
    servers.insert(version, Arc::downgrade(&server));
    server
}

/// A database that isn't there yet, on a server.
pub struct World {
    server: Arc<Shared>,
    front: Front,
    /// Of the database. Names of logins and object ids have it in them, since a server has each of them once.
    number: u32,
    pub database: String,
}

impl World {
    pub async fn new(version: Version) -> Self {
        Self::on(shared(version)).await
    }

    /// On a server of its own.
    pub async fn alone(version: Version) -> Self {
        Self::on(start(version)).await
    }

    async fn on(server: Arc<Shared>) -> Self {
        let front = Front::before(&server.cluster).await;
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let world = Self { server, front, number, database: format!("db{number}") };
        let turn = world.server.turn.lock().await;
        world
            .server
            .cluster
            .create_administrator(OPERATORS, OPERATORS_ID, PrincipalType::Group)
            .await
            .unwrap();
        let superuser = world.server.cluster.connect(SUPERUSER, "postgres").await.unwrap();
        superuser.batch_execute(&format!("ALTER SYSTEM SET azure.extensions = '{ALLOWED}'")).await.unwrap();
        superuser.batch_execute("SELECT pg_reload_conf()").await.unwrap();
        drop(turn);
        world
    }

    pub fn cluster(&self) -> &Cluster {
        &self.server.cluster
    }

    /// A name of this world's own.
    pub fn name(&self, name: &str) -> String {
        format!("{}-{name}", self.database)
    }

    pub fn object_id(&self, number: u32) -> String {
        format!("22222222-2222-4222-8222-{:06x}{number:06x}", self.number)
    }

    pub fn login(&self, name: &str, level: Level) -> Login {
        let number: u32 = name.bytes().map(u32::from).sum();
        let credential =
            Credential::Entra { object_id: self.object_id(number), kind: PrincipalKind::Service };
        Login { role: RoleName::new(&self.name(name)).unwrap(), credential, level, may_log_in: true }
    }

    /// The app alone.
    pub fn desired(&self) -> Desired {
        Desired {
            database: DatabaseName::new(&self.database).unwrap(),
            mark: Mark::new(&format!("database-operator: test/{}", self.database)).unwrap(),
            logins: vec![self.login("app", Level::Owner)],
            extensions: Vec::new(),
            access: Access::Open,
            create: Create::IfNew,
            take_over_from: Vec::new(),
        }
    }

    pub fn server(&self, limits: Limits) -> Server {
        self.front.server(OPERATORS).with_limits(limits)
    }

    /// A pass that must come to its end. What it finds is in the report.
    #[track_caller]
    pub fn pass(&self, desired: &Desired) -> impl Future<Output = Report> {
        let pass = self.try_pass(desired, &|| true);
        async move { pass.await.unwrap_or_else(|failure| panic!("{failure}")) }
    }

    /// A pass after which all must be as it is wanted, and a second one that sends nothing.
    pub async fn settle(&self, desired: &Desired) -> Report {
        let report = self.pass(desired).await;
        assert_eq!(report.findings, [], "{report:?}");
        let again = self.pass(desired).await;
        assert_eq!((again.statements, again.findings), (0, Vec::new()));
        report
    }

    /// One that ended without a goodbye just before may still have the lock.
    pub async fn try_pass(
        &self,
        desired: &Desired,
        fence: &(dyn Fn() -> bool + Sync),
    ) -> Result<Report, Failure> {
        let limits = Limits { lock: Duration::from_secs(1), ..Limits::default() };
        let started = Instant::now();
        loop {
            match self.pass_within(limits, desired, fence).await {
                Err(Failure::Locked { by: LockedBy::OtherPass, .. }) if started.elapsed() < PATIENCE => {}
                result => return result,
            }
        }
    }

    pub async fn pass_within(
        &self,
        limits: Limits,
        desired: &Desired,
        fence: &(dyn Fn() -> bool + Sync),
    ) -> Result<Report, Failure> {
        let _turn = self.server.turn.lock().await;
        pass(&self.server(limits), desired, fence).await
    }

    /// The first column of all rows, as whoever is named; otherwise SQLSTATE and PostgreSQL's words.
    pub async fn sql(&self, user: &str, database: &str, sql: &str) -> Result<Vec<String>, String> {
        let config = self.cluster().config(user, database).unwrap();
        let said = |error: tokio_postgres::Error| {
            error.as_db_error().map_or_else(
                || error.to_string(),
                |said| format!("{}: {}", said.code().code(), said.message()),
            )
        };
        let (client, connection) = config.connect(tokio_postgres::NoTls).await.map_err(said)?;
        let task = tokio::spawn(connection);
        let messages = client.simple_query(sql).await.map_err(said)?;
        drop(client);
        task.await.unwrap().ok();
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or("null").to_owned()),
            _ => None,
        });
        Ok(rows.collect())
    }

    /// In this world's database.
    pub async fn inside(&self, user: &str, sql: &str) -> Result<Vec<String>, String> {
        self.sql(user, &self.database, sql).await
    }

    pub async fn app(&self, sql: &str) -> Result<Vec<String>, String> {
        self.inside(&self.name("app"), sql).await
    }

    /// As nobody can on Azure.
    pub async fn superuser(&self, sql: &str) -> Vec<String> {
        self.sql(SUPERUSER, "postgres", sql).await.unwrap_or_else(|said| panic!("{sql}: {said}"))
    }

    pub async fn superuser_inside(&self, sql: &str) -> Vec<String> {
        self.inside(SUPERUSER, sql).await.unwrap_or_else(|said| panic!("{sql}: {said}"))
    }
}

pub fn wish(name: &str) -> ExtensionWish {
    ExtensionWish { name: ExtensionName::new(name).unwrap(), update: false }
}

/// That something was refused with these words.
#[track_caller]
pub fn refused<T: std::fmt::Debug>(result: Result<T, String>, words: &str) {
    let said = result.unwrap_err();
    assert!(said.contains(words), "{said}");
}
