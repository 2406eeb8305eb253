//! A sandbox for tests: blocking, so that a plain `#[test]` can use it.

use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::azure;
use crate::control::Image;
use crate::http;
use crate::options::{Options, repository};
use crate::process::log_tail;
use crate::processes::Action;
use crate::state::{self, Directory, State};

const BINARY: &str = "database-sandbox";
/// Long enough to build every program once. A supervisor that fails ends, and is noticed at once.
const UP: Duration = Duration::from_hours(1);
/// The supervisor gives its programs ten seconds.
const DOWN: Duration = Duration::from_secs(30);
/// For what the supervisor does on request; the longest is installing ASO.
const REQUEST: Duration = Duration::from_mins(3);
const READY: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(50);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{BINARY} isn't beside the tests, in {} or above: run `make test` or `cargo build --workspace` first", near.display())]
    NoBinary { near: PathBuf },
    #[error(transparent)]
    Directory(#[from] state::Error),
    #[error("can't start {}: {source}", program.display())]
    Start { program: PathBuf, source: io::Error },
    #[error("the sandbox didn't come up; the end of what it said:\n{tail}")]
    Failed { tail: String },
    #[error("the sandbox doesn't answer {request}: {source}")]
    Control { request: String, source: io::Error },
    #[error("the sandbox refuses {request} ({status}): {message}")]
    Refused { request: String, status: u16, message: String },
    #[error("the sandbox answers {request} with something else: {source}")]
    Answer { request: String, source: serde_json::Error },
    #[error("{name} isn't ready after {} s: {reason}", READY.as_secs())]
    NotReady { name: String, reason: String },
}

/// A running sandbox. It ends when this is dropped, and also when the process ends in any way: the supervisor then
/// sees the end of its standard input.
#[derive(Debug)]
pub struct Sandbox {
    supervisor: Child,
    directory: Directory,
    state: State,
}

impl Sandbox {
    /// Starts a sandbox of its own, and waits until it is ready.
    pub fn start(options: &Options) -> Result<Self, Error> {
        let program = find_binary()?;
        let directory = new_directory()?;
        let failed = |source| Error::Start { program: program.clone(), source };
        directory.claim()?;
        let log = File::create(directory.supervisor_log()).map_err(failed)?;
        let supervisor = Command::new(&program)
            .args(["supervise", "--until-stdin-closes", "--dir"])
            .arg(directory.path())
            .args(options.to_arguments())
            .stdin(Stdio::piped())
            .stdout(log.try_clone().map_err(failed)?)
            .stderr(log)
            .spawn()
            .map_err(failed)?;
        Self::wait(supervisor, directory)
    }

    fn wait(mut supervisor: Child, directory: Directory) -> Result<Self, Error> {
        let started = Instant::now();
        loop {
            let ended = supervisor.try_wait().is_ok_and(|status| status.is_some());
            if let Some(state) = directory.ready_state(supervisor.id())? {
                return Ok(Self { supervisor, directory, state });
            }
            if ended || started.elapsed() > UP {
                end(&mut supervisor);
                return Err(Error::Failed { tail: log_tail(&directory.supervisor_log()) });
            }
            std::thread::sleep(POLL);
        }
    }

    /// Where it keeps its files. Those of the last run stay, for a look at its logs.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// An administrator's.
    pub fn kubeconfig(&self) -> &Path {
        &self.state.kubeconfig
    }

    /// kubectl, as an administrator, with these arguments; to be run by the caller.
    pub fn kubectl(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.state.kubectl);
        command
            .args(arguments)
            .env("KUBECONFIG", self.kubeconfig())
            .env("KUBECACHEDIR", self.directory().join("kubectl-cache"))
            .env("KUBERC", "off")
            .stdin(Stdio::null());
        command
    }

    /// Where the stand-in for Azure is controlled, and asked what it saw: `http://127.0.0.1:PORT`.
    pub fn azure_control(&self) -> &str {
        &self.state.azure.control
    }

    /// The same, as a typed client, for tests with an async runtime.
    pub fn azure(&self) -> azure::client::Client {
        azure::client::Client::new(self.azure_control())
    }

    /// Where the names of Azure's servers should lead, each on port 5432; `None` without PostgreSQL.
    pub fn gateway(&self) -> Option<SocketAddr> {
        self.state.azure.gateway
    }

    /// Where tokens of Microsoft Entra ID are issued: `https://127.0.0.1:PORT`.
    pub fn authority(&self) -> &str {
        &self.state.azure.endpoint
    }

    /// The root certificate of everything here, PEM: of the API server, of Azure's API and of its servers.
    pub fn root_certificate(&self) -> PathBuf {
        self.directory.root_certificate()
    }

    /// One JSON line for each request to the API server, `audit.k8s.io/v1`, level `Metadata`.
    pub fn audit_log(&self) -> &Path {
        &self.state.audit_log
    }

    /// What a program of the sandbox printed so far: `webhook`, `controller`, `aso`, `kube-apiserver` …
    pub fn log(&self, process: &str) -> PathBuf {
        crate::process::log_path(&self.state.logs, process)
    }

    /// What the operator printed so far: its `webhook` or its `controller`.
    pub fn operator_log(&self, process: &str) -> io::Result<String> {
        fs::read_to_string(self.log(process))
    }

    /// What runs right now.
    pub fn state(&self) -> Result<State, Error> {
        self.request_state("GET", "/state", "")
    }

    /// A program of the sandbox: `webhook`, `controller`, `aso`, `kube-apiserver`, `kube-controller-manager`, `etcd`.
    pub fn process(&self, name: &str) -> Process<'_> {
        Process { sandbox: self, name: name.to_owned() }
    }

    /// Installs Azure Service Operator in a sandbox that was started without it.
    pub fn install_aso(&self) -> Result<(), Error> {
        self.request_state("POST", "/aso/install", "").map(drop)
    }

    /// helm, as an administrator, with these arguments; to be run by the caller.
    pub fn helm(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.state.helm);
        command.args(arguments).env("KUBECONFIG", self.kubeconfig()).stdin(Stdio::null());
        // Neither repositories nor plugins of the user's.
        for name in ["cache", "config", "data"] {
            let folder = self.directory().join("helm").join(name);
            command.env(format!("HELM_{}_HOME", name.to_uppercase()), folder);
        }
        command
    }

    /// The archive of the operator's image, in a sandbox with nodes.
    pub fn image(&self) -> Option<&Path> {
        self.state.image.as_deref()
    }

    /// Gives the image of an archive a name on each node.
    pub fn load_image(&self, archive: &Path, name: &str) -> Result<(), Error> {
        let image = Image { archive: archive.to_owned(), name: name.to_owned() };
        let body = serde_json::to_string(&image)
            .map_err(|source| Error::Answer { request: "POST /images".to_owned(), source })?;
        self.request_state("POST", "/images", &body).map(drop)
    }

    /// Cuts a node off from all others, as when it loses its power.
    pub fn disconnect_node(&self, name: &str) -> Result<(), Error> {
        self.request_state("POST", &format!("/nodes/{name}/disconnect"), "").map(drop)
    }

    pub fn connect_node(&self, name: &str) -> Result<(), Error> {
        self.request_state("POST", &format!("/nodes/{name}/connect"), "").map(drop)
    }

    fn request(
        &self,
        method: &str,
        path: &str,
        body: &str,
        limit: Duration,
    ) -> Result<http::Response, Error> {
        http::request(method, self.state.control, path, body, limit)
            .map_err(|source| Error::Control { request: format!("{method} {path}"), source })
    }

    fn request_state(&self, method: &str, path: &str, body: &str) -> Result<State, Error> {
        let request = format!("{method} {path}");
        let response = self.request(method, path, body, REQUEST)?;
        if response.status != 200 {
            return Err(Error::Refused { request, status: response.status, message: response.body });
        }
        serde_json::from_str(&response.body).map_err(|source| Error::Answer { request, source })
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        end(&mut self.supervisor);
    }
}

/// Closes the pipe, and waits until the supervisor has taken everything down.
fn end(supervisor: &mut Child) {
    drop(supervisor.stdin.take());
    let asked = Instant::now();
    while asked.elapsed() < DOWN {
        if supervisor.try_wait().is_ok_and(|status| status.is_some()) {
            return;
        }
        std::thread::sleep(POLL);
    }
    // Its programs die with it. Both can only fail when it is gone already.
    drop(supervisor.kill());
    drop(supervisor.wait());
}

/// One program of a sandbox. What is done here returns once it is done; starting also waits until it is ready.
#[derive(Debug)]
pub struct Process<'a> {
    sandbox: &'a Sandbox,
    name: String,
}

impl Process<'_> {
    pub fn start(&self) -> Result<(), Error> {
        self.act(Action::Start)?;
        self.wait_ready()
    }

    /// SIGTERM, after ten seconds SIGKILL; it stays down until it is started.
    pub fn stop(&self) -> Result<(), Error> {
        self.act(Action::Stop)
    }

    pub fn restart(&self) -> Result<(), Error> {
        self.act(Action::Restart)?;
        self.wait_ready()
    }

    /// SIGKILL; it stays down until it is started.
    pub fn kill(&self) -> Result<(), Error> {
        self.act(Action::Kill)
    }

    /// SIGSTOP: it is there, but doesn't answer.
    pub fn pause(&self) -> Result<(), Error> {
        self.act(Action::Pause)
    }

    /// SIGCONT.
    pub fn resume(&self) -> Result<(), Error> {
        self.act(Action::Continue)
    }

    /// Any of the above, without waiting until it is ready.
    pub fn act(&self, action: Action) -> Result<(), Error> {
        self.sandbox.request_state("POST", &format!("/processes/{}/{action}", self.name), "").map(drop)
    }

    pub fn wait_ready(&self) -> Result<(), Error> {
        let started = Instant::now();
        loop {
            let path = format!("/processes/{}/ready", self.name);
            let response = self.sandbox.request("GET", &path, "", REQUEST)?;
            if response.status == 200 {
                return Ok(());
            }
            if started.elapsed() > READY || response.status == 404 {
                return Err(Error::NotReady { name: self.name.clone(), reason: response.body });
            }
            std::thread::sleep(POLL);
        }
    }
}

/// Beside the test, or above: tests are built into `target/<profile>/deps`, binaries into `target/<profile>`.
fn find_binary() -> Result<PathBuf, Error> {
    let test = std::env::current_exe().unwrap_or_default();
    test.ancestors()
        .skip(1)
        .map(|directory| directory.join(BINARY))
        .find(|path| path.is_file())
        .ok_or_else(|| Error::NoBinary { near: test.parent().unwrap_or(&test).to_owned() })
}

/// `target/sandbox-tests/<process>-<number>`. Those of processes that are gone are removed first, so that the logs of
/// the last run can be read, and those of the runs before don't pile up.
fn new_directory() -> Result<Directory, Error> {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let all = repository().join("target/sandbox-tests");
    for entry in fs::read_dir(&all).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.split('-').next()?.parse::<i32>().ok());
        let Some(owner) = owner.and_then(rustix::process::Pid::from_raw) else { continue };
        let gone = rustix::process::test_kill_process(owner) == Err(rustix::io::Errno::SRCH);
        // Its supervisor may still be taking things down.
        if gone && Directory::new(&entry.path())?.supervisor()?.is_none() {
            // Two tests may be cleaning up at the same time.
            drop(fs::remove_dir_all(entry.path()));
        }
    }
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    Ok(Directory::new(&all.join(format!("{}-{number}", std::process::id())))?)
}
