//! The loop over `Database` objects.
//!
//! [`reconcile`] is one pass. [`finalize`] settles what becomes of the data before a `Database` goes, [`recover`] gives it the
//! kept server of another one, and [`status`] says how everything is.

pub(crate) mod error;
pub(crate) mod finalize;
pub(crate) mod pause;
pub(crate) mod reconcile;
pub(crate) mod recover;
pub(crate) mod report;
pub(crate) mod status;
