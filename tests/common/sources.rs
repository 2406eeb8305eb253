//! The sources of this repository as text: what a document names must stand in them.

use std::path::Path;

/// Wherever tests are.
const FOLDERS: &[&str] = &[
    "src",
    "tests",
    "api/src",
    "exposition/src",
    "policy/src",
    "postgres/src",
    "postgres/tests",
    "webhook/src",
    "webhook/tests",
    "certs/src",
    "sandbox/src",
    "benches",
];

/// Every line of Rust in a folder of the repository.
pub fn below(folder: &str) -> String {
    let mut text = String::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut text);
    text
}

fn read(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

/// Those of these functions that stand nowhere.
pub fn missing<'a>(functions: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let all: String = FOLDERS.iter().map(|folder| below(folder)).collect();
    functions.into_iter().filter(|name| !all.contains(&format!("fn {name}("))).collect()
}
