//! What every stage with I/O shares.

use std::sync::Arc;

use arc_swap::ArcSwap;
use kube::Client;
use policy::PolicyState;

use crate::namespaces::Namespaces;

use super::{
    backoff::Backoff,
    caches::Caches,
    compliance::Compliance,
    events::Events,
    in_flight::InFlight,
    metrics::{Metrics, ReconcileLabels},
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
    pub(super) backoff: Backoff,
    pub(super) events: Events,
    pub(super) compliance: Compliance,
    pub(super) states: States,
    pub(super) metrics: Metrics,
}

impl Context {
    /// Counts a reconcile by what it came to.
    pub(super) fn count(&self, outcome: &'static str) {
        self.metrics.reconciles.get_or_create(&ReconcileLabels { outcome }).inc();
    }

    /// Metrics tell of a database that is gone no longer.
    pub(super) fn forget(&self, namespace: &str, name: &str) {
        self.compliance.set(namespace, name, true);
        self.states.forget(namespace, name);
    }
}
