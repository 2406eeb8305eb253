//! A stored Database that can't be read, as after a change of the CRD: it can be repaired, changed beside its spec, and
//! deleted by its own rules, and nothing more than that.

use super::*;

/// As it was created in a namespace of the profile `production`, before the CRD was changed.
fn whole() -> Value {
    json!({
        "version": 17, "sku": "Standard_D2ds_v5", "storage": {"sizeGiB": 128}, "highAvailability": "SameZone",
        "backup": {"geoRedundant": true}, "databaseName": "orders",
    })
}

fn server() -> Value {
    json!({"databaseName": "orders", "server": {
        "name": "n", "id": "/subscriptions/s", "version": "17", "sku": "Standard_D2ds_v5", "sizeGiB": 128,
    }})
}

fn merged(mut object: Value, change: &Value) -> Value {
    json_patch::merge(&mut object, change);
    object
}

fn stored(change: Value, status: Value) -> Value {
    let mut database = database(merged(whole(), &change), json!({}));
    database["metadata"]["namespace"] = json!("orders-prod");
    database["status"] = status;
    database
}

fn update(old: &Value, new: Value) -> Value {
    let mut review = review("UPDATE", new, old.clone());
    review["request"]["namespace"] = json!("orders-prod");
    let response = ask(Hook::Validate, &review, &good());
    assert_eq!(response["allowed"].as_bool().unwrap(), response["auditAnnotations"]["codes"].is_null());
    response
}

fn codes(response: &Value) -> Option<&str> {
    response["auditAnnotations"]["codes"].as_str()
}

/// What a readable one would be refused, one that can't be read is refused, too.
#[rstest]
#[case::repaired(json!({}), None)]
#[case::repaired_and_grown(json!({"storage": {"sizeGiB": 256}}), None)]
#[case::smaller(json!({"storage": {"sizeGiB": 64}}), Some("DB105"))]
#[case::older(json!({"version": 16}), Some("DB104"))]
#[case::renamed(json!({"databaseName": "payments"}), Some("DB110"))]
#[case::backed_up_elsewhere(json!({"backup": {"geoRedundant": false}}), Some("DB110"))]
#[case::not_allowed(json!({"sku": "Standard_E64ds_v5"}), Some("DB101"))]
#[case::not_allowed_and_what_it_is_when_left_out(json!({"highAvailability": "Disabled"}), Some("DB109"))]
#[case::not_allowed_and_left_out(json!({"highAvailability": null}), Some("DB109"))]
#[case::still_unreadable(json!({"highAvailability": "Upside"}), Some("DB109"))]
fn one_that_can_not_be_read_is_repaired_by_the_rules_of_one_that_can(
    #[case] change: Value,
    #[case] code: Option<&str>,
) {
    let old = stored(json!({"highAvailability": "Sideways"}), server());
    let new = merged(stored(json!({}), server()), &json!({"spec": change}));
    let response = update(&old, new.clone());
    assert_eq!(codes(&response), code, "{response}");
}

#[rstest]
#[case::size(json!({"storage": {"sizeGiB": "128Gi"}}), json!({"storage": {"sizeGiB": 64}}), "DB105")]
#[case::version(json!({"version": {"major": 17}}), json!({"version": 16}), "DB104")]
#[case::name(json!({"databaseName": 7}), json!({"databaseName": "payments"}), "DB110")]
#[case::all_of_the_storage(json!({"storage": "128Gi"}), json!({"storage": {"sizeGiB": 64}}), "DB105")]
#[case::size_by_policy(json!({"sku": 2}), json!({"sku": "Standard_E64ds_v5"}), "DB101")]
fn what_the_status_records_stands_in_for_what_can_not_be_read(
    #[case] broken: Value,
    #[case] change: Value,
    #[case] code: &str,
) {
    let old = stored(broken, server());
    let repaired = stored(json!({}), server());
    assert_eq!(codes(&update(&old, repaired.clone())), None);
    assert_eq!(codes(&update(&old, merged(repaired, &json!({"spec": change})))), Some(code));
}

#[rstest]
#[case::nowhere_recorded(json!({"backup": {"geoRedundant": "yes"}}), json!({}))]
#[case::size_not_recorded(json!({"storage": {"sizeGiB": "128Gi"}}), json!({"server": {"sizeGiB": null}}))]
#[case::size_recorded_unreadably(json!({"storage": {"sizeGiB": "128Gi"}}), json!({"server": {"sizeGiB": "128Gi"}}))]
#[case::server_recorded_unreadably(json!({"version": []}), json!({"server": 5}))]
#[case::name_not_recorded(json!({"databaseName": 7}), json!({"databaseName": null}))]
fn what_is_fixed_and_known_nowhere_is_not_guessed(#[case] broken: Value, #[case] status: Value) {
    let old = stored(broken, merged(server(), &status));
    let response = update(&old, stored(json!({}), server()));
    assert_eq!(codes(&response), Some("DB501"), "{response}");
    let message = response["status"]["message"].as_str().unwrap();
    assert!(message.starts_with("spec.") && message.contains("can't be read as it is stored"), "{message}");
}

#[test]
fn before_there_is_a_server_anything_that_is_allowed_repairs_it() {
    let old = stored(json!({"storage": {"sizeGiB": "128Gi"}, "backup": 7}), Value::Null);
    assert_eq!(codes(&update(&old, stored(json!({"storage": {"sizeGiB": 32}}), Value::Null))), None);
}

#[rstest]
#[case::finalizer(json!({"finalizers": []}))]
#[case::retention(json!({"annotations": {"altinn.app/retention": "Retain"}}))]
fn what_stands_beside_a_spec_that_can_not_be_read_is_free(
    #[case] metadata: Value,
    #[values(json!(null), json!("2026-11-22T12:00:00Z"))] going: Value,
) {
    let mut old = stored(json!({"highAvailability": "Sideways"}), json!("Ready"));
    old["metadata"]["deletionTimestamp"] = going;
    let new = merged(old.clone(), &json!({"metadata": metadata}));
    assert_eq!(codes(&update(&old, new.clone())), None);
    let mut review = review("UPDATE", new, old);
    review["request"]["namespace"] = json!("orders-prod");
    let response = ask(Hook::Mutate, &review, &good());
    assert_eq!((&response["allowed"], &response["patch"]), (&json!(true), &Value::Null));
}

#[test]
fn while_it_is_deleted_a_spec_that_can_not_be_read_stays() {
    let mut old = stored(json!({"highAvailability": "Sideways"}), server());
    old["metadata"]["deletionTimestamp"] = json!("2026-11-22T12:00:00Z");
    let repaired = merged(old.clone(), &json!({"spec": {"highAvailability": "SameZone"}}));
    assert_eq!(codes(&update(&old, repaired)), Some("DB207"));
    let worse =
        merged(old.clone(), &json!({"metadata": {"annotations": {"altinn.app/retention": "Destroy"}}}));
    assert_eq!(codes(&update(&old, worse)), Some("DB205"));
}

#[rstest]
#[case::unsaid(json!({}), Some("DB201"))]
#[case::wrong_case(json!({"altinn.app/retention": "retain"}), Some("DB206"))]
#[case::kept(json!({"altinn.app/retention": "Retain"}), None)]
fn its_delete_is_judged_by_its_annotations_alone(
    #[case] annotations: Value,
    #[case] code: Option<&str>,
    #[values(json!("large"), json!({"highAvailability": "Sideways"}), json!(null))] spec: Value,
) {
    let mut old = stored(json!({}), json!({"server": 5}));
    old["spec"] = spec;
    old["metadata"]["annotations"] = annotations;
    let response = ask(Hook::Validate, &review("DELETE", Value::Null, old), &good());
    assert_eq!(codes(&response), code, "{response}");
}

#[test]
fn what_the_status_says_of_other_things_stands_in_nobodys_way() {
    let status = merged(server(), &json!({"provisioningState": "Asleep", "conditions": {"Ready": true}}));
    let old = stored(json!({}), status);
    assert_eq!(
        codes(&update(&old, merged(old.clone(), &json!({"spec": {"storage": {"sizeGiB": 256}}})))),
        None
    );
    let smaller = merged(old.clone(), &json!({"spec": {"storage": {"sizeGiB": 64}}}));
    assert_eq!(codes(&update(&old, smaller)), Some("DB105"));
}
