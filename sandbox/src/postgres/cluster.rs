//! A server: a copy of a template, or of another server, with a process that runs on it.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{LazyLock, Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tokio_postgres::{Client, Config, NoTls};

use super::binaries::{Binaries, Version};
use super::{Error, SUPERUSER, spawn, template};
use crate::ports::Ports;
use crate::process::log_tail;

/// For a start: also after a crash, on two busy cores.
const READY: Duration = Duration::from_mins(1);
/// For an end: sessions are cut off, and what is in memory is written.
const END: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(10);
/// How often a port may turn out to be somebody else's.
const PORTS_TRIED: usize = 10;

/// Of the folders of servers. The number of their process follows.
const PREFIX: &str = "database-sandbox-postgresql-";

/// A file system in memory, where copies are made five times as fast as on a disk. A server takes some 40 MB.
const MEMORY: &str = "/dev/shm";
const MEMORY_NEEDED: u64 = 4 << 30;

/// What must not go with a copy of a server that runs: whose it is, and what is written until the copy is complete.
const NOT_COPIED: [&str; 3] = ["postmaster.pid", "postmaster.opts", "pg_wal"];

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
    binaries: Binaries,
    folder: TempDir,
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
        let cluster = Self { binaries: binaries.clone(), folder: new_folder()?, running: None };
        template::copy(&template, &cluster.data(), &[])?;
        Ok(cluster)
    }

    /// Starts its process, and waits until it takes connections. One that runs stays as it is.
    pub fn run(&mut self) -> Result<(), Error> {
        if self.runs() {
            return Ok(());
        }
        for _ in 0..PORTS_TRIED {
            let port = free_port()?;
            // Of the last start, if it ended without an end.
            fs::remove_file(self.data().join("postmaster.pid")).ok();
            let seen = fs::metadata(self.log()).map_or(0, |log| log.len());
            self.running = Some(Running { process: self.spawn(port)?, port });
            match self.ready() {
                Err(Error::Ended { .. }) if self.lost_its_port(seen) => {}
                result => return result,
            }
        }
        Err(Error::NoPort)
    }

    fn spawn(&self, port: u16) -> Result<Child, Error> {
        let log = self.log();
        let opened = File::options().create(true).append(true).open(&log);
        let opened = opened.and_then(|file| Ok((file.try_clone()?, file)));
        let (output, errors) = opened.map_err(|source| Error::File { path: log, source })?;
        let mut command = spawn::command(&self.binaries.program("postgres"));
        command.arg("-D").arg(self.data()).arg("-c").arg(format!("port={port}"));
        command.args(["-c", "listen_addresses=127.0.0.1", "-c"]);
        command.arg(format!("unix_socket_directories={}", self.folder.path().display()));
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

    fn lost_its_port(&self, seen: u64) -> bool {
        let log = fs::read(self.log()).unwrap_or_default();
        let new = log.get(usize::try_from(seen).unwrap_or_default()..).unwrap_or_default();
        String::from_utf8_lossy(new).contains("could not bind")
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
        self.binaries.version()
    }

    /// With the minor version, as in `17.10`.
    pub fn release(&self) -> &str {
        self.binaries.release()
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

    /// Another server with the same data, which doesn't run yet. This one goes on as if nothing happened.
    pub async fn copy(&self) -> Result<Self, Error> {
        let copy = Self { binaries: self.binaries.clone(), folder: new_folder()?, running: None };
        let (from, to) = (self.data(), copy.data());
        if self.running.is_none() {
            blocking(move || template::copy(&from, &to, &NOT_COPIED[..2])).await?;
            return Ok(copy);
        }
        // <https://www.postgresql.org/docs/current/continuous-archiving.html#BACKUP-LOWLEVEL-BASE-BACKUP>
        let session = self.connect(SUPERUSER, "postgres").await?;
        session.execute("SELECT pg_backup_start('copy', fast => true)", &[]).await?;
        let (data, target) = (from.clone(), to.clone());
        blocking(move || template::copy(&data, &target, &NOT_COPIED)).await?;
        let ended =
            session.query_one("SELECT labelfile FROM pg_backup_stop(wait_for_archive => false)", &[]).await?;
        let label: String = ended.get(0);
        blocking(move || {
            template::copy(&from.join("pg_wal"), &to.join("pg_wal"), &[])?;
            let path = to.join("backup_label");
            let written = fs::write(&path, label).and_then(|()| template::hand_over(&path));
            written.map_err(|source| Error::File { path, source })
        })
        .await?;
        Ok(copy)
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

async fn blocking(work: impl FnOnce() -> Result<(), Error> + Send + 'static) -> Result<(), Error> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::Interrupted)?
}

fn free_port() -> Result<u16, Error> {
    static PORTS: LazyLock<Mutex<Ports>> = LazyLock::new(|| Mutex::new(Ports::for_servers()));
    PORTS.lock().unwrap_or_else(PoisonError::into_inner).take().map_err(|_| Error::NoPort)
}

/// A folder that only its owner, whom PostgreSQL runs as, can look into. Its path is short, as those of sockets must be.
fn new_folder() -> Result<TempDir, Error> {
    static CLEANED: Once = Once::new();
    CLEANED.call_once(clean);
    let prefix = format!("{PREFIX}{}-", std::process::id());
    let place = place();
    let folder = tempfile::Builder::new()
        .prefix(&prefix)
        .permissions(fs::Permissions::from_mode(0o700))
        .tempdir_in(&place)
        .map_err(|source| Error::File { path: place, source })?;
    let failed = |source| Error::File { path: folder.path().to_owned(), source };
    template::hand_over(folder.path()).map_err(failed)?;
    Ok(folder)
}

/// Where servers keep their files: where `TMPDIR` says, else in memory if there is plenty, else in the system's folder
/// for temporary files.
fn place() -> PathBuf {
    let free =
        rustix::fs::statvfs(MEMORY).map_or(0, |memory| memory.f_bavail.saturating_mul(memory.f_frsize));
    if std::env::var_os("TMPDIR").is_none() && free >= MEMORY_NEEDED {
        PathBuf::from(MEMORY)
    } else {
        std::env::temp_dir()
    }
}

/// Deletes what processes left that were killed.
fn clean() {
    let places = [PathBuf::from(MEMORY), std::env::temp_dir()];
    let entries = places.iter().filter_map(|place| fs::read_dir(place).ok());
    for entry in entries.flatten().flatten() {
        if left_behind(&entry.path()) {
            remove_shared_memory(&entry.path().join("data/postmaster.pid"));
            // Another process may be at it, too.
            fs::remove_dir_all(entry.path()).ok();
        }
    }
}

/// The few bytes of System V shared memory by which PostgreSQL sees that it runs once; only SIGKILL leaves them.
fn remove_shared_memory(lock_file: &Path) {
    let text = fs::read_to_string(lock_file).unwrap_or_default();
    // Key and id.
    let Some(segment) = text.lines().nth(6).map(|line| line.split_whitespace().collect::<Vec<_>>()) else {
        return;
    };
    let segments = fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
    let is_it = |line: &str| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        // The seventh says how many use it.
        columns.get(..2) == Some(segment.as_slice()) && columns.get(6) == Some(&"0")
    };
    if let (Some(id), true) = (segment.get(1), segments.lines().any(is_it)) {
        // Nobody misses it if there is no such program.
        Command::new("ipcrm").args(["-m", id]).status().ok();
    }
}

fn left_behind(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    let owner = name.and_then(|name| name.strip_prefix(PREFIX)?.split('-').next()?.parse().ok());
    let owner = owner.and_then(Pid::from_raw);
    owner.is_some_and(|owner| test_kill_process(owner) == Err(rustix::io::Errno::SRCH))
}
