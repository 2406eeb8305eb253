//! Stories on two real nodes, where the operator runs in pods from its image and its chart: `make nodes`. They need root on
//! Linux, so `cargo test` leaves them out by itself.
//!
//! `ROLLOUTS=5` has a node die after each of so many rollouts, and `AVAILABILITY=write` writes what was measured into
//! docs/availability.md.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::too_many_lines, reason = "one course of events is read from its beginning to its end")]

#[path = "../common/mod.rs"]
mod common;

mod cluster;
mod drift;
mod events;
mod install;
mod memory;
mod page;
mod reviews;
mod traces;

use std::sync::{Mutex, MutexGuard, PoisonError};

use sandbox::{Options, Sandbox};

/// One sandbox at a time: what is measured in one would be disturbed by another.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    // A story that failed has said so itself.
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn start(options: &Options) -> Sandbox {
    Sandbox::start(options).unwrap_or_else(|error| panic!("{error}"))
}

/// An archive of the operator's image, as `make image` makes it; left out, the sandbox packs the binary beside it.
fn image() -> Option<std::path::PathBuf> {
    std::env::var_os("IMAGE").filter(|path| !path.is_empty()).map(Into::into)
}

#[test]
#[ignore = "it needs root on Linux: make nodes"]
fn two_nodes_from_an_installation_to_the_death_of_one() {
    let _alone = alone();
    let sandbox = start(&Options { image: image(), ..Options::with_nodes(2) });
    install::pods_are_ready_on_both_nodes_under_restricted(&sandbox);
    drift::none(&sandbox, "after the installation");
    install::a_database_becomes_ready_another_is_refused_and_a_delete_is_blocked(&sandbox);
    drift::none_after_a_rotation(&sandbox);
    let mut memory = memory::measure(&sandbox, "with one database");
    let measured = events::measure(&sandbox);
    memory.extend(memory::measure(&sandbox, "after the last of these events"));
    page::check(&sandbox, &measured, &memory);
}
