//! The rules as tables: a spec, and the codes that refuse it.

mod any;
mod azure;
mod messages;
mod profile;
mod properties;
mod restores;
mod updates;

use api::{Storage, StorageTier};
use jiff::civil::date;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use rstest::rstest;
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
    let database = DatabaseRef::new(namespace, name);
    Request { old, ..Request::new(POLICY_NAME, database, new, date(2026, 11, 22)) }
}

/// Azure has made what is stored.
fn made(old: &DatabaseSpec) -> Recorded {
    let major = spec::major(old);
    let running = DatabaseSpec {
        version: major.map(|major| IntOrString::Int(major.into())),
        sku: old.sku.clone(),
        storage: Some(Storage { size_gib: spec::size_gib(old), ..Storage::default() }),
        ..DatabaseSpec::default()
    };
    running.into()
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
#[case::past_standard_support(json!({"version": 13}), &[Code::VersionOutOfSupport])]
#[case::in_standard_support(json!({"version": 14}), &[Code::VersionNotAllowed])]
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

/// With a vault of two backup policies.
fn with_vault(allow: &str) -> Policy {
    let vault = "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg-backup/providers/Microsoft.DataProtection/backupVaults/bv";
    let policies = "{weekly: pg-weekly-1y, archive: pg-monthly-10y}";
    let yaml = strict(allow).replacen(
        "azure:\n",
        &format!("azure:\n  backupVault: {{id: {vault}, policies: {policies}}}\n"),
        1,
    );
    Policy::parse(&yaml).unwrap()
}

#[rstest]
#[case::nobody_asks("", json!({}), None)]
#[case::asked_for("", json!({"backup": {"vault": "weekly"}}), None)]
#[case::none("", json!({"backup": {"vault": "None"}}), None)]
#[case::allowed("backup: {vault: [archive, None]}", json!({"backup": {"vault": "archive"}}), None)]
#[case::none_is_allowed("backup: {vault: [archive, None]}", json!({}), None)]
#[case::unknown("", json!({"backup": {"vault": "daily"}}), Some("spec.backup.vault \"daily\" is not a backup policy of the vault that the policy names; use archive, weekly or None [DB111]"))]
#[case::nothing_is_unlike_none("", json!({"backup": {"vault": "none"}}), Some("spec.backup.vault \"none\" is not a backup policy of the vault that the policy names; use archive, weekly or None [DB111]"))]
#[case::not_allowed("backup: {vault: [archive, None]}", json!({"backup": {"vault": "weekly"}}), Some("spec.backup.vault weekly is not allowed here; use archive or None [DB111]"))]
#[case::each_must("backup: {vault: [archive]}", json!({"backup": {"vault": "None"}}), Some("spec.backup.vault None is not allowed here; use archive [DB111]"))]
#[case::each_must_and_nobody_asks("backup: {vault: [archive]}", json!({}), Some("spec.backup.vault None (as it is when left out) is not allowed here; use archive [DB111]"))]
fn a_copy_in_the_vault_is_what_the_profile_allows(
    #[case] allow: &str,
    #[case] new: Value,
    #[case] expected: Option<&str>,
) {
    let denial = verdict_by(&with_vault(allow), "orders", "main", new, None).denial;
    let message = denial.map(|denial| denial.message()).unwrap_or_default();
    assert!(message.contains(expected.unwrap_or_default()), "{message}");
    assert_eq!(message.is_empty(), expected.is_none(), "{message}");
}

/// A policy that has become stricter stands in nobody's way.
#[test]
fn a_copy_in_the_vault_is_judged_where_it_changes() {
    let by = |old: Value, new: Value| {
        codes(verdict_by(&with_vault("backup: {vault: [archive]}"), "orders", "main", new, Some(old)).denial)
    };
    let with = |vault: &str| json!({"sku": "Standard_B1ms", "backup": {"vault": vault}});
    assert_eq!(by(json!({}), json!({"sku": "Standard_B2s"})), []);
    assert_eq!(by(with("weekly"), json!({"sku": "Standard_B2s", "backup": {"vault": "weekly"}})), []);
    assert_eq!(by(with("weekly"), json!({"sku": "Standard_B2s"})), [], "what is left out stays");
    assert_eq!(by(with("archive"), with("None")), [Code::Backup]);
    assert_eq!(by(with("None"), with("archive")), []);
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
#[case::whole_number("work_mem", "8192", None)]
#[case::unit("work_mem", "8MB", Some("a whole number from 4096 to 2097151, without a unit"))]
#[case::too_small("max_connections", "5", Some("a whole number from 25 to 5000"))]
#[case::word_for_number("random_page_cost", "cheap", Some("a number"))]
#[case::number("random_page_cost", "1.1", None)]
#[case::switch("log_lock_waits", "ON", None)]
#[case::no_switch("log_lock_waits", "yes please", Some("on or off"))]
#[case::text("DateStyle", "ISO, DMY", None)]
#[case::two_lines("DateStyle", "ISO\nDMY", Some("text on one line"))]
#[case::misspelt(
    "work_men",
    "8192",
    Some("did you mean work_mem? (if Azure has it, the platform team can add it")
)]
#[case::unknown(
    "happiness",
    "1",
    Some("is not a server parameter that this version of the operator knows; leave it out (if Azure has it")
)]
#[case::read_only("fsync", "off", Some("is read-only"))]
#[case::of_extensions("azure.extensions", "vector", Some("write the extension there"))]
#[case::library("pgaudit.log", "ddl", Some("add pgaudit to spec.extensions"))]
#[case::loaded_anyway("pg_stat_statements.track", "all", None)]
#[case::loaded_anyway_by_another_name("cron.timezone", "Europe/Oslo", None)]
#[case::of_a_library_alone(
    "auto_explain.log_min_duration",
    "100",
    Some("before the library auto_explain is loaded; add auto_explain to spec.extensions")
)]
#[case::of_an_extension_but_read_only("pg_prewarm.autoprewarm", "on", Some("is read-only"))]
#[case::azures_own("pgbouncer.enabled", "true", None)]
#[case::yaml_of_kubectl("autovacuum", "true", None)]
#[case::one_of_some("wal_level", "minimal", Some("can't be \"minimal\"; write replica or logical"))]
#[case::nearly_one("client_encoding", "UTF-8", Some("write UTF8"))]
#[case::of_a_library_that_is_loaded("pgaudit.log_level", "notice", Some("add pgaudit to spec.extensions"))]
#[case::whole_in_azure("autovacuum_vacuum_cost_delay", "2.5", Some("a whole number from -1 to 100"))]
#[case::less_than_postgresql_takes("max_parallel_maintenance_workers", "65", Some("from 0 to 64"))]
#[case::beyond_its_range("geqo_seed", "1.5", Some("a number from 0 to 1, without a unit"))]
#[case::without_an_end("seq_page_cost", "-1", Some("a number from 0 on, without a unit"))]
#[case::newer("io_workers", "4", Some("is there from version 18 on; leave it out, or raise spec.version"))]
#[case::of_a_session("session_preload_libraries", "login_hook", None)]
#[case::of_a_session_but_no_such_library(
    "session_preload_libraries",
    "auto_explain",
    Some("write login_hook")
)]
fn a_parameter_is_told_what_it_can_be(
    #[case] name: &str,
    #[case] value: &str,
    #[case] expected: Option<&str>,
) {
    let policy = Policy::parse(&strict("")).unwrap();
    let verdict = verdict_by(&policy, "orders", "main", json!({"parameters": {name: value}}), None);
    let problems = verdict.denial.map(|denial| denial.problems).unwrap_or_default();
    let shown =
        problems.iter().find(|problem| problem.code == Code::Parameter).map(|problem| problem.text.clone());
    assert_eq!(shown.is_some(), expected.is_some(), "{shown:?}");
    let shown = shown.unwrap_or_default();
    assert!(shown.contains(expected.unwrap_or_default()), "{shown}");
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
    assert!(denial.message().chars().count() <= message::LONGEST_MESSAGE);
    assert!(start.elapsed().as_secs() < 2, "{:?}", start.elapsed());
}

#[rstest]
#[case("main", &[])]
#[case("1st", &[Code::Name])] // becomes the database 1st, which PostgreSQL would have to quote
#[case("with.dot", &[Code::Name])]
#[case("postgres", &[Code::Name])]
fn the_name_must_do_for_all_that_is_derived_from_it(#[case] name: &str, #[case] expected: &[Code]) {
    assert_eq!(codes(judge("orders", name, json!({}), None)), expected);
}
