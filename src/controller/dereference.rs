//! First stage: everything that is known of a `Database`, from the caches and nothing else.

use std::sync::Arc;

use api::{Authentication, Database, RetainedDatabase, annotations::RECOVER_FROM};
use futures::FutureExt;
use k8s_openapi::api::core::v1::Secret;
use kube::{
    ResourceExt,
    runtime::reflector::{ObjectRef, Store},
};
use policy::{Recorded, retained::owner};

use super::{
    caches::{self, Caches, Unreadable},
    password,
    retained::relabel,
    status::Blocked,
};
use crate::azure::{
    self, Claim, FlexibleServer, FlexibleServersConfiguration, FlexibleServersFirewallRule, Identity,
    UserAssignedIdentity, claim,
    condition::{self, Progress},
    names, parameters, settings,
};

/// What is known.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// Name of the server in Azure: recorded, found, or derived for the first time.
    pub(super) server_name: String,
    pub(super) server: Option<FlexibleServer>,
    /// Whether the server may be written.
    pub(super) claim: Claim,
    /// What the existing server is; `None` before it exists.
    pub(super) recorded: Option<Recorded>,
    pub(super) identity: Option<Identity>,
    /// The objects of the server's parameters.
    pub(super) configurations: Vec<FlexibleServersConfiguration>,
    /// The objects of the rules of its firewall.
    pub(super) firewall_rules: Vec<FlexibleServersFirewallRule>,
    /// The Secret with the administrator's passwords.
    pub(super) admin_secret: Option<Secret>,
}

impl Known {
    /// What Azure was told of passwords.
    pub(super) fn told(&self) -> password::Told<'_> {
        let server = self.server.as_ref().filter(|server| !claim::only_looks(server));
        password::Told {
            key: server
                .and_then(|server| server.spec.administrator_login_password.as_ref())
                .map(|password| password.key.as_str()),
            is_taken: server.is_some_and(|server| condition::progress(server) == Progress::Ready),
        }
    }

    /// Host name of the server, which Azure tells when it has made it. Of a server that was only looked at, nobody has
    /// set up a login.
    pub(super) fn host(&self) -> Option<&str> {
        self.server
            .as_ref()
            .filter(|server| !claim::only_looks(server))?
            .status
            .as_ref()?
            .fully_qualified_domain_name
            .as_deref()
    }
}

/// Why nothing can be read.
pub(super) enum Error {
    /// The caches aren't complete yet; no trouble.
    NotSynced,
    Blocked(Blocked),
}

/// What a `Database` stands for.
pub(super) enum Found {
    Known(Box<Known>),
    /// It has no server, and asks for the kept one of another `Database`, given as `<namespace>/<name>`.
    Elsewhere(String),
}

pub(super) fn dereference(
    database: &Database,
    caches: &Caches,
    records: &Store<RetainedDatabase>,
    operator_namespace: &str,
    cluster_name: &str,
) -> Result<Found, Error> {
    check(caches)?;
    // One that will never be ready has ended with the process.
    if records.wait_until_ready().now_or_never().is_none() {
        return Err(Error::NotSynced);
    }
    let (namespace, name) = (database.namespace().unwrap_or_default(), database.name_any());
    let server_name = match server_name(database, caches, records, operator_namespace, cluster_name)? {
        Server::Named(server_name) => server_name,
        Server::Elsewhere(from) => return Ok(Found::Elsewhere(from)),
    };
    let record = records.get(&ObjectRef::new(&server_name).within(operator_namespace));
    let formerly = record
        .as_ref()
        .filter(|record| owner(&record.spec.database) == Some((&namespace, &name)))
        .and_then(|record| owner(record.spec.formerly.as_deref()?));
    if let Some(formerly) = formerly
        && relabel::is_due(caches, operator_namespace, &server_name, formerly)
    {
        return Err(Error::Blocked(recovering(&server_name, formerly)));
    }
    let server = caches.servers.cache.get(operator_namespace, &server_name);
    let identity = caches.identities.get(operator_namespace, &server_name);
    let there = UnderName {
        name: &server_name,
        operator_namespace,
        record: record.as_deref(),
        server: server.as_ref(),
        identity: identity.as_ref(),
    };
    if let Some(why) = there.taken_from((&namespace, &name)) {
        return Err(Error::Blocked(Blocked::stalled(
            "ServerNameTaken",
            format!("{why}; it is left alone. Rename this Database, or remove that object"),
        )));
    }
    if let Some(server) = &server
        && azure::is_being_ended(server)
    {
        return Err(Error::Blocked(Blocked::working(
            "ServerBeingDestroyed",
            format!(
                "Server {server_name} is being destroyed with all its data, as was decided before this Database was applied; \
                 a new and empty one is made once it is gone"
            ),
        )));
    }
    let claim = claim::claim(server.as_ref(), (&namespace, &name), formerly);
    if let Claim::Foreign(tags) = &claim {
        return Err(Error::Blocked(Blocked::stalled(
            "ServerNotOurs",
            format!(
                "Azure has a server {server_name} already, and it is not this Database's own ({tags}); it is left \
                 alone. Give this Database another name, or have the platform team remove that server or choose \
                 another azure.clusterName; it is looked at again every hour"
            ),
        )));
    }
    let identity = identity.and_then(|identity| {
        let status = identity.status.as_ref()?;
        Some(Identity { client_id: status.client_id.clone()?, principal_id: status.principal_id.clone()? })
    });
    let inner = caches.databases.get(operator_namespace, &server_name);
    let configurations = caches.configurations.of(operator_namespace, &namespace, &name);
    let firewall_rules = caches.firewall_rules.of(operator_namespace, &namespace, &name);
    let recorded = recorded(
        database,
        server.as_ref(),
        &configurations,
        inner.map(|inner| inner.spec.azure_name.clone()).filter(|name| !name.is_empty()),
    );
    let admin_secret = caches.secrets.get(operator_namespace, &password::secret_name(&server_name));
    Ok(Found::Known(Box::new(Known {
        server_name,
        server,
        claim,
        recorded,
        identity,
        configurations,
        firewall_rules,
        admin_secret,
    })))
}

/// Which server it is.
enum Server {
    Named(String),
    Elsewhere(String),
}

/// The name of its server: recorded, found, kept, or derived for the first time.
fn server_name(
    database: &Database,
    caches: &Caches,
    records: &Store<RetainedDatabase>,
    operator_namespace: &str,
    cluster_name: &str,
) -> Result<Server, Error> {
    let (namespace, name) = (database.namespace().unwrap_or_default(), database.name_any());
    let recorded = database.status.as_ref().and_then(|status| status.server.as_ref());
    let recorded = recorded.map(|server| server.name.clone()).filter(|recorded| !recorded.is_empty());
    let derived = names::server(cluster_name, &namespace, &name);
    let own = |server: &str| is_vouched_for(caches, operator_namespace, server, &namespace, &name);
    match &recorded {
        // Whoever may write a status could name any server, so a name counts only if it is the one that we would
        // give, or an object of ours says the same.
        Some(recorded) if *recorded == derived || own(recorded) => {
            return Ok(Server::Named(recorded.clone()));
        }
        None if own(&derived) => return Ok(Server::Named(derived)),
        _ => {}
    }
    // The status was lost, and the policy names another cluster since: the server's object still tells.
    if let Some(server) = caches.servers.of(operator_namespace, &namespace, &name).pop() {
        return Ok(Server::Named(server.name_any()));
    }
    let ours = kept(records, &namespace, &name).map(|record| record.spec.server.name.clone());
    match (ours, recorded) {
        (Some(kept), None) => Ok(Server::Named(kept)),
        (Some(kept), Some(recorded)) if kept == recorded => Ok(Server::Named(kept)),
        (None, None) => Ok(match database.annotations().get(RECOVER_FROM) {
            Some(from) => Server::Elsewhere(from.clone()),
            None => Server::Named(derived),
        }),
        (_, Some(recorded)) => Err(Error::Blocked(Blocked::stalled(
            "ServerNameUnknown",
            format!(
                "status.server.name is {recorded}, while this Database would get {derived}, and nothing in namespace \
                 {operator_namespace} says that {recorded} belongs to it; nothing is touched. If the server is this \
                 Database's own, the platform team must write a RetainedDatabase {recorded} that says so"
            ),
        ))),
    }
}

/// Whether an object in the operator's namespace says that a `Database` has this server.
pub(super) fn is_vouched_for(
    caches: &Caches,
    operator_namespace: &str,
    server: &str,
    namespace: &str,
    name: &str,
) -> bool {
    caches.servers.cache.own(operator_namespace, server, (namespace, name)).is_some()
        // It outlives the server's object, which may have been deleted by hand.
        || caches.identities.own(operator_namespace, server, (namespace, name)).is_some()
}

/// What there is under the name of a server.
pub(super) struct UnderName<'a> {
    pub(super) name: &'a str,
    pub(super) operator_namespace: &'a str,
    pub(super) record: Option<&'a RetainedDatabase>,
    pub(super) server: Option<&'a FlexibleServer>,
    pub(super) identity: Option<&'a UserAssignedIdentity>,
}

impl UnderName<'_> {
    /// What of it says that the server is another one's than this `Database`'s.
    pub(super) fn taken_from(&self, (namespace, name): (&str, &str)) -> Option<String> {
        let object = format!("{}/{}", self.operator_namespace, self.name);
        if let Some(record) = self.record
            && owner(&record.spec.database) != Some((namespace, name))
        {
            return Some(format!("RetainedDatabase {object} keeps it for Database {}", record.spec.database));
        }
        let exists =
            |kind: &str| Some(format!("{kind} {object} exists and does not belong to this Database"));
        if self.server.is_some_and(|server| !caches::belongs_to(server, namespace, name)) {
            return exists("FlexibleServer");
        }
        if self.identity.is_some_and(|identity| !caches::belongs_to(identity, namespace, name)) {
            return exists("UserAssignedIdentity");
        }
        None
    }
}

/// The record of what is kept for this `Database`.
pub(super) fn kept(
    records: &Store<RetainedDatabase>,
    namespace: &str,
    name: &str,
) -> Option<Arc<RetainedDatabase>> {
    let is_of = |record: &Arc<RetainedDatabase>| owner(&record.spec.database) == Some((namespace, name));
    records.state().into_iter().find(is_of)
}

/// What a `Database` is told while the server of another one becomes its own.
pub(super) fn recovering(server_name: &str, (namespace, name): (&str, &str)) -> Blocked {
    Blocked::working(
        "Recovering",
        format!(
            "Server {server_name}, which was kept of Database {namespace}/{name}, is being brought back here"
        ),
    )
}

/// Whether all caches of what is in Azure and in the apps' namespaces can be believed.
pub(super) fn check(caches: &Caches) -> Result<(), Error> {
    let checks = [
        caches.servers.cache.check(),
        caches.databases.check(),
        caches.firewall_rules.cache.check(),
        caches.administrators.check(),
        caches.configurations.cache.check(),
        caches.identities.check(),
        caches.credentials.check(),
        caches.secrets.check(),
        caches.bindings.check(),
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
    configurations: &[FlexibleServersConfiguration],
    database_name: Option<String>,
) -> Option<Recorded> {
    let from_status = Recorded::from_status(database.status.as_ref());
    let Some(server) = server else { return from_status };
    let Some(status) = server.made() else {
        // An object that has yet to look says nothing of a server that was known before.
        return from_status.filter(|_| claim::only_looks(server));
    };
    let spec = claim::found(server);
    let version = status.version.as_ref().unwrap_or(&spec.version);
    let actual_gib = status.storage.as_ref().and_then(|storage| storage.size_gib);
    let sku = if spec.sku.name.is_empty() { status.sku.as_ref() } else { Some(&spec.sku) };
    // Those of a server that was found are not known yet.
    let set = (!claim::only_looks(server))
        .then(|| parameters::read(configurations.iter().map(|object| &object.spec)));
    let (extensions, parameters) = set.unzip();
    Some(Recorded {
        version: version.parse().ok(),
        sku: sku.map(|sku| sku.name.clone()),
        size_gib: actual_gib.or(spec.storage.size_gib),
        database_name: database_name.or_else(|| from_status.and_then(|recorded| recorded.database_name)),
        location: Some(spec.location.clone()),
        extensions,
        parameters,
        settings: Some(settings::read(&spec)),
        authentication: (!claim::only_looks(server)).then(|| {
            let has_passwords = settings::is_on(&spec.auth_config.password_auth) == Some(true);
            if has_passwords { Authentication::Password } else { Authentication::Identity }
        }),
    })
}
