//! What there is of the server to look at: until when its version is supported, from when on it can be restored, and where it
//! stands in Azure.

use api::{DatabaseStatus, reason::Reason};
use jiff::{RoundMode, Timestamp, TimestampRound, Unit, tz::TimeZone};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use policy::{
    catalogue::Catalogue,
    outdated::{self, Age, Phase},
};

use crate::controller::engine::conditions::{UP_TO_DATE, Writer};

/// Azure's portal opens each resource by its id.
const PORTAL: &str = "https://portal.azure.com/#resource";

/// Whether Azure supports the version for long enough. Of one that nobody knows, nothing is said.
pub(super) fn up_to_date(
    writer: &Writer<'_>,
    version: Option<&str>,
    catalogue: &Catalogue,
) -> Option<Condition> {
    let today = writer.now.to_zoned(TimeZone::UTC).date();
    let age = outdated::age(version?.parse().ok()?, catalogue, today, outdated::WITHIN)?;
    let (status, reason) = match age.phase {
        Phase::Supported => ("True", Reason::Current),
        Phase::Ending => ("False", Reason::VersionEnding),
        Phase::Extended => ("False", Reason::VersionExtended),
        Phase::Ended => ("False", Reason::VersionEnded),
    };
    Some(writer.condition(UP_TO_DATE, status, reason.as_str(), told(&age)))
}

/// Says nothing that another day alone changes.
fn told(age: &Age) -> String {
    let (major, until) = (age.version.major, age.version.until);
    let extended_until = age.version.extended_until.unwrap_or(until);
    let newest = age.newest.map(|newest| format!("; the newest is {newest}")).unwrap_or_default();
    match (age.phase, age.extra_cost_from()) {
        (Phase::Supported, _) => format!("Azure supports PostgreSQL {major} until {until}"),
        (Phase::Ending, None) => {
            format!(
                "Azure's support of PostgreSQL {major} ends on {until}: write a newer spec.version before{newest}"
            )
        }
        (Phase::Ending, Some(from)) => format!(
            "Azure's standard support of PostgreSQL {major} ends on {until}, and from {from} on the server costs extra: write a \
             newer spec.version before{newest}"
        ),
        (Phase::Extended, None) => {
            format!(
                "Azure's support of PostgreSQL {major} ended on {until}: write a newer spec.version{newest}"
            )
        }
        (Phase::Extended, Some(from)) => format!(
            "The server costs extra since {from}, because Azure's standard support of PostgreSQL {major} ended on {until}; the paid \
             one ends on {extended_until}: write a newer spec.version{newest}"
        ),
        (Phase::Ended, _) => {
            format!(
                "Azure's support of PostgreSQL {major} ended on {extended_until}: write a newer spec.version{newest}"
            )
        }
    }
}

/// Where it stands in Azure, and from when on it can be restored.
pub(super) fn tell_of_server(status: &mut DatabaseStatus, earliest_restore: Option<Timestamp>) {
    let id = status.server.as_ref().and_then(|server| server.id.clone());
    status.portal_url = id.as_ref().map(|id| format!("{PORTAL}{id}"));
    status.resource_id = id;
    // An answer of Azure's that lacks it takes nothing back.
    if let Some(time) = earliest_restore.and_then(full_hour) {
        status.backups.get_or_insert_default().earliest_restore_time = Some(Time(time));
    }
}

/// The first full hour that isn't before it.
fn full_hour(time: Timestamp) -> Option<Timestamp> {
    time.round(TimestampRound::new().smallest(Unit::Hour).mode(RoundMode::Ceil)).ok()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::supported("17", "2026-11-22T12:00:00Z", ("True", "Current"), "Azure supports PostgreSQL 17 until 2029-11-08")]
    #[case::ending("14", "2026-11-22T12:00:00Z", ("False", "VersionEnding"), "Azure's standard support of PostgreSQL 14 ends on 2026-12-11, and from 2026-12-12 on the server costs extra: write a newer spec.version before; the newest is 18")]
    #[case::the_last_second("14", "2026-12-11T23:59:59Z", ("False", "VersionEnding"), "Azure's standard support of PostgreSQL 14 ends on 2026-12-11, and from 2026-12-12 on the server costs extra: write a newer spec.version before; the newest is 18")]
    #[case::paid("14", "2026-12-12T00:00:00Z", ("False", "VersionExtended"), "The server costs extra since 2026-12-12, because Azure's standard support of PostgreSQL 14 ended on 2026-12-11; the paid one ends on 2029-11-11: write a newer spec.version; the newest is 18")]
    #[case::ended("11", "2026-11-22T12:00:00Z", ("False", "VersionEnded"), "Azure's support of PostgreSQL 11 ended on 2026-11-08: write a newer spec.version; the newest is 18")]
    #[case::no_price_is_known("18", "2030-06-01T00:00:00Z", ("False", "VersionEnding"), "Azure's support of PostgreSQL 18 ends on 2030-11-14: write a newer spec.version before")]
    #[case::past_it("17", "2030-06-01T00:00:00Z", ("False", "VersionExtended"), "Azure's support of PostgreSQL 17 ended on 2029-11-08: write a newer spec.version; the newest is 18")]
    fn a_version_is_told_of_by_its_age(
        #[case] version: &str,
        #[case] now: &str,
        #[case] expected: (&str, &str),
        #[case] message: &str,
    ) {
        let writer = Writer { old: &[], generation: Some(1), now: now.parse().unwrap() };
        let condition = up_to_date(&writer, Some(version), Catalogue::known()).unwrap();
        assert_eq!((&*condition.status, &*condition.reason), expected);
        assert_eq!(condition.message, message);
    }

    #[rstest]
    #[case::no_server(None)]
    #[case::unknown(Some("99"))]
    #[case::nonsense(Some("seventeen"))]
    fn of_a_version_that_nobody_knows_nothing_is_said(#[case] version: Option<&str>) {
        let now = date(2026, 11, 22).to_zoned(TimeZone::UTC).unwrap().timestamp();
        let writer = Writer { old: &[], generation: Some(1), now };
        assert_eq!(up_to_date(&writer, version, Catalogue::known()), None);
    }

    #[rstest]
    #[case("2026-11-22T12:00:00Z", "2026-11-22T12:00:00Z")]
    #[case("2026-11-22T12:00:00.000000001Z", "2026-11-22T13:00:00Z")]
    #[case("2026-11-22T23:59:59Z", "2026-11-23T00:00:00Z")]
    fn nobody_is_promised_a_moment_that_azure_can_not_restore(#[case] azures: &str, #[case] told: &str) {
        let mut status = DatabaseStatus::default();
        tell_of_server(&mut status, Some(azures.parse().unwrap()));
        // A later answer without it takes nothing back.
        tell_of_server(&mut status, None);
        let time = status.backups.unwrap().earliest_restore_time.unwrap();
        assert_eq!(time.0, told.parse::<Timestamp>().unwrap());
        assert_eq!(full_hour(Timestamp::MAX), None);
    }
}
