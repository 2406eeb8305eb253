//! The roles that log in.

use std::collections::BTreeSet;

use super::{At, Plan, Purpose, Step, ladder, view::View};
use crate::{
    desired::{Credential, Level, Login},
    finding::Finding,
    note::Note,
    observe::Role,
    statement::{self, Attribute, Statement, To},
};

pub(super) fn make(view: &View<'_>, plan: &mut Plan) {
    let mut seen = BTreeSet::new();
    let mut identities = BTreeSet::new();
    for login in &view.desired.logins {
        let role = login.role.as_str();
        if !seen.insert(role) {
            continue;
        }
        if let Some(finding) = conflict(view, login, &mut identities) {
            plan.findings.push(finding);
            continue;
        }
        let found = view.role(role).filter(|_| !view.is_dropped(role));
        let statements = match found {
            Some(_) if view.is_unwanted(role) => continue,
            Some(found) => changed(view, login, found, plan),
            None => created(view, login),
        };
        let mut steps = vec![Step::transaction(At::Server, statements)];
        if !login.may_log_in
            && (found.is_some_and(|role| role.can_login) || view.observed.sessions.contains_key(role))
        {
            steps.push(Step::single(At::Server, statement::end_sessions(role)));
        }
        plan.add(format!("setting up the login {role}"), Purpose::Part, steps);
    }
}

/// Why this login can't be made.
fn conflict<'a>(view: &View<'_>, login: &'a Login, identities: &mut BTreeSet<&'a str>) -> Option<Finding> {
    let role = login.role.as_str();
    if view.ladder.has(role) || (view.role(role).is_some() && !view.is_ours(role)) {
        return Some(Finding::RoleTaken { role: role.to_owned() });
    }
    let Credential::Entra { object_id, .. } = &login.credential else { return None };
    let Some(principals) = &view.observed.principals else {
        return Some(Finding::NoEntra { role: role.to_owned() });
    };
    let mut same = principals.iter().filter(|principal| principal.object_id.eq_ignore_ascii_case(object_id));
    if same.clone().any(|principal| principal.is_administrator) {
        return Some(Finding::PrincipalIsAdministrator { object_id: object_id.clone() });
    }
    let other = same.find(|principal| principal.role != role && !view.is_dropped(&principal.role));
    let other = other.map(|principal| principal.role.as_str());
    let twice = (!identities.insert(object_id)).then_some(role);
    other
        .or(twice)
        .map(|role| Finding::PrincipalTaken { object_id: object_id.clone(), role: role.to_owned() })
}

fn note(login: &Login) -> Note {
    match &login.credential {
        Credential::Entra { .. } => Note::default(),
        Credential::Password { generation, .. } => Note::of_password(generation),
    }
}

fn created(view: &View<'_>, login: &Login) -> Vec<Statement> {
    let Login { role, credential, level, may_log_in } = login;
    let role = role.as_str();
    let create = match credential {
        Credential::Entra { object_id, kind } => statement::create_principal(role, object_id, *kind),
        Credential::Password { verifier, .. } => statement::create_login(role, verifier),
    };
    let mut attributes = Vec::new();
    if !may_log_in {
        attributes.push(Attribute::NoLogin);
    }
    if level.connection_limit() >= 0 {
        attributes.push(Attribute::ConnectionLimit(level.connection_limit()));
    }
    let mut statements =
        vec![create, statement::comment_on_role(role, &note(login).write(&view.desired.mark))];
    if !attributes.is_empty() {
        statements.push(statement::alter_role(role, &attributes));
    }
    let memberships = level.memberships(&view.ladder);
    statements
        .extend(memberships.into_iter().map(|of| statement::grant_role(of, To::Role(role), view.inherit())));
    let database = view.desired.database.as_str();
    let settings = level.settings(&view.ladder);
    statements.extend(settings.into_iter().map(|(name, value)| statement::set(role, database, name, value)));
    statements
}

fn changed(view: &View<'_>, login: &Login, found: &Role, plan: &mut Plan) -> Vec<Statement> {
    let role = login.role.as_str();
    let mut statements = Vec::new();
    if let Credential::Password { verifier, generation } = &login.credential
        && view.note(role).and_then(|note| note.password).as_deref() != Some(generation.as_str())
    {
        statements.push(statement::set_password(role, verifier));
        statements.push(statement::comment_on_role(role, &note(login).write(&view.desired.mark)));
    }
    for of in login.level.memberships(&view.ladder) {
        if !view.is_member(of, role) {
            statements.push(statement::grant_role(of, To::Role(role), view.inherit()));
        }
    }
    statements.extend(settings(view, login));
    let mut attributes = ladder::modest(view, role, found, plan);
    let limit = login.level.connection_limit();
    if found.connection_limit != limit {
        attributes.push(Attribute::ConnectionLimit(limit));
    }
    if found.expires {
        attributes.push(Attribute::NeverExpires);
    }
    if found.can_login != login.may_log_in {
        attributes.push(if login.may_log_in { Attribute::Login } else { Attribute::NoLogin });
    }
    if !attributes.is_empty() {
        // Last: who gets in again has what it needs.
        statements.push(statement::alter_role(role, &attributes));
    }
    statements
}

fn settings(view: &View<'_>, login: &Login) -> Vec<Statement> {
    let (role, database) = (login.role.as_str(), view.desired.database.as_str());
    let wanted = login.level.settings(&view.ladder);
    let found: Vec<_> = view.observed.settings.iter().filter(|setting| setting.role == role).collect();
    let is_set =
        |name: &str, value: &str| found.iter().any(|setting| setting.name == name && setting.value == value);
    let missing = wanted.iter().filter(|(name, value)| !is_set(name, value));
    let mut statements: Vec<Statement> =
        missing.map(|(name, value)| statement::set(role, database, name, value)).collect();
    for setting in &found {
        let is_wanted = wanted.iter().any(|(name, _)| *name == setting.name);
        let managed = crate::level::MANAGED_SETTINGS.into_iter().find(|name| *name == setting.name);
        if let Some(name) = managed.filter(|name| !is_wanted && Level::is_of_another(name, &setting.value)) {
            statements.push(statement::reset(role, database, name));
        }
    }
    statements
}
