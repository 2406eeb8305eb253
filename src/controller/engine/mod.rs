//! What any loop needs, whatever it makes: when to try again, what was written already, conditions, events, metrics. It names no
//! kind of Azure Service Operator.

pub(crate) mod backoff;
pub(crate) mod cache;
pub(crate) mod census;
mod compact;
pub(crate) mod concurrency;
pub(crate) mod conditions;
pub(crate) mod events;
pub(crate) mod in_flight;
pub(crate) mod listed;
pub(crate) mod metrics;
pub(crate) mod nudges;
pub(crate) mod quota;
pub(crate) mod recorder;
pub(crate) mod verdict;
