//! Tables of Markdown.

use std::fmt::Write;

pub fn head(text: &mut String, heads: &[&str]) {
    row(text, heads);
    let rules: Vec<&str> =
        heads.iter().enumerate().map(|(at, _)| if at == 0 { "---" } else { "---:" }).collect();
    row(text, &rules);
}

pub fn row<T: AsRef<str>>(text: &mut String, cells: &[T]) {
    for cell in cells {
        write!(text, "| {} ", cell.as_ref()).unwrap();
    }
    text.push_str("|\n");
}

#[allow(dead_code, reason = "not every bench has a budget")]
pub fn met(is_met: bool) -> String {
    if is_met { "met".into() } else { "**missed**".into() }
}

/// In tenths of a million bytes.
#[allow(dead_code, reason = "not every bench tells of memory")]
pub fn mb(bytes: u64) -> String {
    format!("{}.{}", bytes / 1_000_000, bytes / 100_000 % 10)
}
