//! Ending the access of logins that nobody wants any more, in an order in which no step can lose data: rights and login
//! first, then the sessions, then what they own goes to the owner role, and the role itself at last.
//!
//! A login that is wanted for another identity ends in the same way, and is made anew behind this.

use super::{
    At, Plan, Purpose, Step, handover,
    members::{granted_by, is_revocable},
    view::View,
};
use crate::{
    finding::{Finding, InUse},
    observe::Place,
    statement::{self, Attribute, Statement, To},
};

pub(super) fn end(view: &View<'_>, plan: &mut Plan) {
    for role in view.unwanted.iter().copied() {
        let mut steps = vec![Step::transaction(At::Server, shut_out(view, role))];
        let can_login = view.role(role).is_some_and(|role| role.can_login);
        if can_login || view.observed.sessions.contains_key(role) {
            steps.push(Step::single(At::Server, statement::end_sessions(role)));
        }
        steps.extend(handover::steps(view, role));
        if view.is_dropped(role) {
            steps.push(Step::transaction(At::Server, vec![statement::drop_role(role)]));
        } else {
            report(view, role, plan);
        }
        plan.add(format!("ending the access of {role}"), Purpose::Part, steps);
    }
}

/// Roles that others have dropped, as Azure does with an administrator.
pub(super) fn end_sessions_of_dropped_roles(view: &View<'_>, plan: &mut Plan) {
    if view.observed.sessions_of_dropped_roles > 0 {
        let end = Step::single(At::Server, statement::end_sessions_of_dropped_roles());
        plan.add("ending the sessions of roles that were dropped", Purpose::Part, [end]);
    }
}

fn shut_out(view: &View<'_>, role: &str) -> Vec<Statement> {
    let memberships = view.observed.memberships.iter();
    let revocable = memberships
        .filter(|one| one.member == role && is_revocable(view, one) && !view.is_dropped(&one.role));
    let mut statements: Vec<Statement> = revocable
        .map(|one| statement::revoke_role(&one.role, To::Role(role), granted_by(view, one)))
        .collect();
    if view.role(role).is_some_and(|role| role.can_login) {
        statements.push(statement::alter_role(role, &[Attribute::NoLogin]));
    }
    statements
}

/// Why a role stays.
fn report(view: &View<'_>, role: &str, plan: &mut Plan) {
    let shown = |place: &Place| match place {
        Place::Server => "the server".to_owned(),
        Place::Database(name) => format!("the database {name}"),
    };
    let owned: Vec<String> = view
        .uses(role)
        .filter(|one| one.owns && !view.is_in_reach(&one.place))
        .map(|one| shown(&one.place))
        .collect();
    let named: Vec<String> =
        view.uses(role).filter(|one| one.is_named).map(|one| shown(&one.place)).collect();
    for (what, places) in [(InUse::Owns, owned), (InUse::IsNamed, named)] {
        if !places.is_empty() {
            plan.findings.push(Finding::RoleInUse { role: role.to_owned(), what, places });
        }
    }
}
