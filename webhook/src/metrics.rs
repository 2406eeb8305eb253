//! What the webhook counts. Labels are bounded: operations, verdicts and codes are closed sets.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::Registry,
};

/// Labels of a review.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub struct ReviewLabels {
    /// `mutate` or `validate`.
    pub hook: &'static str,
    /// `CREATE`, `UPDATE`, `DELETE`, or `unreadable`.
    pub operation: &'static str,
    /// `allowed` or `denied`.
    pub verdict: &'static str,
    /// The first code of a denial; empty when allowed.
    pub code: String,
}

/// The webhook's metrics.
#[derive(Clone, Debug)]
pub struct Metrics {
    pub reviews: Family<ReviewLabels, Counter>,
    pub duration: Histogram,
}

impl Metrics {
    /// Registers the metrics under the registry's prefix.
    pub fn new(registry: &mut Registry) -> Self {
        // From 50 µs: a review is a parse and a few comparisons.
        let buckets =
            [0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.25, 1.0, 5.0];
        let metrics = Self { reviews: Family::default(), duration: Histogram::new(buckets) };
        registry.register("admission_reviews", "Admission reviews answered", metrics.reviews.clone());
        registry.register(
            "admission_review_duration_seconds",
            "Time from a review's last byte to its answer",
            metrics.duration.clone(),
        );
        metrics
    }
}
