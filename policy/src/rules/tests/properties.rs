//! What holds for whatever is written, stored, running and recorded as a default, under whatever policy.

use proptest::{option, prelude::*};

use super::{
    any::{any_spec, notes_of, plain_spec, recorded},
    *,
};
use crate::{document::Namespace, quote::clean};

/// What the webhook knows of a server: the status says nothing else.
fn as_the_webhook_sees_it(recorded: &Recorded) -> Recorded {
    let location = recorded.location.clone();
    let database_name = recorded.running.database_name.clone();
    Recorded { location, ..DatabaseSpec { database_name, ..made(&recorded.running).running }.into() }
}

/// The server that was built.
fn built(effective: &crate::Effective, policy: &Policy) -> Recorded {
    let extensions = effective.extensions.iter().map(|extension| extension.name.clone().into_owned());
    let running = DatabaseSpec {
        extensions: Some(extensions.collect()),
        parameters: Some(effective.parameters.clone()),
        authentication: Some(effective.authentication),
        ..effective.to_spec(&DatabaseSpec::default())
    };
    Recorded { running, is_whole: true, location: Some(policy.azure.location.value.clone()) }
}

/// What the mutating hook makes of a spec.
fn filled(
    policy: &Policy,
    new: &DatabaseSpec,
    old: Option<&DatabaseSpec>,
    recorded: Option<&Recorded>,
    before: &[DefaultedField],
) -> defaults::Filled {
    let profile = policy.profile(Namespace::named("orders")).unwrap();
    defaults::fill(new, old, recorded, profile, before)
}

/// A policy that allows all there is.
fn open() -> Policy {
    Policy::parse(&strict("")).unwrap()
}

/// As many changes there are of one spec into another.
const CHANGES: usize = 13;

/// A change of each field alone, and the fields that depend on it.
fn changes(stored: &DatabaseSpec, other: &DatabaseSpec) -> Vec<(DatabaseSpec, &'static [&'static str])> {
    let storage = |spec: &DatabaseSpec| spec.storage.clone().unwrap_or_default();
    let with_storage = |storage| DatabaseSpec { storage: Some(storage), ..stored.clone() };
    let other = other.clone();
    vec![
        (DatabaseSpec { version: other.version, ..stored.clone() }, &["spec.version"]),
        (DatabaseSpec { sku: other.sku, ..stored.clone() }, &["spec.sku", "spec.highAvailability"]),
        (
            with_storage(api::Storage {
                size_gib: other.storage.clone().unwrap_or_default().size_gib,
                ..storage(stored)
            }),
            &["spec.storage.sizeGiB", "spec.storage.tier"],
        ),
        (
            with_storage(api::Storage {
                tier: other.storage.clone().unwrap_or_default().tier,
                ..storage(stored)
            }),
            &["spec.storage.tier"],
        ),
        (with_storage(api::Storage { auto_grow: Some(true), ..storage(stored) }), &[]),
        (
            DatabaseSpec { high_availability: other.high_availability, ..stored.clone() },
            &["spec.highAvailability"],
        ),
        (DatabaseSpec { backup: other.backup, ..stored.clone() }, &["spec.backup"]),
        (
            DatabaseSpec { maintenance_window: other.maintenance_window, ..stored.clone() },
            &["spec.maintenanceWindow"],
        ),
        (DatabaseSpec { database_name: other.database_name, ..stored.clone() }, &["spec.databaseName"]),
        (
            DatabaseSpec { extensions: other.extensions, ..stored.clone() },
            &["spec.extensions", "spec.parameters"],
        ),
        (DatabaseSpec { parameters: other.parameters, ..stored.clone() }, &["spec.parameters"]),
        (DatabaseSpec { authentication: other.authentication, ..stored.clone() }, &["spec.authentication"]),
        (
            DatabaseSpec { service_account_name: other.service_account_name, ..stored.clone() },
            &["spec.serviceAccountName"],
        ),
    ]
}

proptest! {
    #[test]
    fn a_denial_is_one_line_that_no_tool_stumbles_over(
        policy in any::policy(), new in any_spec(), old in option::of(any_spec()), runs in option::of(recorded()),
        are_defaults in any::<[bool; 5]>(),
    ) {
        let notes = notes_of(old.as_ref().unwrap_or(&new), are_defaults);
        let request = Request { defaulted: &notes, ..request("orders", "main", &new, old.as_ref()) };
        let judge = || policy.judge(&request, runs.as_ref());
        if let Some(denial) = judge().denial {
            let text = denial.message();
            prop_assert!(text.chars().count() <= message::LONGEST_MESSAGE, "{}", text);
            prop_assert!(!text.contains(char::is_control), "{text:?}");
            prop_assert_eq!(clean(&text), text.chars().take(300).collect::<String>() + if text.chars().count() > 300 { "…" } else { "" });
            prop_assert!(!text.contains("use nothing") && !text.contains("use ;") && !text.contains("use  ["), "{text}");
            prop_assert_eq!(text, judge().denial.unwrap().message());
        }
        for (_, problem) in policy.breaches(&request, runs.as_ref()) {
            prop_assert!(problem.text.starts_with(&problem.field));
        }
    }

    #[test]
    fn what_is_admitted_can_be_built(policy in any::policy(), new in any_spec()) {
        let request = request("orders", "main", &new, None);
        let admitted = policy.judge(&request, None).denial.is_none();
        prop_assert_eq!(policy.resolve(&request, None).is_ok(), admitted);
    }

    /// A database that was made under one policy and is changed under another, as webhook and controller see it.
    #[test]
    fn a_change_that_is_admitted_can_be_built(
        policy in any::policy(), first in plain_spec(), other in plain_spec(), which in 0..CHANGES, grown in any::<bool>(),
    ) {
        let before = open();
        let stored = filled(&before, &first, None, None, &[]);
        let made = Request { defaulted: &stored.defaulted, ..request("orders", "main", &stored.spec, None) };
        let Ok(effective) = before.resolve(&made, None) else { return Ok(()) };
        let mut runs = built(&effective, &before);
        if grown {
            runs.running.storage.get_or_insert_default().size_gib = Some(32767);
        }
        let shown = as_the_webhook_sees_it(&runs);
        let wanted = changes(&first, &other).swap_remove(which).0;
        let new = filled(&policy, &wanted, Some(&stored.spec), Some(&shown), &stored.defaulted);
        let request =
            Request { defaulted: &new.defaulted, ..request("orders", "main", &new.spec, Some(&stored.spec)) };
        let admitted = policy.judge(&request, Some(&shown)).denial;
        let resolved = policy.resolve(&Request { old: None, ..request }, Some(&runs));
        if admitted.is_none() {
            prop_assert!(resolved.is_ok(), "admitted, and then {}", resolved.unwrap_err().message());
        }
        if let Ok(after) = resolved {
            prop_assert!(after.size_gib >= effective.size_gib && after.version >= effective.version);
            prop_assert_eq!(after.database_name, effective.database_name);
        }
    }

    /// A kept server that an empty manifest found again: its defaults are recorded, and something else runs.
    #[test]
    fn a_change_of_a_server_that_was_found_again_can_be_built(
        policy in any::policy(), kept in plain_spec(), other in plain_spec(), which in 0..CHANGES,
    ) {
        let before = open();
        let kept = filled(&before, &kept, None, None, &[]).spec;
        let Ok(effective) = before.resolve(&request("orders", "main", &kept, None), None) else { return Ok(()) };
        let runs = as_the_webhook_sees_it(&built(&effective, &before));
        let stored = filled(&before, &DatabaseSpec::default(), None, None, &[]);
        let wanted = changes(&DatabaseSpec::default(), &other).swap_remove(which).0;
        let new = filled(&policy, &wanted, Some(&stored.spec), Some(&runs), &stored.defaulted);
        let request =
            Request { defaulted: &stored.defaulted, ..request("orders", "main", &new.spec, Some(&stored.spec)) };
        let admitted = policy.judge(&request, Some(&runs)).denial;
        let resolved = policy.resolve(&Request { old: None, ..request }, Some(&runs));
        if admitted.is_none() {
            prop_assert!(resolved.is_ok(), "admitted, and then {}", resolved.unwrap_err().message());
        }
    }

    /// What was made and isn't touched is built again as it is, whatever the policy has become.
    #[test]
    fn a_new_policy_builds_what_is_there_as_it_is(policy in any::policy(), first in plain_spec()) {
        let before = open();
        let stored = filled(&before, &first, None, None, &[]);
        let request = Request { defaulted: &stored.defaulted, ..request("orders", "main", &stored.spec, None) };
        let Ok(effective) = before.resolve(&request, None) else { return Ok(()) };
        let after = policy.resolve(&request, Some(&built(&effective, &before)));
        let after = after.map_err(|denial| denial.message());
        prop_assert_eq!(after, Ok(crate::Effective { profile: "any".into(), ..effective }));
    }

    #[test]
    fn defaults_are_idempotent(
        policy in any::policy(), new in any_spec(), old in option::of(any_spec()), runs in option::of(recorded()),
        are_defaults in any::<[bool; 5]>(),
    ) {
        let notes = notes_of(old.as_ref().unwrap_or(&new), are_defaults);
        // As the controller fills in, and as the webhook does.
        let shown = runs.as_ref().map(as_the_webhook_sees_it);
        for (old, runs) in [(None, &runs), (old.as_ref(), &shown)] {
            let fill = |spec: &DatabaseSpec, old, notes: &[_]| filled(&policy, spec, old, runs.as_ref(), notes);
            let once = fill(&new, old, &notes);
            prop_assert_eq!(&once, &fill(&once.spec, old, &once.defaulted));
            // And once it is stored, leaving it out changes nothing.
            if old.is_some() {
                prop_assert_eq!(&once, &fill(&once.spec, Some(&once.spec), &once.defaulted));
                let left_out = fill(&DatabaseSpec::default(), Some(&once.spec), &once.defaulted);
                let size = |spec: &DatabaseSpec| spec.storage.as_ref().and_then(|storage| storage.size_gib);
                prop_assert_eq!(size(&left_out.spec), size(&once.spec));
                prop_assert_eq!(left_out.spec.sku, once.spec.sku);
                prop_assert_eq!(left_out.spec.version, once.spec.version);
            }
        }
    }

    #[test]
    fn an_unchanged_spec_is_never_refused(
        policy in any::policy(), stored in any_spec(), runs in option::of(recorded()), are_defaults in any::<[bool; 5]>(),
    ) {
        let notes = notes_of(&stored, are_defaults);
        let request = Request { defaulted: &notes, ..request("orders", "main", &stored, Some(&stored)) };
        let denial = policy.judge(&request, runs.as_ref()).denial;
        let problems = denial.map(|denial| denial.problems).unwrap_or_default();
        // What neither spec nor policy gives can't be built.
        prop_assert!(problems.iter().all(|problem| problem.code == Code::Missing), "{problems:?}");
    }

    #[test]
    fn a_field_that_stays_is_never_judged(
        policy in any::policy(), stored in any_spec(), other in any_spec(), runs in option::of(recorded()),
    ) {
        for (new, fields) in changes(&stored, &other) {
            let verdict = policy.judge(&request("orders", "main", &new, Some(&stored)), runs.as_ref());
            let denied = verdict.denial.into_iter().flat_map(|denial| denial.problems);
            for problem in denied.chain(verdict.warned).chain(verdict.audited) {
                let is_told = fields.iter().any(|field| problem.field.starts_with(field));
                prop_assert!(is_told || problem.code == Code::Missing, "{problem:?} of {fields:?}");
            }
        }
    }

    #[test]
    fn a_default_never_changes_a_server_that_exists(
        policy in any::policy(), major in 16_u16..19,
        sku in prop::sample::select(vec!["Standard_B1ms", "Standard_B20ms", "Standard_D2ds_v5"]),
        actual in prop::sample::select(crate::catalogue::DISK_SIZES_GIB),
    ) {
        // As the webhook stores it: filled in, with the defaults recorded.
        let stored = filled(&policy, &DatabaseSpec::default(), None, None, &[]);
        let runs = spec(json!({"version": major, "sku": sku, "storage": {"sizeGiB": actual}}));
        let recorded = Recorded { is_whole: true, ..runs.into() };
        let request = Request { defaulted: &stored.defaulted, ..request("orders", "main", &stored.spec, None) };
        let effective = policy.resolve(&request, Some(&recorded)).map_err(|denial| denial.message());
        let effective = effective.map(|effective| {
            (effective.version, effective.size.name.clone(), effective.size_gib, effective.settings, effective.defaulted)
        });
        let expected = (major, sku.to_owned(), actual, DatabaseSpec::default(), stored.defaulted);
        prop_assert_eq!(effective, Ok(expected));
    }

    #[test]
    fn a_disk_is_never_built_smaller_than_it_is(
        policy in any::policy(), new in any_spec(), mut runs in recorded(),
        actual in prop::sample::select(crate::catalogue::DISK_SIZES_GIB),
    ) {
        runs.running.storage.get_or_insert_default().size_gib = Some(actual);
        if let Ok(effective) = policy.resolve(&request("orders", "main", &new, None), Some(&runs)) {
            prop_assert!(effective.size_gib >= actual);
        }
    }
}
