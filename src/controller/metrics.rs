//! What the controller counts.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use super::states::StateLabels;

/// Labels of a reconcile.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub struct ReconcileLabels {
    /// `ok`, `blocked`, `not-synced`, or the stage that failed.
    pub outcome: &'static str,
}

/// Labels of a write.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub struct WriteLabels {
    /// Kind of the object; `Database/status` for a status.
    pub kind: String,
}

/// The controller's metrics.
#[derive(Clone, Debug)]
pub struct Metrics {
    pub reconciles: Family<ReconcileLabels, Counter>,
    pub duration: Histogram,
    pub writes: Family<WriteLabels, Counter>,
    pub out_of_policy: Gauge,
    pub databases: Family<StateLabels, Gauge>,
    pub unreadable: Gauge,
    pub unreadable_records: Gauge,
    pub out_of_sync: Gauge,
}

impl Metrics {
    /// Registers the metrics under the registry's prefix.
    pub fn new(registry: &mut Registry) -> Self {
        let buckets = [0.000_1, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];
        let metrics = Self {
            reconciles: Family::default(),
            duration: Histogram::new(buckets),
            writes: Family::default(),
            out_of_policy: Gauge::default(),
            databases: Family::default(),
            unreadable: Gauge::default(),
            unreadable_records: Gauge::default(),
            out_of_sync: Gauge::default(),
        };
        registry.register(
            "databases_out_of_policy",
            "Databases that the policy would not let be made today",
            metrics.out_of_policy.clone(),
        );
        registry.register(
            "databases",
            "Databases by state: ready, working, or stalled until a person acts",
            metrics.databases.clone(),
        );
        registry.register(
            "databases_unreadable",
            "Databases that can't be read, and are left as they are",
            metrics.unreadable.clone(),
        );
        registry.register(
            "retaineddatabases_unreadable",
            "RetainedDatabases that can't be read, and are left as they are",
            metrics.unreadable_records.clone(),
        );
        registry.register(
            "databases_out_of_sync",
            "Databases that are ready, and of which Azure doesn't have what is wanted, or can't be told of it",
            metrics.out_of_sync.clone(),
        );
        registry.register("reconciles", "Reconciles of a Database", metrics.reconciles.clone());
        registry.register("reconcile_duration_seconds", "Time of a reconcile", metrics.duration.clone());
        registry.register("writes", "Objects written to the API server", metrics.writes.clone());
        metrics
    }
}
