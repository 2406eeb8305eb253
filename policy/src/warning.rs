//! Warnings that `kubectl` prints beside an accepted request.

use api::{DatabaseSpec, annotations::RETENTION};

use crate::{Recorded, defaults, deleting::Retention, quote::quote};

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

/// Defaults that stand in the spec but give way to the server, which was there before them.
pub fn on_defaults(spec: &DatabaseSpec, noted: Option<&str>, recorded: Option<&Recorded>) -> Vec<String> {
    let (Some(noted), Some(recorded)) = (noted, recorded) else { return Vec::new() };
    defaults::not_in_effect(spec, &defaults::from_annotation(noted), recorded)
        .into_iter()
        .map(|(field, noted, running)| {
            format!("spec.{field}: {noted} is only a default, the server keeps {running}; write another to change it")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn a_default_that_gives_way_to_the_server_is_told() {
        let spec = DatabaseSpec { sku: Some("Standard_B1ms".into()), ..DatabaseSpec::default() };
        let recorded = Recorded { sku: Some("Standard_D192ds_v6".into()), ..Recorded::default() };
        let warnings = on_defaults(&spec, Some("sku=Standard_B1ms@default"), Some(&recorded));
        assert_eq!(
            warnings,
            [
                "spec.sku: Standard_B1ms is only a default, the server keeps Standard_D192ds_v6; write another to change it"
            ]
        );
        assert!(warnings[0].len() <= LONGEST);
        assert!(on_defaults(&spec, None, Some(&recorded)).is_empty());
        assert!(on_defaults(&spec, Some("sku=Standard_B1ms@default"), None).is_empty());
    }

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
