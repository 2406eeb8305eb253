//! What is there: a few queries in the database `postgres`, sent at once, and a few in the app's database.

mod inside;
mod queries;
mod values;

use std::collections::{BTreeMap, BTreeSet};

use tokio::try_join;
use tokio_postgres::{
    Row,
    types::{FromSql, Type},
};

use crate::{
    connect::{Parameter, Session},
    desired::{Credential, Desired},
    failure::Failure,
    level::MANAGED_SETTINGS,
};

pub use values::{
    Database, Extension, Grant, Inside, Membership, Observed, Offered, OwnedDatabase, Place, Principal, Role,
    Setting, Stray, StrayKind, Use,
};

const DOING: &str = "looking at the server";
pub(crate) const MANY_DATABASES: &str = "databases that belong to roles of this database";
/// SQLSTATE of a function that isn't there.
const UNDEFINED_FUNCTION: &str = "42883";

/// Looks at the server, from a session in the database `postgres`, and into the database, from a session there.
///
/// # Errors
/// If a query fails, or takes too long.
pub async fn observe(
    server: &Session,
    inside: Option<&Session>,
    desired: &Desired,
) -> Result<Observed, Failure> {
    let mut observed = at_server(server, desired).await?;
    if let Some(session) = inside {
        look_inside(session, &mut observed, desired).await?;
    }
    look_for_extensions(server, &mut observed, desired).await?;
    Ok(observed)
}

/// Looks at the server alone.
pub(crate) async fn at_server(server: &Session, desired: &Desired) -> Result<Observed, Failure> {
    Look::new(server, desired).all().await
}

/// Looks into the database, too.
pub(crate) async fn look_inside(
    session: &Session,
    observed: &mut Observed,
    desired: &Desired,
) -> Result<(), Failure> {
    let inside = inside::look(session, &observed.me, desired).await?;
    observed.note_limit(
        "tables, views and sequences that aren't as they should be",
        inside.strays.len(),
        queries::STRAYS_LIMIT,
    );
    observed.note_limit("extensions", inside.extensions.len(), queries::EXTENSIONS_LIMIT);
    observed.inside = Some(inside);
    Ok(())
}

/// What the server has of the extensions that are to be created or updated. That is the same in each database.
pub(crate) async fn look_for_extensions(
    session: &Session,
    observed: &mut Observed,
    desired: &Desired,
) -> Result<(), Failure> {
    let present = |name| observed.inside.as_ref().is_some_and(|inside| inside.extensions.contains_key(name));
    let wishes = desired.extensions.iter().filter(|wish| wish.update || !present(wish.name.as_str()));
    let names: Vec<&str> = wishes.map(|wish| wish.name.as_str()).collect();
    if names.is_empty() {
        return Ok(());
    }
    let rows = session.query(DOING, queries::OFFERED, &[(&names, Type::TEXT_ARRAY)]).await?;
    observed.offered = map(&rows, |row| {
        Ok((value(row, 0)?, Offered { version: value(row, 1)?, requires: value(row, 2)? }))
    })?;
    Ok(())
}

impl Observed {
    fn note_limit(&mut self, what: &'static str, count: usize, limit: usize) {
        if count >= limit {
            self.too_many.insert((what, limit));
        }
    }
}

fn value<'a, T: FromSql<'a>>(row: &'a Row, index: usize) -> Result<T, Failure> {
    row.try_get(index).map_err(|_| Failure::SqlFailed {
        doing: DOING.to_owned(),
        state: "XX000".to_owned(),
        message: "a catalogue has another shape than PostgreSQL's".to_owned(),
    })
}

fn map<T, C: FromIterator<T>>(rows: &[Row], read: impl Fn(&Row) -> Result<T, Failure>) -> Result<C, Failure> {
    rows.iter().map(read).collect()
}

fn grant(row: &Row) -> Result<Grant, Failure> {
    Ok(Grant { grantee: value(row, 0)?, privilege: value(row, 1)? })
}

/// What the queries at the server ask for.
struct Look<'a> {
    session: &'a Session,
    /// Names of roles that matter even where they don't bear the mark.
    roles: Vec<String>,
    ladder: Vec<String>,
    object_ids: Vec<String>,
    mark: &'a str,
    noted: String,
    database: &'a str,
}

impl<'a> Look<'a> {
    fn new(session: &'a Session, desired: &'a Desired) -> Self {
        let ladder: Vec<String> = desired.ladder().roles().map(ToString::to_string).into();
        let logins = desired.logins.iter().map(|login| login.role.to_string());
        let roles = ladder
            .iter()
            .cloned()
            .chain(logins)
            .chain(desired.take_over_from.iter().map(ToString::to_string))
            .collect();
        let object_ids = desired.logins.iter().filter_map(|login| match &login.credential {
            Credential::Entra { object_id, .. } => Some(object_id.to_ascii_lowercase()),
            Credential::Password { .. } => None,
        });
        Self {
            session,
            roles,
            ladder,
            object_ids: object_ids.collect(),
            mark: desired.mark.as_str(),
            noted: format!("{}; ", desired.mark),
            database: desired.database.as_str(),
        }
    }

    /// All at once: the queries are sent before the first of them has answered.
    async fn all(&self) -> Result<Observed, Failure> {
        let (
            me,
            roles,
            principals,
            memberships,
            settings,
            sessions,
            dropped,
            uses,
            owned_databases,
            database,
        ) = try_join!(
            self.me(),
            self.roles(),
            self.principals(),
            self.memberships(),
            self.settings(),
            self.sessions(),
            self.sessions_of_dropped_roles(),
            self.uses(),
            self.owned_databases(),
            self.database()
        )?;
        let mut observed = Observed {
            version: self.session.version(),
            me,
            roles,
            principals,
            memberships,
            settings,
            sessions,
            sessions_of_dropped_roles: dropped,
            uses,
            owned_databases,
            database,
            inside: None,
            offered: BTreeMap::new(),
            too_many: BTreeSet::new(),
        };
        observed.note_limit("roles of this database", observed.roles.len(), queries::ROLES_LIMIT);
        observed.note_limit(MANY_DATABASES, observed.owned_databases.len(), queries::OWNED_DATABASES_LIMIT);
        observed.note_limit("memberships", observed.memberships.len(), queries::MEMBERSHIPS_LIMIT);
        Ok(observed)
    }

    async fn query(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, Failure> {
        self.session.query(DOING, sql, parameters).await
    }

    /// A query about the roles that matter, with parameters of its own from `$4` on.
    async fn of_roles(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, Failure> {
        let mut all: Vec<Parameter<'_>> =
            vec![(&self.roles, Type::TEXT_ARRAY), (&self.mark, Type::TEXT), (&self.noted, Type::TEXT)];
        all.extend(parameters.iter().cloned());
        self.query(sql, &all).await
    }

    async fn me(&self) -> Result<String, Failure> {
        let rows = self.query(queries::MYSELF, &[]).await?;
        rows.first().map_or_else(|| Ok(String::new()), |row| value(row, 0))
    }

    async fn roles(&self) -> Result<BTreeMap<String, Role>, Failure> {
        let rows = self.of_roles(queries::ROLES, &[]).await?;
        map(&rows, |row| {
            let role = Role {
                can_login: value(row, 1)?,
                inherits: value(row, 2)?,
                creates_roles: value(row, 3)?,
                creates_databases: value(row, 4)?,
                is_privileged: value(row, 5)?,
                connection_limit: value(row, 6)?,
                expires: value(row, 7)?,
                comment: value(row, 8)?,
            };
            Ok((value(row, 0)?, role))
        })
    }

    /// `None` where Azure's functions aren't there: the server takes passwords only.
    async fn principals(&self) -> Result<Option<Vec<Principal>>, Failure> {
        let rows = match self.of_roles(queries::PRINCIPALS, &[(&self.object_ids, Type::TEXT_ARRAY)]).await {
            Err(Failure::SqlFailed { state, .. }) if state == UNDEFINED_FUNCTION => return Ok(None),
            rows => rows?,
        };
        let principals = map(&rows, |row| {
            Ok(Principal {
                role: value(row, 0)?,
                object_id: value(row, 1)?,
                is_administrator: value(row, 2)?,
            })
        })?;
        Ok(Some(principals))
    }

    async fn memberships(&self) -> Result<Vec<Membership>, Failure> {
        let rows = self.of_roles(queries::MEMBERSHIPS, &[]).await?;
        map(&rows, |row| {
            Ok(Membership {
                role: value(row, 0)?,
                member: value(row, 1)?,
                grantor: value(row, 2)?,
                is_admin: value(row, 3)?,
                inherits: value(row, 4)?,
                may_set: value(row, 5)?,
                member_is_administrator: value(row, 6)?,
                grantor_is_ours: value(row, 7)?,
            })
        })
    }

    async fn settings(&self) -> Result<Vec<Setting>, Failure> {
        let names = MANAGED_SETTINGS.as_slice();
        let rows = self
            .of_roles(queries::SETTINGS, &[(&self.database, Type::TEXT), (&names, Type::TEXT_ARRAY)])
            .await?;
        map(&rows, |row| Ok(Setting { role: value(row, 0)?, name: value(row, 1)?, value: value(row, 2)? }))
    }

    async fn sessions(&self) -> Result<BTreeMap<String, u64>, Failure> {
        let rows = self.of_roles(queries::SESSIONS, &[]).await?;
        map(&rows, |row| Ok((value(row, 0)?, value::<i64>(row, 1)?.unsigned_abs())))
    }

    async fn sessions_of_dropped_roles(&self) -> Result<u64, Failure> {
        let rows = self.query(queries::SESSIONS_OF_DROPPED_ROLES, &[]).await?;
        rows.first().map_or(Ok(0), |row| Ok(value::<i64>(row, 0)?.unsigned_abs()))
    }

    async fn uses(&self) -> Result<Vec<Use>, Failure> {
        let rows = self.of_roles(queries::USES, &[(&self.ladder, Type::TEXT_ARRAY)]).await?;
        map(&rows, |row| {
            let place = value::<Option<String>>(row, 1)?.map_or(Place::Server, Place::Database);
            Ok(Use { role: value(row, 0)?, place, owns: value(row, 2)?, is_named: value(row, 3)? })
        })
    }

    async fn owned_databases(&self) -> Result<Vec<OwnedDatabase>, Failure> {
        let rows = self.of_roles(queries::OWNED_DATABASES, &[]).await?;
        map(&rows, |row| Ok(OwnedDatabase { database: value(row, 0)?, owner: value(row, 1)? }))
    }

    async fn database(&self) -> Result<Option<Database>, Failure> {
        let database: &[Parameter<'_>] = &[(&self.database, Type::TEXT)];
        let ladder: &[Parameter<'_>] = &[(&self.database, Type::TEXT), (&self.ladder, Type::TEXT_ARRAY)];
        let (found, grants) =
            try_join!(self.query(queries::DATABASE, database), self.query(queries::DATABASE_GRANTS, ladder))?;
        let Some(row) = found.first() else { return Ok(None) };
        Ok(Some(Database {
            owner: value(row, 0)?,
            is_administered: value(row, 1)?,
            encoding: value(row, 2)?,
            grants: map(&grants, grant)?,
        }))
    }
}
