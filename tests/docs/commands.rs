//! Commands that a page shows are ones that the programs have.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
    sync::LazyLock,
};

use crate::{
    pages::{self, Page},
    sandbox_programs,
};

/// What a program prints about one of its commands; `None` where it has no such command.
fn help(program: &str, words: &[&str]) -> Option<String> {
    let home = tempfile::tempdir().unwrap();
    let mut command = match program {
        "database-operator" => Command::new(env!("CARGO_BIN_EXE_database-operator")),
        "database-sandbox" => Command::new(sandbox_programs::sandbox()),
        other => Command::new(sandbox_programs::program(other)),
    };
    // Neither plugins nor settings of the user's.
    command.args(words).arg("--help").env("HOME", home.path()).env_remove("KUBECONFIG");
    let output = command.env("HELM_PLUGINS", home.path()).output().unwrap();
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}

/// Flags that kubectl takes everywhere.
static EVERYWHERE: LazyLock<String> = LazyLock::new(|| {
    let output = Command::new(sandbox_programs::program("kubectl")).arg("options").output().unwrap();
    String::from_utf8(output.stdout).unwrap()
});

/// The flags that a command gets, without their values.
fn flags<'a>(words: &[&'a str]) -> BTreeSet<&'a str> {
    let long = words.iter().filter(|word| word.starts_with("--") && word.len() > 2);
    long.map(|word| word.split('=').next().unwrap()).collect()
}

/// Whether a text of help has a flag, and no longer one that begins so.
fn has(help: &str, flag: &str) -> bool {
    help.match_indices(flag).any(|(at, _)| {
        let after = help[at + flag.len()..].chars().next();
        after.is_none_or(|after| !after.is_alphanumeric() && after != '-')
    })
}

/// The commands that a line has: whatever follows a program's name until a pipe or another command.
fn calls(line: &str, program: &str) -> Vec<Vec<String>> {
    let parts = line.split("$(").flat_map(|part| part.split([';', '|', ')']));
    let parts = parts.map(|part| part.trim().trim_start_matches("target/debug/"));
    let calls = parts.filter_map(|part| part.strip_prefix(&format!("{program} ")));
    // What stands in quotes is one word, and no flag.
    calls
        .map(|call| {
            let outside: String = call.split('\'').step_by(2).collect::<Vec<_>>().join("VALUE");
            outside.split_whitespace().map(|word| word.trim_matches('"').to_owned()).collect()
        })
        .collect()
}

/// Words after which another one says what is done.
const GROUPS: [&str; 6] = ["auth", "create", "policy", "repo", "rollout", "secret"];

/// The subcommand among the words of a call; flags may stand before it.
fn subcommand<'a>(words: &[&'a str]) -> Vec<&'a str> {
    let mut rest = words.iter().copied().peekable();
    while rest.peek().is_some_and(|word| word.starts_with('-')) {
        let flag = rest.next().unwrap();
        // The namespace of kubectl is the one that stands there.
        if ["-n", "--namespace"].contains(&flag) {
            rest.next();
        }
    }
    let mut found = Vec::new();
    for word in rest.take_while(|word| word.chars().all(|c| c.is_ascii_lowercase() || "-…".contains(c))) {
        if word.starts_with('-') {
            break;
        }
        found.push(word);
        if !GROUPS.contains(&word) {
            break;
        }
    }
    found
}

fn judge(page: &Page, program: &str, wrong: &mut Vec<String>) -> usize {
    let mut count = 0;
    for line in page.commands() {
        for call in calls(&line, program) {
            let words: Vec<&str> = call.iter().map(String::as_str).collect();
            let subcommand = subcommand(&words);
            // An ellipsis, or a plugin of others.
            if subcommand.first().is_none_or(|word| ["…", "diff", "database"].contains(word)) {
                continue;
            }
            count += 1;
            let Some(help) = help(program, &subcommand) else {
                wrong.push(format!("{}: {program} {subcommand:?}: {line}", page.name));
                continue;
            };
            let unknown =
                |flag: &&&str| !(has(&help, flag) || program == "kubectl" && has(&EVERYWHERE, flag));
            let flags = flags(&words);
            let unknown: Vec<_> = flags.iter().filter(unknown).collect();
            if !unknown.is_empty() {
                wrong.push(format!("{}: {program} {subcommand:?} has no {unknown:?}: {line}", page.name));
            }
        }
    }
    count
}

#[test]
fn each_command_of_kubectl_helm_and_ours_is_there_with_its_flags() {
    let (mut counts, mut wrong) = (BTreeMap::new(), Vec::new());
    for page in pages::all() {
        for program in ["kubectl", "helm", "database-operator", "database-sandbox"] {
            *counts.entry(program).or_insert(0) += judge(&page, program, &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(counts["kubectl"] > 50 && counts["helm"] > 15 && counts["database-sandbox"] > 1, "{counts:?}");
}

/// A flag that stands alone is one of the operator's processes, or of the tools that the page is about.
#[test]
fn each_flag_that_is_named_alone_is_there() {
    let ours = [&["webhook"][..], &["controller"]].map(|words| help("database-operator", words).unwrap());
    let theirs = ["install", "upgrade", "uninstall"].map(|word| help("helm", &[word]).unwrap());
    let kubectl = ["delete", "apply", "replace"].map(|word| help("kubectl", &[word]).unwrap());
    // Of the API server.
    let elsewhere = ["--admission-control-config-file"];
    let known = [&ours[..], &theirs[..], &kubectl[..]].concat().concat();
    let (mut count, mut unknown) = (0, Vec::new());
    for page in pages::all() {
        for span in page.spans().into_iter().filter(|span| span.starts_with("--")) {
            for flag in flags(&span.split_whitespace().collect::<Vec<_>>()) {
                count += 1;
                if !has(&known, flag) && !elsewhere.contains(&flag) {
                    unknown.push(format!("{}: {flag}", page.name));
                }
            }
        }
    }
    assert!(count > 10, "{count} flags");
    assert!(unknown.is_empty(), "{unknown:#?}");
}

#[test]
fn a_shell_can_read_each_block_that_people_copy() {
    let mut count = 0;
    for page in pages::all() {
        for block in page.blocks().iter().filter(|block| block.language == "sh") {
            count += 1;
            let bash = Command::new("bash").args(["-n", "-c", &block.text]).output().unwrap();
            let said = String::from_utf8_lossy(&bash.stderr);
            assert!(bash.status.success(), "{}: {said}{}", page.name, block.text);
        }
    }
    assert!(count > 10, "{count} blocks");
}

#[test]
fn a_command_is_found_in_a_line_with_others() {
    let line = "export A=\"$(kubectl -n x get pods --watch -o 'jsonpath={--no}')\"; helm repo list | kubectl create secret generic --y=1";
    let kubectl = calls(line, "kubectl");
    assert_eq!(kubectl.len(), 2, "{kubectl:?}");
    let words: Vec<&str> = kubectl[0].iter().map(String::as_str).collect();
    assert_eq!((subcommand(&words), flags(&words)), (vec!["get"], ["--watch"].into()));
    let words: Vec<&str> = kubectl[1].iter().map(String::as_str).collect();
    assert_eq!((subcommand(&words), flags(&words)), (vec!["create", "secret", "generic"], ["--y"].into()));
    assert!(has("      --wait: waits", "--wait") && !has("--wait-for-jobs", "--wait"));
}
