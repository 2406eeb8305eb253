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

    /// Or what reads them would take anything.
    #[rstest]
    #[case(r#""a"b""#)]
    #[case(r#""a"#)]
    #[case(r#"a""#)]
    #[case(r#""a" "#)]
    fn what_is_not_quoted_is_not_read(#[case] text: &str) {
        assert_eq!(crate::quoting::identifier_of(text), None);
        assert_eq!(crate::quoting::literal_of(&text.replace('"', "'")), None);
        assert_eq!(crate::quoting::literal_of(r" E'a\'b'"), None);
    }

    /// What the fuzzer begins with.
    #[test]
    fn the_seeds_hold() {
        let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/seeds/quoting");
        let seeds: Vec<_> = std::fs::read_dir(seeds).unwrap().map(|seed| seed.unwrap().path()).collect();
        assert!(!seeds.is_empty());
        for seed in seeds {
            crate::quoting::hold(&std::fs::read(seed).unwrap());
        }
    }

    proptest! {
        #[test]
        fn what_is_quoted_is_read_as_what_it_was(text in r#"[a-z'"\\%\n; E\PC]{0,40}"#) {
            crate::quoting::hold(text.as_bytes());
        }
    }
}
