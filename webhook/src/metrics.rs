//! What the webhook counts. Labels are bounded: operations, verdicts and codes are closed sets.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

/// Labels of a review.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub struct ReviewLabels {
    /// `mutate`, `validate`, `policy`, `namespace` or `crd`.
    pub hook: &'static str,
    /// `CREATE`, `UPDATE`, `DELETE`, or `unreadable`.
    pub operation: &'static str,
    /// `allowed` or `denied`.
    pub verdict: &'static str,
    /// The first code of a denial; empty when allowed.
    pub code: String,
}

/// Labels of a problem that a review is denied for.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub struct DenialLabels {
    /// `validate`, `policy`, `namespace` or `crd`.
    pub hook: &'static str,
    pub code: String,
}

/// Labels of a request that isn't answered with a review.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub struct RejectedLabels {
    /// `too_large`, `too_slow`, `overload`, or `broken`.
    pub reason: &'static str,
}

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
        // From 50 µs: a review is a parse and a few comparisons.
        let buckets =
            [0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.25, 1.0, 5.0];
        let metrics = Self {
            reviews: Family::default(),
            denials: Family::default(),
            duration: Histogram::new(buckets),
            in_flight: Gauge::default(),
            rejected: Family::default(),
            panics: Counter::default(),
            connections: Gauge::default(),
            evicted: Counter::default(),
        };
        registry.register("admission_reviews", "Admission reviews answered", metrics.reviews.clone());
        registry.register(
            "admission_denials",
            "Problems that admission reviews were denied for, each by its code",
            metrics.denials.clone(),
        );
        registry.register(
            "admission_review_duration_seconds",
            "Time from a review's last byte to its answer",
            metrics.duration.clone(),
        );
        registry.register(
            "admission_requests_in_flight",
            "Requests between their head and their answer",
            metrics.in_flight.clone(),
        );
        registry.register(
            "admission_requests_rejected",
            "Requests without a review: too large, too slow, broken off, or too many at once",
            metrics.rejected.clone(),
        );
        registry.register(
            "admission_panics",
            "Reviews that the webhook made a mistake of its own with",
            metrics.panics.clone(),
        );
        registry.register("admission_connections", "Open connections", metrics.connections.clone());
        registry.register(
            "admission_connections_evicted",
            "Quiet connections that were closed to make room for new ones",
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
