//! Spec and policy become what is built.

use api::{DatabaseSpec, DefaultedField, Storage, version};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::{
    Denial, Policy, Request,
    catalogue::{self, Size},
    defaults,
    rules::{self, names},
};

/// What is known of a server that exists: it outranks defaults, and is what a change is a change from.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Recorded {
    /// Major version that runs.
    pub version: Option<u16>,
    /// Size that runs.
    pub sku: Option<String>,
    /// Size of the disk in GiB; it may have grown by itself.
    pub size_gib: Option<i32>,
    /// Name of the database in the server.
    pub database_name: Option<String>,
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
        })
    }

    /// The spec that this server stands for, beside a wanted one.
    ///
    /// Storage is a floor: a disk that has grown by itself to more than the spec says is no attempt to
    /// shrink it.
    fn as_spec(&self, wanted: &DatabaseSpec) -> DatabaseSpec {
        let wanted_gib = wanted.storage.as_ref().and_then(|storage| storage.size_gib);
        let size_gib = match (wanted_gib, self.size_gib) {
            (Some(wanted), Some(actual)) => Some(wanted.min(actual)),
            (_, actual) => actual,
        };
        DatabaseSpec {
            version: self
                .version
                .map(|version| IntOrString::Int(i32::from(version)))
                .or_else(|| wanted.version.clone()),
            sku: self.sku.clone().or_else(|| wanted.sku.clone()),
            storage: size_gib
                .or(wanted_gib)
                .map(|size| Storage { size_gib: Some(size), ..Storage::default() }),
            database_name: self.database_name.clone().or_else(|| wanted.database_name.clone()),
            ..wanted.clone()
        }
    }
}

/// Everything that building needs, each value allowed and known to exist.
#[derive(Clone, Debug, PartialEq)]
pub struct Effective {
    pub version: u16,
    pub size: &'static Size,
    /// At least the actual size of the disk.
    pub size_gib: i32,
    pub database_name: String,
    pub service_account_name: String,
    pub profile: String,
    pub defaulted: Vec<DefaultedField>,
}

impl Policy {
    /// What a `Database` stands for, or why it can't be built.
    ///
    /// It is the same judgement as at admission: a webhook that was bypassed lets nothing through that
    /// policy refuses. Of a server that exists, only what changes is judged.
    pub fn resolve(
        &self,
        request: &Request<'_>,
        recorded: Option<&Recorded>,
        before: &[DefaultedField],
    ) -> Result<Effective, Denial> {
        // A default never changes a live server, not even one that was kept and is found again: what nobody
        // wrote is as it runs.
        let mut new = request.new.clone();
        if let Some(recorded) = recorded {
            defaults::yield_to(&mut new, before, recorded);
            new.database_name = new.database_name.or_else(|| recorded.database_name.clone());
        }
        let filled = match self.profile(request.namespace) {
            Some(profile) => defaults::fill(&new, request.old, recorded, profile, &[]),
            None => return Err(Self::no_profile(request)),
        };
        let stored = recorded.map(|recorded| recorded.as_spec(&filled.spec));
        let judged = Request { new: &filled.spec, old: stored.as_ref(), ..*request };
        if let Some(denial) = self.judge(&judged, recorded) {
            return Err(denial);
        }
        let spec = &filled.spec;
        let missing = |field: &str| rules::missing(self, request, field);
        let version = spec.version.as_ref().and_then(version::major).ok_or_else(|| missing("version"))?;
        let size = spec.sku.as_deref().and_then(catalogue::size).ok_or_else(|| missing("sku"))?;
        let wanted_gib = spec
            .storage
            .as_ref()
            .and_then(|storage| storage.size_gib)
            .ok_or_else(|| missing("storage.sizeGiB"))?;
        Ok(Effective {
            version,
            size,
            size_gib: wanted_gib.max(recorded.and_then(|recorded| recorded.size_gib).unwrap_or(0)),
            database_name: names::database_name(request.name, spec),
            service_account_name: names::service_account_name(request.name, spec),
            profile: self.profile(request.namespace).map(|profile| profile.name.clone()).unwrap_or_default(),
            defaulted: defaults::union(&defaults::in_effect(before, request.new), filled.defaulted),
        })
    }
}
