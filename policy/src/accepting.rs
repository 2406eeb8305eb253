//! `altinn.app/accept-empty`: an app team says that an empty server will do where there was one with data.

use std::collections::BTreeMap;

use api::annotations::ACCEPT_EMPTY;
use jiff::{ToSpan, civil::Date};

use crate::{day, quote::quote, warning::cut};

/// How far ahead the last day may lie: one that is forgotten must not wait for years.
const AHEAD: i32 = 7;

/// Whether the annotations accept that this server is created again, empty, on this day (UTC).
pub fn accepts(annotations: &BTreeMap<String, String>, server: &str, today: Date) -> bool {
    annotations.get(ACCEPT_EMPTY).is_some_and(|value| judge(value, today).is_ok_and(|named| named == server))
}

/// The server that the value names; else why it doesn't count.
fn judge(value: &str, today: Date) -> Result<&str, &'static str> {
    let Some((server, last)) =
        value.split_once('@').and_then(|(server, last)| Some((server, day::parse(last)?)))
    else {
        return Err("is not <server>@<last day>");
    };
    if last < today {
        return Err("is over");
    }
    if last > today.saturating_add(AHEAD.days()) {
        return Err("is more than 7 days ahead");
    }
    Ok(server)
}

/// What a person should know of a value that doesn't count.
pub fn on_apply(value: Option<&str>, today: Date) -> Vec<String> {
    let why = value.and_then(|value| Some((cut(&quote(value), 30), judge(value, today).err()?)));
    why.map(|(value, why)| format!("{ACCEPT_EMPTY}: {value} {why}, and doesn't count")).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::today("srv-1@2026-11-28", true)]
    #[case::a_week_ahead("srv-1@2026-12-05", true)]
    #[case::yesterday("srv-1@2026-11-27", false)]
    #[case::too_far_ahead("srv-1@2026-12-06", false)]
    #[case::another_server("srv-2@2026-11-28", false)]
    #[case::no_day("srv-1", false)]
    #[case::a_time("srv-1@2026-11-28T12:00", false)]
    #[case::nothing("", false)]
    fn an_empty_server_is_accepted_by_its_name_and_for_days(#[case] value: &str, #[case] expected: bool) {
        let annotations = [(ACCEPT_EMPTY.to_owned(), value.to_owned())].into();
        let today = date(2026, 11, 28);
        assert_eq!(accepts(&annotations, "srv-1", today), expected);
        assert!(!accepts(&BTreeMap::new(), "srv-1", today));
        let is_of_another = value.starts_with("srv-2");
        assert_eq!(on_apply(Some(value), today).is_empty(), expected || is_of_another, "{value}");
    }

    #[test]
    fn a_value_that_does_not_count_is_told_in_one_short_line() {
        let shown = on_apply(Some(&"x".repeat(300)), date(2026, 11, 28));
        insta::assert_snapshot!(shown[0], @r#"altinn.app/accept-empty: "xxxxxxxxxxxxxxxxxxxxxxxxxxxx… is not <server>@<last day>, and doesn't count"#);
        assert!(shown[0].chars().count() <= crate::warning::LONGEST_WARNING);
    }
}
