//! What an app finds inside its server, with a real PostgreSQL behind each server of the stand-in for Azure. The platform's
//! group administers the servers, and the operator's identity is its member.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;

mod app;
mod dropped;
mod handover;
mod identity;
mod password;
mod restart;
mod restore;
mod trouble;

use std::sync::OnceLock;

use common::Story;
use sandbox::{Options, Sandbox};

/// `azure.administrator` of the example.
const GROUP: &str = "00000000-0000-4000-8000-0000000000d0";
/// The operator's own identity in the stand-in for Azure, a member of the group.
const OPERATOR: &str = "00000000-0000-4000-8000-0000000000d1";

/// The sandbox of all stories; it ends with this process.
fn sandbox() -> &'static Sandbox {
    static SANDBOX: OnceLock<Sandbox> = OnceLock::new();
    SANDBOX.get_or_init(start)
}

/// One more, for a story that changes what all others see.
fn start() -> Sandbox {
    let sandbox = Sandbox::start(&Options::default()).unwrap_or_else(|error| panic!("{error}"));
    common::back_up_at_once(&sandbox);
    sandbox
}

/// A story in a namespace of its own.
fn story() -> Story<'static> {
    Story::anywhere(sandbox())
}
