//! Logs, metrics, health.

mod admin;

pub use admin::{Readiness, serve_admin};

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Writes logs to standard error: for people on a terminal, as JSON lines elsewhere. `RUST_LOG` filters.
pub fn init_logs() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let result = if std::io::stderr().is_terminal() {
        builder.with_target(false).try_init()
    } else {
        builder.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
    };
    // Only a second call in one process fails, and then the first one stands.
    drop(result);
}
