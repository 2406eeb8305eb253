#![allow(clippy::needless_pass_by_value, reason = "values written in place read best")]

use jiff::civil::date;
use rstest::rstest;

use super::*;

const POLICY: &str = include_str!("../../../examples/policy.yaml");

fn good() -> PolicyState {
    let data = std::collections::BTreeMap::from([("policy.yaml".to_owned(), POLICY.to_owned())]);
    PolicyState::default().applied(Some(&data))
}

fn ask(hook: Hook, review: &Value, state: &PolicyState) -> Value {
    let basis = Basis { state, policy_name: "database-policy", today: date(2026, 11, 22) };
    let answer = answer(hook, review.to_string().as_bytes(), &basis);
    let answered = serde_json::to_value(answer.review).unwrap();
    // The API server takes no answer without the version that it asked in.
    assert_eq!((&answered["apiVersion"], &answered["kind"]), (&review["apiVersion"], &review["kind"]));
    answered["response"].clone()
}

fn database(spec: Value, annotations: Value) -> Value {
    json!({
        "apiVersion": "altinn.app/v1alpha1", "kind": "Database",
        "metadata": {"name": "main", "namespace": "orders", "annotations": annotations}, "spec": spec,
    })
}

fn review(operation: &str, object: Value, old: Value) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": {"group": "altinn.app", "version": "v1alpha1", "kind": "Database"},
            "resource": {"group": "altinn.app", "version": "v1alpha1", "resource": "databases"},
            "name": if operation == "DELETE" { "" } else { "main" }, "namespace": "orders",
            "operation": operation, "userInfo": {"username": "flux"},
            "object": object, "oldObject": old, "dryRun": false,
        },
    })
}

/// The patch of a response, applied to the object that was sent.
fn patched(mut object: Value, response: &Value) -> Value {
    if let Some(bytes) = response["patch"].as_array() {
        let bytes: Vec<u8> = bytes.iter().map(|byte| u8::try_from(byte.as_u64().unwrap()).unwrap()).collect();
        let patch: json_patch::Patch = serde_json::from_slice(&bytes).unwrap();
        json_patch::patch(&mut object, &patch).unwrap();
    }
    object
}

#[test]
fn an_empty_spec_gets_every_default_and_says_which() {
    let object = database(json!({}), Value::Null);
    let response = ask(Hook::Mutate, &review("CREATE", object.clone(), Value::Null), &good());
    let patched = patched(object, &response);
    assert_eq!(patched["spec"], json!({"version": 17, "sku": "Standard_B1ms", "storage": {"sizeGiB": 32}}));
    assert_eq!(
        patched["metadata"]["annotations"],
        json!({"altinn.app/defaulted": "sku=Standard_B1ms@default,storage.sizeGiB=32@default,version=17@default"})
    );
}

#[rstest]
#[case::no_parents(json!({"metadata": {"name": "main"}, "spec": {}}))]
#[case::null_parents(json!({"metadata": {"name": "main", "annotations": null}, "spec": {"storage": null, "sku": null}}))]
#[case::empty_parents(json!({"metadata": {"name": "main", "annotations": {}}, "spec": {"storage": {}}}))]
fn a_patch_finds_its_parents(#[case] mut object: Value) {
    object["apiVersion"] = json!("altinn.app/v1alpha1");
    object["kind"] = json!("Database");
    let response = ask(Hook::Mutate, &review("CREATE", object.clone(), Value::Null), &good());
    assert_eq!(patched(object, &response)["spec"]["storage"]["sizeGiB"], 32);
}

#[test]
fn a_second_pass_changes_nothing() {
    let object = database(json!({}), Value::Null);
    let first = ask(Hook::Mutate, &review("CREATE", object.clone(), Value::Null), &good());
    let stored = patched(object, &first);
    let second = ask(Hook::Mutate, &review("UPDATE", stored.clone(), stored), &good());
    assert_eq!(second["patch"], Value::Null);
}

#[test]
fn a_user_who_leaves_a_field_out_again_keeps_the_stored_value() {
    let stored =
        database(json!({"version": 16, "sku": "Standard_B2s", "storage": {"sizeGiB": 64}}), Value::Null);
    let object = database(json!({}), Value::Null);
    let response = ask(Hook::Mutate, &review("UPDATE", object.clone(), stored.clone()), &good());
    assert_eq!(patched(object, &response)["spec"], stored["spec"]);
}

#[test]
fn a_denial_is_a_403_with_a_cause_for_each_problem() {
    let object = database(json!({"version": 9, "sku": "banana"}), Value::Null);
    let response = ask(Hook::Validate, &review("CREATE", object, Value::Null), &good());
    assert_eq!(response["allowed"], false);
    assert_eq!(response["uid"], "705ab4f5-6393-11e8-b7cc-42010a800002");
    assert_eq!(response["status"]["code"], 403);
    assert_eq!(response["status"]["reason"], "Forbidden");
    assert!(response["status"]["message"].as_str().unwrap().starts_with("2 problems: (1) spec.version 9"));
    let causes = &response["status"]["details"]["causes"];
    assert_eq!(causes[0]["field"], "spec.version");
    assert_eq!(causes[0]["reason"], "DB103");
    assert_eq!(causes[1]["field"], "spec.sku");
    assert_eq!(response["auditAnnotations"]["codes"], "DB103,DB115");
    assert_eq!(response["auditAnnotations"]["profile"], "default");
}

#[rstest]
#[case::unsaid(json!({}), Some("DB201"))]
#[case::kept(json!({"altinn.app/retention": "Retain"}), None)]
#[case::wrong_case(json!({"altinn.app/retention": "retain"}), Some("DB206"))]
#[case::not_yet(json!({"altinn.app/retention": "Destroy"}), Some("DB206"))]
fn a_delete_is_judged_by_its_annotation(#[case] annotations: Value, #[case] code: Option<&str>) {
    let old = database(json!({}), annotations);
    for state in [good(), PolicyState::Missing] {
        let response = ask(Hook::Validate, &review("DELETE", Value::Null, old.clone()), &state);
        assert_eq!(response["allowed"], code.is_none());
        assert_eq!(response["auditAnnotations"]["codes"].as_str(), code);
    }
}

#[test]
fn the_refusal_of_a_delete_explains_the_two_commits() {
    let old = database(json!({}), json!({}));
    let response = ask(Hook::Validate, &review("DELETE", Value::Null, old), &good());
    insta::assert_snapshot!(response["status"]["message"].as_str().unwrap(), @r#"metadata.annotations[altinn.app/retention] is missing, so nothing says what becomes of the data. It takes two steps (in Git, two commits): set it to "Retain", which keeps the server and its data; when that is applied, delete [DB201]. Policy database-policy, profile default."#);
}

#[rstest]
#[case::finalizer(json!({"finalizers": []}), json!({}), None)]
#[case::spec(json!({}), json!({"sku": "Standard_B2s"}), Some("DB207"))]
#[case::retention(json!({"annotations": {"altinn.app/retention": "Destroy"}}), json!({}), Some("DB207"))]
fn while_it_is_deleted_only_the_finalizer_can_go(
    #[case] metadata: Value,
    #[case] spec: Value,
    #[case] code: Option<&str>,
) {
    let mut old = database(json!({"sku": "Standard_B1ms"}), json!({"altinn.app/retention": "Retain"}));
    old["metadata"]["deletionTimestamp"] = json!("2026-11-22T12:00:00Z");
    let mut new = old.clone();
    json_patch::merge(&mut new, &json!({"metadata": metadata, "spec": spec}));
    let response = ask(Hook::Validate, &review("UPDATE", new, old), &good());
    assert_eq!(response["auditAnnotations"]["codes"].as_str(), code, "{response}");
}

#[rstest]
#[case::missing(PolicyState::Missing, "DB401")]
#[case::broken(PolicyState::Missing.applied(None), "DB401")]
fn without_a_policy_nothing_new_is_admitted_and_finalizers_still_are(
    #[case] state: PolicyState,
    #[case] code: &str,
) {
    let object = database(json!({}), Value::Null);
    let response = ask(Hook::Validate, &review("CREATE", object.clone(), Value::Null), &state);
    assert_eq!(response["auditAnnotations"]["codes"], code);
    let mut labelled = object.clone();
    labelled["metadata"]["labels"] = json!({"a": "b"});
    let response = ask(Hook::Validate, &review("UPDATE", labelled, object), &state);
    assert_eq!(response["allowed"], true);
}

#[rstest]
#[case::no_json("{", "")]
#[case::empty("", "")]
#[case::no_request(r#"{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}"#, "")]
#[case::bad_object(&review("CREATE", database(json!({"sku": 5}), Value::Null), Value::Null).to_string(), "705ab4f5-6393-11e8-b7cc-42010a800002")]
#[case::no_object(&review("CREATE", Value::Null, Value::Null).to_string(), "705ab4f5-6393-11e8-b7cc-42010a800002")]
#[case::no_old_object(&review("DELETE", Value::Null, Value::Null).to_string(), "705ab4f5-6393-11e8-b7cc-42010a800002")]
#[case::other_kind(&review("CREATE", database(json!({}), Value::Null), Value::Null).to_string().replace("altinn.app\",\"kind", "other.example\",\"kind"), "705ab4f5-6393-11e8-b7cc-42010a800002")]
fn what_cannot_be_read_is_denied_in_a_well_formed_review(#[case] body: &str, #[case] uid: &str) {
    let state = good();
    let basis = Basis { state: &state, policy_name: "database-policy", today: date(2026, 11, 22) };
    for hook in [Hook::Mutate, Hook::Validate] {
        let review = serde_json::to_value(answer(hook, body.as_bytes(), &basis).review).unwrap();
        assert_eq!(review["apiVersion"], "admission.k8s.io/v1");
        assert_eq!(review["kind"], "AdmissionReview");
        assert_eq!(review["response"]["uid"], uid);
        if hook == Hook::Mutate {
            // The schema and the validating hook judge it, and say better what is wrong.
            assert_eq!(review["response"]["allowed"], true, "{body}");
            assert_eq!(review["response"]["patch"], Value::Null);
        } else {
            assert_eq!(review["response"]["allowed"], false, "{body}");
            assert_eq!(review["response"]["status"]["code"], 403);
        }
    }
}
