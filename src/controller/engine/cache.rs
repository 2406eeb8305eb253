//! The objects of one kind, as a watch tells of them: [`Cache`] finds one by its name, [`Indexed`] by the `Database` that it
//! stands for too.

use std::{
    collections::{HashMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard},
};

use api::{Database, DatabaseRef};
use futures::{
    StreamExt,
    stream::{self, BoxStream, SelectAll},
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
    let (taker, observed, kind_changes) =
        (Taker { objects: objects.clone(), index }, health.clone(), kind_changes.clone());
    let stream = watcher(api, config).default_backoff().modify(prune).flat_map(move |event| {
        let touched = event.as_ref().map(|event| taker.take(event)).unwrap_or_default();
        // After the objects: who reads that they are complete must find them so.
        if observe::<K>(&event, &observed) {
            // Without a receiver the process is ending.
            let _ = kind_changes.send(());
        }
        stream::iter(touched)
    });
    triggers.push(stream.boxed());
    Cache { objects, health }
}

/// Takes down what a watch tells.
struct Taker<K> {
    objects: Arc<RwLock<Objects<K>>>,
    index: Option<Index>,
}

impl<K: Resource<DynamicType = ()> + DeserializeOwned + Serialize> Taker<K> {
    /// Takes it down, and gives the databases that it touches.
    fn take(&self, event: &watcher::Event<K>) -> Vec<ObjectRef<Database>> {
        let gone = self.objects.write().unwrap_or_else(PoisonError::into_inner).take(event);
        let gone: Vec<K> = gone.iter().filter_map(Packed::unpack).collect();
        let told = match event {
            watcher::Event::Apply(object) | watcher::Event::InitApply(object) => Some((object, true)),
            watcher::Event::Delete(object) => Some((object, false)),
            watcher::Event::Init | watcher::Event::InitDone => None,
        };
        let all = gone.iter().map(|object| (object, false)).chain(told);
        all.filter_map(|(object, is_there)| {
            let database = stands_for(object)?;
            if let Some(index) = &self.index {
                note(index, &database, object.meta().name.as_deref().unwrap_or_default(), is_there);
            }
            Some(database)
        })
        .collect()
    }
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

fn note(index: &Index, database: &ObjectRef<Database>, name: &str, is_there: bool) {
    let key = hash(database.namespace.as_deref().unwrap_or_default(), &database.name);
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
    let taker = Taker { objects: Arc::default(), index: index.cloned() };
    let of_kind = |object: &&serde_json::Value| {
        object["kind"] == *K::kind(&()) && object["apiVersion"] == *K::api_version(&())
    };
    for object in objects.iter().filter(of_kind) {
        let object: K = serde_json::from_value(object.clone()).unwrap();
        taker.take(&watcher::Event::Apply(object));
    }
    Cache { objects: taker.objects, health: Arc::new(Mutex::new(health.clone())) }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::{api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};
    use watcher::Event::{Apply, Delete, Init, InitApply, InitDone};

    use super::super::cache::*;
    use crate::labels;

    #[test]
    fn whoever_loses_an_object_is_looked_at_also_if_it_went_while_nobody_watched() {
        let secret = |name: &str, database: &str| Secret {
            metadata: ObjectMeta {
                namespace: Some("database-operator".to_owned()),
                name: Some(name.to_owned()),
                labels: Some(labels::owner_labels(DatabaseRef::new("orders", database))),
                ..ObjectMeta::default()
            },
            ..Secret::default()
        };
        let index = Index::default();
        let taker = Taker { objects: Arc::default(), index: Some(index.clone()) };
        let take =
            |event| -> Vec<String> { taker.take(&event).into_iter().map(|database| database.name).collect() };
        let there = || {
            let cache = Cache { objects: taker.objects.clone(), health: Arc::default() };
            let indexed = Indexed { cache, index: index.clone() };
            let of = |name| {
                let found = indexed.of("database-operator", DatabaseRef::new("orders", name));
                found
                    .into_iter()
                    .filter_map(|secret: Secret| secret.metadata.name)
                    .collect::<Vec<_>>()
                    .join(" ")
            };
            (of("main"), of("api"))
        };
        assert_eq!(take(Init), [""; 0]);
        assert_eq!(take(InitApply(secret("a", "main"))), ["main"]);
        assert_eq!(take(InitApply(secret("b", "main"))), ["main"]);
        assert_eq!(take(InitApply(secret("c", "api"))), ["api"]);
        assert_eq!(take(InitDone), [""; 0]);
        assert_eq!(there(), ("a b".to_owned(), "c".to_owned()));
        assert_eq!(take(Delete(secret("b", "main"))), ["main"]);
        assert_eq!(there(), ("a".to_owned(), "c".to_owned()));
        // The watch was interrupted.
        assert_eq!(take(Init), [""; 0]);
        assert_eq!(take(InitApply(secret("a", "main"))), ["main"]);
        assert_eq!(there(), ("a".to_owned(), "c".to_owned()), "as long as it isn't known");
        assert_eq!(take(InitDone), ["api"]);
        assert_eq!(there(), ("a".to_owned(), String::new()));
        assert!(!index.lock().unwrap().contains_key(&hash("orders", "api")), "nothing is left of it");
        assert_eq!(take(Apply(secret("c", "api"))), ["api"]);
        assert_eq!(there(), ("a".to_owned(), "c".to_owned()));
    }
}
