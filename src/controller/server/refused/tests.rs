#![allow(clippy::needless_pass_by_value, reason = "values written in place read best")]

use api::DatabaseRef;
use policy::{Policy, Recorded, Request};
use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::azure::FlexibleServer;

fn effective(spec: Value, recorded: Option<&Recorded>) -> Effective {
    let policy = include_str!("../../../../examples/policy.yaml").replacen(
        "skus: [\"Standard_B*\"]",
        "skus: [\"Standard_*\"]",
        1,
    );
    let policy = Policy::parse(&policy).unwrap();
    let spec = serde_json::from_value(spec).unwrap();
    let whose = DatabaseRef::new("orders", "main");
    let request = Request::new("database-policy", whose, &spec, jiff::civil::date(2026, 11, 22));
    policy.resolve(&request, recorded).unwrap()
}

/// What is wanted beside `running`: each field otherwise.
fn wanted() -> Effective {
    let spec = json!({
        "version": 17, "sku": "Standard_D4ds_v5", "storage": {"sizeGiB": 64, "tier": "P10", "autoGrow": true},
        "highAvailability": "SameZone", "backup": {"retentionDays": 14},
    });
    effective(spec, None)
}

fn running() -> Value {
    json!({
        "version": "16", "sku": {"name": "Standard_D2ds_v5", "tier": "GeneralPurpose"},
        "storage": {"storageSizeGB": 32, "tier": "P4", "autoGrow": "Disabled"},
        "highAvailability": {"mode": "Disabled"}, "backup": {"backupRetentionDays": 7},
    })
}

/// As the builder asks for what is wanted.
fn asked() -> Value {
    json!({
        "version": "17", "sku": {"name": "Standard_D4ds_v5", "tier": "GeneralPurpose"},
        "storage": {"storageSizeGB": 64, "tier": "P10", "autoGrow": "Enabled"},
        "highAvailability": {"mode": "SameZone"}, "backup": {"backupRetentionDays": 14},
    })
}

fn server(spec: Value, condition: (&str, &str, &str)) -> FlexibleServer {
    let (status, severity, reason) = condition;
    let mut object = json!({
        "apiVersion": "dbforpostgresql.azure.com/v20250801", "kind": "FlexibleServer",
        "metadata": {"name": "s", "generation": 2}, "spec": spec, "status": running(),
    });
    object["spec"]["azureName"] = json!("s");
    object["spec"]["owner"] = json!({});
    object["spec"]["location"] = json!("norwayeast");
    object["spec"]["tags"] = json!({"managed-by": "database-operator"});
    object["status"]["id"] = json!("/subscriptions/s/flexibleServers/s");
    object["status"]["conditions"] = json!([{
        "type": "Ready", "status": status, "severity": severity, "reason": reason, "message": "Azure's\nwords",
        "observedGeneration": 2,
    }]);
    serde_json::from_value(object).unwrap()
}

fn known(server: FlexibleServer) -> Known {
    Known::of(server)
}

/// Of generation 2, and ready at this one.
fn database(ready_at: i64) -> Database {
    serde_json::from_value(json!({
        "apiVersion": "altinn.app/v1alpha1", "kind": "Database",
        "metadata": {"name": "main", "namespace": "orders", "generation": 2}, "spec": {},
        "status": {"conditions": [{
            "type": "Ready", "status": "True", "reason": "Ready", "message": "", "observedGeneration": ready_at,
            "lastTransitionTime": "2026-11-22T12:00:00Z",
        }]},
    }))
    .unwrap()
}

const FAILED: (&str, &str, &str) = ("False", "Warning", "MajorVersionUpgradeFailed");

#[test]
fn what_azure_refused_is_remembered_field_by_field_and_held_back() {
    let (wanted, known) = (wanted(), known(server(asked(), FAILED)));
    let refused = refused(&database(1), &known, &wanted).unwrap();
    assert_eq!((refused.generation, refused.code.as_str()), (2, "MajorVersionUpgradeFailed"));
    assert_eq!(refused.message, "Azure's words", "on one line");
    assert_eq!(
        told(&refused.changes),
        "version from 16 to 17, sku from Standard_D2ds_v5 to Standard_D4ds_v5, storage from 32 to 64 GiB, storage tier from \
         P4 to P10, automatic growth from Disabled to Enabled, high availability from Disabled to SameZone, backups from 7 \
         to 14 days"
    );
    assert_eq!(refused.changes.len(), FIELDS.len());
    let held = hold(wanted.clone(), &refused, Catalogue::known());
    assert_eq!(differences(&known, &held), [], "nothing is left to refuse");
    assert_ne!(held, wanted);
}

#[test]
fn one_field_alone_holds_back_itself_alone() {
    let wanted = wanted();
    let change = RefusedField { field: "sku".into(), from: "Standard_D2ds_v5".into(), to: "x".into() };
    let held = hold(
        wanted.clone(),
        &RefusedChange { changes: vec![change], ..RefusedChange::default() },
        Catalogue::known(),
    );
    assert_eq!(held.size.name, "Standard_D2ds_v5");
    assert_eq!(Effective { size: wanted.size.clone(), ..held }, wanted);
}

#[rstest]
#[case::a_field_that_is_none_of_ours("color", "red")]
#[case::a_value_that_cannot_be_read("version", "seventeen")]
#[case::a_size_that_does_not_exist("sku", "huge")]
#[case::a_word_that_is_not_azures("highAvailability", "maybe")]
fn a_status_that_somebody_wrote_by_hand_does_no_harm(#[case] field: &str, #[case] from: &str) {
    let change = RefusedField { field: field.into(), from: from.into(), to: String::new() };
    let refused = RefusedChange { changes: vec![change], ..RefusedChange::default() };
    assert_eq!(hold(wanted(), &refused, Catalogue::known()), wanted());
}

#[rstest]
#[case::refused(FAILED, 1, true)]
#[case::given_up(("False", "Error", "PropertyChangeNotAllowed"), 1, true)]
#[case::of_no_such_size(("False", "Warning", "SkuNotAvailable"), 1, true)]
#[case::by_a_policy(("False", "Warning", "RequestDisallowedByPolicy"), 1, false)]
#[case::for_want_of_quota(("False", "Warning", "QuotaExceeded"), 1, false)]
#[case::nothing_new_is_wanted(FAILED, 2, false)]
#[case::trouble_that_passes(("False", "Warning", "InternalServerError"), 1, false)]
#[case::busy(("False", "Warning", "ServerIsBusy"), 1, false)]
#[case::without_a_right(("False", "Warning", "AuthorizationFailed"), 1, false)]
#[case::under_way(("False", "Info", "Reconciling"), 1, false)]
#[case::done(("True", "", "Succeeded"), 1, false)]
fn a_refusal_is_azures_word_on_what_was_asked(
    #[case] condition: (&str, &str, &str),
    #[case] ready_at: i64,
    #[case] is_refused: bool,
) {
    let refused = refused(&database(ready_at), &known(server(asked(), condition)), &wanted());
    assert_eq!(refused.is_some(), is_refused);
}

#[test]
fn a_word_on_an_older_wish_says_nothing_of_a_new_one() {
    // The object still asks for what runs, or for only a part of what is wanted now.
    assert_eq!(refused(&database(1), &known(server(running(), FAILED)), &wanted()), None);
    let mut part = asked();
    part["sku"]["name"] = json!("Standard_D8ds_v5");
    assert_eq!(refused(&database(1), &known(server(part, FAILED)), &wanted()), None);
}

#[test]
fn a_server_that_is_only_looked_at_or_not_made_refuses_nothing() {
    let mut looking = server(asked(), FAILED);
    looking.spec.tags.clear();
    looking.metadata.annotations = Some([(crate::azure::RECONCILE_POLICY.into(), "skip".into())].into());
    assert_eq!(refused(&database(1), &known(looking), &wanted()), None);
    let mut unmade = server(asked(), FAILED);
    unmade.status.as_mut().unwrap().id = None;
    assert_eq!(refused(&database(1), &known(unmade), &wanted()), None);
}

#[test]
fn what_azure_did_all_the_same_is_not_taken_back() {
    let wanted = wanted();
    let before = known(server(asked(), FAILED));
    let refused = refused(&database(1), &before, &wanted).unwrap();
    let mut database = database(1);
    database.status.as_mut().unwrap().refused = Some(refused.clone());
    let held = |status: Value| {
        let mut server = server(asked(), ("True", "", "Succeeded"));
        let mut now = running();
        json_merge(&mut now, &status);
        now["id"] = json!("/subscriptions/s/flexibleServers/s");
        server.status = Some(serde_json::from_value(now).unwrap());
        held_back(&database, &known(server), wanted.clone(), Catalogue::known())
    };
    // As it was.
    assert_eq!(held(json!({})), (hold(wanted.clone(), &refused, Catalogue::known()), Some(refused.clone())));
    // The upgrade went through, and so did a part of what else was asked for.
    let (effective, left) = held(json!({"version": "17", "sku": asked()["sku"]}));
    assert_eq!((effective.version, effective.size.name.as_str()), (17, "Standard_D4ds_v5"));
    assert_eq!((effective.size_gib, left.unwrap().changes.len()), (32, FIELDS.len() - 2));
    // A disk that has grown meanwhile, to another size than was asked for.
    assert_eq!(
        held(json!({"storage": {"storageSizeGB": 128, "tier": "P4", "autoGrow": "Disabled"}})).0.size_gib,
        128
    );
    // All of it.
    assert_eq!(held(asked()), (wanted.clone(), None));
}

fn json_merge(old: &mut Value, new: &Value) {
    for (key, value) in new.as_object().unwrap() {
        old[key] = value.clone();
    }
}

#[test]
fn a_refusal_stands_until_the_spec_is_another_one() {
    let mut database = database(1);
    assert_eq!(standing(&database), None);
    let refused = RefusedChange { generation: 2, ..RefusedChange::default() };
    database.status.as_mut().unwrap().refused = Some(refused.clone());
    assert_eq!(standing(&database), Some(&refused));
    database.metadata.generation = Some(3);
    assert_eq!(standing(&database), None);
}
