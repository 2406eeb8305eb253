//! The files under `examples/` do what they say.

use crate::story;

#[test]
fn the_example_that_is_to_be_refused_is_refused() {
    let path = format!("{}/examples/refused.yaml", env!("CARGO_MANIFEST_DIR"));
    assert!(story().kubectl(&["apply", "-f", &path]).refused().contains("[DB101]"));
}
