//! What is wanted of a server.

use crate::{
    name::{DatabaseName, ExtensionName, Generation, Ladder, Mark, RoleName},
    verifier::Verifier,
};

/// One database on a server, and who may do what in it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Desired {
    pub database: DatabaseName,
    /// Marks the roles that belong to this database. Roles with the mark that aren't wanted are dropped.
    pub mark: Mark,
    /// Each by a role name of its own; the first of two counts.
    pub logins: Vec<Login>,
    /// In the order in which they are created. One that another one needs is created before it.
    pub extensions: Vec<ExtensionWish>,
    pub access: Access,
    pub create: Create,
    /// Roles that owned the database and its objects before this crate came, such as the app's own identity as it was
    /// administrator of the server. What they own in the database is handed to the owner role. The roles themselves
    /// stay as they are. Azure's own can't be named here: with `azure_pg_admin` the schema `public` would change hands.
    pub take_over_from: Vec<RoleName>,
}

impl Desired {
    pub fn ladder(&self) -> Ladder {
        Ladder::of(&self.database)
    }

    pub(crate) fn is_taken_over(&self, role: &str) -> bool {
        self.take_over_from.iter().any(|one| one.as_str() == role)
    }

    pub(crate) fn login(&self, role: &str) -> Option<&Login> {
        self.logins.iter().find(|login| login.role.as_str() == role)
    }
}

/// Whether the database is made where it is missing. An empty one would hide that data are gone.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Create {
    /// Data are expected.
    Never,
    /// Where the server has no roles of this database either. They are made after it, and stay when it is dropped.
    IfNew,
    /// An empty one will do.
    Anyway,
}

/// Whether anybody gets in.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Access {
    Open,
    /// No login of ours can log in, and their sessions are ended. Nothing else is changed, so that [`Access::Open`]
    /// brings back what was.
    Closed,
}

/// A role that logs in.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Login {
    pub role: RoleName,
    pub credential: Credential,
    pub level: Level,
    /// A login that may not stays there with all it has, as the older one of two passwords.
    pub may_log_in: bool,
}

/// What a login shows to get in.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Credential {
    /// A token of Microsoft Entra.
    Entra {
        /// Of the identity, user or group, as a GUID. Azure tells identities by it, not by their names.
        object_id: String,
        kind: PrincipalKind,
    },
    Password {
        verifier: Verifier,
        /// The verifier is written where the role doesn't have this generation: it can't be read back.
        generation: Generation,
    },
}

/// Kinds of principals, as `pgaadauth_create_principal_with_oid` names them.
/// <https://learn.microsoft.com/azure/postgresql/security/security-manage-entra-users>
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum PrincipalKind {
    Service,
    User,
    Group,
}

impl PrincipalKind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::User => "user",
            Self::Group => "group",
        }
    }
}

/// What a login may do.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Level {
    /// Read all tables, also those that are made later.
    Reader,
    /// And write rows. No `TRUNCATE`, no change of tables.
    Writer,
    /// And make, change and drop all that is in the database. Acts as the owner role, so that what it makes belongs to
    /// that.
    Owner,
    /// Read, and see what others do. Three sessions at most, which begin with transactions that only read, with
    /// statements of at most five minutes, and with one minute of idling in a transaction.
    Debug,
}

/// An extension that the database is to have.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct ExtensionWish {
    pub name: ExtensionName,
    /// Whether an older one is brought to the version that the server has.
    pub update: bool,
}
