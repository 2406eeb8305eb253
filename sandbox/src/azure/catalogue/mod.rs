//! What Azure offers: data, with its sources.

pub(super) mod extensions;
pub(super) mod parameters;
pub(super) mod regions;
pub(super) mod sizes;
pub(super) mod storage;
pub(super) mod versions;
