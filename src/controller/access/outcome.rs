//! What a look at a server has come to, for people.

use std::collections::BTreeMap;

use api::reason::Reason;
use postgres::{Failure, Report};

/// As many findings are told in a condition.
const SHOWN: usize = 3;

/// What was found, and done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) reason: Reason,
    /// On one line.
    pub(crate) message: String,
    /// Whether the app can log in and use its database, as far as that was seen.
    pub(crate) lets_app_in: bool,
    /// The extensions in the database, with their versions; `None` where nobody could look.
    pub(crate) extensions: Option<BTreeMap<String, String>>,
}

impl Outcome {
    pub(crate) fn settled(extensions: BTreeMap<String, String>) -> Self {
        Self {
            reason: Reason::Settled,
            message: "The app's login, its roles and its extensions are as they should be".to_owned(),
            lets_app_in: true,
            extensions: Some(extensions),
        }
    }

    /// Nobody could look.
    pub(crate) fn unseen(reason: Reason, message: String) -> Self {
        Self { reason, message, lets_app_in: false, extensions: None }
    }

    pub(crate) fn of(result: Result<Report, Failure>) -> Self {
        let report = match result {
            Ok(report) => report,
            Err(failure) => return Self::unseen(told(failure.reason()), sentence(&failure.to_string())),
        };
        if report.is_settled() {
            return Self::settled(report.extensions);
        }
        let reason = report.reason();
        let mut findings: Vec<_> = report.findings.iter().collect();
        // What makes the reason is told first.
        findings.sort_by_key(|finding| finding.reason() != reason);
        let more = findings.len().saturating_sub(SHOWN);
        let shown = findings.iter().take(SHOWN).map(|finding| sentence(&finding.to_string()));
        let more = (more > 0).then(|| format!("{more} more things are amiss"));
        Self {
            reason: told(reason),
            message: shown.chain(more).collect::<Vec<_>>().join(". "),
            // The roles and the login are there, and something beside them isn't as it should be.
            lets_app_in: matches!(reason, postgres::Reason::Drifted | postgres::Reason::ExtensionRefused),
            extensions: Some(report.extensions),
        }
    }

    /// Whether nothing is amiss.
    pub(crate) fn is_settled(&self) -> bool {
        self.reason == Reason::Settled
    }

    /// Whether the app is known not to get in, whatever was set up before.
    pub(crate) fn shuts_app_out(&self) -> bool {
        matches!(self.reason, Reason::DatabaseMissing | Reason::RoleTaken)
    }

    /// Whether it isn't known how things are, rather than known to be bad.
    pub(crate) fn is_unknown(&self) -> bool {
        matches!(
            self.reason,
            Reason::TooManyConnections | Reason::Locked | Reason::TimedOut | Reason::NoToken
        )
    }
}

/// The reason that people read.
fn told(reason: postgres::Reason) -> Reason {
    use postgres::Reason as Found;
    match reason {
        Found::Settled => Reason::Settled,
        Found::Unreachable => Reason::Unreachable,
        Found::LoginRefused => Reason::LoginRefused,
        Found::TooManyConnections => Reason::TooManyConnections,
        Found::DatabaseNotOurs => Reason::DatabaseNotOurs,
        Found::DatabaseMissing => Reason::DatabaseMissing,
        Found::RoleTaken => Reason::RoleTaken,
        Found::SqlFailed => Reason::SqlFailed,
        Found::Locked | Found::Fenced => Reason::Locked,
        Found::TimedOut => Reason::TimedOut,
        Found::Drifted => Reason::Drifted,
        Found::ExtensionRefused => Reason::ExtensionRefused,
    }
}

/// With a capital letter at the beginning.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use postgres::{Finding, failure::Unreachable};
    use rstest::rstest;

    use super::*;

    fn found(findings: Vec<Finding>) -> Outcome {
        let extensions = [("hstore".to_owned(), "1.8".to_owned())].into();
        Outcome::of(Ok(Report { findings, extensions, ..Report::default() }))
    }

    fn drift(role: &str) -> Finding {
        Finding::SessionsLeft { role: role.to_owned(), count: 1 }
    }

    #[test]
    fn all_is_well_where_nothing_was_found() {
        let outcome = found(Vec::new());
        assert!(outcome.is_settled() && outcome.lets_app_in && !outcome.is_unknown());
        assert_eq!(outcome.extensions.unwrap()["hstore"], "1.8");
    }

    #[test]
    fn what_is_worst_is_told_first_and_the_rest_is_counted() {
        let taken = Finding::RoleTaken { role: "orders_app".to_owned() };
        let outcome = found(vec![drift("a"), drift("b"), taken, drift("c"), drift("d")]);
        assert_eq!((outcome.reason, outcome.lets_app_in), (Reason::RoleTaken, false));
        insta::assert_snapshot!(outcome.message, @r#"The role "orders_app" is on the server already and is not the operator's: drop it, or ask for another name. 1 sessions of "a" go on. 1 sessions of "b" go on. 2 more things are amiss"#);
    }

    #[rstest]
    #[case::beside_the_app(drift("a"), true)]
    #[case::an_extension(Finding::ExtensionHoldsData { name: "hstore".to_owned() }, true)]
    #[case::the_login_itself(Finding::NoEntra { role: "orders_app".to_owned() }, false)]
    fn an_app_gets_in_unless_its_login_is_amiss(#[case] finding: Finding, #[case] lets_in: bool) {
        assert_eq!(found(vec![finding]).lets_app_in, lets_in);
    }

    #[test]
    fn who_could_not_look_says_why() {
        let cause = Unreachable::Refused;
        let outcome = Outcome::of(Err(Failure::Unreachable { host: "srv".to_owned(), cause }));
        assert_eq!(
            (outcome.reason, outcome.lets_app_in, outcome.extensions),
            (Reason::Unreachable, false, None)
        );
        assert!(outcome.message.starts_with("The server srv can't be reached"), "{}", outcome.message);
        let outcome = Outcome::of(Err(Failure::TooManyConnections { message: "full".to_owned() }));
        assert!(outcome.is_unknown());
    }
}
