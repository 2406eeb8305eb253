//! Spec and policy become what is built.

use std::collections::BTreeMap;

use api::{
    Authentication, Backup, DatabaseSpec, DefaultedField, HighAvailability, MaintenanceWindow, Storage,
    StorageTier, version,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::{
    Denial, Policy, Request,
    catalogue::{Catalogue, Extension, Size, tier_of_grown},
    defaults,
    rules::{self, names},
};

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
    fn as_spec(&self, wanted: &DatabaseSpec) -> DatabaseSpec {
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

/// Everything that building needs, each value allowed and known to exist.
#[derive(Clone, Debug, PartialEq)]
pub struct Effective {
    /// At least the one that runs.
    pub version: u16,
    pub size: Size,
    /// At least the actual size of the disk.
    pub size_gib: i32,
    pub database_name: String,
    pub service_account_name: String,
    pub authentication: Authentication,
    /// Age in days at which a password is replaced; `None` replaces it on request alone.
    pub rotate_after_days: Option<u16>,
    pub settings: Settings,
    /// In the order of their names.
    pub extensions: Vec<Extension>,
    /// By the names that PostgreSQL shows them with, with values as Azure takes them.
    pub parameters: BTreeMap<String, String>,
    pub profile: String,
    pub defaulted: Vec<DefaultedField>,
}

impl Effective {
    /// The same as a spec, with the fields of `written` that nothing is derived from.
    pub fn to_spec(&self, written: &DatabaseSpec) -> DatabaseSpec {
        let running = Recorded {
            version: Some(self.version),
            sku: Some(self.size.name.clone()),
            size_gib: Some(self.size_gib),
            database_name: Some(self.database_name.clone()),
            settings: Some(self.settings.clone()),
            ..Recorded::default()
        };
        let DatabaseSpec { extensions, parameters, authentication, service_account_name, .. } =
            written.clone();
        DatabaseSpec { extensions, parameters, authentication, service_account_name, ..running.to_spec() }
    }
}

/// The extensions of a spec, each once.
fn extensions(spec: &DatabaseSpec, catalogue: &Catalogue) -> Vec<Extension> {
    let named = spec.extensions.iter().flatten();
    let known: BTreeMap<&str, &Extension> = named
        .filter_map(|name| catalogue.extension(name))
        .map(|extension| (extension.name.as_ref(), extension))
        .collect();
    known.into_values().cloned().collect()
}

/// The parameters of a spec, as Azure takes them.
fn parameters(spec: &DatabaseSpec, version: u16, catalogue: &Catalogue) -> BTreeMap<String, String> {
    let written = spec.parameters.iter().flatten();
    written
        .map(|(name, value)| {
            let parameter = catalogue.parameter(name, Some(version)).ok();
            let canonical = parameter.and_then(|parameter| parameter.form.canonical(value));
            (catalogue.spelling(name), canonical.map_or_else(|| value.clone(), Into::into))
        })
        .collect()
}

impl Policy {
    /// What a `Database` stands for, or why it can't be built.
    ///
    /// It is the same judgement as at admission: a webhook that was bypassed lets nothing through that
    /// policy refuses. Of a server that exists, only what changes is judged.
    pub fn resolve(&self, request: &Request<'_>, recorded: Option<&Recorded>) -> Result<Effective, Denial> {
        // A default never changes a live server, not even one that was kept and is found again: what nobody
        // wrote is as it runs.
        let mut new = defaults::yielding(request.new, request.defaulted, recorded);
        if let Some(recorded) = recorded {
            new.database_name = new.database_name.or_else(|| recorded.database_name.clone());
        }
        let profile = self.profile(request.in_namespace()).map_err(|why| Self::no_profile(request, why))?;
        let filled = defaults::fill(&new, request.old, recorded, profile, request.defaulted);
        let stored = recorded.map(|recorded| recorded.as_spec(&filled.spec));
        let judged = Request { new: &filled.spec, old: stored.as_ref(), defaulted: &[], ..*request };
        if let Some(denial) = self.judge(&judged, recorded).denial {
            return Err(denial);
        }
        let (spec, catalogue) = (&filled.spec, self.catalogue());
        let missing = |field: &str| rules::missing(self, request, field);
        let version = spec.version.as_ref().and_then(version::major).ok_or_else(|| missing("version"))?;
        let version = version.max(recorded.and_then(|recorded| recorded.version).unwrap_or(0));
        let size = spec.sku.as_deref().and_then(|sku| catalogue.size(sku)).ok_or_else(|| missing("sku"))?;
        let wanted_gib = spec
            .storage
            .as_ref()
            .and_then(|storage| storage.size_gib)
            .ok_or_else(|| missing("storage.sizeGiB"))?;
        let size_gib = wanted_gib.max(recorded.and_then(|recorded| recorded.size_gib).unwrap_or(0));
        let mut settings = Settings::of(spec);
        settings.storage_tier = settings.storage_tier.map(|tier| tier_of_grown(tier, size_gib));
        Ok(Effective {
            version,
            size: size.clone(),
            size_gib,
            database_name: names::database_name(request.name, spec),
            service_account_name: names::service_account_name(request.name, spec),
            authentication: spec.authentication.unwrap_or(Authentication::Identity),
            rotate_after_days: profile.rotate_after_days,
            settings,
            extensions: extensions(spec, catalogue),
            parameters: parameters(spec, version, catalogue),
            profile: profile.name.clone(),
            defaulted: defaults::union(
                &defaults::in_effect(request.defaulted, request.new),
                filled.defaulted,
            ),
        })
    }
}
