//! What the controller reports back on a `Database`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The condition that says whether the operator finds the server as it should be inside: the app's login, its roles and its
/// extensions. A `Database` whose app administers its server doesn't have it.
pub const ACCESS_READY: &str = "AccessReady";

/// The observed state. Conditions follow kstatus, so that `kubectl wait`, Flux and Argo CD read them.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseStatus {
    /// The `metadata.generation` that this status speaks of; -1 before the first visit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// `Ready` always: whether an app can log in to the database as it is written. `Reconciling` while work is under way;
    /// `Stalled` when a person must act; `Synced`, as `False`, while a ready database isn't in Azure as it should be, or that
    /// isn't known; `Paused` while `altinn.app/paused` has Azure left alone; `AccessReady` says whether the operator
    /// finds the server as it should be inside; `PolicyCompliant` says whether the policy would let it be made today; `UpToDate` says whether Azure supports the version
    /// of PostgreSQL for long enough, `VaultBackup` says whether the server is protected in the Azure Backup vault, and `RestartPending` names parameters that wait for a restart of the server.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,

    /// The state in one word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisioning_state: Option<ProvisioningState>,

    /// Host name of the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,

    /// TCP port of the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<i32>,

    /// Name of the database in the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database_name: Option<String>,

    /// The Secret with everything that an app needs to connect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_name: Option<String>,

    /// The same Secret, where servicebinding.io looks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding: Option<BindingReference>,

    /// The ServiceAccount that may log in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<String>,

    /// The server in Azure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<ServerStatus>,

    /// Azure resource id of the server, as `server.id`: where tools for any kind of resource look for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_id: Option<String>,

    /// The server in the Azure portal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub portal_url: Option<String>,

    /// Azure's automatic backups of the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backups: Option<BackupsStatus>,

    /// The extensions that are in the database.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub extensions: Vec<ExtensionStatus>,

    /// The policy that was applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyStatus>,

    /// The change that Azure refused. It isn't asked for again before the spec is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<RefusedChange>,

    /// The value of the annotation `altinn.app/accept-empty` that was there when nothing was missing any more: it has counted,
    /// and counts for no later loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_empty: Option<String>,

    /// The kept server that this `Database` brought back. Missing for one that was created empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovered: Option<Recovered>,

    /// Where the data came from that the server began with, by `spec.restoreFrom`. Missing for one that was created empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored: Option<Restored>,
}

/// The server whose data were restored, and their moment.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Restored {
    /// Name of the server in Azure.
    #[serde(default)]
    pub server: String,
    /// RFC 3339, in UTC.
    #[serde(default)]
    pub time: String,
}

/// A change that Azure refused, so that the server goes on as it was.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RefusedChange {
    /// The `metadata.generation` that asked for it.
    #[serde(default)]
    pub generation: i64,
    /// What was to change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<RefusedField>,
    /// Azure's code, e.g. `SkuNotAvailable`.
    #[serde(default)]
    pub code: String,
    /// Azure's words.
    #[serde(default)]
    pub message: String,
}

/// A field that stays as it was.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RefusedField {
    /// Path below `spec`, e.g. `version`.
    #[serde(default)]
    pub field: String,
    /// What it is, and stays.
    #[serde(default)]
    pub from: String,
    /// What Azure refused.
    #[serde(default)]
    pub to: String,
}

/// Where the data came from.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Recovered {
    /// Since when the server was kept without a `Database`.
    pub since: Time,
    /// The `Database` that the server had before, as `<namespace>/<name>`, if it was another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// State in one word, for people; machines read the conditions.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum ProvisioningState {
    Pending,
    Creating,
    Updating,
    Ready,
    Failed,
    Deleting,
}

/// Reference to a binding Secret (servicebinding.io, Provisioned Service).
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct BindingReference {
    /// Name of the Secret, in the same namespace.
    pub name: String,
}

/// The server as Azure reports it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerStatus {
    /// Name of the server in Azure; recorded once and never derived again.
    #[serde(default)]
    pub name: String,
    /// Azure resource id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// When Azure made the server. One of the same name that was made later is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Time>,
    /// Major version of PostgreSQL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Version with the minor one, e.g. `17.7`. Azure raises the minor version in the maintenance window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minor_version: Option<String>,
    /// Size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    /// Size of the disk in GiB.
    #[serde(default, rename = "sizeGiB", skip_serializing_if = "Option::is_none")]
    pub size_gib: Option<i32>,
    /// Azure region, e.g. `norwayeast`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
}

/// Azure's automatic backups.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupsStatus {
    /// From when on there is a backup to restore each moment from: not earlier than Azure says, and rounded up to the full
    /// hour, so that the status isn't written each time that Azure's own moves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earliest_restore_time: Option<Time>,
    /// The copies in the platform's Azure Backup vault. They are no part of the server, and stay when it is destroyed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vault: Option<VaultStatus>,
}

/// What makes copies of the server in an Azure Backup vault.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct VaultStatus {
    /// The policy's name of the vault's backup policy. Where the server stays in another vault, the name that its backup policy
    /// has there.
    #[serde(default)]
    pub policy: String,
    /// Name of the backup instance in the vault. Missing before Azure was asked for it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub instance: String,
    /// Azure's word for how it is, e.g. `ProtectionConfigured`. Missing before Azure has told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
}

/// An extension of PostgreSQL.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct ExtensionStatus {
    #[serde(default)]
    pub name: String,
    /// As `pg_extension.extversion` has it.
    #[serde(default)]
    pub version: String,
}

/// Which policy judged this database and what it filled in.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyStatus {
    /// Name of the profile that matched the namespace.
    #[serde(default)]
    pub profile: String,
    /// Short hash of the policy document when this status last changed; the operator's logs name it too.
    #[serde(default)]
    pub revision: String,
    /// Spec fields that were left out and filled in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub defaulted: Vec<DefaultedField>,
}

/// A field that the policy filled in.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct DefaultedField {
    /// Path below `spec`, e.g. `storage.sizeGiB`.
    #[serde(default)]
    pub field: String,
    /// The value that was filled in.
    #[serde(default)]
    pub value: String,
    /// The profile whose default it is.
    #[serde(default)]
    pub profile: String,
}
