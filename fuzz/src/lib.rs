//! What always holds, whatever comes in. The targets ask libFuzzer for bytes; `webhook/tests/seeds.rs` replays the
//! checked-in seeds through the same functions, so that a plain `cargo test` needs no fuzzer.

pub mod deletion;
pub mod line;
pub mod menu;
pub mod policy;
pub mod review;
pub mod slow;

/// The policy that is in force where a target doesn't make its own.
pub const POLICY: &str = include_str!("../../examples/policy.yaml");
