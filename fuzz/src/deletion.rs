//! Annotations of a `Database` that is deleted: nothing but the whole word lets data go.

use jiff::civil::{Date, date};
use policy::{
    Problem,
    deleting::Destroy,
    deleting::{Deletion, Retention, RetentionRules, judge, judge_change},
};

use super::{line, menu::Menu};

pub fn hold(data: &[u8]) {
    let mut menu = Menu::new(data);
    let (retention, later) = (menu.retention(), menu.retention());
    let (confirmation, confirmed_later) = (menu.confirmation(), menu.confirmation());
    let rules = RetentionRules {
        when_missing: menu.one(&[None, Some(Retention::Retain), Some(Retention::Days(14))]),
        destroy: menu.one(&[Destroy::Deny, Destroy::Allow]),
        minimum_days: menu.one(&[0, 7, 3650]),
    };
    for value in [&retention, &later, &confirmation].into_iter().flatten() {
        parsed_to_the_letter(value);
    }
    let deletion = Deletion {
        namespace: &menu.text(&["orders"]),
        name: &menu.text(&["main"]),
        retention: retention.as_deref(),
        confirmation: confirmation.as_deref(),
        today: menu.one(&[date(2026, 11, 22), date(9999, 12, 31), date(-9999, 1, 1)]),
    };
    for rules in [None, Some(&rules)] {
        match judge(&deletion, rules) {
            Ok(fate) => {
                let when_missing = rules.and_then(|rules| rules.when_missing);
                let said = deletion.retention.map_or(when_missing, Retention::parse);
                assert_eq!(Some(fate), said, "{deletion:?}");
                if fate == Retention::Destroy {
                    assert!(rules.is_some_and(|rules| rules.destroy == Destroy::Allow), "{deletion:?}");
                    let confirmed = deletion.confirmation.and_then(|text| text.strip_prefix("orders/main@"));
                    let last = confirmed.and_then(|day| day.parse::<Date>().ok());
                    let days = last.and_then(|last| Some(deletion.today.until(last).ok()?.get_days()));
                    assert!(days.is_some_and(|days| (0..=7).contains(&days)), "{deletion:?}");
                }
                if let (Retention::Days(days), Some(rules), Some(_)) = (fate, rules, deletion.retention) {
                    assert!(days >= rules.minimum_days, "{deletion:?}");
                }
            }
            Err(problems) => {
                assert!(!problems.is_empty());
                problems.iter().for_each(is_readable);
            }
        }
    }
    let (old, new) = (retention.as_deref(), later.as_deref());
    match judge_change((old, confirmation.as_deref()), (new, confirmed_later.as_deref())) {
        Ok(()) => {
            assert!(new == old || new.is_none_or(|new| Retention::parse(new).is_some()));
            assert!(new != Some("Destroy") || old == new, "from {old:?} to {new:?}");
            assert!(confirmed_later.is_none() || confirmed_later == confirmation);
            if let (Some(Retention::Days(before)), Some(Retention::Days(after))) =
                (old.and_then(Retention::parse), new.and_then(Retention::parse))
            {
                assert!(after >= before, "from {before} days to {after}");
            }
        }
        Err(problem) => is_readable(&problem),
    }
}

fn parsed_to_the_letter(value: &str) {
    match Retention::parse(value) {
        Some(Retention::Retain) => assert_eq!(value, "Retain"),
        Some(Retention::Destroy) => assert_eq!(value, "Destroy"),
        Some(Retention::Days(days)) => {
            assert_eq!(value, format!("{days}d"));
            assert!((1..=3650).contains(&days));
        }
        None => assert!(!["Retain", "Destroy", "14d"].contains(&value)),
    }
}

fn is_readable(problem: &Problem) {
    assert!(problem.text.starts_with(&problem.field), "{problem:?}");
    line::is_plain(&problem.text);
}
