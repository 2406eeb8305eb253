//! The policy as it is written. Unknown keys are errors: a key that has no effect is a trap.

use std::collections::BTreeMap;

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
    pub profiles: Vec<Profile>,
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
}

/// Which namespaces a profile is for.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NamespaceMatch {
    /// Names; `*` stands for any characters, `?` for one.
    pub names: Vec<Located<String>>,
}

/// What is filled in.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Defaults {
    /// Major version of PostgreSQL.
    pub version: Option<Located<u16>>,
    /// Azure size.
    pub sku: Option<Located<String>>,
    /// Disk.
    pub storage: Option<StorageDefaults>,
}

/// Default disk.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StorageDefaults {
    /// Size in GiB, one of Azure's steps.
    #[serde(rename = "sizeGiB")]
    pub size_gib: Option<Located<i32>>,
}

/// What may be written.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Allow {
    /// Azure sizes; `*` stands for any characters, `?` for one.
    pub skus: Option<Vec<Located<String>>>,
    /// Major versions of PostgreSQL.
    pub versions: Option<Vec<Located<u16>>>,
    /// Disk.
    pub storage: Option<AllowStorage>,
}

/// Which disks may be written.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AllowStorage {
    /// Largest size in GiB.
    #[serde(rename = "maxGiB")]
    pub max_gib: Option<Located<i32>>,
}

/// What may be deleted.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Retention {
    /// What a delete without the annotation `altinn.app/retention` does.
    #[serde(default)]
    pub when_missing: WhenMissing,
}

/// What a delete without the retention annotation does.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
pub enum WhenMissing {
    /// It is refused.
    #[default]
    #[serde(rename = "deny")]
    Deny,
    /// The server is kept, as with the annotation's value `Retain`.
    Retain,
}
