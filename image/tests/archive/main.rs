//! The archive as a tool of another maker reads it: of made-up binaries, and as `make image` has built it.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod built;
mod layout;
mod written;
