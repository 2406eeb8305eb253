//! What the API server holds, as the watches tell it. Everything that stages read comes from here.

use std::{
    hash::Hash,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use api::Database;
use futures::{
    StreamExt, future,
    stream::{BoxStream, SelectAll},
};
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::{
    Api, Client, Resource, ResourceExt,
    runtime::{
        WatchStreamExt,
        reflector::{self, ObjectRef, Store},
        watcher,
    },
};
use serde::de::DeserializeOwned;

use crate::azure::{
    DATABASE_NAME, DATABASE_NAMESPACE, FederatedIdentityCredential, FlexibleServer,
    FlexibleServersAdministrator, FlexibleServersDatabase, FlexibleServersFirewallRule, MANAGED_BY, OPERATOR,
    UserAssignedIdentity,
};

/// Every kind that stands for a `Database`.
pub(super) struct Caches {
    pub(super) identities: Cache<UserAssignedIdentity>,
    pub(super) credentials: Cache<FederatedIdentityCredential>,
    pub(super) servers: Cache<FlexibleServer>,
    pub(super) databases: Cache<FlexibleServersDatabase>,
    pub(super) firewall_rules: Cache<FlexibleServersFirewallRule>,
    pub(super) administrators: Cache<FlexibleServersAdministrator>,
    pub(super) secrets: Cache<Secret>,
    pub(super) service_accounts: Cache<ServiceAccount>,
}

/// The objects of one kind.
pub(super) struct Cache<K: Resource<DynamicType = ()> + Clone + 'static> {
    store: Store<K>,
    health: Arc<Health>,
}

#[derive(Default)]
struct Health {
    /// The first list is complete.
    synced: AtomicBool,
    /// The API server doesn't know the kind.
    unknown: AtomicBool,
}

/// Why a cache can't be read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Unreadable {
    /// The first list is under way.
    NotSynced,
    /// The API server doesn't know the kind: its CRD isn't installed.
    UnknownKind(String),
}

impl<K: Resource<DynamicType = ()> + Clone + 'static> Cache<K> {
    /// Whether the cache can be believed.
    pub(super) fn check(&self) -> Result<(), Unreadable> {
        if self.health.unknown.load(Ordering::Acquire) {
            Err(Unreadable::UnknownKind(format!("{}.{}", K::plural(&()), K::group(&()))))
        } else if self.health.synced.load(Ordering::Acquire) {
            Ok(())
        } else {
            Err(Unreadable::NotSynced)
        }
    }

    pub(super) fn get(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        self.store.get(&ObjectRef::new(name).within(namespace))
    }

    pub(super) fn find(&self, matches: impl Fn(&K) -> bool) -> Option<Arc<K>> {
        self.store.find(matches)
    }
}

/// Starts every watch. The triggers name the `Database` that a changed object stands for; who polls them
/// keeps the caches up to date.
pub(super) fn start(
    client: &Client,
    operator_namespace: &str,
    triggers: &mut SelectAll<BoxStream<'static, ObjectRef<Database>>>,
) -> Caches {
    // All objects in the operator's namespace, not the labelled ones alone: one that isn't ours and has a
    // name that we want must be seen.
    let everything = watcher::Config::default;
    let ours = || watcher::Config::default().labels(&format!("{MANAGED_BY}={OPERATOR}"));
    let namespace = operator_namespace;
    Caches {
        identities: cache(Api::namespaced(client.clone(), namespace), everything(), triggers),
        credentials: cache(Api::namespaced(client.clone(), namespace), everything(), triggers),
        servers: cache(Api::namespaced(client.clone(), namespace), everything(), triggers),
        databases: cache(Api::namespaced(client.clone(), namespace), everything(), triggers),
        firewall_rules: cache(Api::namespaced(client.clone(), namespace), everything(), triggers),
        administrators: cache(Api::namespaced(client.clone(), namespace), everything(), triggers),
        secrets: cache(Api::all(client.clone()), ours(), triggers),
        service_accounts: cache(Api::all(client.clone()), ours(), triggers),
    }
}

fn cache<K>(
    api: Api<K>,
    config: watcher::Config,
    triggers: &mut SelectAll<BoxStream<'static, ObjectRef<Database>>>,
) -> Cache<K>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug + Send + Sync + 'static,
    K::DynamicType: Hash + Eq,
{
    let (store, writer) = reflector::store();
    let health = Arc::new(Health::default());
    let observed = health.clone();
    let stream = watcher(api, config)
        .inspect(move |event| observe::<K>(event, &observed))
        .default_backoff()
        .modify(prune)
        .reflect(writer)
        .touched_objects()
        .filter_map(|object| future::ready(object.ok().and_then(|object| stands_for(&object))));
    triggers.push(stream.boxed());
    Cache { store, health }
}

fn observe<K: Resource<DynamicType = ()>>(event: &watcher::Result<watcher::Event<K>>, health: &Health) {
    match event {
        Ok(watcher::Event::InitDone) => {
            health.synced.store(true, Ordering::Release);
            health.unknown.store(false, Ordering::Release);
        }
        Ok(_) => {}
        Err(error) => {
            if is_unknown_kind(error) {
                // Said once: the watch tries again for ever.
                if !health.unknown.swap(true, Ordering::AcqRel) {
                    tracing::warn!(
                        kind = %K::kind(&()),
                        "the CRD {}.{} is not installed; waiting for Azure Service Operator",
                        K::plural(&()),
                        K::group(&())
                    );
                }
            } else {
                tracing::debug!(kind = %K::kind(&()), %error, "watch interrupted");
            }
        }
    }
}

fn is_unknown_kind(error: &watcher::Error) -> bool {
    let (watcher::Error::InitialListFailed(source) | watcher::Error::WatchStartFailed(source)) = error else {
        return false;
    };
    matches!(source, kube::Error::Api(status) if status.code == 404)
}

/// The `Database` that an object stands for, by its labels.
fn stands_for<K: Resource>(object: &K) -> Option<ObjectRef<Database>> {
    let labels = object.meta().labels.as_ref()?;
    Some(ObjectRef::new(labels.get(DATABASE_NAME)?).within(labels.get(DATABASE_NAMESPACE)?))
}

/// Drops what nobody here reads and what is often the larger part of an object.
pub(super) fn prune<K: Resource>(object: &mut K) {
    object.meta_mut().managed_fields = None;
    if let Some(annotations) = object.meta_mut().annotations.as_mut() {
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
    }
}

/// Whether an object stands for this `Database`.
pub(super) fn belongs_to<K: Resource>(object: &K, namespace: &str, name: &str) -> bool {
    let label = |key| object.meta().labels.as_ref().and_then(|labels| labels.get(key)).map(String::as_str);
    label(MANAGED_BY) == Some(OPERATOR)
        && label(DATABASE_NAMESPACE) == Some(namespace)
        && label(DATABASE_NAME) == Some(name)
}

/// The version of a cached object.
pub(super) fn version<K: Resource>(object: Option<&Arc<K>>) -> Option<String> {
    object.and_then(|object| object.resource_version())
}
