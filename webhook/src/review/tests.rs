#![allow(clippy::needless_pass_by_value, reason = "values written in place read best")]

mod crd;
mod defaults;
mod enforcement;
mod messages;
mod metadata;
mod namespace;
mod policy_config;
mod recovering;
mod restoring;
mod retained;
mod shape;
mod unreadable;

use std::{collections::BTreeMap, sync::Arc};

use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::cluster::{Facts, Objects, Servers};

const POLICY: &str = include_str!("../../../examples/policy.yaml");

fn good() -> PolicyState {
    let data = std::collections::BTreeMap::from([("policy.yaml".to_owned(), POLICY.to_owned())]);
    PolicyState::default().applied(Some(&data))
}

fn ask(hook: Hook, review: &Value, state: &PolicyState) -> Value {
    ask_with(hook, review, state, &Facts::default())
}

fn ask_with(hook: Hook, review: &Value, state: &PolicyState, facts: &Facts) -> Value {
    let basis =
        Basis { state, policy_name: "database-policy", now: "2026-11-22T12:00:00Z".parse().unwrap(), facts };
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
#[case::confirmed(json!({"altinn.app/retention": "Destroy", "altinn.app/confirm-destroy": "orders/main@2026-11-23"}), None)]
#[case::unconfirmed(json!({"altinn.app/retention": "Destroy"}), Some("DB202"))]
#[case::some_days(json!({"altinn.app/retention": "14d"}), None)]
fn a_delete_is_judged_by_its_annotation(#[case] annotations: Value, #[case] code: Option<&str>) {
    let old = database(json!({}), annotations);
    let response = ask(Hook::Validate, &review("DELETE", Value::Null, old.clone()), &good());
    assert_eq!(response["allowed"], code.is_none());
    assert_eq!(response["auditAnnotations"]["codes"].as_str(), code);
    // Without a policy, only a delete that keeps the data for ever is admitted.
    let is_kept = old["metadata"]["annotations"]["altinn.app/retention"] == "Retain";
    let response = ask(Hook::Validate, &review("DELETE", Value::Null, old), &PolicyState::Missing);
    assert_eq!(response["allowed"], is_kept);
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
    assert_eq!(read(Hook::Validate, "CREATE", &Value::Null).needs(&state).servers_in, Some("orders"));
    assert_eq!(read(Hook::Mutate, "CREATE", &Value::Null).needs(&state).servers_in, None);
    assert_eq!(read(Hook::Validate, "UPDATE", &object).needs(&state).servers_in, None);
    let without = with_policy(&POLICY.replace("      databasesPerNamespace: 5\n", ""));
    assert_eq!(read(Hook::Validate, "CREATE", &Value::Null).needs(&without).servers_in, None);
}

/// A quota of five in the namespace `orders-prod`.
#[rstest]
#[case::room("new", &["a", "b"], &["c", "d"], Value::Null, true)]
#[case::kept_ones_count("new", &["a", "b"], &["c", "d", "e"], Value::Null, false)]
#[case::it_comes_back_itself("e", &["a", "b"], &["c", "d", "e"], Value::Null, true)]
#[case::it_comes_back_where_too_many_wait("e", &["a", "b", "x", "y", "z"], &["c", "d", "e"], Value::Null, true)]
#[case::another_one_comes_back_as_it("new", &["a", "b"], &["c", "d", "e"], json!("orders-prod/e"), true)]
#[case::of_another_namespace("new", &["a", "b"], &["c", "d", "e"], json!("orders/e"), false)]
#[case::live_and_kept_under_one_name("new", &["a", "b", "c"], &["c", "d"], Value::Null, true)]
fn kept_ones_count_and_one_that_comes_back_does_not(
    #[case] name: &str,
    #[case] live: &[&str],
    #[case] kept: &[&str],
    #[case] from: Value,
    #[case] passes: bool,
) {
    let mut object = database(json!({}), Value::Null);
    object["metadata"]["name"] = json!(name);
    if !from.is_null() {
        object["metadata"]["annotations"] = json!({"altinn.app/recover-from": from});
    }
    let mut review = review("CREATE", object, Value::Null);
    review["request"]["name"] = json!(name);
    review["request"]["namespace"] = json!("orders-prod");
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let facts = Facts { servers: Some(Servers { live: names(live), kept: names(kept) }), ..Facts::default() };
    let response = ask_with(Hook::Validate, &review, &good(), &facts);
    let is_full = response.to_string().contains("DB116");
    assert_eq!(is_full, !passes, "{response}");
}

#[test]
fn who_names_a_service_account_that_another_database_uses_is_told() {
    let plain = database(json!({}), Value::Null);
    let named = |account: &str| database(json!({"serviceAccountName": account}), Value::Null);
    let facts = Facts { using: vec!["main".to_owned(), "other".to_owned()], ..Facts::default() };
    let shown = |operation: &str, object: &Value, old: &Value, facts: &Facts| {
        let response =
            ask_with(Hook::Validate, &review(operation, object.clone(), old.clone()), &good(), facts);
        assert_eq!(response["allowed"], true, "{response}");
        response["warnings"].to_string()
    };
    let expected =
        "spec.serviceAccountName: Database other uses it, too; set AZURE_CLIENT_ID by the Secret's client-id";
    assert!(expected.len() <= policy::warning::LONGEST_WARNING - 5);
    assert!(shown("CREATE", &named("api"), &Value::Null, &facts).contains(expected));
    assert!(shown("UPDATE", &named("api"), &plain, &facts).contains(expected));
    let own = Facts { using: vec!["main".to_owned()], ..Facts::default() };
    let mut by_password = named("api");
    by_password["spec"]["authentication"] = json!("Password");
    for (operation, object, old, facts) in [
        ("CREATE", named("api"), Value::Null, &own),
        ("CREATE", by_password, Value::Null, &facts),
        ("UPDATE", named("api"), named("api"), &facts),
        ("CREATE", plain, Value::Null, &facts),
    ] {
        assert!(!shown(operation, &object, &old, facts).contains("uses it"), "{operation} {object}");
    }

    // Nobody looks for others before there is something to look for.
    let needs = |hook, object: &Value, old: &Value| {
        let asked = review(if old.is_null() { "CREATE" } else { "UPDATE" }, object.clone(), old.clone());
        let question = Question::read(hook, asked.to_string().as_bytes());
        question.needs(&good()).using.map(|(namespace, account)| format!("{namespace}/{account}"))
    };
    assert_eq!(needs(Hook::Validate, &named("api"), &Value::Null).as_deref(), Some("orders/api"));
    assert_eq!(needs(Hook::Validate, &named("api"), &named("api")), None);
    assert_eq!(needs(Hook::Mutate, &named("api"), &Value::Null), None);
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
fn a_server_that_was_upgraded_in_azure_holds_up_no_other_change() {
    let (old, new) = (json!({"version": 16}), json!({"version": 16, "backup": {"retentionDays": 14}}));
    let response = ask(Hook::Validate, &review("UPDATE", found_again(new), found_again(old)), &good());
    assert_eq!(response["allowed"], true, "{response}");
    let warnings = response["warnings"].to_string();
    assert!(warnings.contains("spec.version: 16 is written, and 17 runs"), "{warnings}");
    // Nobody goes further back.
    let older = found_again(json!({"version": 15}));
    let response =
        ask(Hook::Validate, &review("UPDATE", older, found_again(json!({"version": 16}))), &good());
    assert!(response["status"]["message"].as_str().unwrap().contains("write 17"), "{response}");
}

#[rstest]
#[case("true", "altinn.app/paused: does nothing: ")]
#[case("why@2020-01-01", "altinn.app/paused: its last day is over")]
fn a_pause_that_does_nothing_is_told_when_it_is_applied(#[case] paused: &str, #[case] shown: &str) {
    let paused = database(json!({}), json!({"altinn.app/paused": paused}));
    for (operation, old) in [("CREATE", Value::Null), ("UPDATE", database(json!({}), json!({})))] {
        let response = ask(Hook::Validate, &review(operation, paused.clone(), old), &good());
        assert_eq!(response["allowed"], true, "{response}");
        assert!(response["warnings"].to_string().contains(shown), "{response}");
    }
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

#[test]
fn a_database_applied_unchanged_while_it_is_deleted_is_warned_of() {
    let mut old = database(json!({"sku": "Standard_B1ms"}), json!({"altinn.app/retention": "Destroy"}));
    let warnings = |old: &Value, new: Value| {
        ask(Hook::Validate, &review("UPDATE", new, old.clone()), &good())["warnings"].clone()
    };
    assert!(!warnings(&old, old.clone()).to_string().contains("is being deleted"));
    old["metadata"]["deletionTimestamp"] = json!("2026-11-22T12:00:00Z");
    assert_eq!(
        warnings(&old, old.clone()),
        json!([
            "orders/main is being deleted, and applying it doesn't bring it back; wait until it is gone and apply again",
            "its data will be destroyed; to keep them, set altinn.app/retention to \"Retain\" before it is gone",
        ])
    );
    let mut saved = old.clone();
    saved["metadata"]["annotations"]["altinn.app/retention"] = json!("Retain");
    assert_eq!(warnings(&old, saved).as_array().unwrap().len(), 1);
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
#[case::bad_object(&review("CREATE", database(json!({}), json!({"altinn.app/retention": 5})), Value::Null).to_string(), "705ab4f5-6393-11e8-b7cc-42010a800002")]
#[case::no_object(&review("CREATE", Value::Null, Value::Null).to_string(), "705ab4f5-6393-11e8-b7cc-42010a800002")]
#[case::no_old_object(&review("DELETE", Value::Null, Value::Null).to_string(), "705ab4f5-6393-11e8-b7cc-42010a800002")]
#[case::other_kind(&review("CREATE", database(json!({}), Value::Null), Value::Null).to_string().replace("altinn.app\",\"kind", "other.example\",\"kind"), "705ab4f5-6393-11e8-b7cc-42010a800002")]
fn what_cannot_be_read_is_denied_in_a_well_formed_review(#[case] body: &str, #[case] uid: &str) {
    let state = good();
    let basis = Basis {
        state: &state,
        policy_name: "database-policy",
        now: "2026-11-22T12:00:00Z".parse().unwrap(),
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
