//! Private words that were replaced by the field's own don't come back, be it as a name, in a comment or in a page.
//!
//! A word is in this list once it is gone everywhere. Who replaces another one adds it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{fs, path::Path};

use walkdir::WalkDir;

/// Words, and what to write instead of them.
const REPLACED: &[(&[&str], &str)] = &[
    (&["Claim", "claim::"], "Adoption of a server, RecoveryRequest of its data"),
    (&["Desk"], "Handler"),
    (&["Doomed"], "ServerRef"),
    (&["Unfit"], "Invalid"),
    (&["born"], "created, created_at"),
    (&["finds_nothing"], "probe_found_nothing"),
    (&["goes by itself"], "is deleted by the operator"),
    (&["has had its day"], "is deleted"),
    (&["gone without a word"], "gone, and nobody has decided what becomes of its data"),
    (&["has_marks", "only_marks_differ"], "has_our_metadata, only_metadata_differs"),
    (&["is_let_go", "let_go"], "is_released, delete_object"),
    (&["only_looks"], "is_probe"),
    (&["sets_off", "sets off", "set off"], "triggers_tool: a tool would act on it"),
    (&["spares_ready", "spare("], "keeps_ready, cancel_destroy"),
    (&["take_apart", "takes apart"], "delete_in_order"),
    (&["taken_from", "UnderName"], "conflict_with, NameHolder"),
    (&["nobody said a word"], "nobody has decided"),
    (&["takes the rest for nothing"], "ignores the other fields"),
    (&["union(", "yielding"], "merge_notes, effective_over_defaults"),
    (&["vouch", "vouches", "is_vouched_for"], "has the owner labels, says that it belongs to"),
    (&["Who waits is ready"], "a standby is ready"),
    (
        &[
            "is no GUID",
            "is no IPv4",
            "is no UTF",
            "is no YAML",
            "is no database",
            "is no day",
            "is no disk",
            "is no extension",
            "is no field",
            "is no hour",
            "is no https",
            "is no key",
            "is no major",
            "is no name",
            "is no number",
            "is no rule",
            "is no server",
            "is no size",
            "is no uid",
            "is no version",
        ],
        "is not a",
    ),
];

const FOLDERS: [&str; 10] =
    ["api", "certs", "docs", "exposition", "image", "policy", "postgres", "sandbox", "src", "webhook"];

/// Whether a line has a word, and not only as a part of another one. That there is no such thing can be said.
fn has(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + word.len()..]);
        let goes_on = word.ends_with(is_part) && after.starts_with(is_part);
        !goes_on && !before.ends_with(is_part) && !before.ends_with("there ")
    })
}

#[test]
fn no_word_that_was_replaced_is_written_again() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut files, mut found) = (0, Vec::new());
    for entry in FOLDERS.iter().flat_map(|folder| WalkDir::new(root.join(folder)).sort_by_file_name()) {
        let path = entry.unwrap().into_path();
        if path.extension().is_none_or(|extension| extension != "rs" && extension != "md") {
            continue;
        }
        files += 1;
        let shown = path.strip_prefix(root).unwrap().display();
        for (line, number) in fs::read_to_string(&path).unwrap().lines().zip(1..) {
            for (words, instead) in REPLACED {
                let again = words.iter().filter(|word| has(line, word));
                found.extend(again.map(|word| format!("  {shown}:{number}: {word}; write: {instead}")));
            }
        }
    }
    // Or the folders have other names now.
    assert!(files > 300, "{files} files");
    assert!(found.is_empty(), "words that were replaced:\n{}", found.join("\n"));
}

#[test]
fn a_word_is_found_where_it_stands_alone() {
    assert!(has("    let born = now;", "born") && has("\"x\" is no size that", "is no size"));
    assert!(has("union(a)", "union(") && !has("reunion(a)", "union("));
    assert!(!has("stubborn", "born") && !has("when it is_born_again", "born"));
    assert!(!has("where there is no size", "is no size"));
}
