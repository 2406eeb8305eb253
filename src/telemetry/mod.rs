//! Logs, metrics, health.

mod admin;
mod logs;
mod version;

use exposition::Registry;

pub use admin::{Readiness, serve_admin};
pub use logs::{Dropped, Logs, tell_of_panic};
pub use version::version;

/// A registry with the metrics that each process has.
pub fn registry(dropped: Dropped) -> Registry {
    let mut registry = Registry::with_prefix("database_operator");
    dropped.register(&mut registry);
    version::register(&mut registry);
    registry
}
