//! Third stage, pure: every object that we want, in Azure's namespace and in the app's.

use std::collections::BTreeMap;

use api::Database;
use k8s_openapi::{
    ByteString,
    api::core::v1::{Secret, ServiceAccount},
    apimachinery::pkg::apis::meta::v1::OwnerReference,
};
use kube::{Resource, ResourceExt, api::ObjectMeta};
use policy::{Effective, document};

use super::dereference::Known;
use crate::azure;

/// TCP port of every server. <https://learn.microsoft.com/azure/postgresql/network/concepts-networking-public>
pub(super) const PORT: i32 = 5432;
/// Annotation by which a pod's ServiceAccount gets tokens of its identity.
/// <https://azure.github.io/azure-workload-identity/docs/topics/service-account-labels-and-annotations.html>
pub(super) const CLIENT_ID: &str = "azure.workload.identity/client-id";
/// Type of a binding Secret. <https://servicebinding.io/spec/core/1.1.0/#provisioned-service>
const BINDING_TYPE: &str = "servicebinding.io/postgresql";

/// Every object of a `Database`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Desired {
    pub(super) azure: azure::Objects,
    /// As soon as the identity is known.
    pub(super) service_account: Option<ServiceAccount>,
    /// As soon as the host is known.
    pub(super) secret: Option<Secret>,
}

/// Name of the Secret of a `Database`.
pub(super) fn secret_name(database: &str) -> String {
    format!("{database}-db-credentials")
}

pub(super) fn build(
    database: &Database,
    known: &Known,
    effective: &Effective,
    azure: &document::Azure,
    operator_namespace: &str,
) -> Desired {
    let (namespace, name) = (database.namespace().unwrap_or_default(), database.name_any());
    let objects = azure::build(&azure::Input {
        namespace: &namespace,
        name: &name,
        operator_namespace,
        server_name: &known.server_name,
        effective,
        azure,
        existing: known.server.as_deref(),
        configurations: &known.configurations,
        identity: known.identity.as_ref(),
    });
    let service_account = known.identity.as_ref().map(|identity| ServiceAccount {
        metadata: ObjectMeta {
            annotations: Some([(CLIENT_ID.to_owned(), identity.client_id.clone())].into()),
            ..metadata(database, &effective.service_account_name)
        },
        ..ServiceAccount::default()
    });
    let secret = known.host().map(|host| Secret {
        metadata: metadata(database, &secret_name(&name)),
        type_: Some(BINDING_TYPE.to_owned()),
        data: Some(binding(host, &effective.database_name, &known.server_name)),
        ..Secret::default()
    });
    Desired { azure: objects, service_account, secret }
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
        labels: Some(azure::marks(&namespace, &database.name_any())),
        namespace: Some(namespace),
        owner_references: Some(vec![owner]),
        ..ObjectMeta::default()
    }
}

/// The keys of servicebinding.io and of CloudNativePG. There is no password: the app logs in with a token.
fn binding(host: &str, database: &str, user: &str) -> BTreeMap<String, ByteString> {
    // Names of databases, users and hosts hold no character that a URI would have to escape.
    let uri = format!("postgresql://{user}@{host}:{PORT}/{database}?sslmode=verify-full");
    let jdbc = format!("jdbc:postgresql://{host}:{PORT}/{database}?user={user}&sslmode=verify-full");
    [
        ("type", "postgresql"),
        ("provider", "azure"),
        ("host", host),
        ("port", &PORT.to_string()),
        ("database", database),
        ("dbname", database),
        ("username", user),
        ("user", user),
        ("uri", &uri),
        ("jdbc-uri", &jdbc),
        ("sslmode", "verify-full"),
    ]
    .map(|(key, value)| (key.to_owned(), ByteString(value.as_bytes().to_vec())))
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_has_what_both_conventions_ask_for() {
        let data = binding("s.postgres.database.azure.com", "my_app_db", "s");
        let shown: BTreeMap<_, _> = data
            .iter()
            .map(|(key, value)| (key.as_str(), String::from_utf8_lossy(&value.0).into_owned()))
            .collect();
        insta::assert_snapshot!(serde_json::to_string_pretty(&shown).unwrap());
    }

    #[test]
    fn the_keys_are_of_the_form_that_service_binding_asks_for() {
        for key in binding("h", "d", "u").keys() {
            assert!(
                key.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c)),
                "{key}"
            );
        }
    }
}
