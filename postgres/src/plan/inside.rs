//! Privileges in the database: on its schema `public`, on what will be made, and on what is there.

use std::collections::{BTreeMap, BTreeSet};

use super::{At, Plan, Purpose, Step, view::View};
use crate::{
    finding::{Finding, ObjectKind},
    observe::{Grant, Stray, StrayKind},
    statement::{self, Objects, Statement, To},
};

/// How many objects one statement names.
const AT_ONCE: usize = 100;
const PUBLIC: &str = "public";

/// Who has what on objects, beside their owner.
fn privileges<'a>(view: &'a View<'_>, on: Objects) -> Vec<(&'a str, &'static [&'static str])> {
    let [_, writer, reader] = view.ladder.names();
    match on {
        Objects::Schemas => vec![(reader, &["USAGE"])],
        Objects::Tables => vec![(reader, &["SELECT"]), (writer, &["INSERT", "UPDATE", "DELETE"])],
        Objects::Sequences => vec![(reader, &["SELECT"]), (writer, &["USAGE", "UPDATE"])],
    }
}

fn of(role: Option<&str>, privilege: &str) -> Grant {
    Grant { grantee: role.map(ToOwned::to_owned), privilege: privilege.to_owned() }
}

/// On `public`, and by default. What isn't known, since the database is new, is said in any case.
pub(super) fn grant(view: &View<'_>, plan: &mut Plan) {
    let inside = view.observed.inside.as_ref();
    let mut statements = Vec::new();
    match inside.map(|inside| &inside.public) {
        // Somebody has dropped it, and whoever makes it again decides about it.
        Some(None) => {}
        Some(Some(grants)) => statements.extend(on_public(view, Some(grants))),
        None => statements.extend(on_public(view, None)),
    }
    let mut defaults = Vec::new();
    for on in [Objects::Schemas, Objects::Tables, Objects::Sequences] {
        for (to, privileges) in privileges(view, on) {
            let has = |privilege: &str| {
                inside.is_some_and(|inside| inside.defaults.contains(&(on, of(Some(to), privilege))))
            };
            let missing: Vec<_> = privileges.iter().copied().filter(|privilege| !has(privilege)).collect();
            if !missing.is_empty() {
                defaults.push(statement::grant_by_default(on, &missing, to));
            }
        }
    }
    if !defaults.is_empty() {
        statements.push(statement::act_as(view.ladder.owner.as_str()));
        statements.append(&mut defaults);
    }
    plan.add(
        "granting privileges in the database",
        Purpose::Part,
        [Step::transaction(At::Inside, statements)],
    );
}

fn on_public(view: &View<'_>, found: Option<&BTreeSet<Grant>>) -> Vec<Statement> {
    let [owner, _, reader] = view.ladder.names();
    let has = |role, privilege| found.map(|grants| grants.contains(&of(role, privilege)));
    let mut statements = Vec::new();
    if has(None, "CREATE") != Some(false) {
        statements.push(statement::revoke_on_schema(PUBLIC, &["CREATE"], To::Public));
    }
    for (role, privileges) in [(reader, &["USAGE"][..]), (owner, &["USAGE", "CREATE"])] {
        let missing: Vec<_> =
            privileges.iter().copied().filter(|privilege| has(Some(role), privilege) != Some(true)).collect();
        if !missing.is_empty() {
            statements.push(statement::grant_on_schema(PUBLIC, &missing, To::Role(role)));
        }
    }
    statements
}

fn strays<'a>(view: &View<'a>) -> impl Iterator<Item = &'a Stray> {
    view.observed.inside.iter().flat_map(|inside| &inside.strays)
}

/// What the owner role owns and reader or writer can't use, as after a slip of the app's or a change of hands.
pub(super) fn grant_on_strays(view: &View<'_>, plan: &mut Plan) {
    let statements = grants_on_strays_of(view, view.ladder.owner.as_str());
    plan.add(
        "granting privileges on what is there",
        Purpose::Part,
        [Step::transaction(At::Inside, statements)],
    );
}

pub(super) fn grants_on_strays_of(view: &View<'_>, owner: &str) -> Vec<Statement> {
    let mut statements = Vec::new();
    for kind in [StrayKind::Schema, StrayKind::Table, StrayKind::Sequence] {
        let ungranted =
            strays(view).filter(|stray| stray.kind == kind && stray.owner == owner && !stray.is_granted);
        let names: Vec<_> = ungranted.map(|stray| (stray.schema.as_str(), stray.name.as_str())).collect();
        for names in names.chunks(AT_ONCE) {
            let on = kind.objects();
            let granted = privileges(view, on).into_iter();
            statements.extend(granted.map(|(to, privileges)| statement::grant(on, names, privileges, to)));
        }
    }
    if !statements.is_empty() {
        statements.insert(0, statement::act_as(view.ladder.owner.as_str()));
    }
    statements
}

/// What belongs to roles that aren't ours to take from.
pub(super) fn report_foreign_owners(view: &View<'_>, plan: &mut Plan) {
    let mut foreign: BTreeMap<(&str, ObjectKind), Vec<String>> = BTreeMap::new();
    let is_handed_on = |owner: &str| view.is_ours(owner) || view.desired.is_taken_over(owner);
    for stray in strays(view).filter(|stray| !is_handed_on(&stray.owner)) {
        foreign.entry((&stray.owner, stray.kind.kind())).or_default().push(stray.shown());
    }
    plan.findings.extend(foreign.into_iter().map(|((owner, kind), names)| Finding::ForeignOwner {
        owner: owner.to_owned(),
        kind,
        names,
    }));
}
