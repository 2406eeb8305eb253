//! What Azure offers: data, with its sources.

mod capabilities;
pub(super) mod parameters;
pub(super) mod regions;
pub(super) mod sizes;
pub(super) mod storage;
pub(super) mod versions;
