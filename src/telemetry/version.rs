//! Which version this is, and which commit it was built from.

use std::sync::LazyLock;

use exposition::{Registry, Who};
use prometheus_client::metrics::info::Info;

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// `make image` gives it. No other build asks Git, or each commit would compile the crate anew.
const COMMIT: &str = match option_env!("DATABASE_OPERATOR_COMMIT") {
    Some(commit) => commit,
    None => "unknown",
};

/// For `--version`.
pub fn version() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| format!("{VERSION} (commit {COMMIT})"));
    &TEXT
}

exposition::labels! {
    /// What runs.
    struct Labels {
        /// The version, such as `0.1.0`.
        version: &'static str,
        /// The commit that it was built from, or `unknown` where `make image` didn't build it.
        commit: &'static str,
    }
}

/// A metric that is always 1; its labels say what runs.
pub(super) fn register(registry: &mut Registry) {
    let info = Info::new(Labels { version: VERSION, commit: COMMIT });
    registry.register(
        "build",
        "Version of the operator, and the commit that it was built from",
        Who::Finder,
        info,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_says_what_runs() {
        let mut registry = Registry::with_prefix("database_operator");
        register(&mut registry);
        let text = registry.text().unwrap();
        let line = format!("\ndatabase_operator_build_info{{version=\"{VERSION}\",commit=\"{COMMIT}\"}} 1\n");
        assert!(text.contains(&line), "{text}");
    }
}
