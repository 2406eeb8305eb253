//! Third stage, pure: every object that we want, in Azure's namespace and in the app's.

use std::collections::BTreeMap;

use api::{Database, DatabaseRef, annotations::UPDATE_EXTENSIONS};
use k8s_openapi::{
    api::core::v1::{Secret, ServiceAccount},
    apimachinery::pkg::apis::meta::v1::OwnerReference,
};
use kube::{Resource, ResourceExt, api::ObjectMeta};
use policy::{Effective, document};

use super::{
    app_password::{self, AppPasswords},
    binding::{self, BINDING_TYPE, CLIENT_ID, EntraIdentity, Login, secret_name},
    describe::Server,
    handover::Handover,
    inside::{Inside, handed_out, inside},
    known::Known,
    password::{self, Passwords},
    vault,
};
use crate::{
    azure::{self, Administrator, SecretReference},
    labels::owner_labels,
};

/// What a server with `authentication: Password` has.
#[derive(Clone, Debug)]
pub(crate) struct AllPasswords {
    pub(crate) administrator: Passwords,
    /// Where the platform administers it; else the app has the administrator's.
    pub(crate) app: Option<AppPasswords>,
}

/// Every object of a `Database`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Desired {
    pub(crate) azure: azure::Objects,
    /// What is wanted by SQL.
    pub(crate) inside: Inside,
    /// How far an app is that administered its server.
    pub(crate) handover: Handover,
    /// The administrator's passwords and the app's, in the operator's namespace.
    pub(crate) admin_secret: Option<Secret>,
    /// The same, once the newest of the app's is known to work; `None` where that is so.
    pub(crate) admin_secret_then: Option<Secret>,
    /// As soon as the identity is known.
    pub(crate) service_account: Option<ServiceAccount>,
    /// As soon as the host is known, and a password that works where there are passwords.
    pub(crate) secret: Option<Secret>,
    /// What is wanted of the vault.
    pub(crate) vault: Box<vault::Wish>,
}

pub(crate) fn build(
    database: &Database,
    known: &Known,
    effective: &Effective,
    passwords: Option<&AllPasswords>,
    handover: Handover,
    azure: &document::Azure,
    operator_namespace: &str,
) -> Desired {
    let app_passwords = passwords.and_then(|passwords| passwords.app.as_ref());
    let passwords = passwords.map(|passwords| &passwords.administrator);
    let objects = objects(database, known, effective, passwords, handover, azure, operator_namespace);
    let identity = given_identity(known, handover);
    let service_account = identity.map(|identity| ServiceAccount {
        metadata: ObjectMeta {
            annotations: Some([(CLIENT_ID.to_owned(), identity.client_id.clone())].into()),
            ..metadata(database, &effective.service_account_name)
        },
        ..ServiceAccount::default()
    });
    let updates = database.annotations().get(UPDATE_EXTENSIONS).map(String::as_str);
    let inside = inside(known, effective, updates, app_passwords, &objects.configurations, &objects.former);
    let tenant_id = &objects.server.spec.auth_config.tenant_id;
    let identity = identity.map(|identity| EntraIdentity { client_id: &identity.client_id, tenant_id });
    let secret_of = |login: Login<'_>| secret_of(database, known, effective, identity, login);
    let secret = match app_passwords {
        None => app_login(known, passwords, &inside, handover).and_then(secret_of),
        Some(app_passwords) => handed_out(effective, app_passwords)
            .and_then(|(role, password)| secret_of(Login { user: role.as_str(), password: Some(&password) })),
    };
    // Passwords are forgotten when they are turned off: turned on again, there are new ones.
    let admin_secret = |app: Option<&AppPasswords>| {
        admin_secret(DatabaseRef::of(database), &known.server_name, passwords, app, operator_namespace)
    };
    let newest_is_unknown = app_passwords.filter(|passwords| !passwords.newest_works);
    let admin_secret_then = newest_is_unknown.map(|passwords| admin_secret(Some(&passwords.established())));
    let admin_secret =
        (passwords.is_some() || known.admin_secret.is_some()).then(|| admin_secret(app_passwords));
    let has_gib = known.server.as_ref().and_then(|server| server.describe().size_gib);
    let instance = objects.backup_instance.clone();
    let existing = known.backup_instance.clone();
    let wish = vault::Wish::of(effective, azure, &known.server_name, has_gib, instance, existing);
    let vault = Box::new(wish);
    Desired {
        azure: objects,
        inside,
        handover,
        admin_secret,
        admin_secret_then,
        service_account,
        secret,
        vault,
    }
}

/// Every object in Azure's namespace.
fn objects(
    database: &Database,
    known: &Known,
    effective: &Effective,
    passwords: Option<&Passwords>,
    handover: Handover,
    azure: &document::Azure,
    operator_namespace: &str,
) -> azure::Objects {
    let reference = passwords.map(|passwords| SecretReference {
        name: password::secret_name(&known.server_name),
        key: passwords.newest.clone(),
    });
    let source = known.restore.as_ref().map(|restore| &restore.source);
    azure::build(&azure::Input {
        database: DatabaseRef::of(database),
        operator_namespace,
        server_name: &known.server_name,
        effective,
        azure,
        adoption: &known.adoption,
        provenance: provenance(database, known, effective),
        restore: source,
        accepts_empty: known.accepts_empty,
        existing: azure::Existing {
            server: known.server.as_ref().map(Server::object),
            database: known.inner.as_ref(),
            database_was_made: known.database_was_made,
            id: known.id.as_deref(),
            configurations: &known.configurations,
            firewall: &known.firewall_rules,
            backup_instance: known.backup_instance.instance.as_deref(),
        },
        in_database: database.status.as_ref().map_or(&[], |status| &status.extensions),
        identity: known.identity.as_ref(),
        administrator: &known.administrator,
        former: former(known, passwords, handover),
        password_administrator: reference
            .as_ref()
            .map(|reference| (password_administrator(known), reference)),
    })
}

/// A copy has the administrator of its source, whose name Azure changes no more. Where the app is to log in as it, it has ours.
fn password_administrator(known: &Known) -> &str {
    let login = known.server.as_ref().and_then(Server::administrator_login);
    login.filter(|_| known.administrator != Administrator::App).unwrap_or(password::LOGIN)
}

/// What the server's tags say beside whose it is.
fn provenance<'a>(
    database: &Database,
    known: &'a Known,
    effective: &'a Effective,
) -> azure::adoption::Provenance<'a> {
    let source = known.restore.as_ref().map(|restore| &restore.source);
    azure::adoption::Provenance {
        database_name: &effective.database_name,
        cluster_uid: &known.cluster_uid,
        namespace_uid: known.namespace_uid.as_deref(),
        taken: database.creation_timestamp().map(|time| time.0),
        restored: source.map(|source| (source.name(), source.time)),
    }
}

/// Where the app knows the administrator's password, its login by token waits for another one.
fn former<'a>(
    known: &'a Known,
    passwords: Option<&Passwords>,
    handover: Handover,
) -> Option<azure::Former<'a>> {
    let former = known.former.as_ref()?;
    let sent = known.sent_password();
    let is_sent = |passwords: &Passwords| sent.accepted && sent.key == Some(&*passwords.newest);
    Some(azure::Former {
        administrator: former.administrator.as_ref(),
        credential: former.credential.as_ref(),
        ends: matches!(handover, Handover::Ends { .. }) && passwords.is_none_or(is_sent),
    })
}

/// The identity that the app is given.
fn given_identity(known: &Known, handover: Handover) -> Option<&azure::Identity> {
    if handover.gives_former() { known.former.as_ref()?.identity.as_ref() } else { known.identity.as_ref() }
}

/// How the app logs in where the operator makes no passwords for it, as soon as that works.
fn app_login<'a>(
    known: &'a Known,
    passwords: Option<&'a Passwords>,
    inside: &'a Inside,
    handover: Handover,
) -> Option<Login<'a>> {
    match passwords {
        None if *inside == Inside::Apps || handover.gives_former() => {
            Some(Login { user: &known.server_name, password: None })
        }
        None => inside.login().map(|role| Login { user: role.as_str(), password: None }),
        // An app that has an older Secret goes on with it until there is one that works.
        Some(passwords) => passwords
            .works
            .as_deref()
            .map(|password| Login { user: password::LOGIN, password: Some(password) }),
    }
}

/// The Secret that the app reads, as soon as the host is known.
fn secret_of(
    database: &Database,
    known: &Known,
    effective: &Effective,
    identity: Option<EntraIdentity<'_>>,
    login: Login<'_>,
) -> Option<Secret> {
    // Who logs in with a token needs it. A password is handed out whatever becomes of the identity.
    if login.password.is_none() && identity.is_none() {
        return None;
    }
    known.host().map(|host| Secret {
        metadata: metadata(database, &secret_name(&database.name_any())),
        type_: Some(BINDING_TYPE.to_owned()),
        data: Some(binding::data(host, &effective.database_name, identity, login)),
        ..Secret::default()
    })
}

/// The Secret that Azure Service Operator reads; without passwords an empty one.
pub(crate) fn admin_secret(
    database: DatabaseRef<'_>,
    server_name: &str,
    passwords: Option<&Passwords>,
    app_passwords: Option<&AppPasswords>,
    operator_namespace: &str,
) -> Secret {
    let fulfilled = match app_passwords {
        Some(app_passwords) => app_passwords.fulfilled.clone(),
        None => passwords.and_then(|passwords| passwords.fulfilled.clone()),
    };
    let notes = [
        (password::FULFILLED, fulfilled),
        (app_password::WORKS, app_passwords.and_then(AppPasswords::key_that_works)),
    ];
    let notes: BTreeMap<_, _> =
        notes.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    let metadata = ObjectMeta {
        name: Some(password::secret_name(server_name)),
        namespace: Some(operator_namespace.to_owned()),
        labels: Some(owner_labels(database)),
        annotations: Some(notes).filter(|notes| !notes.is_empty()),
        ..ObjectMeta::default()
    };
    let mut data = passwords.map(|passwords| passwords.kept.clone());
    if let Some(app_passwords) = app_passwords {
        data.get_or_insert_default().extend(app_passwords.data());
    }
    Secret { metadata, data, ..Secret::default() }
}

/// Owned by the `Database`: they go with it, and nobody keeps access by accident.
fn metadata(database: &Database, name: &str) -> ObjectMeta {
    let owner = OwnerReference {
        api_version: Database::api_version(&()).into_owned(),
        kind: Database::kind(&()).into_owned(),
        name: database.name_any(),
        uid: database.uid().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: None,
    };
    let namespace = database.namespace().unwrap_or_default();
    ObjectMeta {
        name: Some(name.to_owned()),
        labels: Some(owner_labels(DatabaseRef::of(database))),
        namespace: Some(namespace),
        owner_references: Some(vec![owner]),
        ..ObjectMeta::default()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::azure::Principal;

    /// As a copy has it of a server that was made by hand.
    #[rstest]
    #[case::of_a_copy(Some("legacy_admin"), true, "legacy_admin")]
    #[case::of_a_server_of_ours(Some("dbadmin"), true, "dbadmin")]
    #[case::before_passwords_are_taken(None, true, "dbadmin")]
    #[case::where_the_app_logs_in_as_it(Some("legacy_admin"), false, "dbadmin")]
    fn the_administrator_by_a_password_keeps_the_name_that_azure_knows(
        #[case] login: Option<&str>,
        #[case] is_platforms: bool,
        #[case] expected: &str,
    ) {
        let server = json!({
            "apiVersion": "dbforpostgresql.azure.com/v20250801", "kind": "FlexibleServer", "metadata": {"name": "srv"},
            "spec": {"azureName": "srv", "owner": {}, "location": "norwayeast"}, "status": {"administratorLogin": login},
        });
        let mut known = Known::of(serde_json::from_value(server).unwrap());
        if is_platforms {
            let [name, object_id, kind] = ["db-operators", "group", "Group"].map(str::to_owned);
            known.administrator = Administrator::Platform(Principal { name, object_id, kind });
        }
        assert_eq!(password_administrator(&known), expected);
    }
}
