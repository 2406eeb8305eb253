//! Warnings that `kubectl` prints beside an accepted request.

use api::annotations::RETENTION;

use crate::{deleting::Retention, quote::quote};

/// The longest warning, in characters: the API server's own recommendation.
pub const LONGEST: usize = 120;

/// What a person should know about a manifest that is fine otherwise.
pub fn on_apply(retention: Option<&str>) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Some(value) = retention
        && Retention::parse(value).is_none()
    {
        let value: String = quote(value).chars().take(24).collect();
        warnings.push(format!(
            "{RETENTION}: {value} is not known; a delete will be refused until it is \"Retain\""
        ));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(None, &[])]
    #[case(Some("Retain"), &[])]
    #[case(Some("retain"), &["altinn.app/retention: \"retain\" is not known; a delete will be refused until it is \"Retain\""])]
    fn a_retention_that_will_not_work_is_told_at_apply(
        #[case] value: Option<&str>,
        #[case] expected: &[&str],
    ) {
        assert_eq!(on_apply(value), expected);
    }

    #[test]
    fn a_warning_fits() {
        for warning in on_apply(Some(&"x\n".repeat(200))) {
            assert!(warning.chars().count() <= LONGEST, "{warning}");
            assert!(!warning.contains('\n'));
        }
    }
}
