//! Major versions of the database.
//! <https://learn.microsoft.com/azure/postgresql/configure-maintain/concepts-major-version-upgrade>
//!
//! The page names no other change that can't go together with an upgrade, so none is refused here.

use super::restore;
use crate::azure::{
    arm::{errors::ArmError, server::Server},
    catalogue::versions,
};

fn existing(current: Option<&Server>) -> Option<&str> {
    current.and_then(|current| current.properties.version.as_deref())
}

fn out_of_range() -> ArmError {
    ArmError::bad_request(
        "ParameterOutOfRange",
        format!(
            "The value of the 'Version' should be in: [{}]. Verify that the specified parameter value is correct.",
            versions::OFFERED.join(",")
        ),
    )
    .target("properties.version")
}

/// The API knows 11 to 18.
pub(super) fn is_known(_: Option<&Server>, requested: &Server) -> Result<(), ArmError> {
    match requested.properties.version.as_deref() {
        Some(version) if !versions::KNOWN.contains(&version) => {
            Err(ArmError::invalid_parameter("Version").target("properties.version"))
        }
        _ => Ok(()),
    }
}

/// A retired version stays where it is, also on a server that is restored, but no other server is created with it or
/// upgraded to it.
pub(super) fn is_offered(current: Option<&Server>, requested: &Server) -> Result<(), ArmError> {
    match requested.properties.version.as_deref() {
        Some(version)
            if existing(current) != Some(version)
                && !restore::restores(requested)
                && !versions::OFFERED.contains(&version) =>
        {
            Err(out_of_range())
        }
        _ => Ok(()),
    }
}

/// An upgrade can't be undone.
pub(super) fn only_goes_up(current: Option<&Server>, requested: &Server) -> Result<(), ArmError> {
    let major = |version: &str| version.parse::<u32>().ok();
    let before = existing(current).and_then(major);
    let wanted = requested.properties.version.as_deref().and_then(major);
    match (before, wanted) {
        (Some(before), Some(wanted)) if wanted < before => Err(ArmError::invalid_parameter_because(
            "Version",
            &format!("A server can't go from version {before} down to {wanted}."),
        )
        .target("properties.version")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::{
        super::testing::{asking, code},
        *,
    };

    #[test]
    fn a_restored_server_keeps_a_retired_version() {
        let requested = asking(json!({"version": "13", "createMode": restore::MODE}));
        assert_eq!(is_offered(None, &requested), Ok(()));
    }

    #[rstest]
    #[case::new(None, "18", None)]
    #[case::unknown(None, "19", Some("InvalidParameterValue"))]
    #[case::no_number(None, "latest", Some("InvalidParameterValue"))]
    #[case::retired(None, "14", Some("ParameterOutOfRange"))]
    #[case::long_retired(None, "11", Some("ParameterOutOfRange"))]
    #[case::retired_and_there(Some("13"), "13", None)]
    #[case::upgrade(Some("15"), "17", None)]
    #[case::upgrade_to_retired(Some("13"), "14", Some("ParameterOutOfRange"))]
    #[case::downgrade(Some("17"), "16", Some("InvalidParameterValue"))]
    fn versions_go_up(#[case] current: Option<&str>, #[case] wanted: &str, #[case] expected: Option<&str>) {
        let current = current.map(|version| asking(json!({"version": version})));
        let requested = asking(json!({"version": wanted}));
        let rules = [is_known, is_offered, only_goes_up];
        let result = rules.iter().try_for_each(|rule| rule(current.as_ref(), &requested));
        assert_eq!(code(result).as_deref(), expected);
    }
}
