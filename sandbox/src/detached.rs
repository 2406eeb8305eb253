//! `up`, `status` and `down`: a sandbox that goes on when the command that started it has ended.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::options::Options;
use crate::progress::Progress;
use crate::state::{self, Directory, State};
use crate::tools;

/// From the first program to the last; what has to be built is built before.
const UP: Duration = Duration::from_mins(10);
/// The supervisor gives its programs ten seconds.
const DOWN: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(100);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Directory(#[from] state::Error),
    #[error(transparent)]
    Tools(#[from] tools::Error),
    #[error("can't start the supervisor: {0}")]
    Start(io::Error),
    #[error("the sandbox didn't come up ({status}); the lines above say why, and {} has all of them", log.display())]
    Failed { status: ExitStatus, log: PathBuf },
    #[error("the sandbox isn't up after {} s; {} says how far it came", UP.as_secs(), log.display())]
    Slow { log: PathBuf },
    #[error("interrupted; the sandbox was taken down")]
    Interrupted,
    #[error("can't signal the supervisor, process {pid}: {source}")]
    Signal { pid: u32, source: io::Error },
    #[error("the supervisor, process {pid}, doesn't end")]
    Stuck { pid: u32 },
}

/// Starts a sandbox and waits until it is ready. One that runs already is left as it is.
pub(crate) async fn up(directory: &Directory, options: &Options) -> Result<(), Error> {
    if runs_already(directory).await? {
        return Ok(());
    }
    // In the foreground, where Ctrl-C ends it and its progress is seen.
    tools::ensure(&Progress::start()).await?;
    // That may have taken long enough for someone else to start one.
    if runs_already(directory).await? {
        return Ok(());
    }
    let log = open_log(directory).map_err(Error::Start)?;
    let mut supervisor = start(directory, options, log)?;
    let state = tokio::select! {
        state = ready(directory, &mut supervisor) => state,
        _ = tokio::signal::ctrl_c() => Err(Error::Interrupted),
    };
    match state {
        Ok(state) => {
            println!("KUBECONFIG={}", state.kubeconfig.display());
            Ok(())
        }
        Err(error) => {
            end(supervisor.id(), || {
                supervisor.try_wait().map(|status| status.is_none()).map_err(Error::Start)
            })
            .await?;
            Err(error)
        }
    }
}

/// Whether one runs; if it is still starting, waits until it is ready, or gone.
async fn runs_already(directory: &Directory) -> Result<bool, Error> {
    let started = Instant::now();
    while let Some(pid) = directory.supervisor()? {
        if let Some(state) = directory.read()?.filter(|state| state.ready && state.supervisor == pid) {
            println!("a sandbox runs in {} already (supervisor: process {pid})", directory.path().display());
            println!("KUBECONFIG={}", state.kubeconfig.display());
            return Ok(true);
        }
        if started.elapsed() > UP {
            return Err(Error::Slow { log: directory.supervisor_log() });
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(false)
}

/// Appending, so that two supervisors of which one will give way don't overwrite each other's lines.
fn open_log(directory: &Directory) -> io::Result<File> {
    crate::process::create_private_directory(directory.path())?;
    let path = directory.supervisor_log();
    let log = File::options().append(true).create(true).open(path)?;
    log.set_len(0)?;
    Ok(log)
}

fn start(directory: &Directory, options: &Options, log: File) -> Result<Child, Error> {
    let program = std::env::current_exe().map_err(Error::Start)?;
    Command::new(program)
        .arg("supervise")
        .arg("--dir")
        .arg(directory.path())
        .args(options.to_arguments())
        .stdin(Stdio::null())
        .stdout(log.try_clone().map_err(Error::Start)?)
        .stderr(log)
        // Out of reach of the terminal's Ctrl-C.
        .process_group(0)
        .spawn()
        .map_err(Error::Start)
}

/// Shows what the supervisor says until it is ready.
async fn ready(directory: &Directory, supervisor: &mut Child) -> Result<State, Error> {
    let started = Instant::now();
    let mut log = File::open(directory.supervisor_log()).map_err(Error::Start)?;
    loop {
        // Asked first: what it said before it ended is then shown below.
        let ended = supervisor.try_wait().map_err(Error::Start)?;
        let state = directory.read()?;
        let running = directory.supervisor()?;
        // From where the last reading ended.
        show_rest(&mut log).map_err(Error::Start)?;
        // It also ends when another `up` was faster; that one's sandbox is as good.
        if let (Some(status), None) = (ended, running) {
            return Err(Error::Failed { status, log: directory.supervisor_log() });
        }
        // One of an earlier run may lie there until the supervisor has cleared it away.
        if let Some(state) = state.filter(|state| state.ready && Some(state.supervisor) == running) {
            return Ok(state);
        }
        if started.elapsed() > UP {
            return Err(Error::Slow { log: directory.supervisor_log() });
        }
        tokio::time::sleep(POLL).await;
    }
}

fn show_rest(log: &mut File) -> io::Result<()> {
    let mut text = Vec::new();
    log.read_to_end(&mut text)?;
    io::stderr().write_all(&text)
}

/// Ends a sandbox; that there is none is fine.
pub(crate) async fn down(directory: &Directory) -> Result<(), Error> {
    match directory.supervisor()? {
        Some(pid) => {
            end(pid, || Ok(directory.supervisor()?.is_some())).await?;
            println!("the sandbox in {} is down", directory.path().display());
        }
        None => println!("no sandbox runs in {}", directory.path().display()),
    }
    Ok(())
}

/// SIGTERM, and SIGKILL for a supervisor that doesn't mind it: its programs die with it.
async fn end(pid: u32, mut runs: impl FnMut() -> Result<bool, Error>) -> Result<(), Error> {
    for signal in [Signal::TERM, Signal::KILL] {
        if !runs()? {
            return Ok(());
        }
        send(pid, signal)?;
        let asked = Instant::now();
        while asked.elapsed() < DOWN && runs()? {
            tokio::time::sleep(POLL).await;
        }
    }
    if !runs()? {
        return Ok(());
    }
    Err(Error::Stuck { pid })
}

fn send(pid: u32, signal: Signal) -> Result<(), Error> {
    let Some(target) = i32::try_from(pid).ok().filter(|&id| id > 0).and_then(Pid::from_raw) else {
        return Ok(());
    };
    match kill_process(target, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(Error::Signal { pid, source: error.into() }),
    }
}

/// Says what runs. Returns whether anything does.
pub(crate) fn status(directory: &Directory) -> Result<bool, Error> {
    let place = directory.path().display();
    let Some(pid) = directory.supervisor()? else {
        println!("no sandbox runs in {place}");
        return Ok(false);
    };
    let Some(state) = directory.read()? else {
        println!("a sandbox is starting in {place} (supervisor: process {pid})");
        return Ok(true);
    };
    println!("a sandbox runs in {place} (supervisor: process {pid})");
    println!("KUBECONFIG={}", state.kubeconfig.display());
    println!("{:<25} {:<8} {:>8} {:>8}", "PROCESS", "STATUS", "PID", "RESTARTS");
    for (name, process) in &state.processes {
        let pid = process.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
        println!("{name:<25} {:<8} {pid:>8} {:>8}", process.status.to_string(), process.restarts);
    }
    println!("logs:                 {}", state.logs.display());
    println!("control endpoint:     http://127.0.0.1:{}", state.control);
    println!("stand-in for Azure:   {} (control: {})", state.azure.endpoint, state.azure.control);
    Ok(true)
}
