//! What every stage with I/O shares.

use std::sync::Arc;

use api::{Database, DatabaseRef, RetainedDatabase};
use arc_swap::ArcSwap;
use jiff::{SignedDuration, Timestamp};
use kube::{
    Api, Client,
    runtime::reflector::{ObjectRef, Store},
};
use policy::PolicyState;
use tokio::sync::mpsc::UnboundedSender;

use crate::{clock::Clock, namespaces::Namespaces};

use super::{
    backoff::Backoff,
    caches::Caches,
    compliance::Compliance,
    events::Events,
    in_flight::InFlight,
    metrics::{Metrics, WriteLabels},
    nudges::Nudges,
    quota::Quotas,
    retained::looks::Looks,
    states::States,
};

pub(super) struct Context {
    pub(super) client: Client,
    pub(super) operator_namespace: String,
    pub(super) policy_name: String,
    pub(super) policy: Arc<ArcSwap<PolicyState>>,
    pub(super) caches: Caches,
    pub(super) namespaces: Namespaces,
    pub(super) in_flight: InFlight,
    pub(super) nudges: Nudges,
    pub(super) backoff: Backoff<Database>,
    pub(super) retained_backoff: Backoff<RetainedDatabase>,
    pub(super) events: Events,
    pub(super) compliance: Compliance,
    pub(super) states: States,
    pub(super) metrics: Metrics,
    pub(super) clock: Clock,
    /// Uid of this cluster's namespace `kube-system`, by which clusters are told apart.
    pub(super) cluster_uid: String,
    /// How long a confirmed `Destroy` can be taken back.
    pub(super) destroy_delay: SignedDuration,
    /// Which kept servers were looked for anew.
    pub(super) looks: Looks,
    pub(super) databases: Store<Database>,
    pub(super) quotas: Quotas,
    /// What is kept without a `Database`.
    pub(super) retained: Store<RetainedDatabase>,
    /// Takes the records that are to be looked at.
    pub(super) due_records: UnboundedSender<ObjectRef<RetainedDatabase>>,
}

impl Context {
    /// Counts a reconcile by what it came to.
    pub(super) fn count(&self, outcome: &'static str) {
        self.metrics.passes.count(outcome);
    }

    /// Counts an object that was written.
    pub(super) fn count_write(&self, kind: &str) {
        self.metrics.writes.get_or_create(&WriteLabels { kind: kind.to_owned() }).inc();
    }

    /// The time, by the clock of this machine.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Has the record of this server looked at, if there is one: its `Database` is back, or something of it has changed.
    pub(super) fn look_at_record(&self, server_name: &str) {
        if let Some(record) = self.record_of(server_name) {
            // Without a receiver the process is ending.
            let _ = self.due_records.send(record);
        }
    }

    /// The record of this server, if there is one.
    pub(super) fn record_of(&self, server_name: &str) -> Option<ObjectRef<RetainedDatabase>> {
        let record = ObjectRef::new(server_name).within(&self.operator_namespace);
        self.retained.get(&record).is_some().then_some(record)
    }

    /// The records at the API server.
    pub(super) fn records(&self) -> Api<RetainedDatabase> {
        Api::namespaced(self.client.clone(), &self.operator_namespace)
    }

    /// Metrics tell of a database that is gone no longer, and another one may have its turn.
    pub(super) fn forget(&self, database: DatabaseRef<'_>) {
        let DatabaseRef { namespace, name } = database;
        self.compliance.set(namespace, name, true);
        self.states.forget(namespace, name);
        self.quotas.forget(namespace, name);
    }
}
