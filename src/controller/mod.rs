//! The reconcile loops: `Database` → objects of Azure Service Operator → Secret, ServiceAccount, status.
//!
//! [`database`] and [`retained`] each have the loop over one kind. What they do to a server is in [`server`], what the operator
//! does inside of one is in [`access`], and what any loop needs is in [`engine`]. A folder takes nothing from one that stands
//! above it in this order: `engine`, `access`, `server`, `retained`, `database`.

mod access;
mod database;
mod engine;
#[cfg(test)]
pub(crate) mod golden;
#[cfg(test)]
mod model;
mod retained;
mod server;

use std::{collections::HashSet, sync::Arc, time::Duration};

use api::{Database, RetainedDatabase, reason::Reason};
use arc_swap::ArcSwap;
use futures::{
    Stream, StreamExt,
    stream::{self, BoxStream, SelectAll},
};
use jiff::SignedDuration;
use k8s_openapi::{
    api::core::v1::{Namespace, ObjectReference},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Api, Client, Resource,
    core::{DeserializeGuard, PartialObjectMeta},
    runtime::{
        WatchStreamExt,
        reflector::{self, ObjectRef, Store},
        watcher,
    },
};
use policy::{PolicyState, quote::clean};
use serde::de::DeserializeOwned;
use tokio::{
    sync::{mpsc, watch},
    time::sleep,
};
use tokio_stream::wrappers::{UnboundedReceiverStream, WatchStream};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    cluster::{
        namespaces::Namespaces,
        readable::{Unreadable, readable},
        trim,
    },
};
use access::Accesses;
pub(crate) use access::{AccessMetrics, Sessions};
pub use engine::metrics::Metrics;
use engine::{backoff, cache, conditions, events, in_flight, nudges, quota, recorder::Recorder};
use server::{caches, context::Context, lists, looks};

/// What the controller needs.
#[derive(Debug)]
pub(crate) struct Config {
    /// Namespace of the operator and of Azure Service Operator's objects.
    pub(crate) operator_namespace: String,
    /// By which what is kept comes to its end.
    pub(crate) clock: Clock,
    /// How long a confirmed `Destroy` can be taken back.
    pub(crate) destroy_delay: SignedDuration,
    /// How the operator gets in to servers.
    pub(crate) sessions: access::Sessions,
}

/// The policy, as it is watched.
#[derive(Debug)]
pub struct WatchedPolicy {
    /// Name of the ConfigMap.
    pub name: String,
    pub state: Arc<ArcSwap<PolicyState>>,
    /// Another number for each change.
    pub changes: watch::Receiver<u64>,
    /// What is wrong with it, as long as something is.
    pub trouble: watch::Receiver<Option<String>>,
}

/// Runs until the token is cancelled.
pub(crate) async fn run(
    client: Client,
    config: Config,
    policy: WatchedPolicy,
    metrics: Metrics,
    stop: CancellationToken,
) {
    let WatchedPolicy { name: policy_name, state: policy, changes, trouble } = policy;
    let cluster_uid = cluster_uid(&client).await;
    let recorder = Recorder::new(client.clone());
    let config_map = config_map(&config.operator_namespace, &policy_name);
    // Ends with the process, or when nobody watches the policy any more.
    tokio::spawn(tell_of_policy(recorder.clone(), config_map, trouble));
    let unreadable_records = Unreadable::new(
        metrics.unreadable_records.clone(),
        tell_of_unreadable::<RetainedDatabase>(recorder.clone()),
    );
    let unreadable =
        Unreadable::new(metrics.unreadable.clone(), tell_of_unreadable::<Database>(recorder.clone()));
    let (store, writer) = reflector::store();

    let mut triggers = SelectAll::new();
    let (kind_changes_sender, kind_changes) = mpsc::unbounded_channel();
    let caches =
        caches::start(&client, &config.operator_namespace, &store, &mut triggers, &kind_changes_sender);
    let (namespaces, relabelled) = Namespaces::watch(client.clone());
    let (freed_sender, freed) = mpsc::unbounded_channel();
    let changed = stream::select(relabelled, UnboundedReceiverStream::new(freed));
    triggers.push(databases_in(changed, store.clone()).boxed());
    let (accesses, looks) = look_inside(config.sessions, &mut triggers);
    let (retained, retained_writer) = reflector::store();
    metrics.census.begin(store.clone(), retained.clone(), policy.clone());
    let (record_sender, due_records) = mpsc::unbounded_channel();
    let context = Arc::new(Context {
        events: events::Events::new(recorder),
        client,
        operator_namespace: config.operator_namespace,
        policy_name,
        policy,
        caches,
        namespaces,
        in_flight: in_flight::InFlight::default(),
        nudges: nudges::Nudges::default(),
        backoff: backoff::Backoff::default(),
        retained_backoff: backoff::Backoff::default(),
        metrics,
        clock: config.clock,
        cluster_uid,
        accesses,
        destroy_delay: config.destroy_delay,
        looks: looks::Looks::default(),
        databases: store.clone(),
        quotas: quota::Quotas::new(freed_sender),
        retained,
        due_records: record_sender,
    });

    let stream = watch_databases(context.client.clone(), unreadable, writer);
    let stream = lists::then(lists::all, context.clone(), stream);
    let kept =
        retained::run(context.clone(), retained_writer, unreadable_records, store.clone(), due_records);
    let all = for_all(changes, kind_changes);
    tokio::select! {
        () = database::run(context, stream, store, triggers, all, stop) => {}
        () = kept => {}
        () = looks => {}
    }
}

/// What may change every `Database`.
fn for_all(
    policies: watch::Receiver<u64>,
    kinds: mpsc::UnboundedReceiver<()>,
) -> impl Stream<Item = ()> + Send + Sync + 'static {
    stream::select(
        // The first value is the policy at the start, when everything is reconciled anyway.
        WatchStream::from_changes(policies).map(|_| ()),
        // Whoever failed because of a kind that is gone would wait long after it is back.
        UnboundedReceiverStream::new(kinds),
    )
}

/// What is found inside of servers, and what looks there. Each look triggers a pass over its `Database`.
fn look_inside(
    sessions: Sessions,
    triggers: &mut SelectAll<BoxStream<'static, ObjectRef<Database>>>,
) -> (Arc<Accesses>, impl Future<Output = ()> + use<>) {
    let (accesses, queues) = Accesses::new();
    let accesses = Arc::new(accesses);
    let (looked_at, seen) = mpsc::unbounded_channel();
    triggers.push(UnboundedReceiverStream::new(seen).boxed());
    let kept = accesses.clone();
    let looks = async move {
        let look = async |job: Arc<access::Job>| sessions.look(&job).await;
        access::run(queues, kept, sessions.metrics(), looked_at, look).await;
    };
    (accesses, looks)
}

/// All of them, and each as it changes.
fn watch_databases(
    client: Client,
    unreadable: Unreadable<impl Fn(&ObjectMeta, &str) + Send + 'static>,
    writer: reflector::store::Writer<Database>,
) -> impl Stream<Item = Result<Database, watcher::Error>> + Send {
    let databases = Api::<DeserializeGuard<Database>>::all(client);
    readable(watcher(databases, cache::watch()).default_backoff(), unreadable)
        .modify(trim::database)
        .reflect(writer)
        .touched_objects()
}

fn config_map(namespace: &str, name: &str) -> ObjectReference {
    ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("ConfigMap".to_owned()),
        namespace: Some(namespace.to_owned()),
        name: Some(name.to_owned()),
        ..ObjectReference::default()
    }
}

/// An event of the ConfigMap when it breaks, goes, or holds again; its trouble stands in log and metric, too.
async fn tell_of_policy(
    recorder: Recorder,
    config_map: ObjectReference,
    mut trouble: watch::Receiver<Option<String>>,
) {
    let mut was_troubled = false;
    loop {
        let now = trouble.borrow_and_update().clone();
        let (reason, note) = match &now {
            Some(trouble) => (Reason::PolicyInvalid, clean(trouble)),
            None => (Reason::PolicyInForce, "the policy holds again, and is in force".to_owned()),
        };
        if now.is_some() || was_troubled {
            let type_ = conditions::event_type(reason.as_str());
            recorder.publish(&config_map, type_, "Watch", reason.as_str(), &note).await;
        }
        was_troubled = now.is_some();
        if trouble.changed().await.is_err() {
            return;
        }
    }
}

/// In the log, and in an event of the object.
fn tell_of_unreadable<K>(recorder: Recorder) -> impl Fn(&ObjectMeta, &str) + Send + 'static
where
    K: Resource<DynamicType = ()> + Default,
{
    move |metadata, error| {
        tracing::warn!(
            namespace = metadata.namespace,
            name = metadata.name,
            error,
            "a {} can't be read, and is left as it is",
            K::kind(&())
        );
        let mut object = K::default();
        *object.meta_mut() = metadata.clone();
        let object = object.object_ref(&());
        let note = format!("can't be read, and is left as it is: {}", clean(error));
        let recorder = recorder.clone();
        tokio::spawn(async move {
            let reason = Reason::Unreadable.as_str();
            recorder.publish(&object, conditions::event_type(reason), "Reconcile", reason, &note).await;
        });
    }
}

/// As many namespaces as are looked up together: at the start they all come.
const TOGETHER: usize = 1000;

/// The databases of each namespace whose labels changed, so that another profile may be theirs now, or in which there is
/// room for one more.
fn databases_in(
    namespaces: impl Stream<Item = String> + Send + 'static,
    databases: Store<Database>,
) -> impl Stream<Item = ObjectRef<Database>> + Send + 'static {
    namespaces.ready_chunks(TOGETHER).flat_map(move |namespaces| {
        let namespaces: HashSet<&str> = namespaces.iter().map(String::as_str).collect();
        let within = databases.state().into_iter().filter(|database| {
            database.metadata.namespace.as_deref().is_some_and(|namespace| namespaces.contains(namespace))
        });
        stream::iter(within.map(|database| ObjectRef::from_obj(database.as_ref())).collect::<Vec<_>>())
    })
}

/// Waits until it can be told which cluster this is: the uid of its namespace `kube-system`, which stays as long as the
/// cluster's etcd does.
async fn cluster_uid(client: &Client) -> String {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let mut said = false;
    loop {
        match namespaces.get_metadata("kube-system").await {
            Ok(PartialObjectMeta { metadata: ObjectMeta { uid: Some(uid), .. }, .. }) => return uid,
            Err(error) if !said => {
                said = true;
                tracing::error!(%error, "namespace kube-system can't be read, whose uid tells clusters apart; trying again");
            }
            _ => {}
        }
        sleep(Duration::from_secs(1)).await;
    }
}

/// Waits until the API server knows the kinds that are ours; says once of which it waits for.
pub async fn wait_for_crds(client: &Client, operator_namespace: &str) {
    wait_for_crd(&Api::<Database>::all(client.clone())).await;
    // Without it nobody could tell what is kept, and for whom.
    wait_for_crd(&Api::<RetainedDatabase>::namespaced(client.clone(), operator_namespace)).await;
}

async fn wait_for_crd<K>(api: &Api<K>)
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
{
    let mut said = false;
    loop {
        // Their metadata: one that can't be read is no reason to wait.
        match api.list_metadata(&kube::api::ListParams::default().limit(1)).await {
            Ok(_) => return,
            Err(error) if !said => {
                said = true;
                let crd = format!("{}.{}", K::plural(&()), K::group(&()));
                let missing = matches!(&error, kube::Error::Api(status) if status.code == 404);
                if missing {
                    tracing::error!(
                        "the CRD {crd} is not installed: install the chart, or run \
                         `database-operator crds | kubectl apply -f -`; waiting for it"
                    );
                } else {
                    tracing::error!(%error, "{crd} can't be listed; trying again");
                }
            }
            Err(_) => {}
        }
        sleep(Duration::from_secs(1)).await;
    }
}
