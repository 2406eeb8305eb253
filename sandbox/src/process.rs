//! The programs that the sandbox runs: started with a log file each, stopped in bounded time, never left behind.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Child;
use tokio::time::timeout;

use crate::probe::{self, Probe};
use crate::spawn::command;

/// How long a program may take to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(10);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("can't start {name} ({}): {source}", program.display())]
    Start { name: String, program: PathBuf, source: io::Error },
    #[error("can't open the log of {name}, {}: {source}", path.display())]
    Log { name: String, path: PathBuf, source: io::Error },
    #[error("{name} ended unasked ({status}); the end of its log:\n{tail}")]
    Exited { name: String, status: ExitStatus, tail: String },
    #[error("{name} isn't ready after {seconds} s: {reason}; the end of its log:\n{tail}")]
    NotReady { name: String, seconds: u64, reason: String, tail: String },
    #[error("can't send a signal to {name}: {source}")]
    Signal { name: String, source: io::Error },
}

/// What to run, and how.
#[derive(Debug, Clone)]
pub(crate) struct Spec {
    pub(crate) name: String,
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) environment: BTreeMap<String, OsString>,
    /// It is ready once all of these are fulfilled.
    pub(crate) probes: Vec<Probe>,
}

impl Spec {
    pub(crate) fn new(name: impl Into<String>, program: &Path, probes: Vec<Probe>) -> Self {
        Self {
            name: name.into(),
            program: program.to_owned(),
            arguments: Vec::new(),
            environment: BTreeMap::new(),
            probes,
        }
    }

    /// `--name=value`
    pub(crate) fn flag(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        let mut argument = OsString::from(format!("--{name}="));
        argument.push(value);
        self.arguments.push(argument);
        self
    }

    pub(crate) fn argument(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// The same program, run by another one that becomes it.
    pub(crate) fn run_by(mut self, program: &Path, arguments: &[&str]) -> Self {
        let before = std::mem::replace(&mut self.program, program.to_owned()).into_os_string();
        self.arguments = arguments.iter().map(OsString::from).chain([before]).chain(self.arguments).collect();
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.insert(name.to_owned(), value.into());
        self
    }
}

#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) spec: Spec,
    pub(crate) log: PathBuf,
    child: Child,
}

impl Process {
    /// Must be called on the main thread, see [`crate::exec_child`].
    pub(crate) fn start(spec: Spec, logs: &Path) -> Result<Self, Error> {
        let log = log_path(logs, &spec.name);
        let failed = |source| Error::Log { name: spec.name.clone(), path: log.clone(), source };
        // A restart appends: what led to it is worth reading.
        let output = File::options().create(true).append(true).open(&log).map_err(failed)?;
        let errors = output.try_clone().map_err(failed)?;
        let child = command(&spec.program)
            .args(&spec.arguments)
            .envs(&spec.environment)
            .stdout(output)
            .stderr(errors)
            // Ctrl-C in a terminal is for the supervisor, which then stops its children in order.
            .process_group(0)
            .spawn()
            .map_err(|source| Error::Start {
                name: spec.name.clone(),
                program: spec.program.clone(),
                source,
            })?;
        Ok(Self { spec, log, child })
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// How it ended, if it did.
    pub(crate) fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    pub(crate) fn pause(&self) -> Result<(), Error> {
        self.signal(Signal::STOP)
    }

    pub(crate) fn resume(&self) -> Result<(), Error> {
        self.signal(Signal::CONT)
    }

    /// SIGTERM, and SIGKILL for what is still there after the grace period.
    pub(crate) async fn stop(&mut self) {
        if self.exited().is_some() {
            return;
        }
        // A paused process would see SIGTERM only once it goes on.
        let asked = self.signal(Signal::TERM).and_then(|()| self.signal(Signal::CONT));
        if asked.is_err() || timeout(GRACE, self.child.wait()).await.is_err() {
            self.kill().await;
        }
    }

    /// SIGKILL. A process that is gone already is not a failure.
    pub(crate) async fn kill(&mut self) {
        if let Err(error) = self.child.kill().await {
            tracing::debug!(process = %self.spec.name, %error, "nothing to kill");
        }
    }

    /// Waits until it answers its probe.
    pub(crate) async fn ready(&mut self, limit: Duration) -> Result<(), Error> {
        let start = tokio::time::Instant::now();
        loop {
            if let Some(status) = self.exited() {
                return Err(Error::Exited {
                    name: self.spec.name.clone(),
                    status,
                    tail: log_tail(&self.log),
                });
            }
            let Err(reason) = probe::check_all(&self.spec.probes).await else { return Ok(()) };
            if start.elapsed() > limit {
                return Err(Error::NotReady {
                    name: self.spec.name.clone(),
                    seconds: limit.as_secs(),
                    reason,
                    tail: log_tail(&self.log),
                });
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn signal(&self, signal: Signal) -> Result<(), Error> {
        // The child can't be reaped while `self.child` is borrowed, so its id can't have been given to another.
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let Some(pid) = pid else { return Ok(()) };
        kill_process(pid, signal)
            .map_err(|error| Error::Signal { name: self.spec.name.clone(), source: error.into() })
    }
}

/// Where a program's output goes.
pub(crate) fn log_path(logs: &Path, name: &str) -> PathBuf {
    logs.join(format!("{name}.log"))
}

/// The last lines of a log: enough to see why a program ended.
pub(crate) fn log_tail(path: &Path) -> String {
    const LINES: usize = 15;
    const BYTES: u64 = 16 * 1024;
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(BYTES)))?;
        let mut bytes = Vec::new();
        file.take(BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    match read() {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            let lines: Vec<&str> = text.lines().collect();
            let from = lines.len().saturating_sub(LINES);
            format!("    {}\n  (all of it: {})", lines[from..].join("\n    "), path.display())
        }
        Err(error) => format!("    {} can't be read: {error}", path.display()),
    }
}
