//! What the comment on a role says: that the role is ours, and what can't be read back otherwise.
//!
//! A comment is the [`Mark`], and behind it, each after `; `:
//!
//! - `password 3` on a login with a password: which one it has. PostgreSQL shows a password to nobody.
//! - `extensions hstore,pgcrypto` on the owner role: which ones were created by us. A comment on the extension itself
//!   would need its owner, which on Azure need not be whoever created it.
//!
//! Only who may create roles can write a comment on one.
//! <https://www.postgresql.org/docs/current/sql-comment.html>

use std::collections::BTreeSet;

use crate::name::{Generation, Mark};

const BETWEEN: &str = "; ";
const PASSWORD: &str = "password ";
const EXTENSIONS: &str = "extensions ";

/// What stands behind the mark.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Note {
    pub password: Option<String>,
    pub extensions: BTreeSet<String>,
}

impl Note {
    pub(crate) fn of_password(generation: &Generation) -> Self {
        Self { password: Some(generation.as_str().to_owned()), ..Self::default() }
    }

    /// From a comment; `None` if it doesn't bear this mark, so that the role is not ours. What isn't known is passed
    /// over: a later version may have written it.
    pub fn read(mark: &Mark, comment: &str) -> Option<Self> {
        let behind = comment.strip_prefix(mark.as_str())?;
        if !behind.is_empty() && !behind.starts_with(BETWEEN) {
            return None;
        }
        let mut note = Self::default();
        for part in behind.split(BETWEEN) {
            if let Some(password) = part.strip_prefix(PASSWORD) {
                note.password = Some(password.to_owned());
            } else if let Some(extensions) = part.strip_prefix(EXTENSIONS) {
                note.extensions = extensions.split(',').map(ToOwned::to_owned).collect();
            }
        }
        Some(note)
    }

    pub fn write(&self, mark: &Mark) -> String {
        let extensions: Vec<&str> = self.extensions.iter().map(String::as_str).collect();
        let password = self.password.as_ref().map(|password| format!("{PASSWORD}{password}"));
        let extensions = (!extensions.is_empty()).then(|| format!("{EXTENSIONS}{}", extensions.join(",")));
        let parts = [Some(mark.to_string()), password, extensions];
        parts.into_iter().flatten().collect::<Vec<_>>().join(BETWEEN)
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::btree_set, option, prelude::*};
    use rstest::rstest;

    use super::*;

    fn mark() -> Mark {
        Mark::new("database-operator: a/b").unwrap()
    }

    #[rstest]
    #[case("database-operator: a/bc")]
    #[case("database-operator: a")]
    #[case(" database-operator: a/b")]
    #[case("database-operator: a/b;x")]
    #[case("")]
    fn the_comment_of_another_marks_nothing_of_ours(#[case] comment: &str) {
        assert_eq!(Note::read(&mark(), comment), None);
    }

    #[test]
    fn what_is_not_known_is_passed_over() {
        let note = Note::read(&mark(), "database-operator: a/b; until 2027; password 2; x").unwrap();
        assert_eq!(note, Note { password: Some("2".into()), ..Note::default() });
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(password in option::of("[a-z0-9.-]{1,9}"), extensions in btree_set("[a-z0-9_-]{1,9}", 0..4)) {
            let note = Note { password, extensions };
            prop_assert_eq!(Note::read(&mark(), &note.write(&mark())), Some(note));
        }
    }
}
