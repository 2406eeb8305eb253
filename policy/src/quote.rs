//! Showing a stranger's value in a message.

/// The longest value that is shown whole.
const LONGEST: usize = 63;
/// The longest text of another program that is shown whole.
const LONGEST_TEXT: usize = 300;

/// Stands for what must not be shown.
const HIDDEN: &str = "(a value that can't be shown)";

/// The value in double quotes, safe to stand in a message that Git users read through several tools.
pub fn quote(value: &str) -> String {
    in_quotes(value, LONGEST)
}

/// A longer text of another program, such as a parser's error, shown in the same way.
pub fn quote_text(text: &str) -> String {
    in_quotes(text, LONGEST_TEXT)
}

/// A longer text that is a part of a sentence, and as safe.
pub fn clean(text: &str) -> String {
    shown(text, LONGEST_TEXT).unwrap_or_else(|| HIDDEN.to_owned())
}

/// Whether a text must not stand in a message as it is.
pub(crate) fn sets_off(text: &str) -> bool {
    shown(text, usize::MAX).is_none_or(|shown| shown != text)
}

fn in_quotes(value: &str, longest: usize) -> String {
    shown(value, longest)
        .map_or_else(|| HIDDEN.to_owned(), |shown| format!("\"{}\"", shown.replace('"', "'")))
}

/// The value on one line, cut; `None` when it would set off a tool.
///
/// Control characters would break the single line; Argo CD cuts `map[…]` out of messages; and Flux takes
/// the word "immutable" for a reason to delete the object and create it anew.
fn shown(value: &str, longest: usize) -> Option<String> {
    let mut shown: String = value
        .chars()
        .take(longest)
        .map(|c| if c.is_control() || is_separator(c) { '\u{fffd}' } else { c })
        .collect();
    if value.chars().nth(longest).is_some() {
        shown.push('…');
    }
    let lower = shown.to_ascii_lowercase();
    (!lower.contains("immutable") && !lower.contains("map[")).then_some(shown)
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
