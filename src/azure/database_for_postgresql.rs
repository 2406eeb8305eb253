//! `dbforpostgresql.azure.com/v20250801`: only the fields that we write or read, so that caches stay small
//! and a comparison is honest.

use std::collections::BTreeMap;

use kube::CustomResource;
use serde::{Deserialize, Serialize};

use super::{ConditionsOnly, Owner, aso_object, condition::Condition};

/// A server.
#[derive(Clone, CustomResource, Debug, Default, Deserialize, PartialEq, Serialize)]
#[kube(
    group = "dbforpostgresql.azure.com",
    version = "v20250801",
    kind = "FlexibleServer",
    plural = "flexibleservers",
    namespaced,
    status = "FlexibleServerStatus",
    derive = "PartialEq",
    schema = "disabled"
)]
#[serde(rename_all = "camelCase")]
pub struct FlexibleServerSpec {
    pub azure_name: String,
    pub owner: Owner,
    pub location: String,
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Empty in a restore, as sizes and logins are: Azure takes them from the source.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    #[serde(default, skip_serializing_if = "is_default")]
    pub sku: Sku,
    #[serde(default)]
    pub storage: Storage,
    #[serde(default, skip_serializing_if = "is_default")]
    pub auth_config: AuthConfig,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub administrator_login: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub administrator_login_password: Option<SecretReference>,
    #[serde(default)]
    pub network: Network,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high_availability: Option<HighAvailability>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<Backup>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance_window: Option<MaintenanceWindow>,
    /// `PointInTimeRestore`: its data come from another server. Once Azure has made it, this and the next two must go: Azure
    /// refuses to make it again, and with that each later change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub create_mode: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_server_resource_reference: Option<Reference>,
    /// RFC 3339, in UTC.
    #[serde(default, rename = "pointInTimeUTC", skip_serializing_if = "Option::is_none")]
    pub point_in_time_utc: Option<String>,
}

/// The mode of a restore from the source's automatic backups.
/// <https://learn.microsoft.com/rest/api/postgresql/servers/create-or-update#createmode>
pub const POINT_IN_TIME_RESTORE: &str = "PointInTimeRestore";

impl FlexibleServerSpec {
    /// Whether it asks for a server whose data come from another one.
    pub fn is_restore(&self) -> bool {
        self.create_mode.as_deref() == Some(POINT_IN_TIME_RESTORE)
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Sku {
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub tier: String,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Storage {
    #[serde(default, rename = "storageSizeGB", skip_serializing_if = "Option::is_none")]
    pub size_gib: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    #[serde(default, rename = "autoGrow", skip_serializing_if = "Option::is_none")]
    pub auto_grow: Option<String>,
}

/// A standby. Its zone is Azure's choice: after a failover the zones are swapped.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct HighAvailability {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Backup {
    #[serde(default, rename = "backupRetentionDays", skip_serializing_if = "Option::is_none")]
    pub retention_days: Option<i32>,
    #[serde(default, rename = "geoRedundantBackup", skip_serializing_if = "Option::is_none")]
    pub geo_redundant: Option<String>,
    /// In a status alone. RFC 3339, as Azure writes it.
    #[serde(default, rename = "earliestRestoreDate", skip_serializing_if = "Option::is_none")]
    pub earliest_restore_date: Option<String>,
}

/// A weekly window of an hour in UTC; without `Enabled`, Azure ignores the other fields.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MaintenanceWindow {
    #[serde(default)]
    pub custom_window: String,
    /// 0 is Sunday.
    #[serde(default)]
    pub day_of_week: i32,
    #[serde(default)]
    pub start_hour: i32,
    #[serde(default)]
    pub start_minute: i32,
}

/// A key of a Secret in the namespace of the object.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct SecretReference {
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub key: String,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthConfig {
    #[serde(default)]
    pub active_directory_auth: String,
    #[serde(default)]
    pub password_auth: String,
    #[serde(default)]
    pub tenant_id: String,
}

/// Open to the internet behind a firewall, or in a virtual network; which of them is fixed at creation.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Network {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_network_access: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegated_subnet_resource_reference: Option<Reference>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_dns_zone_arm_resource_reference: Option<Reference>,
}

impl Network {
    /// Whether the server is in a virtual network.
    pub fn is_private(&self) -> bool {
        self.delegated_subnet_resource_reference.is_some()
    }
}

/// A resource by its id.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reference {
    #[serde(default)]
    pub arm_id: String,
}

/// The network as Azure reports it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkStatus {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_network_access: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegated_subnet_resource_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_dns_zone_arm_resource_id: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FlexibleServerStatus {
    #[serde(default)]
    pub conditions: Vec<Condition>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fully_qualified_domain_name: Option<String>,
    /// Azure sets it once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub administrator_login: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Behind the point, e.g. `7` of 17.7.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minor_version: Option<String>,
    /// `Ready`, `Updating`, `Stopped`, ….
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<Sku>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<Storage>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkStatus>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high_availability: Option<HighAvailability>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<Backup>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance_window: Option<MaintenanceWindow>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_data: Option<SystemData>,
}

/// What Azure keeps of each resource.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SystemData {
    /// RFC 3339, as Azure writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
}

impl FlexibleServer {
    /// When Azure created it, if it says so: to the second, as it is stored in the status.
    pub fn created_at(&self) -> Option<jiff::Timestamp> {
        let created_at: jiff::Timestamp =
            self.created_status()?.system_data.as_ref()?.created_at.as_ref()?.parse().ok()?;
        jiff::Timestamp::from_second(created_at.as_second()).ok()
    }

    /// From when on Azure can restore it, if it says so.
    pub fn earliest_restore(&self) -> Option<jiff::Timestamp> {
        self.created_status()?.backup.as_ref()?.earliest_restore_date.as_ref()?.parse().ok()
    }

    /// What Azure reports of a server that it has created; `None` before.
    pub fn created_status(&self) -> Option<&FlexibleServerStatus> {
        self.status.as_ref().filter(|status| status.id.is_some())
    }
}

/// A database in a server.
#[derive(Clone, CustomResource, Debug, Default, Deserialize, PartialEq, Serialize)]
#[kube(
    group = "dbforpostgresql.azure.com",
    version = "v20250801",
    kind = "FlexibleServersDatabase",
    plural = "flexibleserversdatabases",
    namespaced,
    status = "ConditionsOnly",
    derive = "PartialEq",
    schema = "disabled"
)]
#[serde(rename_all = "camelCase")]
pub struct FlexibleServersDatabaseSpec {
    pub azure_name: String,
    pub owner: Owner,
    #[serde(default)]
    pub charset: String,
    #[serde(default)]
    pub collation: String,
}

/// A range of addresses that may connect.
#[derive(Clone, CustomResource, Debug, Default, Deserialize, PartialEq, Serialize)]
#[kube(
    group = "dbforpostgresql.azure.com",
    version = "v20250801",
    kind = "FlexibleServersFirewallRule",
    plural = "flexibleserversfirewallrules",
    namespaced,
    status = "ConditionsOnly",
    derive = "PartialEq",
    schema = "disabled"
)]
#[serde(rename_all = "camelCase")]
pub struct FlexibleServersFirewallRuleSpec {
    pub azure_name: String,
    pub owner: Owner,
    pub start_ip_address: String,
    pub end_ip_address: String,
}

/// An identity that administers the server.
#[derive(Clone, CustomResource, Debug, Default, Deserialize, PartialEq, Serialize)]
#[kube(
    group = "dbforpostgresql.azure.com",
    version = "v20250801",
    kind = "FlexibleServersAdministrator",
    plural = "flexibleserversadministrators",
    namespaced,
    status = "ConditionsOnly",
    derive = "PartialEq",
    schema = "disabled"
)]
#[serde(rename_all = "camelCase")]
pub struct FlexibleServersAdministratorSpec {
    /// The object id of the identity in Entra.
    pub azure_name: String,
    pub owner: Owner,
    /// Name of the role in PostgreSQL.
    #[serde(default)]
    pub principal_name: String,
    #[serde(default)]
    pub principal_type: String,
    #[serde(default)]
    pub tenant_id: String,
}

/// A server parameter.
#[derive(Clone, CustomResource, Debug, Default, Deserialize, PartialEq, Serialize)]
#[kube(
    group = "dbforpostgresql.azure.com",
    version = "v20250801",
    kind = "FlexibleServersConfiguration",
    plural = "flexibleserversconfigurations",
    namespaced,
    status = "FlexibleServersConfigurationStatus",
    derive = "PartialEq",
    schema = "disabled"
)]
#[serde(rename_all = "camelCase")]
pub struct FlexibleServersConfigurationSpec {
    /// The parameter's name.
    pub azure_name: String,
    pub owner: Owner,
    /// `user-override` or `system-default`.
    #[serde(default)]
    pub source: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FlexibleServersConfigurationStatus {
    #[serde(default)]
    pub conditions: Vec<Condition>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_value: Option<String>,
    /// Whether the value counts only after the server was restarted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_config_pending_restart: Option<bool>,
}

aso_object!(HOLDS_DATA = true; FlexibleServer, FlexibleServersDatabase);
aso_object!(
    HOLDS_DATA = false;
    FlexibleServersConfiguration,
    FlexibleServersFirewallRule,
    FlexibleServersAdministrator
);
