//! docs/availability.md has what was measured.

use std::{fmt::Write, fs, path::Path};

use sandbox::Sandbox;

use crate::{events::Row, memory::Memory};

/// Set to `write`, what was measured is written into the page.
const WRITE: &str = "AVAILABILITY";
const BEGIN: &str = "<!-- measured -->\n";
const END: &str = "<!-- end -->";

/// Writes the tables, or says that the page has rows for other events.
pub(crate) fn check(sandbox: &Sandbox, rows: &[Row], memory: &[Memory]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/availability.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (table, after) = rest.split_once(END).unwrap();
    if std::env::var(WRITE).is_ok_and(|value| value == "write") {
        fs::write(
            &path,
            format!("{before}{BEGIN}\n{}\n{}\n{END}{after}", written(rows), written_memory(sandbox, memory)),
        )
        .unwrap();
        return;
    }
    let events = rows.iter().map(|(what, _)| what.clone());
    for what in events.chain(memory.iter().map(Memory::called)) {
        assert!(
            table.contains(&format!("| {what} |")),
            "docs/availability.md has no row for: {what}; write it: `{WRITE}=write ROLLOUTS=5 make nodes`"
        );
    }
}

fn origin() -> &'static str {
    if crate::image().is_some() { "that of `make image`" } else { "packed from the binary of the tests" }
}

fn written(rows: &[Row]) -> String {
    let image = origin();
    let cores = std::thread::available_parallelism().unwrap();
    let mut table =
        format!("The image was {image}, on a machine with {cores} cores that others used as well.\n\n");
    table.push_str(
        "| what happens | reviews | failed | the last one failed after | without defaults | longest review | it took |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for (what, outcome) in rows {
        let last = outcome.failures.iter().map(|failure| failure.at).max();
        let last = last.map_or_else(String::new, |at| format!("{:.1} s", at.as_secs_f64()));
        let (reviews, failed, without) = (outcome.reviews, outcome.failures.len(), outcome.without_defaults);
        let (longest, took) = (outcome.longest.as_millis(), outcome.took.as_secs());
        writeln!(table, "| {what} | {reviews} | {failed} | {last} | {without} | {longest} ms | {took} s |")
            .unwrap();
    }
    table
}

/// What the pods took, beside the size of their image.
fn written_memory(sandbox: &Sandbox, memory: &[Memory]) -> String {
    let megabytes = |bytes: u64| format!("{}.{}", bytes / 1_000_000, bytes / 100_000 % 10);
    let archive = fs::metadata(sandbox.image().unwrap()).unwrap().len();
    let mut table = format!(
        "The image was {}, whose archive has {} MB. The memory of the larger one of the two pods, in MB:\n\n\
         | what | anonymous | working set | limit of the chart |\n|---|---|---|---|\n",
        origin(),
        megabytes(archive)
    );
    for one in memory {
        let [rss, working_set, limit] = [one.rss, one.working_set, one.limit].map(megabytes);
        writeln!(table, "| {} | {rss} | {working_set} | {limit} |", one.called()).unwrap();
    }
    table
}
