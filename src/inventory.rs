//! What the webhook knows of the cluster: caches for what is asked often, and a question to the API server where a
//! cache may lag behind.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use api::{
    Database,
    annotations::{CONFIRM_DESTROY, RETENTION},
};
use futures::{StreamExt, future::BoxFuture};
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client,
    api::ListParams,
    runtime::{
        WatchStreamExt,
        reflector::{self, Store},
        watcher,
    },
};
use policy::document::Labels;

use crate::namespaces::Namespaces;

/// The API server waits five seconds for the whole review.
const LIMIT: Duration = Duration::from_secs(2);

/// Caches of all namespaces and databases.
#[derive(Clone)]
pub(crate) struct Inventory {
    client: Client,
    namespaces: Namespaces,
    databases: Store<Database>,
    /// Whether the list of databases can be believed.
    listed: Arc<AtomicBool>,
}

impl std::fmt::Debug for Inventory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inventory").field("namespaces", &self.namespaces).finish_non_exhaustive()
    }
}

impl Inventory {
    /// Starts the watches; they end with the process.
    pub(crate) fn watch(client: Client) -> Self {
        let (namespaces, relabelled) = Namespaces::watch(client.clone());
        tokio::spawn(relabelled.for_each(|_| async {}));
        let (databases, writer) = reflector::store();
        let listed = Arc::new(AtomicBool::new(false));
        let believed = listed.clone();
        let watch = watcher(Api::<Database>::all(client.clone()), watcher::Config::default())
            .default_backoff()
            .modify(prune)
            .reflect(writer);
        tokio::spawn(watch.for_each(move |event| {
            match event {
                Ok(watcher::Event::InitDone) => believed.store(true, Ordering::Release),
                Ok(_) => {}
                Err(error) => {
                    // Without the list nobody can say that there are none.
                    let is_stale = matches!(error, watcher::Error::InitialListFailed(_));
                    if is_stale && believed.swap(false, Ordering::AcqRel) {
                        tracing::warn!(%error, "Databases can't be listed; trying again");
                    }
                }
            }
            std::future::ready(())
        }));
        Self { client, namespaces, databases, listed }
    }
}

/// Keeps what reviews look at: many databases must fit into little memory.
fn prune(database: &mut Database) {
    let metadata = &mut database.metadata;
    metadata.managed_fields = None;
    metadata.labels = None;
    metadata.owner_references = None;
    if let Some(annotations) = &mut metadata.annotations {
        annotations.retain(|key, _| [RETENTION, CONFIRM_DESTROY].contains(&key.as_str()));
    }
    if let Some(status) = &mut database.status {
        status.conditions = Vec::new();
        status.policy = None;
    }
}

impl webhook::Cluster for Inventory {
    /// A namespace that was made a moment ago isn't in the cache yet, and Argo CD applies into such ones.
    fn labels<'a>(&'a self, namespace: &'a str) -> BoxFuture<'a, Option<Labels>> {
        Box::pin(async move {
            if let Some(labels) = self.namespaces.labels(namespace) {
                return Some(labels);
            }
            let api: Api<Namespace> = Api::all(self.client.clone());
            match tokio::time::timeout(LIMIT, api.get_metadata(namespace)).await {
                Ok(Ok(found)) => Some(found.metadata.labels.unwrap_or_default()),
                Ok(Err(error)) => {
                    tracing::warn!(%error, namespace, "the labels of a namespace can't be read");
                    None
                }
                Err(_) => {
                    tracing::warn!(namespace, "the labels of a namespace can't be read in time");
                    None
                }
            }
        })
    }

    /// Counted by the API server, since the cache lags behind a series of creations.
    fn count<'a>(&'a self, namespace: &'a str) -> BoxFuture<'a, Option<u32>> {
        Box::pin(async move {
            let api: Api<Database> = Api::namespaced(self.client.clone(), namespace);
            match tokio::time::timeout(LIMIT, api.list_metadata(&ListParams::default())).await {
                Ok(Ok(list)) => u32::try_from(list.items.len()).ok(),
                failed => {
                    let error = match failed {
                        Ok(Err(error)) => error.to_string(),
                        _ => "no answer in time".to_owned(),
                    };
                    tracing::warn!(error, namespace, "databases can't be counted; the cache must do");
                    let within =
                        |database: &&Arc<Database>| database.metadata.namespace.as_deref() == Some(namespace);
                    u32::try_from(self.databases.state().iter().filter(within).count()).ok()
                }
            }
        })
    }

    fn databases(&self) -> Option<Vec<Arc<Database>>> {
        self.listed.load(Ordering::Acquire).then(|| self.databases.state())
    }

    fn all_labels(&self) -> BTreeMap<String, Labels> {
        self.namespaces.all()
    }
}
