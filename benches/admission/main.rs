//! Reviews over TLS, ours beside a handler that answers a constant.
//!
//! `BENCH_SECONDS` is how long each of the two is measured with eight connections; other loads take a quarter of it.
#![allow(clippy::unwrap_used, reason = "a bench that can't go on should say so and end")]

mod client;
#[path = "../document.rs"]
mod document;
mod process;
mod report;
#[path = "../reviews.rs"]
mod reviews;
mod server;
#[path = "../table.rs"]
mod table;
#[path = "../usage.rs"]
mod usage;

use std::{env, sync::Arc, time::Duration};

use bytes::Bytes;
use client::{Clients, Load, Round, Version};
use process::{Process, SERVE};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use reviews::Review;
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use tikv_jemallocator::Jemalloc;
use usage::Memory;

/// As the operator has it; the bare server, too.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// The load that the budgets are for.
const BUDGETED: Load = Load { connections: 8, version: Version::Http2 };
const LOADS: &[Load] = &[
    // An API server asks a Service so: with HTTP/1.1, on as many connections as there are questions at a time.
    Load { connections: 8, version: Version::Http1 },
    Load { connections: 1, version: Version::Http2 },
    BUDGETED,
    Load { connections: 50, version: Version::Http2 },
];
/// Rounds of each server. They alternate, so that what else the machine does hits both.
const ROUNDS: u32 = 8;

/// What one review with one load came to.
#[derive(Debug)]
struct Measured {
    load: Load,
    review: Review,
    ours: Side,
    bare: Side,
}

/// One of the two, over all rounds.
#[derive(Debug, Default)]
struct Side {
    rounds: Vec<Round>,
    /// What the server computed.
    processor: Duration,
}

/// Memory of a server.
#[derive(Debug, Default)]
struct Memories {
    rest: Memory,
    /// With the connections of the heaviest moment still open.
    load: Memory,
    after: Memory,
}

fn main() {
    let arguments: Vec<String> = env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == SERVE) {
        return server::run(&arguments[at + 1]);
    }
    // `cargo test --all-targets` runs it too, and asks whether it works and not how fast.
    let default = if arguments.iter().any(|argument| argument == "--bench") { 4.0 } else { 0.1 };
    let seconds = env::var("BENCH_SECONDS").ok().map_or(default, |seconds| seconds.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(measure(Duration::from_secs_f64(seconds)));
}

async fn measure(length: Duration) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let pem = cert.pem() + &signing_key.serialize_pem();
    let mut trust = RootCertStore::empty();
    trust.add(cert.der().clone()).unwrap();
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let tls = tls
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(trust)
        .with_no_client_auth();

    let processes = ["ours", "bare"].map(|name| Process::start(name, &pem));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut memories = [Memories::default(), Memories::default()];
    for (memories, process) in memories.iter_mut().zip(&processes) {
        memories.rest = process.memory();
    }
    let mut all = Vec::new();
    for (number, review) in reviews::all().into_iter().enumerate() {
        eprintln!("{review}");
        for load in LOADS.iter().copied() {
            let length = if load == BUDGETED { length } else { length / 4 };
            let paths = [review.path().to_owned(), format!("/{number}")];
            let [ours, bare] = compare(&tls, &processes, paths, &review, load, length, &mut memories).await;
            all.push(Measured { load, review: review.clone(), ours, bare });
        }
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    for (memories, process) in memories.iter_mut().zip(&processes) {
        memories.after = process.memory();
    }
    let text = report::text(&all, &memories, length);
    println!("{text}");
    document::write("admission", &text);
}

/// Rounds of both in turns, and every other time in the other order.
async fn compare(
    tls: &ClientConfig,
    processes: &[Process; 2],
    paths: [String; 2],
    review: &Review,
    load: Load,
    length: Duration,
    memories: &mut [Memories; 2],
) -> [Side; 2] {
    let body = Bytes::from(review.body.clone());
    let mut clients = Vec::new();
    for (process, path) in processes.iter().zip(&paths) {
        let mut those = Clients::connect(tls, process.address, path, body.clone(), load).await;
        those.round(Duration::from_millis(100)).await;
        clients.push(those);
    }
    let mut sides = [Side::default(), Side::default()];
    for round in 0..ROUNDS {
        for turn in 0..2 {
            let which = if round % 2 == 0 { turn } else { 1 - turn };
            let before = processes[which].processor();
            sides[which].rounds.push(clients[which].round(length / ROUNDS).await);
            sides[which].processor += processes[which].processor().saturating_sub(before);
        }
    }
    for (memories, process) in memories.iter_mut().zip(processes) {
        let now = process.memory();
        if now.resident > memories.load.resident {
            memories.load = now;
        }
    }
    sides
}
