//! First stage: everything that is known of a `Database`, from the caches and nothing else.

use std::sync::Arc;

use api::{
    Authentication, Database, RetainedDatabase,
    annotations::{ACCEPT_EMPTY, RECOVER_FROM},
    reason::Reason,
};
use futures::FutureExt;
use jiff::{civil::Date, tz::TimeZone};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    ResourceExt,
    runtime::reflector::{ObjectRef, Store},
};
use policy::{Policy, Recorded, accepting, document, retained::owner};

use super::{
    caches::{self, Caches, Unreadable},
    context::Context,
    evidence::Evidence,
    password,
    retained::relabel,
    verdict::Blocked,
};
use crate::azure::{
    self, Claim, FlexibleServer, FlexibleServersConfiguration, FlexibleServersDatabase,
    FlexibleServersFirewallRule, Identity, UserAssignedIdentity,
    claim::{self, Foreign},
    condition::{self, Progress},
    names, parameters, settings,
};

/// What is known.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// Name of the server in Azure: recorded, found, or derived for the first time.
    pub(super) server_name: String,
    pub(super) server: Option<FlexibleServer>,
    /// The object of the database in it.
    pub(super) inner: Option<FlexibleServersDatabase>,
    /// Whether Azure made that database once.
    pub(super) database_was_made: bool,
    /// Whether somebody said that an empty server or database may be made where there was one.
    pub(super) accepts_empty: bool,
    /// What was said of an empty one, and has counted.
    pub(super) accepted_empty: Option<String>,
    /// Uid of the namespace of the `Database`; `None` while it isn't known.
    pub(super) namespace_uid: Option<String>,
    /// Uid of this cluster's namespace `kube-system`.
    pub(super) cluster_uid: String,
    /// Azure's id of the server, as it was recorded.
    pub(super) id: Option<String>,
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

/// Where it is looked for, and by whom.
#[derive(Clone, Copy)]
pub(super) struct Surroundings<'a> {
    pub(super) caches: &'a Caches,
    pub(super) records: &'a Store<RetainedDatabase>,
    pub(super) operator_namespace: &'a str,
    pub(super) azure: &'a document::Azure,
    pub(super) recoveries: &'a [document::Recovery],
    pub(super) policy_name: &'a str,
    /// Uid of this cluster's namespace `kube-system`.
    pub(super) cluster_uid: &'a str,
    /// Uid of the namespace of the `Database`; `None` while it isn't known.
    pub(super) namespace_uid: Option<&'a str>,
    /// The current day in UTC.
    pub(super) today: Date,
}

impl<'a> Surroundings<'a> {
    pub(super) fn of(context: &'a Context, policy: &'a Policy, namespace_uid: Option<&'a str>) -> Self {
        Self {
            caches: &context.caches,
            records: &context.retained,
            operator_namespace: &context.operator_namespace,
            azure: &policy.azure,
            recoveries: &policy.recoveries,
            policy_name: &context.policy_name,
            cluster_uid: &context.cluster_uid,
            namespace_uid,
            today: context.now().to_zoned(TimeZone::UTC).date(),
        }
    }

    fn here(&self) -> claim::Here<'a> {
        claim::Here { uid: self.cluster_uid, takes_over: &self.azure.take_over_from }
    }
}

pub(super) fn dereference(database: &Database, around: Surroundings<'_>) -> Result<Found, Error> {
    let Surroundings { caches, records, operator_namespace, azure, .. } = around;
    let cluster_name = &azure.cluster_name.value;
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
    // One that is about another database, while an object of ours says that the server is this one's, is mistaken.
    let record = record.filter(|record| {
        let is_its = |database: &str| owner(database) == Some((&namespace, &name));
        is_its(&record.spec.database)
            || record.spec.formerly.as_deref().is_some_and(is_its)
            || !is_vouched_for(caches, operator_namespace, &server_name, &namespace, &name)
    });
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
        return Err(Error::Blocked(Blocked::by(
            Reason::ServerNameTaken,
            format!(
                "{why}; it is left alone. Give this Database another name, or find out what that object is for"
            ),
        )));
    }
    if let Some(record) = &record
        && let Some(why) = of_another_namespace(record, around)
    {
        return Err(Error::Blocked(why));
    }
    if let Some(server) = &server
        && azure::is_being_ended(server)
    {
        return Err(Error::Blocked(being_destroyed(&server_name)));
    }
    let claim = claim::claim(server.as_ref(), (&namespace, &name), formerly, around.here());
    if let Claim::Foreign(foreign) = &claim {
        return Err(Error::Blocked(not_ours(&server_name, foreign, around.policy_name)));
    }
    let inner = caches.databases.get(operator_namespace, &server_name);
    let evidence = Evidence {
        server_name: &server_name,
        server: server.as_ref(),
        inner: inner.as_ref(),
        status: database.status.as_ref(),
        // What it tells of is being destroyed, as was decided.
        record: record.as_deref().filter(|record| !record.is_being_destroyed()),
        said: database.annotations().get(ACCEPT_EMPTY).map(String::as_str),
        accepts_today: accepting::accepts(database.annotations(), &server_name, around.today),
    };
    if let Some(why) = evidence.loss() {
        return Err(Error::Blocked(why));
    }
    let database_name = evidence.database_name(&database.spec).map_err(Error::Blocked)?;
    let identity = identity.and_then(|identity| {
        let status = identity.status.as_ref()?;
        Some(Identity { client_id: status.client_id.clone()?, principal_id: status.principal_id.clone()? })
    });
    let configurations = caches.configurations.of(operator_namespace, &namespace, &name);
    let firewall_rules = caches.firewall_rules.of(operator_namespace, &namespace, &name);
    let recorded = recorded(database, server.as_ref(), &configurations, database_name);
    let admin_secret = caches.secrets.get(operator_namespace, &password::secret_name(&server_name));
    let id = database.status.as_ref().and_then(|status| status.server.as_ref()?.id.clone());
    let id = id.or_else(|| record.as_ref()?.spec.server.id.clone());
    Ok(Found::Known(Box::new(Known {
        database_was_made: evidence.database_was_made(),
        accepts_empty: evidence.accepts_empty(),
        accepted_empty: evidence.accepted_empty(),
        namespace_uid: around.namespace_uid.map(str::to_owned),
        cluster_uid: around.cluster_uid.to_owned(),
        inner,
        server_name,
        server,
        id,
        claim,
        recorded,
        identity,
        configurations,
        firewall_rules,
        admin_secret,
    })))
}

fn being_destroyed(server_name: &str) -> Blocked {
    Blocked::by(
        Reason::ServerBeingDestroyed,
        format!(
            "Server {server_name} is being destroyed with all its data, as was decided before this Database was applied; \
             a new and empty one is made once it is gone"
        ),
    )
}

/// The namespace may have been deleted and made again, by whoever got its name.
fn of_another_namespace(record: &RetainedDatabase, around: Surroundings<'_>) -> Option<Blocked> {
    // Where it was given to another Database, the policy has consented to that.
    if record.spec.formerly.is_some() {
        return None;
    }
    let (then, now) = (record.spec.namespace_uid.as_deref()?, around.namespace_uid?);
    let database = &record.spec.database;
    let (namespace, _) = owner(database)?;
    let is_allowed = then == now
        || around.recoveries.iter().any(|recovery| recovery.is_of_its_own(database, around.today));
    (!is_allowed).then(|| {
        Blocked::by(Reason::NamespaceRecreated,
            format!(
                "Server {} is kept of Database {database} of a namespace {namespace} that was deleted; this is another \
                 namespace of the same name, and may be another team's. If it is to have that data, ask the platform team \
                 to write {{from: {database}, to: {database}, until: <last day>, reason: <why>}} under recoveries in \
                 ConfigMap {}; else give this Database another name",
                record.spec.server.name, around.policy_name
            ),
        )
    })
}

/// What Azure has under this server's name is another's. Nothing here advises to remove it: it may hold data.
fn not_ours(server_name: &str, foreign: &Foreign, policy_name: &str) -> Blocked {
    let message = match foreign {
        Foreign::Tags { told, needed } => format!(
            "Azure has a server {server_name} already, and nothing says that it is this Database's own ({told}); it is left \
             alone. If it is, because its tags were lost, have the platform team give it the tags {needed} in Azure. Else \
             give this Database another name. It is looked at again every hour"
        ),
        Foreign::Cluster(uid) => format!(
            "Server {server_name} in Azure belongs to another cluster, whose namespace kube-system has the uid {uid}; it is \
             left alone. If that cluster is gone for good, have the platform team write {uid} under azure.takeOverFrom in \
             ConfigMap {policy_name}. Else have it give one of the clusters another azure.clusterName, or give this Database \
             another name. It is looked at again every hour"
        ),
    };
    Blocked::by(Reason::ServerNotOurs, message)
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
        (_, Some(recorded)) => Err(Error::Blocked(Blocked::by(
            Reason::ServerNameUnknown,
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
    Blocked::by(
        Reason::Recovering,
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
        return Err(Error::Blocked(Blocked::by(Reason::AzureServiceOperatorMissing,
            format!(
                "Azure Service Operator is not installed, or not for PostgreSQL: the CRD {first}{more} is missing. \
                 The platform team must install it; this Database goes on by itself then"
            ),
        )
        .beside_the_app()));
    }
    if let Some((kind, error)) = failing {
        return Err(Error::Blocked(
            Blocked::by(
                Reason::CacheNotSynced,
                format!("{kind} can't be listed, so nothing is known of this Database: {error}"),
            )
            .beside_the_app(),
        ));
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
