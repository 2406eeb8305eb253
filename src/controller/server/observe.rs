//! First stage: everything that is known of a `Database`, from the caches and nothing else.

use api::{
    Authentication, Database, DatabaseRef, DatabaseSpec, RetainedDatabase,
    annotations::{ACCEPT_EMPTY, RECOVER_FROM},
    reason::Reason,
};
use futures::FutureExt;
use kube::{
    ResourceExt,
    runtime::reflector::{ObjectRef, Store},
};
use policy::{Recorded, accepting};

use super::{
    caches::Caches,
    evidence::Evidence,
    guards::{self, There},
    known::{FormerLogin, Known},
    ownership::{NameHolder, ServerOf, Traces, has_owner_labels, is_settled, server_of},
    password, point_in_time,
    surroundings::Surroundings,
    vault,
};
use crate::{
    azure::{
        Administrator, FlexibleServer, FlexibleServersAdministrator, FlexibleServersConfiguration, Identity,
        UserAssignedIdentity, adoption, is_apps, names, parameters, settings,
    },
    controller::engine::{cache::Unreadable, verdict::Blocked},
};

/// Why nothing can be read.
pub(crate) enum Error {
    /// The caches aren't complete yet; no trouble.
    NotSynced,
    Blocked(Blocked),
}

/// What a `Database` stands for.
pub(crate) enum Found {
    Known(Box<Known>),
    /// It has no server, and asks for the kept one of another `Database`, given as `<namespace>/<name>`.
    Elsewhere(String),
}

pub(crate) fn observe(database: &Database, around: Surroundings<'_>) -> Result<Found, Error> {
    let Surroundings { caches, records, operator_namespace, .. } = around;
    check(caches)?;
    if !are_listed(records) {
        return Err(Error::NotSynced);
    }
    let server_name = match server_name(database, around)? {
        Named::Here(server_name) => server_name,
        Named::Elsewhere(from) => return Ok(Found::Elsewhere(from)),
    };
    let whose = DatabaseRef::of(database);
    let record = records.get(&ObjectRef::new(&server_name).within(operator_namespace));
    // One that is about another database, while an object of ours says that the server is this one's, is mistaken.
    let record = record.filter(|record| {
        let is_its = |text: &str| DatabaseRef::parse(text) == Some(whose);
        is_its(&record.spec.database)
            || record.spec.formerly.as_deref().is_some_and(is_its)
            || !has_owner_labels(caches, operator_namespace, &server_name, whose)
    });
    let server = caches.servers.cache.get(operator_namespace, &server_name);
    let identity = caches.identities.get(operator_namespace, &server_name);
    let there = There {
        database: whose,
        under: NameHolder {
            name: &server_name,
            operator_namespace,
            record: record.as_deref(),
            server: server.as_ref(),
            identity: identity.as_ref(),
        },
        around,
    };
    if let Some(why) = guards::first(&there) {
        return Err(Error::Blocked(why));
    }
    known(database, &there).map(|known| Found::Known(Box::new(known)))
}

/// Whether all records have been listed once. Those that will never be have ended with the process.
pub(crate) fn are_listed(records: &Store<RetainedDatabase>) -> bool {
    records.wait_until_ready().now_or_never().is_some()
}

/// Where the server is of which a `Database` speaks.
enum Named {
    Here(String),
    /// Kept of another `Database`, given as `<namespace>/<name>`.
    Elsewhere(String),
}

/// The name of its server: the one that it has, or would get.
fn server_name(database: &Database, around: Surroundings<'_>) -> Result<Named, Error> {
    let Surroundings { caches, records, operator_namespace, policy, .. } = around;
    let derived = names::server(&policy.azure.cluster_name.value, DatabaseRef::of(database));
    if is_settled(database, &derived) {
        return Ok(Named::Here(derived));
    }
    let derived_too = Some(derived.clone());
    let traces = Traces::of(database, caches, records, operator_namespace, derived_too, around.here());
    match server_of(&traces) {
        ServerOf::Named(server_name) => Ok(Named::Here(server_name)),
        ServerOf::None => Ok(match database.annotations().get(RECOVER_FROM) {
            Some(from) => Named::Elsewhere(from.clone()),
            None => Named::Here(derived),
        }),
        ServerOf::Unclear(recorded) => {
            Err(Error::Blocked(guards::unknown(&recorded, &derived, operator_namespace)))
        }
    }
}

/// Everything of a server that this `Database` may have, unless its data are gone.
fn known(database: &Database, there: &There<'_>) -> Result<Known, Error> {
    let Surroundings { caches, operator_namespace, .. } = there.around;
    let NameHolder { name: server_name, record, server, .. } = there.under;
    let inner = caches.databases.get(operator_namespace, server_name);
    let evidence = Evidence {
        server_name,
        server,
        inner: inner.as_ref(),
        status: database.status.as_ref(),
        // What it tells of is being destroyed, as was decided.
        record: record.filter(|record| !record.is_being_destroyed()),
        said: database.annotations().get(ACCEPT_EMPTY).map(String::as_str),
        accepts_today: accepting::accepts(database.annotations(), server_name, there.around.today),
    };
    if let Some(why) = evidence.loss() {
        return Err(Error::Blocked(why));
    }
    let database_name = evidence.database_name(&database.spec).map_err(Error::Blocked)?;
    let restore =
        point_in_time::restore(database, there, evidence.server_was_made()).map_err(Error::Blocked)?;
    let configurations = caches.configurations.of(operator_namespace, there.database);
    let backup_instance = vault::Existing::of(caches, operator_namespace, server_name);
    let in_vault = backup_instance.policy_name(&there.around.policy.azure);
    let recorded = recorded(database, server, &configurations, database_name)
        .map(|recorded| with_vault(recorded, in_vault));
    let Logins { administrator, identity, former } = logins(there);
    let id = database.status.as_ref().and_then(|status| status.server.as_ref()?.id.clone());
    let id = id.or_else(|| record?.spec.server.id.clone());
    let restored = server.and_then(|server| adoption::restored(server));
    let restored = restored.map(|(server, time)| (server.to_owned(), time.to_owned()));
    Ok(Known {
        // It came with the data.
        database_was_made: evidence.database_was_made() || restored.is_some(),
        restore,
        owners: restored
            .as_ref()
            .map_or_else(Vec::new, |_| point_in_time::owners(database, there.around.policy)),
        restored,
        accepts_empty: evidence.accepts_empty(),
        accepted_empty: evidence.accepted_empty(),
        namespace_uid: there.around.namespace_uid.map(str::to_owned),
        cluster_uid: there.around.cluster_uid.to_owned(),
        inner,
        server_name: server_name.to_owned(),
        server: server.cloned().map(Into::into),
        id,
        adoption: there.adoption(),
        recorded,
        identity,
        administrator,
        former,
        configurations,
        firewall_rules: caches.firewall_rules.of(operator_namespace, there.database),
        backup_instance,
        admin_secret: caches.secrets.get(operator_namespace, &password::secret_name(server_name)),
    })
}

/// Who logs in to a server.
struct Logins {
    administrator: Administrator,
    /// The app's.
    identity: Option<Identity>,
    former: Option<FormerLogin>,
}

/// Objects of a server's administrators: the first is the app's, where there are two.
fn administrators(
    caches: &Caches,
    operator_namespace: &str,
    server_name: &str,
) -> [Option<FlexibleServersAdministrator>; 2] {
    [server_name.to_owned(), names::platform_administrator(server_name)]
        .map(|name| caches.administrators.get(operator_namespace, &name))
}

/// The platform's administrators of the server whose data this one was made with: their roles came with the data.
pub(crate) fn administrators_of_source(
    caches: &Caches,
    operator_namespace: &str,
    server: Option<&FlexibleServer>,
) -> Vec<FlexibleServersAdministrator> {
    let Some((source, _)) = server.and_then(adoption::restored) else { return Vec::new() };
    let all = administrators(caches, operator_namespace, source).into_iter().flatten();
    all.filter(|one| !is_apps(&one.spec, source)).collect()
}

fn logins(there: &There<'_>) -> Logins {
    let Surroundings { caches, operator_namespace, policy, .. } = there.around;
    let server_name = there.under.name;
    let [first, second] = administrators(caches, operator_namespace, server_name);
    let of_source = administrators_of_source(caches, operator_namespace, there.under.server);
    let other = caches.identities.get(operator_namespace, &names::app_identity(server_name));
    let administrator = Administrator::of(
        first.iter().chain(&second).chain(&of_source).map(|administrator| &administrator.spec),
        policy.azure.administrator.as_ref(),
        server_name,
    );
    let identity = |object: &UserAssignedIdentity| {
        let status = object.status.as_ref()?;
        Some(Identity { client_id: status.client_id.clone()?, principal_id: status.principal_id.clone()? })
    };
    let of_server = there.under.identity.and_then(identity);
    let apps = first.filter(|first| is_apps(&first.spec, server_name));
    let is_handed_over =
        administrator != Administrator::App && (apps.is_some() || second.is_some() || other.is_some());
    if !is_handed_over {
        return Logins { administrator, identity: of_server, former: None };
    }
    let former = FormerLogin {
        administrator: apps,
        credential: caches.credentials.get(operator_namespace, server_name),
        identity: of_server,
    };
    Logins { administrator, identity: other.as_ref().and_then(identity), former: Some(former) }
}

/// Whether all caches of what is in Azure and in the apps' namespaces can be believed.
pub(crate) fn check(caches: &Caches) -> Result<(), Error> {
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
    // Where there can't be any, everything else goes on.
    let mut complete = caches.backup_instances.check() != Err(Unreadable::NotSynced);
    for check in checks {
        match check {
            Ok(()) => {}
            Err(Unreadable::NotSynced) => complete = false,
            Err(Unreadable::UnknownKind(kind)) => unknown.push(kind),
            Err(Unreadable::Failing(kind, error)) => failing = Some((kind, error)),
        }
    }
    if let Some(first) = unknown.first() {
        let crds = match unknown.len() {
            1 => format!("the CRD {first} is missing"),
            all => format!("the CRD {first} and {} more are missing", all - 1),
        };
        return Err(Error::Blocked(Blocked::by(
            Reason::AzureServiceOperatorMissing,
            format!(
                "Azure Service Operator is not installed, or not for PostgreSQL: {crds}. The platform team must install it; then \
                 everything goes on without another step"
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

/// With the backup policy of the vault, which the server knows nothing of.
fn with_vault(mut recorded: Recorded, policy: Option<String>) -> Recorded {
    if policy.is_some() {
        recorded.running.backup.get_or_insert_default().vault = policy;
    }
    recorded
}

/// What the server is, from its object, or from the status where that is gone. `None` before Azure has made it: then
/// there is nothing that could be shrunk or downgraded, and a wish that Azure refused can be taken back.
///
/// The size is the one that was asked for: taking what Azure reports would follow each resize by others, and race with ASO,
/// which puts the size back.
fn recorded(
    database: &Database,
    server: Option<&FlexibleServer>,
    configurations: &[FlexibleServersConfiguration],
    database_name: Option<String>,
) -> Option<Recorded> {
    let from_status = Recorded::from_status(database.status.as_ref());
    let Some(server) = server else { return from_status };
    let Some(status) = server.created_status() else {
        // An object that has yet to look says nothing of a server that was known before.
        return from_status.filter(|_| adoption::is_probe(server));
    };
    let spec = adoption::found(server);
    let sku = if spec.sku.name.is_empty() { status.sku.as_ref() } else { Some(&spec.sku) };
    // Those of a server that was found are not known yet.
    let is_known = !adoption::is_probe(server) && !adoption::is_just_restored(server);
    let set = is_known.then(|| parameters::read(configurations.iter().map(|object| &object.spec)));
    let (extensions, parameters) = set.unzip();
    let running = DatabaseSpec {
        sku: sku.map(|sku| sku.name.clone()),
        database_name: database_name
            .or_else(|| from_status.and_then(|recorded| recorded.running.database_name)),
        extensions,
        parameters,
        authentication: is_known.then(|| {
            let has_passwords = settings::is_on(&spec.auth_config.password_auth) == Some(true);
            if has_passwords { Authentication::Password } else { Authentication::Identity }
        }),
        ..settings::running(&spec, status)
    };
    // What Azure doesn't restore isn't left out by anybody.
    let is_whole = !adoption::is_just_restored(server);
    Some(Recorded { running, is_whole, location: Some(spec.location.clone()) })
}
