//! One pass over one `Database`, told as directories: what is there, what is written because of it, and what the status and
//! the events then say.
//!
//! `cases/<case>/there.yaml` has the `Database`, what else the cluster holds and, if it matters, the policy. Beside it stand
//! `written.snap`, `status.snap` and `events.snap`; `INSTA_UPDATE=always cargo test golden` writes them anew, to be read
//! before they are committed.

mod api_server;
mod kept;
mod kstatus;
mod looking;
mod records;
mod refused;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
    time::Instant,
};

use api::{Database, reason::Reason};
use arc_swap::ArcSwap;
use base64::{Engine, prelude::BASE64_STANDARD};
use exposition::Registry;
use jiff::Timestamp;
use kube::{
    Resource,
    runtime::{
        controller::Action,
        reflector::{self, Store},
        watcher,
    },
};
use policy::PolicyState;
use rstest::rstest;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::trust::ROOTS;
use crate::{
    clock::Clock,
    cluster::namespaces::Namespaces,
    controller::{
        access::{Accesses, Outcome},
        database::reconcile::reconcile,
        engine::{
            backoff::Backoff,
            cache::{Cache, Health},
            events::Events,
            in_flight::{EXPIRY, InFlight},
            metrics::Metrics,
            nudges::Nudges,
            quota::Quotas,
            recorder::Recorder,
        },
        server::{caches::Caches, context::Context, looks::Looks},
    },
};
use api_server::ApiServer;
pub(crate) use api_server::{client_of, unasked};

/// What is there before the pass.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct There {
    /// What the case is about, for who reads it.
    #[allow(dead_code, reason = "people read it")]
    about: String,
    database: Value,
    #[serde(default)]
    cluster: Vec<Value>,
    /// Instead of the example: texts of it and what stands in their place, or `none`.
    #[serde(default)]
    policy: Option<Policy>,
    /// Whether the CRDs of Azure Service Operator are missing.
    #[serde(default)]
    without_aso: bool,
    /// Whether those of Backup vaults are.
    #[serde(default)]
    without_vaults: bool,
    /// When it is; a few minutes after most of what is there began.
    #[serde(default = "noon")]
    now: Timestamp,
    /// What was found inside of the server a moment ago.
    #[serde(default)]
    inside: Option<Inside>,
    /// What the API server answers to a write whose path has this in it.
    #[serde(default)]
    refuses: BTreeMap<String, Value>,
}

fn noon() -> Timestamp {
    "2026-11-24T12:05:00Z".parse().unwrap()
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Policy {
    None,
    With(Vec<(String, String)>),
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Inside {
    reason: String,
    #[serde(default)]
    message: String,
    /// `None` where nobody could look.
    #[serde(default)]
    extensions: Option<BTreeMap<String, String>>,
}

impl Inside {
    fn outcome(&self) -> Outcome {
        let reason = Reason::parse(&self.reason).unwrap();
        if reason == Reason::Settled {
            return Outcome::settled(self.extensions.clone().unwrap_or_default());
        }
        let (message, lets_app_in) = (self.message.clone(), self.extensions.is_some());
        Outcome { reason, message, lets_app_in, extensions: self.extensions.clone() }
    }
}

/// Stands for Azure's roots in a Secret: three thousand letters would hide all others.
const THE_ROOTS: &str = "<the roots>";

impl There {
    fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        serde_saphyr::from_str(&text.replace(THE_ROOTS, &BASE64_STANDARD.encode(ROOTS))).unwrap()
    }

    /// The `Database` as an API server gives it.
    fn database(&self) -> Database {
        let mut database = self.database.clone();
        database["apiVersion"] = json!("altinn.app/v1alpha1");
        database["kind"] = json!("Database");
        serde_json::from_value(database).unwrap()
    }

    fn policy(&self) -> PolicyState {
        let mut text = EXAMPLE.clone();
        match &self.policy {
            Some(Policy::None) => return PolicyState::default(),
            Some(Policy::With(replacements)) => {
                for (old, new) in replacements {
                    assert!(text.contains(old), "the example has no {old:?}");
                    text = text.replacen(old, new, 1);
                }
            }
            None => return example_in_force(),
        }
        in_force(text)
    }
}

/// The example, in which each app administers its own server.
pub(crate) static EXAMPLE: LazyLock<String> =
    LazyLock::new(|| sandbox::without_administrator(include_str!("../../../examples/policy.yaml")));

/// Read once: in a test build that takes longer than a pass.
pub(crate) fn example_in_force() -> PolicyState {
    static IN_FORCE: LazyLock<PolicyState> = LazyLock::new(|| in_force(EXAMPLE.clone()));
    IN_FORCE.clone()
}

/// The example, with one more entry under `recoveries`.
pub(crate) fn example_with_recovery(entry: &str) -> String {
    EXAMPLE.replace("recoveries:\n", &format!("recoveries:\n  - {entry}\n"))
}

pub(crate) fn in_force(policy: String) -> PolicyState {
    let state = PolicyState::default().applied(Some(&[("policy.yaml".to_owned(), policy)].into()));
    assert_eq!(state.trouble("database-policy"), None);
    state
}

fn context(there: &There, client: kube::Client) -> Context {
    let aso = if there.without_aso { Health::UnknownKind } else { Health::Synced };
    let mut context = context_of(there.policy(), &there.cluster, &aso, there.now, client);
    if there.without_vaults {
        context.caches.backup_instances = Cache::holding(&[], &Health::UnknownKind);
    }
    Context { looks: looked(&there.cluster), ..context }
}

/// A process that has seen these objects.
pub(crate) fn context_of(
    policy: PolicyState,
    cluster: &[Value],
    aso: &Health,
    now: Timestamp,
    client: kube::Client,
) -> Context {
    let metrics = Metrics::new(&mut Registry::default());
    Context {
        events: Events::new(Recorder::new(client.clone())),
        client,
        operator_namespace: "database-operator".to_owned(),
        policy_name: "database-policy".to_owned(),
        policy: Arc::new(ArcSwap::from_pointee(policy)),
        caches: Caches::holding(cluster, aso),
        namespaces: Namespaces::holding([]),
        in_flight: InFlight::default(),
        nudges: Nudges::default(),
        backoff: Backoff::default(),
        retained_backoff: Backoff::default(),
        metrics,
        clock: Clock::still(now),
        cluster_uid: "00000000-0000-4000-8000-0000000000c1".to_owned(),
        accesses: Arc::new(Accesses::new().0),
        destroy_delay: jiff::SignedDuration::from_mins(15),
        looks: Looks::default(),
        databases: held(cluster),
        quotas: Quotas::new(tokio::sync::mpsc::unbounded_channel().0),
        retained: held(cluster),
        due_records: tokio::sync::mpsc::unbounded_channel().0,
    }
}

/// A process in a cluster without any object of ours, at noon.
pub(crate) fn in_an_empty_cluster(aso: &Health, client: kube::Client) -> Context {
    context_of(example_in_force(), &[], aso, noon(), client)
}

/// Azure was asked a moment ago what each of its resources is, but in the one case that is about that.
fn looked(cluster: &[Value]) -> Looks {
    let looks = Looks::default();
    for object in cluster {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let metadata = &object["metadata"];
        let of = [text(&object["kind"]), text(&metadata["namespace"]), text(&metadata["name"])];
        looks.asked_again(of.join("/"), metadata["uid"].as_str().map(str::to_owned), 0);
    }
    looks
}

/// Those of a kind of ours among the objects.
pub(crate) fn held<K>(cluster: &[Value]) -> Store<K>
where
    K: Resource<DynamicType = ()> + DeserializeOwned + Clone + 'static,
{
    let (store, mut writer) = reflector::store();
    for object in cluster.iter().filter(|object| object["kind"] == *K::kind(&())) {
        let object = serde_json::from_value(object.clone()).unwrap();
        writer.apply_watcher_event(&watcher::Event::Apply(object));
    }
    store
}

/// Of a case that is told as a directory.
fn snapshots_beside(path: &Path) -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(path.parent().unwrap());
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings
}

#[rstest]
#[tokio::test]
async fn a_pass_writes_what_differs_and_tells_the_truth(
    #[files("src/controller/golden/cases/*/there.yaml")] path: PathBuf,
) {
    let there = There::read(&path);
    let database = there.database();
    let mut after = json!({"metadata": database.metadata, "status": database.status});
    let server = ApiServer::holding(&there.cluster).refusing(&there.refuses);
    let accesses = seen_inside(&there).await;
    let context = Arc::new(Context { accesses, ..context(&there, server.client()) });
    let outcome = Box::pin(reconcile(Arc::new(database), context)).await;
    let outcome = outcome.map_or_else(|error| format!("error: {error}"), |action| told(&action));

    if let Some(status) = server.status_written() {
        after["status"] = status;
        kstatus::check(&after);
    }
    let seen = format!(
        "Flux sees {:?}, kubectl wait {}",
        kstatus::of(&after),
        if kstatus::wait_ends(&after) { "ends" } else { "waits" }
    );

    snapshots_beside(&path).bind(|| {
        insta::assert_snapshot!("written", format!("{}{}\n{outcome}", server.looked_at(), server.written()));
        insta::assert_snapshot!("status", format!("{}\n{seen}", server.status()));
        insta::assert_snapshot!("events", server.events());
    });
}

/// What a process knows of the servers inside. Where somebody has looked, a former pass has asked for that.
async fn seen_inside(there: &There) -> Arc<Accesses> {
    let (accesses, mut queues) = Accesses::new();
    let accesses = Arc::new(accesses);
    if let Some(inside) = &there.inside {
        let server = ApiServer::holding(&there.cluster);
        let context = Context { accesses: accesses.clone(), ..context(there, server.client()) };
        Box::pin(reconcile(Arc::new(there.database()), Arc::new(context))).await.unwrap();
        let job = queues.next().expect("a pass asks for a look");
        accesses.found(&job, inside.outcome(), Instant::now());
    }
    accesses
}

#[tokio::test]
async fn azure_service_operator_is_asked_to_try_again_after_minutes_and_once() {
    let path =
        concat!(env!("CARGO_MANIFEST_DIR"), "/src/controller/golden/cases/trouble_while_ready/there.yaml");
    let there = There::read(path.as_ref());
    let server = ApiServer::holding(&there.cluster);
    let mut context = Arc::new(context(&there, server.client()));
    let database = Arc::new(there.database());
    for (minutes, asked) in [(0, 0), (4, 0), (5, 1), (6, 1), (15, 2)] {
        let now = there.now + jiff::SignedDuration::from_mins(minutes);
        Arc::get_mut(&mut context).unwrap().clock = Clock::still(now);
        Box::pin(reconcile(database.clone(), context.clone())).await.unwrap();
        assert_eq!(server.written().matches("operatorSpec: {}").count(), asked, "after {minutes} minutes");
    }
}

#[tokio::test]
async fn a_server_at_rest_is_looked_at_before_it_is_changed() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/controller/golden/cases/resized/there.yaml");
    let there = There::read(path.as_ref());
    let server = ApiServer::holding(&there.cluster);
    let context = Context { looks: Looks::default(), ..context(&there, server.client()) };
    Box::pin(reconcile(Arc::new(there.database()), Arc::new(context))).await.unwrap();
    let written = server.written();
    assert_eq!(written.matches("operatorSpec: {}").count(), 1, "{written}");
    assert!(!written.contains("Standard_"), "nothing of the change is written: {written}");
}

/// What was written and isn't there may have been deleted since, and then no watch tells.
#[tokio::test]
async fn what_was_written_and_is_not_there_is_looked_for_soon() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/controller/golden/cases/at_rest/there.yaml");
    let mut there = There::read(path.as_ref());
    there.cluster.retain(|object| object["kind"] != "FlexibleServersFirewallRule");
    let server = ApiServer::holding(&there.cluster);
    let context = Arc::new(context(&there, server.client()));
    let database = Arc::new(there.database());
    for pass in ["the one that writes", "the next"] {
        let action = Box::pin(reconcile(database.clone(), context.clone())).await.unwrap();
        let soon = Action::requeue(EXPIRY);
        assert_eq!(whole_tens(&action), whole_tens(&soon), "{pass}");
    }
    assert_eq!(server.written().matches("flexibleserversfirewallrules").count(), 1, "once");
}

/// In how many tens of seconds it is looked at again: it is jittered by less.
fn whole_tens(action: &Action) -> u64 {
    let text = format!("{action:?}");
    let seconds: f64 = text.split(['(', 's']).find_map(|part| part.parse().ok()).unwrap();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few, and not below zero")]
    let tens = (seconds / 10.0).round() as u64;
    tens
}

/// Whether the object is looked at again by itself, and about how soon: that is jittered by a quarter.
fn told(action: &Action) -> String {
    if *action == Action::await_change() {
        return "then waits for a change".to_owned();
    }
    let tens = whole_tens(action);
    let soon = match tens {
        0..=1 => "in seconds",
        2..41 => "in minutes",
        41..100 => "in ten minutes",
        _ => "in an hour",
    };
    format!("then looks again {soon}")
}
