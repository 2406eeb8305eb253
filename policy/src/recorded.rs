//! What is known of a server that exists.

use std::collections::BTreeMap;

use api::{
    Authentication, Backup, DatabaseSpec, HighAvailability, MaintenanceWindow, Storage, StorageTier, version,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::{catalogue::tier_of_grown, field};

/// What is known of a server that exists: it outranks defaults, and is what a change is a change from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recorded {
    /// Major version that runs.
    pub version: Option<u16>,
    /// Size that runs.
    pub sku: Option<String>,
    /// Size of the disk in GiB; it may have grown by itself.
    pub size_gib: Option<i32>,
    /// Name of the database in the server.
    pub database_name: Option<String>,
    /// Azure region, e.g. `norwayeast`.
    pub location: Option<String>,
    /// Extensions that may be created in it; `None` when that isn't known.
    pub extensions: Option<Vec<String>>,
    /// Server parameters that were set; `None` when that isn't known.
    pub parameters: Option<BTreeMap<String, String>>,
    /// What else was asked for when the server was made or changed; `None` when that isn't known.
    pub settings: Option<Settings>,
    /// How apps log in; `None` when that isn't known.
    pub authentication: Option<Authentication>,
}

/// Settings of a server that it can do without.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    pub storage_tier: Option<StorageTier>,
    pub auto_grow: Option<bool>,
    pub high_availability: Option<HighAvailability>,
    pub backup: Backup,
    pub maintenance_window: Option<MaintenanceWindow>,
}

impl Settings {
    /// Those of a spec.
    pub fn of(spec: &DatabaseSpec) -> Self {
        let storage = spec.storage.clone().unwrap_or_default();
        Self {
            storage_tier: storage.tier,
            auto_grow: storage.auto_grow,
            high_availability: spec.high_availability,
            backup: spec.backup.clone().unwrap_or_default(),
            maintenance_window: spec.maintenance_window.clone(),
        }
    }
}

impl Recorded {
    /// From the status of a `Database`; `None` before Azure has made its server.
    pub fn from_status(status: Option<&api::DatabaseStatus>) -> Option<Self> {
        let status = status?;
        let server = status.server.as_ref().filter(|server| server.id.is_some())?;
        Some(Self {
            version: server.version.as_deref().and_then(|version| version.parse().ok()),
            sku: server.sku.clone(),
            size_gib: server.size_gib,
            database_name: status.database_name.clone(),
            location: server.location.clone(),
            ..Self::default()
        })
    }

    /// Of the fields whose stored values can't be told, one that isn't recorded either, although not every change of it is
    /// safe on a server that exists; its path below `spec`.
    pub fn unknown(&self, is_lost: impl Fn(&str) -> bool) -> Option<&'static str> {
        let running = self.to_spec();
        field::values()
            .filter(|(field, value)| value.one_way && is_lost(field.path))
            .find(|(_, value)| (value.text)(&running).is_none())
            .map(|(field, _)| field.path)
    }

    /// What the server is, as a spec.
    pub(crate) fn to_spec(&self) -> DatabaseSpec {
        let Settings { storage_tier, auto_grow, high_availability, backup, maintenance_window } =
            self.settings.clone().unwrap_or_default();
        let storage = Storage { size_gib: self.size_gib, tier: storage_tier, auto_grow };
        DatabaseSpec {
            version: self.version.map(|version| IntOrString::Int(i32::from(version))),
            sku: self.sku.clone(),
            storage: (storage != Storage::default()).then_some(storage),
            high_availability,
            backup: (backup != Backup::default()).then_some(backup),
            maintenance_window,
            database_name: self.database_name.clone(),
            ..DatabaseSpec::default()
        }
    }

    /// The spec that this server stands for, beside a wanted one.
    ///
    /// Storage and version are floors, and so is what hangs on them: a disk that has grown by itself to more than the spec
    /// says is no attempt to shrink it, and a server that was upgraded in Azure none to take that back. What isn't known of
    /// the server is taken to be as wanted.
    pub(crate) fn as_spec(&self, wanted: &DatabaseSpec) -> DatabaseSpec {
        let mut running = self.to_spec();
        if let (Some(wanted), Some(actual)) = (wanted.version.as_ref().and_then(version::major), self.version)
            && wanted < actual
        {
            running.version = Some(IntOrString::Int(i32::from(wanted)));
        }
        let wanted_tier = wanted.storage.as_ref().and_then(|storage| storage.tier);
        if let (Some(wanted), Some(actual), Some(storage)) =
            (wanted_tier, self.size_gib, running.storage.as_mut())
            && storage.tier == Some(tier_of_grown(wanted, actual))
        {
            storage.tier = Some(wanted);
        }
        let wanted_gib = wanted.storage.as_ref().and_then(|storage| storage.size_gib);
        let size_gib = match (wanted_gib, self.size_gib) {
            (Some(wanted), Some(actual)) => Some(wanted.min(actual)),
            (wanted, actual) => actual.or(wanted),
        };
        let settings = if self.settings.is_some() { &running } else { wanted };
        DatabaseSpec {
            version: running.version.clone().or_else(|| wanted.version.clone()),
            sku: running.sku.clone().or_else(|| wanted.sku.clone()),
            storage: Some(Storage { size_gib, ..settings.storage.clone().unwrap_or_default() }),
            high_availability: settings.high_availability,
            backup: settings.backup.clone(),
            maintenance_window: settings.maintenance_window.clone(),
            database_name: running.database_name.clone().or_else(|| wanted.database_name.clone()),
            extensions: self.extensions.clone().or_else(|| wanted.extensions.clone()),
            parameters: self
                .parameters
                .as_ref()
                .map(|running| spelt_alike(running, wanted.parameters.as_ref()))
                .or_else(|| wanted.parameters.clone()),
            service_account_name: wanted.service_account_name.clone(),
            authentication: self.authentication.or(wanted.authentication),
        }
    }
}

/// The parameters that run, by the names that a spec has for them: PostgreSQL doesn't care for case.
fn spelt_alike(
    running: &BTreeMap<String, String>,
    wanted: Option<&BTreeMap<String, String>>,
) -> BTreeMap<String, String> {
    // Of two spellings in one spec the first one counts.
    let spellings: BTreeMap<String, &String> = wanted
        .into_iter()
        .flat_map(BTreeMap::keys)
        .rev()
        .map(|name| (name.to_ascii_lowercase(), name))
        .collect();
    let spelling = |name: &String| spellings.get(&name.to_ascii_lowercase()).copied();
    running.iter().map(|(name, value)| (spelling(name).unwrap_or(name).clone(), value.clone())).collect()
}
