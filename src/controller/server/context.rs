//! What every stage with I/O shares.

use std::sync::Arc;

use api::{Database, DatabaseRef, RetainedDatabase};
use arc_swap::ArcSwap;
use jiff::{SignedDuration, Timestamp};
use kube::{
    Api, Client,
    runtime::reflector::{ObjectRef, Store},
};
use policy::{Policy, PolicyState};
use tokio::sync::mpsc::UnboundedSender;

use crate::{
    azure::adoption::Here,
    clock::Clock,
    cluster::namespaces::Namespaces,
    controller::{
        access::Accesses,
        engine::{
            backoff::Backoff,
            events::Events,
            in_flight::InFlight,
            metrics::{Metrics, WriteLabels},
            nudges::Nudges,
            quota::Quotas,
        },
    },
};

use super::{caches::Caches, describe::Server, looks::Looks};

pub(crate) struct Context {
    pub(crate) client: Client,
    pub(crate) operator_namespace: String,
    pub(crate) policy_name: String,
    pub(crate) policy: Arc<ArcSwap<PolicyState>>,
    pub(crate) caches: Caches,
    pub(crate) namespaces: Namespaces,
    pub(crate) in_flight: InFlight,
    pub(crate) nudges: Nudges,
    pub(crate) backoff: Backoff<Database>,
    pub(crate) retained_backoff: Backoff<RetainedDatabase>,
    pub(crate) events: Events,
    pub(crate) metrics: Metrics,
    pub(crate) clock: Clock,
    /// Uid of this cluster's namespace `kube-system`, by which clusters are told apart.
    pub(crate) cluster_uid: String,
    /// What was found inside of servers.
    pub(crate) accesses: Arc<Accesses>,
    /// How long a confirmed `Destroy` can be taken back.
    pub(crate) destroy_delay: SignedDuration,
    /// Which kept servers were looked for anew.
    pub(crate) looks: Looks,
    pub(crate) databases: Store<Database>,
    pub(crate) quotas: Quotas,
    /// What is kept without a `Database`.
    pub(crate) retained: Store<RetainedDatabase>,
    /// Takes the records that are to be looked at.
    pub(crate) due_records: UnboundedSender<ObjectRef<RetainedDatabase>>,
}

impl Context {
    /// Counts a reconcile by what it came to.
    pub(crate) fn count(&self, outcome: &'static str) {
        self.metrics.passes.count(outcome);
    }

    /// Counts an object that was written.
    pub(crate) fn count_write(&self, kind: &str) {
        self.metrics.writes.get_or_create(&WriteLabels { kind: kind.to_owned() }).inc();
    }

    /// The time, by the clock of this machine.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Has the record of this server looked at, if there is one: its `Database` is back, or something of it has changed.
    pub(crate) fn look_at_record(&self, server_name: &str) {
        if let Some(record) = self.record_of(server_name) {
            // Without a receiver the process is ending.
            let _ = self.due_records.send(record);
        }
    }

    /// This cluster, and the others whose servers it may take over: without a policy, none.
    pub(crate) fn here<'a>(&'a self, policy: Option<&'a Policy>) -> Here<'a> {
        let takes_over = policy.map_or(&[][..], |policy| &policy.azure.take_over_from);
        Here { now: self.now(), uid: &self.cluster_uid, takes_over }
    }

    /// The server's object, whosever it is.
    pub(crate) fn server(&self, server_name: &str) -> Option<Server> {
        self.caches.servers.cache.get(&self.operator_namespace, server_name).map(Server::from)
    }

    /// The record of this server, if there is one.
    pub(crate) fn record_of(&self, server_name: &str) -> Option<ObjectRef<RetainedDatabase>> {
        let record = ObjectRef::new(server_name).within(&self.operator_namespace);
        self.retained.get(&record).is_some().then_some(record)
    }

    /// The records at the API server.
    pub(crate) fn records(&self) -> Api<RetainedDatabase> {
        Api::namespaced(self.client.clone(), &self.operator_namespace)
    }

    /// It is gone, and another one may have its turn.
    pub(crate) fn forget(&self, database: DatabaseRef<'_>) {
        self.quotas.forget(database.namespace, database.name);
    }
}

#[cfg(test)]
mod tests {
    use kube::runtime::{reflector, watcher};

    use super::*;
    use crate::controller::{
        engine::cache::Health,
        golden::{in_an_empty_cluster, unasked},
    };

    #[tokio::test]
    async fn the_record_of_a_server_is_looked_at_if_there_is_one() {
        let record: RetainedDatabase = serde_json::from_value(serde_json::json!({
            "apiVersion": "altinn.app/v1alpha1", "kind": "RetainedDatabase",
            "metadata": {"name": "srv", "namespace": "database-operator"},
            "spec": {
                "database": "orders/main", "server": {"name": "srv"}, "reason": "Deleted", "since": "2026-11-24T12:00:00Z",
            },
        }))
        .unwrap();
        let (retained, mut writer) = reflector::store();
        writer.apply_watcher_event(&watcher::Event::Apply(record.clone()));
        let (due_records, mut due) = tokio::sync::mpsc::unbounded_channel();
        let context = Context { retained, due_records, ..in_an_empty_cluster(&Health::Synced, unasked()) };
        context.look_at_record("another");
        context.look_at_record("srv");
        assert_eq!(due.try_recv().unwrap(), ObjectRef::from_obj(&record));
        assert!(due.try_recv().is_err());
    }

    #[tokio::test]
    async fn metrics_count_passes_and_writes() {
        let context = in_an_empty_cluster(&Health::Synced, unasked());
        context.count("ok");
        context.count_write("Secret");
        let label = WriteLabels { kind: "Secret".to_owned() };
        assert_eq!(context.metrics.writes.get_or_create(&label).get(), 1);
        assert_eq!(context.metrics.passes.counted("ok"), 1);
    }
}
