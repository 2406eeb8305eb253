//! `Database`: what an app team writes.

#![allow(clippy::duplicated_attributes, reason = "each printer column has a name, a type and a path")]

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error};

use crate::{status::DatabaseStatus, written};

/// A dedicated Azure Database for PostgreSQL Flexible Server with one database in it, a Secret with
/// what an app needs to connect, and a ServiceAccount that logs in. Every field may be left out: the
/// platform's policy then fills it in.
#[derive(CustomResource, Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[kube(
    group = "altinn.app",
    version = "v1alpha1",
    kind = "Database",
    namespaced,
    shortname = "db",
    status = "DatabaseStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "A dedicated PostgreSQL server in Azure with one database, for one app.",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(name = "Version", type_ = "string", json_path = ".status.server.version"),
    printcolumn(name = "Sku", type_ = "string", json_path = ".status.server.sku"),
    printcolumn(name = "Host", type_ = "string", json_path = ".status.host"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Minor", type_ = "string", json_path = ".status.server.minorVersion", priority = 1),
    printcolumn(
        name = "Support",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"UpToDate\")].reason",
        priority = 1
    ),
    printcolumn(
        name = "Backups Since",
        type_ = "string",
        json_path = ".status.backups.earliestRestoreTime",
        priority = 1
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
// What is written here is what can be read. The schema of the CRD takes anything: `crd::widen` says why.
pub struct DatabaseSpec {
    /// Major version of PostgreSQL, as a number or a string, e.g. `17`. Can only be raised later.
    #[serde(default, deserialize_with = "written::version", skip_serializing_if = "Option::is_none")]
    pub version: Option<IntOrString>,

    /// Azure's name of the server size, e.g. `Standard_B1ms` (1 vCore, 2 GiB of memory). Upper and
    /// lower case are the same. A change restarts the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,

    /// Size and speed of the disk, e.g. `{sizeGiB: 64, autoGrow: true}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<Storage>,

    /// Whether a standby takes over when the server or its zone fails: `Disabled`, `SameZone` or
    /// `ZoneRedundant`. Not offered for Burstable sizes (`Standard_B…`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high_availability: Option<HighAvailability>,

    /// Azure's automatic backups, e.g. `{retentionDays: 14}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<Backup>,

    /// The hour of the week in which Azure may restart the server for updates, e.g. `{day: Sunday, hour: 3}`. Left out
    /// of a new database, Azure chooses.
    #[serde(default, deserialize_with = "maintenance_window", skip_serializing_if = "Option::is_none")]
    pub maintenance_window: Option<MaintenanceWindow>,

    /// Name of the database in the server, e.g. `orders`. Left out, it is `metadata.name` with `_` for
    /// each `-`. A letter or `_`, and then letters, digits, `_` or `-`, at most 63 characters. Fixed at creation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database_name: Option<String>,

    /// PostgreSQL extensions that the app may create, e.g. `["pgcrypto", "vector"]`: a list of at most 64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extensions: Option<Vec<String>>,

    /// Server parameters of PostgreSQL by name, at most 256, e.g. `{work_mem: 16384, autovacuum: on}`. Numbers stand in
    /// the parameter's own unit.
    #[serde(default, deserialize_with = "written::parameters", skip_serializing_if = "Option::is_none")]
    pub parameters: Option<BTreeMap<String, String>>,

    /// How the app logs in: `Identity` (a Microsoft Entra token of the ServiceAccount's identity; no
    /// password exists) or `Password`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication: Option<Authentication>,

    /// Name of the ServiceAccount that may log in, e.g. `orders-api`: at most 253 characters of a-z, 0-9, `-` and `.`.
    /// Left out, it is `metadata.name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<String>,

    /// The data that a new database begins with: those of another one, as they were at a moment, e.g. `{database: main,
    /// time: "2026-11-27T12:00:00Z"}`. The other one goes on as it is. What is left out beside it is as the other one has
    /// it: version, size, disk and automatic backups. It counts when the server is made, and does nothing after that.
    #[serde(default, deserialize_with = "restore_from", skip_serializing_if = "Option::is_none")]
    pub restore_from: Option<RestoreFrom>,
}

/// Another database, and a moment.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoreFrom {
    /// The `Database` whose data they are, live or retained, e.g. `main` of the same namespace. One of another namespace is
    /// `<namespace>/<name>`, and the policy must allow it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,

    /// Instead of `database`, the resource id of any other server in Azure, e.g.
    /// `/subscriptions/<id>/resourceGroups/<name>/providers/Microsoft.DBforPostgreSQL/flexibleServers/<name>`. The policy must
    /// allow it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_id: Option<String>,

    /// The moment, in UTC or with an offset, e.g. `2026-11-27T12:00:00Z`. Left out, it is the one at which the server is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
}

/// What data begin with; without a word below it, it is as left out.
fn restore_from<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<RestoreFrom>, D::Error> {
    let written = Option::<RestoreFrom>::deserialize(deserializer)?;
    Ok(written.filter(|written| *written != RestoreFrom::default()))
}

/// The server's disk.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Storage {
    /// Size in GiB, one of Azure's steps from 32 to 32767, e.g. `128`. Can only grow; it may be larger
    /// in Azure than written here after Azure has grown the disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "sizeGiB")]
    pub size_gib: Option<i32>,

    /// Performance tier of the disk, `P4`, `P6`, `P10`, `P15`, `P20`, `P30`, `P40`, `P50`, `P60`, `P70` or `P80`, e.g.
    /// `P10` (500 IOPS). Left out of a new database,
    /// Azure's default for the size; so, too, when a disk grows beyond a tier that nobody wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<StorageTier>,

    /// Whether Azure grows the disk when it runs full: `true` or `false`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_grow: Option<bool>,
}

/// Performance tier of a Premium SSD.
/// Azure's `P1` to `P3` exist in its API only: no server can use them.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum StorageTier {
    P4,
    P6,
    P10,
    P15,
    P20,
    P30,
    P40,
    P50,
    P60,
    P70,
    P80,
}

/// Where the standby stands.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum HighAvailability {
    Disabled,
    SameZone,
    ZoneRedundant,
}

/// Automatic backups.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Backup {
    /// Days that backups are kept, 7 to 35, e.g. `14`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_days: Option<i32>,

    /// Whether backups are copied to the paired region: `true` or `false`. Fixed at creation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub geo_redundant: Option<bool>,

    /// A copy apart from the server, in the platform's Azure Backup vault: the policy's name of one of the vault's backup
    /// policies, e.g. `weekly`, or `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vault: Option<String>,
}

impl Backup {
    /// What `vault` says where there is to be no copy in the vault.
    pub const NO_VAULT: &str = "None";
}

/// A weekly window of one hour, in UTC.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MaintenanceWindow {
    /// Day of the week: `Monday`, `Tuesday`, `Wednesday`, `Thursday`, `Friday`, `Saturday` or `Sunday`.
    pub day: Day,
    /// Hour of the day in UTC, 0 to 23, e.g. `3`.
    pub hour: i32,
}

/// The window of a spec; one without day and hour is as left out.
fn maintenance_window<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<MaintenanceWindow>, D::Error> {
    #[derive(Deserialize)]
    struct Window {
        day: Option<Day>,
        hour: Option<i32>,
    }
    match Option::<Window>::deserialize(deserializer)? {
        None | Some(Window { day: None, hour: None }) => Ok(None),
        Some(Window { day: Some(day), hour: Some(hour) }) => Ok(Some(MaintenanceWindow { day, hour })),
        Some(Window { day: None, .. }) => Err(D::Error::missing_field("day")),
        Some(Window { hour: None, .. }) => Err(D::Error::missing_field("hour")),
    }
}

/// Day of the week.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Day {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// How the app proves who it is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Authentication {
    Identity,
    Password,
}

/// The words of an enum, as they are written in a manifest.
macro_rules! words {
    ($($kind:ident { $($word:ident),* })*) => {
        $(
            impl $kind {
                /// Every word.
                pub const ALL: &[Self] = &[$(Self::$word),*];
            }

            impl std::fmt::Display for $kind {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str(match self {
                        $(Self::$word => stringify!($word)),*
                    })
                }
            }
        )*
    };
}

words! {
    Authentication { Identity, Password }
    Day { Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday }
    HighAvailability { Disabled, SameZone, ZoneRedundant }
    StorageTier { P4, P6, P10, P15, P20, P30, P40, P50, P60, P70, P80 }
}
