//! The three roles that own, write and read.

use super::{At, Plan, Purpose, Step, database, view::View};
use crate::{
    failure::Failure,
    finding::Finding,
    note::Note,
    observe::Role,
    statement::{self, Attribute, Statement, To},
};

/// # Errors
/// If a role of such a name is there and isn't ours.
pub(super) fn is_ours(view: &View<'_>) -> Result<(), Failure> {
    let taken = view.ladder.names().into_iter().find(|role| view.role(role).is_some() && !view.is_ours(role));
    taken.map_or(Ok(()), |role| Err(Failure::RoleTaken { role: role.to_owned() }))
}

pub(super) fn make(view: &View<'_>, plan: &mut Plan) {
    let [owner, writer, reader] = view.ladder.names();
    let mut statements = Vec::new();
    let mut ends = Vec::new();
    for role in [owner, writer, reader] {
        match view.role(role) {
            Some(found) => {
                let attributes = mended(view, role, found, plan);
                if !attributes.is_empty() {
                    statements.push(statement::alter_role(role, &attributes));
                }
                if found.can_login || view.observed.sessions.contains_key(role) {
                    ends.push(Step::single(At::Server, statement::end_sessions(role)));
                }
            }
            None => statements.extend([
                statement::create_role(role),
                statement::comment_on_role(role, &Note::default().write(&view.desired.mark)),
            ]),
        }
        statements.extend(my_membership(view, role));
    }
    for (role, member) in [(reader, writer), (writer, owner)] {
        if !view.is_member(role, member) {
            statements.push(statement::grant_role(role, To::Role(member), view.inherit()));
        }
    }
    // As long as the app goes on under its former identity, it keeps what it can do.
    for former in view.former_owners().filter(|former| !view.is_member(owner, former)) {
        statements.push(statement::grant_role(owner, To::Role(former), view.inherit()));
    }
    statements.extend(database::settle(view));
    let steps = [Step::transaction(At::Server, statements)].into_iter().chain(ends);
    plan.add("making the roles of the database", Purpose::Essential, steps);
}

fn mended(view: &View<'_>, name: &str, role: &Role, plan: &mut Plan) -> Vec<Attribute> {
    let no_login = role.can_login.then_some(Attribute::NoLogin);
    no_login.into_iter().chain(modest(view, name, role, plan)).collect()
}

/// What takes from a role what none of ours must have.
pub(super) fn modest(view: &View<'_>, name: &str, role: &Role, plan: &mut Plan) -> Vec<Attribute> {
    if role.is_privileged {
        plan.findings.push(Finding::ForeignAttributes {
            role: name.to_owned(),
            attributes: "SUPERUSER, REPLICATION or BYPASSRLS",
        });
    }
    let changes = [
        (role.creates_roles, Attribute::NoCreateRole),
        (role.creates_databases, Attribute::NoCreateDatabase),
        // From 16 on each membership says it for itself.
        (!role.inherits && !view.knows_options(), Attribute::Inherit),
    ];
    changes.into_iter().filter_map(|(is_needed, attribute)| is_needed.then_some(attribute)).collect()
}

/// We may become the role, and don't have its rights otherwise.
fn my_membership(view: &View<'_>, role: &str) -> Option<Statement> {
    let me = &view.observed.me;
    let mut mine = view.observed.memberships.iter().filter(|one| one.role == role && one.member == *me);
    let may_set = mine.clone().any(|one| one.may_set);
    let is_borrowed = view.knows_options() && mine.any(|one| one.grantor == *me && one.inherits);
    (!may_set || is_borrowed).then(|| statement::grant_role(role, To::Myself, view.set_only()))
}
