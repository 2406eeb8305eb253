//! Extensions: created, updated on request, and dropped where we have created them and nothing uses them.

use std::collections::BTreeSet;

use super::{At, Plan, Purpose, Step, view::View};
use crate::{
    finding::Finding,
    note::Note,
    observe::Inside,
    statement::{self, Statement},
};

pub(super) fn settle(view: &View<'_>, plan: &mut Plan) {
    let nothing = Inside::default();
    let inside = view.observed.inside.as_ref().unwrap_or(&nothing);
    let wanted: BTreeSet<&str> = view.desired.extensions.iter().map(|wish| wish.name.as_str()).collect();
    let mut note = view.note(view.ladder.owner.as_str()).unwrap_or_default();
    let is_meant = |name: &String| inside.extensions.contains_key(name) || wanted.contains(name.as_str());
    note.extensions.retain(is_meant);

    let before = note.clone();
    for name in unwanted(&before, inside, &wanted) {
        if inside.extensions.get(name).is_some_and(|extension| extension.holds_data) {
            plan.findings.push(Finding::ExtensionHoldsData { name: name.to_owned() });
            continue;
        }
        note.extensions.remove(name);
        let statements = vec![statement::drop_extension(name), noted(view, &note)];
        add(plan, "dropping", name, Purpose::DropExtension(name.to_owned()), statements);
    }
    for name in missing(view, inside) {
        note.extensions.insert(name.to_owned());
        let statements =
            vec![statement::in_schema_public(), statement::create_extension(name), noted(view, &note)];
        add(plan, "creating", name, Purpose::CreateExtension(name.to_owned()), statements);
    }
    for wish in view.desired.extensions.iter().filter(|wish| wish.update) {
        update(view, inside, wish.name.as_str(), plan);
    }
}

fn add(plan: &mut Plan, what: &str, name: &str, purpose: Purpose, statements: Vec<Statement>) {
    plan.add(format!("{what} the extension {name}"), purpose, [Step::transaction(At::Inside, statements)]);
}

/// In the same transaction as what it notes.
fn noted(view: &View<'_>, note: &Note) -> Statement {
    statement::comment_on_role(view.ladder.owner.as_str(), &note.write(&view.desired.mark))
}

fn update(view: &View<'_>, inside: &Inside, name: &str, plan: &mut Plan) {
    let (Some(found), Some(offered)) = (inside.extensions.get(name), view.observed.offered.get(name)) else {
        return;
    };
    if found.version == offered.version {
        return;
    }
    if view.is_ours(&found.owner) {
        // The app has created it, and can update it.
        plan.findings.push(Finding::ExtensionNotOurs { name: name.to_owned(), owner: found.owner.clone() });
        return;
    }
    let statements = vec![statement::update_extension(name)];
    add(plan, "updating", name, Purpose::UpdateExtension(name.to_owned()), statements);
}

/// Those that are missing, each behind the ones that it requires.
fn missing<'a>(view: &View<'a>, inside: &Inside) -> Vec<&'a str> {
    let wishes = view.desired.extensions.iter().map(|wish| wish.name.as_str());
    let requires = |name: &str, other: &str| {
        view.observed.offered.get(name).is_some_and(|offered| offered.requires.iter().any(|one| one == other))
    };
    in_order(wishes.filter(|name| !inside.extensions.contains_key(*name)), requires)
}

/// Those that we have created and nobody wants any more, each before the ones that it requires.
fn unwanted<'a>(note: &'a Note, inside: &Inside, wanted: &BTreeSet<&str>) -> Vec<&'a str> {
    let names = note.extensions.iter().map(String::as_str).filter(|name| !wanted.contains(name));
    let is_required = |name: &str, by: &str| {
        inside.extensions.get(by).is_some_and(|extension| extension.requires.iter().any(|one| one == name))
    };
    in_order(names, is_required)
}

/// Each once, and behind those that it has to wait for.
fn in_order<'a>(
    names: impl Iterator<Item = &'a str>,
    waits_for: impl Fn(&str, &str) -> bool,
) -> Vec<&'a str> {
    let mut left: Vec<&str> = Vec::new();
    for name in names {
        if !left.contains(&name) {
            left.push(name);
        }
    }
    let mut ordered = Vec::new();
    while !left.is_empty() {
        // In a circle, which PostgreSQL doesn't have, any of them is as good.
        let is_free = |name: &&str| !left.iter().any(|other| other != name && waits_for(name, other));
        let next = left.iter().position(is_free).unwrap_or_default();
        ordered.push(left.remove(next));
    }
    ordered
}
