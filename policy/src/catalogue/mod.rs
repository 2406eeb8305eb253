//! What Azure offers, as data. What a platform allows of it is the policy's.
//!
//! [`Catalogue::known`] is what this version of the operator knows. The policy's key `catalogue` adds to it and overrides
//! it, so nobody waits for a release because Azure has something new.

#[cfg(test)]
mod azure;
mod disks;
mod extensions;
mod parameters;
mod regions;
mod sizes;
mod versions;

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    ops::RangeInclusive,
    sync::LazyLock,
};

pub use disks::{DISK_SIZES_GIB, own_tier, tier_distance, tier_of_grown, tiers};
pub use extensions::{Extension, LOADED_AT_FIRST, Offered, was_offered};
pub use parameters::{Form, Parameter, Unsettable, can_match as can_match_parameter};
pub(crate) use regions::Sizes;
pub use regions::{Region, Zones};
pub use sizes::{Hardware, Size, Tier};
pub use versions::{Support, Version};

/// A name of Azure's: one that is known here, or one of the policy's.
pub type Name = Cow<'static, str>;

/// Days that Azure can keep backups.
/// <https://learn.microsoft.com/azure/postgresql/backup-restore/concepts-backup-restore>
pub const BACKUP_DAYS: RangeInclusive<i32> = 7..=35;

/// The largest disk in GiB of which Azure promises copies in a Backup vault.
/// <https://learn.microsoft.com/azure/backup/backup-azure-database-postgresql-flex-support-matrix>
pub const LARGEST_IN_VAULT_GIB: i32 = 1024;

/// What Azure offers, as far as it is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Catalogue {
    sizes: Vec<Size>,
    /// The oldest first.
    versions: Vec<Version>,
    extensions: Vec<Extension>,
    parameters: parameters::Parameters,
    /// Those of the policy; the others are looked up where they are known.
    regions: HashMap<String, Region>,
}

static KNOWN: LazyLock<Catalogue> = LazyLock::new(|| Catalogue {
    sizes: sizes::known(),
    versions: versions::KNOWN.to_vec(),
    extensions: extensions::known(),
    parameters: parameters::known(),
    regions: HashMap::new(),
});

impl Catalogue {
    /// What this version of the operator knows without a policy.
    pub fn known() -> &'static Self {
        &KNOWN
    }

    /// Every size; within a tier, newer families come first.
    pub fn sizes(&self) -> &[Size] {
        &self.sizes
    }

    /// The size of that name, in whatever case.
    pub fn size(&self, name: &str) -> Option<&Size> {
        self.sizes.iter().find(|size| size.name.eq_ignore_ascii_case(name))
    }

    /// Every major version, the oldest first.
    pub fn versions(&self) -> &[Version] {
        &self.versions
    }

    /// The version of that number.
    pub fn version(&self, major: u16) -> Option<Version> {
        self.versions.iter().find(|version| version.major == major).copied()
    }

    /// Every extension.
    pub fn extensions(&self) -> &[Extension] {
        &self.extensions
    }

    /// The extension of that name, in whatever case.
    pub fn extension(&self, name: &str) -> Option<&Extension> {
        self.extensions.iter().find(|extension| extension.name.eq_ignore_ascii_case(name))
    }

    /// The extension for which this library is loaded.
    pub fn extension_of(&self, library: &str) -> Option<&Extension> {
        self.extensions.iter().find(|extension| extension.library.as_deref() == Some(library))
    }

    /// The parameter of that name, in whatever case, as it is in this major version of PostgreSQL.
    pub fn parameter(&self, name: &str, major: Option<u16>) -> Result<&Parameter, Unsettable> {
        self.parameters.find(name, major)
    }

    /// The parameter of that name, whoever may set it, as it is in the newest version.
    pub(crate) fn any_parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters.any(name)
    }

    /// How PostgreSQL shows a name: `TimeZone`, and in lower case what isn't listed here.
    pub fn spelling(&self, name: &str) -> String {
        self.parameters.spelling(name)
    }

    /// The names of all parameters that can be set, for suggestions.
    pub fn parameter_names(&self) -> impl Iterator<Item = &str> {
        self.parameters.settable()
    }

    /// The names of all parameters.
    pub fn all_parameter_names(&self) -> impl Iterator<Item = &str> {
        self.parameters.names()
    }

    /// What a region has. One that isn't known is taken to have everything: Azure adds regions, and what it refuses itself
    /// is reported in the status.
    pub fn region(&self, location: &str) -> Region {
        self.regions.get(location).cloned().unwrap_or_else(|| Region::known(location))
    }

    /// Puts what the policy knows better in place of what is known here.
    pub(crate) fn with(&self, more: More) -> Self {
        let mut all = self.clone();
        for size in more.sizes {
            put(&mut all.sizes, size, |size| size.name.to_ascii_lowercase());
        }
        for version in more.versions {
            put(&mut all.versions, version, |version| version.major);
        }
        all.versions.sort_by_key(|version| version.major);
        for extension in more.extensions {
            put(&mut all.extensions, extension, |extension| extension.name.to_ascii_lowercase());
        }
        for parameter in more.parameters {
            all.parameters.put(parameter);
        }
        all.regions.extend(more.regions);
        all
    }
}

/// In place of the one with the same key, else at the end.
fn put<T, K: PartialEq>(all: &mut Vec<T>, new: T, key: impl Fn(&T) -> K) {
    let same = key(&new);
    match all.iter_mut().find(|old| key(old) == same) {
        Some(old) => *old = new,
        None => all.push(new),
    }
}

/// What a policy adds.
#[derive(Debug, Default)]
pub(crate) struct More {
    pub(crate) sizes: Vec<Size>,
    pub(crate) versions: Vec<Version>,
    pub(crate) extensions: Vec<Extension>,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) regions: BTreeMap<String, Region>,
}
