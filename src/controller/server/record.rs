//! What a `RetainedDatabase` says, pure.

use api::{Database, DatabaseRef, RetainedDatabase, RetainedDatabaseSpec, RetainedReason, RetainedServer};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{ResourceExt, api::ObjectMeta};
use serde_json::json;

use super::describe::Server;
use crate::{
    azure::{FlexibleServer, adoption},
    labels::owner_labels,
};

/// Of a `Database` that is being deleted. Whatever is known is written down, be it from its status or from the object of
/// its server.
#[allow(clippy::too_many_arguments, reason = "each is a field of the record")]
pub(crate) fn of_deleted(
    database: &Database,
    profile: Option<String>,
    server_name: &str,
    server: Option<&Server>,
    namespace_uid: Option<String>,
    operator_namespace: &str,
    since: Timestamp,
    until: Option<Timestamp>,
) -> RetainedDatabase {
    let (whose, server) = (DatabaseRef::of(database), server.map(Server::object));
    let status = database.status.as_ref();
    let known_id = status.and_then(|status| status.server.as_ref()?.id.clone());
    RetainedDatabase {
        metadata: metadata(whose, server_name, operator_namespace),
        spec: RetainedDatabaseSpec {
            database: whose.to_string(),
            formerly: None,
            namespace_uid: namespace_uid
                .or_else(|| server.and_then(adoption::namespace_uid).map(str::to_owned)),
            server: RetainedServer { name: server_name.to_owned(), id: server.and_then(id).or(known_id) },
            // Before an app could connect, there was none.
            database_name: status
                .filter(|status| status.host.is_some())
                .and_then(|status| status.database_name.clone())
                .or_else(|| server.and_then(adoption::database_name).map(str::to_owned)),
            service_account_name: status.and_then(|status| status.service_account_name.clone()),
            last_spec: serde_json::to_value(&database.spec).ok(),
            profile,
            reason: RetainedReason::Deleted,
            since: Time(since),
            until: until.map(Time),
        },
        status: None,
    }
}

/// Of a server whose `Database` is gone, with no decision on its data. What it was made of is read from the server itself.
pub(crate) fn of_orphan(
    server: &Server,
    database: DatabaseRef<'_>,
    operator_namespace: &str,
    since: Timestamp,
) -> RetainedDatabase {
    let server = server.object();
    let spec = &server.spec;
    let gib =
        server.status.as_ref().and_then(|status| status.storage.as_ref()?.size_gib).or(spec.storage.size_gib);
    RetainedDatabase {
        metadata: metadata(database, &server.name_any(), operator_namespace),
        spec: RetainedDatabaseSpec {
            database: database.to_string(),
            formerly: None,
            namespace_uid: adoption::namespace_uid(server).map(str::to_owned),
            server: RetainedServer { name: server.name_any(), id: id(server) },
            last_spec: Some(
                json!({"version": spec.version, "sku": spec.sku.name, "storage": {"sizeGiB": gib}}),
            ),
            profile: None,
            reason: RetainedReason::OwnerLost,
            since: Time(since),
            database_name: adoption::database_name(server).map(str::to_owned),
            service_account_name: None,
            until: None,
        },
        status: None,
    }
}

fn id(server: &FlexibleServer) -> Option<String> {
    server.status.as_ref()?.id.clone()
}

/// A server has one record: it bears its name.
fn metadata(database: DatabaseRef<'_>, server_name: &str, operator_namespace: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(server_name.to_owned()),
        namespace: Some(operator_namespace.to_owned()),
        labels: Some(owner_labels(database)),
        ..ObjectMeta::default()
    }
}

/// Whether Azure was told to destroy the server of a record, so that nothing brings it back: its object is on its way, or it has
/// gone since that was written down.
pub(crate) fn deletion_is_requested(record: &RetainedDatabase, server: Option<&Server>) -> bool {
    server.map_or_else(|| record.is_being_destroyed(), Server::deletion_is_requested)
}
