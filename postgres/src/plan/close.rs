//! Nobody gets in: no login of ours can log in, and no session of theirs goes on. All else stays.

use super::{At, Plan, Purpose, Step, unwanted, view::View};
use crate::{
    finding::Finding,
    statement::{self, Attribute},
};

pub(super) fn close(view: &View<'_>, plan: &mut Plan) {
    let ours: Vec<&str> =
        view.observed.roles.keys().map(String::as_str).filter(|role| view.is_ours(role)).collect();
    let can_login = |role: &&str| view.role(role).is_some_and(|role| role.can_login);
    // All doors first, and then whoever is inside.
    for role in ours.iter().copied().filter(can_login) {
        let close = statement::alter_role(role, &[Attribute::NoLogin]);
        plan.add(
            format!("closing the login {role}"),
            Purpose::Part,
            [Step::transaction(At::Server, vec![close])],
        );
    }
    for role in ours {
        if can_login(&role) || view.observed.sessions.contains_key(role) {
            let end = Step::single(At::Server, statement::end_sessions(role));
            plan.add(format!("ending the sessions of {role}"), Purpose::Part, [end]);
        }
    }
    unwanted::end_sessions_of_dropped_roles(view, plan);
    let wanted =
        view.desired.logins.iter().map(|login| login.role.as_str()).filter(|role| !view.is_ours(role));
    let still_open = wanted.chain(view.former_owners()).filter(can_login);
    plan.findings.extend(still_open.map(|role| Finding::StillOpen { role: role.to_owned() }));
}
