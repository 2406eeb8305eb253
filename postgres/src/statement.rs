//! All that this crate can say to a server that changes something.
//!
//! SQL is written in this file only, by one function for each statement. None of them drops a table, a schema or a
//! database, none says `DROP OWNED`, and none says `CASCADE`: whatever is decided, no data end by it. What can be
//! dropped are roles, which PostgreSQL refuses while they own anything, and extensions, which it refuses while anything
//! uses them.

use std::fmt;

use crate::{
    desired::PrincipalKind,
    quote::{identifier, literal},
    verifier::Verifier,
};

/// A statement that is ready to be sent, without a semicolon. It shows itself without secrets.
#[derive(Clone, Eq, PartialEq)]
pub struct Statement {
    sql: String,
    /// Where it holds a secret: what is shown instead of it.
    shown: Option<String>,
    /// Whether it answers with the number of sessions that were ended.
    pub(crate) counts_sessions: bool,
}

impl From<String> for Statement {
    fn from(sql: String) -> Self {
        Self { sql, shown: None, counts_sessions: false }
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shown.as_ref().unwrap_or(&self.sql))
    }
}

impl fmt::Debug for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Who gets something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum To<'a> {
    /// Whoever is logged in: the administrators.
    Myself,
    Public,
    Role(&'a str),
}

impl fmt::Display for To<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Myself => f.write_str("CURRENT_USER"),
            Self::Public => f.write_str("PUBLIC"),
            Self::Role(role) => f.write_str(&identifier(role)),
        }
    }
}

/// How a member has a role, which PostgreSQL knows from 16 on. Before, a member has a role's rights and may become it.
/// <https://www.postgresql.org/docs/16/role-membership.html>
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Membership {
    /// Before PostgreSQL 16.
    Plain,
    /// It has the role's rights, and may become it.
    Inherit,
    /// It may become the role, and doesn't have its rights otherwise.
    SetOnly,
}

/// What privileges are granted on. Views are tables here.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Objects {
    Schemas,
    Tables,
    Sequences,
}

/// Privileges, as SQL names them.
pub(crate) type Privileges<'a> = &'a [&'static str];

/// An object by its schema and its name.
pub(crate) type Qualified<'a> = (&'a str, &'a str);

fn secret(write: impl Fn(&str) -> String, verifier: &Verifier) -> Statement {
    Statement { sql: write(&literal(verifier.as_str())), shown: Some(write("'…'")), counts_sessions: false }
}

// Databases.

/// In UTF-8, with the locale of `template1`.
pub(crate) fn create_database(database: &str) -> Statement {
    format!("CREATE DATABASE {} ENCODING 'UTF8'", identifier(database)).into()
}

/// The database belongs to the administrators from then on.
pub(crate) fn own_database(database: &str) -> Statement {
    format!("ALTER DATABASE {} OWNER TO CURRENT_USER", identifier(database)).into()
}

pub(crate) fn grant_on_database(database: &str, privileges: Privileges<'_>, to: To<'_>) -> Statement {
    format!("GRANT {} ON DATABASE {} TO {to}", privileges.join(", "), identifier(database)).into()
}

pub(crate) fn revoke_on_database(database: &str, privileges: Privileges<'_>, from: To<'_>) -> Statement {
    format!("REVOKE {} ON DATABASE {} FROM {from}", privileges.join(", "), identifier(database)).into()
}

// Roles.

/// A role that can't log in.
pub(crate) fn create_role(role: &str) -> Statement {
    format!("CREATE ROLE {} NOLOGIN", identifier(role)).into()
}

/// A role that logs in by a password.
pub(crate) fn create_login(role: &str, verifier: &Verifier) -> Statement {
    secret(|verifier| format!("CREATE ROLE {} LOGIN PASSWORD {verifier}", identifier(role)), verifier)
}

/// A role that logs in by a token of Microsoft Entra.
pub(crate) fn create_principal(role: &str, object_id: &str, kind: PrincipalKind) -> Statement {
    let [role, object_id, kind] = [role, object_id, kind.as_str()].map(literal);
    let arguments = format!("{role}, {object_id}, {kind}, false, false");
    format!("SELECT pg_catalog.pgaadauth_create_principal_with_oid({arguments})").into()
}

/// Refused by PostgreSQL while the role owns anything.
pub(crate) fn drop_role(role: &str) -> Statement {
    format!("DROP ROLE {}", identifier(role)).into()
}

/// Attributes such as `NOLOGIN` or `CONNECTION LIMIT 3`.
pub(crate) fn alter_role(role: &str, attributes: &[Attribute]) -> Statement {
    let attributes: Vec<String> = attributes.iter().copied().map(Attribute::sql).collect();
    format!("ALTER ROLE {} {}", identifier(role), attributes.join(" ")).into()
}

/// What is changed of a role.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Attribute {
    Login,
    NoLogin,
    NoCreateRole,
    NoCreateDatabase,
    Inherit,
    /// -1: as many as there are.
    ConnectionLimit(i32),
    /// The password has no last day.
    NeverExpires,
}

impl Attribute {
    fn sql(self) -> String {
        match self {
            Self::Login => "LOGIN".to_owned(),
            Self::NoLogin => "NOLOGIN".to_owned(),
            Self::NoCreateRole => "NOCREATEROLE".to_owned(),
            Self::NoCreateDatabase => "NOCREATEDB".to_owned(),
            Self::Inherit => "INHERIT".to_owned(),
            Self::ConnectionLimit(limit) => format!("CONNECTION LIMIT {limit}"),
            Self::NeverExpires => "VALID UNTIL 'infinity'".to_owned(),
        }
    }
}

pub(crate) fn set_password(role: &str, verifier: &Verifier) -> Statement {
    secret(|verifier| format!("ALTER ROLE {} PASSWORD {verifier}", identifier(role)), verifier)
}

pub(crate) fn comment_on_role(role: &str, comment: &str) -> Statement {
    format!("COMMENT ON ROLE {} IS {}", identifier(role), literal(comment)).into()
}

pub(crate) fn grant_role(role: &str, to: To<'_>, membership: Membership) -> Statement {
    let how = match membership {
        Membership::Plain => "",
        Membership::Inherit => " WITH INHERIT TRUE, SET TRUE",
        Membership::SetOnly => " WITH INHERIT FALSE, SET TRUE",
    };
    format!("GRANT {} TO {to}{how}", identifier(role)).into()
}

/// What one role has granted; without it, what we have. PostgreSQL takes it from 16 on.
pub(crate) fn revoke_role(role: &str, from: To<'_>, granted_by: Option<&str>) -> Statement {
    format!("REVOKE {} FROM {from}{}", identifier(role), by(granted_by)).into()
}

pub(crate) fn revoke_admin_option(role: &str, from: &str, granted_by: Option<&str>) -> Statement {
    let by = by(granted_by);
    format!("REVOKE ADMIN OPTION FOR {} FROM {}{by}", identifier(role), identifier(from)).into()
}

fn by(grantor: Option<&str>) -> String {
    grantor.map_or_else(String::new, |grantor| format!(" GRANTED BY {}", identifier(grantor)))
}

/// What sessions of the role in the database begin with.
pub(crate) fn set(role: &str, database: &str, setting: &'static str, value: &str) -> Statement {
    let (role, database, value) = (identifier(role), identifier(database), literal(value));
    format!("ALTER ROLE {role} IN DATABASE {database} SET {setting} TO {value}").into()
}

pub(crate) fn reset(role: &str, database: &str, setting: &'static str) -> Statement {
    format!("ALTER ROLE {} IN DATABASE {} RESET {setting}", identifier(role), identifier(database)).into()
}

/// Asks each session of the role to end, then waits up to a second for each, so that many take no longer than the
/// slowest.
pub(crate) fn end_sessions(role: &str) -> Statement {
    end_sessions_where(&format!("usename = {}", literal(role)))
}

/// The same, of each session whose role was dropped: PostgreSQL lets it go on.
pub(crate) fn end_sessions_of_dropped_roles() -> Statement {
    end_sessions_where("NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = usesysid) AND usesysid IS NOT NULL")
}

fn end_sessions_where(condition: &str) -> Statement {
    let sql = format!(
        "WITH asked AS MATERIALIZED (SELECT pid, pg_terminate_backend(pid) AS ended FROM pg_stat_activity \
         WHERE {condition} AND pid <> pg_backend_pid()), \
         counted AS MATERIALIZED (SELECT count(*) FILTER (WHERE ended) AS ended FROM asked) \
         SELECT ended, (SELECT count(pg_terminate_backend(pid, 1000)) FROM asked) FROM counted"
    );
    Statement { counts_sessions: true, ..sql.into() }
}

// Until the end of a transaction.

pub(crate) fn act_as(role: &str) -> Statement {
    format!("SET LOCAL ROLE {}", identifier(role)).into()
}

/// Where an extension goes that has no schema of its own.
pub(crate) fn in_schema_public() -> Statement {
    "SET LOCAL search_path TO public".to_owned().into()
}

// Objects.

pub(crate) fn grant_on_schema(schema: &str, privileges: Privileges<'_>, to: To<'_>) -> Statement {
    format!("GRANT {} ON SCHEMA {} TO {to}", privileges.join(", "), identifier(schema)).into()
}

pub(crate) fn revoke_on_schema(schema: &str, privileges: Privileges<'_>, from: To<'_>) -> Statement {
    format!("REVOKE {} ON SCHEMA {} FROM {from}", privileges.join(", "), identifier(schema)).into()
}

/// On all that the acting role makes from then on, in whatever schema.
pub(crate) fn grant_by_default(on: Objects, privileges: Privileges<'_>, to: &str) -> Statement {
    let on = match on {
        Objects::Schemas => "SCHEMAS",
        Objects::Tables => "TABLES",
        Objects::Sequences => "SEQUENCES",
    };
    let to = identifier(to);
    format!("ALTER DEFAULT PRIVILEGES GRANT {} ON {on} TO {to}", privileges.join(", ")).into()
}

/// On some objects by name. The name of a schema is its `schema`.
pub(crate) fn grant(on: Objects, names: &[Qualified<'_>], privileges: Privileges<'_>, to: &str) -> Statement {
    let kind = match on {
        Objects::Schemas => "SCHEMA",
        Objects::Tables => "TABLE",
        Objects::Sequences => "SEQUENCE",
    };
    let names: Vec<String> = names
        .iter()
        .map(|(schema, name)| match on {
            Objects::Schemas => identifier(schema),
            _ => format!("{}.{}", identifier(schema), identifier(name)),
        })
        .collect();
    let (privileges, names, to) = (privileges.join(", "), names.join(", "), identifier(to));
    format!("GRANT {privileges} ON {kind} {names} TO {to}").into()
}

/// All that the role owns in the database, and the databases that it owns.
pub(crate) fn reassign_owned(from: &str, to: &str) -> Statement {
    format!("REASSIGN OWNED BY {} TO {}", identifier(from), identifier(to)).into()
}

// Extensions.

pub(crate) fn create_extension(extension: &str) -> Statement {
    format!("CREATE EXTENSION IF NOT EXISTS {}", identifier(extension)).into()
}

pub(crate) fn update_extension(extension: &str) -> Statement {
    format!("ALTER EXTENSION {} UPDATE", identifier(extension)).into()
}

/// Refused by PostgreSQL while anything uses it.
pub(crate) fn drop_extension(extension: &str) -> Statement {
    format!("DROP EXTENSION {}", identifier(extension)).into()
}

impl Statement {
    /// As it is sent, with its secrets.
    pub(crate) fn sql(&self) -> &str {
        &self.sql
    }
}
