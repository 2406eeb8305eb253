//! What the controller counts as it goes. What there is, is counted by the [`Census`].

use std::time::Instant;

use exposition::{Registry, Who, labels};
use prometheus_client::metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram};

use super::census::Census;

labels! {
    /// Labels of a reconcile.
    struct ReconcileLabels {
        /// `ok`, `blocked` by what stands in the status, `not-synced`, or the stage that failed: `apply`, `status`, `finalizer`,
        /// `recover`, `password`, `timeout`; of a `RetainedDatabase` also `api`, `clock`
        outcome: &'static str,
    }
}

labels! {
    /// Labels of a write.
    pub struct WriteLabels {
        /// kind of the object; `Database/status` for a status
        pub kind: String,
    }
}

/// The controller's metrics.
#[derive(Clone, Debug)]
pub struct Metrics {
    pub passes: Passes,
    pub passes_of_records: Passes,
    pub writes: Family<WriteLabels, Counter>,
    pub unreadable: Gauge,
    pub unreadable_records: Gauge,
    pub(crate) census: Census,
}

/// What a loop did.
#[derive(Clone, Debug)]
pub struct Passes {
    reconciles: Family<ReconcileLabels, Counter>,
    duration: Histogram,
}

impl Passes {
    /// Of a loop over this kind; its names begin with `prefix`.
    fn new(registry: &mut Registry, prefix: &str, kind: &str) -> Self {
        let buckets = [0.000_1, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];
        let passes = Self { reconciles: Family::default(), duration: Histogram::new(buckets) };
        registry.register(
            format!("{prefix}reconciles"),
            format!("Reconciles of a {kind}, by what they came to"),
            Who::OnCall,
            passes.reconciles.clone(),
        );
        registry.register(
            format!("{prefix}reconcile_duration_seconds"),
            format!("Time of a reconcile of a {kind}"),
            Who::Finder,
            passes.duration.clone(),
        );
        passes
    }

    /// Counts a pass by what it came to.
    pub fn count(&self, outcome: &'static str) {
        self.reconciles.get_or_create(&ReconcileLabels { outcome }).inc();
    }

    #[cfg(test)]
    pub(crate) fn counted(&self, outcome: &'static str) -> u64 {
        self.reconciles.get_or_create(&ReconcileLabels { outcome }).get()
    }

    /// Takes note of how long a pass took that began then.
    pub fn took(&self, started: Instant) {
        self.duration.observe(started.elapsed().as_secs_f64());
    }
}

impl Metrics {
    /// Registers the metrics under the registry's prefix.
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            passes: Passes::new(registry, "", "Database"),
            passes_of_records: Passes::new(registry, "retaineddatabase_", "RetainedDatabase"),
            writes: Family::default(),
            unreadable: Gauge::default(),
            unreadable_records: Gauge::default(),
            census: Census::default(),
        };
        registry.register(
            "databases_unreadable",
            "Databases that can't be read, and are left as they are",
            Who::OnCall,
            metrics.unreadable.clone(),
        );
        registry.register(
            "retaineddatabases_unreadable",
            "RetainedDatabases that can't be read, and are left as they are",
            Who::OnCall,
            metrics.unreadable_records.clone(),
        );
        registry.register(
            "writes",
            "Objects written to the API server, by their kind",
            Who::Finder,
            metrics.writes.clone(),
        );
        registry.compute(metrics.census.clone());
        metrics
    }
}
