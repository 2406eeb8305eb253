//! Which fields are filled in.
//!
//! Only absent fields are filled, and what was filled in stays: on a later request an absent field takes
//! the stored value, never a newer default. Otherwise `spec: {}` applied again after a change of the
//! policy would resize or upgrade a live database.

use api::{DatabaseSpec, DefaultedField};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::{document::Profile, resolve::Recorded};

/// A spec with its absent fields filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Filled {
    pub spec: DatabaseSpec,
    /// The fields that hold a default of the policy, and whose.
    pub defaulted: Vec<DefaultedField>,
}

/// Fills the absent fields of `new`: from the stored spec, else from the running server, else from the
/// profile. `before` are the fields that a default filled earlier; they stay noted as long as their
/// value does.
pub fn fill(
    new: &DatabaseSpec,
    old: Option<&DatabaseSpec>,
    recorded: Option<&Recorded>,
    profile: &Profile,
    before: &[DefaultedField],
) -> Filled {
    let mut spec = new.clone();
    let mut fresh = Vec::new();

    let stored = old.and_then(|old| old.version.clone());
    let running = || recorded.and_then(|recorded| recorded.version).map(version);
    if spec.version.is_none() {
        spec.version = stored
            .or_else(running)
            .or_else(|| profile.defaults.version.map(version).inspect(|_| fresh.push("version")));
    }

    let stored = old.and_then(|old| old.sku.clone());
    let running = || recorded.and_then(|recorded| recorded.sku.clone());
    if spec.sku.is_none() {
        spec.sku =
            stored.or_else(running).or_else(|| profile.defaults.sku.clone().inspect(|_| fresh.push("sku")));
    }

    let stored = old.and_then(size_gib);
    let running = || recorded.and_then(|recorded| recorded.size_gib);
    if size_gib(&spec).is_none() {
        let size = stored
            .or_else(running)
            .or_else(|| profile.defaults.size_gib.inspect(|_| fresh.push("storage.sizeGiB")));
        if size.is_some() {
            spec.storage.get_or_insert_default().size_gib = size;
        }
    }

    let kept = before.iter().filter(|noted| old.is_some_and(|old| same(&noted.field, old, &spec)));
    let fresh = fresh
        .into_iter()
        .map(|field| DefaultedField { field: field.to_owned(), profile: profile.name.clone() });
    let mut defaulted: Vec<DefaultedField> = kept.cloned().chain(fresh).collect();
    defaulted.sort_by(|a, b| a.field.cmp(&b.field));
    defaulted.dedup_by(|a, b| a.field == b.field);
    Filled { spec, defaulted }
}

fn version(major: u16) -> IntOrString {
    IntOrString::Int(i32::from(major))
}

fn size_gib(spec: &DatabaseSpec) -> Option<i32> {
    spec.storage.as_ref().and_then(|storage| storage.size_gib)
}

/// Whether a field that defaults know has the same value in both.
fn same(field: &str, old: &DatabaseSpec, new: &DatabaseSpec) -> bool {
    match field {
        "version" => old.version == new.version,
        "sku" => old.sku == new.sku,
        "storage.sizeGiB" => size_gib(old) == size_gib(new),
        _ => false,
    }
}

/// The annotation's text: `sku=default,storage.sizeGiB=default`.
pub fn to_annotation(defaulted: &[DefaultedField]) -> String {
    let pairs: Vec<String> =
        defaulted.iter().map(|noted| format!("{}={}", noted.field, noted.profile)).collect();
    pairs.join(",")
}

/// Reads the annotation back; what isn't of its form is dropped, since anyone can write it.
pub fn from_annotation(text: &str) -> Vec<DefaultedField> {
    text.split(',')
        .filter_map(|pair| pair.split_once('='))
        .filter(|(field, profile)| {
            matches!(*field, "version" | "sku" | "storage.sizeGiB") && profile.len() <= 63
        })
        .map(|(field, profile)| DefaultedField { field: field.to_owned(), profile: profile.to_owned() })
        .collect()
}

#[cfg(test)]
mod tests {
    use api::Storage;

    use super::*;
    use crate::Policy;

    fn policy() -> Policy {
        Policy::parse(include_str!("../../examples/policy.yaml")).unwrap()
    }

    fn noted(fields: &[&str]) -> Vec<DefaultedField> {
        fields
            .iter()
            .map(|field| DefaultedField { field: (*field).to_owned(), profile: "default".to_owned() })
            .collect()
    }

    #[test]
    fn an_empty_spec_is_filled_from_the_profile() {
        let policy = policy();
        let filled = fill(&DatabaseSpec::default(), None, None, policy.profile("orders").unwrap(), &[]);
        assert_eq!(filled.spec.version, Some(IntOrString::Int(17)));
        assert_eq!(filled.spec.sku.as_deref(), Some("Standard_B1ms"));
        assert_eq!(filled.spec.storage, Some(Storage { size_gib: Some(32), ..Storage::default() }));
        assert_eq!(filled.defaulted, noted(&["sku", "storage.sizeGiB", "version"]));
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
        assert_eq!(filled.defaulted, noted(&["storage.sizeGiB", "version"]));
    }

    #[test]
    fn the_annotation_reads_back_and_drops_what_is_not_its_own() {
        let defaulted = noted(&["sku", "storage.sizeGiB"]);
        assert_eq!(from_annotation(&to_annotation(&defaulted)), defaulted);
        assert_eq!(from_annotation("sku=default,,x=y,sku,=,version=default"), noted(&["sku", "version"]));
    }
}
