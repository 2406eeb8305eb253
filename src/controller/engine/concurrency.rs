//! How much a loop does at the same time.

use std::time::Duration;

use kube::runtime::controller::Config;

/// Reconciles that run at the same time. kube's default is without bound, which runs out of memory when all
/// databases come due together.
const CONCURRENCY: u16 = 16;

pub(crate) fn bounded() -> Config {
    Config::default().concurrency(CONCURRENCY).debounce(Duration::from_millis(20))
}
