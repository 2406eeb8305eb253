//! docs/troubleshooting.md quotes errors. Who searches it for the text that they see must find it there, so each text is one that
//! somebody says: the operator, by its sources and by what its tests have written down, or another program, which a test of ours has
//! heard say it.

use std::path::Path;

use api::reason::Reason;
use walkdir::WalkDir;

use crate::pages::{self, Page, root};

const PAGE: &str = "docs/troubleshooting.md";
/// Where the operator's words stand.
const OURS: [&str; 8] = [
    "api/src",
    "certs/src",
    "charts/database-operator/templates",
    "policy/src",
    "postgres/src",
    "postgres/tests",
    "src",
    "webhook",
];
/// What others say stands where a test waits for it, and where the stand-in for Azure says it.
const HEARD: [&str; 5] = ["tests/chart", "tests/stories", "tests/logins", "postgres/tests", "sandbox/src"];
/// How far apart two parts of a text may stand in a file.
const APART: usize = 400;

/// What nobody says here: there is no kubelet, and no Java in each run. Each with where it is written.
const SAID_ELSEWHERE: &[(&str, &str)] = &[
    ("MountVolume.SetUp failed for volume", "kubernetes/kubernetes pkg/kubelet/volumemanager"),
    ("Error: secret", "kubernetes/kubernetes pkg/kubelet/kubelet_pods.go"),
    ("Error: couldn't find key", "kubernetes/kubernetes pkg/kubelet/kubelet_pods.go"),
    ("Could not open SSL root certificate file", "pgjdbc/pgjdbc LibPQFactory.java"),
    (
        "DefaultAzureCredential failed to retrieve a token",
        "Azure/azure-sdk-for-python DefaultAzureCredential",
    ),
    ("The access token does not have a valid audience claim", "microsoft/azuredatastudio-postgresql#505"),
    ("remaining connection slots are reserved", "postgres/postgres src/backend/utils/init/postinit.c"),
    ("…: no endpoints available for service", "kubernetes/apiserver pkg/util/proxy/proxy.go"),
    ("could not translate host name", "postgres/postgres src/interfaces/libpq/fe-connect.c"),
    ("…: net/http: request canceled while waiting", "sse-secure-systems/connaisseur#532"),
];

/// The first column of the tables between such comments.
fn quoted(page: &Page, whose: &str) -> Vec<String> {
    let begin = format!("<!-- texts: {whose} -->");
    let tables = page.text.split(&begin).skip(1);
    let tables = tables.map(|table| table.split("<!-- end -->").next().unwrap());
    let rows = tables.flat_map(str::lines).filter(|row| row.starts_with("| ") && !row.starts_with("| what"));
    let texts = rows.map(|row| row.split('`').nth(1).unwrap_or_else(|| panic!("no text: {row}")).to_owned());
    texts.collect()
}

/// As it is read by people: on one line, without what a file needs to hold it.
fn plain(text: &str) -> String {
    let joined = text.split("\\\n").map(str::trim_start).collect::<Vec<_>>().concat();
    joined.replace("\\\"", "\"").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Each file below these folders that has words of people's.
fn files(folders: &[&str]) -> Vec<String> {
    let all = folders.iter().flat_map(|folder| WalkDir::new(root().join(folder)));
    let paths = all.map(|entry| entry.unwrap().into_path()).filter(|path| has_words(path));
    paths.map(|path| plain(&std::fs::read_to_string(path).unwrap())).collect()
}

fn has_words(path: &Path) -> bool {
    path.extension().is_some_and(|extension| ["rs", "snap", "yaml"].iter().any(|words| extension == *words))
}

/// Whether a file says all parts of a text, one after the other.
fn says(file: &str, text: &str) -> bool {
    let parts: Vec<&str> = text.split('…').map(str::trim).filter(|part| !part.is_empty()).collect();
    let (first, rest) = parts.split_first().unwrap();
    file.match_indices(first).any(|(at, found)| {
        let mut at = at + found.len();
        rest.iter().all(|part| {
            let mut end = (at + APART).min(file.len());
            while !file.is_char_boundary(end) {
                end += 1;
            }
            let found = file[at..end].find(part);
            at += found.unwrap_or_default() + part.len();
            found.is_some()
        })
    })
}

#[test]
fn each_error_of_ours_that_is_quoted_is_one_that_the_operator_says() {
    let (texts, files) = (quoted(&pages::page(PAGE), "ours"), files(&OURS));
    assert!(texts.len() > 40, "{texts:?}");
    // A condition begins with a capital letter, whatever its words are elsewhere.
    let in_a_sentence = |text: &str| match text.strip_prefix(char::is_uppercase) {
        Some(rest) => text[..text.len() - rest.len()].to_lowercase() + rest,
        None => text.to_owned(),
    };
    let is_said =
        |text: &&String| files.iter().any(|file| says(file, text) || says(file, &in_a_sentence(text)));
    let unknown: Vec<&String> = texts.iter().filter(|text| !is_said(text)).collect();
    assert!(unknown.is_empty(), "nobody says: {unknown:#?}");
}

#[test]
fn each_error_of_others_that_is_quoted_was_heard_or_is_written_somewhere() {
    let (texts, files) = (quoted(&pages::page(PAGE), "others"), files(&HEARD));
    assert!(texts.len() > 30, "{texts:?}");
    let is_elsewhere = |text: &&String| SAID_ELSEWHERE.iter().any(|(said, _)| text.starts_with(said));
    let unheard: Vec<&String> = texts
        .iter()
        .filter(|text| !is_elsewhere(text) && !files.iter().any(|file| says(file, text)))
        .collect();
    assert!(unheard.is_empty(), "no test hears: {unheard:#?}");
    let idle = SAID_ELSEWHERE.iter().filter(|(said, _)| !texts.iter().any(|text| text.starts_with(said)));
    assert_eq!(idle.collect::<Vec<_>>(), Vec::<&(&str, &str)>::new());
}

#[test]
fn a_text_is_said_where_its_parts_stand_one_after_the_other() {
    let file = plain(
        "    #[error(\n        \"the server {host} can't be \\\n         reached: \\\"{cause}\\\"\"\n    )]",
    );
    assert!(says(&file, "the server … can't be reached: …"));
    assert!(says(&file, "can't be reached: \"…\""));
    assert!(!says(&file, "can't be reached: … the server") && !says(&file, "the server … can be reached"));
    assert!(!says(&format!("one{}two", " ".repeat(2 * APART)), "one … two"));
}

/// In brackets behind a text stands the reason of the condition.
#[test]
fn each_reason_beside_a_text_is_one_that_a_status_has() {
    const CODES: &str = include_str!("../../src/azure/condition.rs");
    let page = pages::page(PAGE);
    let rows = page.text.lines().filter(|row| row.starts_with("| `"));
    let beside = rows.filter_map(|row| row.split(" | ").next()?.split_once("` (`"));
    let reasons: Vec<&str> = beside
        .flat_map(|(_, reasons)| reasons.split('`').step_by(2))
        .filter(|reason| reason.chars().all(char::is_alphanumeric))
        .collect();
    assert!(reasons.len() > 30, "{reasons:?}");
    let known =
        |reason: &&&str| Reason::parse(reason).is_some() || CODES.contains(&format!("(\"{reason}\", "));
    let unknown: Vec<_> = reasons.iter().filter(|reason| !known(reason) && !reason.is_empty()).collect();
    assert_eq!(unknown, Vec::<&&str>::new());
}
