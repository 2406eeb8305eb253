//! A flexible server as rules see it: the fields of a request, or of what exists. Absent means "as it is".

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::errors::ArmError;

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::azure) struct Server {
    pub(in crate::azure) location: Option<String>,
    pub(in crate::azure) tags: Option<BTreeMap<String, String>>,
    pub(in crate::azure) sku: Sku,
    pub(in crate::azure) properties: Properties,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(in crate::azure) struct Sku {
    pub(in crate::azure) name: Option<String>,
    pub(in crate::azure) tier: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::azure) struct Properties {
    pub(in crate::azure) administrator_login: Option<String>,
    pub(in crate::azure) administrator_login_password: Option<String>,
    pub(in crate::azure) auth_config: AuthConfig,
    pub(in crate::azure) availability_zone: Option<String>,
    pub(in crate::azure) backup: Backup,
    pub(in crate::azure) create_mode: Option<String>,
    pub(in crate::azure) high_availability: HighAvailability,
    pub(in crate::azure) maintenance_window: MaintenanceWindow,
    pub(in crate::azure) network: Network,
    #[serde(rename = "pointInTimeUTC")]
    pub(in crate::azure) point_in_time_utc: Option<String>,
    pub(in crate::azure) source_server_resource_id: Option<String>,
    pub(in crate::azure) state: Option<String>,
    pub(in crate::azure) storage: Storage,
    pub(in crate::azure) version: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::azure) struct AuthConfig {
    pub(in crate::azure) active_directory_auth: Option<String>,
    pub(in crate::azure) password_auth: Option<String>,
    pub(in crate::azure) tenant_id: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(clippy::struct_field_names, reason = "they are spelled as Azure spells them")]
pub(in crate::azure) struct Backup {
    pub(in crate::azure) backup_retention_days: Option<i64>,
    pub(in crate::azure) earliest_restore_date: Option<String>,
    pub(in crate::azure) geo_redundant_backup: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::azure) struct HighAvailability {
    pub(in crate::azure) mode: Option<String>,
    pub(in crate::azure) standby_availability_zone: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::azure) struct MaintenanceWindow {
    pub(in crate::azure) custom_window: Option<String>,
    pub(in crate::azure) day_of_week: Option<i64>,
    pub(in crate::azure) start_hour: Option<i64>,
    pub(in crate::azure) start_minute: Option<i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::azure) struct Network {
    pub(in crate::azure) delegated_subnet_resource_id: Option<String>,
    pub(in crate::azure) private_dns_zone_arm_resource_id: Option<String>,
    pub(in crate::azure) public_network_access: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::azure) struct Storage {
    pub(in crate::azure) auto_grow: Option<String>,
    pub(in crate::azure) iops: Option<i64>,
    #[serde(rename = "storageSizeGB")]
    pub(in crate::azure) size_gib: Option<i64>,
    pub(in crate::azure) throughput: Option<i64>,
    pub(in crate::azure) tier: Option<String>,
    #[serde(rename = "type")]
    pub(in crate::azure) kind: Option<String>,
}

impl Server {
    /// Reads a request or a stored body. A field of the wrong type is refused, as Azure refuses it.
    pub(in crate::azure) fn read(body: &Value) -> Result<Self, ArmError> {
        Self::deserialize(body).map_err(|error| {
            ArmError::bad_request(
                "InvalidRequestContent",
                format!("The request content was invalid and could not be deserialized: '{error}'."),
            )
        })
    }

    /// `field` of the request; where it says nothing, of what exists.
    pub(in crate::azure) fn effective<'a, T: ?Sized>(
        current: Option<&'a Self>,
        requested: &'a Self,
        field: impl Fn(&'a Self) -> Option<&'a T>,
    ) -> Option<&'a T> {
        field(requested).or_else(|| current.and_then(&field))
    }
}

pub(in crate::azure) fn is_enabled(setting: Option<&str>) -> bool {
    setting.is_some_and(|setting| setting.eq_ignore_ascii_case("Enabled"))
}
