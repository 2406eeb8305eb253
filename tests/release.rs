//! What a release needs: notes from the changelog, one version everywhere, and targets that exist.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

const WORKFLOW: &str = include_str!("../.github/workflows/release.yml");
const DOCKERFILE: &str = include_str!("../Dockerfile");
const MAKEFILE: &str = include_str!("../Makefile");

const CHANGELOG: &str = "\
# Changelog

## [Unreleased]

- not yet

## [0.2.0] - 2027-01-31

### Added

- a thing, see [#7]

## v0.1.0

- the first

## [0.0.9]

[0.2.0]: https://example.com/0.2.0
[#7]: https://example.com/7
";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn notes(version: &str, changelog: &Path) -> Output {
    Command::new(root().join("release/notes")).arg(version).arg(changelog).output().unwrap()
}

fn in_a_folder(changelog: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("CHANGELOG.md");
    fs::write(&path, changelog).unwrap();
    (folder, path)
}

#[test]
fn the_notes_are_the_section_of_the_version_and_nothing_else() {
    let (_folder, path) = in_a_folder(CHANGELOG);
    for (version, section) in [("0.2.0", "### Added\n\n- a thing, see [#7]\n"), ("0.1.0", "- the first\n")] {
        let output = notes(version, &path);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(String::from_utf8(output.stdout).unwrap(), section);
    }
}

#[test]
fn notes_that_are_missing_end_in_one_line_that_says_what_to_write() {
    let (folder, path) = in_a_folder(CHANGELOG);
    for (version, path, said) in [
        (
            "0.3.0",
            path.clone(),
            "CHANGELOG.md has no section for 0.3.0: write one with the heading ## [0.3.0]",
        ),
        // Each character of a version is itself.
        ("0.2.", path.clone(), "CHANGELOG.md has no section for 0.2."),
        ("0x2.0", path.clone(), "CHANGELOG.md has no section for 0x2.0"),
        ("0.0.9", path, "CHANGELOG.md: the section for 0.0.9 is empty: write what has changed"),
        ("0.2.0", folder.path().join("none.md"), "none.md is missing: write it, with a section ## [0.2.0]"),
        ("", folder.path().join("none.md"), "which version? Write VERSION=0.1.0"),
    ] {
        let output = notes(version, &path);
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && output.stdout.is_empty(), "{version}: {text}");
        assert!(text.starts_with("error: ") && text.contains(said) && text.lines().count() == 1, "{text}");
    }
}

fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&fs::read_to_string(root().join(path)).unwrap()).unwrap()
}

#[test]
fn the_chart_installs_the_binary_of_its_own_version() {
    let chart = yaml("charts/database-operator/Chart.yaml");
    for key in ["version", "appVersion"] {
        assert_eq!(chart[key], env!("CARGO_PKG_VERSION"), "{key}");
    }
}

/// What `make image-binary` doesn't decide.
#[test]
fn the_dockerfile_has_the_user_of_the_chart_and_the_compiler_of_the_image() {
    let ids = &yaml("charts/database-operator/values.yaml")["securityContext"];
    let user = format!("\nUSER {}:{}\n", ids["runAsUser"], ids["runAsGroup"]);
    assert!(DOCKERFILE.contains(&user), "{user}");
    let toolchain = include_str!("../image/rust-toolchain.toml");
    let channel = toolchain.lines().find_map(|line| line.strip_prefix("channel = \"")).unwrap();
    let image = format!("/rust:{}-", channel.trim_end_matches('"'));
    assert!(DOCKERFILE.contains(&image), "{image}");
    assert!(DOCKERFILE.contains("RUN make image-binary "));
}

#[test]
fn the_workflow_runs_targets_that_exist_and_actions_that_nobody_can_replace() {
    let targets: Vec<&str> = WORKFLOW
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once("make ")?.1.split(" >").next())
        .flat_map(str::split_whitespace)
        .filter(|word| !word.starts_with('-'))
        .collect();
    assert_eq!(targets, ["release-check", "image", "image-test", "reproducible", "notes", "publish"]);
    for target in targets {
        assert!(MAKEFILE.contains(&format!("\n{target}: ")), "{target}");
    }
    let actions: Vec<&str> =
        WORKFLOW.lines().filter_map(|line| line.split_once("uses: ").map(|(_, uses)| uses)).collect();
    assert!(actions.len() >= 3, "{actions:?}");
    for action in actions {
        let (commit, version) = action.split_once('@').unwrap().1.split_once(" # v").unwrap();
        assert!(commit.len() == 40 && commit.chars().all(|c| c.is_ascii_hexdigit()), "{action}");
        assert!(!version.is_empty(), "{action}");
    }
}
