//! The controller against a real API server, with Azure Service Operator's part played by an answer at once; beside it a
//! client that writes the same objects and does nothing else.
//!
//! `BENCH_COUNTS` is how many databases there are, in turn: 100,1000,10000 by itself.
#![allow(clippy::unwrap_used, reason = "a bench that can't go on should say so and end")]

mod audit;
mod bare;
mod cluster;
mod databases;
#[path = "../diagram.rs"]
mod diagram;
#[path = "../document.rs"]
mod document;
mod names;
mod observed;
mod plot;
mod report;
mod responder;
#[path = "../table.rs"]
mod table;
#[path = "../usage.rs"]
mod usage;

use std::{
    env, panic, process,
    sync::Arc,
    time::{Duration, Instant},
};

use audit::Requests;
use bare::{Amount, Template};
use cluster::{Cluster, Start};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use observed::{Latencies, Observed};
use responder::{KINDS, OPERATOR_NAMESPACE};
use serde_json::json;
use usage::Memory;

/// How long writes are counted of a controller that has nothing to do.
const REST: Duration = Duration::from_secs(20);
/// After this long without a reconcile it has nothing to do.
const QUIET: Duration = Duration::from_secs(4);
/// So many databases are applied beside the others, one by one, at this pace.
const SINGLE: usize = 100;
const PACE: Duration = Duration::from_millis(200);
/// Up to this many databases the bare clients are measured, too; below, in several rounds.
const SMALL: usize = 1000;
const ROUNDS: usize = 3;

/// What so many databases came to.
#[derive(Debug, Default)]
pub struct Measured {
    pub count: usize,
    pub creations: Vec<Creation>,
    /// The same of the bare client.
    pub bare: Vec<Creation>,
    /// Of one that makes as many requests as the controller.
    pub alike: Vec<Creation>,
    /// `None` when the databases didn't become ready in time.
    pub life: Option<Life>,
}

/// All applied at once.
#[derive(Debug)]
pub struct Creation {
    /// How many became ready in the time that there was.
    pub ready: usize,
    pub took: Duration,
    pub first_child: Latencies,
    pub to_ready: Latencies,
    pub requests: Requests,
    /// What the controller computed.
    pub processor: Duration,
    pub memory: Memory,
}

/// What came after the first creation.
#[derive(Debug)]
pub struct Life {
    pub rest: Memory,
    /// How many series the controller exposes, and how long it takes to read them.
    pub scrape: (usize, Duration),
    pub writes_at_rest: usize,
    /// After a change of the policy that changes nothing for any database.
    pub policy: Requests,
    pub policy_took: Duration,
    pub restart: Start,
    pub restart_requests: Requests,
    pub restarted: Memory,
    /// Databases that came one by one: to the bench's own watch, to the first object, and to being ready.
    pub single: [Latencies; 3],
}

fn main() {
    // `cargo test --all-targets` runs it too, and asks whether it works and not how fast.
    let default = if env::args().any(|argument| argument == "--bench") { "100,1000,10000" } else { "3" };
    let counts = env::var("BENCH_COUNTS").unwrap_or_else(|_| default.to_owned());
    let counts: Vec<usize> = counts.split(',').map(|count| count.trim().parse().unwrap()).collect();
    // Whichever task can't go on: the control plane ends with this process.
    let say = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        say(panic);
        process::exit(101);
    }));
    rustls::crypto::ring::default_provider().install_default().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut all = Vec::new();
        for count in counts {
            all.push(measure(count).await);
        }
        let text = report::text(&all);
        println!("{text}");
        document::write("controller", &text);
        document::write_beside(report::PLOT, &plot::draw(&all));
    });
}

async fn measure(count: usize) -> Measured {
    let mut measured = Measured { count, ..Measured::default() };
    let mut template = None;
    for round in 0..if count < SMALL { ROUNDS } else { 1 } {
        let mut cluster = Cluster::start().await;
        let observed = Arc::new(Observed::default());
        let creation = create(&mut cluster, count, &observed, None).await;
        say(count, "the controller", &creation);
        let is_complete = creation.ready == count;
        measured.creations.push(creation);
        if is_complete && round == 0 {
            template = Some(Template::read(&cluster.admin).await);
            measured.life = Some(live(&mut cluster, count, &observed).await);
        }
        cluster.end();
        // Beyond, the bare clients would take most of an hour to say the same again.
        let Some(template) = template.as_ref().filter(|_| count <= SMALL) else { continue };

        for amount in [Amount::Once, Amount::Alike] {
            let mut cluster = Cluster::start().await;
            let bare = Some((template.clone(), amount));
            let creation = create(&mut cluster, count, &Arc::default(), bare).await;
            say(count, &format!("the bare client, {amount:?}"), &creation);
            let rounds = if amount == Amount::Once { &mut measured.bare } else { &mut measured.alike };
            rounds.push(creation);
            cluster.end();
        }
    }
    measured
}

fn say(count: usize, who: &str, creation: &Creation) {
    let Creation { ready, took, memory, .. } = creation;
    let memory = if memory.peak > 0 { format!(", {} MB", table::mb(memory.peak)) } else { String::new() };
    eprintln!("{count} databases, {who}: {ready} ready after {:.1} s{memory}", took.as_secs_f64());
}

/// Applies all databases at once, and has the controller, or the bare client, make them ready.
async fn create(
    cluster: &mut Cluster,
    count: usize,
    observed: &Arc<Observed>,
    bare: Option<(Template, Amount)>,
) -> Creation {
    let is_bare = bare.is_some();
    databases::make_namespaces(&cluster.admin, count + SINGLE).await;
    responder::start(&cluster.admin, observed);
    let made = observed.watch(cluster.admin.clone());
    if let Some((template, amount)) = bare {
        cluster.stop_controller();
        bare::start(&cluster.controller, made, template, amount);
    }
    // For what new namespaces get, and for the watches.
    tokio::time::sleep(Duration::from_secs(2)).await;
    drop(cluster.audit.since());

    let limit = Duration::from_mins(2) + Duration::from_millis(100) * u32::try_from(count).unwrap();
    let before = if is_bare { Duration::ZERO } else { usage::processor(cluster.pid()) };
    let started = Instant::now();
    databases::apply_all(&cluster.admin, count, observed).await;
    let (mut ready, mut answered) = observed.counts();
    while (ready < count || answered < count * KINDS.len()) && started.elapsed() < limit {
        tokio::time::sleep(Duration::from_millis(20)).await;
        (ready, answered) = observed.counts();
    }
    let took = observed.took();
    let [_, first_child, to_ready] = observed.latencies(0);
    // An event follows the last status.
    tokio::time::sleep(Duration::from_secs(1)).await;
    Creation {
        ready,
        took,
        first_child,
        to_ready,
        requests: cluster.audit.since(),
        processor: if is_bare {
            Duration::ZERO
        } else {
            usage::processor(cluster.pid()).saturating_sub(before)
        },
        memory: if is_bare { Memory::default() } else { usage::memory(cluster.pid()) },
    }
}

/// What a cluster with so many databases that are ready asks of the controller.
async fn live(cluster: &mut Cluster, count: usize, observed: &Observed) -> Life {
    let limit = Duration::from_mins(1) + Duration::from_millis(20) * u32::try_from(count).unwrap();
    tokio::time::sleep(REST).await;
    let writes_at_rest = cluster.audit.since().writes();
    cluster.quiet(QUIET, limit).await;
    let rest = usage::memory(cluster.pid());
    let scrape = cluster.scrape().await;

    let changed = Instant::now();
    comment_policy(cluster).await;
    let (_, last) = cluster.quiet(QUIET, limit).await;
    let (policy, policy_took) = (cluster.audit.since(), last.saturating_duration_since(changed));

    cluster.stop_controller();
    let restart = cluster.start_controller(limit).await;
    // A write that was to be confirmed would be looked at again by then.
    tokio::time::sleep(REST).await;
    let restart_requests = cluster.audit.since();
    let restarted = usage::memory(cluster.pid());
    eprintln!("{count} databases, restarted: {} MB", table::mb(restarted.peak));

    let mut pace = tokio::time::interval(PACE);
    for number in count..count + SINGLE {
        pace.tick().await;
        databases::apply(&cluster.admin, number, observed).await;
    }
    let started = Instant::now();
    while observed.counts().0 < count + SINGLE && started.elapsed() < limit {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let single = observed.latencies(count);
    Life { rest, scrape, writes_at_rest, policy, policy_took, restart, restart_requests, restarted, single }
}

/// A change of the policy that changes nothing.
async fn comment_policy(cluster: &Cluster) {
    let policies: Api<ConfigMap> = Api::namespaced(cluster.admin.clone(), OPERATOR_NAMESPACE);
    let policy = policies.get("database-policy").await.unwrap().data.unwrap().remove("policy.yaml").unwrap();
    let body = json!({"data": {"policy.yaml": policy + "\n# a comment\n"}});
    policies.patch("database-policy", &PatchParams::default(), &Patch::Merge(body)).await.unwrap();
}
