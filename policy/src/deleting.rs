//! What may be deleted: the annotation `altinn.app/retention` says what becomes of the data.

use api::annotations::RETENTION;

use crate::{Code, Problem, document::WhenMissing, quote::quote};

/// What becomes of the data.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Retention {
    /// The server is kept, without an end date.
    Retain,
}

impl Retention {
    /// The annotation's value, to the letter; `None` for any other, in whatever case.
    pub fn parse(value: &str) -> Option<Self> {
        match value {
            "Retain" => Some(Self::Retain),
            _ => None,
        }
    }
}

/// Whether a `Database` with this annotation may be deleted, and what then becomes of its data.
///
/// `when_missing` is the profile's; `None` when no profile or no policy is at hand, which refuses.
pub fn judge(retention: Option<&str>, when_missing: Option<WhenMissing>) -> Result<Retention, Problem> {
    let field = format!("metadata.annotations[{RETENTION}]");
    match retention {
        Some(value) => Retention::parse(value).ok_or_else(|| {
            let text = format!(
                "{} is not a value that can be used; write \"Retain\", which keeps the server and its data, \
                 let that be applied, and then delete",
                quote(value)
            );
            Problem::new(Code::RetentionUnknown, &field, &text)
        }),
        None if when_missing == Some(WhenMissing::Retain) => Ok(Retention::Retain),
        None => {
            let text = "is missing, so nothing says what becomes of the data. It takes two steps (in Git, two \
                        commits): set it to \"Retain\", which keeps the server and its data; when that is applied, \
                        delete";
            Err(Problem::new(Code::RetentionMissing, &field, text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::kept(Some("Retain"), Some(WhenMissing::Deny), Ok(Retention::Retain))]
    #[case::kept_without_a_policy(Some("Retain"), None, Ok(Retention::Retain))]
    #[case::missing(None, Some(WhenMissing::Deny), Err(Code::RetentionMissing))]
    #[case::missing_without_a_policy(None, None, Err(Code::RetentionMissing))]
    #[case::missing_where_that_means_retain(None, Some(WhenMissing::Retain), Ok(Retention::Retain))]
    #[case::wrong_case(Some("retain"), Some(WhenMissing::Retain), Err(Code::RetentionUnknown))]
    #[case::empty(Some(""), Some(WhenMissing::Retain), Err(Code::RetentionUnknown))]
    #[case::blank_behind(Some("Retain "), None, Err(Code::RetentionUnknown))]
    #[case::not_yet(Some("Destroy"), None, Err(Code::RetentionUnknown))]
    fn a_delete_needs_a_word_on_the_data(
        #[case] annotation: Option<&str>,
        #[case] when_missing: Option<WhenMissing>,
        #[case] expected: Result<Retention, Code>,
    ) {
        assert_eq!(judge(annotation, when_missing).map_err(|problem| problem.code), expected);
    }
}
