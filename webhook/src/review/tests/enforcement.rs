//! What is let through all the same: it is warned of, or stands in the audit log.

use super::*;

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

#[rstest]
#[case::warned("warn", 1, "DB101")]
#[case::audited("audit", 0, "DB101")]
fn a_rule_that_is_not_enforced_shows_in_the_audit_log(
    #[case] level: &str,
    #[case] warnings: usize,
    #[case] broken: &str,
) {
    let yaml = POLICY.replace("# Kept", &format!("    enforcement: {{skus: {level}}}\n\n# Kept"));
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
    let full = Facts { servers: Some(servers(1)), ..Facts::default() };
    let response = ask_with(Hook::Validate, &review, &with_policy(&yaml), &full);
    assert_eq!(response["allowed"], true, "{response}");
    let warning = response["warnings"][0].as_str().unwrap();
    assert!(warning.contains("[DB116]"), "{warning}");
    assert_eq!(response["warnings"].as_array().unwrap().len(), 1);
}

fn servers(count: usize) -> Servers {
    let live = (0..count).map(|number| format!("database-{number}")).collect();
    Servers { live, ..Servers::default() }
}

/// What Azure does, or may do, and no rule of the platform is about.
#[test]
fn what_a_version_costs_and_a_region_may_refuse_is_warned_of() {
    let yaml = POLICY.replace("norwayeast", "westeurope").replace("[16, 17, 18]", "[14, 16, 17, 18]");
    let spec = json!({"version": 14, "sku": "Standard_D2ds_v5", "storage": {"sizeGiB": 128}, "highAvailability": "ZoneRedundant"});
    let mut object = database(spec, Value::Null);
    object["metadata"]["namespace"] = json!("orders-prod");
    let mut review = review("CREATE", object, Value::Null);
    review["request"]["namespace"] = json!("orders-prod");
    let response = ask(Hook::Validate, &review, &with_policy(&yaml));
    assert_eq!(response["allowed"], true, "{response}");
    let warnings = response["warnings"].to_string();
    assert!(warnings.contains("westeurope had no room for new ZoneRedundant ones"), "{warnings}");
    assert!(warnings.contains("standard support of 14 ends on 2026-12-11"), "{warnings}");

    let response = apply_policy(config_map(&yaml), &good(), &facts(&[]));
    let shown = "profile production: defaults.highAvailability: westeurope had no room for new ZoneRedundant standbys; Azure may refuse it";
    assert_eq!(response["warnings"], json!([warning(shown)]));
}

#[test]
fn copies_of_a_disk_that_is_too_large_for_them_are_admitted_with_a_warning() {
    const VAULT: &str = "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg-backup/providers/\
                         Microsoft.DataProtection/backupVaults/bv";
    let vault = format!("azure:\n  backupVault: {{id: {VAULT}, policies: {{weekly: pg-weekly}}}}\n");
    let state = with_policy(&POLICY.replacen("azure:\n", &vault, 1).replace("maxGiB: 256", "maxGiB: 2048"));
    let of_size = |size: i32| {
        let spec = json!({"version": 17, "sku": "Standard_B1ms", "storage": {"sizeGiB": size}, "backup": {"vault": "weekly"}});
        database(spec, Value::Null)
    };
    let asked = |operation: &str, object: Value, old: Value| {
        let response = ask(Hook::Validate, &review(operation, object, old), &state);
        assert_eq!(response["allowed"], true, "{response}");
        response["warnings"].clone()
    };
    let warned = json!([
        "spec.backup.vault: Azure promises copies of at most 1024 GiB; take a smaller disk, or write None"
    ]);
    assert_eq!(asked("CREATE", of_size(2048), Value::Null), warned);
    assert_eq!(asked("UPDATE", of_size(2048), of_size(1024)), warned);
    assert_eq!(asked("CREATE", of_size(1024), Value::Null), Value::Null);
}

/// The longest that a warning may be.
fn warning(text: &str) -> String {
    policy::warning::cut(text, policy::warning::LONGEST_WARNING)
}

#[test]
fn what_the_policys_catalogue_adds_is_admitted() {
    let adds = "catalogue: {sizes: [{name: Standard_B9ms, tier: Burstable, vCores: 9, memoryGiB: 36}]}\n";
    let review = review(
        "CREATE",
        database(json!({"sku": "Standard_B9ms", "version": 17, "storage": {"sizeGiB": 32}}), Value::Null),
        Value::Null,
    );
    assert_eq!(ask(Hook::Validate, &review, &with_policy(&format!("{POLICY}{adds}")))["allowed"], true);
    let refused = ask(Hook::Validate, &review, &good());
    assert!(
        refused["status"]["message"].as_str().unwrap().contains("can add it under catalogue.sizes [DB115]"),
        "{refused}"
    );
}
