//! What is counted of looks at servers.

use std::{fmt, time::Duration};

use api::reason::Reason;
use exposition::{Computed, Registry, Teller, Who, labels};
use postgres::Connections;
use prometheus_client::metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram};

labels! {
    /// Labels of a look.
    struct Labels {
        /// as the condition `AccessReady` says it
        reason: &'static str,
    }
}

#[derive(Clone, Debug)]
pub struct AccessMetrics {
    looks: Family<Labels, Counter>,
    statements: Counter,
    duration: Histogram,
    under_way: Gauge,
    connections: Connections,
}

impl AccessMetrics {
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let buckets = [0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0];
        let metrics = Self {
            looks: Family::default(),
            statements: Counter::default(),
            duration: Histogram::new(buckets),
            under_way: Gauge::default(),
            connections: Connections::default(),
        };
        registry.register(
            "access_passes",
            "Looks into a server by SQL, by what they came to",
            Who::Finder,
            metrics.looks.clone(),
        );
        registry.register(
            "access_statements",
            "Statements of SQL that change something",
            Who::Finder,
            metrics.statements.clone(),
        );
        registry.register(
            "access_pass_duration_seconds",
            "Time of a look into a server by SQL",
            Who::Finder,
            metrics.duration.clone(),
        );
        registry.register(
            "access_passes_under_way",
            "Servers that are being looked into by SQL",
            Who::Finder,
            metrics.under_way.clone(),
        );
        registry.compute(Open(metrics.connections.clone()));
        metrics
    }

    /// Where the connections to servers are counted.
    pub(super) fn connections(&self) -> &Connections {
        &self.connections
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

/// The connections that are open.
#[derive(Debug)]
struct Open(Connections);

impl Computed for Open {
    fn tell(&self, teller: &mut Teller<'_>) -> fmt::Result {
        let open = Gauge::<i64>::default();
        open.set(i64::try_from(self.0.open()).unwrap_or(i64::MAX));
        teller.metric(
            "access_connections",
            "Open connections of the operator to servers: two for each that is looked into, 32 at the most",
            Who::Finder,
            &open,
        )
    }
}
