//! values.yaml, its schema and the table in the README say the same.
//!
//! The comment of a value is written once, in values.yaml, and its type once, in the schema. The rest is written by
//! `DOCS=write cargo test --test chart`.

use std::{fmt::Write, fs};

use serde_json::Value;

use crate::CHART;

/// Set to `write`, what is generated is written.
const WRITE: &str = "DOCS";
const VALUES: &str = include_str!("../../charts/database-operator/values.yaml");

pub(crate) fn values() -> Value {
    serde_saphyr::from_str(VALUES).unwrap()
}

pub(crate) fn schema() -> Value {
    serde_json::from_str(&fs::read_to_string(schema_file()).unwrap()).unwrap()
}

fn schema_file() -> String {
    format!("{CHART}/values.schema.json")
}

/// The values below one, each with its schema.
pub(crate) fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema["properties"].as_object().into_iter().flatten()
}

/// Whether it only holds values of the chart's. What Kubernetes defines is one value, such as a list of tolerations.
pub(crate) fn is_group(schema: &Value) -> bool {
    schema["properties"].is_object()
}

/// A value of the chart's, with its path and what values.yaml says of it.
#[derive(Debug)]
pub(crate) struct Leaf {
    pub(crate) path: String,
    comment: String,
}

/// All values with a comment, in the order of values.yaml.
pub(crate) fn leaves() -> Vec<Leaf> {
    let (mut leaves, mut keys, mut comment) = (Vec::new(), Vec::<(usize, &str)>::new(), Vec::new());
    for line in VALUES.lines() {
        let text = line.trim_start();
        let indent = line.len() - text.len();
        if let Some(said) = text.strip_prefix("# ") {
            comment.push(said);
        } else if let Some((key, _)) = text.split_once(':') {
            keys.retain(|(outer, _)| *outer < indent);
            keys.push((indent, key));
            let path: Vec<&str> = keys.iter().map(|(_, key)| *key).collect();
            if !comment.is_empty() {
                leaves.push(Leaf { path: path.join("."), comment: comment.join("\n") });
            }
            comment.clear();
        }
    }
    leaves
}

pub(crate) fn at<'a>(value: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(value, |value, key| &value[key])
}

pub(crate) fn put(value: &mut Value, path: &str, new: Value) {
    *path.split('.').fold(value, |value, key| &mut value[key]) = new;
}

/// Each value by its path, as the schema has them; and each group, which must be closed.
fn walk<'a>(schema: &'a Value, path: &str, values: &Value, leaves: &mut Vec<(String, &'a Value)>) {
    assert_eq!(schema["additionalProperties"], false, "values.schema.json: {path} is not closed");
    let in_schema: Vec<&String> = properties(schema).map(|(key, _)| key).collect();
    let mut required: Vec<&str> =
        schema["required"].as_array().unwrap().iter().map(|key| key.as_str().unwrap()).collect();
    let mut keys: Vec<&str> = values.as_object().unwrap().keys().map(String::as_str).collect();
    required.sort_unstable();
    keys.sort_unstable();
    // Null would take a value away.
    assert_eq!(required, keys, "values.yaml against `required` of values.schema.json, {path}");
    for (key, schema) in properties(schema) {
        // Helm's own.
        if path.is_empty() && key == "global" {
            continue;
        }
        assert!(keys.contains(&key.as_str()), "values.yaml has no {path}{key}: {in_schema:?}");
        let path = format!("{path}{key}");
        if is_group(schema) {
            walk(schema, &format!("{path}."), &values[key], leaves);
        } else {
            leaves.push((path, schema));
        }
    }
}

#[test]
fn the_schema_has_each_value_with_its_comment_and_no_other() {
    let (mut shown, leaves) = (schema(), leaves());
    let before = shown.clone();
    let mut in_schema = Vec::new();
    walk(&before, "", &values(), &mut in_schema);
    for (path, _) in &in_schema {
        let comment = leaves.iter().find(|leaf| leaf.path == *path).map(|leaf| leaf.comment.as_str());
        let comment = comment.unwrap_or_else(|| panic!("values.yaml: {path} has no comment"));
        assert!(!comment.contains('\n'), "values.yaml: {path} has more than one line of comment");
        put(
            &mut shown,
            &format!("properties.{}.description", path.replace('.', ".properties.")),
            comment.into(),
        );
    }
    let strangers = leaves.iter().filter(|leaf| !in_schema.iter().any(|(path, _)| *path == leaf.path));
    assert_eq!(strangers.map(|leaf| &leaf.path).collect::<Vec<_>>(), Vec::<&String>::new());
    agrees(&schema_file(), &format!("{}\n", serde_json::to_string_pretty(&shown).unwrap()));
}

/// What people may write there.
fn kind(schema: &Value, root: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        return kind(root.pointer(reference.trim_start_matches('#')).unwrap(), root);
    }
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<String> = words.iter().map(|word| format!("`{}`", word.as_str().unwrap())).collect();
        return words.join(", ");
    }
    let bound = |key: &str, word: &str| {
        schema[key].as_u64().map(|bound| format!(", {word} {bound}")).unwrap_or_default()
    };
    match schema["type"].as_str().unwrap() {
        "array" => "list".to_owned(),
        "object" => "map".to_owned(),
        "integer" => format!("integer{}{}", bound("minimum", "at least"), bound("maximum", "at most")),
        other => other.to_owned(),
    }
}

#[test]
fn the_readme_has_a_row_for_each_value() {
    let (schema, values) = (schema(), values());
    let mut rows =
        String::from("\n| value | type | default | what it is, and when to change it |\n|---|---|---|---|\n");
    for Leaf { path, comment } in leaves() {
        let of = at(&schema, &format!("properties.{}", path.replace('.', ".properties.")));
        let kind = kind(of, &schema);
        writeln!(rows, "| `{path}` | {kind} | `{}` | {comment} |", at(&values, &path)).unwrap();
    }
    assert!(!rows.contains("||"), "{rows}");
    let file = format!("{CHART}/README.md");
    let page = fs::read_to_string(&file).unwrap();
    let (before, rest) = page.split_once("<!-- values -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- end -->").unwrap();
    agrees(&file, &format!("{before}<!-- values -->\n{rows}\n<!-- end -->{after}"));
}

/// Compares a file with what it must be, or writes it.
fn agrees(file: &str, text: &str) {
    if std::env::var(WRITE).is_ok_and(|write| write == "write") {
        fs::write(file, text).unwrap();
    } else {
        let is = fs::read_to_string(file).unwrap() == text;
        assert!(is, "{file} is not as values.yaml says: {WRITE}=write cargo test --test chart");
    }
}
