//! The policy as it is written. Unknown keys are errors: a key that has no effect is a trap.

use std::collections::BTreeMap;

use api::{Authentication, HighAvailability, MaintenanceWindow, StorageTier};
use schemars::JsonSchema;
use serde::Deserialize;

use super::Located;

/// The policy of a cluster, under the key `policy.yaml` of the ConfigMap.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Document {
    /// Where servers are created.
    pub azure: Azure,
    /// Rules for namespaces; the first profile that matches a namespace decides.
    pub profiles: Located<Vec<Profile>>,
    /// Databases that need not keep some of the rules for a while.
    #[serde(default)]
    pub exceptions: Vec<Exception>,
    /// Kept servers that a `Database` of another name or namespace may bring back, with their data.
    #[serde(default)]
    pub recoveries: Vec<Recovery>,
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
    /// Tags for each server and identity.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
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
    pub auto_grow: Option<bool>,
}

/// Default backups.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BackupDefaults {
    /// Days that backups are kept, 7 to 35.
    pub retention_days: Option<Located<i32>>,
    /// Whether backups are copied to the paired region.
    pub geo_redundant: Option<Located<bool>>,
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

/// Whether data may be destroyed.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase")]
pub enum Destroy {
    /// With a confirmation.
    #[default]
    Allow,
    /// Not at all.
    Deny,
}

/// How strictly each key of `allow` is taken: `enforce` (the default), `warn` or `audit`.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(missing_docs, reason = "the keys are those of `allow`")]
pub struct Enforcement {
    pub skus: Option<Level>,
    pub versions: Option<Level>,
    pub storage: Option<Level>,
    pub high_availability: Option<Level>,
    pub backup: Option<Level>,
    pub extensions: Option<Level>,
    pub parameters: Option<Level>,
    pub authentication: Option<Level>,
    pub databases_per_namespace: Option<Level>,
}

/// What happens to a request that breaks a rule of the policy.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase")]
pub enum Level {
    /// It is refused.
    #[default]
    Enforce,
    /// It is admitted with a warning.
    Warn,
    /// It is admitted in silence; status, metric and audit log tell.
    Audit,
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
