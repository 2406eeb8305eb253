use rstest::{Context, rstest};

use super::*;

const GOOD: &str = include_str!("../../../examples/policy.yaml");

/// The good policy with one text put in place of another.
fn with(old: &str, new: &str) -> String {
    assert!(GOOD.contains(old), "the example has no {old:?}");
    GOOD.replacen(old, new, 1)
}

fn errors(yaml: &str) -> String {
    Policy::parse(yaml).unwrap_err().to_string()
}

#[test]
fn the_example_holds() {
    let policy = Policy::parse(GOOD).unwrap();
    assert_eq!(policy.profile(Namespace::named("orders-prod")).unwrap().name, "production");
    assert_eq!(policy.profile(Namespace::named("orders")).unwrap().name, "default");
    assert_eq!(policy.revision.len(), 12);
}

#[rstest]
#[case::nul("azure:\n  tags: {a: b\0}", "line 2: has the control character U+0000")]
#[case::escape("azure:\n\n# \u{1b}[2J", "line 3: has the control character U+001B")]
#[case::delete("\u{7f}", "line 1: has the control character U+007F")]
fn a_control_character_is_told_by_line_and_number(#[case] yaml: &str, #[case] told: &str) {
    let errors = errors(yaml);
    assert!(errors.starts_with(told) && errors.ends_with("[DB402]"), "{errors}");
}

#[test]
fn a_policy_beyond_all_measure_is_not_parsed() {
    let errors = errors(&(GOOD.to_owned() + &"# more\n".repeat(LARGEST / 7)));
    assert!(errors.contains("has more than 262144 bytes") && errors.ends_with("[DB402]"), "{errors}");
}

#[test]
fn tabs_and_line_ends_of_other_systems_are_fine() {
    Policy::parse(&GOOD.replace('\n', "\t# a comment\r\n")).unwrap();
}

#[rstest]
#[case::typo("clusterName:", "clustername:")]
#[case::unknown_in_profile("    allow:", "    allowed:")]
#[case::not_yaml("azure:", "azure: [")]
#[case::wrong_type("version: 17", "version: seventeen")]
#[case::guid("00000000-0000-4000-8000-000000000001", "my-subscription")]
#[case::no_such_size("sku: Standard_B1ms", "sku: Standard_B1m")]
#[case::key_missing(
    "  clusterName: prod-1                 # part of every server's name: those are global in Azure\n",
    ""
)]
#[case::no_list("versions: [16, 17, 18]", "versions: 16")]
#[case::key_that_tools_stumble_over("costcenter: \"4711\"", "\"immutable field\\n\": [1]")]
#[case::no_sizes("skus: [\"Standard_B*\"]", "skus: []")]
#[case::no_rules("rules: [skus]", "rules: []")]
#[case::no_such_pattern("Standard_D*ds_v5", "Standart_D*")]
#[case::default_not_allowed("sku: Standard_B1ms", "sku: Standard_D2ds_v5")]
#[case::no_such_version("versions: [16, 17, 18]", "versions: [9, 17]")]
#[case::no_such_disk("sizeGiB: 32", "sizeGiB: 33")]
#[case::address("start: 20.100.0.4", "start: 20.100.0.400")]
#[case::swapped("end: 20.100.0.4", "end: 20.100.0.3")]
#[case::days_too_few("whenMissing: deny", "whenMissing: 6d")]
#[case::destroy_for_nothing("whenMissing: deny", "whenMissing: Destroy")]
#[case::when_missing_unknown("whenMissing: deny", "whenMissing: retain")]
#[case::no_such_mode("highAvailability: ZoneRedundant", "highAvailability: ZoneRedundan")]
#[case::default_mode_not_allowed("highAvailability: ZoneRedundant", "highAvailability: Disabled")]
#[case::no_standby_for_burstable(
    "sku: Standard_B1ms",
    "sku: Standard_B1ms\n      highAvailability: SameZone"
)]
#[case::no_zones("location: norwayeast", "location: norwaywest")]
#[case::no_such_extension("[pgcrypto,", "[pgcripto,")]
#[case::no_such_parameter("require_secure_transport]", "require_secure_transprot]")]
#[case::no_such_pattern_of_parameters("\"ssl*\"", "\"sls*\"")]
#[case::no_such_level("versions: warn ", "versions: warning ")]
#[case::no_such_rule_to_enforce("versions: warn ", "version: warn ")]
#[case::no_such_rule_to_except("rules: [skus]", "rules: [sku]")]
#[case::no_database("database: reports/main", "database: reports")]
#[case::no_such_day("until: 2027-01-31", "until: 2027-02-31")]
#[case::time_of_a_day("until: 2027-01-31", "until: 2027-01-31T10:00")]
#[case::no_reason("reason: \"load test, ticket 4711\"", "reason: \"\"")]
#[case::recovered_from_no_database("from: reports/old", "from: old")]
#[case::recovered_as_itself("from: reports/old", "from: reports/main")]
#[case::recovered_for_ever("until: 2027-02-28", "until: \"\"")]
#[case::window("sku: Standard_B1ms", "sku: Standard_B1ms\n      maintenanceWindow: {day: Sunday, hour: 24}")]
#[case::tier_of_another_size("sizeGiB: 32}", "sizeGiB: 32, tier: P60}")]
#[case::own_tier_of_the_default_size("storage: {maxGiB: 256}", "storage: {maxGiB: 256, tiers: [P6]}")]
#[case::too_few_days("minRetentionDays: 7", "minRetentionDays: 3")]
#[case::bounds_crossed("minRetentionDays: 7", "minRetentionDays: 14, maxRetentionDays: 8")]
#[case::no_namespaces("names: [\"*-prod\"]", "labels: {}")]
#[case::no_label("names: [\"*-prod\"]", "labels: {env: \"prod*\"}")]
#[case::nothing_allowed("highAvailability: [SameZone, ZoneRedundant]", "highAvailability: []")]
#[case::more_days_than_there_can_be("minimumDays: 7", "minimumDays: 4000")]
#[case::name_that_tools_stumble_over("name: production", "name: immutable-data")]
#[case::network_of_both_kinds(
    "  network:\n",
    "  network:\n    private: {subnetId: /subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/v/subnets/s, dnsZoneId: /subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg/providers/Microsoft.Network/privateDnsZones/x.postgres.database.azure.com}\n"
)]
#[case::no_subnet_and_no_zone(
    "    firewall:\n      - {name: cluster-egress, start: 20.100.0.4, end: 20.100.0.4}\n",
    "    private: {subnetId: databases, dnsZoneId: /subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg/providers/Microsoft.Network/privateDnsZones/example.com}\n"
)]
#[case::passwords_that_are_never_old_enough(
    "    retention:\n      whenMissing: deny\n\n# Kept",
    "    passwords: {rotateAfterDays: 0}\n    retention:\n      whenMissing: deny\n\n# Kept"
)]
#[case::no_issuer("issuer: \"https://", "issuer: \"http://")]
fn each_mistake_names_the_line_and_what_to_write(
    #[context] context: Context,
    #[case] old: &str,
    #[case] new: &str,
) {
    insta::assert_snapshot!(context.description.unwrap(), errors(&with(old, new)));
}

#[rstest]
#[case::of_known_ones("log_*")]
#[case::in_whatever_case("LOG_*")]
#[case::with_a_question_mark("work_me?")]
#[case::that_azure_sets("archive_*")]
#[case::of_an_extension("pgaudit.*")]
#[case::of_several_extensions("pg*.log")]
#[case::of_anything("*_mem")]
fn a_pattern_of_parameters_can_match_what_only_an_extension_knows(#[case] pattern: &str) {
    Policy::parse(&with("\"ssl*\"", &format!("\"{pattern}\""))).unwrap();
}

#[test]
fn a_profile_behind_one_that_takes_everything_can_never_match() {
    let yaml = with("\n# Kept", "  - name: never\n    namespaces: {names: [orders]}\n\n# Kept");
    insta::assert_snapshot!(errors(&yaml), @"line 53: profiles[2] (never) can never match: default stands before it and takes every namespace of it; put the narrower one first [DB406]");
}

#[test]
fn a_policy_without_profiles_is_told_where_they_should_be() {
    let azure = GOOD.split("profiles:").next().unwrap();
    let empty = errors(&format!("{azure}profiles: []\n"));
    assert!(empty.starts_with("line 18: profiles is empty, so no database is allowed anywhere"), "{empty}");
    let missing = errors(azure);
    assert!(missing.contains("the policy needs the key profiles, which is missing"), "{missing}");
}

#[test]
fn all_mistakes_are_told_at_once() {
    let yaml =
        with("location: norwayeast", "location: Norway East").replacen("sizeGiB: 32", "sizeGiB: 33", 1);
    assert_eq!(Policy::parse(&yaml).unwrap_err().0.len(), 2);
}

#[test]
fn an_error_is_one_line() {
    for yaml in ["", "a: b", "- 1", "azure: {", "azure:\n  tags: {a: [\n", "\u{0}", "profiles: 5", "{}"] {
        let text = errors(yaml);
        assert!(!text.contains('\n'), "{yaml:?}: {text}");
    }
}

#[test]
fn a_config_map_without_the_key_names_the_key() {
    let data = BTreeMap::from([("policy.yml".to_owned(), String::new())]);
    let error = Policy::from_config_map(Some(&data)).unwrap_err().to_string();
    assert_eq!(
        error,
        "the ConfigMap has no key policy.yaml (it has policy.yml); put the policy there [DB401]"
    );
}

#[test]
fn labels_and_names_must_both_match_and_are_looked_at_in_order() {
    let policy = Policy::parse(
        &with("names: [\"*-prod\"]", "names: [\"*-prod\"], labels: {env: prod}")
            .replacen("namespaces:\n      names", "namespaces: {names", 1)
            .replacen("labels: {env: prod}", "labels: {env: prod}}", 1),
    )
    .unwrap();
    let profile = |name, labels: Option<&Labels>| {
        policy.profile(Namespace { name, labels }).map(|profile| profile.name.clone())
    };
    let (prod, test) = (
        Labels::from([("env".to_owned(), "prod".to_owned())]),
        Labels::from([("env".to_owned(), "test".to_owned())]),
    );
    assert_eq!(profile("orders-prod", Some(&prod)).as_deref(), Ok("production"));
    assert_eq!(profile("orders-prod", Some(&test)).as_deref(), Ok("default"));
    assert_eq!(profile("orders", Some(&prod)).as_deref(), Ok("default"));
    assert_eq!(profile("orders", None).as_deref(), Ok("default"), "the name alone decides");
    assert_eq!(profile("orders-prod", None), Err(NoProfile::LabelsUnknown));
    assert!(policy.looks_at_labels());
}

#[test]
fn an_exception_ends_with_its_last_day() {
    let policy = Policy::parse(GOOD).unwrap();
    let excepted =
        |name, rule, day: &str| policy.exception("reports", name, rule, day.parse().unwrap()).is_some();
    assert!(excepted("main", Rule::Skus, "2027-01-31"));
    assert!(!excepted("main", Rule::Skus, "2027-02-01"));
    assert!(!excepted("main", Rule::Storage, "2027-01-31"));
    assert!(!excepted("other", Rule::Skus, "2027-01-31"));
    assert_eq!(policy.expired_exceptions("2027-02-01".parse().unwrap()).count(), 1);
    assert_eq!(policy.expired_exceptions("2027-01-31".parse().unwrap()).count(), 0);
    assert_eq!(policy.expired_recoveries("2027-03-01".parse().unwrap()).count(), 1);
    assert_eq!(policy.expired_recoveries("2027-02-28".parse().unwrap()).count(), 0);
}

/// The example with these profiles before its own.
fn with_profiles(profiles: &str) -> String {
    GOOD.replacen("profiles:\n", &format!("profiles:\n{profiles}"), 1)
}

fn numbered(piece: &str, count: usize) -> String {
    (0..count).map(|at| piece.replace('#', &at.to_string())).collect()
}

#[rstest]
#[case::profiles(with_profiles(&numbered("  - {name: p#, namespaces: {names: [n#]}}\n", 200)), "line 19: profiles has 202 profiles, and 200 are the most; write fewer [DB407]")]
#[case::names(with_profiles(&format!("  - {{name: p, namespaces: {{names: [{}]}}}}\n", numbered("n#, ", 2001))), "line 19: profiles has 2001 names of namespaces, and 2000 are the most; write fewer [DB407]")]
#[case::patterns(with_profiles(&format!("  - {{name: p, namespaces: {{names: [{}]}}}}\n", numbered("n#-*, ", 100))), "line 19: profiles has 101 names of namespaces with * or ?, and 100 are the most; write fewer [DB407]")]
#[case::labels(with_profiles(&format!("  - {{name: p, namespaces: {{labels: {{{}}}}}}}\n", numbered("l#: x, ", 33))), "line 19: profiles[0].namespaces.labels has 33 labels, and 32 are the most; write fewer [DB407]")]
#[case::firewall(GOOD.replacen("    firewall:\n", &format!("    firewall:\n{}", numbered("      - {name: r#, start: 10.0.0.1, end: 10.0.0.1}\n", 100)), 1), "line 11: azure.network.firewall has 101 rules, and 100 are the most; write fewer [DB407]")]
fn a_policy_beyond_its_limits_is_told_so(#[case] yaml: String, #[case] told: &str) {
    assert_eq!(errors(&yaml), told);
}

#[test]
fn a_list_that_is_too_long_is_told_once() {
    let profile = "  - {name: p, namespaces: {names: [n]}, allow: {parameters: {allow: [#]}}}\n";
    let yaml = with_profiles(&profile.replace('#', &numbered("work_men#, ", 4500)));
    assert_eq!(
        errors(&yaml),
        "line 19: profiles[0].allow.parameters.allow has 4500 items, and 256 are the most; write fewer [DB407]"
    );
}

#[test]
fn of_many_mistakes_twenty_are_told_and_the_rest_is_counted() {
    let profile = "  - {name: p, namespaces: {names: [n]}, allow: {parameters: {allow: [#]}}}\n";
    let errors =
        Policy::parse(&with_profiles(&profile.replace('#', &numbered("work_men#, ", 250)))).unwrap_err();
    assert_eq!(errors.0.len(), 21);
    assert_eq!(errors.0[20].to_string(), "230 more mistakes are told when these are mended [DB404]");
    assert!(errors.to_string().len() < 5000);
}

#[rstest]
#[case::aliases(with_profiles(&format!(
    "  - &p {{name: p, namespaces: {{names: [{}]}}}}\n{}",
    numbered("n#, ", 100),
    "  - *p\n".repeat(190)
)))]
#[case::values(with_profiles(&format!(
    "  - {{name: p, namespaces: {{names: [{}]}}}}\n",
    "n, ".repeat(NODES)
)))]
fn what_aliases_repeat_counts(#[case] yaml: String) {
    let errors = errors(&yaml);
    assert!(errors.contains("the policy holds more than is read") && errors.ends_with("[DB402]"), "{errors}");
}
