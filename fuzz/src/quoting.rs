//! Names and texts in SQL, and comments on roles, whatever somebody writes into them. The `postgres` crate's own tests have
//! this file, too.

use postgres::{
    DatabaseName, ExtensionName, Generation, Mark, NameError, RoleName,
    name::Ladder,
    note::Note,
    quote::{identifier, literal},
};

/// Of PostgreSQL's names, in bytes.
const LONGEST: usize = 63;
/// Of a message, in characters.
const LONGEST_MESSAGE: usize = 1000;

/// A text as a name, as a constant, and as all that can be named.
pub fn hold(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    assert_eq!(identifier_of(&identifier(&text)).as_deref(), Some(&*text), "as a name");
    assert_eq!(literal_of(&literal(&text)).as_deref(), Some(&*text), "as a constant");
    is_told(RoleName::new(&text).err());
    is_told(ExtensionName::new(&text).err());
    is_told(Generation::new(&text).err());
    is_told(Mark::new(&text).err());
    match DatabaseName::new(&text) {
        Err(error) => is_told(Some(error)),
        Ok(database) => {
            for role in Ladder::of(&database).names() {
                assert!(role.len() <= LONGEST && RoleName::new(role).is_ok(), "the role {role:?}");
            }
        }
    }
    if let Some((mark, comment)) = text.split_once('\n')
        && let Ok(mark) = Mark::new(mark)
    {
        // What is read from a comment is what would be written again.
        for comment in [comment.to_owned(), format!("{mark}; {comment}")] {
            if let Some(note) = Note::read(&mark, &comment) {
                assert_eq!(Note::read(&mark, &note.write(&mark)), Some(note), "from {comment:?}");
            }
        }
    }
}

fn is_told(error: Option<NameError>) {
    let Some(error) = error.map(|error| error.to_string()) else { return };
    assert!(error.chars().count() <= LONGEST_MESSAGE && !error.contains(char::is_control), "{error:?}");
}

/// The name that a quoted one stands for; `None` if it isn't exactly one quoted name.
pub fn identifier_of(quoted: &str) -> Option<String> {
    between(quoted, '"', false)
}

/// The text that a constant stands for; `None` if it isn't exactly one constant.
pub fn literal_of(quoted: &str) -> Option<String> {
    match quoted.strip_prefix(" E") {
        Some(quoted) => between(quoted, '\'', true),
        None => between(quoted, '\'', false),
    }
}

fn between(quoted: &str, quote: char, has_escapes: bool) -> Option<String> {
    let mut read = String::new();
    let mut rest = quoted.strip_prefix(quote)?.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' if has_escapes => read.push(rest.next().filter(|c| *c == '\\')?),
            // Without E a backslash means itself on some servers, and escapes on others.
            '\\' if quote == '\'' => return None,
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
