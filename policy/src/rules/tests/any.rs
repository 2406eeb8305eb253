//! Policies, specs and servers of every kind.

use std::sync::LazyLock;

use proptest::{option, prelude::*, sample::select, strategy::ValueTree, test_runner::TestRunner};

use super::*;
use crate::catalogue::{Catalogue, DISK_SIZES_GIB};
use crate::field::LeftOut;

/// Some of the items, at least one of them.
fn some(items: &[&str]) -> BoxedStrategy<Value> {
    let items: Vec<Value> = items.iter().map(|item| json!(item)).collect();
    let most = items.len();
    prop::sample::subsequence(items, 1..=most).prop_map(Value::Array).boxed()
}

/// The object without the keys that have no value.
fn pruned(mut value: Value) -> Value {
    if let Some(map) = value.as_object_mut() {
        map.retain(|_, value| !value.is_null());
    }
    value
}

fn maybe(value: impl Strategy<Value = Value> + 'static) -> BoxedStrategy<Value> {
    option::of(value).prop_map(Option::unwrap_or_default).boxed()
}

fn one(items: &'static [&'static str]) -> BoxedStrategy<Value> {
    maybe(select(items).prop_map(Value::from)).boxed()
}

fn number<T: Into<Value> + Copy + std::fmt::Debug + 'static>(items: &'static [T]) -> BoxedStrategy<Value> {
    maybe(select(items).prop_map(Into::into)).boxed()
}

const MODES: &[&str] = &["Disabled", "SameZone", "ZoneRedundant"];
const TIERS: &[&str] = &["P4", "P6", "P10", "P15", "P20", "P50", "P60", "P70", "P80"];
const SIZES: &[&str] =
    &["Standard_B1ms", "Standard_B2s", "Standard_D2ds_v5", "Standard_D4ds_v5", "Standard_E4ds_v5"];
const DAYS: &[i32] = &[7, 10, 14, 35];
const VERSIONS: &[i32] = &[15, 16, 17, 18];
const GIB: &[i32] = &[32, 64, 128, 256, 8192];

fn allow() -> BoxedStrategy<Value> {
    let storage = (number(GIB), maybe(some(TIERS)))
        .prop_map(|(max, tiers)| pruned(json!({"maxGiB": max, "tiers": tiers})));
    let versions = maybe(prop::sample::subsequence(VERSIONS, 1..=4).prop_map(Value::from));
    let backup = (number(&[7, 10]), number(&[14, 35]), maybe(select(vec![json!([true]), json!([false])])))
        .prop_map(|(min, max, geo)| {
            pruned(json!({"minRetentionDays": min, "maxRetentionDays": max, "geoRedundant": geo}))
        });
    let parameters = (maybe(some(&["log_*", "work_mem", "pg*"])), some(&["max_connections", "ssl*"]))
        .prop_map(|(allow, deny)| pruned(json!({"allow": allow, "deny": deny})));
    let authentication = maybe(some(&["Identity", "Password"]));
    (
        maybe(some(&["Standard_B*", "Standard_D*ds_v5", "Standard_E4ds_v5"])),
        versions,
        storage,
        maybe(some(MODES)),
        backup,
        maybe(some(&["vector", "pgaudit", "pg_*"])),
        parameters,
        authentication,
    )
        .prop_map(|(skus, versions, storage, modes, backup, extensions, parameters, authentication)| {
            pruned(json!({
                "skus": skus, "versions": versions, "storage": storage, "highAvailability": modes, "backup": backup,
                "extensions": extensions, "parameters": parameters, "authentication": authentication,
            }))
        }).boxed()
}

fn defaults() -> BoxedStrategy<Value> {
    let backup = (number(DAYS), maybe(any::<bool>().prop_map(Value::from)))
        .prop_map(|(days, geo)| pruned(json!({"retentionDays": days, "geoRedundant": geo})));
    let window = maybe(Just(json!({"day": "Sunday", "hour": 3})));
    (storage(), number(VERSIONS), one(SIZES), one(MODES), backup, window).prop_map(
        |(storage, version, sku, mode, backup, window)| {
            pruned(json!({
                "version": version, "sku": sku, "storage": storage, "highAvailability": mode, "backup": backup,
                "maintenanceWindow": window,
            }))
        },
    ).boxed()
}

fn storage() -> BoxedStrategy<Value> {
    // Most tiers don't go with most sizes.
    (number(GIB), maybe(one(TIERS)), maybe(any::<bool>().prop_map(Value::from)))
        .prop_map(|(size, tier, grow)| pruned(json!({"sizeGiB": size, "tier": tier, "autoGrow": grow})))
        .boxed()
}

/// Policies of every kind, the same in each run: most that are made up don't hold, so finding some takes a while.
static POLICIES: LazyLock<Vec<Policy>> = LazyLock::new(|| {
    let mut runner = TestRunner::deterministic();
    let mut next = || made_up().new_tree(&mut runner).unwrap().current();
    (0..150).map(|_| next()).collect()
});

/// A policy of one profile that holds.
pub(super) fn policy() -> BoxedStrategy<Policy> {
    select(POLICIES.as_slice()).boxed()
}

fn made_up() -> BoxedStrategy<Policy> {
    let location = select(vec!["norwayeast", "norwaywest", "polandcentral"]);
    let level = select(vec!["enforce", "enforce", "warn", "audit"]);
    let levels = prop::collection::vec(level, Rule::ALL.len());
    (allow(), defaults(), levels, location)
        .prop_filter_map("a policy that holds", |(allow, defaults, levels, location)| {
            let levels = Rule::ALL.iter().map(|(key, _)| *key).zip(levels);
            let enforcement: serde_json::Map<_, _> =
                levels.map(|(key, level)| (key.to_owned(), json!(level))).collect();
            let id = "00000000-0000-4000-8000-000000000001";
            let policy = json!({
                "azure": {
                    "subscriptionId": id, "tenantId": id, "resourceGroup": "rg", "location": location,
                    "clusterName": "prod", "workloadIdentity": {"issuer": "https://oidc.example"},
                },
                "profiles": [
                    {"name": "any", "allow": allow, "defaults": defaults, "enforcement": enforcement},
                ],
            });
            Policy::parse(&policy.to_string()).ok()
        })
        .boxed()
}

/// A spec of what there is.
pub(super) fn plain_spec() -> BoxedStrategy<DatabaseSpec> {
    let extension = select(vec!["vector", "pgaudit", "PgAudit", "pg_cron", "hstore"]).prop_map(str::to_owned);
    let extensions = maybe(prop::collection::btree_set(extension, 0..3).prop_map(|set| json!(set)));
    let parameter = select(vec![
        ("work_mem", "8192"),
        ("Work_Mem", "8192"),
        ("max_connections", "100"),
        ("log_lock_waits", "on"),
        ("pgaudit.log", "ddl"),
        ("cron.timezone", "UTC"),
    ]);
    let parameters = maybe(
        prop::collection::vec(parameter, 0..3)
            .prop_map(|all| json!(all.into_iter().collect::<std::collections::BTreeMap<_, _>>())),
    );
    let backup = maybe(
        (number(DAYS), maybe(any::<bool>().prop_map(Value::from)))
            .prop_map(|(days, geo)| json!({"retentionDays": days, "geoRedundant": geo})),
    );
    let window = maybe(
        (select(vec!["Sunday", "Monday"]), 0..24).prop_map(|(day, hour)| json!({"day": day, "hour": hour})),
    );
    let names = (one(&["orders", "app"]), one(&["orders", "orders.api"]), one(&["Identity", "Password"]));
    (
        number(VERSIONS),
        one(SIZES),
        maybe(storage()),
        one(MODES),
        backup,
        window,
        (extensions, parameters),
        names,
    )
        .prop_map(|(version, sku, storage, mode, backup, window, (extensions, parameters), names)| {
            spec(json!({
                "version": version, "sku": sku, "storage": storage, "highAvailability": mode, "backup": backup,
                "maintenanceWindow": window, "extensions": extensions, "parameters": parameters,
                "databaseName": names.0, "serviceAccountName": names.1, "authentication": names.2,
            }))
        }).boxed()
}

/// A spec with whatever text and number in it.
fn wild_spec() -> BoxedStrategy<DatabaseSpec> {
    let version = prop_oneof![
        Just(Value::Null),
        (0..25).prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        ".{0,80}".prop_map(Value::from),
    ];
    let sku = prop_oneof![
        Just(Value::Null),
        select(Catalogue::known().sizes()).prop_map(|size| json!(size.name)),
        ".{0,200}".prop_map(Value::from),
    ];
    let size = prop_oneof![
        Just(Value::Null),
        select(DISK_SIZES_GIB).prop_map(Value::from),
        any::<i32>().prop_map(Value::from)
    ];
    let name = || {
        prop_oneof![Just(Value::Null), "[a-z_-]{1,70}".prop_map(Value::from), ".{0,80}".prop_map(Value::from)]
    };
    let backup = (option::of(any::<i32>()), option::of(any::<bool>()))
        .prop_map(|(days, geo)| json!({"retentionDays": days, "geoRedundant": geo}));
    let word = prop_oneof![
        "[a-z_.]{1,12}",
        ".{0,80}",
        select(vec!["vector", "pgaudit", "work_mem", "work_men", "fsync", "pgaudit.log", "auto_explain.x"])
            .prop_map(str::to_owned)
    ];
    let extensions = option::of(prop::collection::vec(word.clone(), 0..4));
    let parameters = option::of(prop::collection::btree_map(word.clone(), word, 0..4));
    let hour = option::of(any::<i32>());
    (version, sku, (size, one(TIERS)), (name(), name()), one(MODES), backup, (extensions, parameters), hour)
        .prop_map(|(version, sku, (size, tier), names, mode, backup, (extensions, parameters), hour)| {
            spec(json!({
                "version": version, "sku": sku, "storage": {"sizeGiB": size, "tier": tier}, "databaseName": names.0,
                "serviceAccountName": names.1, "highAvailability": mode, "backup": backup,
                "extensions": extensions, "parameters": parameters,
                "maintenanceWindow": hour.map(|hour| json!({"day": "Monday", "hour": hour})),
            }))
        }).boxed()
}

pub(super) fn any_spec() -> BoxedStrategy<DatabaseSpec> {
    prop_oneof![plain_spec(), wild_spec()].boxed()
}

/// A server, with whatever is known of it.
pub(super) fn recorded() -> BoxedStrategy<Recorded> {
    let location = option::of(select(vec!["norwayeast", "norwaywest"]).prop_map(str::to_owned));
    (plain_spec(), location, any::<[bool; 4]>())
        .prop_map(|(runs, location, known)| {
            let Recorded { mut running, .. } = made(&runs);
            let is_whole = known[2];
            for (_, value) in
                field::values().filter(|(_, value)| value.left_out == LeftOut::Filled && is_whole)
            {
                (value.copy)(&mut running, &runs);
            }
            let running = DatabaseSpec {
                extensions: known[0].then(|| runs.extensions.unwrap_or_default()),
                parameters: known[1].then(|| runs.parameters.unwrap_or_default()),
                authentication: runs.authentication.filter(|_| known[3]),
                database_name: runs.database_name,
                ..running
            };
            Recorded { running, is_whole, location }
        })
        .boxed()
}

/// Notes of some of a spec's values.
pub(super) fn notes_of(spec: &DatabaseSpec, some: [bool; 5]) -> Vec<DefaultedField> {
    let backup = spec.backup.clone().unwrap_or_default();
    let storage = spec.storage.clone().unwrap_or_default();
    let values = [
        ("version", spec.version.as_ref().map(api::version::written)),
        ("sku", spec.sku.clone()),
        ("storage.sizeGiB", storage.size_gib.map(|size| size.to_string())),
        ("highAvailability", spec.high_availability.map(|mode| mode.to_string())),
        ("backup.retentionDays", backup.retention_days.map(|days| days.to_string())),
    ];
    let defaults = values.into_iter().zip(some).filter(|(_, is_default)| *is_default);
    defaults
        .filter_map(|((field, value), _)| {
            Some(DefaultedField { field: field.into(), value: value?, profile: "any".into() })
        })
        .collect()
}
