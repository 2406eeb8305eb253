//! The documents name tests that exist, and show what holds.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use api::reason::{Place, Reason};

#[path = "docs/commands.rs"]
mod commands;
#[path = "docs/facts.rs"]
mod facts;
#[path = "docs/manifests.rs"]
mod manifests;
#[path = "docs/monitoring.rs"]
mod monitoring;
#[path = "docs/pages.rs"]
mod pages;
#[path = "common/sandbox_programs.rs"]
mod sandbox_programs;
#[path = "common/sources.rs"]
mod sources;
#[path = "docs/texts.rs"]
mod texts;

const SECURITY: &str = include_str!("../docs/security.md");

#[test]
fn each_test_that_the_security_page_names_exists() {
    // Names stand in backquotes: in the first table in the last column, in the second beside other words.
    let words = |text: &'static str| text.split('`').skip(1).step_by(2);
    let (first, second) = SECURITY.split_once("## What others").unwrap();
    let is_long = |word: &&str| {
        word.matches('_').count() >= 3 && word.chars().all(|c| c.is_ascii_lowercase() || c == '_')
    };
    let rows = |text: &'static str| text.lines().filter(|line| line.starts_with("| "));
    let named: Vec<&str> = rows(first)
        .filter_map(|row| row.trim_matches('|').rsplit('|').next())
        .flat_map(words)
        .chain(rows(second).flat_map(words).filter(is_long))
        .collect();
    assert!(named.len() > 40, "{named:?}");
    assert_eq!(sources::missing(named), Vec::<&str>::new());
}

#[test]
fn the_security_page_has_a_row_for_each_way_with_a_test() {
    let table =
        SECURITY.split("## Ways to lose data").nth(1).unwrap().split("## What others").next().unwrap();
    let rows: Vec<&str> =
        table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| way")).collect();
    assert!(rows.len() >= 14);
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').collect();
        assert_eq!(cells.len(), 3, "{row}");
        assert!(cells[2].contains('`'), "no test: {row}");
    }
}

/// Set to `write`, the tables of reasons are written into the page.
const WRITE: &str = "DOCS";

#[test]
fn the_status_page_shows_each_reason_what_it_means_and_who_acts() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/status.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let mut shown = page.clone();
    for place in [Place::Database, Place::Condition, Place::Event, Place::Retained] {
        let begin = format!("<!-- reasons: {place:?} -->\n");
        let (before, rest) = shown.split_once(&begin).unwrap_or_else(|| panic!("no {begin}"));
        let (_, after) = rest.split_once("<!-- end -->").unwrap();
        let rows: Vec<String> = Reason::ALL
            .iter()
            .filter(|reason| reason.place() == place)
            .map(|reason| format!("| `{reason}` | {} | {} |", reason.meaning().trim(), reason.who_acts()))
            .collect();
        let rows = rows.join("\n");
        shown = format!(
            "{before}{begin}\n| reason | what it means | who acts |\n|---|---|---|\n{rows}\n\n<!-- end -->{after}"
        );
    }
    if std::env::var(WRITE).is_ok_and(|write| write == "write") {
        std::fs::write(&path, shown).unwrap();
    } else {
        assert!(
            page == shown,
            "docs/status.md is not as api/src/reason.rs says: {WRITE}=write cargo test --test docs"
        );
    }
}

#[test]
fn a_reason_is_one_of_the_list_wherever_the_operator_gives_one() {
    let all = [sources::below("src/controller"), sources::below("src/azure")].concat();
    let all = all.split("#[cfg(test)]").collect::<String>();
    // A literal in its place would be known to nobody.
    for call in ["Blocked::by(\"", "reason: \"", "publish(database, \"", "Said::by(\""] {
        assert!(!all.contains(call), "{call}");
    }
    let unused: Vec<&Reason> =
        Reason::ALL.iter().filter(|reason| !all.contains(&format!("Reason::{reason}"))).collect();
    assert!(unused.is_empty(), "{unused:?}");
}

#[test]
fn the_policy_page_shows_a_policy_that_holds() {
    const PAGE: &str = include_str!("../docs/policy.md");
    let yaml = PAGE.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let parsed = policy::Policy::parse(yaml);
    assert!(parsed.is_ok(), "{}", parsed.unwrap_err());
    // It shows all there is: each key of the schema, wherever it stands.
    let schema: serde_json::Value = serde_json::from_str(include_str!("../docs/policy.schema.json")).unwrap();
    let mut keys = Vec::new();
    properties(&schema, &mut keys);
    let missing: Vec<&String> = keys.iter().filter(|key| !yaml.contains(&format!("{key}:"))).collect();
    // Keys of `enforcement` are those of `allow`, which are there.
    assert!(missing.is_empty(), "{missing:?}");
}

/// The names of all properties of a schema.
fn properties(schema: &serde_json::Value, names: &mut Vec<String>) {
    match schema {
        serde_json::Value::Object(map) => {
            if let Some(serde_json::Value::Object(properties)) = map.get("properties") {
                names.extend(properties.keys().cloned());
            }
            map.values().for_each(|value| properties(value, names));
        }
        serde_json::Value::Array(values) => values.iter().for_each(|value| properties(value, names)),
        _ => {}
    }
}

/// Between two rows of it an app finds all that it may take.
#[test]
fn the_page_on_connecting_names_each_key_of_the_secret() {
    const PAGE: &str = include_str!("../docs/connecting.md");
    const SECRET: &str = include_str!(
        "../src/controller/server/snapshots/database_operator__controller__server__binding__tests__password.snap"
    );
    let rows: Vec<&str> = PAGE
        .split("## The Secret")
        .nth(1)
        .unwrap()
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split('|').next())
        .collect();
    let json = SECRET.rsplit("---").next().unwrap();
    let keys: std::collections::BTreeMap<String, String> = serde_json::from_str(json).unwrap();
    assert!(keys.len() > 12);
    // What all know by another test.
    for key in keys.keys().map(String::as_str).chain(["ca.crt"]) {
        assert!(rows.iter().any(|row| row.contains(&format!("`{key}`"))), "{key}: {rows:?}");
    }
}

/// A link to a page or a heading of our own leads there.
#[test]
fn each_link_between_pages_leads_somewhere() {
    let mut links = 0;
    for pages::Page { path: page, text, .. } in pages::all() {
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") {
                continue;
            }
            links += 1;
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.clone() } else { page.with_file_name("").join(file) };
            assert!(target.exists(), "{}: {link}", page.display());
            let has =
                |line: &str| line.starts_with('#') && anchor(line.trim_start_matches('#').trim()) == heading;
            assert!(
                heading.is_empty() || std::fs::read_to_string(&target).unwrap().lines().any(has),
                "{}: {link}",
                page.display()
            );
        }
    }
    assert!(links > 30, "{links}");
}

/// As GitHub names a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// The example is run: what the pages say of a pod is the same.
#[test]
fn the_pod_that_the_pages_show_is_that_of_the_example() {
    const EXAMPLE: &str = include_str!("../examples/app-python.yaml");
    const PAGES: [&str; 2] = [include_str!("../README.md"), include_str!("../docs/connecting.md")];
    let documents: Vec<serde_json::Value> = serde_saphyr::from_multiple(EXAMPLE).unwrap();
    let deployment = documents.iter().find(|document| document["kind"] == "Deployment").unwrap();
    let example = &deployment["spec"]["template"];
    for page in PAGES {
        let shown = page.split("```yaml\n").find(|block| block.contains("PGSSLROOTCERT")).unwrap();
        let shown = shown.split("```").next().unwrap().replace("my-app-db", "orders");
        let shown: serde_json::Value = serde_saphyr::from_str(&shown).unwrap();
        let label = "azure.workload.identity/use";
        assert_eq!(shown["metadata"]["labels"][label], example["metadata"]["labels"][label]);
        let (pod, of_example) = (&shown["spec"], &example["spec"]);
        assert_eq!(pod["serviceAccountName"], of_example["serviceAccountName"]);
        assert_eq!(pod["containers"][0]["env"], of_example["containers"][0]["env"]);
        for (list, of_example) in [
            (&pod["volumes"], &of_example["volumes"]),
            (&pod["containers"][0]["volumeMounts"], &of_example["containers"][0]["volumeMounts"]),
        ] {
            assert!(of_example.as_array().unwrap().contains(&list[0]), "{}", list[0]);
        }
    }
}

/// The budgets stand in the page. Some of a container's memory is the kernel's own, and more databases than were measured
/// are no reason to be killed.
#[test]
fn the_chart_asks_for_what_the_page_on_performance_allows_and_is_limited_to_twice_that() {
    const PAGE: &str = include_str!("../docs/performance.md");
    const VALUES: &str = include_str!("../charts/database-operator/values.yaml");
    let budget = |what: &str| {
        let row = PAGE.lines().find(|line| line.starts_with(&format!("| {what} |"))).expect(what);
        let cell = row.split('|').nth(2).unwrap().trim();
        cell.strip_suffix(" MB").unwrap().parse::<u64>().unwrap() * 1_000_000
    };
    let values: serde_json::Value = serde_saphyr::from_str(VALUES).unwrap();
    let given = |process: &str, which: &str| {
        let memory = values[process]["resources"][which]["memory"].as_str().unwrap();
        memory.strip_suffix("Mi").unwrap().parse::<u64>().unwrap() * 1024 * 1024
    };
    let most = budget("memory at its peak, 10000 databases");
    assert!(
        given("controller", "limits") >= 2 * most && given("controller", "limits") < 2 * most + most / 10
    );
    assert!(given("controller", "requests") >= budget("memory at its peak, 1000 databases"));
    assert!(given("webhook", "limits") >= 2 * budget("memory under load, at its peak"));
    assert!(given("webhook", "requests") >= budget("memory at rest"));
}

/// A page that names a file which has moved sends its reader nowhere.
#[test]
fn the_files_that_the_pages_name_are_there() {
    const FOLDERS: [&str; 11] = [
        "api", "certs", "charts", "docs", "examples", "policy", "postgres", "sandbox", "src", "tests",
        "webhook",
    ];
    let root = pages::root();
    let (mut count, mut absent) = (0, Vec::new());
    for page in pages::all() {
        for named in page.spans() {
            let folder = named.split_once('/').map_or("", |(folder, _)| folder);
            let is_file = FOLDERS.contains(&folder);
            if !is_file || named.contains(|c: char| c.is_whitespace() || "*<{".contains(c)) {
                continue;
            }
            count += 1;
            if !root.join(&named).exists() {
                absent.push(format!("{}: {named}", page.name));
            }
        }
    }
    // Or the pages name files in another way now.
    assert!(count > 10, "{count} files");
    assert!(absent.is_empty(), "{absent:#?}");
}
