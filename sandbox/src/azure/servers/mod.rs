//! The real PostgreSQL behind each server: it does what Azure's API is asked for, and the API shows what it has.
//!
//! One worker a server does one thing after the other; an operation of the API ends once its work is done, and fails if
//! that fails. `mirror` brings what was done by SQL into what the API shows.
//!
//! A restored server has what was committed to its source until the moment that was asked for. That moment is one of this
//! Azure's clock, and PostgreSQL knows the machine's: see `clock`, which tests move ahead. Of a dropped server nothing is kept
//! but what it wrote, for five days by the same clock.
//!
//! Where it isn't as Azure:
//!
//! - PostgreSQL can't be had here in the versions before 16: the API takes them, and nobody can log in.
//! - A server isn't upgraded to another major version: neither npm's packages nor most machines have `pg_upgrade`. The
//!   API reports the new version, the PostgreSQL behind it goes on as it is, and `GET /postgres` says so.
//! - A restore lacks nothing that was committed until then. Azure may lack the last five minutes, and the last hour in the
//!   paired region.
//! - What was written to a server is kept as long as the server is. The API refuses a moment before the retention all the
//!   same.
//! - A server takes 25 connections, whatever its size, until `max_connections` is set.
//! - Some parameters would take memory that a hundred servers on one machine don't have; see `parameters`.

mod mirror;
mod parameters;

use std::{collections::BTreeMap, sync::Arc};

use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

pub(super) use self::mirror::refresh;
use super::{
    arm::{errors::ArmError, resource_id::Key},
    cloud::Shared,
    directory::DirectoryEntry,
    endpoints::{Endpoint, RealServer},
    rules::restore,
    work::{Asked, Job, PasswordLogin, Source, Work},
};
use crate::postgres::{self, Backup, Binaries, Cluster, PrincipalType, Version};

enum Order {
    Job(Job),
    /// Another server gets these data. There are none if there is no PostgreSQL of this version.
    Backup(oneshot::Sender<Result<Option<Backup>, ArmError>>),
}

type Workers = Arc<std::sync::Mutex<BTreeMap<Key, mpsc::UnboundedSender<Order>>>>;

/// Does what is asked for until the stand-in stops, and then ends every server.
pub(super) async fn serve(
    shared: Shared,
    mut jobs: mpsc::UnboundedReceiver<Job>,
    stopping: CancellationToken,
) {
    let workers = Workers::default();
    let mut running = JoinSet::new();
    while let Some(Some(job)) = stopping.run_until_cancelled(jobs.recv()).await {
        let known = lock(&workers).get(&job.server).cloned();
        let orders = known.unwrap_or_else(|| {
            let (orders, received) = mpsc::unbounded_channel();
            lock(&workers).insert(job.server.clone(), orders.clone());
            let worker = Worker {
                shared: shared.clone(),
                workers: workers.clone(),
                key: job.server.clone(),
                cluster: None,
                remains: None,
                note: None,
            };
            running.spawn(worker.run(received, stopping.clone()));
            orders
        });
        // It ends only with the stand-in.
        orders.send(Order::Job(job)).ok();
    }
    while let Some(ended) = running.join_next().await {
        if let Err(error) = ended {
            warn!(%error, "what looked after a PostgreSQL ended early");
        }
    }
}

fn lock(workers: &Workers) -> std::sync::MutexGuard<'_, BTreeMap<Key, mpsc::UnboundedSender<Order>>> {
    workers.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// What is kept of a dropped server; nothing if there was no PostgreSQL behind it.
struct Remains(Option<Backup>);

/// Of one server.
struct Worker {
    shared: Shared,
    workers: Workers,
    key: Key,
    cluster: Option<Cluster>,
    remains: Option<Remains>,
    note: Option<String>,
}

impl Worker {
    async fn run(mut self, mut orders: mpsc::UnboundedReceiver<Order>, stopping: CancellationToken) {
        while let Some(Some(order)) = stopping.run_until_cancelled(orders.recv()).await {
            match order {
                Order::Job(job) => self.carry_out(job).await,
                Order::Backup(answer) => {
                    // Who asked may have stopped.
                    answer.send(self.backup().await).ok();
                }
            }
        }
        let cluster = self.cluster.take();
        self.publish();
        // It ends in the time that a few system calls take, but those block.
        tokio::task::spawn_blocking(move || drop(cluster)).await.ok();
    }

    async fn carry_out(&mut self, job: Job) {
        let creates = matches!(job.work, Work::Create { .. });
        let result = self.work(job.work).await;
        if creates && result.is_err() {
            // A server whose creation failed never was.
            self.cluster = None;
        }
        if let Err(error) = &result {
            warn!(server = self.key, %error, "PostgreSQL did not do what Azure's API was asked for");
        }
        self.publish();
        match job.asked {
            Asked::Operation(id) => self.shared.lock().operations.work_is_done(&id, result.err()),
            Asked::Control(done) => drop(done.send(())),
            Asked::Nobody => {}
        }
    }

    /// Tells everybody where it is.
    fn publish(&mut self) {
        let running = self.cluster.as_mut().and_then(|cluster| cluster.runs().then_some(&*cluster));
        let endpoint = running.and_then(|cluster| Endpoint::of(cluster).ok());
        let real = RealServer {
            server: self.key.clone(),
            release: self.cluster.as_ref().map(|cluster| cluster.release().to_owned()),
            runs: endpoint.is_some(),
            note: self.note.clone(),
        };
        self.shared.endpoints.set(&self.key, endpoint);
        let mut cloud = self.shared.lock();
        if real.release.is_some() || real.note.is_some() {
            cloud.real_servers.insert(self.key.clone(), real);
        } else {
            cloud.real_servers.remove(&self.key);
        }
    }

    async fn work(&mut self, work: Work) -> Result<(), ArmError> {
        match work {
            Work::Create { version, source, login } => self.create(&version, source, login).await,
            Work::Update { version, login } => {
                if let Some(version) = version {
                    self.report_version(&version);
                }
                self.set_login(login).await
            }
            Work::Drop => self.drop_cluster().await,
            Work::Forget => {
                self.note = None;
                let all = (self.cluster.take(), self.remains.take());
                self.blocking(move || drop(all)).await
            }
            Work::Stop => self.act(Cluster::stop).await,
            Work::Start => self.run_and_learn().await,
            Work::Restart => self.act(Cluster::restart).await,
            Work::Learn => self.learn().await,
            Work::CreateDatabase { name, owner } => {
                self.execute("CREATE DATABASE %I OWNER %I", &[&name, &owner]).await
            }
            Work::DropDatabase { name } => {
                self.execute("DROP DATABASE IF EXISTS %I WITH (FORCE)", &[&name]).await
            }
            Work::CreateAdministrator { name, object_id, principal_type } => {
                let Some(cluster) = self.running() else { return Ok(()) };
                let kind = match principal_type.as_str() {
                    "Group" => PrincipalType::Group,
                    "ServicePrincipal" => PrincipalType::Service,
                    _ => PrincipalType::User,
                };
                let created = cluster.create_administrator(&name, &object_id.to_lowercase(), kind).await;
                created.map_err(|error| refusal(&error))
            }
            Work::DropAdministrator { object_id } => self.drop_administrator(&object_id).await,
            Work::SetParameter { name, value } => match self.running() {
                Some(cluster) => {
                    parameters::set(cluster, &name, value.as_deref()).await.map_err(|error| refusal(&error))
                }
                None => Ok(()),
            },
            Work::Wait => Ok(()),
        }
    }

    async fn create(
        &mut self,
        version: &str,
        source: Option<Source>,
        login: Option<PasswordLogin>,
    ) -> Result<(), ArmError> {
        let created = match source {
            Some(source) => self.restored(source).await?,
            None => self.created(version).await?,
        };
        let Some(cluster) = created else { return Ok(()) };
        if cluster.pid().is_some() {
            let left_out = mirror::leave_out_administrators(&self.shared, &self.key, &cluster).await;
            left_out.map_err(|error| trouble(&error))?;
        }
        self.cluster = Some(cluster);
        self.report_version(version);
        self.run_and_learn().await?;
        self.set_login(login).await
    }

    /// A server without anything in it. Nothing, if this version can't be had.
    async fn created(&mut self, version: &str) -> Result<Option<Cluster>, ArmError> {
        let Some(version) = Version::of_major(version) else {
            self.note = Some(format!(
                "PostgreSQL {version} can't be had here: the API shows the server, and nobody can log in. Take one of \
                 16, 17 and 18"
            ));
            return Ok(None);
        };
        let created = move || Cluster::create(&Binaries::ensure(version, &|_| {})?);
        self.blocking(created).await?.map(Some).map_err(|error| trouble(&error))
    }

    /// A server with the data of another one. Where that has no PostgreSQL, neither has this.
    async fn restored(&mut self, source: Source) -> Result<Option<Cluster>, ArmError> {
        let orders = lock(&self.workers).get(&source.server).cloned().ok_or_else(restore::source_is_gone)?;
        let (answer, answered) = oneshot::channel();
        orders.send(Order::Backup(answer)).ok();
        let Some(backup) = answered.await.unwrap_or_else(|_| Err(restore::source_is_gone()))? else {
            self.note = Some(
                "there is no PostgreSQL behind the server that this one was restored from: the API shows it, and \
                 nobody can log in"
                    .to_owned(),
            );
            return Ok(None);
        };
        let moment = source.moment.map(|moment| self.shared.lock().clock.on_machine(moment));
        let restored = move || Cluster::restore(backup, moment);
        self.blocking(restored).await?.map(Some).map_err(|error| trouble(&error))
    }

    async fn backup(&self) -> Result<Option<Backup>, ArmError> {
        let backup = match (&self.cluster, &self.remains) {
            (Some(cluster), _) => cluster.backup().await.map(Some),
            (None, Some(Remains(remains))) => remains.as_ref().map(Backup::copy).transpose(),
            (None, None) if self.note.is_some() => Ok(None),
            (None, None) => return Err(restore::source_is_gone()),
        };
        backup.map_err(|error| trouble(&error))
    }

    /// Ends it in order, so that everything is written down, and keeps no more than that.
    async fn drop_cluster(&mut self) -> Result<(), ArmError> {
        if self.cluster.is_none() && self.note.is_none() {
            return Ok(());
        }
        self.act(Cluster::stop).await?;
        self.remains = Some(Remains(self.backup().await?));
        self.note = None;
        let cluster = self.cluster.take();
        self.blocking(move || drop(cluster)).await
    }

    async fn run_and_learn(&mut self) -> Result<(), ArmError> {
        self.act(Cluster::run).await?;
        self.learn().await
    }

    /// Whom the directory knows by name.
    async fn learn(&self) -> Result<(), ArmError> {
        let known: Vec<DirectoryEntry> = self.shared.lock().directory.values().cloned().collect();
        for DirectoryEntry { name, object_id, principal_type } in known {
            let statement = "INSERT INTO azure.directory VALUES (%L, %L, %L)
                             ON CONFLICT (name) DO UPDATE SET object_id = EXCLUDED.object_id, type = EXCLUDED.type";
            self.execute(statement, &[&name, &object_id.to_lowercase(), principal_type.name()]).await?;
        }
        Ok(())
    }

    /// Notes if the API says another version than runs.
    fn report_version(&mut self, version: &str) {
        let Some(cluster) = &self.cluster else { return };
        self.note = Some(cluster.version()).filter(|runs| runs.major() != version).map(|runs| {
            format!(
                "the API says version {version}, and PostgreSQL {runs} goes on behind it: it can't be upgraded here, for \
                 there is no pg_upgrade"
            )
        });
        if let Some(note) = &self.note {
            warn!(server = self.key, "{note}");
        }
    }

    /// The administrator with a password, who is created if they aren't there.
    async fn set_login(&self, login: Option<PasswordLogin>) -> Result<(), ArmError> {
        let Some(PasswordLogin { name, password }) = login else { return Ok(()) };
        self.execute("SELECT azure.set_password(%L, %L)", &[&name, &password]).await
    }

    async fn drop_administrator(&self, object_id: &str) -> Result<(), ArmError> {
        self.execute("SELECT azure.drop_administrator(%L)", &[&object_id.to_lowercase()]).await
    }

    fn running(&self) -> Option<&Cluster> {
        self.cluster.as_ref().filter(|cluster| cluster.pid().is_some())
    }

    /// Fills in names (`%I`) and values (`%L`), by PostgreSQL's own function, and executes what comes out. A server that
    /// has no PostgreSQL has nothing to do.
    async fn execute(&self, statement: &str, values: &[&str]) -> Result<(), ArmError> {
        let Some(cluster) = self.running() else { return Ok(()) };
        let done = async {
            let session = cluster.connect(postgres::SUPERUSER, "postgres").await?;
            let filled =
                session.query_one("SELECT format($1, VARIADIC $2::text[])", &[&statement, &values]).await?;
            session.batch_execute(filled.get(0)).await?;
            Ok::<_, postgres::Error>(())
        };
        done.await.map_err(|error| refusal(&error))
    }

    /// Something that blocks, on the cluster if there is one.
    async fn act(
        &mut self,
        action: impl FnOnce(&mut Cluster) -> Result<(), postgres::Error> + Send + 'static,
    ) -> Result<(), ArmError> {
        let Some(mut cluster) = self.cluster.take() else { return Ok(()) };
        // Who comes meanwhile finds it gone.
        self.shared.endpoints.set(&self.key, None);
        let acted = move || {
            let result = action(&mut cluster);
            (cluster, result)
        };
        let (cluster, result) = self.blocking(acted).await?;
        self.cluster = Some(cluster);
        result.map_err(|error| trouble(&error))
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ArmError> {
        let ended = |_| ArmError::new(500, "InternalServerError", "The stand-in for Azure is stopping.");
        tokio::task::spawn_blocking(work).await.map_err(ended)
    }
}

/// PostgreSQL's own words, as Azure hands them on: in which form it does is not known.
fn refusal(error: &postgres::Error) -> ArmError {
    match error {
        postgres::Error::Sql(said) if said.as_db_error().is_some() => {
            ArmError::bad_request("OperationFailed", error.to_string())
        }
        _ => trouble(error),
    }
}

fn trouble(error: &postgres::Error) -> ArmError {
    ArmError::new(500, "InternalServerError", error.to_string())
}
