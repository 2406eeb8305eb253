//! The objects of one kind, as a watch tells of them: [`Cache`] finds one by its name, [`Indexed`] by the `Database` that it
//! stands for too.

use std::{
    collections::{HashMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard},
};

use api::{Database, DatabaseRef};
use futures::{
    StreamExt, future,
    stream::{BoxStream, SelectAll},
};
use kube::{
    Api, Resource,
    runtime::{WatchStreamExt, reflector::ObjectRef, watcher},
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::mpsc::UnboundedSender;

use super::compact::{Objects, Packed};
use crate::{
    api_error,
    labels::{belongs_to, stands_for},
};

/// Names of objects by a hash of the `Database` that they stand for: ten thousand must fit into little memory.
type Index = Arc<Mutex<HashMap<u64, Vec<Box<str>>>>>;

/// The objects of one kind.
pub(crate) struct Cache<K: Resource<DynamicType = ()> + 'static> {
    objects: Arc<RwLock<Objects<K>>>,
    health: Arc<Mutex<Health>>,
}

/// The objects of a kind, found by the `Database` that they stand for.
pub(crate) struct Indexed<K: Resource<DynamicType = ()> + 'static> {
    pub(crate) cache: Cache<K>,
    index: Index,
}

/// How the watch of a cache is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) enum Health {
    /// The first list is under way.
    #[default]
    Starting,
    /// The first list is complete.
    Synced,
    /// The first list can't be had: the error.
    Failing(String),
    /// The API server doesn't know the kind.
    UnknownKind,
}

/// Why a cache can't be read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Unreadable {
    /// The first list is under way.
    NotSynced,
    /// The first list can't be had: the kind, and the error.
    Failing(String, String),
    /// The API server doesn't know the kind: its CRD isn't installed.
    UnknownKind(String),
}

impl<K: Resource<DynamicType = ()> + DeserializeOwned> Cache<K> {
    /// Whether the cache can be believed.
    pub(crate) fn check(&self) -> Result<(), Unreadable> {
        check::<K>(&self.health)
    }

    /// Whether it is there, without reading it.
    pub(crate) fn contains(&self, namespace: &str, name: &str) -> bool {
        self.objects().get(namespace, name).is_some()
    }

    pub(crate) fn get(&self, namespace: &str, name: &str) -> Option<K> {
        let found = self.objects().get(namespace, name).cloned();
        found?.unpack()
    }

    /// The first one of which this is so, of all: it reads each.
    pub(crate) fn find(&self, is_it: impl Fn(&K) -> bool) -> Option<K> {
        // Copies of what is packed: the watch need not wait until all are read.
        let all: Vec<Packed<K>> = self.objects().all().cloned().collect();
        all.iter().filter_map(Packed::unpack).find(is_it)
    }

    fn objects(&self) -> RwLockReadGuard<'_, Objects<K>> {
        self.objects.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The object, if it stands for that `Database`.
    pub(crate) fn own(&self, namespace: &str, name: &str, of: DatabaseRef<'_>) -> Option<K> {
        self.get(namespace, name).filter(|object| belongs_to(object, of))
    }
}

pub(crate) fn check<K: Resource<DynamicType = ()>>(health: &Mutex<Health>) -> Result<(), Unreadable> {
    match &*health.lock().unwrap_or_else(PoisonError::into_inner) {
        Health::Synced => Ok(()),
        Health::Starting => Err(Unreadable::NotSynced),
        Health::Failing(error) => Err(Unreadable::Failing(K::plural(&()).into_owned(), error.clone())),
        Health::UnknownKind => Err(Unreadable::UnknownKind(format!("{}.{}", K::plural(&()), K::group(&())))),
    }
}

impl<K: Resource<DynamicType = ()> + DeserializeOwned> Indexed<K> {
    /// Those that stand for this `Database`.
    pub(crate) fn of(&self, operator_namespace: &str, database: DatabaseRef<'_>) -> Vec<K> {
        let index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        index
            .get(&hash(database.namespace, database.name))
            .into_iter()
            .flatten()
            .filter_map(|object| self.cache.get(operator_namespace, object))
            .filter(|object| belongs_to(object, database))
            .collect()
    }
}

impl<K: Resource<DynamicType = ()>> Indexed<K> {
    /// Names of the objects that stand for none of these databases, given by their [`hash`].
    pub(crate) fn names_except(&self, databases: &HashSet<u64>) -> Vec<Box<str>> {
        let index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        let others = index.iter().filter(|(database, _)| !databases.contains(database));
        others.flat_map(|(_, names)| names.iter().cloned()).collect()
    }
}

/// As many objects are listed at a time. A page is read whole, with the notes of who owns which field, which are larger
/// than all that is kept of it; kube's default of 500 took more memory than a thousand databases.
const PAGE: u32 = 100;

/// How a kind is watched.
pub(crate) fn watch() -> watcher::Config {
    watcher::Config::default().page_size(PAGE)
}

pub(crate) fn cache<K>(
    api: Api<K>,
    config: watcher::Config,
    triggers: &mut SelectAll<BoxStream<'static, ObjectRef<Database>>>,
    kind_changes: &UnboundedSender<()>,
) -> Cache<K>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Serialize + std::fmt::Debug + Send + 'static,
{
    watched(api, config, triggers, kind_changes, None)
}

pub(crate) fn indexed<K>(
    api: Api<K>,
    config: watcher::Config,
    triggers: &mut SelectAll<BoxStream<'static, ObjectRef<Database>>>,
    kind_changes: &UnboundedSender<()>,
) -> Indexed<K>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Serialize + std::fmt::Debug + Send + 'static,
{
    let index = Index::default();
    Indexed { cache: watched(api, config, triggers, kind_changes, Some(index.clone())), index }
}

fn watched<K>(
    api: Api<K>,
    config: watcher::Config,
    triggers: &mut SelectAll<BoxStream<'static, ObjectRef<Database>>>,
    kind_changes: &UnboundedSender<()>,
    index: Option<Index>,
) -> Cache<K>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Serialize + std::fmt::Debug + Send + 'static,
{
    let (objects, health) = (Arc::<RwLock<Objects<K>>>::default(), Arc::<Mutex<Health>>::default());
    let (kept, observed, kind_changes) = (objects.clone(), health.clone(), kind_changes.clone());
    let stream = watcher(api, config)
        .default_backoff()
        .modify(prune)
        .inspect(move |event| {
            if let Ok(event) = event {
                kept.write().unwrap_or_else(PoisonError::into_inner).take(event);
                if let Some(index) = &index {
                    note(event, index);
                }
            }
            // After the objects: who reads that it is complete must find it so.
            if observe::<K>(event, &observed) {
                // Without a receiver the process is ending.
                let _ = kind_changes.send(());
            }
        })
        .touched_objects()
        .filter_map(|object| future::ready(object.ok().and_then(|object| stands_for(&object))));
    triggers.push(stream.boxed());
    Cache { objects, health }
}

/// Whether the kind is gone, or back.
pub(crate) fn observe<K: Resource<DynamicType = ()>>(
    event: &watcher::Result<watcher::Event<K>>,
    health: &Mutex<Health>,
) -> bool {
    let mut health = health.lock().unwrap_or_else(PoisonError::into_inner);
    let kind = K::kind(&());
    let new = match event {
        Ok(watcher::Event::InitDone) => Health::Synced,
        Ok(_) => return false,
        Err(error) if is_unknown_kind(error) => Health::UnknownKind,
        // What is known stays known, also while the API server is away.
        Err(error) if *health == Health::Synced => {
            tracing::debug!(%kind, %error, "watch interrupted");
            return false;
        }
        Err(error) => Health::Failing(api_error::of_watch(error)),
    };
    // Said once: a watch tries again for ever.
    let has_changed = *health != new && (*health == Health::UnknownKind || new == Health::UnknownKind);
    if *health != new {
        match &new {
            Health::UnknownKind => tracing::warn!(
                %kind,
                "the CRD {}.{} is not installed; waiting for Azure Service Operator",
                K::plural(&()),
                K::group(&())
            ),
            Health::Failing(error) => tracing::warn!(%kind, error, "can't be listed; trying again"),
            Health::Starting | Health::Synced => {}
        }
        *health = new;
    }
    has_changed
}

fn note<K: Resource>(event: &watcher::Event<K>, index: &Index) {
    let (object, is_there) = match event {
        watcher::Event::Apply(object) | watcher::Event::InitApply(object) => (object, true),
        watcher::Event::Delete(object) => (object, false),
        watcher::Event::Init | watcher::Event::InitDone => return,
    };
    let Some(database) = stands_for(object) else { return };
    let (key, name) = (
        hash(database.namespace.as_deref().unwrap_or_default(), &database.name),
        object.meta().name.as_deref().unwrap_or_default(),
    );
    let mut index = index.lock().unwrap_or_else(PoisonError::into_inner);
    let names = index.entry(key).or_default();
    names.retain(|other| **other != *name);
    if is_there {
        names.push(name.into());
    } else if names.is_empty() {
        index.remove(&key);
    }
}

fn is_unknown_kind(error: &watcher::Error) -> bool {
    let (watcher::Error::InitialListFailed(source) | watcher::Error::WatchStartFailed(source)) = error else {
        return false;
    };
    matches!(source, kube::Error::Api(status) if status.code == 404)
}

/// Drops what nobody here reads and what is often the larger part of an object.
pub(crate) fn prune<K: Resource>(object: &mut K) {
    object.meta_mut().managed_fields = None;
    if let Some(annotations) = object.meta_mut().annotations.as_mut() {
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
    }
}

/// Of a namespace and a name.
pub(crate) fn hash(namespace: &str, name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (namespace, name).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
impl<K: Resource<DynamicType = ()> + DeserializeOwned + Serialize> Cache<K> {
    /// A cache of the objects of its kind among these, as if the watch had told of them.
    pub(crate) fn holding(objects: &[serde_json::Value], health: &Health) -> Self {
        filled(objects, None, health)
    }
}

#[cfg(test)]
impl<K: Resource<DynamicType = ()> + DeserializeOwned + Serialize> Indexed<K> {
    /// A cache of the objects of its kind among these, as if the watch had told of them.
    pub(crate) fn holding(objects: &[serde_json::Value], health: &Health) -> Self {
        let index = Index::default();
        Self { cache: filled(objects, Some(&index), health), index }
    }
}

#[cfg(test)]
fn filled<K>(objects: &[serde_json::Value], index: Option<&Index>, health: &Health) -> Cache<K>
where
    K: Resource<DynamicType = ()> + DeserializeOwned + Serialize,
{
    let mut kept = Objects::default();
    let of_kind = |object: &&serde_json::Value| {
        object["kind"] == *K::kind(&()) && object["apiVersion"] == *K::api_version(&())
    };
    for object in objects.iter().filter(of_kind) {
        let object: K = serde_json::from_value(object.clone()).unwrap();
        let event = watcher::Event::Apply(object);
        if let Some(index) = index {
            note(&event, index);
        }
        kept.take(&event);
    }
    Cache { objects: Arc::new(RwLock::new(kept)), health: Arc::new(Mutex::new(health.clone())) }
}
