//! A server that is as it is wanted, to change one thing of it.

use std::sync::LazyLock;

use crate::{
    desired::{Access, Create, Credential, Desired, Level, Login, PrincipalKind},
    name::{DatabaseName, Generation, Mark, RoleName},
    note::Note,
    observe::{
        Database, Extension, Grant, Inside, Membership, Observed, OwnedDatabase, Place, Principal, Role,
        Setting, Stray, StrayKind, Use,
    },
    statement::Objects,
    verifier::Verifier,
};

pub(super) const ME: &str = "db-operators";
pub(super) const APP_ID: &str = "22222222-2222-4222-8222-222222222222";
pub(super) const OTHER_ID: &str = "33333333-3333-4333-8333-333333333333";

pub(super) fn mark() -> Mark {
    Mark::new("database-operator: orders-prod/main").unwrap()
}

pub(super) fn entra(role: &str, object_id: &str, level: Level) -> Login {
    let credential = Credential::Entra { object_id: object_id.into(), kind: PrincipalKind::Service };
    Login { role: RoleName::new(role).unwrap(), credential, level, may_log_in: true }
}

pub(super) fn group(role: &str, object_id: &str, level: Level) -> Login {
    let credential = Credential::Entra { object_id: object_id.into(), kind: PrincipalKind::Group };
    Login { credential, ..entra(role, object_id, level) }
}

pub(super) fn password() -> Verifier {
    // It takes a while, and properties ask for thousands.
    static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| Verifier::with_salt("pencil", &[7; 16]).unwrap());
    VERIFIER.clone()
}

pub(super) fn with_password(role: &str, generation: &str, may_log_in: bool) -> Login {
    let credential =
        Credential::Password { verifier: password(), generation: Generation::new(generation).unwrap() };
    Login { role: RoleName::new(role).unwrap(), credential, level: Level::Owner, may_log_in }
}

/// The app alone, by its identity.
pub(super) fn desired() -> Desired {
    Desired {
        database: DatabaseName::new("orders").unwrap(),
        mark: mark(),
        logins: vec![entra("orders-app", APP_ID, Level::Owner)],
        extensions: Vec::new(),
        access: Access::Open,
        create: Create::IfNew,
        take_over_from: Vec::new(),
    }
}

pub(super) fn grant(grantee: Option<&str>, privilege: &str) -> Grant {
    Grant { grantee: grantee.map(ToOwned::to_owned), privilege: privilege.into() }
}

pub(super) fn member(role: &str, member: &str, grantor: &str) -> Membership {
    Membership {
        role: role.into(),
        member: member.into(),
        grantor: grantor.into(),
        grantor_is_ours: [ME, "azure_pg_admin"].contains(&grantor),
        is_admin: false,
        inherits: true,
        may_set: true,
        member_is_administrator: false,
    }
}

fn role(can_login: bool, connection_limit: i32, comment: String) -> Role {
    Role { can_login, inherits: true, connection_limit, comment: Some(comment), ..Role::default() }
}

pub(super) fn login_role<'a>(observed: &'a mut Observed, role: &str) -> &'a mut Role {
    observed.roles.get_mut(role).unwrap()
}

pub(super) fn membership<'a>(observed: &'a mut Observed, role: &str, member: &str) -> &'a mut Membership {
    observed
        .memberships
        .iter_mut()
        .find(|one| one.role == role && one.member == member && one.may_set)
        .unwrap()
}

pub(super) fn set(observed: &mut Observed, role: &str, name: &str, value: &str) {
    observed.settings.push(Setting { role: role.into(), name: name.into(), value: value.into() });
}

pub(super) fn strange(observed: &mut Observed, kind: StrayKind, name: &str, owner: &str, is_granted: bool) {
    let schema = if kind == StrayKind::Schema { name } else { "public" };
    let (schema, name, owner) = (schema.into(), name.into(), owner.into());
    observed.inside.as_mut().unwrap().strays.push(Stray { kind, schema, name, owner, is_granted });
}

/// A server of version 17 on which a pass has been.
pub(super) fn settled(desired: &Desired) -> Observed {
    let ladder = desired.ladder();
    let [owner, writer, reader] = ladder.names();
    let extensions = desired.extensions.iter().map(|wish| wish.name.to_string()).collect();
    let note = Note { extensions, ..Note::default() }.write(&desired.mark);
    let mut observed = Observed {
        version: 17,
        me: ME.into(),
        principals: Some(Vec::new()),
        memberships: vec![member(reader, writer, ME), member(writer, owner, ME)],
        database: Some(Database {
            owner: ME.into(),
            is_administered: true,
            encoding: "UTF8".into(),
            grants: [
                grant(Some(owner), "CREATE"),
                grant(Some(writer), "TEMPORARY"),
                grant(Some(reader), "CONNECT"),
            ]
            .into(),
        }),
        inside: Some(inside(desired)),
        ..Observed::default()
    };
    for (name, comment) in [(owner, note), (writer, mark().to_string()), (reader, mark().to_string())] {
        observed.roles.insert(name.into(), role(false, -1, comment));
        // Of who has created it, and what we have given ourselves.
        let created =
            Membership { is_admin: true, inherits: false, may_set: false, ..member(name, ME, "azuresu") };
        observed.memberships.extend([created, Membership { inherits: false, ..member(name, ME, ME) }]);
    }
    for login in &desired.logins {
        add_login(&mut observed, desired, login);
    }
    observed
}

fn add_login(observed: &mut Observed, desired: &Desired, login: &Login) {
    let (name, ladder) = (login.role.as_str(), desired.ladder());
    let note = match &login.credential {
        Credential::Entra { object_id, .. } => {
            let principal =
                Principal { role: name.into(), object_id: object_id.clone(), is_administrator: false };
            observed.principals.get_or_insert_default().push(principal);
            Note::default()
        }
        Credential::Password { generation, .. } => Note::of_password(generation),
    };
    let comment = note.write(&desired.mark);
    observed.roles.insert(name.into(), role(login.may_log_in, login.level.connection_limit(), comment));
    let memberships = login.level.memberships(&ladder);
    observed.memberships.extend(memberships.into_iter().map(|of| member(of, name, ME)));
    for (setting, value) in login.level.settings(&ladder) {
        set(observed, name, setting, value);
    }
}

fn inside(desired: &Desired) -> Inside {
    let ladder = desired.ladder();
    let [owner, writer, reader] = ladder.names();
    let of_writer = |on, privileges: &[&str]| {
        privileges.iter().map(|privilege| (on, grant(Some(writer), privilege))).collect::<Vec<_>>()
    };
    let of_reader = [
        (Objects::Schemas, grant(Some(reader), "USAGE")),
        (Objects::Tables, grant(Some(reader), "SELECT")),
        (Objects::Sequences, grant(Some(reader), "SELECT")),
    ];
    let defaults = of_reader
        .into_iter()
        .chain(of_writer(Objects::Tables, &["INSERT", "UPDATE", "DELETE"]))
        .chain(of_writer(Objects::Sequences, &["USAGE", "UPDATE"]));
    let extension =
        Extension { version: "1.8".into(), owner: ME.into(), holds_data: false, requires: Vec::new() };
    Inside {
        public: Some(
            [
                grant(Some(reader), "USAGE"),
                grant(Some(owner), "USAGE"),
                grant(Some(owner), "CREATE"),
                grant(None, "USAGE"),
            ]
            .into(),
        ),
        defaults: defaults.collect(),
        extensions: desired
            .extensions
            .iter()
            .map(|wish| (wish.name.to_string(), extension.clone()))
            .collect(),
        ..Inside::default()
    }
}

/// As the last version left a database: it, a table and an extension belong to the app's identity.
pub(super) fn owned_by_former_app(observed: &mut Observed, app: &str) {
    observed.roles.insert(
        app.into(),
        Role {
            can_login: true,
            creates_roles: true,
            inherits: true,
            connection_limit: -1,
            ..Role::default()
        },
    );
    observed.principals =
        Some(vec![Principal { role: app.into(), object_id: OTHER_ID.into(), is_administrator: true }]);
    let of_azure = member("azure_pg_admin", app, "azuresu");
    observed.memberships.push(Membership { member_is_administrator: true, ..of_azure });
    observed.uses = vec![
        Use { role: app.into(), place: Place::Server, owns: true, is_named: false },
        Use { role: app.into(), place: Place::Database("orders".into()), owns: true, is_named: false },
    ];
    observed.owned_databases = vec![OwnedDatabase { database: "orders".into(), owner: app.into() }];
    observed.database = Some(Database {
        owner: app.into(),
        encoding: "UTF8".into(),
        grants: [grant(None, "CONNECT"), grant(None, "TEMPORARY")].into(),
        ..Database::default()
    });
    let extension =
        Extension { version: "1.8".into(), owner: app.into(), holds_data: false, requires: Vec::new() };
    observed.inside = Some(Inside {
        public: Some([grant(None, "USAGE"), grant(None, "CREATE")].into()),
        extensions: [("hstore".into(), extension)].into(),
        ..Inside::default()
    });
    strange(observed, StrayKind::Schema, "billing", app, false);
    strange(observed, StrayKind::Table, "item", app, false);
    strange(observed, StrayKind::Sequence, "item_id_seq", app, false);
}
