//! Which fields are filled in.
//!
//! Only absent fields are filled, and what was filled in stays: on a later request an absent field takes
//! the stored value, never a newer default. Otherwise `spec: {}` applied again after a change of the
//! policy would resize or upgrade a live database.

use std::collections::BTreeMap;

use api::{Backup, DatabaseSpec, DefaultedField, Storage};

use crate::{
    catalogue,
    document::Profile,
    field::{self, Field, LeftOut, Value},
    recorded::Recorded,
    spec::{size_gib, tier},
};

/// A spec with its absent fields filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Filled {
    pub spec: DatabaseSpec,
    /// The fields that hold a default of the policy, and whose.
    pub defaulted: Vec<DefaultedField>,
}

/// Fills the absent fields of `new`: from the stored spec, else from the running server, else from the
/// profile. `before` are the fields that a default filled earlier; they stay in the notes as long as they hold its value.
pub fn fill(
    new: &DatabaseSpec,
    old: Option<&DatabaseSpec>,
    recorded: Option<&Recorded>,
    profile: &Profile,
    before: &[DefaultedField],
) -> Filled {
    let mut spec = old.map_or_else(|| new.clone(), |old| with_stored(new, old));
    let mut fresh = Vec::new();
    let running = recorded.map(|recorded| &recorded.running);
    let is_new = old.is_none() && recorded.is_none();
    for (field, value) in with_defaults() {
        if (value.text)(&spec).is_some() {
            continue;
        }
        let known = running.filter(|running| (value.text)(running).is_some());
        let is_required = value.left_out == LeftOut::Required;
        if let Some(known) = known {
            (value.copy)(&mut spec, known);
        } else if (is_required || is_new) && (value.text)(&profile.defaults).is_some() {
            // A default never changes a live database: what is stored nowhere, it was made without.
            (value.copy)(&mut spec, &profile.defaults);
            fresh.push((field, value));
        }
    }
    drop_outgrown_tier(&mut spec, new, before, &mut fresh);

    let fresh = fresh.into_iter().filter_map(|(field, value)| {
        let value = (value.text)(&spec)?;
        Some(DefaultedField { field: field.path.to_owned(), value, profile: profile.name.clone() })
    });
    let defaulted = merge_notes(&in_effect(before, &spec), fresh);
    Filled { spec, defaulted }
}

/// Takes out what was filled in of a new database that begins with the data of another one: it has that as the other one has it,
/// and what the profile says isn't meant.
pub fn leave_to_source(filled: &mut Filled, written: &DatabaseSpec) {
    let nothing = DatabaseSpec::default();
    for (field, value) in field::values().filter(|(_, value)| value.comes_with_data) {
        if (value.text)(written).is_none() && (value.text)(&filled.spec).is_some() {
            (value.copy)(&mut filled.spec, &nothing);
            filled.defaulted.retain(|note| note.field != field.path);
        }
    }
    // Without a value in it, it isn't written either.
    filled.spec.storage.take_if(|storage| *storage == Storage::default());
    filled.spec.backup.take_if(|backup| *backup == Backup::default());
}

/// The new spec, with the stored values of what it leaves out: server-side apply sends such a field as absent.
pub fn with_stored(new: &DatabaseSpec, old: &DatabaseSpec) -> DatabaseSpec {
    let mut spec = new.clone();
    for (_, value) in field::values().filter(|(_, value)| value.left_out != LeftOut::Reset) {
        if (value.text)(&spec).is_none() && (value.text)(old).is_some() {
            (value.copy)(&mut spec, old);
        }
    }
    spec
}

/// The values that are filled in.
fn with_defaults() -> impl Iterator<Item = (&'static Field, &'static Value)> {
    field::values().filter(|(_, value)| value.has_defaults())
}

/// The value of this path, if it is one that is filled in.
fn with_default(path: &str) -> Option<&'static Value> {
    with_defaults().find(|(field, _)| field.path == path).map(|(_, value)| value)
}

/// A tier that nobody wrote, in this request or as far as the notes say, goes when it doesn't fit the size of the disk: then Azure's own for the
/// size is meant.
fn drop_outgrown_tier(
    spec: &mut DatabaseSpec,
    new: &DatabaseSpec,
    before: &[DefaultedField],
    fresh: &mut Vec<(&Field, &Value)>,
) {
    let (Some(size), Some(filled)) = (size_gib(spec), tier(spec)) else { return };
    let is_noted = || in_effect(before, new).iter().any(|note| note.field == "storage.tier");
    if tier(new).is_some() && !is_noted() {
        return;
    }
    if !catalogue::tiers(size).any(|known| known == filled) {
        fresh.retain(|(field, _)| field.path != "storage.tier");
        if let Some(storage) = &mut spec.storage {
            storage.tier = None;
        }
    }
}

/// The notes whose value still stands in the spec; the others were overwritten by somebody.
pub fn in_effect(notes: &[DefaultedField], spec: &DatabaseSpec) -> Vec<DefaultedField> {
    notes.iter().filter(|note| value(&note.field, spec).as_ref() == Some(&note.value)).cloned().collect()
}

/// Both, each field once, in the order of their names.
pub(crate) fn merge_notes(
    notes: &[DefaultedField],
    fresh: impl IntoIterator<Item = DefaultedField>,
) -> Vec<DefaultedField> {
    let mut all: Vec<DefaultedField> = notes.iter().cloned().chain(fresh).collect();
    all.sort_by(|a, b| a.field.cmp(&b.field));
    all.dedup_by(|a, b| a.field == b.field);
    all
}

/// The spec with the running server's values where it holds nothing but a default.
pub(crate) fn effective_over_defaults(
    spec: &DatabaseSpec,
    defaulted: &[DefaultedField],
    recorded: Option<&Recorded>,
) -> DatabaseSpec {
    let mut effective = spec.clone();
    let Some(recorded) = recorded else { return effective };
    for note in in_effect(defaulted, spec) {
        if let Some(value) = with_default(&note.field).filter(|value| recorded.knows(value)) {
            (value.copy)(&mut effective, &recorded.running);
        }
    }
    effective
}

/// The defaults that the notes name and that are not in effect, because the server was there before them: field, noted
/// value and running value.
pub(crate) fn not_in_effect(
    spec: &DatabaseSpec,
    notes: &[DefaultedField],
    recorded: &Recorded,
) -> Vec<(String, String, String)> {
    let running = effective_over_defaults(spec, notes, Some(recorded));
    in_effect(notes, spec)
        .into_iter()
        .filter_map(|note| {
            let actual = value(&note.field, &running)?;
            (actual != note.value).then_some((note.field, note.value, actual))
        })
        .collect()
}

/// The value of a field that has defaults, as text.
fn value(path: &str, spec: &DatabaseSpec) -> Option<String> {
    with_default(path).and_then(|value| (value.text)(spec))
}

/// The annotation's text: `sku=Standard_B1ms@default,version=17@default`.
pub fn to_annotation(defaulted: &[DefaultedField]) -> String {
    let notes: Vec<String> =
        defaulted.iter().map(|note| format!("{}={}@{}", note.field, note.value, note.profile)).collect();
    notes.join(",")
}

/// Reads the annotation back; what isn't of its form is dropped, since anyone can write it.
pub fn from_annotation(text: &str) -> Vec<DefaultedField> {
    let notes = text.split(',').filter_map(|note| {
        let (field, rest) = note.split_once('=')?;
        let (value, profile) = rest.split_once('@')?;
        let is_ours = with_default(field).is_some() && value.len() <= 64 && profile.len() <= 63;
        is_ours.then_some((field, value, profile))
    });
    // The first one of each: a long text holds many.
    let mut by_field = BTreeMap::new();
    for (field, value, profile) in notes {
        by_field.entry(field).or_insert((value, profile));
    }
    by_field
        .into_iter()
        .map(|(field, (value, profile))| DefaultedField {
            field: field.to_owned(),
            value: value.to_owned(),
            profile: profile.to_owned(),
        })
        .collect()
}

/// What filled in a spec before this request, or in an earlier pass over it: the annotations as stored, with the stored
/// spec, and as sent.
///
/// Anyone can write the annotation that is sent, so of it only what this profile would have written counts, and nothing about
/// a field that has a stored value. Nor does a stored note whose value somebody replaced while no webhook looked.
pub fn recorded_defaults(
    stored: Option<&str>,
    old: Option<&DatabaseSpec>,
    sent: Option<&str>,
    profile: &Profile,
) -> Vec<DefaultedField> {
    let mut sent = sent.map(from_annotation).unwrap_or_default();
    sent.retain(|note| {
        note.profile == profile.name
            && value(&note.field, &profile.defaults).as_ref() == Some(&note.value)
            && old.is_none_or(|old| value(&note.field, old).is_none())
    });
    let mut notes = stored.map(from_annotation).unwrap_or_default();
    if let Some(old) = old {
        notes = in_effect(&notes, old);
    }
    notes.extend(sent);
    notes
}

/// What the annotation says after a request; `None` when there is to be none.
///
/// One that is sent stays to the letter where it can: it may stand in Git, as that of an exported object does, and would be
/// put back again and again. It is replaced when a default has to be added to it, and when this request replaces one.
pub fn note(
    stored: Option<&str>,
    old: Option<&DatabaseSpec>,
    sent: Option<&str>,
    filled: &Filled,
) -> Option<String> {
    let replaced = (!filled.defaulted.is_empty()).then(|| to_annotation(&filled.defaulted));
    let Some(text) = sent else { return replaced };
    let [stored, sent] = [stored.unwrap_or_default(), text].map(from_annotation);
    let was_in_effect = |note: &&DefaultedField| {
        stored.contains(*note) && old.is_some_and(|old| value(&note.field, old).as_ref() == Some(&note.value))
    };
    let is_replaced = |note: &DefaultedField| value(&note.field, &filled.spec).as_ref() != Some(&note.value);
    let is_whole = filled.defaulted.iter().all(|note| sent.contains(note));
    if is_whole && !sent.iter().filter(was_in_effect).any(is_replaced) {
        return Some(text.to_owned());
    }
    replaced
}

#[cfg(test)]
mod tests {
    use api::{Storage, StorageTier};
    use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::{Policy, document::Namespace};

    fn policy() -> Policy {
        Policy::parse(include_str!("../../examples/policy.yaml")).unwrap()
    }

    fn notes(fields: &[(&str, &str)]) -> Vec<DefaultedField> {
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
    fn a_tier_that_was_only_a_default_goes_when_the_disk_outgrows_it() {
        let policy = policy();
        let profile = policy.profile(Namespace::named("orders")).unwrap();
        let spec = |size: i32| DatabaseSpec {
            storage: Some(Storage { size_gib: Some(size), tier: Some(StorageTier::P6), auto_grow: None }),
            ..DatabaseSpec::default()
        };
        let grown = |before: &[DefaultedField]| fill(&spec(128), Some(&spec(32)), None, profile, before);
        let tier = |filled: Filled| filled.spec.storage.unwrap().tier;
        assert_eq!(tier(grown(&[])), Some(StorageTier::P6), "somebody wrote it");
        assert_eq!(tier(grown(&notes(&[("storage.tier", "P6")]))), None);
    }

    #[test]
    fn a_note_counts_only_for_a_value_that_a_default_filled_in() {
        let policy = policy();
        let profile = policy.profile(Namespace::named("orders")).unwrap();
        let spec = |sku: &str| DatabaseSpec { sku: Some(sku.into()), ..DatabaseSpec::default() };
        let note = Some("sku=Standard_B1ms@default");
        let ours = notes(&[("sku", "Standard_B1ms")]);
        let by =
            |stored, old: Option<&DatabaseSpec>, sent| super::recorded_defaults(stored, old, sent, profile);
        assert_eq!(by(note, Some(&spec("Standard_B1ms")), None), ours);
        assert_eq!(by(note, Some(&spec("Standard_B2s")), None), [], "replaced while no webhook looked");
        assert_eq!(by(None, None, note), ours, "a second pass over a creation");
        assert_eq!(by(None, Some(&spec("Standard_B1ms")), note), [], "written by hand");
    }

    #[rstest]
    #[case::none_needed(None, None, None, &[], None)]
    #[case::fresh(None, None, None, &[("sku", "Standard_B1ms")], Some("sku=Standard_B1ms@default"))]
    #[case::from_git_as_it_is(None, None, Some("sku=Standard_B1ms@elsewhere,x"), &[], Some("sku=Standard_B1ms@elsewhere,x"))]
    #[case::empty_in_git(None, None, Some(""), &[], Some(""))]
    #[case::a_default_is_added(None, None, Some("x"), &[("sku", "Standard_B1ms")], Some("sku=Standard_B1ms@default"))]
    #[case::put_back_after_a_replace(
        Some("sku=Standard_B1ms@default"), Some("Standard_B1ms"), None, &[("sku", "Standard_B1ms")],
        Some("sku=Standard_B1ms@default")
    )]
    #[case::replaced_by_this_request(
        Some("sku=Standard_B2s@default"), Some("Standard_B2s"), Some("sku=Standard_B2s@default"), &[], None
    )]
    #[case::replaced_long_ago_and_in_git(
        Some("sku=Standard_B2s@default"), Some("Standard_B1ms"), Some("sku=Standard_B2s@default"), &[],
        Some("sku=Standard_B2s@default")
    )]
    fn a_note_that_was_sent_stays_where_it_can(
        #[case] stored: Option<&str>,
        #[case] old: Option<&str>,
        #[case] sent: Option<&str>,
        #[case] defaulted: &[(&str, &str)],
        #[case] expected: Option<&str>,
    ) {
        let spec = |sku: &str| DatabaseSpec { sku: Some(sku.into()), ..DatabaseSpec::default() };
        let filled = Filled { spec: spec("Standard_B1ms"), defaulted: notes(defaulted) };
        let old = old.map(spec);
        assert_eq!(note(stored, old.as_ref(), sent, &filled).as_deref(), expected);
    }

    #[test]
    fn an_empty_spec_is_filled_from_the_profile() {
        let policy = policy();
        let filled = fill(
            &DatabaseSpec::default(),
            None,
            None,
            policy.profile(Namespace::named("orders")).unwrap(),
            &[],
        );
        assert_eq!(filled.spec.version, Some(IntOrString::Int(17)));
        assert_eq!(filled.spec.sku.as_deref(), Some("Standard_B1ms"));
        assert_eq!(filled.spec.storage, Some(Storage { size_gib: Some(32), ..Storage::default() }));
        assert_eq!(
            filled.defaulted,
            notes(&[("sku", "Standard_B1ms"), ("storage.sizeGiB", "32"), ("version", "17")])
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
        let filled = fill(&written, None, None, policy.profile(Namespace::named("orders")).unwrap(), &[]);
        assert_eq!(filled, Filled { spec: written, defaulted: vec![] });
    }

    #[test]
    fn the_other_fields_of_a_parent_survive() {
        let policy = policy();
        let written = DatabaseSpec {
            storage: Some(Storage { auto_grow: Some(true), ..Storage::default() }),
            ..DatabaseSpec::default()
        };
        let filled = fill(&written, None, None, policy.profile(Namespace::named("orders")).unwrap(), &[]);
        assert_eq!(
            filled.spec.storage,
            Some(Storage { size_gib: Some(32), auto_grow: Some(true), tier: None })
        );
    }

    /// It lies apart from the server, which tells nothing of it.
    #[test]
    fn a_default_of_the_vault_holds_once_the_server_is_made() {
        let spec = |vault: &str| {
            let backup = api::Backup { vault: Some(vault.to_owned()), ..api::Backup::default() };
            DatabaseSpec { backup: Some(backup), ..DatabaseSpec::default() }
        };
        let noted = notes(&[("backup.vault", "weekly")]);
        let made = Recorded { is_whole: true, ..Recorded::default() };
        assert_eq!(effective_over_defaults(&spec("weekly"), &noted, Some(&made)), spec("weekly"));
        // What there is goes before a default that it was made without.
        let protected = Recorded::from(spec("archive"));
        assert_eq!(effective_over_defaults(&spec("weekly"), &noted, Some(&protected)), spec("archive"));
    }

    #[test]
    fn a_stored_value_wins_over_a_newer_default() {
        let policy = policy();
        let stored = fill(
            &DatabaseSpec::default(),
            None,
            None,
            policy.profile(Namespace::named("orders")).unwrap(),
            &[],
        );
        let newer = policy.profile(Namespace::named("orders-prod")).unwrap();
        let again = fill(&DatabaseSpec::default(), Some(&stored.spec), None, newer, &stored.defaulted);
        assert_eq!(again, stored);
    }

    #[test]
    fn the_running_server_wins_over_a_default_when_nothing_is_stored() {
        let policy = policy();
        let running = json!({"version": 16, "sku": "Standard_B2s", "storage": {"sizeGiB": 64}});
        let recorded = Recorded::from(serde_json::from_value::<DatabaseSpec>(running).unwrap());
        let nothing = DatabaseSpec::default();
        let filled = fill(
            &nothing,
            Some(&nothing),
            Some(&recorded),
            policy.profile(Namespace::named("orders")).unwrap(),
            &[],
        );
        assert_eq!(filled.spec.version, Some(IntOrString::Int(16)));
        assert_eq!(filled.spec.sku.as_deref(), Some("Standard_B2s"));
        assert_eq!(size_gib(&filled.spec), Some(64));
        assert_eq!(filled.defaulted, vec![]);
    }

    #[test]
    fn a_default_that_its_user_replaced_is_noted_no_longer() {
        let policy = policy();
        let profile = policy.profile(Namespace::named("orders")).unwrap();
        let stored = fill(&DatabaseSpec::default(), None, None, profile, &[]);
        let mut changed = stored.spec.clone();
        changed.sku = Some("Standard_B2s".into());
        let filled = fill(&changed, Some(&stored.spec), None, profile, &stored.defaulted);
        assert_eq!(filled.defaulted, notes(&[("storage.sizeGiB", "32"), ("version", "17")]));
    }

    #[test]
    fn the_annotation_reads_back_and_drops_what_is_not_its_own() {
        let defaulted = notes(&[("sku", "Standard_B1ms"), ("storage.sizeGiB", "32")]);
        assert_eq!(from_annotation(&to_annotation(&defaulted)), defaulted);
        let garbage = "sku=Standard_B1ms@default,,x=y@z,sku,=,version=17@default,version=18";
        assert_eq!(from_annotation(garbage), notes(&[("sku", "Standard_B1ms"), ("version", "17")]));
    }

    #[test]
    fn of_many_notes_the_first_of_each_field_counts() {
        let text = "sku=Standard_B1ms@default,version=17@default,".to_owned()
            + &"sku=Standard_B2s@default,".repeat(10_000);
        assert_eq!(from_annotation(&text), notes(&[("sku", "Standard_B1ms"), ("version", "17")]));
    }

    #[test]
    fn a_note_ends_with_the_value_that_it_tells_of() {
        let spec = DatabaseSpec { sku: Some("Standard_B2s".into()), ..DatabaseSpec::default() };
        assert_eq!(in_effect(&notes(&[("sku", "Standard_B1ms")]), &spec), vec![]);
        let runs = DatabaseSpec { sku: Some("Standard_B8ms".into()), ..DatabaseSpec::default() };
        let recorded = Recorded::from(runs);
        let by = |note| effective_over_defaults(&spec, &notes(&[("sku", note)]), Some(&recorded));
        assert_eq!(by("Standard_B1ms"), spec, "somebody wrote another size");
        assert_eq!(by("Standard_B2s").sku.as_deref(), Some("Standard_B8ms"));
    }
}
