//! What is on a server, as plain values. A decision sees nothing else.

use std::collections::{BTreeMap, BTreeSet};

use crate::{finding::ObjectKind, statement::Objects};

/// What was seen of a server, as far as one database is concerned.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Observed {
    /// The major version, such as 17.
    pub version: u32,
    /// The role that looks: the administrators.
    pub me: String,
    /// By name: the roles that are wanted, those that bear the mark, and those that are taken over from.
    pub roles: BTreeMap<String, Role>,
    /// Principals of Microsoft Entra with such a role or with an object id that is wanted; `None` where the server takes no
    /// tokens.
    pub principals: Option<Vec<Principal>>,
    /// In which one of these roles is the role or the member.
    pub memberships: Vec<Membership>,
    /// Of these roles in the database, as far as they are ones that we set.
    pub settings: Vec<Setting>,
    /// How many sessions each of these roles has.
    pub sessions: BTreeMap<String, u64>,
    /// How many sessions go on whose role was dropped, such as an administrator that Azure has removed.
    pub sessions_of_dropped_roles: u64,
    /// What keeps these roles from being dropped.
    pub uses: Vec<Use>,
    /// Databases that belong to one of these roles.
    pub owned_databases: Vec<OwnedDatabase>,
    pub database: Option<Database>,
    /// What is in the database; `None` where it is missing or couldn't be looked into.
    pub inside: Option<Inside>,
    /// Of the extensions that are wanted and missing or to be updated: those that the server has.
    pub offered: BTreeMap<String, Offered>,
    /// Lists that were longer than what is looked at, by what they hold.
    pub too_many: BTreeSet<(&'static str, usize)>,
}

/// <https://www.postgresql.org/docs/current/view-pg-roles.html>
#[expect(clippy::struct_excessive_bools, reason = "the columns of PostgreSQL's own view")]
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Role {
    pub can_login: bool,
    pub inherits: bool,
    pub creates_roles: bool,
    pub creates_databases: bool,
    /// Superuser, replication or bypassing row security: nothing that an administrator of Azure's could take away.
    pub is_privileged: bool,
    /// -1: no limit.
    pub connection_limit: i32,
    /// Whether its password has a last day.
    pub expires: bool,
    pub comment: Option<String>,
}

/// <https://learn.microsoft.com/azure/postgresql/security/security-manage-entra-users>
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Principal {
    pub role: String,
    /// In lower case.
    pub object_id: String,
    pub is_administrator: bool,
}

/// <https://www.postgresql.org/docs/current/catalog-pg-auth-members.html>
#[expect(clippy::struct_excessive_bools, reason = "the columns of PostgreSQL's own table")]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Membership {
    pub role: String,
    pub member: String,
    pub grantor: String,
    /// Whether we have the rights of whoever granted it. What we grant ourselves may be noted as the grant of a group that
    /// we are in: `pg_monitor` is `azure_pg_admin`'s to grant.
    pub grantor_is_ours: bool,
    pub is_admin: bool,
    /// Before PostgreSQL 16 always.
    pub inherits: bool,
    /// Before PostgreSQL 16 always.
    pub may_set: bool,
    /// The member is a superuser or one of Azure's administrators, which needs no membership to do what it likes.
    pub member_is_administrator: bool,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Setting {
    pub role: String,
    pub name: String,
    pub value: String,
}

/// What PostgreSQL notes of a role elsewhere, by place.
/// <https://www.postgresql.org/docs/current/catalog-pg-shdepend.html>
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Use {
    pub role: String,
    pub place: Place,
    /// Owns something that can be handed on.
    pub owns: bool,
    /// Has privileges by name, policies or default privileges, which only `DROP OWNED` would take away in one go.
    pub is_named: bool,
}

#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Place {
    /// Databases and memberships.
    Server,
    Database(String),
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OwnedDatabase {
    pub database: String,
    pub owner: String,
}

#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Database {
    pub owner: String,
    /// Whether we have the rights of its owner.
    pub is_administered: bool,
    pub encoding: String,
    pub grants: BTreeSet<Grant>,
}

/// One privilege of one role.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Grant {
    /// `None`: `PUBLIC`.
    pub grantee: Option<String>,
    /// Such as `CONNECT`.
    pub privilege: String,
}

/// What is in the database.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Inside {
    /// On the schema `public`; `None` where there is none.
    pub public: Option<BTreeSet<Grant>>,
    /// What the owner role grants by default, in whatever schema.
    pub defaults: BTreeSet<(Objects, Grant)>,
    pub extensions: BTreeMap<String, Extension>,
    /// Schemas, tables, views and sequences that don't belong to the owner role, or that reader or writer can't use.
    pub strays: Vec<Stray>,
    /// Whether we own something here that is not an extension's. Looked for where it is taken over from ourselves.
    pub own_something: bool,
}

/// <https://www.postgresql.org/docs/current/catalog-pg-extension.html>
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Extension {
    pub version: String,
    pub owner: String,
    /// Extensions that it can't be without.
    pub requires: Vec<String>,
    /// Whether it has tables that hold what users wrote.
    pub holds_data: bool,
}

#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Offered {
    pub version: String,
    pub requires: Vec<String>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stray {
    pub kind: StrayKind,
    pub schema: String,
    /// That of a schema is the schema's.
    pub name: String,
    pub owner: String,
    /// Whether reader and writer can use it as they should.
    pub is_granted: bool,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum StrayKind {
    Schema,
    Table,
    Sequence,
}

impl StrayKind {
    pub(crate) const fn objects(self) -> Objects {
        match self {
            Self::Schema => Objects::Schemas,
            Self::Table => Objects::Tables,
            Self::Sequence => Objects::Sequences,
        }
    }

    pub(crate) const fn kind(self) -> ObjectKind {
        match self {
            Self::Schema => ObjectKind::Schema,
            Self::Table | Self::Sequence => ObjectKind::Relation,
        }
    }
}

impl Stray {
    /// `schema.name`, as people write it.
    pub(crate) fn shown(&self) -> String {
        match self.kind {
            StrayKind::Schema => self.name.clone(),
            _ => format!("{}.{}", self.schema, self.name),
        }
    }
}
