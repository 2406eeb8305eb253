//! Showing a stranger's value in a message.

/// The longest value that is shown whole.
const LONGEST_VALUE: usize = 63;
/// The longest text of another program that is shown whole.
const LONGEST_TEXT: usize = 300;

/// Stands for what must not be shown.
const HIDDEN: &str = "(a value that can't be shown)";

/// The value in double quotes, safe to stand in a message that Git users read through several tools.
pub fn quote(value: &str) -> String {
    in_quotes(value, LONGEST_VALUE)
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
pub(crate) fn triggers_tool(text: &str) -> bool {
    shown(text, usize::MAX).is_none_or(|shown| shown != text)
}

fn in_quotes(value: &str, longest: usize) -> String {
    shown(value, longest)
        .map_or_else(|| HIDDEN.to_owned(), |shown| format!("\"{}\"", shown.replace('"', "'")))
}

/// The value on one line, cut; `None` when a tool would act on it.
///
/// Control characters would break the single line; Argo CD cuts `map[…]` out of messages; and Flux takes
/// the word "immutable" for a reason to delete the object and create it again.
fn shown(value: &str, longest: usize) -> Option<String> {
    let mut shown = String::new();
    let mut length = 0;
    for c in value.chars() {
        // What can't be seen is what is wrong with the value, as a rule: it came along when the text was copied.
        let written: String = match c {
            c if is_seen(c) => c.into(),
            c if c.is_ascii() => c.escape_debug().collect(),
            c => c.escape_unicode().collect(),
        };
        length += written.chars().count();
        if length > longest {
            shown.push('…');
            break;
        }
        shown.push_str(&written);
    }
    let lower = shown.to_ascii_lowercase();
    (!lower.contains("immutable") && !lower.contains("map[")).then_some(shown)
}

/// Whether a reader sees it. No control or format character is seen, no direction mark, no white space but a blank, and
/// nothing that Unicode has no character for.
fn is_seen(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_control();
    }
    // A mark on the letter before it is seen there, and would be escaped where it stands alone.
    let on_a_letter = format!("x{c}");
    on_a_letter.escape_debug().eq(on_a_letter.chars()) && !is_blank(c)
}

/// Letters and marks that leave no trace: joiners, fillers, selectors of variants and the empty Braille pattern.
/// <https://www.unicode.org/reports/tr44/#Default_Ignorable_Code_Point>
fn is_blank(c: char) -> bool {
    matches!(
        c,
        '\u{34f}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{ffa0}'
            | '\u{e0100}'..='\u{e01ef}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("Standard_B1ms", "\"Standard_B1ms\"")]
    #[case("two\nlines\tand \"quotes\"", r#""two\nlines\tand 'quotes'""#)]
    #[case("field is Immutable", "(a value that can't be shown)")]
    #[case("map[a:b]", "(a value that can't be shown)")]
    #[case("right\u{202e}left", r#""right\u{202e}left""#)]
    #[case("Standard_\u{200b}B1ms", r#""Standard_\u{200b}B1ms""#)]
    #[case("a\u{a0}b\u{3000}c", r#""a\u{a0}b\u{3000}c""#)]
    #[case("\u{feff}17\u{ad}", r#""\u{feff}17\u{ad}""#)]
    #[case("\r\u{1b}[2J\0\u{7f}\u{85}\u{2028}", r#""\r\u{1b}[2J\0\u{7f}\u{85}\u{2028}""#)]
    #[case("b\u{3164}\u{fe0f}\u{e0041}\u{2800}\u{2066}", r#""b\u{3164}\u{fe0f}\u{e0041}\u{2800}\u{2066}""#)]
    #[case("blåbær e\u{301} 数 🦀", "\"blåbær e\u{301} 数 🦀\"")]
    #[case("C:\\temp", "\"C:\\temp\"")]
    fn a_value_is_shown_on_one_line_and_sets_off_no_tool(#[case] value: &str, #[case] shown: &str) {
        assert_eq!(quote(value), shown);
    }

    #[test]
    fn a_long_value_is_cut() {
        assert_eq!(quote(&"x".repeat(64)).chars().count(), LONGEST_VALUE + 3);
        assert_eq!(quote(&"x".repeat(63)).chars().count(), LONGEST_VALUE + 2);
        // One that is written longer than it is has no more room.
        assert!(quote(&"\u{200b}".repeat(63)).chars().count() <= LONGEST_VALUE + 3);
    }
}
