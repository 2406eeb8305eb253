//! A server: a copy of a template, or what a backup has, with a process that runs on it.

use std::fs::{self, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tokio_postgres::{Client, Config, NoTls};

use super::backup::Backup;
use super::binaries::{Binaries, Version};
use super::{Error, SUPERUSER, folder, spawn, template};
use crate::ports::Ports;
use crate::process::log_tail;

/// For a start: also after a crash, on two busy cores.
const READY: Duration = Duration::from_mins(1);
/// For an end: sessions are cut off, and what is in memory is written.
const END: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(10);
/// How often a port may turn out to be somebody else's.
const PORTS_TRIED: usize = 10;
/// What PostgreSQL says where it was to stop at a moment after the last commit.
const BEFORE_ITS_TARGET: &str = "recovery ended before configured recovery target was reached";

/// What a principal of Microsoft Entra ID is, as `pgaadauth_create_principal_with_oid` takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PrincipalType {
    User,
    Group,
    /// An app or a managed identity.
    Service,
}

impl PrincipalType {
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
            Self::Service => "service",
        }
    }
}

/// A server of one version. When it is dropped, its process ends at once and its files are deleted. Its process also ends
/// when this process does; the files that then stay are deleted by the next process that starts a server.
#[derive(Debug)]
pub struct Cluster {
    folder: TempDir,
    /// What it was made from, to which it adds what it writes.
    backup: Backup,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    process: Child,
    /// On 127.0.0.1.
    port: u16,
}

impl Cluster {
    /// A new server that runs: without databases of anybody's, as Azure makes it. Fetches its programs if needed.
    pub fn start(version: Version) -> Result<Self, Error> {
        let mut cluster = Self::create(&Binaries::ensure(version, &|what| eprintln!("{what}"))?)?;
        cluster.run()?;
        Ok(cluster)
    }

    /// A new server that doesn't run yet.
    pub fn create(binaries: &Binaries) -> Result<Self, Error> {
        let template = template::ensure(binaries)?;
        let cluster = Self { folder: folder::fast()?, backup: Backup::begin(binaries)?, running: None };
        template::copy(&template, &cluster.data(), &[])?;
        Ok(cluster)
    }

    /// A server that runs, with the data of a backup as they were at a moment: with all that was committed until then, and
    /// nothing that was committed later. Without a moment, with the last that the backup has.
    pub fn restore(backup: Backup, moment: Option<Timestamp>) -> Result<Self, Error> {
        let template = template::ensure(backup.binaries())?;
        let mut cluster = Self { folder: folder::fast()?, backup, running: None };
        template::copy(&template, &cluster.data(), &["pg_wal"])?;
        cluster.prepare_recovery()?;
        let everything = cluster.backup.replaying();
        let Some(moment) = moment else {
            cluster.start_with(&everything)?;
            return Ok(cluster);
        };
        // In microseconds, and not rounded up: that would be another moment.
        let target = moment.strftime("recovery_target_time=%Y-%m-%d %H:%M:%S.%6f+00").to_string();
        match cluster.start_with(&[everything.as_slice(), &[target]].concat()) {
            // It refuses where nothing was committed after that moment: then everything was before it.
            Err(Error::Ended { .. }) if cluster.has_said(0, BEFORE_ITS_TARGET) => {
                cluster.start_with(&everything)?;
            }
            result => result?,
        }
        Ok(cluster)
    }

    fn prepare_recovery(&self) -> Result<(), Error> {
        let (log, signal) = (self.data().join("pg_wal"), self.data().join("recovery.signal"));
        let created = fs::DirBuilder::new().mode(0o700).create(&log).and_then(|()| template::hand_over(&log));
        created.map_err(|source| Error::File { path: log, source })?;
        let written = File::create(&signal).and_then(|_| template::hand_over(&signal));
        written.map_err(|source| Error::File { path: signal, source })
    }

    /// Starts its process, and waits until it takes connections. One that runs stays as it is.
    pub fn run(&mut self) -> Result<(), Error> {
        if self.runs() { Ok(()) } else { self.start_with(&[]) }
    }

    fn start_with(&mut self, settings: &[String]) -> Result<(), Error> {
        for _ in 0..PORTS_TRIED {
            let port = free_port()?;
            // Of the last start, if it ended without an end.
            fs::remove_file(self.data().join("postmaster.pid")).ok();
            let seen = fs::metadata(self.log()).map_or(0, |log| log.len());
            self.running = Some(Running { process: self.spawn(port, settings)?, port });
            match self.ready() {
                Err(Error::Ended { .. }) if self.has_said(seen, "could not bind") => {}
                result => return result,
            }
        }
        Err(Error::NoPort)
    }

    fn spawn(&self, port: u16, settings: &[String]) -> Result<Child, Error> {
        let log = self.log();
        let opened = File::options().create(true).append(true).open(&log);
        let opened = opened.and_then(|file| Ok((file.try_clone()?, file)));
        let (output, errors) = opened.map_err(|source| Error::File { path: log, source })?;
        let mut command = spawn::command(&self.backup.binaries().program("postgres"));
        command.arg("-D").arg(self.data()).arg("-c").arg(format!("port={port}"));
        command.args(["-c", "listen_addresses=127.0.0.1", "-c"]);
        command.arg(format!("unix_socket_directories={}", self.folder.path().display()));
        for setting in self.backup.archiving().iter().chain(settings) {
            command.arg("-c").arg(setting);
        }
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        spawn::start(command).map_err(|source| Error::Run { program: "postgres".to_owned(), source })
    }

    /// Waits until it takes connections, which its lock file then says.
    fn ready(&mut self) -> Result<(), Error> {
        let (log, started) = (self.log(), Instant::now());
        let lock_file = self.data().join("postmaster.pid");
        loop {
            let running = self.running.as_mut().ok_or(Error::Stopped)?;
            if let Ok(Some(status)) = running.process.try_wait() {
                self.running = None;
                return Err(Error::Ended { status, tail: log_tail(&log) });
            }
            let text = fs::read_to_string(&lock_file).unwrap_or_default();
            // <https://www.postgresql.org/docs/current/storage-file-layout.html>: its last line is the state.
            if text.lines().nth(7).is_some_and(|state| state.trim() == "ready") {
                return Ok(());
            }
            if started.elapsed() > READY {
                return Err(Error::NotReady { seconds: READY.as_secs(), tail: log_tail(&log) });
            }
            std::thread::sleep(POLL);
        }
    }

    /// Since its log was so long.
    fn has_said(&self, seen: u64, words: &str) -> bool {
        let log = fs::read(self.log()).unwrap_or_default();
        let new = log.get(usize::try_from(seen).unwrap_or_default()..).unwrap_or_default();
        String::from_utf8_lossy(new).contains(words)
    }

    /// Cuts off every session, writes everything down and ends. The data stay.
    pub fn stop(&mut self) -> Result<(), Error> {
        self.end(Signal::INT)
    }

    pub fn restart(&mut self) -> Result<(), Error> {
        self.stop()?;
        self.run()
    }

    /// Ends its process as a crash would: nothing is written down.
    pub fn crash(&mut self) -> Result<(), Error> {
        self.end(Signal::QUIT)
    }

    fn end(&mut self, signal: Signal) -> Result<(), Error> {
        let Some(mut running) = self.running.take() else { return Ok(()) };
        let asked = Instant::now();
        // Not waited for yet, so the number is still its own.
        if let Some(pid) = i32::try_from(running.process.id()).ok().and_then(Pid::from_raw) {
            // It may have ended by itself.
            kill_process(pid, signal).ok();
        }
        while asked.elapsed() < END {
            if running.process.try_wait().is_ok_and(|status| status.is_some()) {
                return Ok(());
            }
            std::thread::sleep(POLL);
        }
        running.process.kill().and_then(|()| running.process.wait()).map_err(|_| Error::Stuck)?;
        Ok(())
    }

    pub fn runs(&mut self) -> bool {
        self.running
            .as_mut()
            .is_some_and(|running| running.process.try_wait().is_ok_and(|status| status.is_none()))
    }

    /// Its process; `None` while it is stopped.
    pub fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(|running| running.process.id())
    }

    pub const fn version(&self) -> Version {
        self.backup.binaries().version()
    }

    /// With the minor version, as in `17.10`.
    pub fn release(&self) -> &str {
        self.backup.binaries().release()
    }

    /// Where the port of a login by SCRAM is, on 127.0.0.1. It is another one after each start.
    pub fn port(&self) -> Result<u16, Error> {
        self.running.as_ref().map(|running| running.port).ok_or(Error::Stopped)
    }

    /// Its Unix socket, by which whoever reaches it is let in as whom they say they are.
    pub fn socket(&self) -> Result<PathBuf, Error> {
        Ok(self.folder.path().join(format!(".s.PGSQL.{}", self.port()?)))
    }

    /// What it said so far.
    pub fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Its configuration files, tables and log of writes.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// How to log in over the Unix socket, where nobody is asked for a password.
    pub fn config(&self, user: &str, database: &str) -> Result<Config, Error> {
        let mut config = Config::new();
        config.host_path(self.folder.path()).port(self.port()?).user(user).dbname(database);
        Ok(config)
    }

    /// Logs in over the Unix socket. The session ends when the client is dropped.
    pub async fn connect(&self, user: &str, database: &str) -> Result<Client, Error> {
        connect(&self.config(user, database)?).await
    }

    /// As Azure's API makes an administrator from Microsoft Entra ID, under the name `name`. `object_id` is a GUID in lower
    /// case. One that is there already stays as it is; another one with this object id is an error.
    pub async fn create_administrator(
        &self,
        name: &str,
        object_id: &str,
        kind: PrincipalType,
    ) -> Result<(), Error> {
        let superuser = self.connect(SUPERUSER, "postgres").await?;
        let statement = "SELECT azure.create_administrator($1, $2, $3)";
        superuser.execute(statement, &[&name, &object_id, &kind.name()]).await?;
        Ok(())
    }

    /// All that was written so far, also what isn't in the archive yet. The server goes on as if nothing happened.
    pub async fn backup(&self) -> Result<Backup, Error> {
        if self.running.is_some() {
            // Commits are written down a moment later, or now.
            let session = self.connect(SUPERUSER, "postgres").await?;
            session.execute("SELECT pg_switch_wal()", &[]).await?;
        }
        let (archived, written) = (self.backup.reader(), self.data().join("pg_wal"));
        tokio::task::spawn_blocking(move || archived.with(Some(&written)))
            .await
            .map_err(|_| Error::Interrupted)?
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // What can go wrong with it, nobody can mend; the process ends with this one at the latest.
        self.crash().ok();
    }
}

pub(crate) async fn connect(config: &Config) -> Result<Client, Error> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(async move {
        // The client says the same to whoever asks it next.
        connection.await.ok();
    });
    Ok(client)
}

fn free_port() -> Result<u16, Error> {
    static PORTS: LazyLock<Mutex<Ports>> = LazyLock::new(|| Mutex::new(Ports::for_servers()));
    PORTS.lock().unwrap_or_else(PoisonError::into_inner).take().map_err(|_| Error::NoPort)
}
