//! Passes by SQL over real servers that are as they are wanted, beside a client that logs in as often and asks nothing.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a bench that can't start should say so and end")]

mod document;
mod table;
#[allow(dead_code, reason = "not every bench counts processor time")]
mod usage;

use std::{
    env,
    net::IpAddr,
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use futures::future::{join, join_all};
use postgres::{
    Access, Create, Credential, DatabaseName, Desired, ExtensionName, ExtensionWish, Level, Login, Mark,
    PrincipalKind, RoleName, Server, Tls, pass,
};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use sandbox::{Servers, azure::client::TokenRequest, postgres::Version};
use serde::{Deserialize, Serialize};

/// Set for the process that measures itself: the other one has the servers, and the way to them.
const MEASURE: &str = "BENCH_MEASURE";
const DATABASE: &str = "orders";
/// As many servers are looked at together (src/controller/access/worker.rs).
const TOGETHER: usize = 16;

/// What the process that measures is told.
#[derive(Deserialize, Serialize)]
struct Task {
    address: IpAddr,
    root: String,
    hosts: Vec<String>,
    token: String,
    passes: usize,
}

/// What it has measured.
#[derive(Deserialize, Serialize)]
struct Measured {
    first: Duration,
    passes: Vec<Duration>,
    logins: Vec<Duration>,
    queries: u32,
    statements: u32,
    before: u64,
    peak: u64,
}

#[tokio::main]
async fn main() {
    rustls::crypto::ring::default_provider().install_default().unwrap();
    if let Ok(task) = env::var(MEASURE) {
        let measured = measure(&serde_json::from_str(&task).unwrap()).await;
        return println!("{}", serde_json::to_string(&measured).unwrap());
    }
    // `cargo test --all-targets` runs it too, and asks whether it works and not how fast.
    let passes = if env::args().any(|argument| argument == "--bench") { 200 } else { 1 };
    let servers = Servers::start().await.unwrap();
    let mut hosts = Vec::new();
    for number in 0..TOGETHER {
        hosts.push(servers.create(&format!("orders-{number}"), Version::V17).await.unwrap());
    }
    let task = Task {
        address: servers.address(),
        root: servers.root_certificate().to_owned(),
        hosts,
        token: servers.azure().token(&TokenRequest::of(Servers::OPERATOR)).await.unwrap(),
        passes,
    };
    let task = serde_json::to_string(&task).unwrap();
    let output = tokio::task::spawn_blocking(move || {
        let mut command = Command::new(env::current_exe().unwrap());
        command.env(MEASURE, task).stderr(Stdio::inherit()).output().unwrap()
    });
    let output = output.await.unwrap();
    assert!(output.status.success());
    let text = report(&serde_json::from_slice(&output.stdout).unwrap());
    println!("{text}");
    document::write("access", &text);
}

/// An app with an identity and an extension.
fn desired() -> Desired {
    let database = DatabaseName::new(DATABASE).unwrap();
    let app = Login {
        role: RoleName::new("orders_app").unwrap(),
        credential: Credential::Entra {
            object_id: "22222222-2222-4222-8222-222222222222".to_owned(),
            kind: PrincipalKind::Service,
        },
        level: Level::Owner,
        may_log_in: true,
    };
    Desired {
        mark: Mark::new("database-operator: orders").unwrap(),
        logins: vec![app],
        extensions: vec![ExtensionWish { name: ExtensionName::new("plpgsql").unwrap(), update: false }],
        access: Access::Open,
        create: Create::IfNew,
        take_over_from: Vec::new(),
        database,
    }
}

async fn measure(task: &Task) -> Measured {
    let root = CertificateDer::from_pem_slice(task.root.as_bytes()).unwrap();
    let tls = Tls::new([root]).unwrap();
    let server = |host: &String| {
        Server::new(host, 5432, Servers::ADMINISTRATOR, &task.token, tls.clone()).at(Some(task.address))
    };
    let servers: Vec<Server> = task.hosts.iter().map(server).collect();
    let (desired, always) = (desired(), || true);
    let started = Instant::now();
    for (number, server) in servers.iter().enumerate() {
        let report = pass(server, &desired, &always).await.unwrap_or_else(|failure| panic!("{failure}"));
        assert!(report.is_settled() && report.statements > 0, "server {number}: {report:?}");
    }
    let first = started.elapsed() / u32::try_from(servers.len()).unwrap();
    let (mut passes, mut logins, mut queries, mut statements) = (Vec::new(), Vec::new(), 0, 0);
    for _ in 0..task.passes {
        let started = Instant::now();
        let report = pass(&servers[0], &desired, &always).await.unwrap();
        passes.push(started.elapsed());
        queries = report.queries;
        statements += report.statements;
        let started = Instant::now();
        let (at_server, inside) = join(servers[0].connect("postgres"), servers[0].connect(DATABASE)).await;
        join(at_server.unwrap().close(), inside.unwrap().close()).await;
        logins.push(started.elapsed());
    }
    let anonymous = || usage::memory(std::process::id()).anonymous;
    let (is_over, peak, before) = (AtomicBool::new(false), AtomicU64::new(0), anonymous());
    // The runtime's threads are busy meanwhile.
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                peak.fetch_max(anonymous(), Ordering::Relaxed);
                thread::sleep(Duration::from_millis(2));
            }
        });
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                for _ in 0..task.passes.div_ceil(10) {
                    join_all(servers.iter().map(|server| pass(server, &desired, &always))).await;
                }
            });
        });
        is_over.store(true, Ordering::Relaxed);
    });
    Measured { first, passes, logins, queries, statements, before, peak: peak.into_inner() }
}

fn report(measured: &Measured) -> String {
    let Measured { first, passes, logins, queries, statements, before, peak } = measured;
    let milliseconds = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1000.0);
    let mut text = format!(
        "## Passes by SQL\n\n\
         Measured against a real PostgreSQL 17 behind the stand-in for Azure, over TLS and with a token: a pass looks \
         whether the login, the roles and the extensions of one app are as they are wanted, in {queries} queries. Beside \
         it, a client that logs in twice, as a pass does, and asks nothing. Most of the time is PostgreSQL's own: it starts \
         a process for each login, and such a process knows no table and no plan yet. On Azure, the way to the server comes \
         on top. The first pass over a server, which creates the database and all that is in it, takes {} ms.\n\n",
        milliseconds(*first)
    );
    table::head(&mut text, &["", "p50 ms", "p99 ms", "statements that change something"]);
    let at = |times: &[Duration], percent: usize| {
        let mut times = times.to_vec();
        times.sort_unstable();
        times[(times.len() * percent / 100).min(times.len() - 1)]
    };
    for (what, times, statements) in
        [("a pass", passes, statements.to_string()), ("two logins", logins, "0".to_owned())]
    {
        let cells = [what.to_owned(), milliseconds(at(times, 50)), milliseconds(at(times, 99)), statements];
        table::row(&mut text, &cells);
    }
    text.push('\n');
    table::head(&mut text, &["budget", "measured", ""]);
    let cost = peak.saturating_sub(*before);
    for (budget, measured, is_met) in [
        (
            "a pass that changes nothing: p50 below 20 ms",
            format!("{} ms", milliseconds(at(passes, 50))),
            at(passes, 50) < Duration::from_millis(20),
        ),
        ("it writes nothing", format!("{statements} statements"), *statements == 0),
        ("16 at a time cost 5 MB", format!("{} MB", table::mb(cost)), cost <= 5_000_000),
    ] {
        table::row(&mut text, &[budget.to_owned(), measured, table::met(is_met)]);
    }
    text
}
