//! What the webhook knows of the cluster: caches for what is asked often, and a question to the API server where a
//! cache may lag behind.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use api::{
    Database, RetainedDatabase,
    annotations::{CONFIRM_DESTROY, DEFAULTED, RETENTION},
};
use exposition::{Registry, Who};
use futures::{StreamExt, future::BoxFuture};
use k8s_openapi::{
    api::{admissionregistration::v1::ValidatingAdmissionPolicy, core::v1::Namespace},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::ListParams,
    core::{DeserializeGuard, ObjectList, PartialObjectMeta},
    runtime::{
        WatchStreamExt,
        reflector::{self, ObjectRef, Store},
        watcher,
    },
};
use policy::{document::Labels, rules::names::service_account_name};
use prometheus_client::metrics::gauge::Gauge;
use serde::de::DeserializeOwned;
use tokio::sync::{Semaphore, watch};
use webhook::cluster::{Kind, Objects, Servers};

use crate::{
    cluster::{
        namespaces::Namespaces,
        readable::{Unreadable, readable},
        trim,
    },
    labels::{DATABASE_NAME, DATABASE_NAMESPACE},
};

/// The API server waits five seconds for the whole review.
const LIMIT: Duration = Duration::from_secs(2);

/// As many objects are listed at a time: the process has little memory, and each may be as large as an object can be.
const PAGE: u32 = 100;
/// As many reviews list at the same time. A list takes milliseconds.
const LISTS: usize = 3;
/// The chart's admission policy against deletes that say nothing.
const GUARD: &str = "database-retention";

/// How the last list of databases went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Listing {
    Pending,
    Failed,
    /// The CRD isn't there. The process is ready nonetheless: it may be what an installation waits for before it
    /// goes on to the CRD. It isn't taken for an empty list, though: the CRD may come at any moment.
    NoKind,
    Done,
}

/// Caches of all namespaces and databases.
#[derive(Clone)]
pub(crate) struct Inventory {
    client: Client,
    namespaces: Namespaces,
    databases: Store<Database>,
    listing: watch::Receiver<Listing>,
    lists: Arc<Semaphore>,
}

impl std::fmt::Debug for Inventory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inventory").field("namespaces", &self.namespaces).finish_non_exhaustive()
    }
}

/// The metric that [`Inventory::watch`] keeps.
pub(crate) fn synced(registry: &mut Registry) -> Gauge {
    let gauge = Gauge::default();
    let help = "Whether Databases could be listed: 1, or 0 when no cache stands in for an API server that is slow to answer";
    registry.register("inventory_synced", help, Who::OnCall, gauge.clone());
    gauge
}

impl Inventory {
    /// Starts the watches; they end with the process.
    pub(crate) fn watch(client: Client, synced: Gauge) -> Self {
        let (namespaces, relabelled) = Namespaces::watch(client.clone());
        tokio::spawn(relabelled.for_each(|_| async {}));
        let (databases, writer) = reflector::store();
        let (sender, listing) = watch::channel(Listing::Pending);
        let all = Api::<DeserializeGuard<Database>>::all(client.clone());
        // The controller reports them; a delete of one is refused, because it can't be judged.
        let unreadable = Unreadable::new(Gauge::default(), |_, _| {});
        let watch =
            readable(watcher(all, watcher::Config::default().page_size(PAGE)).default_backoff(), unreadable)
                .modify(prune)
                .reflect(writer);
        tokio::spawn(watch.for_each(move |event| {
            let now = match &event {
                Ok(watcher::Event::InitDone) => Listing::Done,
                Err(watcher::Error::InitialListFailed(kube::Error::Api(status))) if status.code == 404 => {
                    Listing::NoKind
                }
                // Without the list nobody can say that there are none.
                Err(watcher::Error::InitialListFailed(_)) => Listing::Failed,
                _ => *sender.borrow(),
            };
            if sender.send_replace(now) != now
                && let Err(error) = event
            {
                tracing::warn!(%error, "Databases can't be listed; trying again");
            }
            synced.set(i64::from(now == Listing::Done));
            std::future::ready(())
        }));
        Self { client, namespaces, databases, listing, lists: Arc::new(Semaphore::new(LISTS)) }
    }

    /// What is kept of each object. They come in pages, each of which takes far more than what is kept of it, and few
    /// reviews list at a time: whoever fills a namespace, or asks without end, gets that much memory at the most.
    async fn all_of<K, T>(
        &self,
        api: &Api<K>,
        mut params: ListParams,
        keep: impl Fn(PartialObjectMeta<K>) -> Option<T>,
    ) -> Option<Vec<T>>
    where
        K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
    {
        params = params.limit(PAGE);
        let pages = async {
            // It fails only for a semaphore that was closed, and nobody closes it.
            let _place = self.lists.acquire().await.ok();
            let mut all = Vec::new();
            loop {
                let page = list(api, &params).await?;
                all.extend(page.items.into_iter().filter_map(&keep));
                match page.metadata.continue_.filter(|next| !next.is_empty()) {
                    Some(next) => params = params.continue_token(&next),
                    None => return Some(all),
                }
            }
        };
        tokio::time::timeout(LIMIT, pages).await.unwrap_or_else(|_| {
            tracing::warn!("the API server doesn't list all {} in time", K::plural(&()));
            None
        })
    }

    /// Ends when it is known which databases there are, or that there can be none.
    pub(crate) fn listed(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut listing = self.listing.clone();
        async move {
            let known = |listing: &Listing| matches!(listing, Listing::NoKind | Listing::Done);
            // The sender only goes with the process.
            drop(listing.wait_for(known).await);
        }
    }
}

/// Keeps what reviews look at: many databases must fit into little memory.
fn prune(database: &mut Database) {
    trim::database(database);
    if let Some(annotations) = &mut database.metadata.annotations {
        annotations.retain(|key, _| [RETENTION, CONFIRM_DESTROY, DEFAULTED].contains(&key.as_str()));
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

    /// Asked of the API server, since the cache lags behind a series of creations.
    fn servers<'a>(&'a self, namespace: &'a str) -> BoxFuture<'a, Option<Servers>> {
        Box::pin(async move {
            let inside = self.inside(namespace).await?;
            let live = inside.into_iter().filter_map(|metadata| metadata.name).collect();
            let params = ListParams::default().labels(&format!("{DATABASE_NAMESPACE}={namespace}"));
            let records = Api::<RetainedDatabase>::all(self.client.clone());
            let kept =
                self.all_of(&records, params, |record| record.metadata.labels?.remove(DATABASE_NAME)).await;
            // Without an answer the others count alone; the controller counts again before it makes a server.
            Some(Servers { live, kept: kept.unwrap_or_default().into_iter().collect() })
        })
    }

    /// The cache lags behind, and doesn't have those that can't be read. It must do where there is no answer.
    fn inside<'a>(&'a self, namespace: &'a str) -> BoxFuture<'a, Option<Vec<ObjectMeta>>> {
        Box::pin(async move {
            let api: Api<Database> = Api::namespaced(self.client.clone(), namespace);
            if let Some(all) =
                self.all_of(&api, ListParams::default(), |object| Some(trim::listed(object))).await
            {
                return Some(all);
            }
            let metadata = self.databases()?.into_iter().map(|database| database.metadata.clone());
            Some(metadata.filter(|metadata| metadata.namespace.as_deref() == Some(namespace)).collect())
        })
    }

    /// Nothing stands in for the answer here: deleting the CRD deletes what no cache knows of.
    fn objects(&self, kind: Kind) -> BoxFuture<'_, Option<Objects>> {
        Box::pin(async move {
            match kind {
                Kind::Database => some(&Api::<Database>::all(self.client.clone())).await,
                Kind::RetainedDatabase => some(&Api::<RetainedDatabase>::all(self.client.clone())).await,
            }
        })
    }

    fn kept<'a>(&'a self, namespace: &'a str) -> BoxFuture<'a, Option<Objects>> {
        Box::pin(
            async move { some(&Api::<RetainedDatabase>::namespaced(self.client.clone(), namespace)).await },
        )
    }

    /// By the labels with which the operator writes its records.
    fn is_kept<'a>(&'a self, namespace: &'a str, name: &'a str) -> BoxFuture<'a, Option<bool>> {
        Box::pin(async move {
            let selector = format!("{DATABASE_NAMESPACE}={namespace},{DATABASE_NAME}={name}");
            let params = ListParams::default().labels(&selector).limit(1);
            let list = list(&Api::<RetainedDatabase>::all(self.client.clone()), &params).await?;
            Some(!list.items.is_empty())
        })
    }

    fn using(&self, namespace: &str, account: &str) -> Vec<String> {
        let databases = self.databases.state();
        let uses = |database: &&Arc<Database>| {
            database.metadata.namespace.as_deref() == Some(namespace)
                && service_account_name(&database.name_any(), &database.spec) == account
        };
        databases.iter().filter(uses).map(|database| database.name_any()).collect()
    }

    fn database(&self, namespace: &str, name: &str) -> Option<Arc<Database>> {
        self.databases.get(&ObjectRef::new(name).within(namespace))
    }

    fn databases(&self) -> Option<Vec<Arc<Database>>> {
        (*self.listing.borrow() == Listing::Done).then(|| self.databases.state())
    }

    fn all_labels(&self) -> BTreeMap<String, Labels> {
        self.namespaces.all()
    }

    fn guard(&self) -> BoxFuture<'_, Option<bool>> {
        Box::pin(async {
            let api: Api<ValidatingAdmissionPolicy> = Api::all(self.client.clone());
            let found = tokio::time::timeout(LIMIT, api.get_metadata_opt(GUARD)).await.ok()?;
            found.map(|found| found.is_some()).ok()
        })
    }

    fn issuer(&self) -> BoxFuture<'_, Option<String>> {
        Box::pin(crate::cluster::issuer::read(&self.client))
    }
}

/// A few of the objects, and how many there are.
async fn some<K>(api: &Api<K>) -> Option<Objects>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
{
    let list = list(api, &ListParams::default().limit(Objects::SHOWN)).await?;
    let more = list.metadata.remaining_item_count.and_then(|more| usize::try_from(more).ok());
    // The API server may leave the number out.
    let is_cut = list.metadata.continue_.is_some_and(|next| !next.is_empty());
    let count = list.items.len() + more.unwrap_or_else(|| usize::from(is_cut));
    let name = |object: &PartialObjectMeta<K>| {
        format!("{}/{}", object.namespace().unwrap_or_default(), object.name_any())
    };
    Some(Objects { some: list.items.iter().map(name).collect(), count })
}

/// Asks the API server; `None`, with a line in the log, when there is no answer in time.
async fn list<K>(api: &Api<K>, params: &ListParams) -> Option<ObjectList<PartialObjectMeta<K>>>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
{
    let error = match tokio::time::timeout(LIMIT, api.list_metadata(params)).await {
        Ok(Ok(list)) => return Some(list),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "no answer in time".to_owned(),
    };
    tracing::warn!(error, "the API server doesn't list {}", K::plural(&()));
    None
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        sync::{
            Mutex,
            atomic::{AtomicU16, Ordering},
        },
    };

    use axum::{Router, extract::RawQuery, http::StatusCode, routing::get};
    use webhook::Cluster;

    use crate::cluster::inventory::*;

    /// Far longer than anything here takes.
    const PATIENCE: Duration = Duration::from_secs(20);

    const MAIN: &str = r#"{"apiVersion": "altinn.app/v1alpha1", "kind": "Database", "metadata":
        {"name": "main", "namespace": "orders", "annotations": {"altinn.app/retention": "Retain"}}, "spec": {}}"#;

    const RECORD: &str = r#"{"metadata": {"name": "prod-1-orders-old", "namespace": "database-operator", "labels":
        {"altinn.app/database-namespace": "orders", "altinn.app/database-name": "old"}}, "spec": {}}"#;

    fn answering(status: &Arc<AtomicU16>) -> Client {
        answering_with(status, MAIN)
    }

    /// An API server with one database, that answers each list with this status, and no watch.
    fn answering_with(status: &Arc<AtomicU16>, database: &'static str) -> Client {
        let list = |items: &'static str| {
            let status = status.clone();
            let answer = async move |RawQuery(query): RawQuery| {
                if query.is_some_and(|query| query.contains("watch=true")) {
                    std::future::pending::<()>().await;
                }
                let code = status.load(Ordering::Acquire);
                let body = if code == 200 {
                    format!(r#"{{"metadata": {{"resourceVersion": "1"}}, "items": [{items}]}}"#)
                } else {
                    format!(r#"{{"kind": "Status", "status": "Failure", "message": "no", "code": {code}}}"#)
                };
                (StatusCode::from_u16(code).unwrap(), body)
            };
            get(answer)
        };
        let router = Router::new()
            .route("/api/v1/namespaces", list(""))
            .route("/apis/altinn.app/v1alpha1/databases", list(database))
            .route("/apis/altinn.app/v1alpha1/retaineddatabases", list(RECORD))
            .route("/apis/altinn.app/v1alpha1/namespaces/orders/databases", list(database));
        Client::new(router, "default")
    }

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Lines {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    async fn until(what: impl Fn() -> bool) {
        let met = async {
            while !what() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, met).await.unwrap();
    }

    /// An event that nobody listens to is never recorded from then on, in whatever test: tracing remembers that.
    fn listening() -> tracing::subscriber::DefaultGuard {
        tracing::subscriber::set_default(tracing_subscriber::fmt().with_writer(std::io::sink).finish())
    }

    #[tokio::test]
    async fn nothing_is_believed_before_the_first_list_and_its_failure_is_told() {
        let lines = Lines::default();
        let writer = lines.clone();
        let logs = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
        let _guard = tracing::subscriber::set_default(logs);
        let (status, synced) = (Arc::new(AtomicU16::new(403)), Gauge::default());
        let inventory = Inventory::watch(answering(&status), synced.clone());
        until(|| lines.text().contains("Databases can't be listed")).await;
        assert!(inventory.databases().is_none());
        assert_eq!(inventory.servers("orders").await, None);
        assert_eq!(synced.get(), 0);

        status.store(200, Ordering::Release);
        tokio::time::timeout(PATIENCE, inventory.listed()).await.unwrap();
        assert_eq!(inventory.databases().unwrap().len(), 1);
        assert_eq!(synced.get(), 1);
        let servers = inventory.servers("orders").await.unwrap();
        assert_eq!([servers.live, servers.kept], [["main".to_owned()].into(), ["old".to_owned()].into()]);
        assert_eq!(lines.text().matches("Databases can't be listed").count(), 1, "{}", lines.text());

        // From now on the cache stands in.
        status.store(500, Ordering::Release);
        assert_eq!(inventory.servers("orders").await.map(|servers| servers.live.len()), Some(1));
        let inside = inventory.inside("orders").await.unwrap();
        assert_eq!(inside[0].annotations.as_ref().unwrap()[RETENTION], "Retain");
        assert_eq!(inventory.inside("payments").await, Some(Vec::new()));
        assert!(lines.text().contains("the API server doesn't list databases"), "{}", lines.text());
        // But not where a delete of all of them hangs on it.
        assert_eq!(inventory.objects(Kind::Database).await, None);
    }

    /// A namespace that somebody fills must not take the memory of all reviews.
    #[tokio::test]
    async fn a_long_list_comes_in_pages_and_is_counted_whole() {
        let _guard = listening();
        let page = async |RawQuery(query): RawQuery| {
            let query = query.unwrap_or_default();
            let asked = query.contains("limit=100");
            let (names, next) =
                if query.contains("continue=more") { (100..130, "") } else { (0..100, "more") };
            let item = |number| format!(r#"{{"metadata": {{"name": "d{number}", "namespace": "orders"}}}}"#);
            let items: Vec<_> = names.filter(|_| asked).map(item).collect();
            format!(r#"{{"metadata": {{"continue": "{next}"}}, "items": [{}]}}"#, items.join(","))
        };
        let router = Router::new().route("/apis/altinn.app/v1alpha1/namespaces/orders/databases", get(page));
        let inventory = Inventory::watch(Client::new(router, "default"), Gauge::default());
        assert_eq!(inventory.inside("orders").await.unwrap().len(), 130);
    }

    /// Each may be as large as an object can be, and there may be as many as anybody likes.
    #[tokio::test]
    async fn a_namespace_is_listed_page_by_page() {
        let _guard = listening();
        let limits = Arc::new(Mutex::new(Vec::new()));
        let seen = limits.clone();
        let list = async move |RawQuery(query): RawQuery| {
            let query = query.unwrap_or_default();
            let value =
                |name: &str| query.split('&').find_map(|part| part.strip_prefix(name)).map(str::to_owned);
            seen.lock().unwrap().push(value("limit="));
            let (name, next) = match value("continue=").as_deref() {
                None => ("one", "more"),
                Some("more") => ("two", "last"),
                Some(_) => ("three", ""),
            };
            let filler = "x".repeat(1000);
            format!(
                r#"{{"metadata": {{"resourceVersion": "1", "continue": "{next}"}}, "items": [{{"metadata": {{
                "name": "{name}", "labels": {{"a": "{filler}"}}, "annotations": {{"a": "{filler}", "altinn.app/retention": "Retain"}}}}}}]}}"#
            )
        };
        let databases = "/apis/altinn.app/v1alpha1/namespaces/orders/databases";
        let none = async || r#"{"metadata": {"resourceVersion": "1"}, "items": []}"#;
        let router = Router::new()
            .route(databases, get(list))
            .route("/apis/altinn.app/v1alpha1/retaineddatabases", get(none));
        let inventory = Inventory::watch(Client::new(router, "default"), Gauge::default());
        let inside = inventory.inside("orders").await.unwrap();
        let names: Vec<_> = inside.iter().filter_map(|metadata| metadata.name.as_deref()).collect();
        assert_eq!(names, ["one", "two", "three"]);
        assert_eq!(inside[0].labels, None);
        assert_eq!(inside[0].annotations.as_ref().unwrap().len(), 1);
        assert_eq!(*limits.lock().unwrap(), vec![Some("100".to_owned()); 3]);
        assert_eq!(inventory.servers("orders").await.map(|servers| servers.live.len()), Some(3));
    }

    /// As after a change of the CRD: no watch has it, and deletes reach it all the same.
    #[tokio::test]
    async fn a_database_that_can_not_be_read_counts() {
        let _guard = listening();
        let odd =
            r#"{"metadata": {"name": "odd", "namespace": "orders"}, "spec": {"sku": {"size": "large"}}}"#;
        let inventory =
            Inventory::watch(answering_with(&Arc::new(AtomicU16::new(200)), odd), Gauge::default());
        tokio::time::timeout(PATIENCE, inventory.listed()).await.unwrap();
        assert!(inventory.databases().unwrap().is_empty());
        assert_eq!(inventory.servers("orders").await.map(|servers| servers.live.len()), Some(1));
        assert_eq!(inventory.inside("orders").await.unwrap()[0].name.as_deref(), Some("odd"));
        let objects = Objects { some: vec!["orders/odd".to_owned()], count: 1 };
        assert_eq!(inventory.objects(Kind::Database).await, Some(objects));
    }

    /// What waits for the process to be ready may be what brings the CRD.
    #[tokio::test]
    async fn without_the_crd_it_is_ready_and_says_nothing_of_databases() {
        let _guard = listening();
        let synced = Gauge::default();
        let inventory = Inventory::watch(answering(&Arc::new(AtomicU16::new(404))), synced.clone());
        tokio::time::timeout(PATIENCE, inventory.listed()).await.unwrap();
        assert!(inventory.databases().is_none());
        assert_eq!(synced.get(), 0);
    }
}
