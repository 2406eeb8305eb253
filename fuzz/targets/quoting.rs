#![no_main]

// Not a part of the library, which the webhook's tests have without the crate that this is about.
#[path = "../src/quoting.rs"]
mod quoting;

libfuzzer_sys::fuzz_target!(|data: &[u8]| quoting::hold(data));
