//! Which data a database of another namespace may begin with.

use api::DatabaseRef;
use jiff::civil::Date;

use crate::origin::Origin;

/// Data that a new `Database` may begin with until a day.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DataCopy {
    pub from: From,
    /// Roles that own the data of a server that no `Database` has.
    pub owners: Vec<String>,
    /// Namespace and name of the database that may have them; without a name, each one of the namespace.
    pub to: (String, Option<String>),
    /// The last day in UTC.
    pub until: Date,
    pub reason: String,
}

/// Whose data they are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum From {
    /// Namespace and name of a `Database`.
    Database(String, String),
    /// The resource id of a server.
    Server(String),
}

impl std::fmt::Display for From {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.origin().fmt(f)
    }
}

impl From {
    fn origin(&self) -> Origin<'_> {
        match self {
            Self::Database(namespace, name) => Origin::Database(namespace, name),
            Self::Server(id) => Origin::Server(id),
        }
    }
}

impl DataCopy {
    /// Whether it is about these two, on whatever day.
    pub fn is_about(&self, origin: &Origin<'_>, to: DatabaseRef<'_>) -> bool {
        let is_from = match (self.from.origin(), origin) {
            // Azure writes the same id in different cases.
            (Origin::Server(ours), Origin::Server(theirs)) => ours.eq_ignore_ascii_case(theirs),
            (ours, theirs) => ours == *theirs,
        };
        let (namespace, name) = &self.to;
        is_from && namespace == to.namespace && name.as_deref().is_none_or(|name| name == to.name)
    }
}
