use api::DefaultedField;
use jiff::civil::date;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::defaults::{Filled, leave_to_source};

const COPY: DatabaseRef<'_> = DatabaseRef::new("orders", "main-at-noon");
const SERVER_ID: &str = "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg/providers/\
                         Microsoft.DBforPostgreSQL/flexibleServers/legacy";

fn now() -> Timestamp {
    "2026-11-27T15:00:00Z".parse().unwrap()
}

fn from(written: Value) -> RestoreFrom {
    serde_json::from_value(written).unwrap()
}

fn spec(written: Value) -> DatabaseSpec {
    serde_json::from_value(written).unwrap()
}

/// The text of a problem, or `""`.
fn told<T>(result: Result<T, Problem>) -> String {
    result.err().map(|problem| format!("{} [{}]", problem.text, problem.code)).unwrap_or_default()
}

#[rstest]
#[case::of_its_namespace(json!({"database": "main"}), Origin::Database("orders", "main"))]
#[case::with_its_namespace(json!({"database": "orders/main"}), Origin::Database("orders", "main"))]
#[case::of_another(json!({"database": "ledger/main"}), Origin::Database("ledger", "main"))]
#[case::a_server(json!({"serverId": SERVER_ID}), Origin::Server(SERVER_ID))]
fn data_come_from_one_place(#[case] written: Value, #[case] expected: Origin<'_>) {
    assert_eq!(origin(&from(written), COPY), Ok(expected));
}

#[rstest]
#[case::itself(json!({"database": "main-at-noon"}), "is this Database itself")]
#[case::itself_in_full(json!({"database": "orders/main-at-noon"}), "is this Database itself")]
#[case::both(json!({"database": "main", "serverId": SERVER_ID}), "leave one of them out")]
#[case::neither(json!({"time": "2026-11-27T12:00:00Z"}), "database: main")]
#[case::no_name(json!({"database": "Main"}), "is not a database")]
#[case::too_many_names(json!({"database": "a/b/c"}), "is not a database")]
#[case::empty(json!({"database": ""}), "is not a database")]
#[case::name_of_a_server(json!({"serverId": "legacy"}), "is not the resource id of a server")]
#[case::another_kind(json!({"serverId": SERVER_ID.replace("flexibleServers", "servers")}), "is not the resource id")]
#[case::below_a_server(json!({"serverId": format!("{SERVER_ID}/databases/a")}), "is not the resource id")]
fn what_names_no_source_says_what_to_write(#[case] written: Value, #[case] says: &str) {
    let told = told(origin(&from(written), COPY));
    assert!(
        told.starts_with("spec.restoreFrom") && told.contains(says) && told.ends_with("[DB122]"),
        "{told}"
    );
}

#[rstest]
#[case::in_utc("2026-11-27T12:00:00Z", Ok("2026-11-27T12:00:00Z"))]
#[case::with_an_offset("2026-11-27T13:00:00+01:00", Ok("2026-11-27T12:00:00Z"))]
#[case::now("2026-11-27T15:00:00Z", Ok("2026-11-27T15:00:00Z"))]
#[case::ahead("2026-11-27T15:00:01Z", Err("lies ahead"))]
// Noon in Oslo, written as if it were UTC.
#[case::later_today("2026-11-27T16:00:00Z", Err("lies ahead"))]
#[case::without_an_offset("2026-11-27T12:00:00", Err("is not a moment"))]
#[case::a_day("2026-11-27", Err("is not a moment"))]
#[case::a_word("yesterday", Err("is not a moment"))]
#[case::nothing("", Err("is not a moment"))]
fn a_moment_is_one_that_was(#[case] written: &str, #[case] expected: Result<&str, &str>) {
    let moment = moment(&from(json!({"database": "main", "time": written})), now());
    match expected {
        Ok(time) => assert_eq!(moment, Ok(Some(time.parse().unwrap()))),
        Err(says) => {
            let told = told(moment);
            assert!(told.starts_with("spec.restoreFrom.time") && told.contains(says), "{told}");
        }
    }
}

#[test]
fn a_moment_that_is_left_out_is_the_latest() {
    assert_eq!(moment(&from(json!({"database": "main"})), now()), Ok(None));
}

fn policy(copies: &str) -> Policy {
    let example = include_str!("../../../examples/policy.yaml");
    Policy::parse(&example.replace("copies:\n", &format!("copies:\n{copies}\n"))).unwrap()
}

/// Of `ledger/main` into one and of a server into each database of namespace `orders`, until the end of January.
fn giving() -> Policy {
    policy(&format!(
        "  - {{from: ledger/main, to: orders/main-at-noon, until: 2027-01-31, reason: ticket 4713}}\n  - {{fromServer: \
         {SERVER_ID}, to: orders/*, until: 2027-01-31, reason: onboarding}}"
    ))
}

#[rstest]
#[case::of_the_same_namespace(Origin::Database("orders", "main"), COPY, "2027-02-01", true)]
#[case::on_the_last_day(Origin::Database("ledger", "main"), COPY, "2027-01-31", true)]
#[case::a_day_later(Origin::Database("ledger", "main"), COPY, "2027-02-01", false)]
#[case::another_database(
    Origin::Database("ledger", "main"),
    DatabaseRef::new("orders", "other"),
    "2026-11-27",
    false
)]
#[case::another_source(Origin::Database("ledger", "other"), COPY, "2026-11-27", false)]
#[case::a_server(Origin::Server(SERVER_ID), DatabaseRef::new("orders", "any"), "2026-11-27", true)]
#[case::a_server_elsewhere(Origin::Server(SERVER_ID), DatabaseRef::new("ledger", "any"), "2026-11-27", false)]
#[case::another_server(Origin::Server("/subscriptions/s"), COPY, "2026-11-27", false)]
fn data_of_others_are_the_policys_to_give(
    #[case] origin: Origin<'_>,
    #[case] to: DatabaseRef<'_>,
    #[case] today: &str,
    #[case] expected: bool,
) {
    assert_eq!(allowed(&origin, to, &giving(), today.parse().unwrap()).is_ok(), expected);
}

/// Azure writes `resourcegroups` in one answer and `resourceGroups` in the next.
#[test]
fn the_case_of_a_resource_id_does_not_matter() {
    let shouted = SERVER_ID.to_uppercase();
    assert_eq!(allowed(&Origin::Server(&shouted), COPY, &giving(), date(2026, 11, 27)), Ok(()));
}

#[test]
fn who_may_not_have_the_data_is_told_whom_to_ask_for_what() {
    let origin = Origin::Database("ledger", "other");
    insta::assert_snapshot!(told(allowed(&origin, COPY, &giving(), date(2026, 11, 27))));
    let origin = Origin::Database("ledger", "main");
    insta::assert_snapshot!(told(allowed(&origin, COPY, &giving(), date(2027, 2, 1))));
    insta::assert_snapshot!(told(allowed(&Origin::Server("/a/legacy"), COPY, &giving(), date(2026, 11, 27))));
}

/// A source with PostgreSQL 14, which no new database may have.
fn source() -> Source {
    let running = json!({
        "version": 14, "sku": "Standard_D2ds_v5", "storage": {"sizeGiB": 128}, "databaseName": "orders",
        "backup": {"retentionDays": 14, "geoRedundant": false}, "highAvailability": "ZoneRedundant",
    });
    let settings = json!({"extensions": ["pgcrypto", "vector"], "parameters": {"work_mem": "16384"}});
    Source {
        comes_along: comes_along(Recorded {
            location: Some("norwayeast".to_owned()),
            ..Recorded::from(spec(running))
        }),
        settings: Some(spec(settings)),
        earliest: Some("2026-11-20T10:12:03Z".parse().unwrap()),
    }
}

fn against(spec_: Value, time: &str) -> Vec<String> {
    let from = from(json!({"database": "main", "time": time}));
    let problems = against_source(&spec(spec_), &from, "orders/main", &source(), now());
    problems.iter().map(|problem| format!("{} [{}]", problem.text, problem.code)).collect()
}

const NOON: &str = "2026-11-27T12:00:00Z";

#[rstest]
#[case::nothing_else(json!({"extensions": [], "parameters": {}}))]
#[case::all_the_same(json!({
    "version": 14, "databaseName": "orders", "storage": {"sizeGiB": 128}, "backup": {"geoRedundant": false},
    "extensions": ["pgcrypto"], "parameters": {"work_mem": "1"},
}))]
#[case::larger(json!({"storage": {"sizeGiB": 256}, "sku": "Standard_D8ds_v5", "extensions": [], "parameters": {}}))]
fn what_a_source_can_give_is_given(#[case] spec: Value) {
    assert_eq!(against(spec, NOON), [""; 0]);
}

#[test]
fn what_a_source_cannot_give_is_said_with_what_to_write() {
    let spec = json!({
        "version": 17, "databaseName": "other", "storage": {"sizeGiB": 64}, "backup": {"geoRedundant": true},
    });
    for problem in against(spec, "2026-11-20T10:12:02Z") {
        insta::assert_snapshot!(problem);
    }
}

#[test]
fn what_is_not_known_of_a_source_stands_in_nobodys_way() {
    let from = from(json!({"database": "main", "time": "2020-01-01T00:00:00Z"}));
    let wish = spec(json!({"version": 17, "databaseName": "other", "storage": {"sizeGiB": 32}}));
    assert_eq!(against_source(&wish, &from, "orders/main", &Source::default(), now()), []);
}

/// A spec with a value in each field.
fn whole() -> DatabaseSpec {
    spec(json!({
        "version": 14, "sku": "Standard_D2ds_v5", "databaseName": "orders", "highAvailability": "ZoneRedundant",
        "storage": {"sizeGiB": 128, "tier": "P15", "autoGrow": true},
        "backup": {"retentionDays": 14, "geoRedundant": true, "vault": "weekly"},
        "maintenanceWindow": {"day": "Sunday", "hour": 3},
        "extensions": ["pgcrypto"], "parameters": {"work_mem": "16384"}, "authentication": "Password",
        "serviceAccountName": "app",
    }))
}

/// <https://learn.microsoft.com/azure/postgresql/backup-restore/concepts-backup-restore#point-in-time-recovery>
#[test]
fn a_restored_server_has_version_size_disk_backups_and_name_of_its_source() {
    let running = comes_along(Recorded::from(whole())).running;
    let expected = json!({
        "version": 14, "sku": "Standard_D2ds_v5", "databaseName": "orders",
        "storage": {"sizeGiB": 128, "tier": "P15", "autoGrow": true}, "backup": {"retentionDays": 14, "geoRedundant": true},
    });
    assert_eq!(serde_json::to_value(running).unwrap(), expected);
}

/// What the source has isn't filled in from a profile, and what it doesn't bring is.
#[test]
fn what_comes_with_the_data_is_not_filled_in() {
    let of_default = |path: &str| DefaultedField {
        field: path.to_owned(),
        value: "x".to_owned(),
        profile: "default".to_owned(),
    };
    let mut filled = Filled {
        spec: whole(),
        defaulted: ["version", "sku", "storage.sizeGiB", "highAvailability", "backup.vault"]
            .map(of_default)
            .to_vec(),
    };
    leave_to_source(&mut filled, &spec(json!({"sku": "Standard_D2ds_v5"})));
    let notes: Vec<&str> = filled.defaulted.iter().map(|note| note.field.as_str()).collect();
    assert_eq!(notes, ["sku", "highAvailability", "backup.vault"]);
    let expected = json!({
        "sku": "Standard_D2ds_v5", "highAvailability": "ZoneRedundant", "backup": {"vault": "weekly"},
        "maintenanceWindow": {"day": "Sunday", "hour": 3}, "extensions": ["pgcrypto"],
        "parameters": {"work_mem": "16384"}, "authentication": "Password", "serviceAccountName": "app",
    });
    assert_eq!(serde_json::to_value(filled.spec).unwrap(), expected);
}

#[test]
fn a_database_tells_of_its_server_what_its_status_says_before_its_spec() {
    let database = |status: Value| -> Database {
        serde_json::from_value(json!({
            "apiVersion": "altinn.app/v1alpha1", "kind": "Database", "metadata": {"name": "main", "namespace": "orders"},
            "spec": {"version": 17, "storage": {"sizeGiB": 32, "tier": "P10"}, "extensions": ["vector"]},
            "status": status,
        }))
        .unwrap()
    };
    assert_eq!(Source::of(&database(json!({"server": {"name": "srv"}}))), None, "Azure has made none");
    let of = Source::of(&database(json!({
        "databaseName": "orders", "backups": {"earliestRestoreTime": "2026-11-20T11:00:00Z"},
        "server": {"name": "srv", "id": "/s", "version": "18", "sizeGiB": 64, "location": "norwaywest"},
    })))
    .unwrap();
    let running = of.comes_along.running;
    assert_eq!((major(&running), size_gib(&running)), (Some(18), Some(64)));
    assert_eq!(running.database_name.as_deref(), Some("orders"));
    assert!(running.storage.unwrap().tier.is_some());
    assert_eq!(of.comes_along.location.as_deref(), Some("norwaywest"));
    assert_eq!(of.settings.unwrap().extensions, Some(vec!["vector".to_owned()]));
    assert!(of.earliest.is_some());
}
