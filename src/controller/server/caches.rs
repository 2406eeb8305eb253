//! What the API server holds, as the watches tell it. Everything that stages read comes from here.

use std::{
    collections::HashSet,
    marker::PhantomData,
    sync::{Arc, Mutex},
};

use api::Database;
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
        reflector::{ObjectRef, Store},
        watcher,
    },
};
use tokio::sync::mpsc::UnboundedSender;

use super::{
    binding,
    notes::{self, Change, Note, Notes, Seen, Taker},
};
use crate::{
    azure::{
        BackupVaultsBackupInstance, FederatedIdentityCredential, FlexibleServer,
        FlexibleServersAdministrator, FlexibleServersConfiguration, FlexibleServersDatabase,
        FlexibleServersFirewallRule, UserAssignedIdentity,
    },
    controller::engine::cache::{Cache, Health, Indexed, Unreadable, cache, check, indexed, observe, watch},
    labels::{MANAGED_BY, OPERATOR},
};

/// Every kind that stands for a `Database`.
pub(crate) struct Caches {
    pub(crate) identities: Cache<UserAssignedIdentity>,
    pub(crate) credentials: Cache<FederatedIdentityCredential>,
    /// A status may have lost the name of the server.
    pub(crate) servers: Indexed<FlexibleServer>,
    pub(crate) databases: Cache<FlexibleServersDatabase>,
    /// The policy may have lost some that are there.
    pub(crate) firewall_rules: Indexed<FlexibleServersFirewallRule>,
    pub(crate) administrators: Cache<FlexibleServersAdministrator>,
    /// How many there are, and of which parameters, can't be told from the spec alone.
    pub(crate) configurations: Indexed<FlexibleServersConfiguration>,
    /// Azure Service Operator may be installed without them: then everything else goes on.
    pub(crate) backup_instances: Cache<BackupVaultsBackupInstance>,
    /// The administrators' passwords, in the operator's namespace.
    pub(crate) secrets: Cache<Secret>,
    /// What apps read, in whichever namespace.
    pub(crate) bindings: Noted<Secret>,
    /// All there are, by name: one that an app brings along has no label of ours.
    pub(crate) service_accounts: Noted<ServiceAccount>,
}

/// Notes of objects that anybody may write.
pub(crate) struct Noted<K> {
    notes: Notes,
    health: Arc<Mutex<Health>>,
    kind: PhantomData<fn() -> K>,
}

impl<K: Resource<DynamicType = ()>> Noted<K> {
    /// Whether the notes can be believed.
    pub(crate) fn check(&self) -> Result<(), Unreadable> {
        check::<K>(&self.health)
    }

    pub(crate) fn get(&self, namespace: &str, name: &str) -> Option<Note> {
        self.notes.get(namespace, name)
    }
}

/// Starts every watch. The triggers name the `Database` that a changed object stands for; who polls them
/// keeps the caches up to date. `kind_changes` is notified when a CRD is removed or installed: no object tells of that.
pub(crate) fn start(
    client: &Client,
    operator_namespace: &str,
    databases: &Store<Database>,
    triggers: &mut SelectAll<BoxStream<'static, ObjectRef<Database>>>,
    kind_changes: &UnboundedSender<()>,
) -> Caches {
    // All objects in the operator's namespace, not the labelled ones alone: one that isn't ours and has a
    // name that we want must be seen.
    let everything = watch;
    let ours = || watch().labels(&format!("{MANAGED_BY}={OPERATOR}"));
    let namespace = operator_namespace;
    let (bindings, changed) = noted(Api::all(client.clone()), ours(), notes::is_binding, kind_changes);
    let whose = |change: Change| future::ready(notes::of_secret(&change.namespace, &change.name));
    triggers.push(changed.filter_map(whose).boxed());
    let (service_accounts, changed) = noted(Api::all(client.clone()), watch(), |_| true, kind_changes);
    triggers.push(using(changed, databases.clone()).boxed());
    Caches {
        identities: cache(Api::namespaced(client.clone(), namespace), everything(), triggers, kind_changes),
        credentials: cache(Api::namespaced(client.clone(), namespace), everything(), triggers, kind_changes),
        servers: indexed(Api::namespaced(client.clone(), namespace), everything(), triggers, kind_changes),
        databases: cache(Api::namespaced(client.clone(), namespace), everything(), triggers, kind_changes),
        firewall_rules: indexed(
            Api::namespaced(client.clone(), namespace),
            everything(),
            triggers,
            kind_changes,
        ),
        administrators: cache(
            Api::namespaced(client.clone(), namespace),
            everything(),
            triggers,
            kind_changes,
        ),
        configurations: indexed(
            Api::namespaced(client.clone(), namespace),
            everything(),
            triggers,
            kind_changes,
        ),
        backup_instances: cache(
            Api::namespaced(client.clone(), namespace),
            everything(),
            triggers,
            kind_changes,
        ),
        secrets: cache(Api::namespaced(client.clone(), namespace), ours(), triggers, kind_changes),
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
    kind_changes: &UnboundedSender<()>,
) -> (Noted<K>, impl Stream<Item = Change> + Send + use<K>)
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + 'static,
{
    let (notes, health) = (Notes::default(), Arc::new(Mutex::new(Health::default())));
    let (mut taker, observed, kind_changes) =
        (Taker::new(notes.clone(), matters), health.clone(), kind_changes.clone());
    let changes = watcher(api, config).default_backoff().flat_map(move |event| {
        let changes = event.as_ref().map(|event| taker.take(event)).unwrap_or_default();
        // After the notes: who reads that they are complete must find them so.
        if observe::<Seen<K>>(&event, &observed) {
            let _ = kind_changes.send(());
        }
        stream::iter(changes)
    });
    (Noted { notes, health, kind: PhantomData }, changes)
}

#[cfg(test)]
impl Caches {
    /// Caches of these objects, as if the watches had told of them, with those of ASO's kinds in this health.
    pub(crate) fn holding(objects: &[serde_json::Value], aso: &Health) -> Self {
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
            identities: Cache::holding(objects, aso),
            credentials: Cache::holding(objects, aso),
            servers: Indexed::holding(objects, aso),
            databases: Cache::holding(objects, aso),
            firewall_rules: Indexed::holding(objects, aso),
            administrators: Cache::holding(objects, aso),
            configurations: Indexed::holding(objects, aso),
            backup_instances: Cache::holding(objects, aso),
            secrets: Cache::holding(&labelled, &Health::Synced),
            bindings: noted(&labelled, notes::is_binding),
            service_accounts: noted(objects, |_| true),
        }
    }
}

#[cfg(test)]
mod tests {
    use kube::runtime::reflector;
    use serde_json::json;

    use super::super::caches::*;

    #[test]
    fn notes_are_believed_once_the_first_list_is_complete() {
        for (health, expected) in [
            (Health::Synced, Ok(())),
            (Health::Starting, Err(Unreadable::NotSynced)),
            (
                Health::Failing("no".to_owned()),
                Err(Unreadable::Failing("secrets".to_owned(), "no".to_owned())),
            ),
        ] {
            let health = Arc::new(Mutex::new(health));
            let noted: Noted<Secret> = Noted { notes: Notes::default(), health, kind: PhantomData };
            assert_eq!(noted.check(), expected);
        }
    }

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
