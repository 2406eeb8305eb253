//! The rules as tables: a spec, and the codes that refuse it.

mod any;
mod properties;

use jiff::civil::date;
use rstest::{Context, rstest};
use serde_json::{Value, json};

use super::*;
use crate::message;

fn policy() -> Policy {
    Policy::parse(include_str!("../../../examples/policy.yaml")).unwrap()
}

fn spec(value: Value) -> DatabaseSpec {
    serde_json::from_value(value).unwrap()
}

fn request<'a>(
    namespace: &'a str,
    name: &'a str,
    new: &'a DatabaseSpec,
    old: Option<&'a DatabaseSpec>,
) -> Request<'a> {
    Request {
        policy_name: POLICY_NAME,
        namespace,
        labels: None,
        databases: None,
        name,
        new,
        old,
        defaulted: &[],
        today: date(2026, 11, 22),
    }
}

/// Azure has made what is stored.
fn made(old: &DatabaseSpec) -> Recorded {
    Recorded {
        version: old.version.as_ref().and_then(api::version::major),
        sku: old.sku.clone(),
        size_gib: old.storage.as_ref().and_then(|storage| storage.size_gib),
        ..Recorded::default()
    }
}

fn verdict_by(policy: &Policy, namespace: &str, name: &str, new: Value, old: Option<Value>) -> Verdict {
    let (new, old) = (spec(new), old.map(spec));
    let recorded = old.as_ref().map(made);
    policy.judge(&request(namespace, name, &new, old.as_ref()), recorded.as_ref())
}

fn judge(namespace: &str, name: &str, new: Value, old: Option<Value>) -> Option<Denial> {
    verdict_by(&policy(), namespace, name, new, old).denial
}

fn codes(denial: Option<Denial>) -> Vec<Code> {
    denial.map(|denial| denial.codes()).unwrap_or_default()
}

#[rstest]
#[case::empty(json!({}), &[])]
#[case::rfc_version(json!({"version": 17}), &[])]
#[case::rfc_sku(json!({"sku": "Standard_B1ms"}), &[])]
#[case::string_version(json!({"version": "18"}), &[])]
#[case::case_does_not_matter(json!({"sku": "standard_b2S"}), &[])]
#[case::not_allowed(json!({"sku": "Standard_E64ds_v5"}), &[Code::SkuNotAllowed])]
#[case::no_such_size(json!({"sku": "banana"}), &[Code::SkuUnknown])]
#[case::unknown_version(json!({"version": 9}), &[Code::VersionOutOfSupport])]
#[case::word_for_version(json!({"version": "latest"}), &[Code::VersionOutOfSupport])]
#[case::retired(json!({"version": 14}), &[Code::VersionOutOfSupport])]
#[case::version_not_allowed(json!({"version": 15}), &[Code::VersionNotAllowed])]
#[case::both(json!({"version": 9, "sku": "banana"}), &[Code::VersionOutOfSupport, Code::SkuUnknown])]
#[case::no_disk_of_that_size(json!({"storage": {"sizeGiB": 33}}), &[Code::StorageSize])]
#[case::too_large(json!({"storage": {"sizeGiB": 512}}), &[Code::StorageLimit])]
#[case::at_the_limit(json!({"storage": {"sizeGiB": 256}}), &[])]
#[case::database_name(json!({"databaseName": "orders_v2"}), &[])]
#[case::database_name_shape(json!({"databaseName": "1st"}), &[Code::Name])]
#[case::reserved(json!({"databaseName": "Postgres"}), &[Code::Name])]
#[case::twice(json!({"parameters": {"Work_Mem": "8192", "work_mem": "16384"}}), &[Code::Parameter])]
#[case::no_name(json!({"parameters": {"pgaudit.log level": "1"}}), &[Code::Parameter])]
#[case::tier(json!({"storage": {"sizeGiB": 64, "tier": "P20"}}), &[])]
#[case::tier_too_slow(json!({"storage": {"sizeGiB": 64, "tier": "P4"}}), &[Code::StorageTier])]
#[case::tier_too_fast(json!({"storage": {"tier": "P60"}}), &[Code::StorageTier])]
#[case::tier_of_no_disk(json!({"storage": {"sizeGiB": 33, "tier": "P4"}}), &[Code::StorageSize])]
#[case::grows(json!({"storage": {"autoGrow": true}}), &[])]
#[case::standby_of_burstable(json!({"highAvailability": "SameZone"}), &[Code::HighAvailability])]
#[case::backups(json!({"backup": {"retentionDays": 35, "geoRedundant": true}}), &[])]
#[case::window(json!({"maintenanceWindow": {"day": "Sunday", "hour": 3}}), &[])]
#[case::no_such_extension(json!({"extensions": ["bitcoin"]}), &[Code::Extension])]
#[case::no_such_parameter(json!({"parameters": {"max_happiness": "1"}}), &[Code::Parameter])]
#[case::no_effect_is_fine(json!({"highAvailability": "Disabled", "authentication": "Identity", "extensions": []}), &[])]
#[case::password(json!({"authentication": "Password"}), &[])]
#[case::parameters(json!({"parameters": {"work_mem": "16384"}}), &[])]
#[case::another_service_account(json!({"serviceAccountName": "orders-api.v2"}), &[])]
#[case::two_dots(json!({"serviceAccountName": "a..b"}), &[Code::Name])]
#[case::hyphen_beside_a_dot(json!({"serviceAccountName": "a.-b"}), &[Code::Name])]
#[case::capitals(json!({"serviceAccountName": "Orders"}), &[Code::Name])]
#[case::no_account(json!({"serviceAccountName": ""}), &[Code::Name])]
#[case::endless_account(json!({"serviceAccountName": "a".repeat(254)}), &[Code::Name])]
#[case::no_size(json!({"sku": ""}), &[Code::SkuUnknown])]
#[case::no_database_name(json!({"databaseName": ""}), &[Code::Name])]
#[case::endless_database_name(json!({"databaseName": "a".repeat(64)}), &[Code::Name])]
#[case::no_extension_name(json!({"extensions": [""]}), &[Code::Extension])]
#[case::tiny_disk(json!({"storage": {"sizeGiB": 1}}), &[Code::StorageSize])]
#[case::disk_beyond_azure(json!({"storage": {"sizeGiB": 65536}}), &[Code::StorageSize])]
#[case::version_beyond_all(json!({"version": 1000}), &[Code::VersionOutOfSupport])]
#[case::version_below_all(json!({"version": -1}), &[Code::VersionOutOfSupport])]
#[case::too_few_days(json!({"backup": {"retentionDays": 6}}), &[Code::Backup])]
#[case::too_many_days(json!({"backup": {"retentionDays": 36}}), &[Code::Backup])]
#[case::no_such_hour(json!({"maintenanceWindow": {"day": "Sunday", "hour": 24}}), &[Code::MaintenanceWindow])]
#[case::hour_before_midnight(json!({"maintenanceWindow": {"day": "Sunday", "hour": -1}}), &[Code::MaintenanceWindow])]
fn a_new_database_is_judged_whole(#[case] new: Value, #[case] expected: &[Code]) {
    assert_eq!(codes(judge("orders", "main", new, None)), expected);
}

/// The controller asks the same once more, of what was stored in whatever way, and with what runs.
#[rstest]
#[case::password(json!({"authentication": "Password"}), &[])]
#[case::runs(json!({"extensions": ["PLV8"], "parameters": {"SSL_min_protocol_version": "TLSv1.3"}}), &[])]
#[case::one_more(json!({"extensions": ["plv8", "hstore"]}), &[Code::Extension])]
#[case::another_value(json!({"parameters": {"ssl_min_protocol_version": "TLSv1.2"}}), &[Code::Parameter])]
#[case::less(json!({}), &[])]
fn what_gets_past_admission_is_judged_against_what_runs(#[case] new: Value, #[case] expected: &[Code]) {
    let new = spec(new);
    let recorded = Recorded {
        version: Some(17),
        sku: Some("Standard_D2ds_v5".into()),
        size_gib: Some(128),
        extensions: Some(vec!["plv8".into()]),
        parameters: Some([("ssl_min_protocol_version".to_owned(), "TLSv1.3".to_owned())].into()),
        ..Recorded::default()
    };
    let resolved = policy().resolve(&request("orders-prod", "main", &new, None), Some(&recorded));
    assert_eq!(codes(resolved.err()), expected);
}

#[test]
fn what_was_meant_is_told_only_where_it_is_allowed() {
    let text = |allow: &str| {
        let policy = Policy::parse(&strict(allow)).unwrap();
        let new = json!({"parameters": {"work_men": "8192"}});
        verdict_by(&policy, "orders", "main", new, None).denial.unwrap().problems[0].text.clone()
    };
    assert!(text("").ends_with("did you mean work_mem?"));
    assert!(text("parameters: {deny: [work_mem]}").ends_with("leave it out"));
}

#[rstest]
#[case::both_stay(json!({"extensions": ["pgaudit"], "parameters": {"pgaudit.log": "ddl", "work_mem": "8192"}}), &[])]
#[case::both_go(json!({"extensions": []}), &[])]
#[case::extension_goes(json!({"parameters": {"pgaudit.log": "ddl", "work_mem": "8192"}}), &[Code::Parameter])]
#[case::parameter_goes(json!({"extensions": ["PgAudit"], "parameters": {"work_mem": "8192"}}), &[])]
fn an_extension_does_not_go_while_its_parameters_stay(#[case] new: Value, #[case] expected: &[Code]) {
    let old = json!({"extensions": ["pgaudit"], "parameters": {"pgaudit.log": "ddl", "work_mem": "8192"}});
    assert_eq!(codes(judge("orders", "main", new, Some(old))), expected);
}

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
#[case::zones("norwaywest", json!({"highAvailability": "ZoneRedundant"}), &[Code::HighAvailability])]
#[case::no_zones_needed("norwaywest", json!({"highAvailability": "SameZone"}), &[])]
#[case::alone("polandcentral", json!({"backup": {"geoRedundant": true}}), &[Code::Backup])]
fn a_region_can_lack_what_is_wanted(#[case] location: &str, #[case] new: Value, #[case] expected: &[Code]) {
    let yaml = strict("").replace("norwayeast", location);
    let policy = Policy::parse(&yaml).unwrap();
    assert_eq!(codes(verdict_by(&policy, "orders", "main", new, None).denial), expected);
}

/// A policy of one profile, with this in its `allow`.
fn strict(allow: &str) -> String {
    let example = include_str!("../../../examples/policy.yaml");
    let azure = example.split("profiles:").next().unwrap();
    format!(
        "{azure}profiles:\n  - name: strict\n    defaults: {{version: 17, sku: Standard_D2ds_v5, storage: {{sizeGiB: 32}}}}\n    allow: {{{allow}}}\n"
    )
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
#[case::whole_number("work_mem", "8192", None)]
#[case::unit("work_mem", "8MB", Some("a whole number from 4096 to 2097151, without a unit"))]
#[case::too_small("max_connections", "5", Some("a whole number from 25 to 5000"))]
#[case::word_for_number("random_page_cost", "cheap", Some("a number"))]
#[case::number("random_page_cost", "1.1", None)]
#[case::switch("log_lock_waits", "ON", None)]
#[case::no_switch("log_lock_waits", "yes please", Some("on or off"))]
#[case::text("DateStyle", "ISO, DMY", None)]
#[case::two_lines("DateStyle", "ISO\nDMY", Some("text on one line"))]
#[case::misspelt("work_men", "8192", Some("did you mean work_mem?"))]
#[case::unknown("max_happiness", "1", Some("is no server parameter that Azure offers"))]
#[case::read_only("fsync", "off", Some("is read-only"))]
#[case::of_extensions("azure.extensions", "vector", Some("write the extension there"))]
#[case::library("pgaudit.log", "ddl", Some("add pgaudit to spec.extensions"))]
#[case::loaded_anyway("pg_stat_statements.track", "all", None)]
#[case::loaded_anyway_by_another_name("cron.timezone", "Europe/Oslo", None)]
#[case::loaded_by_nobody(
    "auto_explain.log_min_duration",
    "100",
    Some("the library auto_explain is never loaded; leave it out")
)]
#[case::of_an_extension_that_loads_none(
    "pg_prewarm.autoprewarm",
    "on",
    Some("the library pg_prewarm is never loaded")
)]
#[case::azures_own("pgbouncer.enabled", "true", None)]
fn a_parameter_is_told_what_it_can_be(
    #[case] name: &str,
    #[case] value: &str,
    #[case] expected: Option<&str>,
) {
    let policy = Policy::parse(&strict("")).unwrap();
    let verdict = verdict_by(&policy, "orders", "main", json!({"parameters": {name: value}}), None);
    let problems = verdict.denial.map(|denial| denial.problems).unwrap_or_default();
    let told =
        problems.iter().find(|problem| problem.code == Code::Parameter).map(|problem| problem.text.clone());
    assert_eq!(told.is_some(), expected.is_some(), "{told:?}");
    assert!(told.unwrap_or_default().contains(expected.unwrap_or_default()));
}

/// Nobody waits for what was meant by hundreds of endless names.
#[test]
fn many_long_names_are_refused_in_no_time() {
    let policy = Policy::parse(&strict("")).unwrap();
    let parameters: serde_json::Map<String, Value> =
        (0..250).map(|number| (format!("{}{number}", "work_mem_".repeat(1200)), json!("1"))).collect();
    let extensions: Vec<String> = (0..64).map(|number| format!("{}{number}", "pg_".repeat(4000))).collect();
    let new = json!({"sku": "Standard_".repeat(4000), "parameters": parameters, "extensions": extensions});
    let start = std::time::Instant::now();
    let denial = verdict_by(&policy, "orders", "main", new, None).denial.unwrap();
    assert_eq!(denial.problems.len(), 1 + 64 + 250);
    assert!(denial.message().chars().count() <= message::LONGEST);
    assert!(start.elapsed().as_secs() < 2, "{:?}", start.elapsed());
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
    let request = Request { databases: has, ..request("orders-prod", "main", &new, old.as_ref()) };
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
        let request = Request { databases: Some(1), ..request("orders", "main", &new, None) };
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
#[case("main", &[])]
#[case("1st", &[Code::Name])] // becomes the database 1st, which PostgreSQL would have to quote
#[case("with.dot", &[Code::Name])]
#[case("postgres", &[Code::Name])]
fn the_name_must_do_for_all_that_is_derived_from_it(#[case] name: &str, #[case] expected: &[Code]) {
    assert_eq!(codes(judge("orders", name, json!({}), None)), expected);
}

#[rstest]
#[case::nothing_changed(json!({"version": 14, "sku": "Standard_E64ds_v5"}), json!({"version": "14", "sku": "standard_e64ds_v5"}), &[])]
#[case::only_the_change(json!({"version": 14, "sku": "Standard_E64ds_v5"}), json!({"version": 14, "sku": "Standard_E32ds_v5"}), &[Code::SkuNotAllowed])]
#[case::upgrade(json!({"version": 16}), json!({"version": 17}), &[])]
#[case::downgrade(json!({"version": 17}), json!({"version": 16}), &[Code::VersionDowngrade])]
#[case::growth(json!({"storage": {"sizeGiB": 32}}), json!({"storage": {"sizeGiB": 64}}), &[])]
#[case::shrink(json!({"storage": {"sizeGiB": 64}}), json!({"storage": {"sizeGiB": 32}}), &[Code::StorageShrink])]
#[case::left_out_again(json!({"version": 18, "storage": {"sizeGiB": 64}}), json!({}), &[])]
#[case::renamed(json!({}), json!({"databaseName": "other"}), &[Code::CreateOnly])]
#[case::named_as_it_is(json!({}), json!({"databaseName": "main"}), &[])]
#[case::name_left_out(json!({"databaseName": "other"}), json!({}), &[])]
#[case::copies_later(json!({}), json!({"backup": {"geoRedundant": true}}), &[Code::CreateOnly])]
#[case::copies_no_more(json!({"backup": {"geoRedundant": true}}), json!({"backup": {"geoRedundant": false}}), &[Code::CreateOnly])]
#[case::copies_left_out(json!({"backup": {"geoRedundant": true}}), json!({}), &[])]
#[case::standby_of_what_became_burstable(json!({"sku": "Standard_D2ds_v5", "highAvailability": "SameZone"}), json!({"sku": "Standard_B2s", "highAvailability": "SameZone"}), &[Code::HighAvailability])]
#[case::outgrown_tier(json!({"storage": {"sizeGiB": 32, "tier": "P6"}}), json!({"storage": {"sizeGiB": 128, "tier": "P6"}}), &[Code::StorageTier])]
#[case::outgrown_tier_left_out(json!({"storage": {"sizeGiB": 32, "tier": "P6"}}), json!({"storage": {"sizeGiB": 128}}), &[])]
fn an_update_is_judged_by_what_it_changes(#[case] old: Value, #[case] new: Value, #[case] expected: &[Code]) {
    assert_eq!(codes(judge("orders", "main", new, Some(old))), expected);
}

#[rstest]
#[case::not_made_yet(None, &[])]
#[case::refused_by_azure(Some((16, 32)), &[])]
#[case::fulfilled(Some((17, 64)), &[Code::VersionDowngrade, Code::StorageShrink])]
#[case::grown_by_itself(Some((16, 128)), &[Code::StorageShrink])]
fn a_wish_that_azure_has_not_fulfilled_can_be_taken_back(
    #[case] running: Option<(u16, i32)>,
    #[case] expected: &[Code],
) {
    let old = spec(json!({"version": 17, "storage": {"sizeGiB": 64}}));
    let new = spec(json!({"version": 16, "storage": {"sizeGiB": 32}}));
    let recorded = running.map(|(version, size)| Recorded {
        version: Some(version),
        size_gib: Some(size),
        ..Recorded::default()
    });
    let request = request("orders", "main", &new, Some(&old));
    assert_eq!(codes(policy().judge(&request, recorded.as_ref()).denial), expected);
}

#[test]
fn a_kept_database_keeps_its_name_when_the_manifest_leaves_it_out() {
    let new = spec(json!({}));
    let request = request("orders", "main", &new, None);
    let recorded = Recorded { database_name: Some("orders_v1".into()), ..Recorded::default() };
    let effective = policy().resolve(&request, Some(&recorded)).unwrap();
    assert_eq!(effective.database_name, "orders_v1");
}

/// What runs outranks what is stored: a kept server that was found again, or one that others changed.
#[rstest]
#[case::name_not_made_yet(None, json!({"databaseName": "typo"}), json!({"databaseName": "orders"}), &[])]
#[case::name_of_a_kept_one(Some(json!({"databaseName": "orders"})), json!({"databaseName": "other"}), json!({"databaseName": "orders"}), &[])]
#[case::lost_and_left_out(Some(json!({"databaseName": "orders"})), json!({}), json!({"sku": "Standard_B2s"}), &[])]
#[case::another_name(Some(json!({"databaseName": "orders"})), json!({"databaseName": "orders"}), json!({"databaseName": "other"}), &[Code::CreateOnly])]
#[case::newer_than_stored(Some(json!({"version": 18})), json!({"version": 17}), json!({"version": 17, "sku": "Standard_B2s"}), &[])]
#[case::back_from_newer(Some(json!({"version": 18})), json!({"version": 18}), json!({"version": 17}), &[Code::VersionDowngrade])]
fn an_update_is_judged_by_what_runs(
    #[case] running: Option<Value>,
    #[case] old: Value,
    #[case] new: Value,
    #[case] expected: &[Code],
) {
    let (old, new) = (spec(old), spec(new));
    let recorded = running.map(spec).map(|running| Recorded {
        version: running.version.as_ref().and_then(api::version::major),
        database_name: running.database_name,
        ..Recorded::default()
    });
    let request = request("orders", "main", &new, Some(&old));
    assert_eq!(codes(policy().judge(&request, recorded.as_ref()).denial), expected);
}

#[test]
fn a_server_is_judged_where_it_is_and_its_size_in_any_case() {
    let moved = Policy::parse(&strict("").replace("norwayeast", "norwaywest")).unwrap();
    let wanted = spec(json!({"sku": "standard_d2ds_V5", "highAvailability": "ZoneRedundant"}));
    let request = request("orders", "main", &wanted, None);
    let mut recorded = Recorded {
        version: Some(17),
        sku: Some("Standard_D2ds_v5".into()),
        size_gib: Some(32),
        location: Some("norwayeast".into()),
        ..Recorded::default()
    };
    assert!(moved.resolve(&request, Some(&recorded)).is_ok());
    // And what was accepted once isn't looked at again because of a letter's case.
    recorded.location = None;
    recorded.settings = Some(crate::Settings::of(&wanted));
    assert!(moved.resolve(&request, Some(&recorded)).is_ok());
}

/// A kept server that is found again: the default that the new object noted changes nothing of it, for any judge.
#[rstest]
#[case::standby_of_what_runs(json!({"sku": "Standard_B1ms", "highAvailability": "SameZone"}), &[])]
#[case::as_it_runs(json!({"sku": "Standard_D4ds_v5"}), &[])]
#[case::another(json!({"sku": "Standard_D8ds_v5"}), &[Code::SkuNotAllowed])]
fn a_default_that_gave_way_is_judged_as_what_runs(#[case] change: Value, #[case] expected: &[Code]) {
    let policy = policy();
    let stored = spec(json!({"version": 17, "sku": "Standard_B1ms", "storage": {"sizeGiB": 32}}));
    let mut new = json!({"version": 17, "storage": {"sizeGiB": 32}});
    new.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    let new = spec(new);
    let recorded = Recorded { sku: Some("Standard_D4ds_v5".into()), ..made(&stored) };
    let noted = defaults::from_annotation("sku=Standard_B1ms@default");
    let request = Request { defaulted: &noted, ..request("orders", "main", &new, Some(&stored)) };
    assert_eq!(codes(policy.judge(&request, Some(&recorded)).denial), expected);
    let built = policy.resolve(&Request { old: None, ..request }, Some(&recorded));
    assert_eq!(codes(built.err()), expected);
    let unchanged = Request { new: &stored, ..request };
    let breaches = policy.breaches(&unchanged, Some(&recorded));
    assert_eq!(breaches.first().map(|(_, problem)| problem.code), Some(Code::SkuNotAllowed));
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

/// Where nothing is left to choose from, the message says what to do all the same.
#[rstest]
#[case::grown_beyond("storage: {maxGiB: 64}", json!({"storage": {"sizeGiB": 128}}), json!({"storage": {"sizeGiB": 256}}), "leave it as it is, or ask the platform team")]
#[case::no_tier_for_the_size("storage: {tiers: [P6]}", json!({"storage": {"sizeGiB": 8192}}), json!({"storage": {"sizeGiB": 8192, "tier": "P70"}}), "leave spec.storage as it is, or ask the platform team")]
#[case::no_tier_for_a_larger_disk("storage: {tiers: [P6]}", json!({"storage": {"sizeGiB": 64}}), json!({"storage": {"sizeGiB": 8192}}), "P60 (as it is when left out) is not allowed here; leave spec.storage as it is")]
#[case::no_older_version("versions: [16, 17]", json!({"version": 17}), json!({"version": 18}), "use 17 (until 2029-11-08) [")]
#[case::older_than_all("versions: [16]", json!({"version": 17}), json!({"version": 18}), "18 is not allowed here; write 17 back [")]
#[case::no_extension_known("extensions: []", json!({}), json!({"extensions": ["bitcoin"]}), "is no extension that Azure offers; no extension is allowed here, leave it out [")]
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

/// What is out of policy is told with what could be done about it, and not with what would be refused.
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

#[test]
fn a_stricter_policy_leaves_old_databases_alone() {
    let old = json!({"sku": "Standard_B2s", "storage": {"sizeGiB": 32}, "version": 17});
    let new = json!({"sku": "Standard_B2s", "storage": {"sizeGiB": 64}, "version": 17});
    assert_eq!(codes(judge("orders-prod", "main", new, Some(old))), &[]);
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
    let request = Request { databases: Some(3), ..request("orders", "main", &new, None) };
    let denial = Policy::parse(&yaml).unwrap().judge(&request, None).denial.unwrap();
    insta::assert_snapshot!(context.description.unwrap(), denial.message());
}

#[test]
fn the_message_of_an_update_says_what_to_write_back() {
    let old = json!({"version": 17, "storage": {"sizeGiB": 64}, "databaseName": "a"});
    let new = json!({"version": 16, "storage": {"sizeGiB": 32}, "databaseName": "b"});
    insta::assert_snapshot!(judge("orders", "main", new, Some(old)).unwrap().message());
}
