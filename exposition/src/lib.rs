//! Metrics, each with what people must know of it: what it means, which labels it has, and who looks at it.
//!
//! A [`Registry`] takes no metric without that, and gives it back as [`Description`]s, of which docs/monitoring.md is made.
//! Names, types and labels are those of what is exposed, since they come from the same values.

mod computed;
mod description;
mod labels;
mod measured;
mod registry;

pub use computed::{Computed, Teller};
pub use description::{Description, Who};
pub use labels::{Label, Labelled, Unlabelled};
pub use measured::Measured;
pub use registry::Registry;
