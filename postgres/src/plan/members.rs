//! Members of our roles that nobody wrote down, and roles that our logins are members of and shouldn't be.

use super::{At, Plan, Purpose, Step, view::View};
use crate::{
    finding::Finding,
    observe::Membership,
    statement::{self, To},
};

/// Whether `REVOKE` has an effect. From PostgreSQL 16 on it ends what was granted by a role whose rights one has, and only
/// warns otherwise. <https://www.postgresql.org/docs/16/sql-revoke.html>
pub(super) fn is_revocable(view: &View<'_>, membership: &Membership) -> bool {
    !view.knows_options() || membership.grantor_is_ours
}

/// As whom a membership is revoked, where it isn't as ourselves.
pub(super) fn granted_by<'a>(view: &View<'_>, membership: &'a Membership) -> Option<&'a str> {
    let grantor = membership.grantor.as_str();
    (view.knows_options() && grantor != view.observed.me).then_some(grantor)
}

/// Each as a group of its own, so that whoever reads what was done sees who had what from whom.
pub(super) fn revoke_foreign(view: &View<'_>, plan: &mut Plan) {
    for one in view.observed.memberships.iter().filter(|one| concerns_us(view, one)) {
        let Membership { role, member, grantor, is_admin, .. } = one;
        let is_wanted = is_wanted(view, role, member);
        if is_wanted && !is_admin {
            continue;
        }
        if !is_revocable(view, one) {
            let [role, member, grantor] = [role, member, grantor].map(Clone::clone);
            plan.findings.push(Finding::ForeignMember { role, member, grantor });
            continue;
        }
        let (what, statement) = if is_wanted {
            ("the right to grant", statement::revoke_admin_option(role, member, granted_by(view, one)))
        } else {
            ("membership in", statement::revoke_role(role, To::Role(member), granted_by(view, one)))
        };
        let doing = format!("revoking {what} {role} from {member}, granted by {grantor}");
        plan.add(doing, Purpose::Part, [Step::transaction(At::Server, vec![statement])]);
    }
}

/// Whoever is administrator needs no membership, and whoever is unwanted has lost it already.
fn concerns_us(view: &View<'_>, one: &Membership) -> bool {
    let Membership { role, member, .. } = one;
    let is_foreign_administrator = one.member_is_administrator && !view.is_ours(member);
    (view.is_ours(role) || view.is_ours(member))
        && *member != view.observed.me
        && !is_foreign_administrator
        && !view.is_unwanted(member)
        && !view.is_dropped(role)
}

fn is_wanted(view: &View<'_>, role: &str, member: &str) -> bool {
    let [owner, writer, reader] = view.ladder.names();
    let by_level = |member| {
        view.desired.login(member).is_some_and(|login| login.level.memberships(&view.ladder).contains(&role))
    };
    match member {
        _ if member == owner => role == writer,
        _ if member == writer => role == reader,
        _ if view.is_ours(member) => by_level(member),
        _ => role == owner && view.former_owners().any(|former| former == member),
    }
}
