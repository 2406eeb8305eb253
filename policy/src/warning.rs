//! Warnings that `kubectl` prints beside an accepted request.

use std::collections::BTreeMap;

use api::{DatabaseSpec, DefaultedField, annotations::RETENTION};

use crate::{
    Problem, Recorded,
    catalogue::{self, Extension},
    defaults,
    deleting::{self, Deletion, RetentionRules},
    quote::quote,
};

/// The longest warning, in characters: the API server's own recommendation.
pub const LONGEST: usize = 120;

/// A problem that is only warned of, cut so that its code still stands at the end.
pub fn of(problem: &Problem) -> String {
    let code = format!(" [{}]", problem.code);
    cut(&problem.text, LONGEST - code.chars().count()) + &code
}

/// The text, cut to so many characters with an ellipsis.
pub fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    text.chars().take(room.saturating_sub(1)).chain(['…']).collect()
}

/// What a person should know about the retention of a manifest that is fine otherwise: that a delete would be refused
/// although something is said, because of what is said.
pub fn on_apply(deletion: &Deletion<'_>, rules: Option<&RetentionRules>) -> Vec<String> {
    let Some(value) = deletion.retention else { return Vec::new() };
    let Err(problems) = deleting::judge(deletion, rules) else { return Vec::new() };
    let value = cut(&quote(value), 24);
    let codes: Vec<String> = problems.iter().map(|problem| problem.code.to_string()).collect();
    vec![format!("{RETENTION}: with {value} a delete will be refused [{}]", codes.join(","))]
}

/// What an update does to a server that runs.
pub fn on_change(new: &DatabaseSpec, old: &DatabaseSpec, recorded: Option<&Recorded>) -> Vec<String> {
    let Some(recorded) = recorded else { return Vec::new() };
    let mut warnings = Vec::new();
    // A default that gave way to the server stands in both, and does nothing.
    let differs = |new: &String, old: Option<&String>| old.is_none_or(|old| !new.eq_ignore_ascii_case(old));
    if let Some(sku) = &new.sku
        && differs(sku, old.sku.as_ref())
        && differs(sku, recorded.sku.as_ref().or(old.sku.as_ref()))
    {
        warnings.push("spec.sku: the server restarts when its size changes".to_owned());
    }
    let major = new.version.as_ref().and_then(api::version::major);
    if let (Some(new), Some(running)) = (major, recorded.version)
        && new > running
        && old.version.as_ref().and_then(api::version::major) != Some(new)
    {
        warnings.push(format!(
            "spec.version: going from {running} to {new} takes the server down for minutes and can't be undone"
        ));
    }
    for name in new.extensions.iter().flatten() {
        let is_new = !old.extensions.iter().flatten().any(|old| old.eq_ignore_ascii_case(name));
        let needs_library = |extension: &Extension| extension.library_to_load().is_some();
        if let Some(extension) = catalogue::extension(name).filter(needs_library)
            && is_new
        {
            warnings
                .push(format!("spec.extensions: {} takes effect when the server restarts", extension.name));
        }
    }
    for (name, value) in new.parameters.iter().flatten() {
        let is_new = old.parameters.as_ref().and_then(|old| old.get(name)) != Some(value);
        if is_new && catalogue::parameter(name).is_ok_and(|parameter| parameter.needs_restart) {
            let name = cut(&quote(name), 40);
            warnings.push(format!("spec.parameters[{name}]: takes effect when the server restarts"));
        }
    }
    for name in old.parameters.iter().flat_map(BTreeMap::keys) {
        let is_gone =
            || !new.parameters.iter().flat_map(BTreeMap::keys).any(|new| new.eq_ignore_ascii_case(name));
        if catalogue::parameter(name).is_ok_and(|parameter| parameter.needs_restart) && is_gone() {
            let name = cut(&quote(name), 40);
            warnings.push(format!("spec.parameters[{name}]: goes when the server restarts"));
        }
    }
    warnings
}

/// Defaults that stand in the spec but give way to the server, which was there before them.
pub fn on_defaults(
    spec: &DatabaseSpec,
    noted: &[DefaultedField],
    recorded: Option<&Recorded>,
) -> Vec<String> {
    let Some(recorded) = recorded else { return Vec::new() };
    defaults::not_in_effect(spec, noted, recorded)
        .into_iter()
        .map(|(field, noted, running)| {
            format!("spec.{field}: {noted} is only a default, the server keeps {running}; write another to change it")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_default_that_gives_way_to_the_server_is_told() {
        let spec = DatabaseSpec { sku: Some("Standard_B1ms".into()), ..DatabaseSpec::default() };
        let recorded = Recorded { sku: Some("Standard_D192ds_v6".into()), ..Recorded::default() };
        let noted = defaults::from_annotation("sku=Standard_B1ms@default");
        let warnings = on_defaults(&spec, &noted, Some(&recorded));
        assert_eq!(
            warnings,
            [
                "spec.sku: Standard_B1ms is only a default, the server keeps Standard_D192ds_v6; write another to change it"
            ]
        );
        assert!(warnings[0].len() <= LONGEST);
        assert!(on_defaults(&spec, &[], Some(&recorded)).is_empty());
        assert!(on_defaults(&spec, &noted, None).is_empty());
    }

    fn deletion<'a>(retention: Option<&'a str>, confirmation: Option<&'a str>) -> Deletion<'a> {
        Deletion { namespace: "orders", name: "main", retention, confirmation, today: date(2026, 11, 22) }
    }

    #[rstest]
    #[case::absent(None, None, &[])]
    #[case::kept(Some("Retain"), None, &[])]
    #[case::wrong_case(Some("retain"), None, &["altinn.app/retention: with \"retain\" a delete will be refused [DB206]"])]
    #[case::unconfirmed(Some("Destroy"), None, &["altinn.app/retention: with \"Destroy\" a delete will be refused [DB202]"])]
    fn a_retention_that_will_not_work_is_told_at_apply(
        #[case] retention: Option<&str>,
        #[case] confirmation: Option<&str>,
        #[case] expected: &[&str],
    ) {
        assert_eq!(on_apply(&deletion(retention, confirmation), Some(&RetentionRules::default())), expected);
    }

    #[test]
    fn a_warning_fits() {
        let endless = "x\n".repeat(200);
        let problem = Problem::new(crate::Code::SkuNotAllowed, "spec.sku", &"x".repeat(500));
        let name = "max_connections".to_owned();
        let new =
            DatabaseSpec { parameters: Some([(name, "100".to_owned())].into()), ..DatabaseSpec::default() };
        let recorded = Recorded { version: Some(16), ..Recorded::default() };
        let mut all = on_apply(&deletion(Some(&endless), None), None);
        all.push(of(&problem));
        all.extend(on_change(&new, &DatabaseSpec::default(), Some(&recorded)));
        assert_eq!(all.len(), 3);
        for warning in all {
            assert!(warning.chars().count() <= LONGEST, "{warning}");
            assert!(!warning.contains(char::is_control));
        }
        assert!(of(&problem).ends_with("… [DB101]"));
    }

    #[rstest]
    #[case::nothing(json!({"sku": "standard_b1MS"}), &[])]
    #[case::resize(json!({"sku": "Standard_B2s"}), &["spec.sku: the server restarts when its size changes"])]
    #[case::upgrade(json!({"version": 18}), &["spec.version: going from 17 to 18 takes the server down for minutes and can't be undone"])]
    #[case::at_once(json!({"parameters": {"work_mem": "8192"}}), &[])]
    #[case::restart(json!({"parameters": {"max_connections": "100"}}), &["spec.parameters[\"max_connections\"]: takes effect when the server restarts"])]
    #[case::library(json!({"extensions": ["PgAudit", "vector", "pg_cron"]}), &["spec.extensions: pgaudit takes effect when the server restarts"])]
    fn what_a_change_does_to_a_running_server_is_told(#[case] new: Value, #[case] expected: &[&str]) {
        let new: DatabaseSpec = serde_json::from_value(new).unwrap();
        let recorded =
            Recorded { version: Some(17), sku: Some("Standard_B1ms".into()), ..Recorded::default() };
        assert_eq!(on_change(&new, &DatabaseSpec::default(), Some(&recorded)), expected);
        assert!(on_change(&new, &DatabaseSpec::default(), None).is_empty(), "nothing runs yet");
        let told = on_change(&new, &new, Some(&recorded));
        assert!(told.is_empty(), "nothing is changed: {told:?}");
    }

    #[test]
    fn a_parameter_that_goes_with_a_restart_is_told() {
        let parameters = [("max_connections", "100"), ("work_mem", "8192")];
        let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let old = DatabaseSpec { parameters: Some(parameters), ..DatabaseSpec::default() };
        let recorded = Recorded { version: Some(17), ..Recorded::default() };
        assert_eq!(
            on_change(&DatabaseSpec::default(), &old, Some(&recorded)),
            ["spec.parameters[\"max_connections\"]: goes when the server restarts"]
        );
    }
}
