//! The rules as tables: a spec, and the codes that refuse it.

use jiff::civil::date;
use proptest::prelude::*;
use rstest::{Context, rstest};
use serde_json::{Value, json};

use super::*;
use crate::message;

fn policy() -> Policy {
    Policy::parse(include_str!("../../../examples/policy.yaml")).unwrap()
}

fn spec(value: Value) -> DatabaseSpec {
    serde_json::from_value(value).unwrap()
}

fn judge(namespace: &str, name: &str, new: Value, old: Option<Value>) -> Option<Denial> {
    let (new, old) = (spec(new), old.map(spec));
    let request = Request {
        policy_name: POLICY_NAME,
        namespace,
        name,
        new: &new,
        old: old.as_ref(),
        today: date(2026, 11, 22),
    };
    // Azure has made what is stored.
    let recorded = old.as_ref().map(|old| Recorded {
        version: old.version.as_ref().and_then(api::version::major),
        sku: old.sku.clone(),
        size_gib: old.storage.as_ref().and_then(|storage| storage.size_gib),
        database_name: None,
    });
    policy().judge(&request, recorded.as_ref())
}

fn codes(denial: Option<Denial>) -> Vec<Code> {
    denial.map(|denial| denial.codes()).unwrap_or_default()
}

#[rstest]
#[case::empty(json!({}), &[])]
#[case::rfc_version(json!({"version": 17}), &[])]
#[case::rfc_sku(json!({"sku": "Standard_B1ms"}), &[])]
#[case::string_version(json!({"version": "18"}), &[])]
#[case::case_does_not_matter(json!({"sku": "standard_b2S"}), &[])]
#[case::not_allowed(json!({"sku": "Standard_E64ds_v5"}), &[Code::SkuNotAllowed])]
#[case::no_such_size(json!({"sku": "banana"}), &[Code::SkuUnknown])]
#[case::unknown_version(json!({"version": 9}), &[Code::VersionOutOfSupport])]
#[case::word_for_version(json!({"version": "latest"}), &[Code::VersionOutOfSupport])]
#[case::retired(json!({"version": 14}), &[Code::VersionOutOfSupport])]
#[case::version_not_allowed(json!({"version": 15}), &[Code::VersionNotAllowed])]
#[case::both(json!({"version": 9, "sku": "banana"}), &[Code::VersionOutOfSupport, Code::SkuUnknown])]
#[case::no_disk_of_that_size(json!({"storage": {"sizeGiB": 33}}), &[Code::StorageSize])]
#[case::too_large(json!({"storage": {"sizeGiB": 512}}), &[Code::StorageLimit])]
#[case::at_the_limit(json!({"storage": {"sizeGiB": 256}}), &[])]
#[case::database_name(json!({"databaseName": "orders_v2"}), &[])]
#[case::database_name_shape(json!({"databaseName": "1st"}), &[Code::Name])]
#[case::reserved(json!({"databaseName": "Postgres"}), &[Code::Name])]
#[case::not_yet(json!({"highAvailability": "ZoneRedundant", "extensions": ["vector"]}), &[Code::NotAvailable])]
#[case::no_effect_is_fine(json!({"highAvailability": "Disabled", "authentication": "Identity", "extensions": []}), &[])]
#[case::each_field_not_yet(json!({"storage": {"tier": "P10"}}), &[Code::NotAvailable])]
#[case::parameters_not_yet(json!({"parameters": {"work_mem": "16384"}}), &[Code::NotAvailable])]
fn a_new_database_is_judged_whole(#[case] new: Value, #[case] expected: &[Code]) {
    assert_eq!(codes(judge("orders", "main", new, None)), expected);
}

#[rstest]
#[case("main", &[])]
#[case("1st", &[Code::Name])] // becomes the database 1st, which PostgreSQL would have to quote
#[case("with.dot", &[Code::Name])]
#[case("postgres", &[Code::Name])]
fn the_name_must_do_for_all_that_is_derived_from_it(#[case] name: &str, #[case] expected: &[Code]) {
    assert_eq!(codes(judge("orders", name, json!({}), None)), expected);
}

#[rstest]
#[case::nothing_changed(json!({"version": 14, "sku": "Standard_E64ds_v5"}), json!({"version": "14", "sku": "standard_e64ds_v5"}), &[])]
#[case::only_the_change(json!({"version": 14, "sku": "Standard_E64ds_v5"}), json!({"version": 14, "sku": "Standard_E32ds_v5"}), &[Code::SkuNotAllowed])]
#[case::upgrade(json!({"version": 16}), json!({"version": 17}), &[])]
#[case::downgrade(json!({"version": 17}), json!({"version": 16}), &[Code::VersionDowngrade])]
#[case::growth(json!({"storage": {"sizeGiB": 32}}), json!({"storage": {"sizeGiB": 64}}), &[])]
#[case::shrink(json!({"storage": {"sizeGiB": 64}}), json!({"storage": {"sizeGiB": 32}}), &[Code::StorageShrink])]
#[case::left_out_again(json!({"version": 18, "storage": {"sizeGiB": 64}}), json!({}), &[])]
#[case::renamed(json!({}), json!({"databaseName": "other"}), &[Code::CreateOnly])]
#[case::named_as_it_is(json!({}), json!({"databaseName": "main"}), &[])]
#[case::name_left_out(json!({"databaseName": "other"}), json!({}), &[])]
fn an_update_is_judged_by_what_it_changes(#[case] old: Value, #[case] new: Value, #[case] expected: &[Code]) {
    assert_eq!(codes(judge("orders", "main", new, Some(old))), expected);
}

#[rstest]
#[case::not_made_yet(None, &[])]
#[case::refused_by_azure(Some((16, 32)), &[])]
#[case::fulfilled(Some((17, 64)), &[Code::VersionDowngrade, Code::StorageShrink])]
#[case::grown_by_itself(Some((16, 128)), &[Code::StorageShrink])]
fn a_wish_that_azure_has_not_fulfilled_can_be_taken_back(
    #[case] running: Option<(u16, i32)>,
    #[case] expected: &[Code],
) {
    let old = spec(json!({"version": 17, "storage": {"sizeGiB": 64}}));
    let new = spec(json!({"version": 16, "storage": {"sizeGiB": 32}}));
    let recorded = running.map(|(version, size)| Recorded {
        version: Some(version),
        size_gib: Some(size),
        ..Recorded::default()
    });
    let request = Request {
        policy_name: POLICY_NAME,
        namespace: "orders",
        name: "main",
        new: &new,
        old: Some(&old),
        today: date(2026, 11, 22),
    };
    assert_eq!(codes(policy().judge(&request, recorded.as_ref())), expected);
}

#[test]
fn a_kept_database_keeps_its_name_when_the_manifest_leaves_it_out() {
    let new = spec(json!({}));
    let request = Request {
        policy_name: POLICY_NAME,
        namespace: "orders",
        name: "main",
        new: &new,
        old: None,
        today: date(2026, 11, 22),
    };
    let recorded = Recorded { database_name: Some("orders_v1".into()), ..Recorded::default() };
    let effective = policy().resolve(&request, Some(&recorded), &[]).unwrap();
    assert_eq!(effective.database_name, "orders_v1");
}

#[test]
fn a_stricter_policy_leaves_old_databases_alone() {
    let old = json!({"sku": "Standard_B2s", "storage": {"sizeGiB": 32}, "version": 17});
    let new = json!({"sku": "Standard_B2s", "storage": {"sizeGiB": 64}, "version": 17});
    assert_eq!(codes(judge("orders-prod", "main", new, Some(old))), &[]);
}

#[rstest]
#[case::sku_not_allowed("orders", json!({"sku": "Standard_E64ds_v5"}))]
#[case::two_problems("orders", json!({"version": 9, "sku": "banana"}))]
#[case::production("orders-prod", json!({"sku": "Standard_E64ds_v5", "version": 11}))]
#[case::misspelt("orders", json!({"sku": "Standard_B1m"}))]
#[case::storage("orders", json!({"storage": {"sizeGiB": 100}}))]
#[case::storage_limit("orders", json!({"storage": {"sizeGiB": 1024}}))]
#[case::not_available("orders", json!({"highAvailability": "SameZone", "backup": {"retentionDays": 14}}))]
#[case::database_name("orders", json!({"databaseName": "or ders"}))]
fn the_message_says_what_to_write(#[context] context: Context, #[case] namespace: &str, #[case] new: Value) {
    insta::assert_snapshot!(
        context.description.unwrap(),
        judge(namespace, "main", new, None).unwrap().message()
    );
}

#[test]
fn the_message_of_an_update_says_what_to_write_back() {
    let old = json!({"version": 17, "storage": {"sizeGiB": 64}, "databaseName": "a"});
    let new = json!({"version": 16, "storage": {"sizeGiB": 32}, "databaseName": "b"});
    insta::assert_snapshot!(judge("orders", "main", new, Some(old)).unwrap().message());
}

/// Specs as people write them, with whatever text in them.
fn any_spec() -> impl Strategy<Value = DatabaseSpec> {
    let version = prop_oneof![
        Just(None),
        (0..25).prop_map(|version| Some(json!(version))),
        ".{0,80}".prop_map(|text| Some(json!(text))),
    ];
    let sku = prop_oneof![
        Just(None),
        prop::sample::select(crate::catalogue::sizes().to_vec()).prop_map(|size| Some(json!(size.name))),
        ".{0,200}".prop_map(|text| Some(json!(text))),
    ];
    let size = prop_oneof![
        Just(None),
        prop::sample::select(crate::catalogue::DISK_SIZES_GIB)
            .prop_map(|size| Some(json!({"sizeGiB": size}))),
        any::<i32>().prop_map(|size| Some(json!({"sizeGiB": size}))),
    ];
    let name = prop_oneof![
        Just(None),
        "[a-z_-]{1,70}".prop_map(|n| Some(json!(n))),
        ".{0,80}".prop_map(|n| Some(json!(n)))
    ];
    (version, sku, size, name).prop_map(|(version, sku, storage, database_name)| {
        spec(json!({"version": version, "sku": sku, "storage": storage, "databaseName": database_name}))
    })
}

proptest! {
    #[test]
    fn a_denial_is_one_line_that_no_tool_stumbles_over(new in any_spec(), old in proptest::option::of(any_spec())) {
        let request = Request {
            policy_name: POLICY_NAME, namespace: "orders", name: "main",
            new: &new, old: old.as_ref(), today: date(2026, 11, 22),
        };
        if let Some(denial) = policy().judge(&request, None) {
            let text = denial.message();
            prop_assert!(text.chars().count() <= message::LONGEST, "{}", text);
            prop_assert!(!text.contains(char::is_control), "{text:?}");
            let lower = text.to_lowercase();
            prop_assert!(!lower.contains("immutable") && !text.contains("map["), "{text}");
            prop_assert_eq!(text, policy().judge(&request, None).unwrap().message());
        }
    }

    #[test]
    fn what_is_admitted_can_be_built(new in any_spec()) {
        let request = Request {
            policy_name: POLICY_NAME, namespace: "orders", name: "main",
            new: &new, old: None, today: date(2026, 11, 22),
        };
        let admitted = policy().judge(&request, None).is_none();
        prop_assert_eq!(policy().resolve(&request, None, &[]).is_ok(), admitted);
    }

    #[test]
    fn defaults_are_idempotent(new in any_spec(), old in proptest::option::of(any_spec())) {
        let policy = policy();
        let profile = policy.profile("orders").unwrap();
        let once = defaults::fill(&new, old.as_ref(), None, profile, &[]);
        let twice = defaults::fill(&once.spec, old.as_ref(), None, profile, &[]);
        prop_assert_eq!(once.spec, twice.spec);
    }

    #[test]
    fn an_unchanged_spec_is_never_refused(stored in any_spec()) {
        let request = Request {
            policy_name: POLICY_NAME, namespace: "orders", name: "main",
            new: &stored, old: Some(&stored), today: date(2026, 11, 22),
        };
        if let Some(denial) = policy().judge(&request, None) {
            // A field without effect is refused whenever it is there: it was never let in.
            prop_assert_eq!(denial.codes(), vec![Code::NotAvailable]);
        }
    }

    #[test]
    fn a_default_never_changes_a_server_that_exists(
        major in 16_u16..19,
        sku in prop::sample::select(vec!["Standard_B1ms", "Standard_B20ms", "Standard_D2ds_v5"]),
        actual in prop::sample::select(crate::catalogue::DISK_SIZES_GIB),
    ) {
        let policy = policy();
        let nothing = DatabaseSpec::default();
        // As the webhook stores it: filled in, and noted.
        let stored = defaults::fill(&nothing, None, None, policy.profile("orders").unwrap(), &[]);
        let recorded = Recorded {
            version: Some(major), sku: Some(sku.into()), size_gib: Some(actual), database_name: None,
        };
        let request = Request {
            policy_name: POLICY_NAME, namespace: "orders", name: "main",
            new: &stored.spec, old: None, today: date(2026, 11, 22),
        };
        let effective = policy.resolve(&request, Some(&recorded), &stored.defaulted).unwrap();
        prop_assert_eq!(
            (effective.version, effective.size.name.as_str(), effective.size_gib), (major, sku, actual)
        );
        prop_assert_eq!(effective.defaulted, stored.defaulted);
    }

    #[test]
    fn a_disk_is_never_built_smaller_than_it_is(new in any_spec(), actual in prop::sample::select(crate::catalogue::DISK_SIZES_GIB)) {
        let recorded = Recorded { version: Some(17), sku: Some("Standard_B1ms".into()), size_gib: Some(actual), database_name: Some("main".into()) };
        let request = Request {
            policy_name: POLICY_NAME, namespace: "orders", name: "main",
            new: &new, old: None, today: date(2026, 11, 22),
        };
        if let Ok(effective) = policy().resolve(&request, Some(&recorded), &[]) {
            prop_assert!(effective.size_gib >= actual);
        }
    }
}
