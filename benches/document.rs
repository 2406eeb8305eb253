//! `docs/performance.md`: each bench writes a section of its own and leaves the others as they are.

use std::{env, fs, path::Path};

/// Names the document; without it nothing is written.
pub const PLACE: &str = "BENCH_DOCUMENT";

const INTRODUCTION: &str = "\
# Performance

This page is for platform engineers who want to know what the operator costs. `make bench` measures and writes it. Each
section belongs to one bench, and has the numbers of its last run. Things that are compared were measured in the same run
on the same machine. Another machine gives other numbers, so look at the ratios.
";

/// The order in which sections stand.
const SECTIONS: &[&str] = &["admission", "core", "limits", "attacks", "allocator", "controller", "access"];

/// Puts the section in its place, with the machine that it was measured on.
pub fn write(section: &str, text: &str) {
    let Some(place) = env::var_os(PLACE) else { return };
    let place = Path::new(&place);
    let before = fs::read_to_string(place).unwrap_or_default();
    let mut document = INTRODUCTION.to_owned();
    for name in SECTIONS {
        let (start, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->\n"));
        let kept =
            before.split_once(&start).and_then(|(_, rest)| rest.split_once(&end)).map(|(kept, _)| kept);
        let own = format!("{}\n\nMeasured on {}.\n", text.trim(), machine());
        if let Some(text) = if *name == section { Some(own.as_str()) } else { kept } {
            document.extend(["\n", &start, text, &end]);
        }
    }
    fs::write(place, document).unwrap_or_else(|error| eprintln!("{}: {error}", place.display()));
}

/// Puts a picture into the document's folder.
#[allow(dead_code, reason = "not every bench draws")]
pub fn write_beside(file: &str, content: &str) {
    let Some(place) = env::var_os(PLACE) else { return };
    let place = Path::new(&place).with_file_name(file);
    fs::write(&place, content).unwrap_or_else(|error| eprintln!("{}: {error}", place.display()));
}

/// Cores, processor and kernel.
fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let field = |name: &str| info.lines().find(|line| line.starts_with(name))?.split(": ").nth(1);
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let model = field("model name").unwrap_or("an unknown processor").trim();
    format!("{cores} cores of {model}, Linux {}", read("/proc/sys/kernel/osrelease").trim())
}
