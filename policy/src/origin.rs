//! Where data come from that a database begins with.

use crate::resource_id;

/// Whose data are wanted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Origin<'a> {
    /// Namespace and name of a `Database`.
    Database(&'a str, &'a str),
    /// The resource id of a server.
    Server(&'a str),
}

impl std::fmt::Display for Origin<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Database(namespace, name) => write!(f, "{namespace}/{name}"),
            Self::Server(id) => f.write_str(resource_id::name(id)),
        }
    }
}
