//! First stage: everything that is known of a `Database`, from the caches and nothing else.

use std::sync::Arc;

use api::Database;
use kube::ResourceExt;
use policy::Recorded;

use super::{
    caches::{self, Caches, Unreadable},
    status::Blocked,
};
use crate::azure::{FlexibleServer, FlexibleServersConfiguration, Identity, names, parameters, settings};

/// What is known.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// Name of the server in Azure: recorded, found, or derived for the first time.
    pub(super) server_name: String,
    pub(super) server: Option<Arc<FlexibleServer>>,
    /// What the existing server is; `None` before it exists.
    pub(super) recorded: Option<Recorded>,
    pub(super) identity: Option<Identity>,
    /// The objects of the server's parameters.
    pub(super) configurations: Vec<Arc<FlexibleServersConfiguration>>,
}

impl Known {
    /// Host name of the server, which Azure tells when it has made it.
    pub(super) fn host(&self) -> Option<&str> {
        self.server.as_ref()?.status.as_ref()?.fully_qualified_domain_name.as_deref()
    }
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
    let derived = names::server(cluster_name, &namespace, &name);
    let is_ours = |server: &FlexibleServer| caches::belongs_to(server, &namespace, &name);
    let has =
        |name: &str| caches.servers.get(operator_namespace, name).is_some_and(|server| is_ours(&server));
    let server_name = match recorded_name.filter(|recorded| !recorded.is_empty()) {
        // Whoever may write a status could name any server, so a name counts only if it is the one that we would
        // give, or the server's object says the same.
        Some(recorded) if recorded == derived || has(&recorded) => recorded,
        None if has(&derived) => derived,
        // The status was lost, and the policy names another cluster since: the server's object still tells.
        recorded => match (caches.servers.find(is_ours), recorded) {
            (Some(server), _) => server.name_any(),
            (None, None) => derived,
            (None, Some(recorded)) => {
                return Err(Error::Blocked(Blocked::stalled(
                    "ServerNameUnknown",
                    format!(
                        "status.server.name is {recorded}, while this Database would get {derived}, and there is no \
                         FlexibleServer {operator_namespace}/{recorded} that belongs to it; nothing is touched. If \
                         the server is this Database's own, the platform team must bring that object back"
                    ),
                )));
            }
        },
    };

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
    let inner = caches.databases.get(operator_namespace, &server_name);
    let configurations = caches.configurations_of(operator_namespace, &namespace, &name);
    let recorded = recorded(
        database,
        server.as_deref(),
        &configurations,
        inner.map(|inner| inner.spec.azure_name.clone()).filter(|name| !name.is_empty()),
    );
    Ok(Known { server_name, server, recorded, identity, configurations })
}

fn check(caches: &Caches) -> Result<(), Error> {
    let checks = [
        caches.servers.check(),
        caches.databases.check(),
        caches.firewall_rules.check(),
        caches.administrators.check(),
        caches.configurations.check(),
        caches.identities.check(),
        caches.credentials.check(),
        caches.secrets.check(),
        caches.service_accounts.check(),
    ];
    let (mut unknown, mut failing) = (Vec::new(), None);
    let mut complete = true;
    for check in checks {
        match check {
            Ok(()) => {}
            Err(Unreadable::NotSynced) => complete = false,
            Err(Unreadable::UnknownKind(kind)) => unknown.push(kind),
            Err(Unreadable::Failing(kind, error)) => failing = Some((kind, error)),
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
    if let Some((kind, error)) = failing {
        return Err(Error::Blocked(Blocked::working(
            "CacheNotSynced",
            format!("{kind} can't be listed, so nothing is known of this Database: {error}"),
        )));
    }
    if complete { Ok(()) } else { Err(Error::NotSynced) }
}

/// What the server is, from its object, or from the status where that is gone. `None` before Azure has made it: then
/// there is nothing that could be shrunk or downgraded, and a wish that Azure refused can be taken back.
///
/// Version and disk are as Azure reports them, since neither ever goes back. The size is the one that was asked for:
/// taking what Azure reports would follow each resize by others, and race with ASO, which puts the size back.
fn recorded(
    database: &Database,
    server: Option<&FlexibleServer>,
    configurations: &[Arc<FlexibleServersConfiguration>],
    database_name: Option<String>,
) -> Option<Recorded> {
    let from_status = Recorded::from_status(database.status.as_ref());
    let Some(server) = server else { return from_status };
    let status = server.made()?;
    let version = status.version.as_ref().unwrap_or(&server.spec.version);
    let actual_gib = status.storage.as_ref().and_then(|storage| storage.size_gib);
    let sku = if server.spec.sku.name.is_empty() { status.sku.as_ref() } else { Some(&server.spec.sku) };
    let (extensions, parameters) = parameters::read(configurations.iter().map(|object| &object.spec));
    Some(Recorded {
        version: version.parse().ok(),
        sku: sku.map(|sku| sku.name.clone()),
        size_gib: actual_gib.or(server.spec.storage.size_gib),
        database_name: database_name.or_else(|| from_status.and_then(|recorded| recorded.database_name)),
        location: Some(server.spec.location.clone()),
        extensions: Some(extensions),
        parameters: Some(parameters),
        settings: Some(settings::read(&server.spec)),
    })
}
