//! From an effective spec to every object that we want.

use std::collections::BTreeMap;

use api::{Backup, DatabaseRef, ExtensionStatus, annotations::PAUSED};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Resource, ResourceExt, api::ObjectMeta};
use policy::{Effective, document, resource_id};

use super::{
    AT_REST, Adoption, AsoObject, BackupVaultsBackupInstance, DETACH_ON_DELETE, FederatedIdentityCredential,
    FlexibleServer, FlexibleServersAdministrator, FlexibleServersConfiguration, FlexibleServersDatabase,
    FlexibleServersFirewallRule, MANAGE, Owner, RECONCILE_POLICY, SKIP, SecretReference,
    UserAssignedIdentity,
    administrator::{Administrator, Principal, SERVICE_PRINCIPAL},
    adoption::{self, CLUSTER_TAG},
    condition::{self, Progress},
    data_protection::{
        BackupInstance, BackupVaultsBackupInstanceSpec, DATASOURCE_TYPE, Datasource, PolicyInfo,
    },
    database_for_postgresql::{
        AuthConfig, FlexibleServerSpec, FlexibleServersAdministratorSpec, FlexibleServersConfigurationSpec,
        FlexibleServersDatabaseSpec, FlexibleServersFirewallRuleSpec, Network, POINT_IN_TIME_RESTORE,
        Reference, Sku, Storage,
    },
    has_policy,
    managed_identity::{FederatedIdentityCredentialSpec, UserAssignedIdentitySpec},
    names, parameters, settings,
};
use crate::labels::owner_labels;

/// The audience of a Kubernetes token that Entra exchanges for one of its own.
/// <https://learn.microsoft.com/entra/workload-id/workload-identity-federation-create-trust>
const TOKEN_AUDIENCE: &str = "api://AzureADTokenExchange";

/// What the objects are built from.
#[derive(Clone, Debug)]
pub struct Input<'a> {
    pub database: DatabaseRef<'a>,
    /// Namespace of the objects.
    pub operator_namespace: &'a str,
    /// Name of the server in Azure, and of the objects.
    pub server_name: &'a str,
    pub effective: &'a Effective,
    pub azure: &'a document::Azure,
    /// Whether the server may be written at all.
    pub adoption: &'a Adoption,
    /// What the server's tags say beside whose it is.
    pub provenance: adoption::Provenance<'a>,
    /// Whether an empty server or database may be made where there was one.
    pub accepts_empty: bool,
    /// Where its data come from, if it is to be made with those of another server.
    pub restore: Option<&'a RestoreSource>,
    /// The objects that there are.
    pub existing: Existing<'a>,
    /// The extensions that are in the database, as far as that is known.
    pub in_database: &'a [ExtensionStatus],
    /// The identity, as soon as Azure has made it.
    pub identity: Option<&'a Identity>,
    /// Who logs in as administrator with a token.
    pub administrator: &'a Administrator,
    /// What the app logged in by while it administered the server; `None` where it never did.
    pub former: Option<Former<'a>>,
    /// Login and password of an administrator; without it there are no passwords.
    pub password_administrator: Option<(&'a str, &'a SecretReference)>,
}

/// The server whose data another one is made with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RestoreSource {
    /// Its resource id.
    pub id: String,
    pub time: Timestamp,
    /// Where it is, and the restored one must be; `None` where that isn't known.
    pub location: Option<String>,
}

impl RestoreSource {
    /// Its name in Azure.
    pub fn name(&self) -> &str {
        resource_id::name(&self.id)
    }

    /// What the object of a server says that is being restored.
    pub fn of(server: &FlexibleServer) -> Option<Self> {
        let spec = Some(&server.spec).filter(|spec| spec.is_restore())?;
        Some(Self {
            id: spec.source_server_resource_reference.as_ref()?.arm_id.clone(),
            time: spec.point_in_time_utc.as_ref()?.parse().ok()?,
            location: Some(spec.location.clone()),
        })
    }
}

/// The objects that there are, as far as what we want depends on them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Existing<'a> {
    /// A server that Azure has made stays in its place, network, tenant and cluster, whatever the policy names since;
    /// one that Azure refused can still go elsewhere.
    pub server: Option<&'a FlexibleServer>,
    pub database: Option<&'a FlexibleServersDatabase>,
    /// Whether Azure made the database once.
    pub database_was_made: bool,
    /// Azure's id of the server, as it was recorded: where the server's object is gone, it says where the server is.
    pub id: Option<&'a str>,
    pub configurations: &'a [FlexibleServersConfiguration],
    pub firewall: &'a [FlexibleServersFirewallRule],
    /// One that Azure has made stays in its vault, whichever the policy names since.
    pub backup_instance: Option<&'a BackupVaultsBackupInstance>,
}

/// What an app logs in by that administers its server, and is to administer it no longer. Entra's one identity can't be an
/// administrator and a login of a database, so that the app gets another one beside it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Former<'a> {
    /// `None` once it is gone.
    pub administrator: Option<&'a FlexibleServersAdministrator>,
    pub credential: Option<&'a FederatedIdentityCredential>,
    /// Whether it is to go.
    pub ends: bool,
}

/// What Entra calls an identity.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Identity {
    /// What a token is asked for.
    pub client_id: String,
    /// Its object id.
    pub principal_id: String,
}

/// Every object that stands for a `Database` in Azure.
#[derive(Clone, Debug, PartialEq)]
pub struct Objects {
    pub identity: UserAssignedIdentity,
    pub credential: FederatedIdentityCredential,
    pub server: FlexibleServer,
    /// Where the platform administers the server, the operator makes the database by SQL, so that it belongs to the
    /// administrators. Then there is one only where Azure was asked for the database before.
    pub database: Option<FlexibleServersDatabase>,
    pub firewall: Vec<FlexibleServersFirewallRule>,
    /// Rules that the policy no longer has: they are to be deleted, in Azure too.
    pub firewall_removed: Vec<FlexibleServersFirewallRule>,
    /// Where it is the app's identity, not before that has its object id.
    pub administrator: Option<FlexibleServersAdministrator>,
    pub former: FormerObjects,
    /// A parameter for each that has, or once had, another value than Azure's own.
    pub configurations: Vec<FlexibleServersConfiguration>,
    /// What has a vault make copies, once Azure has made the server.
    pub backup_instance: Option<Box<BackupVaultsBackupInstance>>,
}

/// The objects of what an app logs in by that administers its server. The identity itself stays: it says whose server it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FormerObjects {
    pub administrator: Option<FlexibleServersAdministrator>,
    pub credential: Option<FederatedIdentityCredential>,
    /// They are to be deleted, in Azure too.
    pub ends: bool,
}

/// The policy's tags, and those by which the operator knows its own again.
fn tags(input: &Input<'_>, cluster: &str) -> BTreeMap<String, String> {
    let tags = input.azure.tags.value.iter().map(|(name, value)| (name.clone(), value.value.clone()));
    let mut tags: BTreeMap<String, String> = tags.collect();
    tags.extend(adoption::tags(cluster, input.database, input.server_name));
    tags
}

/// Builds every object.
pub fn build(input: &Input<'_>) -> Objects {
    let placement = placement(input);
    let (firewall, firewall_removed) = firewall(input, placement.network.is_private());
    Objects {
        identity: identity(input, &placement),
        credential: credential(input, &identity_name(input)),
        administrator: administrator(input, &placement.tenant_id),
        former: former(input),
        database: database(input),
        configurations: configurations(input),
        server: server(input, placement),
        firewall,
        firewall_removed,
        backup_instance: backup_instance(input).map(Box::new),
    }
}

fn of_server(input: &Input<'_>) -> Owner {
    Owner { name: Some(input.server_name.to_owned()), arm_id: None }
}

fn server(input: &Input<'_>, placement: Placement) -> FlexibleServer {
    let Input { effective, server_name, .. } = *input;
    let known = input.existing.server.map(adoption::found).map(|spec| spec.tags).unwrap_or_default();
    let mut tags = tags(input, &placement.cluster);
    tags.extend(adoption::more_tags(&input.provenance, &known));
    let mut server = FlexibleServer::new(
        server_name,
        FlexibleServerSpec {
            azure_name: server_name.to_owned(),
            owner: placement.resource_group,
            location: placement.location,
            tags,
            version: effective.version.to_string(),
            sku: Sku { name: effective.size.name.clone(), tier: effective.size.tier.as_str().to_owned() },
            storage: Storage { size_gib: Some(effective.size_gib), ..Storage::default() },
            auth_config: AuthConfig {
                active_directory_auth: "Enabled".to_owned(),
                password_auth: settings::switch(input.password_administrator.is_some()),
                tenant_id: placement.tenant_id,
            },
            administrator_login: input.password_administrator.map(|(login, _)| login.to_owned()),
            administrator_login_password: input.password_administrator.map(|(_, password)| password.clone()),
            network: placement.network,
            ..FlexibleServerSpec::default()
        },
    );
    settings::write(&effective.settings, &mut server.spec);
    if let Some(source) = input.restore.filter(|_| *input.adoption == Adoption::Manage) {
        restore(source, &mut server.spec);
    }
    server.metadata = of_the_one(input.existing.server, metadata(input, server_name));
    if *input.adoption != Adoption::Manage {
        server.spec.tags.clear();
        // ASO reads Secrets even to look, and there is none before the server is ours.
        server.spec.administrator_login_password = None;
        set_reconcile_policy(&mut server, SKIP);
    } else if rests(input.existing.server, &server, input.accepts_empty) {
        rest(&mut server);
    }
    server
}

/// Has Azure make it with the data of another one. Azure takes the rest from there, and what is wanted otherwise is a change
/// afterwards: high availability, of which Azure would say nothing, and a size, which it would refuse.
/// <https://learn.microsoft.com/azure/postgresql/backup-restore/concepts-backup-restore#point-in-time-recovery>
fn restore(source: &RestoreSource, spec: &mut FlexibleServerSpec) {
    let location = source.location.clone().unwrap_or_else(|| spec.location.clone());
    *spec = FlexibleServerSpec {
        azure_name: std::mem::take(&mut spec.azure_name),
        owner: std::mem::take(&mut spec.owner),
        tags: std::mem::take(&mut spec.tags),
        network: std::mem::take(&mut spec.network),
        location,
        create_mode: Some(POINT_IN_TIME_RESTORE.to_owned()),
        source_server_resource_reference: Some(Reference { arm_id: source.id.clone() }),
        point_in_time_utc: Some(source.time.to_string()),
        ..FlexibleServerSpec::default()
    };
}

fn database(input: &Input<'_>) -> Option<FlexibleServersDatabase> {
    if *input.administrator != Administrator::App && input.existing.database.is_none() {
        return None;
    }
    let mut database = FlexibleServersDatabase::new(
        input.server_name,
        FlexibleServersDatabaseSpec {
            azure_name: input.effective.database_name.clone(),
            owner: of_server(input),
            // Azure's own defaults, written down so that a change of them changes nothing here.
            charset: "UTF8".to_owned(),
            collation: "en_US.utf8".to_owned(),
        },
    );
    database.metadata = of_the_one(input.existing.database, metadata(input, input.server_name));
    // One that existed before is looked for before anything is created, and then only read.
    let is_missing = input.existing.database_was_made && input.existing.database.is_none();
    if (is_missing && !input.accepts_empty) || rests(input.existing.database, &database, input.accepts_empty)
    {
        rest(&mut database);
    }
    Some(database)
}

/// Of the app's identity, and of its object.
fn identity_name(input: &Input<'_>) -> String {
    input.former.map_or_else(|| input.server_name.to_owned(), |_| names::app_identity(input.server_name))
}

fn identity(input: &Input<'_>, placement: &Placement) -> UserAssignedIdentity {
    let name = identity_name(input);
    let mut identity = UserAssignedIdentity::new(
        &name,
        UserAssignedIdentitySpec {
            azure_name: name.clone(),
            owner: placement.resource_group.clone(),
            location: placement.location.clone(),
            tags: tags(input, &placement.cluster),
        },
    );
    identity.metadata = metadata(input, &name);
    identity
}

/// It is named as its identity is.
fn credential(input: &Input<'_>, name: &str) -> FederatedIdentityCredential {
    let mut credential = FederatedIdentityCredential::new(
        name,
        FederatedIdentityCredentialSpec {
            azure_name: name.to_owned(),
            owner: Owner { name: Some(name.to_owned()), arm_id: None },
            audiences: vec![TOKEN_AUDIENCE.to_owned()],
            issuer: input.azure.workload_identity.issuer.value.clone(),
            subject: subject(input),
        },
    );
    credential.metadata = metadata(input, name);
    credential
}

/// `None` while it is the app's identity, and that isn't made yet.
fn administrator(input: &Input<'_>, tenant_id: &str) -> Option<FlexibleServersAdministrator> {
    let principal = match input.administrator {
        Administrator::Platform(principal) => principal.clone(),
        Administrator::App => Principal {
            name: input.server_name.to_owned(),
            object_id: input.identity?.principal_id.clone(),
            kind: SERVICE_PRINCIPAL.to_owned(),
        },
    };
    let name = match input.former {
        Some(_) => names::platform_administrator(input.server_name),
        None => input.server_name.to_owned(),
    };
    let mut administrator = FlexibleServersAdministrator::new(
        &name,
        FlexibleServersAdministratorSpec {
            azure_name: principal.object_id,
            owner: of_server(input),
            principal_name: principal.name,
            principal_type: principal.kind,
            tenant_id: tenant_id.to_owned(),
        },
    );
    administrator.metadata = metadata(input, &name);
    Some(administrator)
}

/// As it is, until it is to go.
fn former(input: &Input<'_>) -> FormerObjects {
    let Some(Former { administrator, credential: existing, ends }) = input.former else {
        return FormerObjects::default();
    };
    let administrator = administrator.map(|existing| {
        let mut administrator = FlexibleServersAdministrator::new(input.server_name, existing.spec.clone());
        administrator.metadata = metadata(input, input.server_name);
        administrator
    });
    let ends = ends || administrator.is_none();
    let credential = (!ends || existing.is_some()).then(|| credential(input, input.server_name));
    let mut former = FormerObjects { administrator, credential, ends };
    if ends {
        former.administrator.iter_mut().for_each(|it| set_reconcile_policy(it, MANAGE));
        former.credential.iter_mut().for_each(|it| set_reconcile_policy(it, MANAGE));
    }
    former
}

fn rest<K: kube::Resource>(object: &mut K) {
    set_reconcile_policy(object, SKIP);
    object.meta_mut().annotations.get_or_insert_default().insert(AT_REST.to_owned(), "true".to_owned());
}

/// Whether the object of what holds data is to look, and write nothing, because nothing new is wanted of it. ASO makes what
/// its objects say whenever it compares with Azure: of a server that somebody deleted there, an empty one.
fn rests<K: AsoObject>(found: Option<&K>, desired: &K, accepts_empty: bool) -> bool {
    let Some(found) = found.filter(|found| found.same_spec(desired)) else { return false };
    // After a pause it is written once: people may have changed it in Azure.
    if found.meta().annotations.as_ref().is_some_and(|annotations| annotations.contains_key(PAUSED)) {
        return false;
    }
    match condition::progress(found) {
        Progress::Ready => true,
        // While ASO only reads, nothing new is known; and what Azure lost isn't created again unless somebody wants that.
        progress if has_policy(found, SKIP) => !(accepts_empty && adoption::is_absent(&progress)),
        _ => false,
    }
}

/// The rules that are to be there, and those that are to go. A server in a virtual network has none, and a server that
/// was made before the policy named one keeps those that it has.
/// <https://learn.microsoft.com/azure/postgresql/network/concepts-networking-private>
fn firewall(
    input: &Input<'_>,
    is_private: bool,
) -> (Vec<FlexibleServersFirewallRule>, Vec<FlexibleServersFirewallRule>) {
    let network = &input.azure.network;
    let owner = of_server(input);
    let wanted: Vec<_> = network
        .firewall
        .iter()
        .filter(|_| !is_private)
        .map(|rule| {
            let name = format!("{}-{}", input.server_name, rule.name.value);
            let mut object = FlexibleServersFirewallRule::new(
                &name,
                FlexibleServersFirewallRuleSpec {
                    azure_name: rule.name.value.clone(),
                    owner: owner.clone(),
                    start_ip_address: rule.start.value.clone(),
                    end_ip_address: rule.end.value.clone(),
                },
            );
            object.metadata = metadata(input, &name);
            object
        })
        .collect();
    let others = input
        .existing
        .firewall
        .iter()
        .filter(|existing| !wanted.iter().any(|wanted| wanted.metadata.name == existing.metadata.name));
    if network.private.is_some() && !is_private {
        return (others.map(|rule| rebuilt(input, rule, DETACH_ON_DELETE)).collect(), Vec::new());
    }
    let removed = others.map(|rule| rebuilt(input, rule, MANAGE)).collect();
    (wanted, removed)
}

/// A rule as it is, under this reconcile policy.
fn rebuilt(
    input: &Input<'_>,
    rule: &FlexibleServersFirewallRule,
    policy: &str,
) -> FlexibleServersFirewallRule {
    let name = rule.metadata.name.clone().unwrap_or_default();
    let mut object = FlexibleServersFirewallRule::new(&name, rule.spec.clone());
    object.metadata = metadata(input, &name);
    set_reconcile_policy(&mut object, policy);
    object
}

/// Gives an object another reconcile policy.
fn set_reconcile_policy<K: kube::Resource>(object: &mut K, policy: &str) {
    let annotations = object.meta_mut().annotations.get_or_insert_default();
    annotations.insert(RECONCILE_POLICY.to_owned(), policy.to_owned());
}

/// Azure can't delete a parameter: one that isn't wanted any more gets its default back, and its object stays as the
/// record of that.
fn configurations(input: &Input<'_>) -> Vec<FlexibleServersConfiguration> {
    let existing = input.existing.configurations.iter().map(|existing| &existing.spec);
    let wanted = parameters::wanted(input.effective, existing, input.in_database);
    let set = wanted.iter().map(|(name, value)| (name.clone(), parameters::OVERRIDE, Some(value.clone())));
    let reset = input
        .existing
        .configurations
        .iter()
        .filter(|existing| !wanted.contains_key(&existing.spec.azure_name))
        .map(|existing| {
            let default = existing.status.as_ref().and_then(|status| status.default_value.clone());
            // Written once: Azure knows its default without the value.
            let was_reset = existing.spec.source == parameters::DEFAULT;
            let value = if was_reset { existing.spec.value.clone() } else { default };
            (existing.spec.azure_name.clone(), parameters::DEFAULT, value)
        });
    let mut all: Vec<_> = set.chain(reset).collect();
    all.sort_by_key(|(parameter, source, _)| parameters::rank(parameter, source));
    all.into_iter()
        .map(|(parameter, source, value)| {
            let name = parameters::object_name(input.server_name, &parameter);
            let mut object = FlexibleServersConfiguration::new(
                &name,
                FlexibleServersConfigurationSpec {
                    azure_name: parameter,
                    owner: of_server(input),
                    source: source.to_owned(),
                    value,
                },
            );
            object.metadata = metadata(input, &name);
            object
        })
        .collect()
}

/// What is fixed once Azure has made a server.
struct Placement {
    resource_group: Owner,
    location: String,
    tenant_id: String,
    /// The cluster's name, in the tag by which the server is known.
    cluster: String,
    network: Network,
}

fn placement(input: &Input<'_>) -> Placement {
    let azure = input.azure;
    if let Some(server) = input.existing.server.filter(|server| server.created_status().is_some()) {
        let spec = adoption::found(server);
        let tagged = spec.tags.get(CLUSTER_TAG);
        return Placement {
            cluster: tagged.unwrap_or(&azure.cluster_name.value).clone(),
            resource_group: spec.owner,
            location: spec.location,
            // That of a server that was just restored isn't known.
            tenant_id: Some(spec.auth_config.tenant_id)
                .filter(|tenant_id| !tenant_id.is_empty())
                .unwrap_or_else(|| azure.tenant_id.value.clone()),
            network: spec.network,
        };
    }
    let (subscription, group) = (&azure.subscription_id.value, &azure.resource_group.value);
    // A slip in the policy must send nobody to another place than the one where the server is.
    let recorded = input.existing.id.and_then(|id| names::resource_group_of(id, input.server_name));
    let arm_id = recorded
        .map_or_else(|| format!("/subscriptions/{subscription}/resourceGroups/{group}"), str::to_owned);
    let reference = |id: &document::Located<String>| Some(Reference { arm_id: id.value.clone() });
    let network = match &azure.network.private {
        Some(private) => Network {
            public_network_access: None,
            delegated_subnet_resource_reference: reference(&private.subnet_id),
            private_dns_zone_arm_resource_reference: reference(&private.dns_zone_id),
        },
        None => Network { public_network_access: Some("Enabled".to_owned()), ..Network::default() },
    };
    Placement {
        resource_group: Owner { name: None, arm_id: Some(arm_id) },
        location: azure.location.value.clone(),
        tenant_id: azure.tenant_id.value.clone(),
        cluster: azure.cluster_name.value.clone(),
        network,
    }
}

/// Annotations of every object of Azure Service Operator, with this reconcile policy. No `Database` can own them, which is
/// in another namespace; so these make tools leave them out that count objects without an owner.
pub fn annotations(policy: &str) -> BTreeMap<String, String> {
    [
        (RECONCILE_POLICY, policy),
        // Flux needs none: it prunes only what it has applied itself.
        ("argocd.argoproj.io/compare-options", "IgnoreExtraneous"),
        ("argocd.argoproj.io/sync-options", "Prune=false"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into()
}

/// The policy's name of the backup policy that is wanted, if one is.
pub fn vault_policy(effective: &Effective) -> Option<&str> {
    let written = effective.settings.backup.as_ref()?.vault.as_deref()?;
    Some(written).filter(|written| *written != Backup::NO_VAULT)
}

/// `None` where no copy is wanted, where the policy doesn't name the backup policy, and before Azure has made the server.
fn backup_instance(input: &Input<'_>) -> Option<BackupVaultsBackupInstance> {
    let server = input.existing.server.filter(|_| *input.adoption == Adoption::Manage)?;
    let server_id = server.created_status()?.id.clone()?;
    let vault = input.azure.backup_vault.as_ref()?;
    let policy_id = vault.policy_id(vault_policy(input.effective)?)?;
    let of_server = Datasource {
        object_type: "Datasource".to_owned(),
        kind: DATASOURCE_TYPE.to_owned(),
        resource_type: DATASOURCE_TYPE.to_owned(),
        resource_name: input.server_name.to_owned(),
        resource_location: adoption::found(server).location,
        resource_uri: server_id.clone(),
        resource_reference: Reference { arm_id: server_id },
    };
    let wanted = BackupVaultsBackupInstanceSpec {
        azure_name: input.server_name.to_owned(),
        owner: Owner { name: None, arm_id: Some(vault.id.value.clone()) },
        properties: BackupInstance {
            object_type: "BackupInstance".to_owned(),
            friendly_name: input.server_name.to_owned(),
            data_source_info: of_server,
            policy_info: PolicyInfo { policy_reference: Reference { arm_id: policy_id } },
        },
    };
    // Azure protects a server in one vault at a time: whoever moves it stops the protection in the other one.
    let elsewhere =
        input.existing.backup_instance.filter(|found| found.is_made() && found.spec.owner != wanted.owner);
    let spec = elsewhere.map_or(wanted, |found| found.spec.clone());
    let mut instance = BackupVaultsBackupInstance::new(input.server_name, spec);
    instance.metadata =
        ObjectMeta { owner_references: Some(owned_by(server)), ..metadata(input, input.server_name) };
    Some(instance)
}

/// Kubernetes removes an object with the one that owns it; by its reconcile policy, its resource in Azure stays.
fn owned_by(server: &FlexibleServer) -> Vec<OwnerReference> {
    vec![OwnerReference {
        api_version: FlexibleServer::api_version(&()).into_owned(),
        kind: FlexibleServer::kind(&()).into_owned(),
        name: server.name_any(),
        uid: server.uid().unwrap_or_default(),
        controller: None,
        block_owner_deletion: None,
    }]
}

/// The app, as its tokens call it.
fn subject(input: &Input<'_>) -> String {
    format!("system:serviceaccount:{}:{}", input.database.namespace, input.effective.service_account_name)
}

fn metadata(input: &Input<'_>, name: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(input.operator_namespace.to_owned()),
        labels: Some(owner_labels(input.database)),
        annotations: Some(annotations(DETACH_ON_DELETE)),
        ..ObjectMeta::default()
    }
}

/// For that very object alone, as it was seen: what is decided by it isn't to make another one, should it be gone by then.
fn of_the_one<K: AsoObject>(found: Option<&K>, metadata: ObjectMeta) -> ObjectMeta {
    let seen = found.map(|found| found.meta().clone()).unwrap_or_default();
    ObjectMeta { uid: seen.uid, resource_version: seen.resource_version, ..metadata }
}

#[cfg(test)]
mod tests;
