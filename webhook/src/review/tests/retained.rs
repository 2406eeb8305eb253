//! The record of data that are kept.

use super::*;

fn record(until: Option<&str>, annotations: &Value, reason: &str) -> Value {
    json!({
        "apiVersion": "altinn.app/v1alpha1", "kind": "RetainedDatabase",
        "metadata": {"name": "x", "namespace": "database-operator", "annotations": annotations},
        "spec": {
            "database": "orders/main", "server": {"name": "x"}, "reason": "Deleted",
            "since": "2026-11-01T12:00:00Z", "until": until,
        },
        "status": {"conditions": [{
            "type": "Ready", "status": "True", "reason": reason, "message": "", "lastTransitionTime": "2026-11-01T12:00:00Z",
        }]},
    })
}

fn ask_for(operation: &str, object: Value, old: Value) -> Value {
    let mut review = review(operation, object, old);
    review["request"]["kind"]["kind"] = json!("RetainedDatabase");
    review["request"]["name"] = json!("x");
    ask(Hook::Retained, &review, &good())
}

#[rstest]
#[case::kept("Kept", json!({"uid": "u"}), Some("DB210"))]
#[case::being_destroyed("Destroying", json!({"uid": "u", "destroy": {"requestedAt": "2026-11-02T12:00:00Z"}}), Some("DB210"))]
#[case::back("Recovered", json!({"uid": "u", "settled": "Recovered"}), None)]
#[case::at_its_end("Destroyed", json!({"uid": "u", "settled": "Destroyed"}), None)]
#[case::by_words_alone("Destroyed", json!({"uid": "u"}), Some("DB210"))]
#[case::of_an_older_version("Destroyed", json!({}), None)]
#[case::of_an_older_version_and_kept("Kept", json!({}), Some("DB210"))]
fn a_record_goes_only_when_it_is_settled(
    #[case] reason: &str,
    #[case] status: Value,
    #[case] code: Option<&str>,
) {
    let mut record = record(None, &json!({}), reason);
    record["status"].as_object_mut().unwrap().extend(status.as_object().unwrap().clone());
    let response = ask_for("DELETE", Value::Null, record);
    assert_eq!(response["auditAnnotations"]["codes"].as_str(), code);
}

#[rstest]
#[case::put_off(Some("2026-12-24T12:00:00Z"), json!({}), None)]
#[case::for_ever(None, json!({}), None)]
#[case::today(Some("2026-11-22T23:00:00Z"), json!({}), Some("DB211"))]
#[case::unconfirmed(Some("2026-12-01T12:00:00Z"), json!({"altinn.app/retention": "Destroy"}), Some("DB202"))]
#[case::both(Some("2026-11-22T23:00:00Z"), json!({"altinn.app/retention": "Destroy"}), Some("DB202,DB211"))]
#[case::confirmed(
    Some("2026-12-01T12:00:00Z"),
    json!({"altinn.app/retention": "Destroy", "altinn.app/confirm-destroy": "orders/main@2026-11-23"}),
    None
)]
fn its_end_is_edited_with_care(
    #[case] until: Option<&str>,
    #[case] annotations: Value,
    #[case] code: Option<&str>,
) {
    let old = record(Some("2026-12-01T12:00:00Z"), &json!({}), "KeptUntil");
    let response = ask_for("UPDATE", record(until, &annotations, "KeptUntil"), old);
    assert_eq!(response["auditAnnotations"]["codes"].as_str(), code, "{response}");
}

#[rstest]
#[case::as_the_operator_writes_it(json!({}), json!({}), None)]
#[case::that_ended_long_ago(json!({"until": "2026-11-02T12:00:00Z"}), json!({}), Some("DB211"))]
#[case::that_ends_today(json!({"until": "2026-11-22T23:00:00Z"}), json!({}), Some("DB211"))]
#[case::that_ends_later(json!({"until": "2026-12-24T12:00:00Z"}), json!({}), None)]
#[case::of_no_database(json!({"database": "main"}), json!({}), Some("DB214"))]
#[case::of_the_data_of_others(json!({"formerly": "theirs/main"}), json!({}), Some("DB214"))]
#[case::that_destroys(
    json!({}),
    json!({"altinn.app/retention": "Destroy", "altinn.app/confirm-destroy": "orders/main@2026-11-23"}),
    Some("DB214")
)]
fn a_record_that_comes_back_is_judged_as_one_that_is_changed(
    #[case] spec: Value,
    #[case] annotations: Value,
    #[case] code: Option<&str>,
) {
    let mut new = record(None, &annotations, "Kept");
    new["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    let response = ask_for("CREATE", new, Value::Null);
    assert_eq!(response["auditAnnotations"]["codes"].as_str(), code, "{response}");
}

#[rstest]
#[case::since("since", json!("2026-11-20T12:00:00Z"))]
#[case::server("server", json!({"name": "y"}))]
#[case::database("database", json!("sales/main"))]
#[case::namespace("namespaceUid", json!("u"))]
fn what_a_record_tells_stays(#[case] field: &str, #[case] value: Value) {
    let (old, mut new) = (record(None, &json!({}), "Kept"), record(None, &json!({}), "Kept"));
    new["spec"][field] = value;
    let response = ask_for("UPDATE", new, old);
    let codes = response["auditAnnotations"]["codes"].as_str().unwrap_or_default();
    assert!(codes.contains("DB214"), "{response}");
}

#[rstest]
#[case::allowed("reports/old", "reports/main", None)]
#[case::not_allowed("orders/main", "reports/main", Some("DB213"))]
#[case::no_database("orders/main", "reports", Some("DB213"))]
fn it_is_given_to_another_database_only_where_the_policy_lets_it(
    #[case] from: &str,
    #[case] to: &str,
    #[case] code: Option<&str>,
) {
    let [mut old, mut new] = [(); 2].map(|()| record(None, &json!({}), "Kept"));
    old["spec"]["database"] = json!(from);
    new["spec"]["database"] = json!(to);
    new["spec"]["formerly"] = json!(from);
    let response = ask_for("UPDATE", new, old);
    assert_eq!(response["auditAnnotations"]["codes"].as_str(), code, "{response}");
}

#[test]
fn without_its_namespace_the_profile_counts_that_it_had() {
    // Nobody knows the labels of a namespace that is gone.
    let by_labels = with_policy(&POLICY.replace("names: [\"*-prod\"]", "labels: {env: prod}"));
    let ask = |profile: Option<&str>| {
        let [mut old, mut new] = [(); 2].map(|()| record(None, &json!({}), "Kept"));
        old["spec"]["profile"] = json!(profile);
        new["spec"] = old["spec"].clone();
        new["spec"]["until"] = json!("2026-12-01T12:00:00Z");
        let mut review = review("UPDATE", new, old);
        review["request"]["kind"]["kind"] = json!("RetainedDatabase");
        let response = super::ask(Hook::Retained, &review, &by_labels);
        response["auditAnnotations"]["codes"].as_str().map(str::to_owned)
    };
    assert_eq!(ask(Some("default")), None);
    assert_eq!(ask(Some("never-heard-of")).as_deref(), Some("DB208"));
    assert_eq!(ask(None).as_deref(), Some("DB208"));
}

#[test]
fn a_record_that_can_not_be_read_is_refused() {
    let mut broken = record(None, &json!({}), "Kept");
    broken["spec"]["until"] = json!("soon");
    let response = ask_for("UPDATE", broken, record(None, &json!({}), "Kept"));
    assert_eq!(response["auditAnnotations"]["codes"], "DB501");
}

#[test]
fn the_namespace_of_the_operator_goes_only_without_records() {
    let kept = |names: &[&str]| Facts {
        kept: Some(Objects {
            some: names.iter().map(|name| format!("database-operator/{name}")).collect(),
            count: names.len(),
        }),
        ..inside(&[])
    };
    let response = delete_namespace(&kept(&["x"]));
    assert_eq!(response["auditAnnotations"]["codes"], "DB301");
    assert!(response["status"]["message"].as_str().unwrap().contains("database-operator/x"), "{response}");
    assert_eq!(delete_namespace(&kept(&[]))["allowed"], true);
}
