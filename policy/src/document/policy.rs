//! A policy that holds, and what it can be asked.

use std::borrow::Cow;

use api::HighAvailability;
use jiff::civil::Date;

use super::{
    copy::DataCopy,
    enforcement::{Exception, Rule},
    namespaces::{Namespace, NoProfile},
    profile::Profile,
    raw::Azure,
    recovery::Recovery,
};
use crate::{
    catalogue::{Catalogue, Support, Version, Zones},
    quote::quote_text,
};

/// A policy that holds: every name in it exists, and every default is allowed.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Short hash of the document.
    pub revision: String,
    pub azure: Azure,
    pub(super) profiles: Vec<Profile>,
    /// By namespace and name of their database, and as written for each.
    pub(super) exceptions: Vec<Exception>,
    pub recoveries: Vec<Recovery>,
    pub copies: Vec<DataCopy>,
    /// What is known here, with what the policy knows better.
    pub(super) catalogue: Cow<'static, Catalogue>,
}

impl Policy {
    /// The first profile that matches the namespace.
    pub fn profile(&self, namespace: Namespace<'_>) -> Result<&Profile, NoProfile> {
        for profile in &self.profiles {
            match profile.namespaces.matches(namespace) {
                Some(true) => return Ok(profile),
                Some(false) => {}
                None => return Err(NoProfile::LabelsUnknown),
            }
        }
        Err(NoProfile::NoMatch)
    }

    /// The profile of this name.
    pub fn profile_named(&self, name: &str) -> Option<&Profile> {
        self.profiles.iter().find(|profile| profile.name == name)
    }

    /// What is wrong when this is the issuer of the API server. Entra compares the two to the letter.
    pub fn wrong_issuer(&self, actual: &str) -> Option<String> {
        let written = &self.azure.workload_identity.issuer.value;
        (written != actual).then(|| {
            format!(
                "azure.workloadIdentity.issuer: write {}, as the API server says; with {} no app can log in",
                quote_text(actual),
                quote_text(written)
            )
        })
    }

    /// Whether a profile can depend on more of a namespace than its name.
    pub fn looks_at_labels(&self) -> bool {
        self.profiles.iter().any(|profile| !profile.namespaces.labels.is_empty())
    }

    /// The profiles that admit a delete that says nothing about the data.
    pub fn silent_deletes(&self) -> impl Iterator<Item = &str> {
        let silent = self.profiles.iter().filter(|profile| profile.retention.when_missing.is_some());
        silent.map(|profile| profile.name.as_str())
    }

    /// Whether a profile limits how many databases a namespace has.
    pub fn has_quotas(&self) -> bool {
        self.profiles.iter().any(|profile| profile.allow.databases_per_namespace.is_some())
    }

    /// The exception that lets this database pass this rule on this day.
    pub fn exception(&self, namespace: &str, name: &str, rule: Rule, today: Date) -> Option<&Exception> {
        let of = |exception: &Exception| {
            (exception.namespace.as_str(), exception.name.as_str()).cmp(&(namespace, name))
        };
        let first = self.exceptions.partition_point(|exception| of(exception).is_lt());
        let mut own = self.exceptions[first..].iter().take_while(|exception| of(exception).is_eq());
        own.find(|exception| exception.covers(namespace, name, rule, today))
    }

    /// What Azure offers, as far as it is known here and to the policy.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// Profiles whose default version is past Azure's standard support, with that version.
    pub fn outdated_defaults(&self, today: Date) -> impl Iterator<Item = (&str, Version)> {
        self.profiles.iter().filter_map(move |profile| {
            let version = profile.defaults.version.as_ref().and_then(api::version::major)?;
            let version = self.catalogue.version(version)?;
            (version.support(today) != Support::Standard).then_some((profile.name.as_str(), version))
        })
    }

    /// Defaults that Azure may refuse where servers are made: which profile, which field, and why. They are no mistakes of
    /// the policy, since a region gets more with time and an operator that knows less must not break it.
    pub fn doubtful_defaults(&self) -> impl Iterator<Item = (&str, &str, String)> {
        let location = &self.azure.location.value;
        let region = self.catalogue.region(location);
        let is_private = self.azure.network.private.is_some();
        self.profiles.iter().flat_map(move |profile| {
            let size = profile.defaults.sku.as_deref().and_then(|sku| self.catalogue.size(sku));
            let absent = size
                .filter(|size| !region.has(size))
                .map(|size| ("sku", format!("{} isn't known to be available in {location}", size.name)));
            let outside = size
                .filter(|size| is_private && size.is_v6())
                .map(|size| ("sku", format!("{} isn't available in a virtual network", size.name)));
            let mode = profile.defaults.high_availability;
            let closed = (mode == Some(HighAvailability::ZoneRedundant) && region.zones == Zones::Closed)
                .then(|| {
                    ("highAvailability", format!("{location} had no room for new ZoneRedundant standbys"))
                });
            let all = [absent, outside, closed].into_iter().flatten();
            all.map(|(field, why)| (profile.name.as_str(), field, why))
        })
    }

    /// Exceptions whose last day has passed.
    pub fn expired_exceptions(&self, today: Date) -> impl Iterator<Item = &Exception> {
        self.exceptions.iter().filter(move |exception| today > exception.until)
    }

    /// Recoveries whose last day has passed.
    pub fn expired_recoveries(&self, today: Date) -> impl Iterator<Item = &Recovery> {
        self.recoveries.iter().filter(move |recovery| today > recovery.until)
    }

    /// Copies whose last day has passed.
    pub fn expired_copies(&self, today: Date) -> impl Iterator<Item = &DataCopy> {
        self.copies.iter().filter(move |copy| today > copy.until)
    }
}
