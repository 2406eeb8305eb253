//! The one generator of denials.
//!
//! Git users see nothing but `message`, and often only its beginning, so it holds everything on one line:
//! all problems at once, each with the field, the value, what to write and a stable code, and at the end
//! the policy that decided. The same input gives the same text to the byte, because notification
//! services distinguish messages by their hash.

use std::fmt::Write;

use crate::{Code, quote::clean};

/// The longest message, in characters. Commit statuses and chat tools cut what is longer.
pub const LONGEST_MESSAGE: usize = 1000;

/// One thing that is wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    pub code: Code,
    /// Path of the field, e.g. `spec.sku`.
    pub field: String,
    /// What is wrong and what to write instead; starts with the field.
    pub text: String,
}

impl Problem {
    /// `text` follows the field's path after a blank.
    pub(crate) fn new(code: Code, field: &str, text: &str) -> Self {
        Self { code, field: field.to_owned(), text: format!("{field} {text}") }
    }
}

/// A refusal with everything that its reader needs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Denial {
    /// At least one.
    pub problems: Vec<Problem>,
    /// Name of the policy ConfigMap.
    pub policy: String,
    /// Profile that judged, if it came so far.
    pub profile: Option<String>,
}

impl Denial {
    /// The single line that people read.
    pub fn message(&self) -> String {
        let mut source = format!(" Policy {}", clean(&self.policy));
        if let Some(profile) = &self.profile {
            let _ = write!(source, ", profile {profile}");
        }
        source.push('.');

        numbered(&self.problems, LONGEST_MESSAGE - source.chars().count()) + &source
    }

    /// The codes, each once, in order.
    pub fn codes(&self) -> Vec<Code> {
        let mut codes: Vec<Code> = self.problems.iter().map(|problem| problem.code).collect();
        codes.sort_unstable();
        codes.dedup();
        codes
    }
}

/// ` (+3 more)` for those that a message leaves out; nothing when it leaves none out.
pub fn and_more(left_out: usize) -> String {
    if left_out > 0 { format!(" (+{left_out} more)") } else { String::new() }
}

/// `2 problems: (1) … [DB101]; (2) … [DB103].` with as many whole problems as fit; one alone has no number.
fn numbered(problems: &[Problem], room: usize) -> String {
    let mut body = String::new();
    if problems.len() > 1 {
        body = format!("{} problems: ", problems.len());
    }
    for (index, problem) in problems.iter().enumerate() {
        let number = if problems.len() > 1 { format!("({}) ", index + 1) } else { String::new() };
        let code = format!(" [{}]", problem.code);
        let left = problems.len() - index;
        let more = and_more(left);
        let separator = if index > 0 { "; " } else { "" };
        // What stands beside the text, with the full stop, and with the count of those that may not fit.
        let beside = separator.len() + number.len() + code.len() + 1 + if left > 1 { more.len() } else { 0 };
        let free = room.saturating_sub(body.chars().count() + beside);
        // The first one always stands, cut if it must be, with its code: a message without a problem helps nobody.
        if index > 0 && problem.text.chars().count() > free {
            body.push_str(&more);
            break;
        }
        let _ = write!(body, "{separator}{number}{}{code}", cut(&problem.text, free));
    }
    body.push('.');
    body
}

/// The text, cut to `room` characters with an ellipsis.
fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    text.chars().take(room.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denial(problems: usize, length: usize) -> Denial {
        let problem =
            |n: usize| Problem::new(Code::SkuNotAllowed, "spec.sku", &format!("{n}{}", "x".repeat(length)));
        Denial {
            problems: (0..problems).map(problem).collect(),
            policy: "database-policy".into(),
            profile: Some("production".into()),
        }
    }

    #[test]
    fn one_problem_stands_alone() {
        assert_eq!(denial(1, 0).message(), "spec.sku 0 [DB101]. Policy database-policy, profile production.");
    }

    #[test]
    fn several_problems_are_counted_and_numbered() {
        assert_eq!(
            denial(2, 0).message(),
            "2 problems: (1) spec.sku 0 [DB101]; (2) spec.sku 1 [DB101]. Policy database-policy, profile production."
        );
    }

    #[test]
    fn what_does_not_fit_is_counted_and_the_source_always_stands() {
        let message = denial(40, 60).message();
        assert!(message.chars().count() <= LONGEST_MESSAGE, "{} characters", message.chars().count());
        assert!(message.contains("(+30 more)") || message.contains(" more)."), "{message}");
        assert!(message.ends_with(". Policy database-policy, profile production."), "{message}");
    }

    #[test]
    fn the_first_of_several_endless_problems_is_cut_and_keeps_its_code() {
        let message = denial(3, 5000).message();
        assert_eq!(message.chars().count(), LONGEST_MESSAGE);
        assert!(message.starts_with("3 problems: (1) spec.sku 0xxx"), "{message}");
        let end = "… [DB101] (+2 more). Policy database-policy, profile production.";
        assert!(message.ends_with(end), "{message}");
    }

    #[test]
    fn a_single_endless_problem_is_cut() {
        let message = denial(1, 5000).message();
        assert_eq!(message.chars().count(), LONGEST_MESSAGE);
        assert!(message.ends_with("… [DB101]. Policy database-policy, profile production."), "{message}");
    }
}
