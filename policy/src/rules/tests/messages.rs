//! The messages, as people read them.

use rstest::Context;

use super::*;

#[test]
fn what_was_meant_is_told_only_where_it_is_allowed() {
    let text = |allow: &str| {
        let policy = Policy::parse(&strict(allow)).unwrap();
        let new = json!({"parameters": {"work_men": "8192"}});
        verdict_by(&policy, "orders", "main", new, None).denial.unwrap().problems[0].text.clone()
    };
    assert!(text("").contains("did you mean work_mem? ("));
    assert!(text("parameters: {deny: [work_mem]}").contains("knows; leave it out"));
}

/// Where nothing is left to choose from, the message says what to do all the same.
#[rstest]
#[case::grown_beyond("storage: {maxGiB: 64}", json!({"storage": {"sizeGiB": 128}}), json!({"storage": {"sizeGiB": 256}}), "leave it as it is, or ask the platform team")]
#[case::no_tier_for_the_size("storage: {tiers: [P6]}", json!({"storage": {"sizeGiB": 8192}}), json!({"storage": {"sizeGiB": 8192, "tier": "P70"}}), "leave spec.storage as it is, or ask the platform team")]
#[case::no_tier_for_a_larger_disk("storage: {tiers: [P6]}", json!({"storage": {"sizeGiB": 64}}), json!({"storage": {"sizeGiB": 8192}}), "P60 (as it is when left out) is not allowed here; leave spec.storage as it is")]
#[case::no_older_version("versions: [16, 17]", json!({"version": 17}), json!({"version": 18}), "use 17 (until 2029-11-08) [")]
#[case::older_than_all("versions: [16]", json!({"version": 17}), json!({"version": 18}), "18 is not allowed here; write 17 back [")]
#[case::no_extension_known("extensions: []", json!({}), json!({"extensions": ["bitcoin"]}), "is not an extension that this version of the operator knows; no extension is allowed here, leave it out (")]
#[case::no_extension_at_all("extensions: []", json!({}), json!({"extensions": ["vector"]}), "is not allowed here; no extension is, leave it out [")]
#[case::standby_demanded_of_burstable("highAvailability: [SameZone], skus: [\"Standard_B*\", Standard_D2ds_v5]", json!({"sku": "Standard_D2ds_v5", "highAvailability": "SameZone"}), json!({"sku": "Standard_B2s", "highAvailability": "Disabled"}), "use another spec.sku")]
fn no_message_sends_its_reader_into_the_next_refusal(
    #[case] allow: &str,
    #[case] old: Value,
    #[case] new: Value,
    #[case] expected: &str,
) {
    let yaml = strict(allow).replace("sizeGiB: 32", "sizeGiB: 64").replace("version: 17", "version: 16");
    let policy = Policy::parse(&yaml).unwrap();
    let message = verdict_by(&policy, "orders", "main", new, Some(old)).denial.unwrap().message();
    assert!(message.contains(expected) && !message.contains("nothing"), "{message}");
}

/// What is out of policy says what could be done about it, and not with what would be refused.
#[rstest]
#[case::disk("storage: {maxGiB: 64}", json!({"storage": {"sizeGiB": 128}}), "leave it as it is, or ask the platform team")]
#[case::older("versions: [16]", json!({"version": 17}), "17 is not allowed here; no newer one is, so ask the platform team")]
#[case::newer("versions: [16, 18]", json!({"version": 17}), "use 18 (until 2030-11-14)")]
#[case::copies("backup: {geoRedundant: [true]}", json!({}), "is fixed at creation; ask the platform team")]
fn no_condition_advises_what_would_be_refused(
    #[case] allow: &str,
    #[case] stored: Value,
    #[case] expected: &str,
) {
    let yaml = strict(allow).replace("version: 17", "version: 16");
    let stored = spec(stored);
    let request = request("orders", "main", &stored, Some(&stored));
    let breaches = Policy::parse(&yaml).unwrap().breaches(&request, Some(&made(&stored)));
    let texts: Vec<&str> = breaches.iter().map(|(_, problem)| problem.text.as_str()).collect();
    assert!(texts.len() == 1 && texts[0].ends_with(expected), "{texts:?}");
}

#[rstest]
#[case::sku_not_allowed("orders", json!({"sku": "Standard_E64ds_v5"}))]
#[case::two_problems("orders", json!({"version": 9, "sku": "banana"}))]
#[case::production("orders-prod", json!({"sku": "Standard_E64ds_v5", "version": 11}))]
#[case::misspelt("orders", json!({"sku": "Standard_B1m"}))]
#[case::storage("orders", json!({"storage": {"sizeGiB": 100}}))]
#[case::storage_limit("orders", json!({"storage": {"sizeGiB": 1024}}))]
#[case::tier("orders", json!({"storage": {"sizeGiB": 128, "tier": "P6"}}))]
#[case::tier_too_fast_for_the_size("orders", json!({"storage": {"sizeGiB": 128, "tier": "P80"}}))]
#[case::standby("orders", json!({"highAvailability": "ZoneRedundant"}))]
#[case::standby_demanded("orders-prod", json!({"highAvailability": "Disabled"}))]
#[case::standby_of_a_size("orders-prod", json!({"sku": "Standard_B2s"}))]
#[case::extension_misspelt("orders-prod", json!({"extensions": ["pgcripto"]}))]
#[case::extension_not_allowed("orders-prod", json!({"extensions": ["plv8"]}))]
#[case::parameters("orders", json!({"parameters": {"work_men": "1", "fsync": "off", "max_connections": "1e9", "pgaudit.log": "ddl"}}))]
#[case::database_name("orders", json!({"databaseName": "or ders"}))]
#[case::service_account("orders", json!({"serviceAccountName": "a..b"}))]
#[case::version_not_allowed("orders", json!({"version": 15}))]
#[case::hour("orders", json!({"maintenanceWindow": {"day": "Sunday", "hour": 24}}))]
#[case::size_that_the_region_lacks("orders-prod", json!({"sku": "Standard_DC2ads_v5"}))]
#[case::days_of_backups("orders", json!({"backup": {"retentionDays": 36}}))]
fn the_message_says_what_to_write(#[context] context: Context, #[case] namespace: &str, #[case] new: Value) {
    insta::assert_snapshot!(
        context.description.unwrap(),
        judge(namespace, "main", new, None).unwrap().message()
    );
}

#[rstest]
#[case::one_database_too_many("databasesPerNamespace: 3", json!({}))]
#[case::no_databases("databasesPerNamespace: 0", json!({}))]
#[case::no_passwords("authentication: [Identity]", json!({"authentication": "Password"}))]
#[case::too_few_days("backup: {minRetentionDays: 14}", json!({}))]
#[case::no_copies("backup: {geoRedundant: [false]}", json!({"backup": {"geoRedundant": true}}))]
#[case::nothing_given("skus: [Standard_D2ds_v5]", json!({"sku": null}))]
#[case::tier_of_a_larger_disk("storage: {tiers: [P4, P6]}", json!({"storage": {"sizeGiB": 128}}))]
fn a_profile_says_what_it_allows(#[context] context: Context, #[case] allow: &str, #[case] new: Value) {
    let mut yaml = strict(allow);
    if context.description == Some("nothing_given") {
        yaml =
            yaml.replace("    defaults: {version: 17, sku: Standard_D2ds_v5, storage: {sizeGiB: 32}}\n", "");
    }
    let new = spec(new);
    let request = Request { databases: Some(3.into()), ..request("orders", "main", &new, None) };
    let denial = Policy::parse(&yaml).unwrap().judge(&request, None).denial.unwrap();
    insta::assert_snapshot!(context.description.unwrap(), denial.message());
}

#[test]
fn the_message_of_an_update_says_what_to_write_back() {
    let old = json!({"version": 17, "storage": {"sizeGiB": 64}, "databaseName": "a"});
    let new = json!({"version": 16, "storage": {"sizeGiB": 32}, "databaseName": "b"});
    insta::assert_snapshot!(judge("orders", "main", new, Some(old)).unwrap().message());
}
