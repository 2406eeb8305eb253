//! What logins own goes to the owner role: a login owns nothing.
//!
//! A session makes objects of its own after `SET ROLE NONE`, or where it began without acting as the owner role. And an
//! app that was administrator before owns all that it has made.

use super::{
    At, Plan, Purpose, Step, database, inside,
    view::{POSTGRES, View},
};
use crate::{
    observe::Place,
    statement::{self, Statement},
};

/// Logins that are wanted, and roles that are taken over from. Those that are unwanted have been dealt with.
pub(super) fn hand_over(view: &View<'_>, plan: &mut Plan) {
    let wanted = view.our_logins().filter(|role| !view.is_unwanted(role));
    for role in wanted.chain(view.former_owners()) {
        plan.add(format!("handing on what {role} owns"), Purpose::Part, steps(view, role));
    }
    let me = view.observed.me.as_str();
    let is_taken_over = view.desired.is_taken_over(me) && !view.has_too_many_databases();
    if is_taken_over && view.observed.inside.as_ref().is_some_and(|inside| inside.own_something) {
        let step = Step::transaction(At::Inside, reassigned(view, me, At::Inside));
        plan.add(format!("handing on what {me} owns"), Purpose::Part, [step]);
    }
}

/// One for each database in reach in which the role owns something, or for a database that it owns.
pub(super) fn steps(view: &View<'_>, role: &str) -> Vec<Step> {
    if view.has_too_many_databases() {
        return Vec::new();
    }
    let owns = view.uses(role).filter(|one| one.owns && view.is_in_reach(&one.place));
    let mut places: Vec<At> = Vec::new();
    for place in owns.map(|one| reachable(&one.place)) {
        if !places.contains(&place) {
            places.push(place);
        }
    }
    let step = |at| Step::transaction(at, reassigned(view, role, at));
    places.into_iter().map(step).collect()
}

/// Databases that the role owns would go along: they belong to the administrators, so that no app can drop them.
fn reassigned(view: &View<'_>, role: &str, at: At) -> Vec<Statement> {
    let owner = view.ladder.owner.as_str();
    let (begin, end) = view.borrowed(role);
    let (begin_owner, end_owner) = view.borrowed(owner);
    let databases = view.observed.owned_databases.iter().filter(|one| one.owner == role);
    let mut statements = [begin, begin_owner].concat();
    statements.push(statement::reassign_owned(role, owner));
    statements.extend(databases.flat_map(|one| database::take_back(view, &one.database)));
    statements.extend([end, end_owner].concat());
    if at == At::Inside {
        // Default privileges don't count for what changes hands.
        statements.extend(inside::grants_on_strays_of(view, role));
    }
    statements
}

/// What can't be handed on elsewhere than in the database: databases, for one.
fn reachable(place: &Place) -> At {
    if matches!(place, Place::Database(name) if name == POSTGRES) { At::Server } else { At::Inside }
}
