//! Major versions of PostgreSQL, and how long each is supported.
//!
//! Sources: of 11 to 14 Azure's own dates, from "Extended support"
//! (<https://learn.microsoft.com/azure/postgresql/configure-maintain/extended-support>). Of later ones Azure has published
//! none, so they are the days of the final releases (<https://www.postgresql.org/support/versioning/>); those of Azure never
//! lay before them.
//!
//! Azure's API lists 11 and newer as versions of new servers, and a page of Azure's says that retired ones can't be created.
//! So nothing here says that Azure creates none: what is past standard support costs extra, and is refused for that.

use jiff::civil::{Date, date};

/// A major version of PostgreSQL.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Version {
    pub major: u16,
    /// The last day of Azure's standard support.
    pub until: Date,
    /// The last day of Azure's paid Extended Support, into which Azure puts each server of the version.
    pub extended_until: Option<Date>,
}

/// What Azure does for a version on a day.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Support {
    Standard,
    /// Past standard support: Azure charges extra, as far as it has said.
    Extended,
    /// Past Extended Support.
    Ended,
}

impl Version {
    /// What Azure does for it on this day.
    pub fn support(&self, today: Date) -> Support {
        if today <= self.until {
            Support::Standard
        } else if self.extended_until.is_none_or(|end| today <= end) {
            Support::Extended
        } else {
            Support::Ended
        }
    }
}

const fn version(major: u16, until: Date, extended_until: Option<Date>) -> Version {
    Version { major, until, extended_until }
}

/// Versions in Azure's API, the oldest first.
pub(super) const KNOWN: &[Version] = &[
    version(11, date(2026, 7, 31), Some(date(2026, 11, 8))),
    version(12, date(2026, 7, 31), Some(date(2027, 11, 13))),
    version(13, date(2026, 7, 31), Some(date(2028, 11, 12))),
    version(14, date(2026, 12, 11), Some(date(2029, 11, 11))),
    version(15, date(2027, 11, 11), None),
    version(16, date(2028, 11, 9), None),
    version(17, date(2029, 11, 8), None),
    version(18, date(2030, 11, 14), None),
];

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn later_versions_are_supported_at_least_as_long() {
        assert!(KNOWN.is_sorted_by(|a, b| a.major < b.major && a.until <= b.until));
        assert!(KNOWN.iter().all(|version| version.extended_until.is_none_or(|end| end > version.until)));
    }

    #[rstest]
    #[case::before(14, date(2026, 11, 28), Support::Standard)]
    #[case::last_day(14, date(2026, 12, 11), Support::Standard)]
    #[case::paid(14, date(2026, 12, 12), Support::Extended)]
    #[case::last_paid_day(11, date(2026, 11, 8), Support::Extended)]
    #[case::over(11, date(2026, 11, 9), Support::Ended)]
    #[case::nothing_known(15, date(2099, 1, 1), Support::Extended)]
    fn support_is_standard_then_paid_then_over(
        #[case] major: u16,
        #[case] today: Date,
        #[case] expected: Support,
    ) {
        let version = KNOWN.iter().find(|version| version.major == major).unwrap();
        assert_eq!(version.support(today), expected);
    }
}
