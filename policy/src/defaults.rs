//! Which fields are filled in.
//!
//! Only absent fields are filled, and what was filled in stays: on a later request an absent field takes
//! the stored value, never a newer default. Otherwise `spec: {}` applied again after a change of the
//! policy would resize or upgrade a live database.

use api::{DatabaseSpec, DefaultedField, version::written};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::{document::Profile, resolve::Recorded};

/// A spec with its absent fields filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Filled {
    pub spec: DatabaseSpec,
    /// The fields that hold a default of the policy, and whose.
    pub defaulted: Vec<DefaultedField>,
}

/// The fields that have defaults.
const FIELDS: &[&str] = &["sku", "storage.sizeGiB", "version"];

/// Fills the absent fields of `new`: from the stored spec, else from the running server, else from the
/// profile. `before` are the fields that a default filled earlier; they stay noted as long as they hold its value.
pub fn fill(
    new: &DatabaseSpec,
    old: Option<&DatabaseSpec>,
    recorded: Option<&Recorded>,
    profile: &Profile,
    before: &[DefaultedField],
) -> Filled {
    let mut spec = new.clone();
    let mut fresh = Vec::new();
    let defaults = &profile.defaults;

    if spec.version.is_none() {
        let known = old.and_then(|old| old.version.clone());
        let running = || recorded.and_then(|recorded| recorded.version).map(version);
        let default = || defaults.version.map(version).inspect(|_| fresh.push("version"));
        spec.version = known.or_else(running).or_else(default);
    }
    if spec.sku.is_none() {
        let known = old.and_then(|old| old.sku.clone());
        let running = || recorded.and_then(|recorded| recorded.sku.clone());
        let default = || defaults.sku.clone().inspect(|_| fresh.push("sku"));
        spec.sku = known.or_else(running).or_else(default);
    }
    if size_gib(&spec).is_none() {
        let known = old.and_then(size_gib);
        let running = || recorded.and_then(|recorded| recorded.size_gib);
        let default = || defaults.size_gib.inspect(|_| fresh.push("storage.sizeGiB"));
        let size = known.or_else(running).or_else(default);
        if size.is_some() {
            spec.storage.get_or_insert_default().size_gib = size;
        }
    }

    // Fixed at creation, and server-side apply sends what it leaves out as absent.
    if spec.database_name.is_none() {
        spec.database_name = old.and_then(|old| old.database_name.clone());
    }

    let fresh = fresh.into_iter().filter_map(|field| {
        let value = value(field, &spec)?;
        Some(DefaultedField { field: field.to_owned(), value, profile: profile.name.clone() })
    });
    let defaulted = union(&in_effect(before, &spec), fresh);
    Filled { spec, defaulted }
}

/// The notes whose value still stands in the spec; the others were overwritten by somebody.
pub fn in_effect(noted: &[DefaultedField], spec: &DatabaseSpec) -> Vec<DefaultedField> {
    noted.iter().filter(|noted| value(&noted.field, spec).as_ref() == Some(&noted.value)).cloned().collect()
}

/// Both, each field once, in the order of their names.
pub(crate) fn union(
    noted: &[DefaultedField],
    fresh: impl IntoIterator<Item = DefaultedField>,
) -> Vec<DefaultedField> {
    let mut all: Vec<DefaultedField> = noted.iter().cloned().chain(fresh).collect();
    all.sort_by(|a, b| a.field.cmp(&b.field));
    all.dedup_by(|a, b| a.field == b.field);
    all
}

/// Lets the running server's values through where the spec holds nothing but a default.
pub(crate) fn yield_to(spec: &mut DatabaseSpec, defaulted: &[DefaultedField], recorded: &Recorded) {
    for noted in in_effect(defaulted, spec) {
        match noted.field.as_str() {
            "version" if recorded.version.is_some() => spec.version = recorded.version.map(version),
            "sku" if recorded.sku.is_some() => spec.sku.clone_from(&recorded.sku),
            "storage.sizeGiB" if recorded.size_gib.is_some() => {
                spec.storage.get_or_insert_default().size_gib = recorded.size_gib;
            }
            _ => {}
        }
    }
}

/// The defaults that are noted in a spec and not in effect, because the server was there before them: field, noted
/// value and running value.
pub(crate) fn not_in_effect(
    spec: &DatabaseSpec,
    noted: &[DefaultedField],
    recorded: &Recorded,
) -> Vec<(String, String, String)> {
    let mut running = spec.clone();
    yield_to(&mut running, noted, recorded);
    in_effect(noted, spec)
        .into_iter()
        .filter_map(|noted| {
            let actual = value(&noted.field, &running)?;
            (actual != noted.value).then_some((noted.field, noted.value, actual))
        })
        .collect()
}

fn version(major: u16) -> IntOrString {
    IntOrString::Int(i32::from(major))
}

fn size_gib(spec: &DatabaseSpec) -> Option<i32> {
    spec.storage.as_ref().and_then(|storage| storage.size_gib)
}

/// The value of a field that has defaults, as text.
fn value(field: &str, spec: &DatabaseSpec) -> Option<String> {
    match field {
        "version" => spec.version.as_ref().map(written),
        "sku" => spec.sku.clone(),
        "storage.sizeGiB" => size_gib(spec).map(|size| size.to_string()),
        _ => None,
    }
}

/// The annotation's text: `sku=Standard_B1ms@default,version=17@default`.
pub fn to_annotation(defaulted: &[DefaultedField]) -> String {
    let notes: Vec<String> =
        defaulted.iter().map(|noted| format!("{}={}@{}", noted.field, noted.value, noted.profile)).collect();
    notes.join(",")
}

/// Reads the annotation back; what isn't of its form is dropped, since anyone can write it.
pub fn from_annotation(text: &str) -> Vec<DefaultedField> {
    let notes = text.split(',').filter_map(|note| {
        let (field, rest) = note.split_once('=')?;
        let (value, profile) = rest.split_once('@')?;
        let is_ours = FIELDS.contains(&field) && value.len() <= 64 && profile.len() <= 63;
        is_ours.then(|| DefaultedField {
            field: field.to_owned(),
            value: value.to_owned(),
            profile: profile.to_owned(),
        })
    });
    union(&[], notes)
}

#[cfg(test)]
mod tests {
    use api::Storage;

    use super::*;
    use crate::Policy;

    fn policy() -> Policy {
        Policy::parse(include_str!("../../examples/policy.yaml")).unwrap()
    }

    fn noted(fields: &[(&str, &str)]) -> Vec<DefaultedField> {
        fields
            .iter()
            .map(|(field, value)| DefaultedField {
                field: (*field).to_owned(),
                value: (*value).to_owned(),
                profile: "default".to_owned(),
            })
            .collect()
    }

    #[test]
    fn an_empty_spec_is_filled_from_the_profile() {
        let policy = policy();
        let filled = fill(&DatabaseSpec::default(), None, None, policy.profile("orders").unwrap(), &[]);
        assert_eq!(filled.spec.version, Some(IntOrString::Int(17)));
        assert_eq!(filled.spec.sku.as_deref(), Some("Standard_B1ms"));
        assert_eq!(filled.spec.storage, Some(Storage { size_gib: Some(32), ..Storage::default() }));
        assert_eq!(
            filled.defaulted,
            noted(&[("sku", "Standard_B1ms"), ("storage.sizeGiB", "32"), ("version", "17")])
        );
    }

    #[test]
    fn what_is_written_stays_as_it_is_written() {
        let policy = policy();
        let written = DatabaseSpec {
            version: Some(IntOrString::String("16".into())),
            sku: Some("standard_b2S".into()),
            storage: Some(Storage { size_gib: Some(64), auto_grow: Some(true), tier: None }),
            ..DatabaseSpec::default()
        };
        let filled = fill(&written, None, None, policy.profile("orders").unwrap(), &[]);
        assert_eq!(filled, Filled { spec: written, defaulted: vec![] });
    }

    #[test]
    fn the_other_fields_of_a_parent_survive() {
        let policy = policy();
        let written = DatabaseSpec {
            storage: Some(Storage { auto_grow: Some(true), ..Storage::default() }),
            ..DatabaseSpec::default()
        };
        let filled = fill(&written, None, None, policy.profile("orders").unwrap(), &[]);
        assert_eq!(
            filled.spec.storage,
            Some(Storage { size_gib: Some(32), auto_grow: Some(true), tier: None })
        );
    }

    #[test]
    fn a_stored_value_wins_over_a_newer_default() {
        let policy = policy();
        let stored = fill(&DatabaseSpec::default(), None, None, policy.profile("orders").unwrap(), &[]);
        let newer = policy.profile("orders-prod").unwrap();
        let again = fill(&DatabaseSpec::default(), Some(&stored.spec), None, newer, &stored.defaulted);
        assert_eq!(again, stored);
    }

    #[test]
    fn the_running_server_wins_over_a_default_when_nothing_is_stored() {
        let policy = policy();
        let recorded = Recorded {
            version: Some(16),
            sku: Some("Standard_B2s".into()),
            size_gib: Some(64),
            database_name: None,
        };
        let nothing = DatabaseSpec::default();
        let filled = fill(&nothing, Some(&nothing), Some(&recorded), policy.profile("orders").unwrap(), &[]);
        assert_eq!(filled.spec.version, Some(IntOrString::Int(16)));
        assert_eq!(filled.spec.sku.as_deref(), Some("Standard_B2s"));
        assert_eq!(size_gib(&filled.spec), Some(64));
        assert_eq!(filled.defaulted, vec![]);
    }

    #[test]
    fn a_default_that_its_user_replaced_is_noted_no_longer() {
        let policy = policy();
        let profile = policy.profile("orders").unwrap();
        let stored = fill(&DatabaseSpec::default(), None, None, profile, &[]);
        let mut changed = stored.spec.clone();
        changed.sku = Some("Standard_B2s".into());
        let filled = fill(&changed, Some(&stored.spec), None, profile, &stored.defaulted);
        assert_eq!(filled.defaulted, noted(&[("storage.sizeGiB", "32"), ("version", "17")]));
    }

    #[test]
    fn the_annotation_reads_back_and_drops_what_is_not_its_own() {
        let defaulted = noted(&[("sku", "Standard_B1ms"), ("storage.sizeGiB", "32")]);
        assert_eq!(from_annotation(&to_annotation(&defaulted)), defaulted);
        let garbage = "sku=Standard_B1ms@default,,x=y@z,sku,=,version=17@default,version=18";
        assert_eq!(from_annotation(garbage), noted(&[("sku", "Standard_B1ms"), ("version", "17")]));
    }

    #[test]
    fn a_note_ends_with_the_value_that_it_tells_of() {
        let spec = DatabaseSpec { sku: Some("Standard_B2s".into()), ..DatabaseSpec::default() };
        assert_eq!(in_effect(&noted(&[("sku", "Standard_B1ms")]), &spec), vec![]);
        let recorded = Recorded { sku: Some("Standard_B8ms".into()), ..Recorded::default() };
        let mut yielding = spec.clone();
        yield_to(&mut yielding, &noted(&[("sku", "Standard_B1ms")]), &recorded);
        assert_eq!(yielding, spec, "somebody wrote another size");
        yield_to(&mut yielding, &noted(&[("sku", "Standard_B2s")]), &recorded);
        assert_eq!(yielding.sku.as_deref(), Some("Standard_B8ms"));
    }
}
