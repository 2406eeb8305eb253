//! Spec and policy become what is built.

use std::collections::BTreeMap;

use api::{Authentication, DatabaseSpec, DefaultedField};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::{
    Denial, Policy, Request,
    catalogue::{Catalogue, Extension, Size, tier_of_grown},
    defaults,
    field::{self, LeftOut},
    recorded::Recorded,
    rules::{self, names},
    spec::{major, size_gib},
};

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
    /// For how many hours a password goes on working that was replaced.
    pub overlap_hours: u16,
    /// What of the spec a server can do without; the rest of it is absent.
    pub settings: DatabaseSpec,
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
        let mut spec = DatabaseSpec {
            version: Some(IntOrString::Int(i32::from(self.version))),
            sku: Some(self.size.name.clone()),
            database_name: Some(self.database_name.clone()),
            ..self.settings.clone()
        };
        spec.storage.get_or_insert_default().size_gib = Some(self.size_gib);
        for (_, value) in field::values().filter(|(_, value)| value.left_out == LeftOut::Reset) {
            (value.copy)(&mut spec, written);
        }
        spec
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
        let known = recorded.or_else(|| request.comes_along());
        let mut new = defaults::effective_over_defaults(request.new, request.defaulted, known);
        if let Some(known) = known {
            new.database_name = new.database_name.or_else(|| known.running.database_name.clone());
        }
        let profile = self.profile(request.in_namespace()).map_err(|why| Self::no_profile(request, why))?;
        let filled = defaults::fill(&new, request.old, known, profile, request.defaulted);
        let stored = recorded.map(|recorded| recorded.as_spec(&filled.spec));
        let judged = Request { new: &filled.spec, old: stored.as_ref(), defaulted: &[], ..*request };
        if let Some(denial) = self.judge(&judged, recorded).denial {
            return Err(denial);
        }
        let (spec, catalogue) = (&filled.spec, self.catalogue());
        let missing = |field: &str| rules::missing(self, request, field);
        let version = major(spec).ok_or_else(|| missing("version"))?;
        let version = version.max(recorded.and_then(Recorded::major).unwrap_or(0));
        let size = spec.sku.as_deref().and_then(|sku| catalogue.size(sku)).ok_or_else(|| missing("sku"))?;
        let wanted_gib = size_gib(spec).ok_or_else(|| missing("storage.sizeGiB"))?;
        let size_gib = wanted_gib.max(recorded.and_then(Recorded::size_gib).unwrap_or(0));
        let mut settings = field::optional(spec);
        if let Some(tier) = settings.storage.as_mut().and_then(|storage| storage.tier.as_mut()) {
            *tier = tier_of_grown(*tier, size_gib);
        }
        Ok(Effective {
            version,
            size: size.clone(),
            size_gib,
            database_name: names::database_name(request.name, spec),
            service_account_name: names::service_account_name(request.name, spec),
            authentication: spec.authentication.unwrap_or(Authentication::Identity),
            rotate_after_days: profile.rotate_after_days,
            overlap_hours: profile.overlap_hours,
            settings,
            extensions: extensions(spec, catalogue),
            parameters: parameters(spec, version, catalogue),
            profile: profile.name.clone(),
            defaulted: defaults::merge_notes(
                &defaults::in_effect(request.defaulted, request.new),
                filled.defaulted,
            ),
        })
    }
}
