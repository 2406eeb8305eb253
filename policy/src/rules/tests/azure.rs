//! What Azure can't do where the server is, and what the policy knows better.

use super::*;

/// The strict policy in a region, with a catalogue.
fn policy_in(location: &str, catalogue: &str) -> Policy {
    let yaml = strict("").replace("norwayeast", location);
    Policy::parse(&format!("{yaml}catalogue: {{{catalogue}}}\n")).unwrap()
}

fn shown(policy: &Policy, new: Value, old: Option<Value>) -> Vec<(Code, String)> {
    let denial = verdict_by(policy, "orders", "main", new, old).denial;
    let problems = denial.into_iter().flat_map(|denial| denial.problems);
    problems.map(|problem| (problem.code, problem.text)).collect()
}

fn codes_by(policy: &Policy, new: Value, old: Option<Value>) -> Vec<Code> {
    codes(verdict_by(policy, "orders", "main", new, old).denial)
}

#[rstest]
#[case::v6("norwayeast", json!({"sku": "Standard_D2ds_v6"}), &[Code::SkuImpossible])]
#[case::v6_of_another_maker("australiaeast", json!({"sku": "Standard_D2ads_v6"}), &[Code::SkuImpossible])]
#[case::v6_where_it_is("australiaeast", json!({"sku": "Standard_D2ds_v6"}), &[])]
#[case::confidential("norwayeast", json!({"sku": "Standard_DC2ads_v5"}), &[Code::SkuImpossible])]
#[case::confidential_where_it_is("westeurope", json!({"sku": "Standard_EC2ads_v5"}), &[])]
#[case::of_a_new_region("opened", json!({"sku": "Standard_D2ds_v6"}), &[])]
#[case::new_in_the_list("norwayeast", json!({"sku": "Standard_E96bds_v5"}), &[])]
fn a_size_must_be_had_in_the_region(#[case] location: &str, #[case] new: Value, #[case] expected: &[Code]) {
    assert_eq!(codes_by(&policy_in(location, ""), new, None), expected);
}

#[test]
fn a_size_that_a_region_lacks_is_told_with_the_nearest_that_it_has() {
    let shown = shown(&policy_in("norwayeast", ""), json!({"sku": "Standard_D4ds_v6"}), None);
    assert_eq!(
        shown[0].1,
        "spec.sku Standard_D4ds_v6 is not a size that this version of the operator knows norwayeast to have; use \
         Standard_D4ds_v5, Standard_D4ads_v5, Standard_D4ds_v4, Standard_D4s_v3 or Standard_D2ds_v5 (+67 more); if Azure \
         has it there, the platform team can say so under catalogue.regions"
    );
}

/// A policy whose servers are made in a virtual network.
fn private() -> Policy {
    let place =
        "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg/providers/Microsoft.Network";
    let yaml = strict("").replace("norwayeast", "australiaeast");
    let (before, rest) = yaml.split_once("    firewall:\n").unwrap();
    let (_, after) = rest.split_once("end: 20.100.0.4}\n").unwrap();
    Policy::parse(&format!(
        "{before}    private: {{subnetId: {place}/virtualNetworks/v/subnets/s, dnsZoneId: \
         {place}/privateDnsZones/x.postgres.database.azure.com}}\n{after}"
    ))
    .unwrap()
}

#[test]
fn no_v6_size_is_made_in_a_virtual_network() {
    let shown = shown(&private(), json!({"sku": "Standard_D2ds_v6"}), None);
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0].0, Code::SkuImpossible);
    assert!(shown[0].1.contains(
        "isn't available in a virtual network, where servers are made here; use Standard_D2ds_v5,"
    ));
    assert_eq!(codes_by(&private(), json!({"sku": "Standard_D2ds_v5"}), None), []);
    // A server stays in the network in which it was made, which may be another than the policy's.
    let (new, old) = (json!({"sku": "Standard_D2ds_v6"}), json!({"sku": "Standard_D2ds_v5"}));
    assert_eq!(codes_by(&private(), new, Some(old)), []);
}

#[rstest]
#[case::up("Standard_B2s", "Standard_D2ds_v6", &[Code::SkuImpossible])]
#[case::down("Standard_D2ds_v6", "Standard_B2s", &[Code::SkuImpossible])]
#[case::by_way_of_v5("Standard_B2s", "Standard_D2ds_v5", &[])]
#[case::from_v5("Standard_D2ds_v5", "Standard_D2ds_v6", &[])]
#[case::stays("standard_d2DS_v6", "Standard_D2ds_v6", &[])]
fn no_server_is_scaled_between_burstable_and_v6(
    #[case] from: &str,
    #[case] to: &str,
    #[case] expected: &[Code],
) {
    let policy = policy_in("australiaeast", "");
    assert_eq!(codes_by(&policy, json!({"sku": to}), Some(json!({"sku": from}))), expected);
    // One that Azure hasn't made yet can still become anything.
    let (new, old) = (spec(json!({"sku": to})), spec(json!({"sku": from})));
    let request = request("orders", "main", &new, Some(&old));
    assert_eq!(codes(policy.judge(&request, None).denial), []);
}

#[rstest]
#[case::on(json!({"sku": "Standard_B2s", "parameters": {"pgbouncer.enabled": "true"}}), None, Some("can't be \"true\" with the Burstable size Standard_B2s"))]
#[case::in_other_words(json!({"sku": "Standard_B2s", "parameters": {"PgBouncer.Enabled": "On"}}), None, Some("with the Burstable size Standard_B2s"))]
#[case::off(json!({"sku": "Standard_B2s", "parameters": {"pgbouncer.enabled": "no"}}), None, None)]
#[case::of_a_larger_size(json!({"sku": "Standard_D2ds_v5", "parameters": {"pgbouncer.enabled": "true", "pgbouncer.pool_mode": "session"}}), None, None)]
#[case::scaled_down(json!({"sku": "Standard_B2s", "parameters": {"pgbouncer.enabled": "true"}}), Some(json!({"sku": "Standard_D2ds_v5", "parameters": {"pgbouncer.enabled": "true"}})), Some("with the Burstable size Standard_B2s"))]
#[case::stays(json!({"sku": "Standard_B2s", "version": 18, "parameters": {"pgbouncer.enabled": "true"}}), Some(json!({"sku": "Standard_B2s", "parameters": {"pgbouncer.enabled": "true"}})), None)]
#[case::without_the_switch(json!({"sku": "Standard_D2ds_v5", "parameters": {"pgbouncer.pool_mode": "session"}}), None, Some("is not there while pgbouncer.enabled is off"))]
#[case::the_switch_goes(json!({"sku": "Standard_D2ds_v5", "parameters": {"pgbouncer.pool_mode": "session"}}), Some(json!({"sku": "Standard_D2ds_v5", "parameters": {"pgbouncer.enabled": "true", "pgbouncer.pool_mode": "session"}})), Some("is not there while pgbouncer.enabled is off"))]
fn the_pooler_needs_a_size_that_has_it(
    #[case] new: Value,
    #[case] old: Option<Value>,
    #[case] expected: Option<&str>,
) {
    let shown = shown(&policy_in("norwayeast", ""), new, old);
    assert_eq!(shown.len(), usize::from(expected.is_some()), "{shown:?}");
    assert!(
        shown.iter().all(|(code, text)| *code == Code::Parameter && text.contains(expected.unwrap())),
        "{shown:?}"
    );
}

/// A stricter policy doesn't refuse what runs because Azure spells it in another way.
#[test]
fn what_runs_is_the_same_in_azures_spelling() {
    let policy = Policy::parse(&strict("parameters: {allow: [work_mem]}")).unwrap();
    let new = spec(
        json!({"parameters": {"AutoVacuum": "yes", "pgaudit.log": "write, DDL"}, "extensions": ["pgaudit"]}),
    );
    let runs = json!({
        "version": 17, "extensions": ["pgaudit"], "parameters": {"autovacuum": "on", "pgaudit.log": "write,ddl"},
    });
    let recorded = Recorded::from(spec(runs));
    let built = policy.resolve(&request("orders", "main", &new, None), Some(&recorded)).unwrap();
    assert_eq!(built.parameters["autovacuum"], "on");
    let changed = spec(json!({"parameters": {"AutoVacuum": "off"}, "extensions": ["pgaudit"]}));
    let refused = policy.resolve(&request("orders", "main", &changed, None), Some(&recorded));
    assert_eq!(codes(refused.err()), [Code::Parameter]);
}

#[rstest]
#[case::standard("", 14, date(2026, 12, 11), &[])]
#[case::paid("", 14, date(2026, 12, 12), &[Code::VersionOutOfSupport])]
#[case::paid_and_wanted("versions: [14, 17]", 14, date(2026, 12, 12), &[])]
#[case::paid_and_not_wanted("versions: [17]", 14, date(2026, 12, 12), &[Code::VersionOutOfSupport])]
#[case::over("versions: [11, 17]", 11, date(2026, 11, 28), &[Code::VersionOutOfSupport])]
#[case::not_known("versions: [17]", 19, date(2026, 11, 28), &[Code::VersionOutOfSupport])]
fn a_version_that_costs_extra_is_had_where_the_platform_names_it(
    #[case] allow: &str,
    #[case] major: i32,
    #[case] today: Date,
    #[case] expected: &[Code],
) {
    let policy = Policy::parse(&strict(allow)).unwrap();
    let new = spec(json!({"version": major}));
    let request = Request { today, ..request("orders", "main", &new, None) };
    let denial = policy.judge(&request, None).denial;
    let said = denial.as_ref().map(Denial::message).unwrap_or_default();
    assert_eq!(codes(denial), expected, "{said}");
    assert!(!said.contains("Azure offers") && !said.contains("creates no"), "{said}");
}

#[rstest]
#[case::too_new(json!({"version": 17, "extensions": ["pg_failover_slots"]}), None, &[Code::Extension])]
#[case::old_enough(json!({"version": 16, "extensions": ["pg_failover_slots"]}), None, &[])]
#[case::upgraded(json!({"version": 17, "extensions": ["pg_failover_slots"]}), Some(json!({"version": 16, "extensions": ["pg_failover_slots"]})), &[Code::Extension])]
#[case::stays(json!({"version": 17, "extensions": ["pg_failover_slots"]}), Some(json!({"version": 17, "extensions": ["pg_failover_slots"]})), &[])]
#[case::library_alone(json!({"extensions": ["auto_explain", "wal2json"], "parameters": {"auto_explain.log_min_duration": "100"}}), None, &[])]
#[case::new(json!({"extensions": ["pg_duckdb", "pg_ivm", "tdigest", "temporal_tables"]}), None, &[])]
#[case::not_any_more(json!({"extensions": ["azure_local_ai"]}), None, &[Code::Extension])]
fn an_extension_must_be_had_with_the_version(
    #[case] new: Value,
    #[case] old: Option<Value>,
    #[case] expected: &[Code],
) {
    assert_eq!(codes_by(&policy_in("norwayeast", ""), new, old), expected);
}

/// Nobody waits for a release.
#[rstest]
#[case::size("sizes: [{name: Standard_D2ds_v7, tier: GeneralPurpose, vCores: 2, memoryGiB: 8}]", json!({"sku": "standard_d2ds_v7"}), Code::SkuUnknown)]
#[case::version("versions: [{major: 19, until: 2031-11-13}]", json!({"version": 19}), Code::VersionOutOfSupport)]
#[case::dates("versions: [{major: 13, until: 2027-07-31, extendedUntil: 2028-11-12}]", json!({"version": 13}), Code::VersionOutOfSupport)]
#[case::extension("extensions: [{name: bitcoin, library: bitcoin}]", json!({"extensions": ["BitCoin"]}), Code::Extension)]
#[case::versions_of_an_extension("extensions: [{name: pg_failover_slots, library: pg_failover_slots, onlyLibrary: true, versions: [16, 17]}]", json!({"extensions": ["pg_failover_slots"]}), Code::Extension)]
#[case::parameter("parameters: [{name: bitcoin.price, integer: [1, 64]}]", json!({"parameters": {"bitcoin.price": "64"}}), Code::Parameter)]
#[case::writable("parameters: [{name: synchronous_commit}]", json!({"parameters": {"synchronous_commit": "local"}}), Code::Parameter)]
#[case::range("parameters: [{name: max_connections, integer: [25, 9000]}]", json!({"parameters": {"max_connections": "9000"}}), Code::Parameter)]
#[case::words("parameters: [{name: wal_level, values: [replica, logical, minimal]}]", json!({"parameters": {"wal_level": "minimal"}}), Code::Parameter)]
#[case::set("parameters: [{name: pgaudit.log, set: [all, happy]}]", json!({"extensions": ["pgaudit"], "parameters": {"pgaudit.log": "all,happy"}}), Code::Parameter)]
#[case::number("parameters: [{name: geqo_seed, number: [0, 2.5]}]", json!({"parameters": {"geqo_seed": "2.25"}}), Code::Parameter)]
#[case::text("parameters: [{name: log_statement, text: true}]", json!({"parameters": {"log_statement": "most"}}), Code::Parameter)]
#[case::sizes_of_a_region("regions: {norwayeast: {sizes: [\"Standard_*_v6\", Standard_D2ds_v5]}}", json!({"sku": "Standard_E2ads_v6"}), Code::SkuImpossible)]
#[case::zones("regions: {norwayeast: {zones: true}}", json!({"highAvailability": "ZoneRedundant"}), Code::HighAvailability)]
#[case::pair("regions: {norwayeast: {pair: true}}", json!({"backup": {"geoRedundant": true}}), Code::Backup)]
fn what_the_policy_knows_better_counts(#[case] catalogue: &str, #[case] new: Value, #[case] code: Code) {
    let with = policy_in("norwayeast", catalogue);
    assert_eq!(codes_by(&with, new.clone(), None), []);
    // Of the region, everything is known here already; what is said of another place is what is refused.
    let without = match code {
        Code::HighAvailability | Code::Backup => {
            policy_in("norwayeast", "regions: {norwayeast: {zones: false, pair: false}}")
        }
        _ => policy_in("norwayeast", ""),
    };
    assert_eq!(codes_by(&without, new, None), [code]);
}

#[rstest]
#[case::read_only("parameters: [{name: work_mem, readOnly: true}]", json!({"parameters": {"work_mem": "8192"}}), Code::Parameter)]
#[case::sizes("regions: {norwayeast: {sizes: [Standard_D2ds_v5]}}", json!({"sku": "Standard_D4ds_v5"}), Code::SkuImpossible)]
#[case::library("parameters: [{name: bitcoin.price, library: bitcoin}]", json!({"parameters": {"bitcoin.price": "1"}}), Code::Parameter)]
#[case::ended("versions: [{major: 17, until: 2026-01-01, extendedUntil: 2026-02-01}]", json!({"version": 17}), Code::VersionOutOfSupport)]
fn what_the_policy_knows_not_to_be_there_is_refused(
    #[case] catalogue: &str,
    #[case] new: Value,
    #[case] code: Code,
) {
    assert_eq!(codes_by(&policy_in("norwayeast", catalogue), new.clone(), None), [code]);
    assert_ne!(codes_by(&policy_in("norwayeast", ""), new, None), [code, code]);
}

/// What is built, too: the tier of the size, the library of the extension, what waits for a restart.
#[test]
fn what_the_policy_adds_is_built() {
    let policy = policy_in(
        "norwayeast",
        "sizes: [{name: Standard_X1s, tier: Burstable, vCores: 1, memoryGiB: 1}], \
         extensions: [{name: bitcoin, library: coins}], parameters: [{name: Bitcoin.price, restart: true}]",
    );
    let new =
        spec(json!({"sku": "standard_x1S", "extensions": ["bitcoin"], "parameters": {"bitcoin.PRICE": "1"}}));
    let effective = policy.resolve(&request("orders", "main", &new, None), None).unwrap();
    assert_eq!((effective.size.name.as_str(), effective.size.tier.as_str()), ("Standard_X1s", "Burstable"));
    assert_eq!(effective.extensions[0].library.as_deref(), Some("coins"));
    assert_eq!(effective.parameters.keys().collect::<Vec<_>>(), ["Bitcoin.price"]);
    let restart = policy.catalogue().parameter("bitcoin.price", Some(17)).unwrap().needs_restart;
    assert!(restart);
    // A standby isn't for it, as for each Burstable size.
    let standby = json!({"sku": "Standard_X1s", "highAvailability": "SameZone"});
    assert_eq!(codes_by(&policy, standby, None), [Code::HighAvailability]);
}
