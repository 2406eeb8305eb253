//! What the controller counts.

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Instant,
};

use api::RetainedDatabase;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use super::states::StateLabels;

/// Labels of a reconcile.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ReconcileLabels {
    /// `ok`, `blocked`, `not-synced`, or the stage that failed. Of a `RetainedDatabase`: `ok` or the stage that failed.
    outcome: &'static str,
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
    pub passes: Passes,
    pub writes: Family<WriteLabels, Counter>,
    pub out_of_policy: Gauge,
    pub databases: Family<StateLabels, Gauge>,
    pub unreadable: Gauge,
    pub unreadable_records: Gauge,
    pub out_of_sync: Gauge,
    pub retained: Retained,
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
            format!("Reconciles of a {kind}"),
            passes.reconciles.clone(),
        );
        registry.register(
            format!("{prefix}reconcile_duration_seconds"),
            format!("Time of a reconcile of a {kind}"),
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

/// Of the loop that looks after servers that are kept.
#[derive(Clone, Debug)]
pub struct Retained {
    pub passes: Passes,
    count: Gauge,
    /// Seconds since 1970; infinite while none ends.
    next_end: Gauge<f64, AtomicU64>,
}

impl Retained {
    fn new(registry: &mut Registry) -> Self {
        let passes = Passes::new(registry, "retaineddatabase_", "RetainedDatabase");
        let metrics = Self { passes, count: Gauge::default(), next_end: Gauge::default() };
        metrics.next_end.set(f64::INFINITY);
        registry.register("retaineddatabases", "Servers that are kept", metrics.count.clone());
        registry.register(
            "retaineddatabases_next_end_timestamp_seconds",
            "When the next server that is kept is destroyed with all its data, in seconds since 1970; +Inf when none is",
            metrics.next_end.clone(),
        );
        metrics
    }

    /// Counts the records, and finds the next end.
    pub fn look(&self, records: &[Arc<RetainedDatabase>]) {
        self.count.set(i64::try_from(records.len()).unwrap_or(i64::MAX));
        let end = |record: &Arc<RetainedDatabase>| {
            let confirmed = record.status.as_ref().and_then(|status| status.confirmed.as_ref());
            record.spec.until.as_ref().or_else(|| Some(&confirmed?.destroy_at)).map(|end| end.0)
        };
        let next = records.iter().filter_map(end).min();
        self.next_end.set(next.map_or(f64::INFINITY, |next| next.as_duration().as_secs_f64()));
    }
}

impl Metrics {
    /// Registers the metrics under the registry's prefix.
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            passes: Passes::new(registry, "", "Database"),
            writes: Family::default(),
            out_of_policy: Gauge::default(),
            databases: Family::default(),
            unreadable: Gauge::default(),
            unreadable_records: Gauge::default(),
            out_of_sync: Gauge::default(),
            retained: Retained::new(registry),
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
        registry.register("writes", "Objects written to the API server", metrics.writes.clone());
        metrics
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::metrics::*;

    fn record(until: Option<&str>, status: &Value) -> Arc<RetainedDatabase> {
        let record = json!({
            "apiVersion": "altinn.app/v1alpha1", "kind": "RetainedDatabase", "metadata": {"name": "srv"},
            "spec": {
                "database": "orders/main", "server": {"name": "srv"}, "reason": "Deleted",
                "since": "1970-01-01T00:00:00Z", "until": until,
            },
            "status": status,
        });
        Arc::new(serde_json::from_value(record).unwrap())
    }

    #[test]
    fn the_next_end_is_the_first_of_all() {
        let retained = Metrics::new(&mut Registry::default()).retained;
        let kept = record(None, &Value::Null);
        retained.look(std::slice::from_ref(&kept));
        assert_eq!((retained.count.get(), retained.next_end.get()), (1, f64::INFINITY));
        let confirmed = json!({"confirmed": {"confirmation": "x", "destroyAt": "1970-01-01T00:01:00Z"}});
        let ends = [record(Some("1970-01-01T00:02:00Z"), &Value::Null), kept, record(None, &confirmed)];
        retained.look(&ends);
        assert_eq!((retained.count.get(), retained.next_end.get()), (3, 60.0));
        retained.look(&[]);
        assert_eq!((retained.count.get(), retained.next_end.get()), (0, f64::INFINITY));
    }
}
