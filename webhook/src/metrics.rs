//! What the webhook counts. Labels are bounded: operations, verdicts and codes are closed sets.

use exposition::{Registry, Who, labels};
use prometheus_client::metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram};

labels! {
    /// Labels of a review.
    pub struct ReviewLabels {
        /// `mutate`, `validate`, `policy`, `namespace` or `crd`
        pub hook: &'static str,
        /// `CREATE`, `UPDATE`, `DELETE`, or `unreadable`
        pub operation: &'static str,
        /// `allowed` or `denied`
        pub verdict: &'static str,
        /// the first code of a denial; empty when allowed
        pub code: String,
    }
}

labels! {
    /// Labels of a problem that a review is denied for.
    pub struct DenialLabels {
        /// `validate`, `policy`, `namespace` or `crd`
        pub hook: &'static str,
        /// the problem's code
        pub code: String,
    }
}

labels! {
    /// Labels of a request that isn't answered with a review.
    pub struct RejectedLabels {
        /// `too_large`, `too_slow`, `overload`, or `broken`
        pub reason: &'static str,
    }
}

/// Of seconds. From 50 µs: a review is a parse and a few comparisons.
const BUCKETS: [f64; 12] =
    [0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.25, 1.0, 5.0];

/// The webhook's metrics.
#[derive(Clone, Debug)]
pub struct Metrics {
    pub reviews: Family<ReviewLabels, Counter>,
    pub denials: Family<DenialLabels, Counter>,
    pub duration: Histogram,
    /// Requests between their head and their answer.
    pub in_flight: Gauge,
    pub rejected: Family<RejectedLabels, Counter>,
    pub panics: Counter,
    pub connections: Gauge,
    pub evicted: Counter,
}

impl Metrics {
    /// Registers the metrics under the registry's prefix.
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            reviews: Family::default(),
            denials: Family::default(),
            duration: Histogram::new(BUCKETS),
            in_flight: Gauge::default(),
            rejected: Family::default(),
            panics: Counter::default(),
            connections: Gauge::default(),
            evicted: Counter::default(),
        };
        registry.register(
            "admission_reviews",
            "Admission reviews answered",
            Who::Finder,
            metrics.reviews.clone(),
        );
        registry.register(
            "admission_denials",
            "Problems that admission reviews were denied for, each by its code",
            Who::Planner,
            metrics.denials.clone(),
        );
        registry.register(
            "admission_review_duration_seconds",
            "Time from a review's last byte to its answer",
            Who::OnCall,
            metrics.duration.clone(),
        );
        registry.register(
            "admission_requests_in_flight",
            "Requests between their head and their answer",
            Who::Finder,
            metrics.in_flight.clone(),
        );
        registry.register(
            "admission_requests_rejected",
            "Requests without a review: too large, too slow, broken off, or too many at once",
            Who::OnCall,
            metrics.rejected.clone(),
        );
        registry.register(
            "admission_panics",
            "Reviews that the webhook made a mistake of its own with",
            Who::OnCall,
            metrics.panics.clone(),
        );
        registry.register(
            "admission_connections",
            "Open connections",
            Who::Finder,
            metrics.connections.clone(),
        );
        registry.register(
            "admission_connections_evicted",
            "Quiet connections that were closed to make room for new ones",
            Who::Finder,
            metrics.evicted.clone(),
        );
        metrics
    }
}

/// One more, until it is dropped.
#[derive(Debug)]
pub(crate) struct Raised(Gauge);

impl Raised {
    pub(crate) fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Raised {
    fn drop(&mut self) {
        self.0.dec();
    }
}
