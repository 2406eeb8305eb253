//! The annotation that has everything in Azure left alone for a while.

use api::annotations::PAUSED;
use jiff::{ToSpan, civil::Date};

use crate::{
    day,
    quote::{clean, quote},
    warning::{LONGEST_WARNING, cut},
};

/// As many days ahead may its end be: what is forgotten must not be left alone for ever.
const DAYS: i32 = 31;

/// Why and how long everything in Azure is left alone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pause {
    /// As its author wrote it, on one line.
    pub why: String,
    /// The last day, in UTC.
    pub until: Date,
}

/// Why it doesn't count.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Ignored {
    /// Its last day is over: it has done its work.
    Over,
    /// What is wrong with it, and what to write.
    Wrong(String),
}

/// What the annotation comes to on this day.
pub fn judge(value: &str, today: Date) -> Result<Pause, Ignored> {
    let example = today.saturating_add(7.days());
    let write = format!("write <why>@<day>, e.g. \"new network@{example}\"");
    let shown = cut(&quote(value), 24);
    let Some((why, day)) = value.rsplit_once('@').map(|(why, day)| (why.trim(), day.trim())) else {
        return Err(Ignored::Wrong(format!("{shown} names no last day; {write}")));
    };
    let Some(until) = day::parse(day) else {
        return Err(Ignored::Wrong(format!("{shown} ends with no day; {write}")));
    };
    if why.is_empty() {
        return Err(Ignored::Wrong(format!("{shown} does not say why; {write}")));
    }
    if until < today {
        return Err(Ignored::Over);
    }
    let latest = today.saturating_add(DAYS.days());
    if until > latest {
        return Err(Ignored::Wrong(format!("{until} is too far ahead; write {latest} or sooner")));
    }
    Ok(Pause { why: clean(why), until })
}

/// What a person should know who applies it.
pub fn on_apply(value: Option<&str>, today: Date) -> Vec<String> {
    let Some(value) = value else { return Vec::new() };
    let text = match judge(value, today) {
        Ok(pause) => format!("until {} nothing in Azure is changed", pause.until),
        Err(Ignored::Over) => "its last day is over, so it does nothing; take it off".to_owned(),
        Err(Ignored::Wrong(text)) => format!("does nothing: {text}"),
    };
    vec![cut(&format!("{PAUSED}: {text}"), LONGEST_WARNING)]
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use rstest::rstest;

    use super::*;

    const TODAY: Date = date(2026, 11, 28);

    #[rstest]
    #[case("moving@2026-12-01", "moving", date(2026, 12, 1))]
    #[case("today alone @ 2026-11-28", "today alone", TODAY)]
    #[case("ask me@example.org@2026-12-29", "ask me@example.org", date(2026, 12, 29))]
    #[case("two\nlines@2026-12-01", "two\\nlines", date(2026, 12, 1))]
    fn it_says_why_and_until_when(#[case] value: &str, #[case] why: &str, #[case] until: Date) {
        assert_eq!(judge(value, TODAY), Ok(Pause { why: why.to_owned(), until }));
    }

    #[rstest]
    #[case("", "\"\" names no last day; write <why>@<day>, e.g. \"new network@2026-12-05\"")]
    #[case("true", "\"true\" names no last day; write <why>@<day>, e.g. \"new network@2026-12-05\"")]
    #[case(
        "why@tomorrow",
        "\"why@tomorrow\" ends with no day; write <why>@<day>, e.g. \"new network@2026-12-05\""
    )]
    #[case(
        "@2026-12-01",
        "\"@2026-12-01\" does not say why; write <why>@<day>, e.g. \"new network@2026-12-05\""
    )]
    #[case("why@2026-12-30", "2026-12-30 is too far ahead; write 2026-12-29 or sooner")]
    #[case("why@9999-12-31", "9999-12-31 is too far ahead; write 2026-12-29 or sooner")]
    fn what_is_wrong_does_nothing_and_says_what_to_write(#[case] value: &str, #[case] says: &str) {
        assert_eq!(judge(value, TODAY), Err(Ignored::Wrong(says.to_owned())));
        let warnings = on_apply(Some(value), TODAY);
        assert!(
            warnings[0].chars().count() <= LONGEST_WARNING && warnings[0].starts_with(PAUSED),
            "{warnings:?}"
        );
    }

    #[test]
    fn its_last_day_ends_it() {
        assert_eq!(judge("why@2026-11-27", TODAY), Err(Ignored::Over));
    }

    #[test]
    fn who_applies_it_is_told_what_it_does() {
        assert_eq!(on_apply(None, TODAY), Vec::<String>::new());
        assert_eq!(
            on_apply(Some("why@2026-12-01"), TODAY),
            ["altinn.app/paused: until 2026-12-01 nothing in Azure is changed"]
        );
        assert_eq!(
            on_apply(Some("true"), TODAY),
            [
                "altinn.app/paused: does nothing: \"true\" names no last day; write <why>@<day>, e.g. \"new network@2026-12-05\""
            ]
        );
    }
}
