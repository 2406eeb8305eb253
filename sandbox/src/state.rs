//! What a running sandbox tells about itself: to `status`, to `down`, to tests, and to whoever reads `state.json`.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("can't use the directory {}: {source}", path.display())]
    Directory { path: PathBuf, source: io::Error },
    #[error("can't write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("can't understand {}: {source}", path.display())]
    Parse { path: PathBuf, source: serde_json::Error },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// Everything was ready once.
    pub ready: bool,
    /// The process id of the supervisor.
    pub supervisor: u32,
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
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Process {
    pub status: Status,
    pub pid: Option<u32>,
    /// How often it ended by itself and was started again.
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

    fn state_file(&self) -> PathBuf {
        self.path.join("state.json")
    }

    /// Makes this process the one that runs a sandbox here, until the file is dropped. `None`: another one does.
    pub(crate) fn lock(&self) -> Result<Option<File>, Error> {
        let failed = |source| Error::Directory { path: self.path.clone(), source };
        crate::process::create_private_directory(&self.path).map_err(failed)?;
        let mut file = self.lock_file(true).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        file.set_len(0).and_then(|()| write!(file, "{}", std::process::id())).map_err(failed)?;
        Ok(Some(file))
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
        // Empty for the instant between taking the lock and writing: 0 is no process.
        Ok(Some(text.trim().parse().unwrap_or_default()))
    }

    fn lock_file(&self, create: bool) -> io::Result<File> {
        File::options().read(true).write(true).create(create).truncate(false).open(self.path.join("lock"))
    }

    /// Removes what an earlier run left, or all of it but the logs. Only for the holder of the lock.
    pub(crate) fn clear(&self, keep: Keep) -> Result<(), Error> {
        let failed = |source| Error::Directory { path: self.path.clone(), source };
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = entry.path();
            let kept = path == self.path.join("lock") || path == self.supervisor_log();
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
