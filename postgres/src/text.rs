//! A server's own words in a message of ours: on one line, and cut.

/// The longest text of a server that is shown whole, in characters.
const LONGEST: usize = 300;

/// The text on one line, with what can't be seen written out, and cut at 300 characters.
pub(crate) fn clean(text: &str) -> String {
    let mut shown = String::new();
    for (length, c) in text.trim().chars().enumerate() {
        if length >= LONGEST {
            shown.push('…');
            break;
        }
        match c {
            '\n' | '\t' => shown.push(' '),
            c if c.is_control() || is_format(c) => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    shown
}

/// A value in double quotes.
pub(crate) fn quote(value: &str) -> String {
    format!("\"{}\"", clean(value).replace('"', "'"))
}

/// Several names, as a sentence lists them. Five are shown.
pub(crate) fn list<S: AsRef<str>>(names: impl ExactSizeIterator<Item = S>) -> String {
    const SHOWN: usize = 5;
    let more = names.len().saturating_sub(SHOWN);
    let mut shown: Vec<String> = names.take(SHOWN).map(|name| clean(name.as_ref())).collect();
    if more > 0 {
        shown.push(format!("and {more} more"));
    }
    shown.join(", ")
}

/// Marks of direction, joiners and other characters that leave no trace.
fn is_format(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stands_on_one_line_and_is_cut() {
        assert_eq!(clean(" a\nb\u{1b}[2J\u{202e} "), "a b\\u{1b}[2J\\u{202e}");
        assert_eq!(clean(&"å".repeat(400)).chars().count(), LONGEST + 1);
        assert_eq!(quote("a\"b"), "\"a'b\"");
    }

    #[test]
    fn a_long_list_is_cut() {
        let names: Vec<String> = (1..=7).map(|i| format!("t{i}")).collect();
        assert_eq!(list(names.iter()), "t1, t2, t3, t4, t5, and 2 more");
        assert_eq!(list(names[..2].iter()), "t1, t2");
    }
}
