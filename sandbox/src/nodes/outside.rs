//! The part of a sandbox with nodes that is outside of its namespaces: it begins and ends the part within, and leads ports of
//! this machine's loopback address into it, so that kubectl and tests find it where they find any sandbox.

use std::fs::{self, File};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Child;

use super::cgroups::{self, Sweeper};
use super::linux::enter_network;
use super::requirements::{self, Programs};
use crate::azure;
use crate::options::Options;
use crate::ports::{self, Ports};
use crate::postgres;
use crate::progress::Progress;
use crate::spawn;
use crate::state::Directory;
use crate::tools::{self, Wanted};

/// Its programs are given ten seconds.
const DOWN: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(20);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Requirement(#[from] requirements::Error),
    #[error(transparent)]
    Tools(#[from] tools::Error),
    #[error(transparent)]
    Postgres(#[from] postgres::Error),
    #[error(transparent)]
    Ports(#[from] ports::Error),
    #[error("can't lead ports into the sandbox: {0}")]
    Gates(io::Error),
    #[error("can't start the part of the sandbox that is in namespaces of its own: {0}")]
    Start(io::Error),
    #[error("can't remove cgroups: {0}")]
    Cgroups(io::Error),
    #[error("the part of the sandbox that is in namespaces of its own ended ({0}); the lines above say why")]
    Ended(ExitStatus),
}

/// How a sandbox in namespaces of its own is found from outside of them. Within, the ports are the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Outside {
    /// The process that began it.
    pub(crate) supervisor: u32,
    pub(crate) api_server: u16,
    pub(crate) control: u16,
    /// ARM and the login authority.
    pub(crate) azure: u16,
    pub(crate) azure_control: u16,
    pub(crate) gateway: Option<SocketAddr>,
}

impl Outside {
    /// Those that nothing else within may have.
    pub(crate) fn ports(&self) -> Vec<u16> {
        vec![self.api_server, self.control, self.azure, self.azure_control]
    }
}

/// Runs a sandbox until it is to end.
pub(crate) async fn run(
    progress: &Progress,
    directory: &Directory,
    options: &Options,
    end: impl Future<Output = ()>,
) -> Result<(), Error> {
    tokio::pin!(end);
    let programs = tokio::select! {
        programs = prepare(progress, options) => programs?,
        () = &mut end => return Ok(()),
    };
    cgroups::remove_stale().map_err(Error::Cgroups)?;
    let (outside, gates) = open_gates(options).await?;
    let sweeper = Sweeper::start(&cgroups::name(outside.supervisor)).map_err(Error::Cgroups)?;
    let mut within = start(&programs, directory, options, &outside)?;
    // Kept apart: who waits for a child closes what it holds.
    let stdin = within.stdin.take();
    let result = tokio::select! {
        result = serve(&mut within, gates) => result,
        () = &mut end => Ok(()),
    };
    // It ends when its standard input does.
    drop(stdin);
    if tokio::time::timeout(DOWN, within.wait()).await.is_err() {
        drop(within.kill().await);
    }
    // Linux has begun to end all that is left within; the sweeper waits for it.
    let swept = tokio::task::spawn_blocking(move || sweeper.finish()).await;
    swept.map_err(io::Error::other).and_then(|swept| swept).map_err(Error::Cgroups)?;
    result
}

/// What needs the network: there is none within.
async fn prepare(progress: &Progress, options: &Options) -> Result<Programs, Error> {
    let programs = requirements::ensure(progress).await?;
    tools::ensure(progress, Wanted::by(options)).await?;
    if !options.without_postgres {
        let progress = *progress;
        let ensured = tokio::task::spawn_blocking(move || postgres::ensure_all(&|what| progress.say(what)));
        ensured.await.map_err(|_| postgres::Error::Interrupted)??;
    }
    Ok(programs)
}

/// A port out here, and where it leads to within.
type Gate = (TcpListener, SocketAddr);

/// They are held from now on, so that no other sandbox gets them.
async fn open_gates(options: &Options) -> Result<(Outside, Vec<Gate>), Error> {
    let mut ports = Ports::new();
    let mut gates = Vec::new();
    let mut numbers = [0; 4];
    for number in &mut numbers {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports.take()?));
        gates.push((TcpListener::bind(address).await.map_err(Error::Gates)?, address));
        *number = address.port();
    }
    let mut gateway = None;
    if !options.without_postgres {
        let listener = azure::free_gateway().await.map_err(Error::Gates)?;
        let address = listener.local_addr().map_err(Error::Gates)?;
        // Who comes by it is in the cluster.
        gates.push((listener, SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port())));
        gateway = Some(address);
    }
    let [api_server, control, azure, azure_control] = numbers;
    let supervisor = std::process::id();
    Ok((Outside { supervisor, api_server, control, azure, azure_control, gateway }, gates))
}

fn start(
    programs: &Programs,
    directory: &Directory,
    options: &Options,
    outside: &Outside,
) -> Result<Child, Error> {
    let ourselves = std::env::current_exe().map_err(Error::Start)?;
    let outside = serde_json::to_string(outside).map_err(|error| Error::Start(error.into()))?;
    let mut command = spawn::command(&programs.unshare);
    command
        .args(["--net", "--mount", "--pid", "--ipc", "--propagation=private", "--mount-proc", "--fork"])
        .args(["--kill-child=KILL", "--"])
        .arg(ourselves)
        .args(["init", "--", "within", "--outside"])
        .arg(outside)
        .arg("--dir")
        .arg(directory.path())
        .args(options.to_arguments())
        .stdin(Stdio::piped())
        // Ctrl-C in a terminal is for the supervisor.
        .process_group(0)
        .env("PATH", requirements::path());
    for name in ["RUST_LOG", "XDG_CACHE_HOME", "KUBEBUILDER_ASSETS"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command.spawn().map_err(Error::Start)
}

/// Leads connections into the network within, until it ends by itself.
async fn serve(within: &mut Child, gates: Vec<Gate>) -> Result<(), Error> {
    if let Some(namespace) = network_of(within).await? {
        lead(namespace, gates).map_err(Error::Gates)?;
    }
    let status = within.wait().await.map_err(Error::Start)?;
    Err(Error::Ended(status))
}

/// The network of a process, once it is another one than ours; `None` if it ended before.
async fn network_of(process: &mut Child) -> Result<Option<File>, Error> {
    let ours = fs::read_link("/proc/self/ns/net").map_err(Error::Start)?;
    while let Some(pid) = process.id() {
        if process.try_wait().map_err(Error::Start)?.is_some() {
            break;
        }
        let path = PathBuf::from(format!("/proc/{pid}/ns/net"));
        match fs::read_link(&path) {
            Ok(theirs) if theirs != ours => return Ok(Some(File::open(path).map_err(Error::Start)?)),
            _ => tokio::time::sleep(POLL).await,
        }
    }
    Ok(None)
}

/// On a thread of its own. Its listeners are out here; what it connects is within.
fn lead(namespace: File, gates: Vec<Gate>) -> io::Result<()> {
    let gates = gates
        .into_iter()
        .map(|(listener, target)| Ok((listener.into_std()?, target)))
        .collect::<io::Result<Vec<_>>>()?;
    let serve = move || -> io::Result<()> {
        enter_network(&namespace)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            for (listener, target) in gates {
                tokio::spawn(accept(TcpListener::from_std(listener)?, target));
            }
            std::future::pending::<io::Result<()>>().await
        })
    };
    std::thread::Builder::new().name("gates".to_owned()).spawn(move || {
        if let Err(error) = serve() {
            tracing::error!(%error, "nothing is led into the sandbox");
        }
    })?;
    Ok(())
}

async fn accept(listener: TcpListener, target: SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(pass(stream, target))),
            // For want of file descriptors, for example: without a pause it would spin.
            Err(error) => {
                tracing::debug!(%error, "accepting a connection failed");
                tokio::time::sleep(POLL).await;
            }
        }
    }
}

async fn pass(mut outside: TcpStream, target: SocketAddr) -> io::Result<()> {
    let mut within = TcpStream::connect(target).await?;
    // Answers are small and a client waits for each.
    outside.set_nodelay(true)?;
    within.set_nodelay(true)?;
    tokio::io::copy_bidirectional(&mut outside, &mut within).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_it_is_found_survives_the_way_through_an_argument() {
        let outside = Outside {
            supervisor: 7,
            api_server: 20_001,
            control: 20_002,
            azure: 20_003,
            azure_control: 20_004,
            gateway: Some(SocketAddr::from(([127, 64, 0, 1], 5432))),
        };
        let text = serde_json::to_string(&outside).unwrap();
        assert_eq!(serde_json::from_str::<Outside>(&text).unwrap(), outside);
    }

    #[tokio::test]
    async fn a_connection_is_led_on_and_its_end_as_well() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};

        let bind = || TcpListener::bind(("127.0.0.1", 0));
        let (gate, within) = (bind().await.unwrap(), bind().await.unwrap());
        let (outside, target) = (gate.local_addr().unwrap(), within.local_addr().unwrap());
        tokio::spawn(accept(gate, target));
        let mut client = TcpStream::connect(outside).await.unwrap();
        let (mut server, _) = within.accept().await.unwrap();
        client.write_all(b"question").await.unwrap();
        client.shutdown().await.unwrap();
        let mut read = String::new();
        server.read_to_string(&mut read).await.unwrap();
        server.write_all(b"answer").await.unwrap();
        drop(server);
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert_eq!((read.as_str(), answer.as_str()), ("question", "answer"));
    }
}
