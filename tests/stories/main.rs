//! Stories told with kubectl against a real control plane, the real Azure Service Operator and a stand-in
//! for Azure: one sandbox for all of them, a namespace each.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;

mod apply;
mod change;
mod delete;
mod examples;
mod faults;
mod fields;
mod ownership;
mod password;
mod recover;
mod refuse;
mod retain;
mod rights;
mod texts;
mod tools;
mod trouble;
mod version;

use std::sync::OnceLock;

use common::Story;
use sandbox::{Options, Sandbox};

/// The sandbox of all stories; it ends with this process.
fn sandbox() -> &'static Sandbox {
    static SANDBOX: OnceLock<Sandbox> = OnceLock::new();
    SANDBOX.get_or_init(|| {
        Sandbox::start(&Options::without_postgres()).unwrap_or_else(|error| panic!("{error}"))
    })
}

/// A story in a namespace of its own.
fn story() -> Story<'static> {
    Story::anywhere(sandbox())
}
