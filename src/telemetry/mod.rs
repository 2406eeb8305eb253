//! Logs, metrics, health.

mod admin;
mod logs;

pub use admin::{Readiness, serve_admin};
pub use logs::{Dropped, Logs, tell_of_panic};
