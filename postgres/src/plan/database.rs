//! The database: there, and the administrators'.

use super::{At, Plan, Purpose, Step, view::View};
use crate::{
    desired::Create,
    failure::Failure,
    finding::Finding,
    observe::Grant,
    statement::{self, Statement, To},
};

const UTF8: &str = "UTF8";
/// What everybody has on a new database.
const OF_EVERYBODY: [&str; 2] = ["CONNECT", "TEMPORARY"];

/// # Errors
/// If it is missing and may not be made, or if its owner is neither an administrator nor one that it is taken over from.
pub(super) fn is_ours(view: &View<'_>) -> Result<(), Failure> {
    let database = view.desired.database.to_string();
    match &view.observed.database {
        None if may_be_made(view) => Ok(()),
        None => Err(Failure::DatabaseMissing { database }),
        Some(found) if found.is_administered || is_taken_over(view, &found.owner) => Ok(()),
        Some(found) => Err(Failure::DatabaseNotOurs { database, owner: found.owner.clone() }),
    }
}

fn may_be_made(view: &View<'_>) -> bool {
    match view.desired.create {
        Create::Never => false,
        Create::IfNew => !view.ladder.roles().iter().any(|role| view.is_ours(role.as_str())),
        Create::Anyway => true,
    }
}

/// Whether a database or an object of this role is handed on.
fn is_taken_over(view: &View<'_>, owner: &str) -> bool {
    view.is_ours(owner) || view.desired.is_taken_over(owner)
}

pub(super) fn create(view: &View<'_>, plan: &mut Plan) {
    let database = view.desired.database.as_str();
    match &view.observed.database {
        None => plan.add(
            "making the database",
            Purpose::Essential,
            [Step::single(At::Server, statement::create_database(database))],
        ),
        Some(found) if found.encoding != UTF8 => {
            plan.findings.push(Finding::OtherEncoding { encoding: found.encoding.clone() });
        }
        Some(_) => {}
    }
}

/// Takes the database from a login or a role of the app's, and gives the three roles what is theirs.
pub(super) fn settle(view: &View<'_>) -> Vec<Statement> {
    let database = view.desired.database.as_str();
    let [owner, writer, reader] = view.ladder.roles();
    let mut statements = Vec::new();
    let found = view.observed.database.as_ref();
    if let Some(found) =
        found.filter(|found| found.owner != view.observed.me && is_taken_over(view, &found.owner))
    {
        let (begin, end) = view.borrowed(&found.owner);
        statements.extend(begin);
        statements.push(statement::own_database(database));
        statements.extend(end);
    }
    let has = |grantee: Option<&str>, privilege: &str, if_new| {
        // What its owner had goes over to the next one.
        if grantee.is_some() && grantee == found.map(|found| found.owner.as_str()) {
            return false;
        }
        let grant = Grant { grantee: grantee.map(ToOwned::to_owned), privilege: privilege.to_owned() };
        found.map_or(if_new, |found| found.grants.contains(&grant))
    };
    let public: Vec<_> = OF_EVERYBODY.into_iter().filter(|privilege| has(None, privilege, true)).collect();
    if !public.is_empty() {
        statements.push(statement::revoke_on_database(database, &public, To::Public));
    }
    for (role, privilege) in [(reader, "CONNECT"), (writer, "TEMPORARY"), (owner, "CREATE")] {
        if !has(Some(role.as_str()), privilege, false) {
            statements.push(statement::grant_on_database(database, &[privilege], To::Role(role.as_str())));
        }
    }
    statements
}

/// Takes a database back that went to the owner role along with other things, and with it what that role had on it.
pub(super) fn take_back(view: &View<'_>, database: &str) -> Vec<Statement> {
    let mut statements = vec![statement::own_database(database)];
    if database == view.desired.database.as_str() {
        statements.push(statement::grant_on_database(
            database,
            &["CREATE"],
            To::Role(view.ladder.owner.as_str()),
        ));
    }
    statements
}
