//! First stage: everything that is known of a `Database`, from the caches and nothing else.

use std::sync::Arc;

use api::Database;
use kube::ResourceExt;
use policy::Recorded;

use super::{
    caches::{self, Caches, Unreadable},
    status::Blocked,
};
use crate::azure::{FlexibleServer, Identity, names};

/// What is known.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// Name of the server in Azure: recorded, found, or derived for the first time.
    pub(super) server_name: String,
    pub(super) server: Option<Arc<FlexibleServer>>,
    /// What the existing server is; `None` before it exists.
    pub(super) recorded: Option<Recorded>,
    pub(super) identity: Option<Identity>,
}

/// Why nothing can be read.
pub(super) enum Error {
    /// The caches aren't complete yet; no trouble.
    NotSynced,
    Blocked(Blocked),
}

pub(super) fn dereference(
    database: &Database,
    caches: &Caches,
    operator_namespace: &str,
    cluster_name: &str,
) -> Result<Known, Error> {
    check(caches)?;
    let (namespace, name) = (database.namespace().unwrap_or_default(), database.name_any());

    let recorded_name =
        database.status.as_ref().and_then(|status| status.server.as_ref()).map(|server| server.name.clone());
    let derived = || names::server(cluster_name, &namespace, &name);
    let server_name = recorded_name.unwrap_or_else(|| {
        let derived = derived();
        if caches.servers.get(operator_namespace, &derived).is_some() {
            return derived;
        }
        // The status was lost, and the policy names another cluster since: the server's object still tells.
        caches
            .servers
            .find(|server| caches::belongs_to(server, &namespace, &name))
            .map_or(derived, |server| server.name_any())
    });

    let server = caches.servers.get(operator_namespace, &server_name);
    if let Some(server) = &server
        && !caches::belongs_to(server.as_ref(), &namespace, &name)
    {
        return Err(Error::Blocked(Blocked::stalled(
            "ServerNameTaken",
            format!(
                "FlexibleServer {operator_namespace}/{server_name} exists and does not belong to this Database; \
                 it is left alone. Rename this Database, or remove that object"
            ),
        )));
    }
    let identity = caches.identities.get(operator_namespace, &server_name).and_then(|identity| {
        let status = identity.status.as_ref()?;
        Some(Identity { client_id: status.client_id.clone()?, principal_id: status.principal_id.clone()? })
    });
    let recorded = recorded(database, server.as_deref());
    Ok(Known { server_name, server, recorded, identity })
}

fn check(caches: &Caches) -> Result<(), Error> {
    let checks = [
        caches.servers.check(),
        caches.databases.check(),
        caches.firewall_rules.check(),
        caches.administrators.check(),
        caches.identities.check(),
        caches.credentials.check(),
        caches.secrets.check(),
        caches.service_accounts.check(),
    ];
    let mut unknown = Vec::new();
    let mut complete = true;
    for check in checks {
        match check {
            Ok(()) => {}
            Err(Unreadable::NotSynced) => complete = false,
            Err(Unreadable::UnknownKind(kind)) => unknown.push(kind),
        }
    }
    if let Some(first) = unknown.first() {
        let more = if unknown.len() > 1 { format!(" and {} more", unknown.len() - 1) } else { String::new() };
        return Err(Error::Blocked(Blocked::working(
            "AzureServiceOperatorMissing",
            format!(
                "Azure Service Operator is not installed, or not for PostgreSQL: the CRD {first}{more} is missing. \
                 The platform team must install it; this Database goes on by itself then"
            ),
        )));
    }
    if complete { Ok(()) } else { Err(Error::NotSynced) }
}

/// What the server is: Azure's own report first, what was wanted of it where there is none, and the status
/// where the object is gone.
fn recorded(database: &Database, server: Option<&FlexibleServer>) -> Option<Recorded> {
    let from_status = Recorded::from_status(database.status.as_ref());
    let Some(server) = server else { return from_status };
    let status = server.status.as_ref();
    let version =
        status.and_then(|status| status.version.clone()).unwrap_or_else(|| server.spec.version.clone());
    let sku = status.and_then(|status| status.sku.clone()).unwrap_or_else(|| server.spec.sku.clone());
    let size = status.and_then(|status| status.storage.as_ref()?.size_gib).or(server.spec.storage.size_gib);
    let written = |text: String| if text.is_empty() { None } else { Some(text) };
    Some(Recorded {
        version: version.parse().ok(),
        sku: written(sku.name),
        size_gib: size,
        database_name: from_status.and_then(|recorded| recorded.database_name),
    })
}
