//! The maintenance window.

use crate::azure::arm::{errors::ArmError, server::Server};

/// A day of the week from 0 (Sunday) to 6, an hour and a minute.
/// <https://learn.microsoft.com/rest/api/postgresql/servers/create-or-update#maintenancewindow>
pub(super) fn window_in_range(_: Option<&Server>, requested: &Server) -> Result<(), ArmError> {
    let window = &requested.properties.maintenance_window;
    let in_range =
        |value: Option<i64>, highest: i64| value.is_none_or(|value| (0..=highest).contains(&value));
    let known = window.custom_window.as_deref().is_none_or(|custom| {
        custom.eq_ignore_ascii_case("Enabled") || custom.eq_ignore_ascii_case("Disabled")
    });
    for (fits, parameter) in [
        (known, "CustomWindow"),
        (in_range(window.day_of_week, 6), "DayOfWeek"),
        (in_range(window.start_hour, 23), "StartHour"),
        (in_range(window.start_minute, 59), "StartMinute"),
    ] {
        if !fits {
            return Err(ArmError::invalid_parameter(parameter).target("properties.maintenanceWindow"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::{super::testing::asking, *};

    #[rstest]
    #[case(json!({"customWindow": "enabled", "dayOfWeek": 6, "startHour": 23, "startMinute": 59}), true)]
    #[case(json!({"dayOfWeek": 7}), false)]
    #[case(json!({"startHour": 24}), false)]
    #[case(json!({"startMinute": -1}), false)]
    #[case(json!({"customWindow": "Always"}), false)]
    fn a_window_has_a_day_and_a_time(#[case] window: Value, #[case] allowed: bool) {
        let requested = asking(json!({"maintenanceWindow": window}));
        assert_eq!(window_in_range(None, &requested).is_ok(), allowed);
    }
}
