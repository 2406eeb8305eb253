use rstest::{Context, rstest};

use super::*;

const GOOD: &str = include_str!("../../../examples/policy.yaml");

const VAULT: &str = "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg-backup/providers/Microsoft.DataProtection/backupVaults/bv";

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
fn a_control_character_is_told_by_line_and_number(#[case] yaml: &str, #[case] shown: &str) {
    let errors = errors(yaml);
    assert!(errors.starts_with(shown) && errors.ends_with("[DB402]"), "{errors}");
}

/// Of the parser, which speaks of its functions and options.
const WORDS: &[&str] = &[
    "from_",
    "DuplicateKeyPolicy",
    "Options",
    "scalar",
    "sequence",
    "mapping",
    "expected",
    "u16",
    "i32",
    "struct ",
    "deserializ",
    "budget",
    "token",
    "block",
];

#[rstest]
#[case::two_documents(&format!("{GOOD}---\n{GOOD}"))]
#[case::an_empty_second_document(&format!("{GOOD}---\na: b\n"))]
#[case::a_key_twice(&GOOD.replacen("  location: norwayeast\n", "  location: norwayeast\n  location: norwaywest\n", 1))]
#[case::a_tag_twice(&with("costcenter: \"4711\"", "costcenter: \"4711\"\n    costcenter: \"4712\""))]
#[case::an_alias_of_nothing(&with("version: 17", "version: *default"))]
#[case::an_alias_of_itself(&with("tags:", "tags: &tags\n    x: *tags"))]
#[case::a_list_to_merge(&with("version: 17", "<<: [1]\n      version: 17"))]
#[case::a_tab(&with("  location: norwayeast", "\tlocation: norwayeast"))]
#[case::a_tab_below(&with("    firewall:", "  \tfirewall:"))]
#[case::a_quote_that_is_open(&with("location: norwayeast", "location: \"norwayeast"))]
#[case::a_bracket_that_is_open(&with("versions: [16, 17, 18]", "versions: [16, 17"))]
#[case::a_bracket_too_much(&with("versions: [16, 17, 18]", "versions: [16, 17, 18]]"))]
#[case::no_colon(&with("location: norwayeast", "location norwayeast"))]
#[case::no_blank(&with("location: norwayeast", "location:norwayeast"))]
#[case::a_colon_too_much(&with("location: norwayeast", "location: norway: east"))]
#[case::indented_too_little(&with("  location: norwayeast", " location: norwayeast"))]
#[case::an_at_sign(&with("location: norwayeast", "location: @norwayeast"))]
#[case::nothing("")]
#[case::comments("# policy\n\n")]
#[case::a_list("- a\n")]
#[case::a_text("policy\n")]
#[case::no_value(&with("location: norwayeast", "location:"))]
#[case::a_number_beyond(&with("version: 17", "version: 99999999999"))]
#[case::a_number_with_a_point(&with("version: 17", "version: 17.5"))]
#[case::a_group_as_a_number(&with("storage: {sizeGiB: 128}", "storage: 128"))]
#[case::a_list_as_a_map(&with("versions: [16, 17, 18]", "versions: {a: b}"))]
#[case::a_word_that_is_true(&with("highAvailability: ZoneRedundant", "highAvailability: true"))]
#[case::a_switch_in_words(&with("storage: {sizeGiB: 128}", "storage: {autoGrow: maybe}"))]
#[case::nested_without_end(&format!("azure: {}", "[".repeat(5000)))]
#[case::two_bytes_for_each_character(&"a\0z\0".repeat(10))]
fn what_is_wrong_with_yaml_is_told_in_our_own_words(#[context] context: Context, #[case] yaml: &str) {
    let errors = errors(yaml);
    let found: Vec<_> = WORDS.iter().filter(|word| errors.contains(**word)).collect();
    assert!(found.is_empty(), "{found:?} in {errors}");
    insta::assert_snapshot!(context.description.unwrap(), errors);
}

#[rstest]
#[case::byte_order_mark(&format!("\u{feff}{GOOD}"))]
#[case::anchors(&GOOD.replacen("versions: [16, 17, 18]", "versions: &versions [16, 17, 18]", 1).replacen("versions: [16, 17, 18]", "versions: *versions", 1))]
#[case::document_marks(&format!("---\n{GOOD}...\n"))]
#[case::tag_of_nobody(&with("version: 17", "version: !default 17"))]
#[case::tag_of_a_text(&with("costcenter: \"4711\"", "costcenter: !!str 4711"))]
fn what_yaml_takes_is_taken(#[case] yaml: &str) {
    Policy::parse(yaml).unwrap();
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
#[case::recovered_for_ever("until: 2027-02-28", "until: \"\"")]
#[case::copied_from_nothing("{from: ledger/main, to", "{to")]
#[case::copied_from_two("{from: ledger/main, to", "{from: ledger/main, fromServer: /s, to")]
#[case::copied_from_no_server("{from: ledger/main, to", "{fromServer: legacy, to")]
#[case::owners_of_a_database("{from: ledger/main, to", "{from: ledger/main, owners: [legacy], to")]
#[case::owner_that_azure_keeps(
    "{from: ledger/main, to",
    "{fromServer: /subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg/providers/Microsoft.DBforPostgreSQL/flexibleServers/a, owners: [azuresu], to"
)]
#[case::more_owners_than_can_be_named(
    "{from: ledger/main, to",
    "{fromServer: /subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg/providers/Microsoft.DBforPostgreSQL/flexibleServers/a, owners: [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q], to"
)]
#[case::copied_to_any_namespace("to: \"ledger-test/*\"", "to: \"*/main\"")]
#[case::copied_to_every_name_like_this("to: \"ledger-test/*\"", "to: \"ledger-test/main-*\"")]
#[case::copied_for_no_reason("reason: \"rehearsal, ticket 4713\"", "reason: \"\"")]
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
#[case::passwords_that_overlap_for_too_long(
    "    retention:\n      whenMissing: deny\n\n# Kept",
    "    passwords: {overlapHours: 721}\n    retention:\n      whenMissing: deny\n\n# Kept"
)]
#[case::no_issuer("issuer: \"https://", "issuer: \"http://")]
#[case::an_issuer_with_a_query("oidc.example/prod-1", "oidc.example/prod-1?tenant=a b")]
#[case::tag_with_a_slash("costcenter: \"4711\"", "cost/center: \"4711\"")]
#[case::tag_with_an_angle("costcenter: \"4711\"", "\"a<b\": \"4711\"")]
#[case::tag_of_azures("costcenter: \"4711\"", "Microsoft.owner: us")]
#[case::tag_of_ours("costcenter: \"4711\"", "Managed-By: us")]
#[case::tag_that_begins_like_ours("costcenter: \"4711\"", "database-operator-name: us")]
#[case::tags_that_differ_in_case("costcenter: \"4711\"", "costcenter: \"4711\"\n    CostCenter: \"4712\"")]
#[case::tag_without_a_name("costcenter: \"4711\"", "\" \": \"4711\"")]
#[case::group_with_a_dot("resourceGroup: rg-databases", "resourceGroup: rg-databases.")]
#[case::zone_with_an_empty_label(
    "    firewall:\n      - {name: cluster-egress, start: 20.100.0.4, end: 20.100.0.4}\n",
    "    private: {subnetId: /subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/v n/subnets/s, dnsZoneId: /subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg/providers/Microsoft.Network/privateDnsZones/.postgres.database.azure.com}\n"
)]
#[case::vault_of_another_kind(
    "  tags:\n",
    "  backupVault: {id: /subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg/providers/Microsoft.RecoveryServices/vaults/v, policies: {weekly: pg-weekly}}\n  tags:\n"
)]
#[case::vault_without_policies("  tags:\n", &format!("  backupVault: {{id: {VAULT}, policies: {{}}}}\n  tags:\n"))]
#[case::vault_policy_of_no_name("  tags:\n", &format!("  backupVault: {{id: {VAULT}, policies: {{none: pg-weekly, \"a b\": pg, weekly: \"pg/weekly\"}}}}\n  tags:\n"))]
#[case::vault_policy_that_is_unknown(
    "backup: {minRetentionDays: 7}",
    "backup: {minRetentionDays: 7, vault: [weekly, None]}"
)]
#[case::vault_policy_of_a_default_that_is_unknown(
    "storage: {sizeGiB: 32}",
    "storage: {sizeGiB: 32}\n      backup: {vault: weekly}"
)]
#[case::no_vaults("backup: {minRetentionDays: 7}", "backup: {minRetentionDays: 7, vault: []}")]
fn each_mistake_names_the_line_and_what_to_write(
    #[context] context: Context,
    #[case] old: &str,
    #[case] new: &str,
) {
    insta::assert_snapshot!(context.description.unwrap(), errors(&with(old, new)));
}

#[rstest]
#[case::name(&"n".repeat(512), "v", None)]
#[case::name_too_long(&"n".repeat(513), "v", Some("must have a name of 1 to 512 characters"))]
#[case::value("n", &"v".repeat(256), None)]
#[case::value_too_long("n", &"v".repeat(257), Some("has a value of 257 characters, and Azure takes 256; write a shorter one"))]
#[case::no_value("n", "", None)]
#[case::a_name_that_only_holds_ours("team-managed-by", "v", None)]
#[case::a_name_that_only_holds_azures("our.azure", "v", None)]
fn a_tag_is_as_long_as_azure_takes_it(#[case] name: &str, #[case] value: &str, #[case] shown: Option<&str>) {
    let yaml = with("costcenter: \"4711\"", &format!("\"{name}\": \"{value}\""));
    match (Policy::parse(&yaml), shown) {
        (Ok(_), None) => {}
        (Err(errors), Some(shown)) => {
            let errors = errors.to_string();
            assert!(errors.starts_with("line 15: azure.tags[") && errors.contains(shown), "{errors}");
        }
        (result, _) => panic!("{shown:?}: {result:?}"),
    }
}

#[test]
fn more_tags_than_leave_room_for_ours_are_told() {
    let tags = |count: usize| (0..count).map(|n| format!("t{n}: v")).collect::<Vec<_>>().join("\n    ");
    let with = |count| with("costcenter: \"4711\"", &tags(count));
    assert!(Policy::parse(&with(40)).is_ok());
    assert!(errors(&with(41)).contains("azure.tags has 41 tags; at most 40"));
}

#[rstest]
#[case::name_of_a_size("sizes: [{name: D2ds, tier: Burstable, vCores: 2, memoryGiB: 8}]")]
#[case::no_cores("sizes: [{name: Standard_D2ds_v7, tier: Burstable, vCores: 0, memoryGiB: 8}]")]
#[case::no_tier("sizes: [{name: Standard_D2ds_v7, tier: Bursting, vCores: 1, memoryGiB: 8}]")]
#[case::size_twice(
    "sizes: [{name: Standard_A1, tier: Burstable, vCores: 1, memoryGiB: 1}, {name: standard_a1, tier: Burstable, vCores: 1, memoryGiB: 1}]"
)]
#[case::no_major("versions: [{major: 1, until: 2031-11-13}]")]
#[case::day_of_a_version("versions: [{major: 19, until: 2031-13-13}]")]
#[case::days_swapped("versions: [{major: 19, until: 2031-11-13, extendedUntil: 2030-11-13}]")]
#[case::name_of_an_extension("extensions: [{name: \"a b\"}]")]
#[case::library_of_none("extensions: [{name: a, onlyLibrary: true}]")]
#[case::extension_of_no_version("extensions: [{name: a, versions: []}]")]
#[case::parameter_of_extensions("parameters: [{name: Azure.extensions, text: true}]")]
#[case::dots_of_a_parameter("parameters: [{name: a._b}]")]
#[case::two_forms("parameters: [{name: a.b, text: true, integer: [1, 2]}]")]
#[case::range_of_one("parameters: [{name: a.b, integer: [1]}]")]
#[case::range_swapped("parameters: [{name: a.b, number: [1.5, 0]}]")]
#[case::range_of_nothing("parameters: [{name: a.b, number: [.nan, .nan]}]")]
#[case::no_words("parameters: [{name: a.b, values: []}]")]
#[case::words_with_a_comma("parameters: [{name: a.b, set: [\"a,b\"]}]")]
#[case::name_of_a_region("regions: {Norway East: {zones: true}}")]
#[case::region_without_sizes("regions: {norwayeast: {sizes: []}}")]
#[case::pattern_of_sizes("regions: {norwayeast: {sizes: [\"Standard_*_v[345]\"]}}")]
#[case::unknown_in_catalogue("region: {norwayeast: {zones: true}}")]
fn each_mistake_of_the_catalogue_names_its_place(#[context] context: Context, #[case] catalogue: &str) {
    let name = format!("catalogue_{}", context.description.unwrap());
    insta::assert_snapshot!(name, errors(&format!("{GOOD}\ncatalogue:\n  {catalogue}\n")));
}

#[test]
fn the_lists_of_the_catalogue_end() {
    let lists = [
        ("sizes", 200, "{name: Standard_A#, tier: Burstable, vCores: 1, memoryGiB: 1}"),
        ("versions", 20, "{major: 1#, until: 2031-11-13}"),
        ("extensions", 200, "{name: a#}"),
        ("parameters", 500, "{name: a.b#}"),
    ];
    for (key, most, item) in lists {
        let with = |count: usize| {
            let items: Vec<String> = (0..count).map(|n| item.replace('#', &n.to_string())).collect();
            format!("{GOOD}\ncatalogue: {{{key}: [{}]}}\n", items.join(", "))
        };
        let shown = errors(&with(most + 1));
        assert_eq!(
            shown,
            format!(
                "catalogue.{key} has {} items, and {most} are the most; leave out what is known without them [DB407]",
                most + 1
            )
        );
        if key != "versions" {
            Policy::parse(&with(most)).unwrap();
        }
    }
    let regions: Vec<String> = (0..101).map(|n| format!("r{n}: {{}}")).collect();
    let shown = errors(&format!("{GOOD}\ncatalogue: {{regions: {{{}}}}}\n", regions.join(", ")));
    assert!(shown.starts_with("catalogue.regions has 101 items"), "{shown}");
    let words: Vec<String> = (0..101).map(|n| format!("w{n}")).collect();
    let words = words.join(", ");
    for inner in [
        format!("parameters: [{{name: a.b, values: [{words}]}}]"),
        format!("parameters: [{{name: a.b, set: [{words}]}}]"),
        format!("regions: {{norwayeast: {{sizes: [{words}]}}}}"),
    ] {
        let shown = errors(&format!("{GOOD}\ncatalogue: {{{inner}}}\n"));
        assert!(shown.contains("has 101 items, and 100 are the most"), "{shown}");
    }
}

/// As a manifest with nothing else would be judged, but for what a default leaves to the manifest, and for what changes
/// without the policy.
#[rstest]
#[case::version("version: 9", "", Some("version DB404"))]
#[case::version_not_allowed("version: 17", "versions: [16]", Some("version DB405"))]
#[case::version_past_its_support("version: 11", "", None)]
#[case::size_that_the_region_may_lack("sku: Standard_E96ds_v6", "", None)]
#[case::size_in_any_case("sku: standard_d2DS_V5", "skus: [Standard_D2ds_v5]", None)]
#[case::disk_too_large("storage: {sizeGiB: 512}", "storage: {maxGiB: 256}", Some("storage.sizeGiB DB405"))]
#[case::tier_without_a_size("storage: {tier: P60}", "storage: {tiers: [P4]}", Some("storage.tier DB405"))]
#[case::tier_of_the_size("storage: {sizeGiB: 64}", "storage: {tiers: [P4]}", Some("storage.tier DB405"))]
#[case::no_size_and_so_no_tier("version: 17", "storage: {tiers: [P60]}", None)]
#[case::tier_beside_no_size_of_azures("storage: {sizeGiB: 33, tier: P80}", "", Some("storage.sizeGiB DB404"))]
#[case::standby_left_to_the_manifest("sku: Standard_D2ds_v5", "highAvailability: [SameZone]", None)]
#[case::standby_of_a_size(
    "sku: Standard_B1ms, highAvailability: SameZone",
    "",
    Some("highAvailability DB405")
)]
#[case::days("backup: {retentionDays: 6}", "", Some("backup.retentionDays DB404"))]
#[case::as_many_days_as_by_itself(
    "backup: {retentionDays: 7}",
    "backup: {minRetentionDays: 14}",
    Some("backup.retentionDays DB405")
)]
#[case::days_left_to_the_manifest("backup: {geoRedundant: false}", "backup: {minRetentionDays: 14}", None)]
#[case::copies(
    "backup: {geoRedundant: true}",
    "backup: {geoRedundant: [false]}",
    Some("backup.geoRedundant DB405")
)]
#[case::copies_left_to_the_manifest("backup: {}", "backup: {geoRedundant: [true]}", None)]
#[case::login_left_to_the_manifest("", "authentication: [Password]", None)]
#[case::databases("", "databasesPerNamespace: 0", None)]
fn a_default_is_what_a_manifest_could_write(
    #[case] defaults: &str,
    #[case] allow: &str,
    #[case] shown: Option<&str>,
) {
    let profile = format!(
        "  - name: p\n    namespaces: {{names: [n]}}\n    defaults: {{{defaults}}}\n    allow: {{{allow}}}\n"
    );
    let found = Policy::parse(&with_profiles(&profile)).map_or_else(|errors| errors.0, |_| Vec::new());
    let found: Vec<_> =
        found.iter().map(|error| format!("{}: {} {}", error.line, error.path, error.code)).collect();
    let expected: Vec<_> = shown.iter().map(|shown| format!("21: profiles[0].defaults.{shown}")).collect();
    assert_eq!(found, expected);
}

/// The policy's own checks know what its catalogue adds.
#[test]
fn a_policy_may_allow_and_fill_in_what_its_catalogue_adds() {
    let catalogue = "catalogue:\n  sizes: [{name: Standard_X1, tier: GeneralPurpose, vCores: 1, memoryGiB: 4}]\n  versions: [{major: 19, until: 2031-11-13}]\n  extensions: [{name: bitcoin}]\n  parameters: [{name: bitcoins}]\n";
    let profile = "  - name: newest\n    defaults: {version: 19, sku: Standard_X1}\n    allow: {skus: [\"Standard_X*\"], versions: [19], extensions: [bitcoin], parameters: {allow: [bitcoins]}}\n    namespaces: {names: [n]}\nprofiles:\n";
    let (before, after) = GOOD.split_once("profiles:\n").unwrap();
    let (_, profile) = ("", profile.trim_end_matches("profiles:\n"));
    let yaml = format!("{before}{catalogue}profiles:\n{profile}{after}");
    Policy::parse(&yaml).unwrap();
    let shown = errors(&yaml.replace(catalogue, ""));
    for what in ["sizes", "versions", "extensions", "parameters"] {
        assert!(shown.contains(&format!("add it under catalogue.{what}")), "{what}: {shown}");
    }
}

/// An operator that knows less than Azure, or less than an older operator did, breaks no policy.
#[rstest]
#[case::extension_of_once("[pgcrypto,", "[azure_local_ai, pgcrypto,")]
#[case::prefix_of_once("\"ssl*\"", "\"plv8.*\"")]
#[case::name_of_once("\"ssl*\"", "pg_trgm.similarity_threshold")]
#[case::hidden("\"ssl*\"", "\"pgbouncer.*\"")]
#[case::read_only_now("\"ssl*\"", "synchronous_commit")]
fn what_held_once_still_holds(#[case] old: &str, #[case] new: &str) {
    Policy::parse(&with(old, new)).unwrap();
}

#[test]
fn defaults_that_azure_may_refuse_are_told_and_break_nothing() {
    let yaml = GOOD.replace("norwayeast", "westeurope").replacen(
        "sku: Standard_D2ds_v5",
        "sku: Standard_D2ds_v6",
        1,
    );
    let policy = Policy::parse(&yaml.replace("\"Standard_D*ds_v5\"", "\"Standard_D*\"")).unwrap();
    let shown: Vec<_> =
        policy.doubtful_defaults().map(|(profile, field, why)| format!("{profile} {field} {why}")).collect();
    assert_eq!(
        shown,
        [
            "production sku Standard_D2ds_v6 isn't known to be available in westeurope",
            "production highAvailability westeurope had no room for new ZoneRedundant standbys"
        ]
    );
    assert_eq!(Policy::parse(GOOD).unwrap().doubtful_defaults().count(), 0);
}

#[test]
fn a_default_past_standard_support_is_told() {
    let policy = Policy::parse(GOOD).unwrap();
    let outdated = |day: &str| policy.outdated_defaults(day.parse().unwrap()).count();
    assert_eq!((outdated("2029-11-08"), outdated("2029-11-09")), (0, 2));
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
    assert_eq!(policy.expired_copies("2027-03-01".parse().unwrap()).count(), 1);
    assert_eq!(policy.expired_copies("2027-02-28".parse().unwrap()).count(), 0);
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
fn a_policy_beyond_its_limits_is_told_so(#[case] yaml: String, #[case] shown: &str) {
    assert_eq!(errors(&yaml), shown);
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
    assert_eq!(errors.0[20].to_string(), "230 more mistakes are shown when these are corrected [DB404]");
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
