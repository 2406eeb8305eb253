//! Passes over real servers that behave like Azure's: as an administrator who is no superuser, over TLS.
//!
//! Tests share a server of each version, and have a database each.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod aborting;
mod closing;
mod connecting;
mod drift;
mod extensions;
mod names;
mod passwords;
mod quoting;
mod random;
mod resting;
mod rights;
mod support;
mod taking_over;
