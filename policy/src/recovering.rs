//! Whether a `Database` may bring back the kept server of another one: the annotation `altinn.app/recover-from` names it,
//! and the policy must allow it, because whoever owns the new `Database` then has the data.

use api::{DatabaseRef, annotations::RECOVER_FROM};
use jiff::civil::Date;

use crate::{
    Code, Policy, Problem,
    quote::{quote, triggers_tool},
};

/// A `Database` that refers to the data of another one.
#[derive(Clone, Copy, Debug)]
pub struct RecoveryRequest<'a> {
    pub database: DatabaseRef<'a>,
    /// The annotation `altinn.app/recover-from`.
    pub from: &'a str,
    /// The current day in UTC.
    pub today: Date,
}

/// The database whose kept server it may have; else what stands in the way.
pub fn judge<'a>(request: &RecoveryRequest<'a>, policy: &Policy) -> Result<DatabaseRef<'a>, Problem> {
    let RecoveryRequest { database, from, today } = *request;
    let Some(source) = DatabaseRef::parse(from) else {
        let text = format!(
            "{} is not a database; write <namespace>/<name>, such as orders/main, or take it out",
            quote(from)
        );
        return Err(problem(Code::RecoveryImpossible, &text));
    };
    if source == database {
        let text = format!(
            "{} is this Database itself, which needs no annotation to get back what is kept of it; take it out",
            quote(from)
        );
        return Err(problem(Code::RecoveryImpossible, &text));
    }
    let granted = policy.recoveries.iter().filter(|recovery| recovery.is_about(source, database));
    let Some(last) = granted.map(|recovery| recovery.until).max() else {
        return Err(not_allowed(request, "is not allowed by the policy"));
    };
    if today > last {
        return Err(not_allowed(request, &format!("was allowed by the policy until {last} (UTC)")));
    }
    Ok(source)
}

/// Why a `Database` that has a server can't bring back another one.
pub fn has_server(from: &str) -> Problem {
    let text = format!(
        "{} can't be recovered here: this Database has a server of its own, and its data would be lost; take it out, and \
         write it on a new Database",
        quote(from)
    );
    problem(Code::RecoveryImpossible, &text)
}

fn not_allowed(request: &RecoveryRequest<'_>, why: &str) -> Problem {
    let RecoveryRequest { database, from, .. } = *request;
    let to = database.to_string();
    // A namespace may well be called something on which a tool would act.
    let entry = if triggers_tool(from) || triggers_tool(&to) {
        "{from: <namespace>/<name>, to: <namespace>/<name>, until: <last day>, reason: <why>}".to_owned()
    } else {
        format!("{{from: {from}, to: {to}, until: <last day>, reason: <why>}}")
    };
    let text = format!(
        "{} {why} for this Database; ask the platform team to write {entry} under recoveries, or, if its data are back \
         already, take the annotation out",
        quote(from)
    );
    problem(Code::RecoveryNotAllowed, &text)
}

fn problem(code: Code, text: &str) -> Problem {
    Problem::new(code, &format!("metadata.annotations[{RECOVER_FROM}]"), text)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use rstest::{Context, rstest};

    use super::*;
    use crate::Denial;

    fn policy() -> Policy {
        let recoveries = "recoveries:\n  - {from: orders/main, to: sales/main, until: 2026-11-30, reason: renamed}\n  \
                          - {from: orders/main, to: sales/main, until: 2026-11-10, reason: too late}\n  \
                          - {from: orders/old, to: orders/main, until: 2026-11-21, reason: renamed}\n";
        Policy::parse(&format!("{}\n{recoveries}", without_recoveries())).unwrap()
    }

    fn without_recoveries() -> &'static str {
        let whole = include_str!("../../examples/policy.yaml");
        whole.split("\nrecoveries:").next().unwrap_or(whole)
    }

    #[rstest]
    #[case::allowed("orders/main", "sales/main", None)]
    #[case::ended("orders/old", "orders/main", Some(Code::RecoveryNotAllowed))]
    #[case::another_namespace("orders/main", "other/main", Some(Code::RecoveryNotAllowed))]
    #[case::another_name("orders/main", "sales/other", Some(Code::RecoveryNotAllowed))]
    #[case::the_other_way_round("sales/main", "orders/main", Some(Code::RecoveryNotAllowed))]
    #[case::itself("sales/main", "sales/main", Some(Code::RecoveryImpossible))]
    #[case::no_namespace("main", "sales/main", Some(Code::RecoveryImpossible))]
    #[case::nothing("", "sales/main", Some(Code::RecoveryImpossible))]
    #[case::a_pattern("orders/*", "sales/main", Some(Code::RecoveryImpossible))]
    #[case::with_an_uid("orders/main/x", "sales/main", Some(Code::RecoveryImpossible))]
    fn data_go_where_the_policy_lets_them(#[case] from: &str, #[case] to: &str, #[case] code: Option<Code>) {
        let request =
            RecoveryRequest { database: DatabaseRef::parse(to).unwrap(), from, today: date(2026, 11, 30) };
        assert_eq!(judge(&request, &policy()).err().map(|problem| problem.code), code);
    }

    #[rstest]
    #[case::not_allowed("orders/main", "sales/other")]
    #[case::ended("orders/old", "orders/main")]
    #[case::itself("sales/main", "sales/main")]
    #[case::no_database("orders", "sales/main")]
    #[case::triggers_tool("immutable-infra/main", "sales/main")]
    #[case::has_server("orders/main", "")]
    fn the_refusal_says_what_to_write(#[context] context: Context, #[case] from: &str, #[case] to: &str) {
        let problem = DatabaseRef::parse(to).map_or_else(
            || has_server(from),
            |database| {
                judge(&RecoveryRequest { database, from, today: date(2026, 11, 22) }, &policy()).unwrap_err()
            },
        );
        let denial = Denial { problems: vec![problem], policy: "database-policy".to_owned(), profile: None };
        insta::assert_snapshot!(context.description.unwrap(), denial.message());
    }
}
