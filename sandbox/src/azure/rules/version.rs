//! Major versions of the database.
//! <https://learn.microsoft.com/azure/postgresql/configure-maintain/concepts-major-version-upgrade>
//!
//! The page names no other change that can't go together with an upgrade, so none is refused here.

use super::compute;
use crate::azure::{
    arm::{errors::ArmError, server::Server},
    catalogue::versions,
};

fn existing(current: Option<&Server>) -> Option<&str> {
    current.and_then(|current| current.properties.version.as_deref())
}

/// A version that the API offers; for another than the server has, one that it can be upgraded to.
pub(super) fn is_offered(current: Option<&Server>, requested: &Server) -> Result<(), ArmError> {
    let Some(wanted) = requested.properties.version.as_deref() else { return Ok(()) };
    if existing(current) == Some(wanted) || versions::offered().any(|offered| offered == wanted) {
        return Ok(());
    }
    let refused = match existing(current) {
        Some(before) => compute::out_of_range("Version", versions::upgrades(before)),
        None => compute::out_of_range("Version", versions::offered()),
    };
    Err(refused.target("properties.version"))
}

/// Whether an existing server is asked to go to a later version.
pub(in crate::azure) fn is_upgrade(current: Option<&Server>, requested: &Server) -> bool {
    let wanted = requested.properties.version.as_deref();
    existing(current).is_some_and(|before| versions::upgrades(before).any(|later| Some(later) == wanted))
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

    #[rstest]
    #[case::new(None, "18", None)]
    #[case::unknown(None, "19", Some("ParameterOutOfRange"))]
    #[case::no_number(None, "latest", Some("ParameterOutOfRange"))]
    #[case::unknown_later(Some("18"), "19", Some("ParameterOutOfRange"))]
    #[case::old(None, "11", None)]
    #[case::retired_and_there(Some("13"), "13", None)]
    #[case::upgrade(Some("15"), "17", None)]
    #[case::upgrade_by_one(Some("13"), "14", None)]
    #[case::downgrade(Some("17"), "16", Some("InvalidParameterValue"))]
    fn versions_go_up(#[case] current: Option<&str>, #[case] wanted: &str, #[case] expected: Option<&str>) {
        let current = current.map(|version| asking(json!({"version": version})));
        let requested = asking(json!({"version": wanted}));
        let rules = [is_offered, only_goes_up];
        let result = rules.iter().try_for_each(|rule| rule(current.as_ref(), &requested));
        assert_eq!(code(result).as_deref(), expected);
    }

    #[test]
    fn a_refusal_lists_what_there_is_in_azures_words() {
        let message = |current: Option<&str>| {
            let current = current.map(|version| asking(json!({"version": version})));
            is_offered(current.as_ref(), &asking(json!({"version": "19"})))
                .expect_err("no such version")
                .message
        };
        assert_eq!(
            message(None),
            "The value of the 'Version' should be in: [11,12,13,14,15,16,17,18]. Verify that the specified parameter \
             value is correct."
        );
        assert!(message(Some("16")).contains("should be in: [17,18]."));
    }

    #[rstest]
    #[case(Some("16"), Some("17"), true)]
    #[case(Some("17"), Some("17"), false)]
    #[case(Some("17"), None, false)]
    #[case(None, Some("17"), false)]
    fn an_upgrade_is_told_from_other_changes(
        #[case] current: Option<&str>,
        #[case] wanted: Option<&str>,
        #[case] upgrade: bool,
    ) {
        let current = current.map(|version| asking(json!({"version": version})));
        assert_eq!(is_upgrade(current.as_ref(), &asking(json!({"version": wanted}))), upgrade);
    }
}
