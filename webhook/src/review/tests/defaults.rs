//! What the mutating webhook fills in, and what it leaves.

use super::*;

/// The patch of a response, applied to the object that was sent.
pub(super) fn patched(mut object: Value, response: &Value) -> Value {
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
fn what_others_wrote_is_not_touched() {
    let mut object =
        database(json!({}), json!({"example.com/owner": "us", "altinn.app/retention": "Retain"}));
    object["metadata"]["managedFields"] = json!([{"manager": "flux", "fieldsV1": {"f:spec": {}}}]);
    let response = ask(Hook::Mutate, &review("CREATE", object.clone(), Value::Null), &good());
    let metadata = patched(object.clone(), &response)["metadata"].clone();
    assert_eq!(metadata["managedFields"], object["metadata"]["managedFields"]);
    let annotations = metadata["annotations"].as_object().unwrap();
    assert_eq!(annotations.len(), 3, "{annotations:?}");
    assert_eq!(
        (&annotations["example.com/owner"], &annotations["altinn.app/retention"]),
        (&json!("us"), &json!("Retain"))
    );
}

#[test]
fn a_second_pass_changes_nothing() {
    let object = database(json!({}), Value::Null);
    let first = ask(Hook::Mutate, &review("CREATE", object.clone(), Value::Null), &good());
    let stored = patched(object, &first);
    let second = ask(Hook::Mutate, &review("UPDATE", stored.clone(), stored), &good());
    assert_eq!(second["patch"], Value::Null);
}

/// `reinvocationPolicy: IfNeeded`: without the notes a server that was kept would be taken for one that is to change.
#[rstest]
#[case::creation("CREATE", Value::Null)]
#[case::update_of_what_has_no_value("UPDATE", database(json!({}), Value::Null))]
fn a_second_pass_over_the_same_request_keeps_what_was_noted(#[case] operation: &str, #[case] old: Value) {
    let object = database(json!({}), Value::Null);
    let first = ask(Hook::Mutate, &review(operation, object.clone(), old.clone()), &good());
    let second = ask(Hook::Mutate, &review(operation, patched(object, &first), old), &good());
    assert_eq!(second["patch"], Value::Null);
}

/// It may stand in Git, as that of an exported object does, and would come back with each apply.
#[rstest]
#[case::another_value("sku=Standard_B2s@default")]
#[case::another_profile("sku=Standard_B1ms@production")]
#[case::anything("exported")]
fn a_note_that_no_pass_wrote_is_left_as_it_is(
    #[case] note: &str,
    #[values(Value::Null, database(json!({"version": 17}), json!({"altinn.app/defaulted": "x"})))] old: Value,
) {
    let spec = json!({"version": 17, "sku": "Standard_B1ms", "storage": {"sizeGiB": 32}});
    let object = database(spec, json!({"altinn.app/defaulted": note}));
    let operation = if old.is_null() { "CREATE" } else { "UPDATE" };
    assert_eq!(ask(Hook::Mutate, &review(operation, object, old), &good())["patch"], Value::Null);
}

/// The API server answers 422 to more than 256 KiB of annotations, and tools delete because of that.
#[rstest]
#[case::room_to_the_byte(0, true)]
#[case::a_byte_too_much(1, false)]
fn a_note_that_has_no_room_is_left_out_with_the_defaults_and_told(#[case] more: usize, #[case] filled: bool) {
    let note = "sku=Standard_B1ms@default,storage.sizeGiB=32@default,version=17@default";
    let size = 256 * 1024 - "altinn.app/defaulted".len() - note.len() - "a.b".len() + more;
    let object = database(json!({}), json!({"a.b": "x".repeat(size - 2) + "\n\""}));
    let response = ask(Hook::Mutate, &review("CREATE", object.clone(), Value::Null), &good());
    assert_eq!(response["allowed"], true);
    assert_eq!(response["patch"].is_null(), !filled);
    assert_eq!(response["warnings"].is_null(), filled);
    assert_eq!(
        patched(object, &response)["metadata"]["annotations"]["altinn.app/defaulted"].is_null(),
        !filled
    );
}

#[test]
fn a_user_who_leaves_a_field_out_again_keeps_the_stored_value() {
    let stored =
        database(json!({"version": 16, "sku": "Standard_B2s", "storage": {"sizeGiB": 64}}), Value::Null);
    let object = database(json!({}), Value::Null);
    let response = ask(Hook::Mutate, &review("UPDATE", object.clone(), stored.clone()), &good());
    assert_eq!(patched(object, &response)["spec"], stored["spec"]);
}
