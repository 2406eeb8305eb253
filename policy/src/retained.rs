//! What may become of data that are kept without a `Database`.

use api::{
    DatabaseRef,
    annotations::{CONFIRM_DESTROY, RETENTION},
};
use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};

use crate::{
    Code, Problem,
    deleting::{self, Deletion, Retention, RetentionRules},
    quote::quote,
};

/// The end of what is kept, before and after a change.
#[derive(Clone, Copy, Debug)]
pub struct End {
    /// Since when it is kept.
    pub since: Timestamp,
    pub old: Option<Timestamp>,
    pub new: Option<Timestamp>,
    /// The current day in UTC.
    pub today: Date,
}

/// Whether the end may be moved so: later at any time, sooner within the days that policy demands, and never to a day on
/// which nobody could take it back any more.
///
/// `rules` are the profile's; `None` when no profile or no policy is at hand, which lets nothing end sooner.
pub fn judge_end(end: &End, rules: Option<&RetentionRules>) -> Result<(), Problem> {
    let Some(new) = end.new else { return Ok(()) };
    if end.old.is_some_and(|old| new >= old) {
        return Ok(());
    }
    let fail = |code, text: &str| Err(Problem::new(code, "spec.until", text));
    let Some(rules) = rules else {
        let text = "needs a policy that says how long data are kept, and there is none; leave it as it was, or write a \
                    later moment";
        return fail(Code::RetentionTooShort, text);
    };
    let soonest = days_after(end.since, rules.minimum_days);
    if new < soonest {
        let text = format!(
            "{new} comes before the {} days are over that data are kept here; write {soonest} or later",
            rules.minimum_days
        );
        return fail(Code::RetentionTooShort, &text);
    }
    if day_of(new) <= end.today {
        let tomorrow = end.today.tomorrow().unwrap_or(end.today);
        let text = format!(
            "{new} is not after today, and a slip could not be taken back; write {tomorrow}T00:00:00Z or later, or, to end \
             the data now, annotate {RETENTION}: Destroy and {CONFIRM_DESTROY}"
        );
        return fail(Code::EndTooNear, &text);
    }
    Ok(())
}

/// Whether the annotations of a record may be changed so. What ends the data is judged as at a delete.
pub fn judge_annotations(
    old: (Option<&str>, Option<&str>),
    new: &Deletion<'_>,
    rules: Option<&RetentionRules>,
) -> Result<(), Vec<Problem>> {
    let is_same = old == (new.retention, new.confirmation);
    if is_same || new.retention.is_none() || new.retention == Some("Retain") {
        return Ok(());
    }
    match deleting::judge(new, rules) {
        Ok(Retention::Days(_)) => {
            let text =
                "says nothing on a RetainedDatabase; write spec.until, which is when the server is destroyed";
            let field = format!("metadata.annotations[{RETENTION}]");
            Err(vec![Problem::new(Code::RetentionUnknown, &field, text)])
        }
        Ok(_) => Ok(()),
        Err(problems) => Err(problems),
    }
}

/// A record as far as it says whose data it is, and since when.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Identity<'a> {
    /// `<namespace>/<name>` of the `Database` that gets the data back.
    pub database: &'a str,
    /// The one that had them before it.
    pub formerly: Option<&'a str>,
    pub namespace_uid: Option<&'a str>,
    pub server: &'a str,
    pub since: Timestamp,
}

/// Whether a record can be created: by the operator, by hand, or from a backup of another day. All that a new record does is
/// say that something is retained; nothing is destroyed, and nothing gets another owner, because it is there.
pub fn judge_new(
    name: &str,
    record: &Identity<'_>,
    retention: Option<&str>,
    today: Date,
) -> Result<(), Vec<Problem>> {
    let mut problems = Vec::new();
    let mut refuse = |field: &str, text: String| problems.push(Problem::new(Code::RecordFixed, field, &text));
    if name != record.server {
        refuse(
            "metadata.name",
            format!("{} is not that of the server; write {}", quote(name), quote(record.server)),
        );
    }
    if DatabaseRef::parse(record.database).is_none() {
        let text = format!(
            "{} is not a database; write <namespace>/<name>, such as orders/main",
            quote(record.database)
        );
        refuse("spec.database", text);
    }
    if record.formerly.is_some() {
        refuse("spec.formerly", "is written by the operator alone; take it out".to_owned());
    }
    if day_of(record.since) > today {
        refuse(
            "spec.since",
            format!("{} lies in the future; write since when the Database is gone", record.since),
        );
    }
    if retention == Some("Destroy") {
        let text = "is \"Destroy\" on a new record, and may be meant for an older one; take it out, and write it when the record is \
                    there";
        refuse(&format!("metadata.annotations[{RETENTION}]"), text.to_owned());
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// Whether a record stays about the same data. It can be given to another database, which is judged on its own.
pub fn judge_identity(old: &Identity<'_>, new: &Identity<'_>) -> Result<(), Problem> {
    let is_given = new.database != old.database && new.formerly == Some(old.database);
    let expected =
        if is_given { Identity { database: new.database, formerly: new.formerly, ..*old } } else { *old };
    if *new == expected {
        return Ok(());
    }
    let text = "say whose data it is, and since when, and stay as they are; write them back";
    let fields = "spec.database, spec.formerly, spec.namespaceUid, spec.server.name and spec.since";
    Err(Problem::new(Code::RecordFixed, fields, text))
}

/// Why a record can't be deleted: the operator would create it again, and who deletes it believes that something happened.
pub fn judge_delete(database: &str) -> Problem {
    let text = format!(
        "is the record of retained data; the operator deletes it when the data are destroyed or have come back. To bring them \
         back, apply the manifest of Database {database} again; to destroy them, write spec.until, or annotate {RETENTION}: Destroy and \
         {CONFIRM_DESTROY}: {database}@<day>"
    );
    Problem::new(Code::RecordHoldsData, "metadata.name", &text)
}

/// So many days of 24 hours later, or as late as there is.
pub fn days_after(since: Timestamp, days: u16) -> Timestamp {
    since.checked_add((i64::from(days) * 24).hours()).unwrap_or(Timestamp::MAX)
}

fn day_of(time: Timestamp) -> Date {
    time.to_zoned(TimeZone::UTC).date()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use rstest::{Context, rstest};

    use super::*;
    use crate::{Denial, deleting::Destroy};

    const RULES: RetentionRules =
        RetentionRules { when_missing: None, destroy: Destroy::Allow, minimum_days: 7 };
    const SHUT: RetentionRules = RetentionRules { destroy: Destroy::Deny, ..RULES };

    fn at(day: i8) -> Timestamp {
        date(2026, 11, day).at(12, 0, 0, 0).to_zoned(TimeZone::UTC).unwrap().timestamp()
    }

    #[rstest]
    #[case::unchanged(Some(20), Some(20), Some(RULES), None)]
    #[case::later(Some(20), Some(28), Some(RULES), None)]
    #[case::later_without_a_policy(Some(20), Some(28), None, None)]
    #[case::for_ever(Some(20), None, None, None)]
    #[case::sooner(Some(28), Some(23), Some(RULES), None)]
    #[case::an_end_at_last(None, Some(23), Some(RULES), None)]
    #[case::before_the_days_are_over(Some(28), Some(7), Some(RULES), Some(Code::RetentionTooShort))]
    #[case::sooner_without_a_policy(Some(28), Some(23), None, Some(Code::RetentionTooShort))]
    #[case::today(Some(28), Some(22), Some(RULES), Some(Code::EndTooNear))]
    #[case::in_the_past(Some(28), Some(15), Some(RULES), Some(Code::EndTooNear))]
    fn an_end_can_be_put_off_and_brought_forward_within_reason(
        #[case] old: Option<i8>,
        #[case] new: Option<i8>,
        #[case] rules: Option<RetentionRules>,
        #[case] code: Option<Code>,
    ) {
        let end = End { since: at(1), old: old.map(at), new: new.map(at), today: date(2026, 11, 22) };
        assert_eq!(judge_end(&end, rules.as_ref()).err().map(|problem| problem.code), code);
    }

    #[rstest]
    #[case::nothing((None, None), (None, None), RULES, None)]
    #[case::taken_back((Some("Destroy"), None), (Some("Retain"), None), RULES, None)]
    #[case::taken_away((Some("Destroy"), None), (None, None), RULES, None)]
    #[case::confirmed((None, None), (Some("Destroy"), Some("orders/main@2026-11-23")), RULES, None)]
    #[case::unconfirmed((None, None), (Some("Destroy"), None), RULES, Some(Code::DestroyUnconfirmed))]
    #[case::of_another((None, None), (Some("Destroy"), Some("orders/x@2026-11-23")), RULES, Some(Code::DestroyUnconfirmed))]
    #[case::yesterday((None, None), (Some("Destroy"), Some("orders/main@2026-11-21")), RULES, Some(Code::ConfirmationExpired))]
    #[case::forbidden((None, None), (Some("Destroy"), Some("orders/main@2026-11-23")), SHUT, Some(Code::DestroyForbidden))]
    #[case::days((None, None), (Some("14d"), None), RULES, Some(Code::RetentionUnknown))]
    #[case::as_it_was((Some("destroy"), None), (Some("destroy"), None), RULES, None)]
    fn what_ends_the_data_is_judged_as_at_a_delete(
        #[case] old: (Option<&str>, Option<&str>),
        #[case] (retention, confirmation): (Option<&str>, Option<&str>),
        #[case] rules: RetentionRules,
        #[case] code: Option<Code>,
    ) {
        let today = date(2026, 11, 22);
        let new = Deletion { namespace: "orders", name: "main", retention, confirmation, today };
        let judged = judge_annotations(old, &new, Some(&rules));
        assert_eq!(judged.err().map(|problems| problems[0].code), code);
    }

    const IDENTITY: Identity<'_> = Identity {
        database: "orders/main",
        formerly: None,
        namespace_uid: Some("u"),
        server: "prod-1-orders-main",
        since: Timestamp::UNIX_EPOCH,
    };

    #[rstest]
    #[case::as_the_operator_writes_it("prod-1-orders-main", IDENTITY, None, None)]
    #[case::under_another_name("x", IDENTITY, None, Some("metadata.name"))]
    #[case::no_database("prod-1-orders-main", Identity { database: "main", ..IDENTITY }, None, Some("spec.database"))]
    #[case::of_another("prod-1-orders-main", Identity { formerly: Some("theirs/main"), ..IDENTITY }, None, Some("spec.formerly"))]
    #[case::tomorrow("prod-1-orders-main", Identity { since: at(23), ..IDENTITY }, None, Some("spec.since"))]
    #[case::that_destroys(
        "prod-1-orders-main",
        IDENTITY,
        Some("Destroy"),
        Some("metadata.annotations[altinn.app/retention]")
    )]
    #[case::that_retains("prod-1-orders-main", IDENTITY, Some("Retain"), None)]
    fn a_new_record_tells_and_asks_for_nothing(
        #[case] name: &str,
        #[case] record: Identity<'_>,
        #[case] retention: Option<&str>,
        #[case] field: Option<&str>,
    ) {
        let judged = judge_new(name, &record, retention, date(2026, 11, 22));
        let fields: Vec<_> =
            judged.err().unwrap_or_default().into_iter().map(|problem| problem.field).collect();
        assert_eq!(fields, field.into_iter().collect::<Vec<_>>());
    }

    #[rstest]
    #[case::as_it_was(IDENTITY, true)]
    #[case::given_to_another(Identity { database: "sales/db", formerly: Some("orders/main"), ..IDENTITY }, true)]
    #[case::taken(Identity { database: "sales/db", ..IDENTITY }, false)]
    #[case::given_and_older(Identity { database: "sales/db", formerly: Some("orders/main"), since: at(1), ..IDENTITY }, false)]
    #[case::of_another_before(Identity { formerly: Some("theirs/main"), ..IDENTITY }, false)]
    #[case::older(Identity { since: at(1), ..IDENTITY }, false)]
    #[case::another_server(Identity { server: "x", ..IDENTITY }, false)]
    #[case::another_namespace(Identity { namespace_uid: Some("v"), ..IDENTITY }, false)]
    #[case::no_namespace(Identity { namespace_uid: None, ..IDENTITY }, false)]
    fn whose_data_it_is_stays(#[case] new: Identity<'_>, #[case] is_fine: bool) {
        assert_eq!(judge_identity(&IDENTITY, &new).is_ok(), is_fine);
    }

    #[rstest]
    #[case::deleted(None, judge_delete("orders/main"))]
    #[case::fixed(None, judge_identity(&IDENTITY, &Identity { since: at(1), ..IDENTITY }).unwrap_err())]
    #[case::destroys_at_once(None, judge_new("prod-1-orders-main", &IDENTITY, Some("Destroy"), date(2026, 11, 22)).unwrap_err().remove(0))]
    #[case::under_another_name(None, judge_new("x", &IDENTITY, None, date(2026, 11, 22)).unwrap_err().remove(0))]
    #[case::too_few_days(Some(3), Problem::new(Code::RetentionTooShort, "", ""))]
    #[case::today(Some(22), Problem::new(Code::EndTooNear, "", ""))]
    fn the_refusal_says_what_to_write(
        #[context] context: Context,
        #[case] until: Option<i8>,
        #[case] expected: Problem,
    ) {
        let end = End { since: at(1), old: None, new: until.map(at), today: date(2026, 11, 22) };
        let problem = judge_end(&end, Some(&RULES)).err().unwrap_or_else(|| expected.clone());
        assert_eq!(problem.code, expected.code);
        let denial = Denial { problems: vec![problem], policy: "database-policy".to_owned(), profile: None };
        insta::assert_snapshot!(context.description.unwrap(), denial.message());
    }
}
