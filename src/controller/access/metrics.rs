//! What is counted of looks at servers.

use std::time::Duration;

use api::reason::Reason;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

/// Labels of a look.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Labels {
    /// As the condition `AccessReady` says it.
    reason: &'static str,
}

#[derive(Clone, Debug)]
pub struct AccessMetrics {
    looks: Family<Labels, Counter>,
    statements: Counter,
    duration: Histogram,
    under_way: Gauge,
}

impl AccessMetrics {
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let buckets = [0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0];
        let metrics = Self {
            looks: Family::default(),
            statements: Counter::default(),
            duration: Histogram::new(buckets),
            under_way: Gauge::default(),
        };
        registry.register(
            "access_passes",
            "Looks into a server by SQL, by what they came to",
            metrics.looks.clone(),
        );
        registry.register(
            "access_statements",
            "Statements of SQL that change something",
            metrics.statements.clone(),
        );
        registry.register(
            "access_pass_duration_seconds",
            "Time of a look into a server by SQL",
            metrics.duration.clone(),
        );
        registry.register(
            "access_passes_under_way",
            "Servers that are being looked into by SQL",
            metrics.under_way.clone(),
        );
        metrics
    }

    pub(super) fn begins(&self) {
        self.under_way.inc();
    }

    pub(super) fn ends(&self, reason: Reason, took: Duration) {
        self.under_way.dec();
        self.looks.get_or_create(&Labels { reason: reason.as_str() }).inc();
        self.duration.observe(took.as_secs_f64());
    }

    pub(super) fn sent(&self, statements: u32) {
        self.statements.inc_by(u64::from(statements));
    }
}
