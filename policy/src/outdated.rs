//! How old a version of PostgreSQL is: until when Azure supports it, and from which day it costs extra. Pure.

use jiff::{ToSpan, civil::Date};

use crate::catalogue::{Catalogue, Support, Version};

/// How many days before the end of Azure's standard support a version counts as old: half a year, in which an upgrade can be
/// tried and planned.
pub const WITHIN: u16 = 180;

/// Where a version is in its life.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Phase {
    /// Azure's standard support ends later.
    Supported,
    /// Azure's standard support ends within the days that were asked for.
    Ending,
    /// Azure charges extra for it.
    Extended,
    /// Azure supports it no longer, for no price.
    Ended,
}

impl Phase {
    /// For tables and scripts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Supported => "Supported",
            Self::Ending => "Ending",
            Self::Extended => "Extended",
            Self::Ended => "Ended",
        }
    }
}

/// What is known of a version on a day.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Age {
    pub phase: Phase,
    pub version: Version,
    /// The newest version that the catalogue knows, if it is another one.
    pub newest: Option<u16>,
}

impl Age {
    /// The first day on which Azure charges extra; `None` where no paid support follows, as far as Azure has said.
    pub fn extra_cost_from(&self) -> Option<Date> {
        self.version.extended_until.and_then(|_| self.version.until.tomorrow().ok())
    }
}

/// `None` for a version that the catalogue doesn't know. `within` are days, as for [`Phase::Ending`].
pub fn age(major: u16, catalogue: &Catalogue, today: Date, within: u16) -> Option<Age> {
    let version = catalogue.version(major)?;
    let soon = today.checked_add(i64::from(within).days()).unwrap_or(Date::MAX);
    let phase = match version.support(today) {
        Support::Standard if version.until <= soon => Phase::Ending,
        Support::Standard => Phase::Supported,
        Support::Extended => Phase::Extended,
        Support::Ended => Phase::Ended,
    };
    let newest = catalogue.versions().iter().map(|version| version.major).max();
    Some(Age { phase, version, newest: newest.filter(|newest| *newest != major) })
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::long_before(14, date(2025, 12, 1), 180, Phase::Supported)]
    #[case::the_day_before_it_is_soon(14, date(2026, 6, 13), 180, Phase::Supported)]
    #[case::soon(14, date(2026, 6, 14), 180, Phase::Ending)]
    #[case::the_last_day(14, date(2026, 12, 11), 0, Phase::Ending)]
    #[case::paid(14, date(2026, 12, 12), 180, Phase::Extended)]
    #[case::over(11, date(2026, 11, 9), 180, Phase::Ended)]
    #[case::the_newest(18, date(2026, 11, 28), 180, Phase::Supported)]
    #[case::days_without_end(18, date(9999, 12, 31), u16::MAX, Phase::Extended)]
    fn a_version_grows_old(
        #[case] major: u16,
        #[case] today: Date,
        #[case] within: u16,
        #[case] expected: Phase,
    ) {
        let age = age(major, Catalogue::known(), today, within).unwrap();
        assert_eq!(age.phase, expected);
        assert_eq!(age.newest, (major != 18).then_some(18));
    }

    #[test]
    fn it_costs_extra_from_the_day_after_standard_support_where_azure_has_said_so() {
        let age = |major| age(major, Catalogue::known(), date(2026, 11, 28), 180);
        assert_eq!(age(14).unwrap().extra_cost_from(), Some(date(2026, 12, 12)));
        assert_eq!(age(17).unwrap().extra_cost_from(), None);
        assert_eq!(age(9), None);
    }
}
