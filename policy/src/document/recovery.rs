//! Which kept server may come back as which other database.

use jiff::civil::Date;

/// A kept server that a `Database` of another name or namespace may bring back until a day; or, where both are the same, one
/// of the same name in a namespace that was deleted and made again.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Recovery {
    /// Namespace and name of the database that is kept.
    pub from: (String, String),
    /// Namespace and name of the database that may have its server.
    pub to: (String, String),
    /// The last day in UTC.
    pub until: Date,
    pub reason: String,
}

impl Recovery {
    /// Whether it is about these two, on whatever day.
    pub fn is_about(&self, from: (&str, &str), to: (&str, &str)) -> bool {
        let is = |ours: &(String, String), theirs: (&str, &str)| (&*ours.0, &*ours.1) == theirs;
        is(&self.from, from) && is(&self.to, to)
    }

    /// Whether a namespace that was made again may have, on this day, what is kept of this database of the former one.
    pub fn is_of_its_own(&self, database: &str, today: Date) -> bool {
        let is = |ours: &(String, String)| database.split_once('/') == Some((&*ours.0, &*ours.1));
        is(&self.from) && is(&self.to) && today <= self.until
    }
}
