//! A control plane without Azure Service Operator, and the operator's release in it.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use sandbox::{Action, Options, Sandbox};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::audit::Audit;

const CONTROLLER: &str = "controller";
const SCRAPES: usize = 51;
const TICK: Duration = Duration::from_millis(20);

/// A fresh one for each measurement: an API server that holds more is slower.
#[allow(missing_debug_implementations, reason = "a client has none")]
pub struct Cluster {
    sandbox: Sandbox,
    /// An administrator's.
    pub admin: Client,
    /// With the rights of the controller.
    pub controller: Client,
    pub audit: Audit,
    /// Port of the controller's metrics.
    port: u16,
}

/// When a controller that was started did what.
#[derive(Clone, Copy, Debug, Default)]
pub struct Start {
    /// Its first reconcile was done.
    pub first: Duration,
    /// Its last reconcile for a while was done.
    pub quiet: Duration,
    pub reconciles: u64,
}

impl Cluster {
    pub async fn start() -> Self {
        let options = Options { aso_crds_only: true, ..Options::without_postgres() };
        let sandbox = tokio::task::block_in_place(|| Sandbox::start(&options)).unwrap();
        let admin = client(sandbox.kubeconfig().to_owned()).await;
        let controller = client(sandbox.directory().join("controller.kubeconfig")).await;
        let audit = Audit::new(sandbox.audit_log());
        let port = port(pid(&sandbox).unwrap());
        Self { sandbox, admin, controller, audit, port }
    }

    pub fn pid(&self) -> u32 {
        pid(&self.sandbox).unwrap()
    }

    pub fn stop_controller(&self) {
        tokio::task::block_in_place(|| self.sandbox.process(CONTROLLER).act(Action::Stop)).unwrap();
    }

    /// Starts the controller that was stopped, and waits until it is quiet or the time is over.
    pub async fn start_controller(&self, limit: Duration) -> Start {
        let started = Instant::now();
        tokio::task::block_in_place(|| self.sandbox.process(CONTROLLER).act(Action::Start)).unwrap();
        while self.reconciles().await.unwrap_or_default() == 0 && started.elapsed() < limit {
            tokio::time::sleep(TICK).await;
        }
        let first = started.elapsed();
        let (reconciles, last) = self.quiet(Duration::from_secs(3), limit).await;
        Start { first, quiet: last.saturating_duration_since(started), reconciles }
    }

    /// Waits until the controller has reconciled nothing for so long; how often it has, and when it did last.
    pub async fn quiet(&self, length: Duration, limit: Duration) -> (u64, Instant) {
        let started = Instant::now();
        let (mut before, mut last) = (0, started);
        loop {
            let now = self.reconciles().await.unwrap_or_default();
            if now != before {
                (before, last) = (now, Instant::now());
            }
            if last.elapsed() > length || started.elapsed() > limit {
                return (before, last);
            }
            tokio::time::sleep(TICK).await;
        }
    }

    /// The controller's metrics; `None` while it can't be asked.
    async fn metrics(&self) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.ok()?;
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        Some(answer)
    }

    /// Asks for the metrics some times, one after the other: how many series there are, and how long the middle one took.
    pub async fn scrape(&self) -> (usize, Duration) {
        let (mut series, mut times) = (0, Vec::new());
        for _ in 0..SCRAPES {
            let started = Instant::now();
            let text = self.metrics().await.unwrap();
            times.push(started.elapsed());
            series = text.lines().filter(|line| line.starts_with("database_operator_")).count();
        }
        times.sort_unstable();
        (series, times[SCRAPES / 2])
    }

    /// How often the controller has reconciled; `None` while it can't be asked.
    pub async fn reconciles(&self) -> Option<u64> {
        let text = self.metrics().await?;
        let counts = text.lines().filter_map(|line| {
            line.strip_prefix("database_operator_reconciles_total{")?.rsplit(' ').next()?.parse::<u64>().ok()
        });
        Some(counts.sum())
    }

    /// Takes it down, and with it the log of its requests, which is large.
    pub fn end(self) {
        let log = self.sandbox.audit_log().to_owned();
        tokio::task::block_in_place(|| drop(self.sandbox));
        drop(fs::remove_file(log));
    }
}

async fn client(path: PathBuf) -> Client {
    let kubeconfig = Kubeconfig::read_from(path).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    Client::try_from(config).unwrap()
}

fn pid(sandbox: &Sandbox) -> Option<u32> {
    sandbox.state().unwrap().processes[CONTROLLER].pid
}

/// The port of health and metrics of a process, by its command line.
fn port(pid: u32) -> u16 {
    let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
    let arguments: Vec<&str> = command.split('\0').collect();
    let at = arguments.iter().rposition(|argument| *argument == "--admin-listen").unwrap() + 1;
    arguments[at].rsplit(':').next().unwrap().parse().unwrap()
}
