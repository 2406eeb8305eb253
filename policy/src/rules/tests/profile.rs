//! What a profile allows, how strictly, and for whom not.

use super::*;

/// Where the profile has something to say about every field.
#[rstest]
#[case::defaults(json!({}), &[])]
#[case::no_standby(json!({"highAvailability": "Disabled"}), &[Code::HighAvailability])]
#[case::standby_next_door(json!({"highAvailability": "SameZone"}), &[])]
#[case::extension(json!({"extensions": ["PgCrypto"]}), &[])]
#[case::extension_not_allowed(json!({"extensions": ["plv8", "vector"]}), &[Code::Extension])]
#[case::parameter_denied(json!({"parameters": {"ssl_min_protocol_version": "TLSv1.3"}}), &[Code::Parameter])]
#[case::version_only_warned_of(json!({"version": 15}), &[])]
fn a_profile_decides_each_field(#[case] new: Value, #[case] expected: &[Code]) {
    assert_eq!(codes(judge("orders-prod", "main", new, None)), expected);
}

#[rstest]
#[case::tier("storage: {tiers: [P4, P6]}", json!({"storage": {"tier": "P10"}}), &[Code::StorageTier])]
#[case::tier_of_a_larger_disk("storage: {tiers: [P4, P6]}", json!({"storage": {"sizeGiB": 128}}), &[Code::StorageTier])]
#[case::tier_of_the_size("storage: {tiers: [P4, P6]}", json!({"storage": {"sizeGiB": 64}}), &[])]
#[case::too_few_days("backup: {minRetentionDays: 14}", json!({"backup": {"retentionDays": 13}}), &[Code::Backup])]
#[case::too_few_when_left_out("backup: {minRetentionDays: 14}", json!({}), &[Code::Backup])]
#[case::too_many_days("backup: {maxRetentionDays: 14}", json!({"backup": {"retentionDays": 15}}), &[Code::Backup])]
#[case::no_copies("backup: {geoRedundant: [false]}", json!({"backup": {"geoRedundant": true}}), &[Code::Backup])]
#[case::copies_demanded("backup: {geoRedundant: [true]}", json!({}), &[Code::Backup])]
#[case::no_passwords("authentication: [Identity]", json!({"authentication": "Password"}), &[Code::Authentication])]
#[case::no_extensions("extensions: []", json!({"extensions": ["vector"]}), &[Code::Extension])]
#[case::parameters_listed("parameters: {allow: [\"log_*\"]}", json!({"parameters": {"work_mem": "8192"}}), &[Code::Parameter])]
#[case::parameter_listed("parameters: {allow: [\"log_*\"]}", json!({"parameters": {"log_statement": "ddl"}}), &[])]
fn what_a_profile_does_not_allow_is_refused(
    #[case] allow: &str,
    #[case] new: Value,
    #[case] expected: &[Code],
) {
    let policy = Policy::parse(&strict(allow)).unwrap();
    assert_eq!(codes(verdict_by(&policy, "orders", "main", new, None).denial), expected);
}

#[rstest]
#[case::room(Some(4), None, &[])]
#[case::full(Some(5), None, &[Code::DatabasesPerNamespace])]
#[case::overfull(Some(6), None, &[Code::DatabasesPerNamespace])]
#[case::not_counted(None, None, &[])]
#[case::update(Some(6), Some(json!({"sku": "Standard_D2ds_v5"})), &[])]
fn a_namespace_has_so_many_databases(
    #[case] has: Option<u32>,
    #[case] old: Option<Value>,
    #[case] expected: &[Code],
) {
    let (new, old) = (spec(json!({})), old.map(spec));
    let recorded = old.as_ref().map(made);
    let request =
        Request { databases: has.map(Into::into), ..request("orders-prod", "main", &new, old.as_ref()) };
    assert_eq!(codes(policy().judge(&request, recorded.as_ref()).denial), expected);
}

/// What breaks each rule, and the `allow` that it breaks.
fn breaking(rule: Rule) -> (&'static str, Value, Code) {
    match rule {
        Rule::Skus => ("skus: [Standard_D2ds_v5]", json!({"sku": "Standard_D4ds_v5"}), Code::SkuNotAllowed),
        Rule::Versions => ("versions: [17]", json!({"version": 18}), Code::VersionNotAllowed),
        Rule::Storage => ("storage: {maxGiB: 32}", json!({"storage": {"sizeGiB": 64}}), Code::StorageLimit),
        Rule::HighAvailability => {
            ("highAvailability: [Disabled]", json!({"highAvailability": "SameZone"}), Code::HighAvailability)
        }
        Rule::Backup => {
            ("backup: {maxRetentionDays: 14}", json!({"backup": {"retentionDays": 15}}), Code::Backup)
        }
        Rule::Extensions => ("extensions: [vector]", json!({"extensions": ["hstore"]}), Code::Extension),
        Rule::Parameters => {
            ("parameters: {deny: [work_mem]}", json!({"parameters": {"work_mem": "8192"}}), Code::Parameter)
        }
        Rule::Authentication => {
            ("authentication: [Identity]", json!({"authentication": "Password"}), Code::Authentication)
        }
        Rule::DatabasesPerNamespace => ("databasesPerNamespace: 1", json!({}), Code::DatabasesPerNamespace),
    }
}

#[rstest]
#[case::enforced("enforce", false, (1, 0, 0, 0))]
#[case::warned("warn", false, (0, 1, 0, 0))]
#[case::audited("audit", false, (0, 0, 1, 0))]
#[case::excepted("enforce", true, (0, 0, 1, 1))]
#[case::excepted_where_it_is_warned_of("warn", true, (0, 0, 1, 1))]
fn every_rule_is_taken_as_strictly_as_the_policy_says(
    #[case] level: &str,
    #[case] is_excepted: bool,
    #[case] expected: (usize, usize, usize, usize),
) {
    for (key, rule) in Rule::ALL {
        let (allow, new, code) = breaking(*rule);
        let mut yaml = strict(allow) + &format!("    enforcement: {{{key}: {level}}}\n");
        if is_excepted {
            let exception = format!(
                "exceptions:\n  - {{database: orders/main, rules: [{key}], until: 2027-01-31, reason: x}}\n"
            );
            yaml.push_str(&exception);
        }
        let (policy, new) = (Policy::parse(&yaml).unwrap(), spec(new));
        let request = Request { databases: Some(1.into()), ..request("orders", "main", &new, None) };
        let verdict = policy.judge(&request, None);
        let denied = verdict.denial.map(|denial| denial.problems).unwrap_or_default();
        let all = denied.iter().chain(&verdict.warned).chain(&verdict.audited);
        assert_eq!(all.map(|problem| problem.code).collect::<Vec<_>>(), [code], "{key}");
        let counted = (denied.len(), verdict.warned.len(), verdict.audited.len(), verdict.excepted.len());
        assert_eq!(counted, expected, "{key}");
        // Of what others keep, an exception is no matter.
        let other = policy.judge(&Request { name: "other", ..request }, None);
        assert!(other.excepted.is_empty(), "{key}");
    }
}

#[rstest]
#[case::excepted("reports", "main", json!({"sku": "Standard_D2ds_v5"}), &[])]
#[case::another_database("reports", "other", json!({"sku": "Standard_D2ds_v5"}), &[Code::SkuNotAllowed])]
#[case::another_rule("reports", "main", json!({"storage": {"sizeGiB": 512}}), &[Code::StorageLimit])]
#[case::not_azures("reports", "main", json!({"sku": "banana"}), &[Code::SkuUnknown])]
fn an_exception_lifts_a_rule_for_one_database(
    #[case] namespace: &str,
    #[case] name: &str,
    #[case] new: Value,
    #[case] expected: &[Code],
) {
    let verdict = verdict_by(&policy(), namespace, name, new, None);
    assert_eq!(codes(verdict.denial), expected);
}

#[test]
fn what_breaks_the_policy_today_is_told_however_strictly_it_is_taken() {
    let old = spec(
        json!({"version": 15, "sku": "Standard_B2s", "storage": {"sizeGiB": 32}, "highAvailability": "Disabled"}),
    );
    let breaches = policy().breaches(&request("orders-prod", "main", &old, Some(&old)), Some(&made(&old)));
    let codes: Vec<Code> = breaches.iter().map(|(_, problem)| problem.code).collect();
    assert_eq!(codes, [Code::VersionNotAllowed, Code::SkuNotAllowed, Code::HighAvailability]);
    let levels: Vec<Level> = breaches.iter().map(|(level, _)| *level).collect();
    assert_eq!(levels, [Level::Warn, Level::Enforce, Level::Enforce]);
}

#[rstest]
#[case::in_support(date(2026, 11, 11))]
#[case::out_of_support(date(2026, 11, 12))]
fn a_version_stays_out_of_policy_when_its_support_ends(#[case] today: Date) {
    let old = spec(json!({"version": 14, "sku": "Standard_B1ms", "storage": {"sizeGiB": 32}}));
    let request = Request { today, ..request("orders", "main", &old, Some(&old)) };
    let codes: Vec<Code> =
        policy().breaches(&request, Some(&made(&old))).iter().map(|(_, problem)| problem.code).collect();
    assert_eq!(codes, [Code::VersionNotAllowed]);
}
