//! Values as people write them. The schema takes all of them, so that the API server has nothing to answer with 422:
//! what means something is taken, and the rest is refused in a line that says what to write.

use rstest::Context;

use super::*;

fn create(spec: &Value) -> Value {
    ask(Hook::Validate, &review("CREATE", database(spec.clone(), Value::Null), Value::Null), &good())
}

#[rstest]
#[case::no_spec(json!(null))]
#[case::nulls(json!({"version": null, "sku": null, "storage": null, "highAvailability": null, "backup": null,
    "maintenanceWindow": null, "databaseName": null, "extensions": null, "parameters": null,
    "authentication": null, "serviceAccountName": null}))]
#[case::nulls_below(json!({"storage": {"sizeGiB": null, "tier": null, "autoGrow": null},
    "backup": {"retentionDays": null, "geoRedundant": null}, "maintenanceWindow": {"day": null, "hour": null}}))]
#[case::empty_groups(json!({"storage": {}, "backup": {}, "maintenanceWindow": {}, "extensions": [], "parameters": {}}))]
#[case::scalars(json!({"version": "17", "parameters": {"autovacuum": true, "work_mem": 16384,
    "autovacuum_vacuum_scale_factor": 0.5, "log_min_duration_statement": -1, "max_wal_size": null}}))]
fn what_means_something_is_taken(#[case] spec: Value) {
    let mut object = database(spec.clone(), Value::Null);
    if spec.is_null() {
        object.as_object_mut().unwrap().remove("spec");
    }
    let asked = review("CREATE", object.clone(), Value::Null);
    assert_eq!(ask(Hook::Validate, &asked, &good())["allowed"], true, "{}", create(&spec));
    // What is filled in lands, whatever stands at its place, and what is written stays as it is written.
    let filled = defaults::patched(object.clone(), &ask(Hook::Mutate, &asked, &good()));
    assert_eq!(filled["spec"]["sku"], "Standard_B1ms");
    assert_eq!(filled["spec"]["storage"]["sizeGiB"], 32);
    assert_eq!(filled["spec"]["parameters"], object["spec"]["parameters"]);
    assert_eq!(ask(Hook::Validate, &review("CREATE", filled, Value::Null), &good())["allowed"], true);
}

#[rstest]
#[case::version_beyond_a_number(json!({"version": 99_999_999_999_u64}))]
#[case::version_with_a_point(json!({"version": 17.5}))]
#[case::version_that_is_true(json!({"version": true}))]
#[case::version_in_a_list(json!({"version": [17]}))]
#[case::sku_that_is_a_number(json!({"sku": 5}))]
#[case::sku_in_a_map(json!({"sku": {"name": "Standard_B1ms"}}))]
#[case::storage_as_a_size(json!({"storage": "64Gi"}))]
#[case::storage_as_a_number(json!({"storage": 64}))]
#[case::size_with_a_unit(json!({"storage": {"sizeGiB": "64Gi"}}))]
#[case::size_in_quotes(json!({"storage": {"sizeGiB": "64"}}))]
#[case::size_beyond_a_number(json!({"storage": {"sizeGiB": 99_999_999_999_u64}}))]
#[case::size_with_a_point(json!({"storage": {"sizeGiB": 64.5}}))]
#[case::tier_in_lower_case(json!({"storage": {"tier": "p10"}}))]
#[case::tier_that_is_none(json!({"storage": {"tier": "Premium"}}))]
#[case::grow_in_quotes(json!({"storage": {"autoGrow": "yes"}}))]
#[case::standby_in_lower_case(json!({"highAvailability": "zoneRedundant"}))]
#[case::standby_that_is_true(json!({"highAvailability": true}))]
#[case::backup_as_a_number(json!({"backup": 14}))]
#[case::days_with_a_unit(json!({"backup": {"retentionDays": "14d"}}))]
#[case::geo_in_quotes(json!({"backup": {"geoRedundant": "true"}}))]
#[case::window_as_a_text(json!({"maintenanceWindow": "Sunday 03:00"}))]
#[case::window_without_an_hour(json!({"maintenanceWindow": {"day": "Sunday"}}))]
#[case::window_without_a_day(json!({"maintenanceWindow": {"hour": 3}}))]
#[case::day_cut_short(json!({"maintenanceWindow": {"day": "Sun", "hour": 3}}))]
#[case::hour_in_quotes(json!({"maintenanceWindow": {"day": "Sunday", "hour": "03:00"}}))]
#[case::name_that_is_a_number(json!({"databaseName": 42}))]
#[case::name_that_is_true(json!({"databaseName": true}))]
#[case::one_extension(json!({"extensions": "vector"}))]
#[case::extensions_in_a_map(json!({"extensions": {"vector": true}}))]
#[case::an_extension_that_is_no_text(json!({"extensions": ["vector", {"name": "pgcrypto"}, null]}))]
#[case::too_many_extensions(json!({"extensions": vec!["vector"; 65]}))]
#[case::an_extension_twice(json!({"extensions": ["vector", "pgcrypto", "vector"]}))]
#[case::parameters_as_a_list(json!({"parameters": [{"name": "work_mem", "value": "8192"}]}))]
#[case::a_parameter_that_is_a_map(json!({"parameters": {"work_mem": {"value": 8192}}}))]
#[case::too_many_parameters(
    json!({"parameters": (0..=256).map(|n| (format!("p{n}"), json!(n))).collect::<serde_json::Map<_, _>>()})
)]
#[case::login_that_is_unknown(json!({"authentication": "password"}))]
#[case::account_that_is_a_number(json!({"serviceAccountName": 7}))]
#[case::source_that_is_a_text(json!({"restoreFrom": "main"}))]
#[case::time_that_is_a_number(json!({"restoreFrom": {"database": "main", "time": 20_261_127}}))]
#[case::database_that_is_a_map(json!({"restoreFrom": {"database": {"name": "main"}}}))]
#[case::spec_that_is_a_text(json!("large"))]
#[case::spec_that_is_a_list(json!([{"sku": "Standard_B1ms"}]))]
#[case::field_that_is_misspelt(json!({"storages": {"sizeGiB": 64}}))]
#[case::field_below_that_is_misspelt(json!({"storage": {"sizeGb": 64}}))]
#[case::field_that_nobody_knows(json!({"replicas\n\u{200b}": 3}))]
#[case::several(json!({"sku": 5, "storage": {"sizeGiB": "64Gi", "tier": "P10"}, "size": "large", "backup": {"retentionDays": 99}}))]
fn what_means_nothing_is_refused_with_what_to_write(#[context] context: Context, #[case] spec: Value) {
    let response = create(&spec);
    assert_eq!(response["status"]["code"], 403, "{response}");
    let message = response["status"]["message"].as_str().unwrap();
    assert!(message.starts_with("spec") || message.contains(" problems: (1) spec"), "{message}");
    assert!(!message.contains('\n') && message.chars().count() <= 1000);
    insta::assert_snapshot!(context.description.unwrap(), message);
}

#[test]
fn a_mistake_in_an_update_is_refused_and_one_that_was_stored_before_stands_in_nobodys_way() {
    let stored = |spec: Value| database(spec, json!({}));
    let update = |old: Value, new: Value| {
        ask(Hook::Validate, &review("UPDATE", stored(new), stored(old)), &good())["auditAnnotations"]["codes"]
            .clone()
    };
    let good = json!({"sku": "Standard_B1ms"});
    assert_eq!(update(good.clone(), json!({"sku": "Standard_B1ms", "size": 5})), "DB121");
    let kept = json!({"sku": "Standard_B1ms", "size": 5});
    assert_eq!(update(kept.clone(), json!({"sku": "Standard_B2s", "size": 5})), Value::Null);
    assert_eq!(update(kept, good), Value::Null);
}

/// A field that can't be read must not be taken for one that is left out, which would bring a default.
#[test]
fn nothing_is_filled_into_a_spec_with_a_mistake() {
    let object = database(json!({"storage": {"sizeGiB": "64Gi"}}), Value::Null);
    let response = ask(Hook::Mutate, &review("CREATE", object, Value::Null), &good());
    assert_eq!((&response["allowed"], &response["patch"]), (&json!(true), &Value::Null));
}
