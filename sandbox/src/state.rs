//! What a running sandbox says about itself: to `status`, to `down`, to tests, and to whoever reads `state.json`.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::options::Options;
use crate::origin::Origin;

/// Its name says whose it is: what else lies beside it may be deleted.
const LOCK: &str = "database-sandbox.lock";

/// `status` and `down` take the lock for an instant to see whether it is free; a supervisor that starts just then
/// tries again for this long.
const LOCK_RETRIES: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("can't use the directory {}: {source}", path.display())]
    Directory { path: PathBuf, source: io::Error },
    #[error("{} is not a sandbox's directory: choose an empty or a new one", path.display())]
    Foreign { path: PathBuf },
    #[error("can't write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error(
        "can't understand {}: {source}; if the sandbox is of another version, run `database-sandbox down` first",
        path.display()
    )]
    Parse { path: PathBuf, source: serde_json::Error },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// Everything was ready once.
    pub ready: bool,
    /// The process id of the supervisor.
    pub supervisor: u32,
    /// What it was started with.
    pub options: Options,
    /// Which build of the operator runs in it; `None` when it was started without.
    pub origin: Option<Origin>,
    /// The archive of the operator's image, where it runs in pods.
    pub image: Option<PathBuf>,
    /// The port of the supervisor's own control endpoint.
    pub control: u16,
    /// An administrator's.
    pub kubeconfig: PathBuf,
    pub kubectl: PathBuf,
    pub helm: PathBuf,
    pub logs: PathBuf,
    pub audit_log: PathBuf,
    pub azure: Azure,
    pub processes: BTreeMap<String, Process>,
}

/// The URLs of the stand-in for Azure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Azure {
    pub endpoint: String,
    pub proxy: String,
    pub control: String,
    /// Where the names of its servers should lead, on port 5432; `None` without PostgreSQL.
    pub gateway: Option<SocketAddr>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Process {
    pub status: Status,
    /// In a sandbox with nodes, as it is known within its own namespace of processes.
    pub pid: Option<u32>,
    /// How often it ended unasked and was started again.
    pub restarts: u32,
    pub log: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    Running,
    Paused,
    /// On request.
    Stopped,
    /// By itself; it will be started again.
    Exited,
}

impl std::fmt::Display for Status {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
            Self::Exited => "exited",
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    Nothing,
    Logs,
}

/// The directory of one sandbox. Whether one runs there is decided by a lock, which the system takes from a
/// supervisor that dies; a process id in a file could be anybody's by now.
#[derive(Debug, Clone)]
pub(crate) struct Directory {
    path: PathBuf,
}

impl Directory {
    pub(crate) fn new(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Directory { path: path.to_owned(), source };
        // Programs run with other working directories.
        let path = std::path::absolute(path).map_err(failed)?;
        Ok(Self { path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.path.join("logs")
    }

    /// What a supervisor without a terminal says.
    pub(crate) fn supervisor_log(&self) -> PathBuf {
        self.path.join("supervisor.log")
    }

    /// The root certificate of everything in the sandbox.
    pub(crate) fn root_certificate(&self) -> PathBuf {
        self.path.join("pki/ca.crt")
    }

    fn state_file(&self) -> PathBuf {
        self.path.join("state.json")
    }

    /// Makes it a sandbox's directory: a new one, an empty one, or one that is already. A sandbox deletes what lies in
    /// its directory, so nobody else's becomes one.
    pub(crate) fn claim(&self) -> Result<(), Error> {
        let failed = |source| Error::Directory { path: self.path.clone(), source };
        let is_empty = match fs::read_dir(&self.path) {
            Ok(mut entries) => entries.next().is_none(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => true,
            Err(source) => return Err(failed(source)),
        };
        // Asked last: another process may be claiming it too, and its first file is the lock.
        if !is_empty && !self.lock_path().is_file() {
            return Err(Error::Foreign { path: self.path.clone() });
        }
        crate::spawn::create_private_directory(&self.path).map_err(failed)?;
        self.lock_file(true).map(drop).map_err(failed)
    }

    /// Makes this process the one that runs a sandbox here, until the lock is dropped. `None`: another one does.
    pub(crate) fn lock(&self) -> Result<Option<Lock>, Error> {
        let failed = |source| Error::Directory { path: self.path.clone(), source };
        self.claim()?;
        let mut file = self.lock_file(true).map_err(failed)?;
        let started = Instant::now();
        while let Err(error) = file.try_lock() {
            match error {
                TryLockError::Error(source) => return Err(failed(source)),
                TryLockError::WouldBlock if started.elapsed() >= LOCK_RETRIES => return Ok(None),
                TryLockError::WouldBlock => std::thread::sleep(Duration::from_millis(50)),
            }
        }
        file.set_len(0).and_then(|()| write!(file, "{}", std::process::id())).map_err(failed)?;
        Ok(Some(Lock { file, path: self.lock_path() }))
    }

    /// The process id of the supervisor that runs here.
    pub(crate) fn supervisor(&self) -> Result<Option<u32>, Error> {
        let failed = |source| Error::Directory { path: self.path.clone(), source };
        let mut file = match self.lock_file(false) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        match file.try_lock_shared() {
            Ok(()) => return Ok(None),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(failed)?;
        // Empty for the instants between taking the lock and writing, and on the way out: 0 is not a process.
        Ok(Some(text.trim().parse().unwrap_or_default()))
    }

    fn lock_file(&self, create: bool) -> io::Result<File> {
        File::options().read(true).write(true).create(create).truncate(false).open(self.lock_path())
    }

    fn lock_path(&self) -> PathBuf {
        self.path.join(LOCK)
    }

    /// Removes what an earlier run left, or all of it but the logs. Only for the holder of the lock.
    pub(crate) fn clear(&self, keep: Keep) -> Result<(), Error> {
        let failed = |source| Error::Directory { path: self.path.clone(), source };
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = entry.path();
            let kept = path == self.lock_path() || path == self.supervisor_log();
            if kept || (keep == Keep::Logs && path == self.logs()) {
                continue;
            }
            let is_directory = entry.file_type().map_err(failed)?.is_dir();
            if is_directory { fs::remove_dir_all(&path) } else { fs::remove_file(&path) }.map_err(failed)?;
        }
        fs::create_dir_all(self.logs()).map_err(failed)
    }

    /// What the supervisor last wrote; `None` before it has, and after it is gone.
    pub(crate) fn read(&self) -> Result<Option<State>, Error> {
        let path = self.state_file();
        match fs::read(&path) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).map(Some).map_err(|source| Error::Parse { path, source })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::Directory { path, source }),
        }
    }

    /// What this supervisor wrote once all was ready. What another one left, in any form, is as good as nothing.
    pub(crate) fn ready_state(&self, supervisor: u32) -> Result<Option<State>, Error> {
        match self.read() {
            Ok(state) => Ok(state.filter(|state| state.ready && state.supervisor == supervisor)),
            Err(Error::Parse { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whole or not at all: others read while we write.
    pub(crate) fn write(&self, state: &State) -> Result<(), Error> {
        let path = self.state_file();
        let text = serde_json::to_string_pretty(state)
            .map_err(|source| Error::Parse { path: path.clone(), source })?;
        let unfinished = self.path.join("state.json.unfinished");
        fs::write(&unfinished, text)
            .and_then(|()| fs::rename(&unfinished, &path))
            .map_err(|source| Error::Write { path, source })
    }
}

/// Held while a sandbox runs.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Whether the directory is still the one that was locked: `cargo clean` deletes it under a running sandbox, and
    /// whoever comes next makes another one of the same name.
    pub(crate) fn holds(&self) -> bool {
        let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
        match (self.file.metadata(), fs::metadata(&self.path)) {
            (Ok(held), Ok(there)) => identity(held) == identity(there),
            _ => false,
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // The number may be another process's soon. One that stays does no harm while nobody holds the lock.
        drop(self.file.set_len(0));
    }
}

#[cfg(test)]
mod tests;
