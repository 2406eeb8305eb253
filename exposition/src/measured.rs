//! Metrics whose labels are known.

use prometheus_client::{
    metrics::{
        TypedMetric, counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info,
    },
    registry::Metric,
};

use crate::{Description, Label, Labelled, Who};

/// A metric whose labels are known.
pub trait Measured: Metric + TypedMetric {
    const LABELS: &'static [Label] = &[];

    #[doc(hidden)]
    fn described(name: String, meaning: String, looks: Who) -> Description {
        Description { name, kind: Self::TYPE.as_str().to_owned(), labels: Self::LABELS, meaning, looks }
    }
}

impl<N, A> Measured for Counter<N, A> where Self: Metric {}

impl<N, A> Measured for Gauge<N, A> where Self: Metric {}

impl Measured for Histogram {}

impl<S: Labelled> Measured for Info<S>
where
    Self: Metric,
{
    const LABELS: &'static [Label] = S::LABELS;
}

impl<S: Labelled, M: TypedMetric, C> Measured for Family<S, M, C>
where
    Self: Metric,
{
    const LABELS: &'static [Label] = S::LABELS;
}
