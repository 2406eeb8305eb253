//! Mistakes in metadata. The API server would answer 422, and tools would delete the object: the mutating hook, which is asked
//! before it looks, answers 403.

use rstest::Context;

use super::*;

fn with(metadata: &Value) -> Value {
    let mut object = database(json!({}), json!({}));
    json_patch::merge(&mut object["metadata"], metadata);
    object
}

fn created(metadata: &Value, state: &PolicyState) -> Value {
    ask(Hook::Mutate, &review("CREATE", with(metadata), Value::Null), state)
}

fn updated(old: &Value, new: &Value) -> Value {
    ask(Hook::Mutate, &review("UPDATE", with(new), with(old)), &good())
}

fn codes(response: &Value) -> Option<&str> {
    assert_eq!(response["allowed"].as_bool().unwrap(), response["auditAnnotations"]["codes"].is_null());
    response["auditAnnotations"]["codes"].as_str()
}

const OWNER: &str = r#"{"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "7"}"#;

fn owners(changes: &[Value]) -> Value {
    let mut owner: Value = serde_json::from_str(OWNER).unwrap();
    let owners = changes.iter().map(|change| {
        json_patch::merge(&mut owner, change);
        owner.clone()
    });
    json!({"ownerReferences": owners.collect::<Vec<_>>()})
}

#[rstest]
#[case::value_with_a_blank(json!({"labels": {"team": "a b"}}))]
#[case::value_that_is_long(json!({"labels": {"team": "x".repeat(64)}}))]
#[case::value_with_an_end(json!({"labels": {"team": "-"}}))]
#[case::value_of_another_script(json!({"labels": {"team": "økonomi"}}))]
#[case::key_with_a_blank(json!({"labels": {"a b": "c"}}))]
#[case::key_with_two_slashes(json!({"labels": {"a/b/c": "d"}}))]
#[case::key_and_value(json!({"labels": {"Ab/c": "d e"}}))]
#[case::name_of_an_annotation(json!({"annotations": {"a b": "c"}}))]
#[case::annotations_that_are_large(json!({"annotations": {"a": "x".repeat(256 * 1024)}}))]
#[case::finalizer(json!({"finalizers": ["a b"]}))]
#[case::finalizers_that_are_opposites(json!({"finalizers": ["orphan", "foregroundDeletion"]}))]
#[case::owner_without_a_uid(owners(&[json!({"uid": null})]))]
#[case::owner_that_is_an_event(owners(&[json!({"kind": "Event"})]))]
#[case::two_controllers(owners(&[json!({"controller": true}), json!({})]))]
fn a_mistake_in_metadata_is_refused_before_the_api_server_finds_it(
    #[context] context: Context,
    #[case] metadata: Value,
) {
    let response = created(&metadata, &good());
    assert_eq!(codes(&response), Some("DB125"), "{response}");
    messages::assert_sets_off_no_tool(&response);
    let message = response["status"]["message"].as_str().unwrap();
    insta::assert_snapshot!(format!("metadata_{}", context.description.unwrap()), message);
    // A change that brings it in is told the same, and one that takes it out passes.
    let change = updated(&json!({}), &metadata);
    assert_eq!(change["status"]["message"], message);
    assert_eq!(codes(&updated(&metadata, &json!({}))), None);
    // The mutating hook needs no policy for it, though it can't say the rest.
    let response = created(&metadata, &PolicyState::Missing);
    assert_eq!(codes(&response), Some("DB125,DB401"), "{response}");
}

#[rstest]
#[case::upper_case(json!({"name": "Main"}), Some("DB114"))]
#[case::dots(json!({"name": "a.b"}), Some("DB114"))]
#[case::long(json!({"name": "x".repeat(64)}), Some("DB114"))]
#[case::none_at_all(json!({"name": null}), Some("DB114"))]
#[case::prefix(json!({"name": null, "generateName": "Main-"}), Some("DB114"))]
#[case::prefix_that_is_right(json!({"name": null, "generateName": "main-"}), None)]
#[case::name_beside_a_prefix(json!({"name": "main-x7r2k", "generateName": "main-"}), None)]
fn a_name_that_the_api_server_would_find_invalid_is_refused_once(
    #[case] metadata: Value,
    #[case] expected: Option<&str>,
) {
    let mut review = review("CREATE", with(&metadata), Value::Null);
    review["request"]["name"] = with(&metadata)["metadata"]["name"].as_str().unwrap_or_default().into();
    for state in [&good(), &PolicyState::Missing] {
        let response = ask(Hook::Mutate, &review, state);
        let codes = codes(&response).map(|codes| codes.replace(",DB401", ""));
        assert_eq!(codes.as_deref(), expected, "{response}");
        let message = response["status"]["message"].as_str().unwrap_or_default();
        let told =
            message.matches("metadata.name \"").count() + message.matches("metadata.generateName \"").count();
        assert_eq!(told, usize::from(expected.is_some()), "{message}");
    }
}

#[test]
fn a_manifest_is_told_all_that_is_wrong_with_it_at_once() {
    let metadata = json!({"labels": {"team": "a b"}, "annotations": {"a b": "c"}, "finalizers": ["x y"]});
    let mut object = with(&metadata);
    object["spec"] = json!({"sku": "Standard_E64ds_v5", "size": "large"});
    let response = ask(Hook::Mutate, &review("CREATE", object, Value::Null), &good());
    assert_eq!(codes(&response), Some("DB101,DB121,DB125"));
    let causes = response["status"]["details"]["causes"].as_array().unwrap();
    let fields: Vec<&str> = causes.iter().map(|cause| cause["field"].as_str().unwrap()).collect();
    assert_eq!(
        fields,
        ["metadata.labels[\"team\"]", "metadata.annotations", "metadata.finalizers", "spec.size", "spec.sku"]
    );
    messages::assert_sets_off_no_tool(&response);
}

/// The quota of the namespace is asked for where the validating hook won't be.
#[test]
fn one_that_is_refused_is_judged_with_what_the_validating_hook_would_know() {
    let needs = |metadata: &Value| {
        let body = review("CREATE", with(metadata), Value::Null).to_string();
        Question::read(Hook::Mutate, body.as_bytes()).needs(&good()).servers_in.map(str::to_owned)
    };
    assert_eq!(needs(&json!({"labels": {"team": "a b"}})).as_deref(), Some("orders"));
    assert_eq!(needs(&json!({"labels": {"team": "a"}})), None);
}

/// As an object has it that was exported and is applied again.
#[rstest]
#[case::uid(json!({"uid": "8"}), Some("metadata.uid"))]
#[case::own_uid(json!({"uid": "7"}), None)]
#[case::no_uid(json!({"uid": null}), None)]
#[case::deletion(json!({"deletionTimestamp": "2026-11-22T12:00:00Z"}), Some("metadata.deletionTimestamp"))]
#[case::grace(json!({"deletionGracePeriodSeconds": 30}), Some("metadata.deletionGracePeriodSeconds"))]
#[case::prefix(json!({"generateName": "a/b"}), Some("metadata.generateName"))]
#[case::odd_prefix(json!({"generateName": "A b"}), None)]
#[case::generation(json!({"generation": -1, "creationTimestamp": "2020-01-01T00:00:00Z", "selfLink": "x"}), None)]
fn what_is_the_api_servers_no_change_may_set(#[case] change: Value, #[case] field: Option<&str>) {
    let stored = json!({"uid": "7", "resourceVersion": "5", "generation": 1});
    let mut new = stored.clone();
    json_patch::merge(&mut new, &change);
    let response = updated(&stored, &new);
    assert_eq!(codes(&response), field.map(|_| "DB125"), "{response}");
    let message = response["status"]["message"].as_str().unwrap_or_default();
    assert!(message.contains(field.unwrap_or_default()), "{message}");
    if field.is_some() {
        messages::assert_sets_off_no_tool(&response);
    }
}

/// Who asks for a version wants to know of a conflict, and asks again. Who applies doesn't ask for one: it stands in the manifest.
#[rstest]
#[case::by_flux("kustomize-controller", "4", Some("DB125"))]
#[case::by_flux_in_time("kustomize-controller", "5", None)]
#[case::by_kubectl("kubectl-client-side-apply", "4", Some("DB125"))]
#[case::by_kubectl_edit("kubectl-edit", "4", None)]
#[case::by_one_that_updates("manager", "4", None)]
#[case::by_another("other", "4", None)]
fn a_version_that_a_manifest_brings_along_is_refused(
    #[case] manager: &str,
    #[case] version: &str,
    #[case] expected: Option<&str>,
) {
    let managers = json!([
        {"manager": "manager", "operation": "Update", "fieldsV1": {"f:spec": {}}},
        {"manager": "kustomize-controller", "operation": "Apply", "fieldsV1": {"f:spec": {}}},
    ]);
    let new = with(&json!({"resourceVersion": version, "managedFields": managers}));
    let mut review = review("UPDATE", new, with(&json!({"resourceVersion": "5", "managedFields": managers})));
    // The API server shows a patch as an update.
    review["request"]["options"] = json!({"kind": "UpdateOptions", "fieldManager": manager});
    assert_eq!(codes(&ask(Hook::Mutate, &review, &good())), expected);
}

#[test]
fn of_a_name_that_is_yet_to_be_generated_nothing_is_said() {
    let metadata = json!({"name": null, "generateName": "main-", "labels": {"team": "a b"}});
    let mut review = review("CREATE", with(&metadata), Value::Null);
    review["request"]["name"] = json!("");
    let response = ask(Hook::Mutate, &review, &good());
    assert_eq!(codes(&response), Some("DB125"), "{response}");
}

/// Such as a finalizer that is removed, while the API server takes what it didn't take before, or no longer takes what it did.
#[test]
fn what_is_stored_stands_in_nobodys_way() {
    let odd = json!({
        "labels": {"a b": "c d"}, "annotations": {"a b": "c"}, "deletionTimestamp": "2026-11-22T12:00:00Z",
        "finalizers": ["a b", "altinn.app/retain-data"], "ownerReferences": [{"name": "x"}],
    });
    let mut without = odd.clone();
    without["finalizers"] = json!(["a b"]);
    assert_eq!(codes(&updated(&odd, &without)), None);
    without["labels"]["team"] = json!("x y");
    let response = updated(&odd, &without);
    assert_eq!(codes(&response), Some("DB125"));
    assert_eq!(response["status"]["details"]["causes"].as_array().unwrap().len(), 1, "{response}");
}

/// What the API server takes for left out.
#[rstest]
#[case::nulls(json!({"labels": null, "annotations": null, "finalizers": null, "ownerReferences": null, "generateName": null}))]
#[case::nothing_in_it(json!({"labels": {}, "annotations": {}, "finalizers": [], "ownerReferences": [], "generateName": ""}))]
#[case::empty_value(json!({"labels": {"team": ""}, "annotations": {"team": ""}}))]
#[case::all_of_it(json!({
    "labels": {"app.kubernetes.io/name": "x", "a_B.c": "A_b.c"}, "annotations": {"Example.COM/a": "any thing"},
    "finalizers": ["foregroundDeletion", "example.com/x"],
}))]
#[case::not_what_it_is_to_be(json!({"labels": ["a b"], "finalizers": {"a b": "c"}, "ownerReferences": "x"}))]
fn what_the_api_server_takes_or_tells_itself_passes(#[case] metadata: Value) {
    let response = created(&metadata, &good());
    assert_eq!(codes(&response), None, "{response}");
    assert!(!response["patch"].is_null());
}

#[test]
fn metadata_that_would_set_off_a_tool_are_not_repeated() {
    for text in messages::HOSTILE {
        for metadata in [
            json!({"labels": {text: text}}),
            json!({"annotations": {text: text}}),
            json!({"finalizers": [text]}),
            json!({"ownerReferences": [{"name": text}]}),
            json!({"name": text}),
            json!({"name": null, "generateName": text}),
        ] {
            let response = created(&metadata, &good());
            assert!(!codes(&response).unwrap().is_empty());
            messages::assert_sets_off_no_tool(&response);
        }
    }
}

/// As much of it as there is room for in a review, of which all is a mistake.
#[test]
fn endless_mistakes_take_no_more_than_a_few() {
    let labels: BTreeMap<String, String> = (0..50_000).map(|n| (format!("a b{n}"), "c d".into())).collect();
    let finalizers: Vec<String> = (0..50_000).map(|n| format!("a b{n}")).collect();
    let metadata = json!({"labels": labels, "annotations": labels, "finalizers": finalizers});
    let response = created(&metadata, &good());
    assert_eq!(codes(&response), Some("DB125"));
    assert!(response["status"]["message"].as_str().unwrap().starts_with("32 problems: "), "{response}");
    messages::assert_sets_off_no_tool(&response);
    // What waits for its turn has no more of them, either.
    let body = review("CREATE", with(&metadata), Value::Null).to_string();
    let new = Sent::read(Hook::Validate, body.as_bytes()).unwrap().request.new.unwrap();
    assert_eq!(new.annotations.unwrap().mistakes().len(), 32);
}
