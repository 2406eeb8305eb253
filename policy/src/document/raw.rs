//! The policy as it is written. Unknown keys are errors: a key that has no effect is a trap.
//!
//! The doc comments of types and fields here are the descriptions of the JSON Schema, docs/policy.schema.json: who writes a
//! policy reads them in an editor. After a change, run `make generate`.

use std::collections::BTreeMap;

use api::{Authentication, HighAvailability, MaintenanceWindow, StorageTier};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Located, enforcement::Enforcement};
use crate::deleting::Destroy;

/// The policy of a cluster, under the key `policy.yaml` of the ConfigMap.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Document {
    /// Where servers are created.
    pub azure: Azure,
    /// What Azure offers beyond what the operator knows, or in another way.
    #[serde(default)]
    pub catalogue: Catalogue,
    /// Rules for namespaces; the first profile that matches a namespace decides.
    pub profiles: Located<Vec<Profile>>,
    /// Databases that need not keep some of the rules for a while.
    #[serde(default)]
    pub exceptions: Vec<Exception>,
    /// Kept servers that a `Database` of another name or namespace may bring back, with their data.
    #[serde(default)]
    pub recoveries: Vec<Recovery>,
    /// Data that a new `Database` may begin with, by `spec.restoreFrom`, though they are of another namespace or of a server that
    /// no `Database` has.
    #[serde(default)]
    pub copies: Vec<DataCopy>,
}

/// Where servers are created.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Azure {
    /// Azure subscription (a GUID).
    pub subscription_id: Located<String>,
    /// Microsoft Entra tenant (a GUID).
    pub tenant_id: Located<String>,
    /// An existing resource group.
    pub resource_group: Located<String>,
    /// Azure region, e.g. `norwayeast`.
    pub location: Located<String>,
    /// Part of each server's name, because those are global in Azure, e.g. `prod-1`.
    pub cluster_name: Located<String>,
    /// How servers are reached.
    #[serde(default)]
    pub network: Network,
    /// The cluster's OIDC issuer, which Entra trusts for the apps' ServiceAccounts.
    pub workload_identity: WorkloadIdentity,
    /// Who administers the servers. With it, an app owns what is in its database, and nothing else. Without it, the app's
    /// own identity administers its server, until there is one here.
    pub administrator: Option<Administrator>,
    /// An Azure Backup vault for copies apart from the servers. Without it, no database has any there.
    pub backup_vault: Option<BackupVault>,
    /// Clusters whose servers this one may take over, after a disaster: for each the uid of its namespace `kube-system`,
    /// as the message of `ServerNotOurs` shows it.
    #[serde(default)]
    pub take_over_from: Vec<String>,
    /// Tags for each server and identity: at most 40, names of at most 512 and values of at most 256 characters.
    #[serde(default)]
    pub tags: Located<BTreeMap<String, Located<String>>>,
}

/// An Azure Backup vault. What the operator has set up there it never deletes.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BackupVault {
    /// Its resource id. Servers that are protected in another one stay there.
    pub id: Located<String>,
    /// Backup policies of the vault: for each the name that a `Database` says, with the name that it has in the vault.
    pub policies: Located<BTreeMap<String, Located<String>>>,
}

impl BackupVault {
    /// The resource id of the backup policy that a `Database` names so.
    pub fn policy_id(&self, name: &str) -> Option<String> {
        let in_vault = self.policies.value.get(name)?;
        Some(format!("{}/backupPolicies/{}", self.id.value, in_vault.value))
    }
}

/// How servers are reached.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Network {
    /// Address ranges that may connect. Without any, nobody can.
    #[serde(default)]
    pub firewall: Vec<Firewall>,
    /// A virtual network, instead of a public address behind a firewall. Which of them a server has is decided when it
    /// is made.
    pub private: Option<Private>,
}

/// Where servers are in a virtual network.
/// <https://learn.microsoft.com/azure/postgresql/network/concepts-networking-private>
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Private {
    /// Resource id of a subnet that is delegated to `Microsoft.DBforPostgreSQL/flexibleServers`.
    pub subnet_id: Located<String>,
    /// Resource id of a private DNS zone whose name ends with `.postgres.database.azure.com`.
    pub dns_zone_id: Located<String>,
}

/// A range of IPv4 addresses that may connect.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Firewall {
    /// Name of the rule, e.g. `cluster-egress`.
    pub name: Located<String>,
    /// First address.
    pub start: Located<String>,
    /// Last address.
    pub end: Located<String>,
}

/// The cluster's OIDC issuer.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkloadIdentity {
    /// URL of the issuer, beginning with `https://`.
    pub issuer: Located<String>,
}

/// Who administers servers in Microsoft Entra. The operator must be able to log in as it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Administrator {
    /// Its display name in Microsoft Entra, which becomes a role on each server: at most 63 bytes.
    pub name: Located<String>,
    /// Its object id (a GUID).
    pub object_id: Located<String>,
    /// A group that the operator's identity is a member of, or that identity itself.
    #[serde(rename = "type", default)]
    pub kind: AdministratorKind,
}

/// What administers servers. A group stays when the operator gets another identity.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
pub enum AdministratorKind {
    #[default]
    Group,
    ServicePrincipal,
}

impl AdministratorKind {
    /// As Azure names it.
    /// <https://learn.microsoft.com/rest/api/postgresql/administrators-microsoft-entra/create-or-update>
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Group => "Group",
            Self::ServicePrincipal => "ServicePrincipal",
        }
    }
}

/// What Azure offers beyond what the operator knows, or in another way. An item takes the place of the one that is known under
/// its name.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Catalogue {
    /// Server sizes, at most 200.
    #[serde(default)]
    pub sizes: Vec<CatalogueSize>,
    /// Major versions of PostgreSQL, at most 20.
    #[serde(default)]
    pub versions: Vec<CatalogueVersion>,
    /// Extensions and libraries, at most 200.
    #[serde(default)]
    pub extensions: Vec<CatalogueExtension>,
    /// Server parameters, at most 500.
    #[serde(default)]
    pub parameters: Vec<CatalogueParameter>,
    /// Regions by Azure's names, such as `norwayeast`, at most 100.
    #[serde(default)]
    pub regions: BTreeMap<String, CatalogueRegion>,
}

/// A server size.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CatalogueSize {
    /// Azure's name, e.g. `Standard_E96bds_v5`.
    pub name: Located<String>,
    /// Azure's class of the size.
    pub tier: CatalogueTier,
    /// Virtual cores.
    #[serde(rename = "vCores")]
    pub vcores: Located<u16>,
    /// Memory in GiB.
    #[serde(rename = "memoryGiB")]
    pub memory_gib: Located<u16>,
}

/// Azure's class of a size.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[allow(missing_docs, reason = "Azure's names")]
pub enum CatalogueTier {
    Burstable,
    GeneralPurpose,
    MemoryOptimized,
}

/// A major version of PostgreSQL.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CatalogueVersion {
    /// Its number.
    pub major: Located<u16>,
    /// The last day of Azure's standard support in UTC, e.g. `2031-11-13`.
    pub until: Located<String>,
    /// The last day of Azure's paid Extended Support in UTC; left out, where Azure has announced none.
    pub extended_until: Option<Located<String>>,
}

/// An extension, or a library without one.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CatalogueExtension {
    /// The name for `CREATE EXTENSION`, or of the library.
    pub name: Located<String>,
    /// The library that `shared_preload_libraries` must have for it.
    pub library: Option<Located<String>>,
    /// Whether the library is all there is of it, and nothing for `CREATE EXTENSION`.
    #[serde(default)]
    pub only_library: bool,
    /// The major versions of PostgreSQL that have it; left out, all of them.
    pub versions: Option<Located<Vec<u16>>>,
}

/// A server parameter: how its value must look, at most one of `integer`, `number`, `values`, `set` and `text`. Without any, the
/// form is the one that is known, else text.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CatalogueParameter {
    /// Its name.
    pub name: Located<String>,
    /// Whether Azure keeps it to itself.
    #[serde(default)]
    pub read_only: bool,
    /// Whether a change waits for a restart of the server; left out, as it is known.
    pub restart: Option<bool>,
    /// The library without which it has no effect; left out, as it is known.
    pub library: Option<Located<String>>,
    /// The least and the greatest whole number.
    pub integer: Option<Located<Vec<i64>>>,
    /// The least and the greatest number.
    pub number: Option<Located<Vec<f64>>>,
    /// The words of which it is one.
    pub values: Option<Located<Vec<String>>>,
    /// The words of which it is any.
    pub set: Option<Located<Vec<String>>>,
    /// Whether it is any text on one line.
    #[serde(default)]
    pub text: bool,
}

/// A region; what is left out is as it is known.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CatalogueRegion {
    /// The sizes that are available there; `*` stands for any characters, `?` for one.
    pub sizes: Option<Located<Vec<Located<String>>>>,
    /// Whether a standby can stand in another zone.
    pub zones: Option<bool>,
    /// Whether backups can be copied to a paired region.
    pub pair: Option<bool>,
}

/// Rules for some namespaces.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Profile {
    /// Name, shown in messages.
    pub name: Located<String>,
    /// Which namespaces; left out, all of them.
    #[serde(default)]
    pub namespaces: Option<NamespaceMatch>,
    /// What is filled in when a field is left out.
    #[serde(default)]
    pub defaults: Defaults,
    /// What may be written; a list that is left out allows all that Azure offers.
    #[serde(default)]
    pub allow: Allow,
    /// What may be deleted.
    #[serde(default)]
    pub retention: Retention,
    /// How strictly each key of `allow` is taken.
    #[serde(default)]
    pub enforcement: Enforcement,
    /// Passwords of databases with `authentication: Password`.
    #[serde(default)]
    pub passwords: Passwords,
}

/// Passwords of databases with `authentication: Password`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Passwords {
    /// Age in days, 1 to 3650, at which a password is replaced. Left out, it is replaced on request alone.
    pub rotate_after_days: Option<Located<u16>>,
    /// How many hours, 0 to 720, the password before goes on working, and so does the login by which an app administered
    /// its server. Left out, 24. It counts where `azure.administrator` administers the server.
    pub overlap_hours: Option<Located<u16>>,
}

/// Which namespaces a profile is for. With both, both must match.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NamespaceMatch {
    /// Names; `*` stands for any characters, `?` for one. One of them must match.
    pub names: Option<Located<Vec<Located<String>>>>,
    /// Labels of the namespace, with their values. All of them must be there.
    pub labels: Option<Located<BTreeMap<String, Located<String>>>>,
}

/// What is filled in when a field is left out.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Defaults {
    /// Major version of PostgreSQL.
    pub version: Option<Located<u16>>,
    /// Azure size.
    pub sku: Option<Located<String>>,
    /// Disk.
    #[serde(default)]
    pub storage: StorageDefaults,
    /// Standby.
    pub high_availability: Option<Located<HighAvailability>>,
    /// Automatic backups.
    #[serde(default)]
    pub backup: BackupDefaults,
    /// Weekly window of one hour, in UTC.
    pub maintenance_window: Option<Located<MaintenanceWindow>>,
}

/// Default disk.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StorageDefaults {
    /// Size in GiB, one of Azure's steps.
    #[serde(rename = "sizeGiB")]
    pub size_gib: Option<Located<i32>>,
    /// Performance tier.
    pub tier: Option<Located<StorageTier>>,
    /// Whether Azure grows the disk when it runs full.
    pub auto_grow: Option<Located<bool>>,
}

/// Default backups.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BackupDefaults {
    /// Days that backups are kept, 7 to 35.
    pub retention_days: Option<Located<i32>>,
    /// Whether backups are copied to the paired region.
    pub geo_redundant: Option<Located<bool>>,
    /// The name of a backup policy in `azure.backupVault.policies`, or `None`.
    pub vault: Option<Located<String>>,
}

/// What may be written; what is left out here allows all that Azure offers.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Allow {
    /// Azure sizes; `*` stands for any characters, `?` for one.
    pub skus: Option<Located<Vec<Located<String>>>>,
    /// Major versions of PostgreSQL.
    pub versions: Option<Located<Vec<Located<u16>>>>,
    /// Disk.
    #[serde(default)]
    pub storage: AllowStorage,
    /// Standby. Without `Disabled` in the list, each database must have one.
    pub high_availability: Option<Located<Vec<HighAvailability>>>,
    /// Automatic backups.
    #[serde(default)]
    pub backup: AllowBackup,
    /// Extensions; `*` stands for any characters, `?` for one.
    pub extensions: Option<Vec<Located<String>>>,
    /// Server parameters.
    #[serde(default)]
    pub parameters: AllowParameters,
    /// How apps may log in.
    pub authentication: Option<Located<Vec<Authentication>>>,
    /// How many databases a namespace may have, with those whose servers are kept after a delete.
    pub databases_per_namespace: Option<Located<u32>>,
}

/// Which disks may be written.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AllowStorage {
    /// Largest size in GiB.
    #[serde(rename = "maxGiB")]
    pub max_gib: Option<Located<i32>>,
    /// Performance tiers.
    pub tiers: Option<Located<Vec<StorageTier>>>,
}

/// Which backups may be written.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AllowBackup {
    /// Fewest days that backups are kept, 7 to 35.
    pub min_retention_days: Option<Located<i32>>,
    /// Most days that backups are kept, 7 to 35.
    pub max_retention_days: Option<Located<i32>>,
    /// Whether backups may be (`[false, true]`), must be (`[true]`) or can't be (`[false]`) copied to the paired
    /// region.
    pub geo_redundant: Option<Located<Vec<bool>>>,
    /// Names of backup policies in `azure.backupVault.policies`, and `None` for databases that need no copy in the vault.
    /// Without `None` in the list, each database must have one.
    pub vault: Option<Located<Vec<Located<String>>>>,
}

/// Which server parameters may be written.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AllowParameters {
    /// Parameters; `*` stands for any characters, `?` for one. Left out, all of them.
    pub allow: Option<Vec<Located<String>>>,
    /// Parameters that may not be written, though `allow` has them.
    #[serde(default)]
    pub deny: Vec<Located<String>>,
}

/// What may be deleted, and what then becomes of the data.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Retention {
    /// What a delete without the annotation `altinn.app/retention` does: `deny` (the default) refuses it, `Retain`
    /// keeps the server.
    pub when_missing: Option<Located<String>>,
    /// Whether `altinn.app/retention: Destroy` may be used.
    #[serde(default)]
    pub destroy: Destroy,
    /// The fewest days that `altinn.app/retention: <n>d` may say.
    pub minimum_days: Option<Located<u16>>,
}

/// A database that need not keep some of the rules for a while.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Exception {
    /// The database, as `<namespace>/<name>`.
    pub database: Located<String>,
    /// Keys of `allow`.
    pub rules: Located<Vec<Located<String>>>,
    /// The last day of the exception in UTC, e.g. `2027-01-31`.
    pub until: Located<String>,
    /// Why; people read it in the audit log of the API server.
    pub reason: Located<String>,
}

/// A kept server that a `Database` of another name or namespace may bring back, by `altinn.app/recover-from`. Who owns
/// that `Database` then has the data.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Recovery {
    /// The database whose server is kept, as `<namespace>/<name>`.
    pub from: Located<String>,
    /// The database that may have it, as `<namespace>/<name>`.
    pub to: Located<String>,
    /// The last day on which it may be brought back so, in UTC, e.g. `2027-01-31`.
    pub until: Located<String>,
    /// Why; people read it in the audit log of the API server.
    pub reason: Located<String>,
}

/// Data of another namespace, or of a server that no `Database` has, with which a new `Database` may begin, by
/// `spec.restoreFrom`. Who owns that `Database` then has them, with every row that was there at the moment.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DataCopy {
    /// The database whose data they are, as `<namespace>/<name>`.
    pub from: Option<Located<String>>,
    /// Instead of `from`, the resource id of a server in Azure.
    pub from_server: Option<Located<String>>,
    /// With `fromServer`, the roles that own the database and what is in it, and the roles that made those. What they own is given
    /// to the new `Database`'s own role.
    #[serde(default)]
    pub owners: Vec<Located<String>>,
    /// The database that may have them, as `<namespace>/<name>`, or each one of a namespace, as `<namespace>/*`.
    pub to: Located<String>,
    /// The last day on which they may be restored so, in UTC, e.g. `2027-01-31`.
    pub until: Located<String>,
    /// Why; people read it when they review the policy.
    pub reason: Located<String>,
}
