//! The programs that the sandbox builds or finds.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

/// The sandbox's own.
pub fn sandbox() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_database-operator")).with_file_name("database-sandbox")
}

/// By name.
static PROGRAMS: LazyLock<BTreeMap<String, PathBuf>> = LazyLock::new(|| {
    let output = Command::new(sandbox()).arg("tools").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let line = |line: &str| {
        let (name, path) = line.split_once("  ")?;
        Some((name.to_owned(), PathBuf::from(path.trim())))
    };
    text.lines().filter_map(line).collect()
});

#[track_caller]
pub fn program(name: &str) -> &'static Path {
    PROGRAMS.get(name).unwrap_or_else(|| panic!("the sandbox has no {name}"))
}
