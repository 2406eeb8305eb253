//! `up`, `status` and `down`: a sandbox that goes on when the command that started it has ended.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::nodes::requirements;
use crate::options::Options;
use crate::origin::{self, Origin};
use crate::progress::Progress;
use crate::spawn;
use crate::state::{self, Directory, State};
use crate::tools::{self, Wanted};

/// From the first program to the last; what has to be built is built before.
const UP: Duration = Duration::from_mins(10);
/// The supervisor gives its programs ten seconds.
const DOWN: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(100);
/// A supervisor clears away what an earlier run left as soon as it starts.
const CLEARED: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Directory(#[from] state::Error),
    #[error(transparent)]
    Tools(#[from] tools::Error),
    #[error(transparent)]
    Requirement(#[from] requirements::Error),
    #[error(transparent)]
    Origin(#[from] origin::Error),
    #[error("the sandbox in {} runs with other options ({differences}): run `database-sandbox down` first", path.display())]
    OtherOptions { path: PathBuf, differences: String },
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

/// Starts a sandbox and waits until it is ready. One that runs already is left as it is, unless the operator was built
/// again since: it then makes way for a fresh one.
pub(crate) async fn up(directory: &Directory, options: &Options) -> Result<(), Error> {
    let options = &options.absolute().map_err(Error::Start)?;
    requirements::check(options)?;
    if runs_already(directory, options).await? {
        return Ok(());
    }
    // Before half an hour of building, and again after: it may have been deleted meanwhile.
    directory.claim()?;
    // In the foreground, where Ctrl-C ends it and its progress is seen.
    let progress = Progress::start();
    if options.nodes > 0 {
        requirements::ensure(&progress).await?;
    }
    tools::ensure(&progress, Wanted::by(options)).await?;
    // That may have taken long enough for someone else to start one.
    if runs_already(directory, options).await? {
        return Ok(());
    }
    directory.claim()?;
    let log = open_log(directory).map_err(Error::Start)?;
    let mut supervisor = start(directory, options, log)?;
    let state = tokio::select! {
        state = ready(directory, &mut supervisor) => state,
        _ = tokio::signal::ctrl_c() => Err(Error::Interrupted),
    };
    match state {
        Ok(state) => {
            println!("KUBECONFIG={}", state.kubeconfig.display());
            show_gateway(directory, &state);
            Ok(())
        }
        Err(error) => {
            let pid = supervisor.id();
            end(|| Ok(supervisor.try_wait().map_err(Error::Start)?.is_none().then_some(pid))).await?;
            Err(error)
        }
    }
}

/// Whether one runs that is as it is wanted; if it is still starting, waits until it is ready, or gone.
async fn runs_already(directory: &Directory, options: &Options) -> Result<bool, Error> {
    let started = Instant::now();
    while let Some(pid) = directory.supervisor()? {
        if let Some(state) = directory.ready_state(pid)? {
            let changes = changes(directory, &state, options)?;
            if !changes.is_empty() {
                println!("{changes} changed: the sandbox in {} is made afresh", directory.path().display());
                down(directory).await?;
                return Ok(false);
            }
            println!("a sandbox runs in {} already (supervisor: process {pid})", directory.path().display());
            println!("KUBECONFIG={}", state.kubeconfig.display());
            show_gateway(directory, &state);
            return Ok(true);
        }
        if started.elapsed() > CLEARED {
            // What can't be understood now was not left by an earlier run.
            directory.read()?;
        }
        if started.elapsed() > UP {
            return Err(Error::Slow { log: directory.supervisor_log() });
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(false)
}

/// What was built since the sandbox started. That it runs with other options than these is an error.
fn changes(directory: &Directory, state: &State, options: &Options) -> Result<&'static str, Error> {
    let differences = options.differences(&state.options);
    if !differences.is_empty() {
        return Err(Error::OtherOptions { path: directory.path().to_owned(), differences });
    }
    Ok(match (&state.origin, Origin::of(options)?) {
        (Some(before), Some(now)) => before.changes(&now),
        _ => "",
    })
}

/// Appending, so that two supervisors of which one will give way don't overwrite each other's lines.
fn open_log(directory: &Directory) -> io::Result<File> {
    let path = directory.supervisor_log();
    let log = File::options().append(true).create(true).open(path)?;
    log.set_len(0)?;
    Ok(log)
}

fn start(directory: &Directory, options: &Options, log: File) -> Result<Child, Error> {
    Command::new(spawn::ourselves().map_err(Error::Start)?)
        .arg0("database-sandbox")
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
        let running = directory.supervisor()?;
        let state = running.map_or(Ok(None), |pid| directory.ready_state(pid))?;
        // From where the last reading ended.
        show_rest(&mut log).map_err(Error::Start)?;
        // It also ends when another `up` was faster; that one's sandbox is as good.
        if let (Some(status), None) = (ended, running) {
            return Err(Error::Failed { status, log: directory.supervisor_log() });
        }
        if let Some(state) = state {
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
    if directory.supervisor()?.is_some() {
        end(|| Ok(directory.supervisor()?)).await?;
        println!("the sandbox in {} is down", directory.path().display());
    } else {
        println!("no sandbox runs in {}", directory.path().display());
    }
    Ok(())
}

/// SIGTERM, and SIGKILL for a supervisor that doesn't mind it: its programs die with it. Which process it is, if any,
/// is asked again each time: it isn't known in the instant in which it starts.
async fn end(mut running: impl FnMut() -> Result<Option<u32>, Error>) -> Result<(), Error> {
    let mut last = 0;
    for signal in [Signal::TERM, Signal::KILL] {
        let asked = Instant::now();
        let mut signalled = None;
        while asked.elapsed() < DOWN {
            let Some(pid) = running()? else { return Ok(()) };
            if pid != 0 && signalled != Some(pid) {
                send(pid, signal)?;
                signalled = Some(pid);
            }
            last = pid;
            tokio::time::sleep(POLL).await;
        }
    }
    if running()?.is_none() { Ok(()) } else { Err(Error::Stuck { pid: last }) }
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
    show_gateway(directory, &state);
    Ok(true)
}

/// How a client of PostgreSQL finds the servers of the stand-in by their names.
fn show_gateway(directory: &Directory, state: &State) {
    if let Some(gateway) = state.azure.gateway {
        println!("PGHOSTADDR={}", gateway.ip());
        println!("PGSSLROOTCERT={}", directory.root_certificate().display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_supervisor_is_signalled_once_its_process_is_known() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let mut looks = 0;
        // As in the instant in which a supervisor starts: it has the lock, and hasn't said its number.
        end(|| {
            looks += 1;
            let runs = child.try_wait().map_err(Error::Start)?.is_none();
            Ok(runs.then_some(if looks < 3 { 0 } else { child.id() }))
        })
        .await
        .unwrap();
        assert!(looks > 3);
    }

    #[test]
    fn no_process_has_the_number_zero() {
        assert!(send(0, Signal::KILL).is_ok());
    }
}
