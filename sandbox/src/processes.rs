//! All programs of one sandbox: which run, which were stopped, which ended unasked and are started again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::probe::Probe;
use crate::process::{self, Process, Spec};
use crate::progress::Progress;
use crate::state::{self, Status};

/// As the kubelet does, a program that ended unasked is started again; but not at once, and again, and again.
const RESTART_DELAY: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no process {name:?}; there are: {known}")]
    Unknown { name: String, known: String },
    #[error(
        "{name} is {status}: `POST /processes/{name}/start` starts it, `…/continue` lets a paused one go on"
    )]
    Down { name: String, status: Status },
    #[error(transparent)]
    Process(#[from] process::Error),
}

/// What can be done to a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    Start,
    /// SIGTERM, after ten seconds SIGKILL.
    Stop,
    Restart,
    /// SIGKILL; it stays down until it is started.
    Kill,
    /// SIGSTOP: it is there, but doesn't answer.
    Pause,
    Continue,
}

impl std::fmt::Display for Action {
    /// As it is spelled in a URL.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Kill => "kill",
            Self::Pause => "pause",
            Self::Continue => "continue",
        })
    }
}

#[derive(Debug)]
struct Entry {
    spec: Spec,
    process: Option<Process>,
    status: Status,
    since: Instant,
    restarts: u32,
}

#[derive(Debug)]
pub(crate) struct Processes {
    logs: PathBuf,
    entries: BTreeMap<String, Entry>,
}

impl Processes {
    pub(crate) fn new(logs: &Path) -> Self {
        Self { logs: logs.to_owned(), entries: BTreeMap::new() }
    }

    /// Starts a program for the first time.
    pub(crate) fn add(&mut self, spec: Spec) -> Result<(), Error> {
        let name = spec.name.clone();
        let process = Process::start(spec.clone(), &self.logs)?;
        let entry = Entry {
            spec,
            process: Some(process),
            status: Status::Running,
            since: Instant::now(),
            restarts: 0,
        };
        self.entries.insert(name, entry);
        Ok(())
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// Waits until a program is ready. One that was stopped or paused never will be.
    pub(crate) async fn ready(&mut self, name: &str, limit: Duration) -> Result<(), Error> {
        let entry = self.entry(name)?;
        match entry.process.as_mut().filter(|_| entry.status == Status::Running) {
            Some(process) => Ok(process.ready(limit).await?),
            None => Err(Error::Down { name: name.to_owned(), status: entry.status }),
        }
    }

    /// What to ask of a program that runs; of one that doesn't, only that it can't be ready.
    pub(crate) fn probes(&mut self, name: &str) -> Result<Vec<Probe>, Error> {
        let entry = self.entry(name)?;
        if entry.status == Status::Running {
            Ok(entry.spec.probes.clone())
        } else {
            Ok(vec![Probe::Never { status: entry.status }])
        }
    }

    pub(crate) async fn act(&mut self, name: &str, action: Action) -> Result<(), Error> {
        let logs = self.logs.clone();
        let entry = self.entry(name)?;
        match action {
            Action::Start => entry.start(&logs)?,
            Action::Stop => entry.end(Action::Stop).await,
            Action::Kill => entry.end(Action::Kill).await,
            Action::Restart => {
                entry.end(Action::Stop).await;
                entry.start(&logs)?;
            }
            Action::Pause => {
                if let Some(process) = &entry.process {
                    process.pause()?;
                    entry.status = Status::Paused;
                }
            }
            Action::Continue => {
                if let Some(process) = &entry.process {
                    process.resume()?;
                    entry.status = Status::Running;
                }
            }
        }
        Ok(())
    }

    /// Notices what ended unasked, and starts again what has waited long enough. Says whether anything changed.
    pub(crate) fn look_after(&mut self, progress: &Progress) -> bool {
        let mut changed = false;
        for (name, entry) in &mut self.entries {
            if let Some(status) = entry.process.as_mut().and_then(Process::exited) {
                progress.say(&format!("{name} ended unasked ({status}) and is started again"));
                entry.process = None;
                entry.set(Status::Exited);
                changed = true;
            }
            if entry.status == Status::Exited && entry.since.elapsed() >= RESTART_DELAY {
                entry.restarts += 1;
                if let Err(error) = entry.start(&self.logs) {
                    progress.say(&error.to_string());
                    entry.set(Status::Exited);
                }
                changed = true;
            }
        }
        changed
    }

    /// SIGTERM for these, all at once, and SIGKILL for all others: what those keep is thrown away with the directory.
    pub(crate) async fn end_all(&mut self, politely: &[&str]) {
        let (polite, abrupt): (Vec<_>, Vec<_>) =
            self.entries.iter_mut().partition(|(name, _)| politely.contains(&name.as_str()));
        futures::future::join_all(polite.into_iter().map(|(_, entry)| entry.end(Action::Stop))).await;
        futures::future::join_all(abrupt.into_iter().map(|(_, entry)| entry.end(Action::Kill))).await;
    }

    pub(crate) fn describe(&self) -> BTreeMap<String, state::Process> {
        let describe = |(name, entry): (&String, &Entry)| {
            let process = state::Process {
                status: entry.status,
                pid: entry.process.as_ref().and_then(Process::pid),
                restarts: entry.restarts,
                log: process::log_path(&self.logs, name),
            };
            (name.clone(), process)
        };
        self.entries.iter().map(describe).collect()
    }

    fn entry(&mut self, name: &str) -> Result<&mut Entry, Error> {
        let known = self.entries.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        self.entries.get_mut(name).ok_or_else(|| Error::Unknown { name: name.to_owned(), known })
    }
}

impl Entry {
    fn start(&mut self, logs: &Path) -> Result<(), Error> {
        let runs = self.process.as_mut().is_some_and(|process| process.exited().is_none());
        if !runs {
            self.process = Some(Process::start(self.spec.clone(), logs)?);
            self.set(Status::Running);
        }
        Ok(())
    }

    async fn end(&mut self, how: Action) {
        if let Some(mut process) = self.process.take() {
            if how == Action::Kill { process.kill().await } else { process.stop().await }
        }
        self.set(Status::Stopped);
    }

    fn set(&mut self, status: Status) {
        self.status = status;
        self.since = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_that_was_stopped_is_not_ready() {
        let logs = std::env::temp_dir().join(format!("sandbox-processes-{}", std::process::id()));
        let mut processes = Processes::new(&logs);
        let spec = Spec::new("aso", Path::new("/bin/true"), Vec::new());
        let entry =
            Entry { spec, process: None, status: Status::Stopped, since: Instant::now(), restarts: 0 };
        processes.entries.insert("aso".to_owned(), entry);
        let error = processes.ready("aso", Duration::ZERO).await.unwrap_err().to_string();
        assert!(error.starts_with("aso is stopped: `POST /processes/aso/start`"), "{error}");
    }
}
