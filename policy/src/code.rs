//! The stable codes of everything that can be refused. `docs/codes.md` has a paragraph for each.

/// The codes, a row for each: what it is about, its name and its number.
macro_rules! codes {
    ($($(#[doc = $about:literal])+ $name:ident = $number:literal,)+) => {
        /// A code that stands at the end of each problem, e.g. `DB101`. Never reused, never renumbered.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Code {
            $($(#[doc = $about])+ $name = $number,)+
        }

        impl Code {
            /// Every code, in order.
            pub const ALL: &[Self] = &[$(Self::$name),+];
        }
    };
}

codes! {
    /// `spec.sku` is a size of Azure's that policy doesn't allow here.
    SkuNotAllowed = 101,
    /// `spec.version` is not allowed here.
    VersionNotAllowed = 102,
    /// `spec.version` is past Azure's standard support, or isn't known.
    VersionOutOfSupport = 103,
    /// `spec.version` is lower than the running one.
    VersionDowngrade = 104,
    /// `spec.storage.sizeGiB` is smaller than before.
    StorageShrink = 105,
    /// `spec.storage.sizeGiB` is outside what policy allows here.
    StorageLimit = 106,
    /// `spec.storage.sizeGiB` is not a disk size that Azure offers.
    StorageSize = 107,
    /// `spec.storage.tier` doesn't fit the disk, or isn't allowed here.
    StorageTier = 108,
    /// `spec.highAvailability` isn't available with this size or region, or isn't allowed here.
    HighAvailability = 109,
    /// A field that is fixed at creation was changed.
    CreateOnly = 110,
    /// `spec.backup` asks for what the region can't do, or policy doesn't allow here.
    Backup = 111,
    /// An extension that isn't known, that the version lacks, or that policy doesn't allow here.
    Extension = 112,
    /// A server parameter that can't be set so, or policy doesn't allow here.
    Parameter = 113,
    /// A name that Kubernetes, PostgreSQL or Azure won't take.
    Name = 114,
    /// `spec.sku` is not a known size.
    SkuUnknown = 115,
    /// The namespace has as many databases as policy allows.
    DatabasesPerNamespace = 116,
    /// `spec.authentication` isn't allowed here.
    Authentication = 117,
    /// A field is left out and policy has no default for it.
    Missing = 118,
    /// `spec.maintenanceWindow` has an hour that no day has. DB119 was another code once.
    MaintenanceWindow = 120,
    /// `spec` has a field that isn't known, or a value of a kind that it can't have.
    Shape = 121,
    /// `spec.restoreFrom` names no database or moment that data can come from.
    RestoreImpossible = 122,
    /// `spec.restoreFrom` names data that policy doesn't give to this database.
    RestoreNotAllowed = 123,
    /// `spec.sku` is a size that the region doesn't have, that its network doesn't take, or that the server can't be scaled to.
    SkuImpossible = 124,
    /// `metadata` has something that Kubernetes won't take.
    Metadata = 125,
    /// A delete that doesn't say what happens to the data.
    RetentionMissing = 201,
    /// `Destroy` without a confirmation of this database.
    DestroyUnconfirmed = 202,
    /// `Destroy` with a confirmation whose day has passed, or lies too far ahead.
    ConfirmationExpired = 203,
    /// `Destroy` where policy forbids it.
    DestroyForbidden = 204,
    /// The data of an object that is being deleted would be lost sooner.
    RetentionWidened = 205,
    /// The retention annotation has a value that isn't known.
    RetentionUnknown = 206,
    /// A change of `spec` while the object is being deleted.
    Terminating = 207,
    /// Fewer days than policy demands.
    RetentionTooShort = 208,
    /// A delete of the record of data that are kept. DB209 was another code once.
    RecordHoldsData = 210,
    /// The end of data that are kept was brought too near.
    EndTooNear = 211,
    /// A recovery from another database that can't be.
    RecoveryImpossible = 212,
    /// A recovery from another database that policy doesn't allow.
    RecoveryNotAllowed = 213,
    /// A record of data that are kept that isn't of its form, or a change of what it says.
    RecordFixed = 214,
    /// A namespace with databases whose deletion would be refused.
    NamespaceHoldsDatabases = 301,
    /// A CRD of ours with objects.
    CrdHoldsDatabases = 302,
    /// A CRD of ours, while it isn't known whether it has objects.
    CrdUnreadable = 303,
    /// There is no policy.
    PolicyMissing = 401,
    /// The policy isn't readable as YAML, or has the wrong shape.
    PolicyUnreadable = 402,
    /// The policy has a key that isn't known.
    PolicyUnknownKey = 403,
    /// The policy names a size, version or disk size that isn't known.
    PolicyUnknownValue = 404,
    /// A default that the profile's own `allow` refuses.
    PolicyDefaultRefused = 405,
    /// A profile that can never match.
    PolicyNeverMatches = 406,
    /// A value of the wrong form: an id, an address, a name.
    PolicyMalformed = 407,
    /// No profile matches the namespace.
    PolicyNoProfile = 409,
    /// The request can't be read.
    Unreadable = 501,
    /// The webhook made a mistake of its own.
    Internal = 502,
    /// The profile depends on labels of the namespace that can't be read.
    LabelsUnknown = 503,
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DB{}", *self as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = include_str!("../../docs/codes.md");

    #[test]
    fn the_page_explains_every_code_and_no_other() {
        let explained: Vec<&str> = PAGE.lines().filter_map(|line| line.strip_prefix("### ")).collect();
        let codes: Vec<String> = Code::ALL.iter().map(ToString::to_string).collect();
        assert_eq!(explained, codes);
        for paragraph in PAGE.split("\n### ").skip(1) {
            let (code, text) = paragraph.split_once('\n').unwrap();
            assert!(text.trim().len() > 40, "{code} is explained by {text:?}");
        }
    }

    #[test]
    fn every_code_stands_in_the_list_once_and_in_order() {
        assert!(Code::ALL.is_sorted_by(|a, b| (*a as u16) < (*b as u16)));
    }
}
