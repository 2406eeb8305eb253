//! Which `Database` is meant, where there is none at hand.

use std::fmt;

use crate::Database;

/// Namespace and name of a `Database`, written as `<namespace>/<name>`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct DatabaseRef<'a> {
    pub namespace: &'a str,
    pub name: &'a str,
}

impl<'a> DatabaseRef<'a> {
    pub const fn new(namespace: &'a str, name: &'a str) -> Self {
        Self { namespace, name }
    }

    /// This very one.
    pub fn of(database: &'a Database) -> Self {
        let metadata = &database.metadata;
        Self::new(
            metadata.namespace.as_deref().unwrap_or_default(),
            metadata.name.as_deref().unwrap_or_default(),
        )
    }

    /// As it is written; `None` where that can't be the namespace and the name of an object. Both are 1 to 63 lower-case
    /// letters, digits and hyphens.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (namespace, name) = text.split_once('/')?;
        let is_name = |part: &str| {
            (1..=63).contains(&part.len())
                && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        };
        (is_name(namespace) && is_name(name)).then_some(Self { namespace, name })
    }
}

impl fmt::Display for DatabaseRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let database = DatabaseRef::new("orders", "main");
        assert_eq!(DatabaseRef::parse("orders/main"), Some(database));
        assert_eq!(database.to_string(), "orders/main");
        let long = format!("orders/{}", "a".repeat(64));
        for text in
            ["", "main", "/main", "orders/", "orders/main/x", "orders/*", "Orders/main", "orders main", &long]
        {
            assert_eq!(DatabaseRef::parse(text), None, "{text}");
        }
    }
}
