//! The labels of every namespace, which profiles of the policy can depend on.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures::{Stream, StreamExt, future};
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client, ResourceExt,
    core::PartialObjectMeta,
    runtime::{
        WatchStreamExt, predicates,
        reflector::{self, ObjectRef, Store},
        watcher,
    },
};
use policy::document::Labels;

/// As many are listed at a time. A page is read whole, with annotations and notes that nobody looks at.
const PAGE: u32 = 100;

/// What is known of namespaces.
#[derive(Clone, Debug)]
pub struct Namespaces {
    store: Store<PartialObjectMeta<Namespace>>,
    listed: Arc<AtomicBool>,
}

impl Namespaces {
    /// Starts the watch. Who polls the stream keeps it up to date; it names each namespace whose labels changed.
    pub fn watch(client: Client) -> (Self, impl Stream<Item = String> + Send + 'static) {
        let (store, writer) = reflector::store();
        let listed = Arc::new(AtomicBool::new(false));
        let now_listed = listed.clone();
        let config = watcher::Config::default().page_size(PAGE);
        let changes = watcher(Api::<PartialObjectMeta<Namespace>>::all(client), config)
            .default_backoff()
            .modify(|namespace| {
                namespace.metadata.managed_fields = None;
                namespace.metadata.annotations = None;
            })
            .reflect(writer)
            .inspect(move |event| match event {
                Ok(watcher::Event::InitDone) => now_listed.store(true, Ordering::Release),
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "namespaces can't be watched; trying again"),
            })
            .applied_objects()
            .predicate_filter(predicates::labels, kube::runtime::PredicateConfig::default())
            .filter_map(|namespace| future::ready(namespace.ok().map(|namespace| namespace.name_any())));
        (Self { store, listed }, changes)
    }

    /// These and no others, listed.
    #[cfg(test)]
    pub(crate) fn holding(namespaces: impl IntoIterator<Item = PartialObjectMeta<Namespace>>) -> Self {
        let (store, mut writer) = reflector::store();
        for namespace in namespaces {
            writer.apply_watcher_event(&watcher::Event::Apply(namespace));
        }
        Self { store, listed: Arc::new(AtomicBool::new(true)) }
    }

    /// Whether all have been listed once.
    pub fn are_listed(&self) -> bool {
        self.listed.load(Ordering::Acquire)
    }

    /// The labels of a namespace; `None` when it isn't known, or not yet.
    pub fn labels(&self, name: &str) -> Option<Labels> {
        let namespace = self.store.get(&ObjectRef::new(name))?;
        Some(namespace.metadata.labels.clone().unwrap_or_default())
    }

    /// The uid of a namespace: one that is made again has another. `None` when it isn't known, or not yet.
    pub fn uid(&self, name: &str) -> Option<String> {
        self.store.get(&ObjectRef::new(name))?.metadata.uid.clone()
    }

    /// The labels of every namespace that is known.
    pub fn all(&self) -> BTreeMap<String, Labels> {
        let namespaces = self.store.state();
        namespaces
            .iter()
            .map(|namespace| (namespace.name_any(), namespace.metadata.labels.clone().unwrap_or_default()))
            .collect()
    }
}
