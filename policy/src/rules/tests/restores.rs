//! A new database that begins with the data of another one.

use super::*;
use crate::{
    defaults::{fill, leave_to_source},
    document::Namespace,
    restoring::Source,
};

/// What the source has: a version, a size and a disk that no default gives.
fn source() -> Source {
    let running = json!({
        "version": 14, "sku": "Standard_B2s", "storage": {"sizeGiB": 128}, "databaseName": "orders",
        "backup": {"retentionDays": 9},
    });
    Source { comes_along: spec(running).into(), ..Source::default() }
}

fn asked_at() -> Timestamp {
    "2026-11-22T15:00:00Z".parse().unwrap()
}

fn copy(more: &Value) -> DatabaseSpec {
    let mut written = json!({"restoreFrom": {"database": "main", "time": "2026-11-22T12:00:00Z"}});
    written.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    spec(written)
}

#[rstest]
#[case::nothing_else(json!({}), &[])]
#[case::another_size(json!({"sku": "Standard_B1ms"}), &[])]
#[case::a_size_that_is_not_allowed(json!({"sku": "Standard_E96ds_v5"}), &[Code::SkuNotAllowed])]
#[case::ahead(json!({"restoreFrom": {"database": "main", "time": "2026-11-22T15:00:01Z"}}), &[Code::RestoreImpossible])]
#[case::itself(json!({"restoreFrom": {"database": "copy"}}), &[Code::RestoreImpossible])]
#[case::of_another_namespace(json!({"restoreFrom": {"database": "ledger/main"}}), &[Code::RestoreNotAllowed])]
fn a_new_one_is_judged_as_it_becomes(#[case] more: Value, #[case] expected: &[Code]) {
    let (new, source) = (copy(&more), source());
    let request = Request {
        source: Some(&source),
        asked_at: Some(asked_at()),
        ..request("orders", "copy", &new, None)
    };
    assert_eq!(codes(policy().judge(&request, None).denial), expected);
}

/// What is left out is judged as the source has it.
#[test]
fn a_size_of_the_source_that_is_not_allowed_here_is_refused_with_one_that_is() {
    let mut source = source();
    source.comes_along.running.sku = Some("Standard_E96ds_v5".to_owned());
    let new = copy(&json!({}));
    let request = Request { source: Some(&source), ..request("orders", "copy", &new, None) };
    let told = policy().judge(&request, None).denial.unwrap().message();
    assert!(
        told.contains("spec.sku") && told.contains("Standard_E96ds_v5") && told.contains("use "),
        "{told}"
    );
}

/// Its server is kept, or the controller has judged.
#[test]
fn what_nobody_asks_for_is_not_judged() {
    let new = copy(&json!({"restoreFrom": {"database": "ledger/main", "time": "tomorrow"}}));
    assert_eq!(codes(policy().judge(&request("orders", "copy", &new, None), None).denial), []);
}

#[test]
fn of_a_server_it_must_be_said_which_database_is_meant() {
    let id = "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg/providers/\
              Microsoft.DBforPostgreSQL/flexibleServers/legacy";
    let new = copy(&json!({"restoreFrom": {"serverId": id}}));
    let request = Request { asked_at: Some(asked_at()), ..request("orders", "copy", &new, None) };
    let told = policy().judge(&request, None).denial.unwrap().message();
    assert!(told.contains("spec.databaseName is missing") && told.contains("DB123"), "{told}");
}

/// Data keep the version that they have, and a version that is asked for is the policy's matter.
#[test]
fn a_version_that_no_new_database_could_have_comes_with_the_data_alone() {
    let source = source();
    let judge = |spec: DatabaseSpec| {
        let request = Request { source: Some(&source), ..request("orders", "copy", &spec, None) };
        codes(policy().judge(&request, None).denial)
    };
    assert_eq!(judge(copy(&json!({}))), []);
    assert_eq!(judge(copy(&json!({"version": 14}))), []);
    assert!(judge(copy(&json!({"version": 13}))).contains(&Code::VersionOutOfSupport));
}

#[test]
fn what_is_left_out_is_built_as_the_source_has_it() {
    let (new, source) = (copy(&json!({})), source());
    let request = Request { source: Some(&source), ..request("orders", "copy", &new, None) };
    let effective = policy().resolve(&request, None).unwrap();
    let days = effective.settings.backup.unwrap().retention_days;
    assert_eq!((effective.version, effective.size_gib, days), (14, 128, Some(9)));
    assert_eq!((effective.size.name.as_ref(), effective.database_name.as_str()), ("Standard_B2s", "orders"));
}

#[test]
fn no_default_stands_in_the_spec_of_what_the_source_has() {
    let policy = policy();
    let labels = Labels::new();
    let profile = policy.profile(Namespace { name: "orders-prod", labels: Some(&labels) }).unwrap();
    let new = copy(&json!({"sku": "Standard_D4ds_v5"}));
    let mut filled = fill(&new, None, None, profile, &[]);
    assert!(filled.spec.version.is_some() && filled.spec.storage.is_some(), "{filled:?}");
    leave_to_source(&mut filled, &new);
    assert_eq!((&filled.spec.version, &filled.spec.storage), (&None, &None));
    assert_eq!(filled.spec.sku, new.sku, "what is written stays");
    let noted: Vec<&str> = filled.defaulted.iter().map(|note| note.field.as_str()).collect();
    assert!(!noted.contains(&"version") && !noted.contains(&"storage.sizeGiB"), "{noted:?}");
    // Azure restores no standby, so that the profile says.
    assert_eq!(filled.spec.high_availability, profile.defaults.high_availability);
}

#[rstest]
#[case::the_same(json!({"restoreFrom": {"database": "main", "time": "2026-11-22T12:00:00Z"}}), "")]
#[case::left_out(json!({}), "")]
#[case::another_moment(json!({"restoreFrom": {"database": "main"}}), "write back what it was")]
#[case::another_source(json!({"restoreFrom": {"database": "other"}}), "write back what it was")]
fn once_there_is_a_server_it_stays(#[case] new: Value, #[case] says: &str) {
    let (new, old) = (spec(new), copy(&json!({})));
    let request = Request { asked_at: None, ..request("orders", "copy", &new, Some(&old)) };
    let told = policy().judge(&request, Some(&made(&old))).denial.map(|denial| denial.message());
    let told = told.unwrap_or_default();
    assert!(told.contains(says) && told.is_empty() == says.is_empty(), "{told}");
}

/// Somebody believes that it restores in place.
#[test]
fn data_are_never_restored_over_others() {
    let (new, old) = (copy(&json!({})), spec(json!({})));
    let told =
        policy().judge(&request("orders", "copy", &new, Some(&old)), Some(&made(&old))).denial.unwrap();
    insta::assert_snapshot!(told.message());
}
