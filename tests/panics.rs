//! What a panic leaves in the log.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and this one panics on purpose"
)]

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use database_operator::telemetry::tell_of_panic;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_panic_is_one_line_with_its_place_and_nothing_of_what_it_says() {
    let lines = Lines::default();
    let writer = lines.clone();
    let logs =
        tracing_subscriber::fmt().json().flatten_event(true).with_writer(move || writer.clone()).finish();
    let guard = tracing::subscriber::set_default(logs);
    std::panic::set_hook(Box::new(tell_of_panic));
    assert!(std::panic::catch_unwind(|| panic!("a spec with {}", "SECRET")).is_err());
    drop(std::panic::take_hook());
    drop(guard);
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let line: serde_json::Value = serde_json::from_str(text.trim_end()).unwrap();
    assert_eq!(line["level"], "ERROR");
    assert!(line["place"].as_str().unwrap().starts_with("tests/panics.rs:"), "{line}");
    assert!(!text.contains("SECRET"), "{text}");
}
