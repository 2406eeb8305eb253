//! Until when Azure supports the versions that are in use.

use std::fmt;

use exposition::{Teller, Who, labels};
use jiff::{civil::Date, tz::TimeZone};
use policy::catalogue::Catalogue;
use prometheus_client::metrics::{family::Family, gauge::Gauge};

labels! {
    /// Labels of a version.
    struct VersionLabels {
        /// major version of PostgreSQL, such as `17`
        version: String,
    }
}

/// What is told of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Support {
    standard: Family<VersionLabels, Gauge>,
    extended: Family<VersionLabels, Gauge>,
}

impl Support {
    /// Of these versions, by a catalogue in which the policy may have put other dates.
    pub(super) fn of(majors: &[u16], catalogue: &Catalogue) -> Self {
        let support = Self::default();
        for version in majors.iter().filter_map(|major| catalogue.version(*major)) {
            let labels = VersionLabels { version: version.major.to_string() };
            for (dates, day) in
                [(&support.standard, Some(version.until)), (&support.extended, version.extended_until)]
            {
                if let Some(end) = day.and_then(end_of) {
                    dates.get_or_create(&labels).set(end);
                }
            }
        }
        support
    }

    pub(super) fn tell(&self, teller: &mut Teller<'_>) -> fmt::Result {
        teller.metric(
            "version_support_ends_timestamp_seconds",
            "When Azure's standard support ends of a version that some server has. After that, the server costs extra",
            Who::OnCall,
            &self.standard,
        )?;
        teller.metric(
            "version_extended_support_ends_timestamp_seconds",
            "When Azure's paid Extended Support ends of a version that some server has, where Azure has said so",
            Who::Planner,
            &self.extended,
        )
    }
}

/// The first second after the day, in UTC.
fn end_of(day: Date) -> Option<i64> {
    let next = day.tomorrow().ok()?.to_zoned(TimeZone::UTC).ok()?;
    Some(next.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::{super::tests::told, *};

    /// A version of which nothing is known has no date: it must not look as if it had ended in 1970.
    #[test]
    fn support_ends_with_the_last_day_of_it() {
        let support = Support::of(&[14, 17, 99], Catalogue::known());
        let shown = told(move |teller| support.tell(teller));
        // date -ud 2026-12-12 +%s, and so on
        assert_eq!(
            shown,
            "version_extended_support_ends_timestamp_seconds{version=\"14\"} 1889136000\n\
             version_support_ends_timestamp_seconds{version=\"14\"} 1797033600\n\
             version_support_ends_timestamp_seconds{version=\"17\"} 1888876800"
        );
    }
}
