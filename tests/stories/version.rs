//! Which version runs, as a person and as a monitor asks.

use std::process::Command;

use crate::{
    common::{metric, run},
    sandbox,
};

#[test]
fn both_processes_say_the_version_and_the_commit_that_the_command_line_prints() {
    let mut ask = Command::new(env!("CARGO_BIN_EXE_database-operator"));
    ask.arg("--version");
    let printed = run(ask, "").succeeded();
    let (version, commit) =
        printed.trim().strip_prefix("database-operator ").unwrap().split_once(" (commit ").unwrap();
    let commit = commit.strip_suffix(')').unwrap();
    assert_eq!(version, env!("CARGO_PKG_VERSION"));
    assert!(!commit.is_empty());
    let info = format!("database_operator_build_info{{version=\"{version}\",commit=\"{commit}\"}}");
    for process in ["webhook", "controller"] {
        assert_eq!(metric(sandbox(), process, &info), Some(1.0), "{process}: {info}");
    }
}
