//! Which kept server may come back as which other database.

use api::DatabaseRef;
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
    pub fn is_about(&self, from: DatabaseRef<'_>, to: DatabaseRef<'_>) -> bool {
        let is = |ours: &(String, String), theirs| DatabaseRef::new(&ours.0, &ours.1) == theirs;
        is(&self.from, from) && is(&self.to, to)
    }

    /// Whether a namespace that was made again may have, on this day, what is kept of this database of the former one.
    pub fn is_of_its_own(&self, database: DatabaseRef<'_>, today: Date) -> bool {
        self.is_about(database, database) && today <= self.until
    }
}
