#![allow(clippy::needless_pass_by_value, reason = "values written in place read best")]

mod messages;

use std::{collections::BTreeMap, sync::Arc};

use jiff::civil::date;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::cluster::Objects;

mod unreadable;

const POLICY: &str = include_str!("../../../examples/policy.yaml");

fn good() -> PolicyState {
    let data = std::collections::BTreeMap::from([("policy.yaml".to_owned(), POLICY.to_owned())]);
    PolicyState::default().applied(Some(&data))
}

fn ask(hook: Hook, review: &Value, state: &PolicyState) -> Value {
    ask_with(hook, review, state, &Facts::default())
}

fn ask_with(hook: Hook, review: &Value, state: &PolicyState, facts: &Facts) -> Value {
    let basis = Basis { state, policy_name: "database-policy", today: date(2026, 11, 22), facts };
    let answer = answer(&Question::read(hook, review.to_string().as_bytes()), &basis);
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

#[rstest]
#[case::another_value("sku=Standard_B2s@default")]
#[case::another_profile("sku=Standard_B1ms@production")]
fn a_note_that_no_pass_wrote_is_dropped(#[case] note: &str) {
    let spec = json!({"version": 17, "sku": "Standard_B1ms", "storage": {"sizeGiB": 32}});
    let object = database(spec, json!({"altinn.app/defaulted": note}));
    let response = ask(Hook::Mutate, &review("CREATE", object.clone(), Value::Null), &good());
    assert_eq!(patched(object, &response)["metadata"]["annotations"], json!({}));
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
#[case::not_yet(json!({"altinn.app/retention": "Destroy", "altinn.app/confirm-destroy": "orders/main@2026-11-23"}), Some("DB209"))]
#[case::unconfirmed(json!({"altinn.app/retention": "Destroy"}), Some("DB209"))]
#[case::some_days(json!({"altinn.app/retention": "1d"}), Some("DB209"))]
fn a_delete_is_judged_by_its_annotation(#[case] annotations: Value, #[case] code: Option<&str>) {
    let old = database(json!({}), annotations);
    let response = ask(Hook::Validate, &review("DELETE", Value::Null, old.clone()), &good());
    assert_eq!(response["allowed"], code.is_none());
    assert_eq!(response["auditAnnotations"]["codes"].as_str(), code);
    // Without a policy nothing else is let go.
    let response = ask(Hook::Validate, &review("DELETE", Value::Null, old), &PolicyState::Missing);
    assert_eq!(response["allowed"], code.is_none());
}

#[test]
fn a_delete_of_what_is_being_deleted_already_is_let_through() {
    let mut old = database(json!({}), json!({}));
    old["metadata"]["deletionTimestamp"] = json!("2026-11-22T12:00:00Z");
    assert_eq!(ask(Hook::Validate, &review("DELETE", Value::Null, old), &good())["allowed"], true);
}

/// The answer but for what repeats the question.
fn verdict(mut response: Value) -> Value {
    response.as_object_mut().unwrap().remove("uid");
    response
}

#[rstest]
#[case::created("CREATE", json!({"sku": "banana"}))]
#[case::created_well("CREATE", json!({}))]
#[case::changed("UPDATE", json!({"storage": {"sizeGiB": 32}}))]
#[case::created_wrong_in_every_way("CREATE", json!({"version": 9, "sku": "banana", "storage": {"sizeGiB": 33}, "backup": {"retentionDays": 1}}))]
#[case::changed_well("UPDATE", json!({"sku": "Standard_B2s", "extensions": ["pgaudit"], "parameters": {"max_connections": "100"}}))]
#[case::changed_what_is_fixed("UPDATE", json!({"databaseName": "other"}))]
#[case::deleted("DELETE", json!({}))]
fn a_dry_run_gets_the_same_answer(#[case] operation: &str, #[case] spec: Value) {
    let old = database(json!({"storage": {"sizeGiB": 64}}), json!({}));
    let (object, old) = match operation {
        "CREATE" => (database(spec, Value::Null), Value::Null),
        "UPDATE" => (database(spec, Value::Null), old),
        _ => (Value::Null, old),
    };
    for hook in [Hook::Mutate, Hook::Validate] {
        let real = review(operation, object.clone(), old.clone());
        let mut dry = real.clone();
        dry["request"]["dryRun"] = json!(true);
        dry["request"]["uid"] = json!("another");
        assert_eq!(verdict(ask(hook, &dry, &good())), verdict(ask(hook, &real, &good())));
    }
}

#[test]
fn a_dry_run_gets_the_same_answer_whatever_it_is_about() {
    let facts = facts(&[database(json!({"sku": "Standard_D2ds_v5"}), json!({}))]);
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "orders"}});
    let crd = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "databases.altinn.app"}, "spec": {"group": "altinn.app"},
    });
    let broken = config_map(&POLICY.replace("sizeGiB: 32}", "sizeGiB: 33}"));
    let crds = ("apiextensions.k8s.io", "CustomResourceDefinition");
    for (hook, real) in [
        (
            Hook::Policy,
            about(("", "ConfigMap"), "CREATE", "database-policy", config_map(POLICY), Value::Null),
        ),
        (Hook::Policy, about(("", "ConfigMap"), "CREATE", "database-policy", broken, Value::Null)),
        (Hook::Namespace, about(("", "Namespace"), "DELETE", "orders", Value::Null, namespace)),
        (Hook::Crd, about(crds, "DELETE", "databases.altinn.app", Value::Null, crd)),
    ] {
        let mut dry = real.clone();
        dry["request"]["dryRun"] = json!(true);
        let answer = |review: &Value| ask_with(hook, review, &good(), &facts);
        assert_eq!(answer(&dry), answer(&real));
    }
}

fn with_policy(yaml: &str) -> PolicyState {
    PolicyState::default().applied(Some(&BTreeMap::from([("policy.yaml".to_owned(), yaml.to_owned())])))
}

#[test]
fn a_policy_by_labels_needs_them_and_denies_what_it_cannot_tell() {
    let state = with_policy(
        &POLICY.replace("namespaces:\n      names: [\"*-prod\"]", "namespaces:\n      labels: {env: prod}"),
    );
    let review = review("CREATE", database(json!({"sku": "Standard_B2s"}), Value::Null), Value::Null);
    let question = Question::read(Hook::Validate, review.to_string().as_bytes());
    assert_eq!(question.needs(&state).labels, Some("orders"));
    assert_eq!(question.needs(&good()).labels, None, "no profile looks at labels");

    let codes = |labels: Option<&[(&str, &str)]>| {
        let mut facts = Facts::default();
        if let Some(labels) = labels {
            let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            facts.labels.insert("orders".to_owned(), labels);
        }
        ask_with(Hook::Validate, &review, &state, &facts)["auditAnnotations"]["codes"].clone()
    };
    assert_eq!(codes(None), "DB503");
    assert_eq!(codes(Some(&[("env", "prod")])), "DB101,DB109");
    assert_eq!(codes(Some(&[])), Value::Null);
}

#[test]
fn databases_are_counted_where_one_is_created_and_a_profile_limits_them() {
    let object = database(json!({}), Value::Null);
    let read = |hook, operation, old: &Value| {
        Question::read(hook, review(operation, object.clone(), old.clone()).to_string().as_bytes())
    };
    let state = good();
    assert_eq!(read(Hook::Validate, "CREATE", &Value::Null).needs(&state).count_in, Some("orders"));
    assert_eq!(read(Hook::Mutate, "CREATE", &Value::Null).needs(&state).count_in, None);
    assert_eq!(read(Hook::Validate, "UPDATE", &object).needs(&state).count_in, None);
    let without = with_policy(&POLICY.replace("      databasesPerNamespace: 5\n", ""));
    assert_eq!(read(Hook::Validate, "CREATE", &Value::Null).needs(&without).count_in, None);
}

#[test]
fn what_breaks_the_policy_is_warned_of_with_each_change() {
    let old =
        database(json!({"sku": "Standard_D2ds_v5", "version": 17, "storage": {"sizeGiB": 32}}), Value::Null);
    let mut new = old.clone();
    new["metadata"]["labels"] = json!({"a": "b"});
    let response = ask(Hook::Validate, &review("UPDATE", new, old), &good());
    assert_eq!(response["allowed"], true);
    let warning = response["warnings"][0].as_str().unwrap();
    assert!(warning.starts_with("spec.sku \"Standard_D2ds_v5\" is not allowed here"), "{warning}");
    assert!(warning.ends_with("[DB101]") && warning.chars().count() <= 120, "{warning}");
}

/// A server that was kept and is found again runs as it did, whatever default its new object notes.
fn found_again(spec: Value) -> Value {
    let mut database = database(
        json!({"sku": "Standard_B1ms", "version": 17, "storage": {"sizeGiB": 32}}),
        json!({"altinn.app/defaulted": "sku=Standard_B1ms@default,storage.sizeGiB=32@default,version=17@default"}),
    );
    database["status"] = json!({"server": {
        "name": "prod-1-orders-main", "id": "/subscriptions/s", "version": "17", "sku": "Standard_D4ds_v5", "sizeGiB": 32,
    }});
    json_patch::merge(&mut database["spec"], &spec);
    database
}

#[test]
fn a_default_that_gave_way_to_a_kept_server_is_not_what_is_judged() {
    let (old, new) = (found_again(json!({})), found_again(json!({"highAvailability": "SameZone"})));
    let response = ask(Hook::Validate, &review("UPDATE", new, old), &good());
    assert_eq!(response["allowed"], true, "{response}");
    let warnings = response["warnings"].to_string();
    assert!(warnings.contains("Standard_D4ds_v5\\\" is not allowed here"), "{warnings}");
}

#[test]
fn a_server_is_judged_where_it_is_when_the_policy_names_another_region() {
    let moved = with_policy(
        &POLICY
            .replace("norwayeast", "norwaywest")
            .replace("highAvailability: ZoneRedundant", "highAvailability: SameZone"),
    );
    let (mut old, mut new) =
        (found_again(json!({})), found_again(json!({"highAvailability": "ZoneRedundant"})));
    let codes = |old: &Value, new: &Value| {
        let response = ask(Hook::Validate, &review("UPDATE", new.clone(), old.clone()), &moved);
        response["auditAnnotations"]["codes"].clone()
    };
    assert_eq!(codes(&old, &new), "DB109", "norwaywest has no zones");
    old["status"]["server"]["location"] = json!("norwayeast");
    new["status"]["server"]["location"] = json!("norwayeast");
    assert_eq!(codes(&old, &new), Value::Null);
}

#[test]
fn a_policy_is_warned_of_what_runs_and_not_of_a_default_that_gave_way() {
    let wide = POLICY.replace("[\"Standard_B*\"]", "[\"Standard_B*\", Standard_D4ds_v5]");
    let response = apply_policy(config_map(POLICY), &with_policy(&wide), &facts(&[found_again(json!({}))]));
    let told = response["warnings"][1].as_str().unwrap();
    assert!(told.starts_with("orders/main: spec.sku \"Standard_D4ds_v5\" is not allowed here"), "{told}");
}

#[rstest]
#[case::warned("warn", 1, "DB101")]
#[case::audited("audit", 0, "DB101")]
fn a_rule_that_is_not_enforced_shows_in_the_audit_log(
    #[case] level: &str,
    #[case] warnings: usize,
    #[case] broken: &str,
) {
    let yaml = POLICY.replace("# Databases", &format!("    enforcement: {{skus: {level}}}\n\n# Databases"));
    let object = database(json!({"sku": "Standard_D2ds_v5"}), Value::Null);
    let response = ask(Hook::Validate, &review("CREATE", object, Value::Null), &with_policy(&yaml));
    assert_eq!(response["allowed"], true, "{response}");
    assert_eq!(response["warnings"].as_array().map_or(0, Vec::len), warnings);
    assert_eq!(response["auditAnnotations"]["broken"], broken);
}

#[test]
fn what_an_exception_lets_pass_is_in_the_audit_log_with_its_reason() {
    let object = database(json!({"sku": "Standard_D2ds_v5"}), Value::Null);
    let mut review = review("CREATE", object, Value::Null);
    review["request"]["namespace"] = json!("reports");
    let response = ask(Hook::Validate, &review, &good());
    assert_eq!(response["allowed"], true, "{response}");
    assert_eq!(response["auditAnnotations"]["broken"], "DB101");
    assert_eq!(response["auditAnnotations"]["exception"], "until 2027-01-31: load test, ticket 4711");
}

#[test]
fn only_an_exception_that_lifted_something_is_in_the_audit_log() {
    let second = "  - {database: reports/main, rules: [storage], until: 2027-03-31, reason: \"archive\"}\n";
    let state = with_policy(&(POLICY.to_owned() + second));
    let exception = |spec: Value| {
        let mut review = review("CREATE", database(spec, Value::Null), Value::Null);
        review["request"]["namespace"] = json!("reports");
        ask(Hook::Validate, &review, &state)["auditAnnotations"]["exception"].clone()
    };
    let (size, disk) = ("until 2027-01-31: load test, ticket 4711", "until 2027-03-31: archive");
    assert_eq!(exception(json!({"sku": "Standard_D2ds_v5"})), size);
    assert_eq!(exception(json!({"storage": {"sizeGiB": 512}})), disk);
    let both = json!({"sku": "Standard_D2ds_v5", "storage": {"sizeGiB": 512}});
    assert_eq!(exception(both), format!("{size}; {disk}"));
    assert_eq!(exception(json!({})), Value::Null);
}

#[test]
fn one_database_too_many_is_warned_of_where_the_quota_is_not_enforced() {
    let yaml = POLICY
        .replace("      versions: warn ", "      databasesPerNamespace: warn\n      versions: warn ")
        .replace("databasesPerNamespace: 5", "databasesPerNamespace: 1");
    let mut object = database(json!({"highAvailability": "SameZone"}), Value::Null);
    object["metadata"]["namespace"] = json!("orders-prod");
    let mut review = review("CREATE", object, Value::Null);
    review["request"]["namespace"] = json!("orders-prod");
    let full = Facts { count: Some(1), ..Facts::default() };
    let response = ask_with(Hook::Validate, &review, &with_policy(&yaml), &full);
    assert_eq!(response["allowed"], true, "{response}");
    let warning = response["warnings"][0].as_str().unwrap();
    assert!(warning.contains("[DB116]"), "{warning}");
    assert_eq!(response["warnings"].as_array().unwrap().len(), 1);
}

/// Databases as the cluster holds them.
fn facts(databases: &[Value]) -> Facts {
    let databases =
        databases.iter().map(|database| Arc::new(serde_json::from_value(database.clone()).unwrap()));
    Facts { databases: Some(databases.collect()), ..Facts::default() }
}

/// Databases as the API server lists them in the namespace.
fn inside(databases: &[Value]) -> Facts {
    let metadata = |database: &Value| serde_json::from_value(database["metadata"].clone()).unwrap();
    Facts { inside: Some(databases.iter().map(metadata).collect()), ..Facts::default() }
}

/// Databases as the API server lists them in all namespaces.
fn objects(some: &[&str], count: usize) -> Facts {
    let some = some.iter().map(ToString::to_string).collect();
    Facts { objects: Some(Objects { some, count }), ..Facts::default() }
}

fn about(kind: (&str, &str), operation: &str, name: &str, object: Value, old: Value) -> Value {
    let mut review = review(operation, object, old);
    review["request"]["kind"] = json!({"group": kind.0, "version": "v1", "kind": kind.1});
    review["request"]["name"] = json!(name);
    review
}

fn config_map(yaml: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "database-policy", "namespace": "database-operator"}, "data": {"policy.yaml": yaml},
    })
}

fn apply_policy(object: Value, state: &PolicyState, facts: &Facts) -> Value {
    let name = object["metadata"]["name"].as_str().unwrap().to_owned();
    ask_with(Hook::Policy, &about(("", "ConfigMap"), "CREATE", &name, object, Value::Null), state, facts)
}

#[test]
fn a_broken_policy_is_refused_with_line_path_and_suggestion() {
    let yaml =
        POLICY.replace("sku: Standard_B1ms", "sku: Standard_B1m").replace("sizeGiB: 32}", "sizeGiB: 33}");
    let response = apply_policy(config_map(&yaml), &good(), &facts(&[]));
    insta::assert_snapshot!(response["status"]["message"].as_str().unwrap(), @r#"2 problems: (1) policy.yaml, line 45: profiles[1].defaults.sku "Standard_B1m" is no size that Azure offers; did you mean Standard_B1ms? [DB404]; (2) policy.yaml, line 46: profiles[1].defaults.storage.sizeGiB 33 is no disk size of Azure's; use 32 or 64 [DB404]. Policy database-policy."#);
    assert_eq!(response["status"]["code"], 403);
    let response = apply_policy(config_map(POLICY), &good(), &facts(&[]));
    assert_eq!(response["allowed"], true);
    let mut empty = config_map("");
    empty["data"] = Value::Null;
    assert_eq!(apply_policy(empty, &good(), &facts(&[]))["auditAnnotations"]["codes"], "DB401");
    // Another ConfigMap is none of ours.
    let mut other = config_map("azure: [");
    other["metadata"]["name"] = json!("other");
    assert_eq!(apply_policy(other, &good(), &facts(&[]))["allowed"], true);
}

#[test]
fn a_policy_that_puts_databases_out_of_policy_says_which() {
    let named = |namespace: &str, name: &str, sku: &str| {
        let mut database =
            database(json!({"sku": sku, "version": 17, "storage": {"sizeGiB": 32}}), Value::Null);
        database["metadata"]["namespace"] = json!(namespace);
        database["metadata"]["name"] = json!(name);
        database
    };
    let mut out_further = named("payments", "out-further", "Standard_D2ds_v5");
    out_further["spec"]["extensions"] = json!(["hstore"]);
    let databases = facts(&[
        named("orders", "main", "Standard_B2s"),
        named("orders", "reports", "Standard_B2s"),
        named("payments", "main", "Standard_B2s"),
        named("payments", "small", "Standard_B1ms"),
        named("payments", "out-already", "Standard_D2ds_v5"),
        out_further,
    ]);
    let stricter = POLICY.replace("[\"Standard_B*\"]", "[Standard_B1ms]\n      extensions: [vector]");
    let response = apply_policy(config_map(&stricter), &good(), &databases);
    assert_eq!(response["allowed"], true);
    insta::assert_snapshot!(serde_json::to_string_pretty(&response["warnings"]).unwrap(), @r#"
    [
      "4 databases in 2 namespaces would no longer comply; none of them is changed",
      "orders/main: spec.sku \"Standard_B2s\" is not allowed here; use Standard_B1ms [DB101]",
      "orders/reports: spec.sku \"Standard_B2s\" is not allowed here; use Standard_B1ms [DB101]",
      "payments/main: spec.sku \"Standard_B2s\" is not allowed here; use Standard_B1ms [DB101]",
      "payments/out-further: spec.extensions[0] \"hstore\" is not allowed here; use vector [DB112]"
    ]
    "#);
    assert_eq!(apply_policy(config_map(POLICY), &good(), &databases)["warnings"], Value::Null);
}

#[test]
fn an_exception_that_has_ended_is_told() {
    let yaml = POLICY.replace("2027-01-31", "2026-11-21");
    let response = apply_policy(config_map(&yaml), &good(), &facts(&[]));
    assert_eq!(response["warnings"], json!(["the exception of reports/main ended on 2026-11-21"]));
}

#[test]
fn the_databases_that_a_policy_puts_out_come_before_exceptions_however_many_have_ended() {
    let ended = |n: i32| format!("  - {{database: a/b-{n}, rules: [skus], until: 2026-11-21, reason: x}}\n");
    let ended: Vec<String> = (0..90).map(ended).collect();
    let stricter = POLICY.replace("[\"Standard_B*\"]", "[Standard_B1ms]") + &ended.concat();
    let one =
        database(json!({"sku": "Standard_B2s", "version": 17, "storage": {"sizeGiB": 32}}), Value::Null);
    let response = apply_policy(config_map(&stricter), &good(), &facts(&[one]));
    let warnings = response["warnings"].as_array().unwrap();
    assert!(warnings[0].as_str().unwrap().starts_with("1 database in 1 namespace would no longer comply"));
    assert_eq!(warnings.last().unwrap(), "and 82 more exceptions have ended");
    // The API server shows no more in all.
    assert!(warnings.iter().map(|warning| warning.as_str().unwrap().len()).sum::<usize>() < 4096);
}

#[test]
fn a_default_version_whose_support_has_ended_is_told() {
    let old = POLICY.replace("version: 17", "version: 14").replace("[16, 17, 18]", "[14, 17]");
    let response = apply_policy(config_map(&old), &good(), &facts(&[]));
    assert_eq!(
        response["warnings"],
        json!([
            "profile production: the default version 14 is out of support since 2026-11-12, and nothing can be created with it",
            "profile default: the default version 14 is out of support since 2026-11-12, and nothing can be created with it",
        ])
    );
}

#[test]
fn deleting_the_policy_is_warned_of() {
    let review = about(("", "ConfigMap"), "DELETE", "", Value::Null, config_map(POLICY));
    let response = ask(Hook::Policy, &review, &good());
    assert_eq!(response["allowed"], true);
    assert!(response["warnings"][0].as_str().unwrap().contains("after a restart admits no change"));
}

fn delete_namespace(facts: &Facts) -> Value {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "orders"}});
    ask_with(
        Hook::Namespace,
        &about(("", "Namespace"), "DELETE", "orders", Value::Null, namespace),
        &good(),
        facts,
    )
}

#[test]
fn a_namespace_with_databases_that_say_nothing_is_refused_and_names_them() {
    let (unsaid, kept) =
        (database(json!({}), json!({})), database(json!({}), json!({"altinn.app/retention": "Retain"})));
    let mut going = unsaid.clone();
    going["metadata"]["deletionTimestamp"] = json!("2026-11-22T12:00:00Z");
    let response = delete_namespace(&inside(&[unsaid.clone(), kept.clone(), going.clone()]));
    let message = response["status"]["message"].as_str().unwrap();
    assert!(message.contains("It holds main [DB201] [DB301]."), "{message}");
    let response = delete_namespace(&inside(&[kept, going.clone()]));
    assert_eq!(response["allowed"], true);
    assert_eq!(response["warnings"], json!(["1 Database(s) go with it, and their servers are kept"]));
    assert_eq!(delete_namespace(&inside(&[going]))["warnings"], Value::Null);
    // Not knowing what is in it lets nothing be lost: each database is guarded by itself.
    assert_eq!(delete_namespace(&Facts::default())["allowed"], true);
}

#[test]
fn many_databases_in_a_namespace_fit_into_the_message() {
    let databases: Vec<Value> = (0..50)
        .map(|number| {
            let mut database = database(json!({}), json!({}));
            database["metadata"]["name"] = json!(format!("{number:02}-{}", "x".repeat(60)));
            database
        })
        .collect();
    let response = delete_namespace(&inside(&databases));
    let message = response["status"]["message"].as_str().unwrap();
    assert!(message.chars().count() <= 1000 && message.contains("(+45 more)"), "{message}");
    assert!(message.ends_with("[DB301]. Policy database-policy, profile default."), "{message}");
}

#[test]
fn a_database_whose_name_sets_off_a_tool_is_not_named() {
    let mut odd = database(json!({}), json!({}));
    odd["metadata"]["name"] = json!("immutable");
    odd["spec"] = json!({"sku": "Standard_B2s", "version": 17, "storage": {"sizeGiB": 32}});
    let guarded = [
        delete_namespace(&inside(std::slice::from_ref(&odd))),
        delete_crd(OURS, &objects(&["orders/immutable"], 1)),
    ];
    let odd = facts(&[odd]);
    for response in guarded {
        let message = response["status"]["message"].as_str().unwrap();
        assert!(!message.contains("immutable"), "{message}");
    }
    let stricter = POLICY.replace("[\"Standard_B*\"]", "[Standard_B1ms]");
    let warnings = apply_policy(config_map(&stricter), &good(), &odd)["warnings"].to_string();
    assert!(warnings.contains("(a value that can't be shown): spec.sku"), "{warnings}");
}

const OURS: &str = "databases.altinn.app";

fn crd_review(name: &str) -> Value {
    let (_, group) = name.split_once('.').unwrap();
    let crd = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": name}, "spec": {"group": group},
    });
    about(("apiextensions.k8s.io", "CustomResourceDefinition"), "DELETE", name, Value::Null, crd)
}

fn delete_crd(name: &str, facts: &Facts) -> Value {
    ask_with(Hook::Crd, &crd_review(name), &good(), facts)
}

#[test]
fn our_crd_goes_only_without_objects() {
    let response = delete_crd(OURS, &objects(&["orders/main"], 1));
    assert_eq!(response["auditAnnotations"]["codes"], "DB302");
    let many = delete_crd(OURS, &objects(&["orders/main", "payments/main"], 1000));
    let message = many["status"]["message"].as_str().unwrap();
    assert!(message.contains("orders/main, payments/main (+998 more)"), "{message}");
    assert_eq!(delete_crd(OURS, &objects(&[], 0))["allowed"], true);
    // What a watch knows may be old, and what it can't read isn't in it.
    assert_eq!(delete_crd(OURS, &facts(&[]))["auditAnnotations"]["codes"], "DB303");
}

#[rstest]
#[case::ours(OURS, true)]
#[case::another_of_the_group("applications.altinn.app", false)]
#[case::of_another_group("databases.other.example", false)]
fn a_crd_is_ours_by_its_name(#[case] name: &str, #[case] is_ours: bool) {
    let question = Question::read(Hook::Crd, crd_review(name).to_string().as_bytes());
    assert_eq!(question.needs(&good()).objects, is_ours);
    assert_eq!(delete_crd(name, &Facts::default())["allowed"], !is_ours);
}

#[test]
fn every_crd_of_ours_is_guarded_by_the_chart_and_by_the_webhook() {
    let chart = include_str!("../../../charts/database-operator/templates/webhook-configurations.yaml");
    for crd in api::crd::all() {
        let name = crd.metadata.name.unwrap();
        assert!(chart.contains(&format!("oldObject.metadata.name == '{name}'")), "{name}");
        assert_eq!(delete_crd(&name, &Facts::default())["auditAnnotations"]["codes"], "DB303", "{name}");
    }
}

#[rstest]
#[case::finalizer(json!({"finalizers": []}), json!({}), None)]
#[case::spec(json!({}), json!({"sku": "Standard_B2s"}), Some("DB207"))]
#[case::worse(json!({"annotations": {"altinn.app/retention": "Destroy"}}), json!({}), Some("DB205"))]
#[case::sooner(json!({"annotations": {"altinn.app/retention": "14d"}}), json!({}), Some("DB205"))]
#[case::unsaid(json!({"annotations": {"altinn.app/retention": null}}), json!({}), None)]
#[case::confirmed_late(json!({"annotations": {"altinn.app/confirm-destroy": "orders/main@2026-11-22"}}), json!({}), Some("DB205"))]
#[case::label(json!({"labels": {"a": "b"}}), json!({}), None)]
#[case::left_out(json!({}), json!({"sku": null}), None)]
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
#[case::another_kind(&review("CREATE", database(json!({}), Value::Null), Value::Null).to_string().replace("\"AdmissionReview\"", "\"AdmissionReviews\""), "705ab4f5-6393-11e8-b7cc-42010a800002")]
#[case::no_request(r#"{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}"#, "")]
#[case::bad_object(&review("CREATE", database(json!({"sku": 5}), Value::Null), Value::Null).to_string(), "705ab4f5-6393-11e8-b7cc-42010a800002")]
#[case::no_object(&review("CREATE", Value::Null, Value::Null).to_string(), "705ab4f5-6393-11e8-b7cc-42010a800002")]
#[case::no_old_object(&review("DELETE", Value::Null, Value::Null).to_string(), "705ab4f5-6393-11e8-b7cc-42010a800002")]
#[case::other_kind(&review("CREATE", database(json!({}), Value::Null), Value::Null).to_string().replace("altinn.app\",\"kind", "other.example\",\"kind"), "705ab4f5-6393-11e8-b7cc-42010a800002")]
fn what_cannot_be_read_is_denied_in_a_well_formed_review(#[case] body: &str, #[case] uid: &str) {
    let state = good();
    let basis = Basis {
        state: &state,
        policy_name: "database-policy",
        today: date(2026, 11, 22),
        facts: &Facts::default(),
    };
    for (_, hook) in Hook::ALL.iter().copied() {
        // A review of a Database is none of a ConfigMap, a namespace or a CRD.
        let answer = answer(&Question::read(hook, body.as_bytes()), &basis);
        assert_eq!(answer.operation, "unreadable");
        let review = serde_json::to_value(answer.review).unwrap();
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
