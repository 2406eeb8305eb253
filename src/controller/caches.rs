//! What the API server holds, as the watches tell it. Everything that stages read comes from here.

use std::{
    collections::{HashMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
    marker::PhantomData,
    sync::{Arc, Mutex, PoisonError},
};

use api::{Database, DatabaseRef};
use futures::{
    Stream, StreamExt, future,
    stream::{self, BoxStream, SelectAll},
};
use k8s_openapi::{
    NamespaceResourceScope,
    api::core::v1::{Secret, ServiceAccount},
};
use kube::{
    Api, Client, Resource, ResourceExt,
    runtime::{
        WatchStreamExt,
        reflector::{self, ObjectRef, Store},
        watcher,
    },
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::mpsc::UnboundedSender;

use super::{
    binding,
    compact::{Compact, Packer},
    notes::{self, Change, Note, Notes, Seen, Taker},
};
use crate::api_error;
use crate::azure::{
    DATABASE_NAME, DATABASE_NAMESPACE, FederatedIdentityCredential, FlexibleServer,
    FlexibleServersAdministrator, FlexibleServersConfiguration, FlexibleServersDatabase,
    FlexibleServersFirewallRule, MANAGED_BY, OPERATOR, UserAssignedIdentity,
};

/// Every kind that stands for a `Database`.
pub(super) struct Caches {
    pub(super) identities: Cache<UserAssignedIdentity>,
    pub(super) credentials: Cache<FederatedIdentityCredential>,
    /// A status may have lost the name of the server.
    pub(super) servers: Indexed<FlexibleServer>,
    pub(super) databases: Cache<FlexibleServersDatabase>,
    /// The policy may have lost some that are there.
    pub(super) firewall_rules: Indexed<FlexibleServersFirewallRule>,
    pub(super) administrators: Cache<FlexibleServersAdministrator>,
    /// How many there are, and of which parameters, can't be told from the spec alone.
    pub(super) configurations: Indexed<FlexibleServersConfiguration>,
    /// The administrators' passwords, in the operator's namespace.
    pub(super) secrets: Cache<Secret>,
    /// What apps read, in whichever namespace.
    pub(super) bindings: Noted<Secret>,
    /// All there are, by name: one that an app brings along has no label of ours.
    pub(super) service_accounts: Noted<ServiceAccount>,
}

/// Notes of objects that anybody may write.
pub(super) struct Noted<K> {
    notes: Notes,
    health: Arc<Mutex<Health>>,
    kind: PhantomData<fn() -> K>,
}

impl<K: Resource<DynamicType = ()>> Noted<K> {
    /// Whether the notes can be believed.
    pub(super) fn check(&self) -> Result<(), Unreadable> {
        check::<K>(&self.health)
    }

    pub(super) fn get(&self, namespace: &str, name: &str) -> Option<Note> {
        self.notes.get(namespace, name)
    }
}

/// Names of objects by a hash of the `Database` that they stand for: ten thousand must fit into little memory.
type Index = Arc<Mutex<HashMap<u64, Vec<Box<str>>>>>;

/// The objects of one kind.
pub(super) struct Cache<K: Resource<DynamicType = ()> + 'static> {
    store: Store<Compact<K>>,
    health: Arc<Mutex<Health>>,
}

/// The objects of a kind, found by the `Database` that they stand for.
pub(super) struct Indexed<K: Resource<DynamicType = ()> + 'static> {
    pub(super) cache: Cache<K>,
    index: Index,
}

/// How the watch of a cache is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) enum Health {
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
pub(super) enum Unreadable {
    /// The first list is under way.
    NotSynced,
    /// The first list can't be had: the kind, and the error.
    Failing(String, String),
    /// The API server doesn't know the kind: its CRD isn't installed.
    UnknownKind(String),
}

impl<K: Resource<DynamicType = ()> + DeserializeOwned> Cache<K> {
    /// Whether the cache can be believed.
    pub(super) fn check(&self) -> Result<(), Unreadable> {
        check::<K>(&self.health)
    }

    /// Whether it is there, without reading it.
    pub(super) fn contains(&self, namespace: &str, name: &str) -> bool {
        self.store.get(&ObjectRef::new(name).within(namespace)).is_some()
    }

    pub(super) fn get(&self, namespace: &str, name: &str) -> Option<K> {
        self.store.get(&ObjectRef::new(name).within(namespace))?.unpack()
    }

    /// The object, if it stands for that `Database`.
    pub(super) fn own(&self, namespace: &str, name: &str, of: DatabaseRef<'_>) -> Option<K> {
        self.get(namespace, name).filter(|object| belongs_to(object, of))
    }
}

fn check<K: Resource<DynamicType = ()>>(health: &Mutex<Health>) -> Result<(), Unreadable> {
    match &*health.lock().unwrap_or_else(PoisonError::into_inner) {
        Health::Synced => Ok(()),
        Health::Starting => Err(Unreadable::NotSynced),
        Health::Failing(error) => Err(Unreadable::Failing(K::plural(&()).into_owned(), error.clone())),
        Health::UnknownKind => Err(Unreadable::UnknownKind(format!("{}.{}", K::plural(&()), K::group(&())))),
    }
}

/// As many objects are listed at a time. A page is read whole, with the notes of who owns which field, which are larger
/// than all that is kept of it; kube's default of 500 took more memory than a thousand databases.
const PAGE: u32 = 100;

/// How a kind is watched.
pub(super) fn watch() -> watcher::Config {
    watcher::Config::default().page_size(PAGE)
}

/// Starts every watch. The triggers name the `Database` that a changed object stands for; who polls them
/// keeps the caches up to date. `turned` is told when a kind is gone or back: no object tells of that.
pub(super) fn start(
    client: &Client,
    operator_namespace: &str,
    databases: &Store<Database>,
    triggers: &mut SelectAll<BoxStream<'static, ObjectRef<Database>>>,
    turned: &UnboundedSender<()>,
) -> Caches {
    // All objects in the operator's namespace, not the labelled ones alone: one that isn't ours and has a
    // name that we want must be seen.
    let everything = watch;
    let ours = || watch().labels(&format!("{MANAGED_BY}={OPERATOR}"));
    let namespace = operator_namespace;
    let (bindings, changed) = noted(Api::all(client.clone()), ours(), notes::is_binding, turned);
    let whose = |change: Change| future::ready(notes::of_secret(&change.namespace, &change.name));
    triggers.push(changed.filter_map(whose).boxed());
    let (service_accounts, changed) = noted(Api::all(client.clone()), watch(), |_| true, turned);
    triggers.push(using(changed, databases.clone()).boxed());
    Caches {
        identities: cache(Api::namespaced(client.clone(), namespace), everything(), triggers, turned),
        credentials: cache(Api::namespaced(client.clone(), namespace), everything(), triggers, turned),
        servers: indexed(Api::namespaced(client.clone(), namespace), everything(), triggers, turned),
        databases: cache(Api::namespaced(client.clone(), namespace), everything(), triggers, turned),
        firewall_rules: indexed(Api::namespaced(client.clone(), namespace), everything(), triggers, turned),
        administrators: cache(Api::namespaced(client.clone(), namespace), everything(), triggers, turned),
        configurations: indexed(Api::namespaced(client.clone(), namespace), everything(), triggers, turned),
        secrets: cache(Api::namespaced(client.clone(), namespace), ours(), triggers, turned),
        bindings,
        service_accounts,
    }
}

/// As many changes are looked up together: after an interruption they all come.
const TOGETHER: usize = 1000;

/// The databases that use each ServiceAccount of which something has become.
fn using(
    changes: impl Stream<Item = Change> + Send + 'static,
    databases: Store<Database>,
) -> impl Stream<Item = ObjectRef<Database>> + Send + 'static {
    changes.ready_chunks(TOGETHER).flat_map(move |changes| {
        let mut found = Vec::new();
        let mut anybodys = HashSet::new();
        for change in &changes {
            let own = change.note.owners().map(|name| ObjectRef::new(name).within(&change.namespace));
            let before = found.len();
            found.extend(own);
            // Its owner is there already; whoever else uses it takes note when it goes.
            if found.len() == before || !change.is_there {
                anybodys.insert((change.namespace.as_str(), change.name.as_str()));
            }
        }
        if !anybodys.is_empty() {
            let uses = |database: &Database| {
                let (namespace, account) =
                    (database.metadata.namespace.as_deref(), binding::account(database));
                anybodys.contains(&(namespace.unwrap_or_default(), &*account))
            };
            let databases = databases.state();
            found.extend(databases.iter().filter(|database| uses(database)).map(|database| {
                ObjectRef::new(&database.name_any()).within(&database.namespace().unwrap_or_default())
            }));
        }
        stream::iter(found)
    })
}

/// Watches a kind of which notes are taken, of those whose name matters.
fn noted<K>(
    api: Api<Seen<K>>,
    config: watcher::Config,
    matters: fn(&str) -> bool,
    turned: &UnboundedSender<()>,
) -> (Noted<K>, impl Stream<Item = Change> + Send + use<K>)
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + 'static,
{
    let (notes, health) = (Notes::default(), Arc::new(Mutex::new(Health::default())));
    let (mut taker, observed, turned) = (Taker::new(notes.clone(), matters), health.clone(), turned.clone());
    let changes = watcher(api, config).default_backoff().flat_map(move |event| {
        let changes = event.as_ref().map(|event| taker.take(event)).unwrap_or_default();
        // After the notes: who reads that they are complete must find them so.
        if observe::<Seen<K>>(&event, &observed) {
            let _ = turned.send(());
        }
        stream::iter(changes)
    });
    (Noted { notes, health, kind: PhantomData }, changes)
}

#[cfg(test)]
impl Caches {
    /// Caches of these objects, as if the watches had told of them, with those of ASO's kinds in this health.
    pub(super) fn holding(objects: &[serde_json::Value], aso: &Health) -> Self {
        fn filled<K>(objects: &[serde_json::Value], index: Option<&Index>, health: &Health) -> Cache<K>
        where
            K: Resource<DynamicType = ()> + DeserializeOwned + Serialize,
        {
            let ((store, mut writer), mut packer) = (reflector::store(), Packer::default());
            let of_kind = |object: &&serde_json::Value| {
                object["kind"] == *K::kind(&()) && object["apiVersion"] == *K::api_version(&())
            };
            for object in objects.iter().filter(of_kind) {
                let object: K = serde_json::from_value(object.clone()).unwrap();
                let event = watcher::Event::Apply(object);
                if let Some(index) = index {
                    note(&event, index);
                }
                writer.apply_watcher_event(&compact(&event, &mut packer));
            }
            Cache { store, health: Arc::new(Mutex::new(health.clone())) }
        }
        fn filled_indexed<K>(objects: &[serde_json::Value], health: &Health) -> Indexed<K>
        where
            K: Resource<DynamicType = ()> + DeserializeOwned + Serialize,
        {
            let index = Index::default();
            Indexed { cache: filled(objects, Some(&index), health), index }
        }
        fn noted<K>(objects: &[serde_json::Value], matters: fn(&str) -> bool) -> Noted<K>
        where
            K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
        {
            let notes = Notes::default();
            let mut taker = Taker::new(notes.clone(), matters);
            for object in objects.iter().filter(|object| object["kind"] == *K::kind(&())) {
                taker
                    .take(&watcher::Event::Apply(serde_json::from_value::<Seen<K>>(object.clone()).unwrap()));
            }
            Noted { notes, health: Arc::new(Mutex::new(Health::Synced)), kind: PhantomData }
        }
        // As the watches of the real ones: labelled ones alone.
        let ours = |object: &&serde_json::Value| object["metadata"]["labels"][MANAGED_BY] == OPERATOR;
        let labelled: Vec<serde_json::Value> = objects.iter().filter(ours).cloned().collect();
        Self {
            identities: filled(objects, None, aso),
            credentials: filled(objects, None, aso),
            servers: filled_indexed(objects, aso),
            databases: filled(objects, None, aso),
            firewall_rules: filled_indexed(objects, aso),
            administrators: filled(objects, None, aso),
            configurations: filled_indexed(objects, aso),
            secrets: filled(&labelled, None, &Health::Synced),
            bindings: noted(&labelled, notes::is_binding),
            service_accounts: noted(objects, |_| true),
        }
    }
}

impl<K: Resource<DynamicType = ()> + DeserializeOwned> Indexed<K> {
    /// Those that stand for this `Database`.
    pub(super) fn of(&self, operator_namespace: &str, database: DatabaseRef<'_>) -> Vec<K> {
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
    pub(super) fn names_except(&self, databases: &HashSet<u64>) -> Vec<Box<str>> {
        let index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        let others = index.iter().filter(|(database, _)| !databases.contains(database));
        others.flat_map(|(_, names)| names.iter().cloned()).collect()
    }
}

fn cache<K>(
    api: Api<K>,
    config: watcher::Config,
    triggers: &mut SelectAll<BoxStream<'static, ObjectRef<Database>>>,
    turned: &UnboundedSender<()>,
) -> Cache<K>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Serialize + std::fmt::Debug + Send + 'static,
{
    watched(api, config, triggers, turned, None)
}

fn indexed<K>(
    api: Api<K>,
    config: watcher::Config,
    triggers: &mut SelectAll<BoxStream<'static, ObjectRef<Database>>>,
    turned: &UnboundedSender<()>,
) -> Indexed<K>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Serialize + std::fmt::Debug + Send + 'static,
{
    let index = Index::default();
    Indexed { cache: watched(api, config, triggers, turned, Some(index.clone())), index }
}

fn watched<K>(
    api: Api<K>,
    config: watcher::Config,
    triggers: &mut SelectAll<BoxStream<'static, ObjectRef<Database>>>,
    turned: &UnboundedSender<()>,
    index: Option<Index>,
) -> Cache<K>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Serialize + std::fmt::Debug + Send + 'static,
{
    let ((store, mut writer), mut packer) = (reflector::store(), Packer::default());
    let health = Arc::new(Mutex::new(Health::default()));
    let (observed, turned) = (health.clone(), turned.clone());
    let stream = watcher(api, config)
        .default_backoff()
        .modify(prune)
        .inspect(move |event| {
            if let Ok(event) = event {
                writer.apply_watcher_event(&compact(event, &mut packer));
                if let Some(index) = &index {
                    note(event, index);
                }
            }
            // After the store: who reads that it is complete must find it so.
            if observe::<K>(event, &observed) {
                // Without a receiver the process is ending.
                let _ = turned.send(());
            }
        })
        .touched_objects()
        .filter_map(|object| future::ready(object.ok().and_then(|object| stands_for(&object))));
    triggers.push(stream.boxed());
    Cache { store, health }
}

fn compact<K: Resource<DynamicType = ()> + Serialize>(
    event: &watcher::Event<K>,
    packer: &mut Packer,
) -> watcher::Event<Compact<K>> {
    match event {
        watcher::Event::Apply(object) => watcher::Event::Apply(packer.pack(object)),
        watcher::Event::InitApply(object) => watcher::Event::InitApply(packer.pack(object)),
        watcher::Event::Delete(object) => watcher::Event::Delete(packer.pack(object)),
        watcher::Event::Init => watcher::Event::Init,
        watcher::Event::InitDone => watcher::Event::InitDone,
    }
}

/// Whether the kind is gone, or back.
fn observe<K: Resource<DynamicType = ()>>(
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
    let has_turned = *health != new && (*health == Health::UnknownKind || new == Health::UnknownKind);
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
    has_turned
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

/// Of a namespace and a name.
pub(super) fn hash(namespace: &str, name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (namespace, name).hash(&mut hasher);
    hasher.finish()
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
pub(super) fn belongs_to<K: Resource>(object: &K, database: DatabaseRef<'_>) -> bool {
    let label = |key| object.meta().labels.as_ref().and_then(|labels| labels.get(key)).map(String::as_str);
    label(MANAGED_BY) == Some(OPERATOR)
        && label(DATABASE_NAMESPACE) == Some(database.namespace)
        && label(DATABASE_NAME) == Some(database.name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn whoever_uses_a_service_account_is_looked_at_when_something_becomes_of_it() {
        let (store, mut writer) = reflector::store();
        for (namespace, name, account) in [
            ("orders", "main", None),
            ("orders", "api", Some("main")),
            ("orders", "other", None),
            ("payments", "main", None),
        ] {
            let database: Database = serde_json::from_value(json!({
                "apiVersion": "altinn.app/v1alpha1", "kind": "Database",
                "metadata": {"namespace": namespace, "name": name}, "spec": {"serviceAccountName": account},
            }))
            .unwrap();
            writer.apply_watcher_event(&watcher::Event::Apply(database));
        }
        let change = |owner: Option<&str>, is_there| {
            let owner = owner.map(|name| {
                json!([{"apiVersion": "altinn.app/v1alpha1", "kind": "Database", "name": name, "uid": "u"}])
            });
            let account: Seen<ServiceAccount> =
                serde_json::from_value(json!({"metadata": {"name": "main", "ownerReferences": owner}}))
                    .unwrap();
            Change { namespace: "orders".to_owned(), name: "main".to_owned(), note: account.note, is_there }
        };
        for (changes, expected) in [
            (vec![change(None, true)], vec!["orders/api", "orders/main"]),
            (vec![change(None, false)], vec!["orders/api", "orders/main"]),
            // What the operator itself writes into its own is nothing that others must know of.
            (vec![change(Some("main"), true)], vec!["orders/main"]),
            (vec![change(Some("main"), false)], vec!["orders/api", "orders/main"]),
            (vec![], vec![]),
        ] {
            let told = using(stream::iter(changes), store.clone());
            let mut told: Vec<String> = told
                .map(|database| format!("{}/{}", database.namespace.unwrap_or_default(), database.name))
                .collect()
                .await;
            told.sort();
            told.dedup();
            assert_eq!(told, expected);
        }
    }
}
