//! The form of what people read.

/// One line without anything that breaks it, and without the words that set off Flux and Argo CD.
pub fn is_plain(text: &str) {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}');
    assert!(!text.contains(breaks), "breaks the line: {text:?}");
    let lower = text.to_ascii_lowercase();
    assert!(!lower.contains("immutable") && !lower.contains("map["), "sets off a tool: {text:?}");
}

/// Not longer than so many characters.
pub fn fits(text: &str, longest: usize) {
    let length = text.chars().count();
    assert!(length <= longest, "{length} characters: {text:?}");
}
