//! `make run` is the first thing that a newcomer tries.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

#[test]
fn make_run_tells_the_whole_story_and_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let mut make = Command::new("make");
    make.args(["run", "ONCE=1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("DATABASE_SANDBOX_DIR", directory.path().join("sandbox"));
    // Cargo's own variables, which a person's shell doesn't have.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CARGO_") && name != "CARGO_HOME") {
        make.env_remove(name);
    }
    let output = make.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{errors}");
    for step in [
        "the sandbox is ready",
        "database.altinn.app/my-app-db condition met",
        "sslmode    verify-full",
        "my_app_db=> SELECT * FROM drinks\n coffee\n tea\n",
        "must be owner of database my_app_db",
        "is not allowed here; use Standard_B20ms",
        "It takes two steps",
        "database.altinn.app \"my-app-db\" deleted",
        "is down",
    ] {
        assert!(text.contains(step) || errors.contains(step), "no {step:?} in:\n{text}\n{errors}");
    }
    let left: Vec<String> =
        commands().filter(|command| command.contains(directory.path().to_str().unwrap())).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// The command lines of everything that runs.
fn commands() -> impl Iterator<Item = String> {
    std::fs::read_dir("/proc").unwrap().flatten().filter_map(|process| {
        let command = std::fs::read(process.path().join("cmdline")).ok()?;
        Some(String::from_utf8_lossy(&command).replace('\0', " "))
    })
}
