//! The loop over `Database` objects.

pub(crate) mod error;
pub(crate) mod finalize;
pub(crate) mod pause;
pub(crate) mod reconcile;
pub(crate) mod recover;
pub(crate) mod refused;
pub(crate) mod report;
pub(crate) mod status;
