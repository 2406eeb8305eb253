//! Showing a stranger's value in a message.

/// The longest value that is shown whole.
const LONGEST: usize = 63;
/// The longest text of another program that is shown whole.
const LONGEST_TEXT: usize = 300;

/// The value in double quotes, safe to stand in a message that Git users read through several tools.
///
/// Control characters would break the single line; Argo CD cuts `map[…]` out of messages; and Flux takes
/// the word "immutable" for a reason to delete the object and create it anew.
pub fn quote(value: &str) -> String {
    shown(value, LONGEST)
}

/// A longer text of another program, such as a parser's error, shown in the same way.
pub fn quote_text(text: &str) -> String {
    shown(text, LONGEST_TEXT)
}

fn shown(value: &str, longest: usize) -> String {
    let mut shown: String = value
        .chars()
        .take(longest)
        .map(|c| match c {
            '"' => '\'',
            c if c.is_control() || is_separator(c) => '\u{fffd}',
            c => c,
        })
        .collect();
    if value.chars().nth(longest).is_some() {
        shown.push('…');
    }
    let lower = shown.to_ascii_lowercase();
    if lower.contains("immutable") || lower.contains("map[") {
        return "(a value that can't be shown)".into();
    }
    format!("\"{shown}\"")
}

/// Line and paragraph separators and direction marks are no control characters, yet break a line.
fn is_separator(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("Standard_B1ms", "\"Standard_B1ms\"")]
    #[case("two\nlines\tand \"quotes\"", "\"two\u{fffd}lines\u{fffd}and 'quotes'\"")]
    #[case("field is Immutable", "(a value that can't be shown)")]
    #[case("map[a:b]", "(a value that can't be shown)")]
    #[case("right\u{202e}left", "\"right\u{fffd}left\"")]
    fn a_value_is_shown_on_one_line_and_sets_off_no_tool(#[case] value: &str, #[case] shown: &str) {
        assert_eq!(quote(value), shown);
    }

    #[test]
    fn a_long_value_is_cut() {
        assert_eq!(quote(&"x".repeat(64)).chars().count(), LONGEST + 3);
        assert_eq!(quote(&"x".repeat(63)).chars().count(), LONGEST + 2);
    }
}
