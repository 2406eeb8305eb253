//! The seeds of `make fuzz`, and bytes of a fixed sequence, through what the fuzzer checks: a minute of fuzzing finds
//! more, and this comes with every `cargo test`.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../../fuzz/src/lib.rs"]
mod fuzz;

use std::{fs, path::PathBuf};

use rstest::rstest;

#[rstest]
#[case::review("review", fuzz::review::hold, 100)]
#[case::policy("policy", fuzz::policy::hold, 300)]
#[case::deletion("deletion", fuzz::deletion::hold, 3000)]
fn what_always_holds_does(#[case] target: &str, #[case] hold: fn(&[u8]), #[case] rounds: u64) {
    let seeds = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(target);
    let seeds = fs::read_dir(seeds).expect("there are seeds");
    for seed in seeds.map(|entry| entry.expect("a seed has a name").path()) {
        println!("{}", seed.display());
        hold(&fs::read(seed).expect("a seed is a file"));
    }
    for round in 0..rounds {
        hold(&bytes(round));
    }
}

#[test]
fn whatever_stands_in_it_a_text_takes_no_longer_than_its_size_accounts_for() {
    fuzz::slow::all_in_time();
    for round in 0..20 {
        fuzz::slow::hold(&bytes(round));
    }
}

/// Bytes that choose rather than being read as they are. Xorshift: any will do that is the same everywhere.
fn bytes(round: u64) -> Vec<u8> {
    let mut state = round.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let tail = (0..1000).map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    });
    std::iter::once(1).chain(tail).collect()
}
