//! Stories told with Git, against the real Flux: `make gitops`. They need its controllers, which take minutes to build, so
//! `cargo test` leaves them out by itself.
//!
//! One sandbox for all of them, and a namespace with a repository of its own for each.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;

mod argo_cd;
mod flux;
mod manifests;
mod operator;
mod repository;
#[allow(dead_code, reason = "each test binary uses a part of what they share")]
#[path = "../common/sandbox_programs.rs"]
mod sandbox_programs;
mod stories;
mod transcript;
mod turn;

use std::sync::OnceLock;

use common::Story;
use flux::App;
use sandbox::{Options, Sandbox};

/// The sandbox of all stories; it ends with this process.
fn sandbox() -> &'static Sandbox {
    static SANDBOX: OnceLock<Sandbox> = OnceLock::new();
    SANDBOX.get_or_init(|| Sandbox::start(&Options::with_flux()).unwrap_or_else(|error| panic!("{error}")))
}

/// An app with a repository and a namespace of its own.
fn app() -> App<'static> {
    App::new(Story::anywhere(sandbox()))
}
