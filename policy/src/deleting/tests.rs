use jiff::civil::date;
use rstest::{Context, rstest};

use super::*;
use crate::Denial;

const OPEN: RetentionRules = RetentionRules { when_missing: None, destroy: Destroy::Allow, minimum_days: 7 };
const SHUT: RetentionRules = RetentionRules { destroy: Destroy::Deny, ..OPEN };
const SOON_GONE: RetentionRules = RetentionRules { when_missing: Some(Retention::Days(7)), ..OPEN };
const THROW_AWAY: RetentionRules = RetentionRules { when_missing: Some(Retention::Retain), ..OPEN };

fn ask(
    retention: Option<&str>,
    confirmation: Option<&str>,
    rules: Option<RetentionRules>,
) -> Result<Retention, Vec<Problem>> {
    let today = date(2026, 11, 22);
    let deletion = Deletion { namespace: "orders", name: "main", retention, confirmation, today };
    judge(&deletion, rules.as_ref())
}

#[rstest]
#[case("Retain", Some(Retention::Retain))]
#[case("Destroy", Some(Retention::Destroy))]
#[case("14d", Some(Retention::Days(14)))]
#[case("1d", Some(Retention::Days(1)))]
#[case("3650d", Some(Retention::Days(3650)))]
#[case("3651d", None)]
#[case("99999999999d", None)]
#[case("0d", None)]
#[case("014d", None)]
#[case("+14d", None)]
#[case("-1d", None)]
#[case("d", None)]
#[case("14", None)]
#[case("14D", None)]
#[case("14 d", None)]
#[case("retain", None)]
#[case("Retain ", None)]
#[case("DESTROY", None)]
#[case("", None)]
fn a_value_counts_to_the_letter(#[case] value: &str, #[case] expected: Option<Retention>) {
    assert_eq!(Retention::parse(value), expected);
}

#[rstest]
#[case::kept(Some("Retain"), Some(OPEN), Ok(Retention::Retain))]
#[case::kept_without_a_policy(Some("Retain"), None, Ok(Retention::Retain))]
#[case::missing(None, Some(OPEN), Err(Code::RetentionMissing))]
#[case::missing_without_a_policy(None, None, Err(Code::RetentionMissing))]
#[case::missing_where_that_means_retain(None, Some(THROW_AWAY), Ok(Retention::Retain))]
#[case::wrong_case(Some("retain"), Some(THROW_AWAY), Err(Code::RetentionUnknown))]
#[case::empty(Some(""), Some(THROW_AWAY), Err(Code::RetentionUnknown))]
#[case::missing_where_that_means_days(None, Some(SOON_GONE), Ok(Retention::Days(7)))]
#[case::days(Some("14d"), Some(OPEN), Ok(Retention::Days(14)))]
#[case::enough_days(Some("7d"), Some(OPEN), Ok(Retention::Days(7)))]
#[case::too_few_days(Some("6d"), Some(OPEN), Err(Code::RetentionTooShort))]
#[case::days_without_a_policy(Some("14d"), None, Err(Code::RetentionTooShort))]
#[case::destroy_forbidden(Some("Destroy"), Some(SHUT), Err(Code::DestroyForbidden))]
#[case::destroy_without_a_policy(Some("Destroy"), None, Err(Code::DestroyForbidden))]
#[case::destroy_unconfirmed(Some("Destroy"), Some(OPEN), Err(Code::DestroyUnconfirmed))]
fn a_delete_needs_a_word_on_the_data(
    #[case] annotation: Option<&str>,
    #[case] rules: Option<RetentionRules>,
    #[case] expected: Result<Retention, Code>,
) {
    let codes = ask(annotation, None, rules)
        .map_err(|problems| problems.iter().map(|problem| problem.code).collect::<Vec<_>>());
    assert_eq!(codes, expected.map_err(|code| vec![code]), "one thing at a time");
}

#[rstest]
#[case::today("orders/main@2026-11-22", None)]
#[case::last_day("orders/main@2026-11-29", None)]
#[case::eight_days_ahead("orders/main@2026-11-30", Some(Code::ConfirmationExpired))]
#[case::yesterday("orders/main@2026-11-21", Some(Code::ConfirmationExpired))]
#[case::other_name("orders/other@2026-11-22", Some(Code::DestroyUnconfirmed))]
#[case::other_namespace("payments/main@2026-11-22", Some(Code::DestroyUnconfirmed))]
#[case::no_day("orders/main", Some(Code::DestroyUnconfirmed))]
#[case::no_such_day("orders/main@2026-02-30", Some(Code::DestroyUnconfirmed))]
#[case::other_form("orders/main@22.11.2026", Some(Code::DestroyUnconfirmed))]
#[case::empty("", Some(Code::DestroyUnconfirmed))]
fn destroying_needs_a_confirmation_of_this_database_and_these_days(
    #[case] confirmation: &str,
    #[case] expected: Option<Code>,
) {
    let asked = ask(Some("Destroy"), Some(confirmation), Some(OPEN));
    let codes = asked.map_err(|problems| problems.iter().map(|problem| problem.code).collect::<Vec<_>>());
    assert_eq!(codes, expected.map_or(Ok(Retention::Destroy), |code| Err(vec![code])));
}

#[rstest]
#[case::missing(None, None, OPEN)]
#[case::unknown(Some("retain"), None, OPEN)]
#[case::forbidden(Some("Destroy"), None, SHUT)]
#[case::too_short(Some("3d"), None, OPEN)]
#[case::unconfirmed(Some("Destroy"), None, OPEN)]
#[case::malformed(Some("Destroy"), Some("yes"), OPEN)]
#[case::other(Some("Destroy"), Some("payments/main@2026-11-22"), OPEN)]
#[case::expired(Some("Destroy"), Some("orders/main@2026-11-21"), OPEN)]
#[case::far_ahead(Some("Destroy"), Some("orders/main@2027-11-21"), OPEN)]
fn the_refusal_says_what_to_write(
    #[context] context: Context,
    #[case] retention: Option<&str>,
    #[case] confirmation: Option<&str>,
    #[case] rules: RetentionRules,
) {
    let problems = ask(retention, confirmation, Some(rules)).unwrap_err();
    let denial = Denial { problems, policy: "database-policy".to_owned(), profile: None };
    insta::assert_snapshot!(context.description.unwrap(), denial.message());
}

#[test]
fn a_name_that_sets_off_a_tool_is_not_repeated() {
    let deletion = Deletion {
        namespace: "immutable-infra",
        name: "main",
        retention: Some("Destroy"),
        confirmation: Some("orders/main@2026-11-22"),
        today: date(2026, 11, 22),
    };
    let problem = &judge(&deletion, Some(&OPEN)).unwrap_err()[0];
    assert!(!problem.text.contains("immutable"), "{}", problem.text);
}

#[rstest]
#[case::taken_back(Some("Destroy"), Some("Retain"), None)]
#[case::removed(Some("Destroy"), None, None)]
#[case::longer(Some("7d"), Some("14d"), None)]
#[case::shorter(Some("14d"), Some("7d"), Some(Code::RetentionWidened))]
#[case::ended(Some("Retain"), Some("14d"), Some(Code::RetentionWidened))]
#[case::destroyed(Some("Retain"), Some("Destroy"), Some(Code::RetentionWidened))]
#[case::at_once(Some("1d"), Some("Destroy"), Some(Code::RetentionWidened))]
#[case::from_nothing(None, Some("3650d"), Some(Code::RetentionWidened))]
#[case::said_at_last(None, Some("Retain"), None)]
#[case::unknown(Some("Destroy"), Some("keep"), Some(Code::RetentionUnknown))]
#[case::unchanged(Some("keep"), Some("keep"), None)]
fn while_it_is_deleted_the_fate_of_the_data_can_only_be_made_safer(
    #[case] old: Option<&str>,
    #[case] new: Option<&str>,
    #[case] expected: Option<Code>,
) {
    assert_eq!(judge_change((old, None), (new, None)).err().map(|problem| problem.code), expected);
}

#[rstest]
#[case::given(None, Some("orders/main@2026-11-22"), Some(Code::RetentionWidened))]
#[case::prolonged(
    Some("orders/main@2026-11-21"),
    Some("orders/main@2026-11-22"),
    Some(Code::RetentionWidened)
)]
#[case::taken_back(Some("orders/main@2026-11-22"), None, None)]
fn while_it_is_deleted_a_confirmation_can_only_be_taken_back(
    #[case] old: Option<&str>,
    #[case] new: Option<&str>,
    #[case] expected: Option<Code>,
) {
    let retention = Some("Destroy");
    let problem = judge_change((retention, old), (retention, new)).err();
    assert_eq!(problem.map(|problem| problem.code), expected);
}
