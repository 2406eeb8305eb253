//! Names and texts as SQL writes them. Nothing else in this crate puts a text into a statement.
//!
//! Both functions are right whatever the text holds: quotes, backslashes, line breaks, `%`. The protocol itself has no
//! way to send the character NUL, so that a statement with one is refused before it is sent.

/// A name in double quotes: `orders` is `"orders"`, and `a"b` is `"a""b"`.
///
/// PostgreSQL cuts names at 63 bytes. Names that are wanted are checked for that by [`crate::name`].
/// <https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS>
pub fn identifier(name: &str) -> String {
    enclosed(name, '"', false)
}

/// A text as a constant: `it's` is `'it''s'`. One with a backslash is written in the form `E'…'`, which means the same
/// whatever `standard_conforming_strings` says.
/// <https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-STRINGS-ESCAPE>
pub fn literal(text: &str) -> String {
    let has_backslash = text.contains('\\');
    let quoted = enclosed(text, '\'', has_backslash);
    // A blank before the E, so that it never continues a word that stands before it.
    if has_backslash { format!(" E{quoted}") } else { quoted }
}

fn enclosed(text: &str, quote: char, doubles_backslashes: bool) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push(quote);
    for c in text.chars() {
        if c == quote || (doubles_backslashes && c == '\\') {
            quoted.push(c);
        }
        quoted.push(c);
    }
    quoted.push(quote);
    quoted
}

/// For the fuzzer and the tests: what a server reads.
#[doc(hidden)]
pub mod read {
    /// The name that a quoted one stands for; `None` if it isn't exactly one quoted name.
    pub fn identifier(quoted: &str) -> Option<String> {
        enclosed(quoted, '"', false)
    }

    /// The text that a constant stands for; `None` if it isn't exactly one constant.
    pub fn literal(quoted: &str) -> Option<String> {
        match quoted.strip_prefix(" E") {
            Some(quoted) => enclosed(quoted, '\'', true),
            None => enclosed(quoted, '\'', false),
        }
    }

    fn enclosed(quoted: &str, quote: char, has_escapes: bool) -> Option<String> {
        let mut read = String::new();
        let mut rest = quoted.strip_prefix(quote)?.chars();
        while let Some(c) = rest.next() {
            match c {
                '\\' if has_escapes => read.push(rest.next().filter(|c| *c == '\\')?),
                c if c != quote => read.push(c),
                _ => match rest.next() {
                    Some(c) if c == quote => read.push(c),
                    Some(_) => return None,
                    None => return Some(read),
                },
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("orders", r#""orders""#)]
    #[case("Team Orders", r#""Team Orders""#)]
    #[case(r#"a"; DROP TABLE item; --"#, r#""a""; DROP TABLE item; --""#)]
    #[case(r"a\b", r#""a\b""#)]
    #[case("", r#""""#)]
    fn a_name_is_quoted(#[case] name: &str, #[case] quoted: &str) {
        assert_eq!(identifier(name), quoted);
    }

    #[rstest]
    #[case("orders", "'orders'")]
    #[case("it's", "'it''s'")]
    #[case("'; DROP TABLE item; --", "'''; DROP TABLE item; --'")]
    #[case(r"a\'b", r" E'a\\''b'")]
    #[case("100%\n\"x\"", "'100%\n\"x\"'")]
    fn a_text_is_quoted(#[case] text: &str, #[case] quoted: &str) {
        assert_eq!(literal(text), quoted);
    }

    proptest! {
        #[test]
        fn what_is_quoted_is_read_as_what_it_was(text in r#"[a-z'"\\%\n; E\PC]{0,40}"#) {
            prop_assert_eq!(read::identifier(&identifier(&text)), Some(text.clone()));
            prop_assert_eq!(read::literal(&literal(&text)), Some(text));
        }
    }
}
