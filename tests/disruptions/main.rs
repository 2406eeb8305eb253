//! Stories in which something breaks, or in which the whole cluster must be quiet: they have sandboxes of
//! their own, and those that share one go one after another.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::too_many_lines, reason = "one course of events is read from its beginning to its end")]

#[path = "../common/mod.rs"]
mod common;

mod certificate;
mod destroy;
mod each_write;
mod expiry;
mod guard;
mod killed;
mod large;
mod leader;
mod lost;
mod missing;
mod model;
mod network;
mod past;
mod policy;
mod quiet;
mod rights;
mod rotation;
mod vault;
mod without_a_rule;

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use sandbox::{Options, Sandbox};

/// The sandbox that these stories break and mend, for one story at a time.
fn sandbox() -> MutexGuard<'static, Sandbox> {
    static SANDBOX: OnceLock<Mutex<Sandbox>> = OnceLock::new();
    shared(&SANDBOX, &Options::without_postgres())
}

fn shared(sandbox: &'static OnceLock<Mutex<Sandbox>>, options: &Options) -> MutexGuard<'static, Sandbox> {
    sandbox
        .get_or_init(|| Mutex::new(Sandbox::start(options).unwrap_or_else(|error| panic!("{error}"))))
        .lock()
        // A story that failed has said so itself.
        .unwrap_or_else(PoisonError::into_inner)
}
