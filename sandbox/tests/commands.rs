//! `up`, `status` and `down`, as people run them.
// The helpers of tests fail like tests.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A directory of its own; what runs in it is taken down at the end.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        Self(path)
    }

    /// Whether the command succeeded, and all that it said.
    fn run(&self, arguments: &[&str]) -> (bool, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_database-sandbox"))
            .args(arguments)
            .arg("--dir")
            .arg(&self.0)
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.run(&["down"]);
        drop(fs::remove_dir_all(&self.0));
    }
}

const UP: [&str; 3] = ["up", "--without-aso", "--without-operator"];

#[test]
fn up_keeps_away_from_a_directory_of_others() {
    let place = Place::new("foreign");
    fs::create_dir_all(&place.0).unwrap();
    let file = place.0.join("thesis.txt");
    fs::write(&file, "years of work").unwrap();
    let (succeeded, said) = place.run(&UP);
    assert!(
        !succeeded && said.contains("is not a sandbox's directory: choose an empty or a new one"),
        "{said}"
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), "years of work");
}

#[test]
fn up_leaves_a_sandbox_as_it_is_and_says_when_it_is_not_what_was_asked_for() {
    let place = Place::new("options");
    let (succeeded, said) = place.run(&UP);
    assert!(succeeded, "{said}");
    let (succeeded, said) = place.run(&UP);
    assert!(succeeded && said.contains("already"), "{said}");

    let (succeeded, said) = place.run(&[UP.as_slice(), &["--azure-delay-seconds", "3"]].concat());
    assert!(!succeeded, "{said}");
    assert!(said.contains("--azure-delay-seconds is 0 there, not 3"), "{said}");
    assert!(said.contains("run `database-sandbox down` first"), "{said}");
    assert!(place.run(&["status"]).0, "it still runs");

    let (succeeded, said) = place.run(&["down"]);
    assert!(succeeded && said.contains("is down"), "{said}");
    assert!(!place.run(&["status"]).0, "it is down");
}
