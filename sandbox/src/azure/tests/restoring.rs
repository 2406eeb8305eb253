//! A restored server has the data of the moment that was asked for, by this Azure's clock.

use std::{os::unix::fs::MetadataExt, time::Duration};

use axum::http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use rstest::rstest;
use serde_json::{Value, json};

use super::{
    logging_in::{OPERATORS, column},
    support::{CLUSTER, GROUP, Setup, plain_server, server_path},
};
use crate::azure::Settings;

const VERSION: &str = "2025-08-01";
const HOUR: Duration = Duration::from_hours(1);

/// What asks for a server with the data that another one had.
fn at(source: &str, moment: Timestamp) -> Value {
    json!({"location": "norwayeast", "properties": {
        "createMode": "PointInTimeRestore",
        "sourceServerResourceId": server_path(source),
        "pointInTimeUTC": moment.to_string(),
    }})
}

async fn execute(setup: &Setup, server: &str, statement: &str) -> Timestamp {
    setup.administrator(server, "app").await.batch_execute(statement).await.unwrap();
    setup.control.now().await.unwrap()
}

async fn items(setup: &Setup, server: &str) -> Vec<String> {
    let app = setup.administrator(server, "app").await;
    column(&app, "SELECT name FROM item ORDER BY 1").await
}

async fn pass(setup: &Setup, time: Duration) -> Timestamp {
    setup.control.advance_clock(time).await.unwrap();
    setup.control.now().await.unwrap()
}

/// A server `orders` with an empty table in the database `app`, that is an hour old.
async fn with_orders(version: &str) -> Setup {
    let setup = Setup::start_with_postgres().await.with_server("orders", version).await;
    let administrator = setup.administrator("orders", "postgres").await;
    administrator.batch_execute("CREATE DATABASE app").await.unwrap();
    execute(&setup, "orders", "CREATE TABLE item (name text)").await;
    // Backups begin five minutes after the server does.
    pass(&setup, HOUR).await;
    setup
}

#[rstest]
#[tokio::test]
async fn a_wrong_delete_is_undone(#[values("16", "17", "18")] version: &str) {
    let setup = with_orders(version).await;
    let noon = execute(&setup, "orders", "INSERT INTO item VALUES ('coffee')").await;
    pass(&setup, HOUR).await;
    let one = execute(&setup, "orders", "INSERT INTO item VALUES ('tea')").await;
    pass(&setup, 24 * HOUR).await;
    let now = execute(&setup, "orders", "DELETE FROM item").await;
    let half_past = noon + SignedDuration::from_mins(30);
    let mut setup = setup;
    for (name, moment, expected) in [
        ("before", noon - SignedDuration::from_mins(30), [].as_slice()),
        ("noon", noon, &["coffee"]),
        ("half-past", half_past, &["coffee"]),
        ("one", one, &["coffee", "tea"]),
        ("now", now, &[]),
    ] {
        setup = setup.with_server_like(name, at("orders", moment)).await;
        assert_eq!(items(&setup, name).await, expected, "{name}");
        let databases = setup.get(&format!("{}/databases/app", server_path(name))).await;
        assert_eq!(databases.status, StatusCode::OK);
    }
    execute(&setup, "noon", "INSERT INTO item VALUES ('cocoa')").await;
    assert_eq!(items(&setup, "orders").await, <[&str; 0]>::default(), "the source goes its own way");
}

#[tokio::test]
async fn a_restored_server_can_be_restored() {
    let setup = with_orders("17").await;
    let noon = execute(&setup, "orders", "INSERT INTO item VALUES ('coffee')").await;
    execute(&setup, "orders", "INSERT INTO item VALUES ('tea')").await;
    let setup = setup.with_server_like("second", at("orders", noon)).await;
    let too_early = setup.put(&server_path("third"), VERSION, at("second", noon)).await;
    assert_eq!(too_early.body["error"]["target"], "properties.pointInTimeUTC");
    pass(&setup, HOUR).await;
    let one = execute(&setup, "second", "INSERT INTO item VALUES ('cocoa')").await;
    pass(&setup, HOUR).await;
    execute(&setup, "second", "DELETE FROM item").await;
    let setup = setup.with_server_like("third", at("second", one)).await;
    assert_eq!(items(&setup, "third").await, ["cocoa", "coffee"]);
}

#[tokio::test]
async fn a_server_that_is_stopped_can_be_restored() {
    let setup = with_orders("17").await;
    let noon = execute(&setup, "orders", "INSERT INTO item VALUES ('coffee')").await;
    execute(&setup, "orders", "DELETE FROM item").await;
    let stop = format!("{}/stop?api-version={VERSION}", server_path("orders"));
    let stopping = setup.ask(Method::POST, &stop, Value::Null).await;
    assert_eq!(setup.finish(&stopping).await["status"], "Succeeded");
    let last = pass(&setup, HOUR).await;
    let setup = setup.with_server_like("noon", at("orders", noon)).await;
    let setup = setup.with_server_like("last", at("orders", last)).await;
    assert_eq!(items(&setup, "noon").await, ["coffee"]);
    assert_eq!(items(&setup, "last").await, <[&str; 0]>::default());
}

#[tokio::test]
async fn a_server_without_postgresql_is_restored_without_it() {
    let mut old = plain_server();
    old["properties"]["version"] = json!("13");
    let setup = Setup::start_with_postgres().await.with_server_like("archive", old).await;
    setup.write(&server_path("archive"), json!({"properties": {"version": "17"}})).await;
    let moment = pass(&setup, HOUR).await;
    let setup = setup.with_server_like("restored", at("archive", moment)).await;
    let real = setup.control.real_servers().await.unwrap();
    let real = real.iter().find(|one| one.server.ends_with("/restored")).unwrap();
    let note = real.note.as_deref().unwrap_or_default();
    assert!(!real.runs && note.starts_with("there is no PostgreSQL behind the server"), "{real:?}");
}

/// A server `orders` that only the API has, two days old, with more than its defaults.
async fn with_settings() -> Setup {
    let setup = Setup::start().await;
    let mut server = plain_server();
    let more = json!({
        "backup": {"backupRetentionDays": 14, "geoRedundantBackup": "Enabled"},
        "storage": {"autoGrow": "Enabled", "tier": "P20"},
        "highAvailability": {"mode": "ZoneRedundant"},
    });
    json_patch::merge(&mut server["properties"], &more);
    setup.write(&server_path("orders"), server).await;
    setup.control.advance_clock(48 * HOUR).await.unwrap();
    setup
}

fn a_day_ago(change: &Value) -> Value {
    let mut body = at("orders", Timestamp::now() + SignedDuration::from_hours(24));
    json_patch::merge(&mut body, change);
    body
}

#[tokio::test]
async fn a_restored_server_is_like_its_source() {
    let setup = with_settings().await;
    let restored = server_path("restored");
    setup
        .write(&restored, a_day_ago(&json!({"properties": {"highAvailability": {"mode": "SameZone"}}})))
        .await;
    let [source, server] = [setup.get(&server_path("orders")).await.body, setup.get(&restored).await.body];
    assert_eq!(server["sku"], source["sku"]);
    for field in ["version", "storage", "authConfig"] {
        assert_eq!(server["properties"][field], source["properties"][field], "{field}");
    }
    let backup = &server["properties"]["backup"];
    assert_eq!(
        (&backup["backupRetentionDays"], &backup["geoRedundantBackup"]),
        (&json!(14), &json!("Enabled"))
    );
    assert!(
        backup["earliestRestoreDate"].as_str()
            > source["properties"]["backup"]["earliestRestoreDate"].as_str()
    );
    assert_eq!(server["tags"], Value::Null);
    assert_eq!(server["properties"]["highAvailability"], json!({"mode": "Disabled", "state": "NotEnabled"}));
    assert_eq!(setup.put(&restored, VERSION, a_day_ago(&json!({}))).await.code(), "ServerNameAlreadyExists");

    let other = json!({"tags": {"owner": "billing"}, "properties": {
        "backup": {"backupRetentionDays": 7}, "storage": {"storageSizeGB": 1024},
    }});
    setup.write(&server_path("larger"), a_day_ago(&other)).await;
    let larger = setup.get(&server_path("larger")).await.body;
    assert_eq!(larger["tags"], json!({"owner": "billing"}));
    assert_eq!(larger["properties"]["backup"]["backupRetentionDays"], 7);
    assert_eq!(larger["properties"]["storage"]["tier"], "P30");
}

#[rstest]
#[case::future(json!({"properties": {"pointInTimeUTC": "2999-01-01T00:00:00Z"}}), "InvalidParameterValue")]
#[case::too_early(json!({"properties": {"pointInTimeUTC": "2020-01-01T00:00:00Z"}}), "InvalidParameterValue")]
#[case::smaller(json!({"properties": {"storage": {"storageSizeGB": 64}}}), "InvalidParameterValue")]
#[case::other_version(json!({"properties": {"version": "18"}}), "InvalidParameterValue")]
#[case::other_size(json!({"sku": {"name": "Standard_D4ds_v5", "tier": "GeneralPurpose"}}), "InvalidParameterValue")]
#[case::other_region(json!({"location": "norwaywest"}), "InvalidParameterValue")]
#[case::no_region(json!({"location": null}), "LocationRequired")]
#[case::disk_too_slow_for_its_size(json!({"properties": {"storage": {"tier": "P6"}}}), "InvalidParameterValue")]
#[case::missing(
    json!({"properties": {"sourceServerResourceId": server_path("billing")}}),
    "ResourceNotFound"
)]
#[tokio::test]
async fn a_restore_that_azure_refuses(#[case] change: Value, #[case] code: &str) {
    let setup = with_settings().await;
    let refused = setup.put(&server_path("restored"), VERSION, a_day_ago(&change)).await;
    assert_eq!(refused.code(), code, "{:?}", refused.body);
    assert_eq!(setup.get(&server_path("restored")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn nobody_restores_to_before_the_first_backup() {
    let setup = Setup::start().await;
    setup.write(&server_path("orders"), plain_server()).await;
    let refused = setup.put(&server_path("restored"), VERSION, at("orders", Timestamp::now())).await;
    assert_eq!(refused.body["error"]["target"], "properties.pointInTimeUTC", "{:?}", refused.body);
}

#[tokio::test]
async fn a_restore_may_go_to_another_subscription() {
    let setup = with_settings().await;
    let elsewhere = "/subscriptions/00000000-0000-4000-8000-000000000002/resourceGroups/rg-databases";
    setup.put(elsewhere, "2020-06-01", json!({"location": "norwayeast"})).await;
    let restored = server_path("restored").replace(GROUP, elsewhere);
    setup.write(&restored, a_day_ago(&json!({}))).await;
    assert_eq!(setup.get(&restored).await.body["properties"]["state"], "Ready");
}

/// Of a server that only the API has.
#[tokio::test]
async fn a_restored_server_has_the_databases_that_were_there_and_nothing_else() {
    let setup = with_settings().await;
    let path = server_path("orders");
    let database = |name: &str| format!("{path}/databases/{name}");
    setup.write(&database("early"), json!({"properties": {}})).await;
    let moment = pass(&setup, HOUR).await;
    setup.write(&database("late"), json!({"properties": {}})).await;
    let rule = json!({"properties": {"startIpAddress": "20.100.0.4", "endIpAddress": "20.100.0.4"}});
    setup.write(&format!("{path}/firewallRules/cluster"), rule).await;
    let group = json!({"properties": {"principalName": "db-operators", "principalType": "Group"}});
    setup.write(&format!("{path}/administrators/{OPERATORS}"), group).await;
    let parameter = json!({"properties": {"value": "16384"}});
    setup.write(&format!("{path}/configurations/work_mem"), parameter).await;
    let below = async |server: &str| {
        let prefix = format!("{}/", server_path(server));
        let all = setup.control.resources().await.unwrap();
        let below = all.iter().filter_map(|one| one.id.strip_prefix(&prefix).map(str::to_owned));
        below.collect::<Vec<_>>()
    };
    setup.write(&server_path("restored"), at("orders", moment)).await;
    assert_eq!(below("restored").await, ["databases/early"]);
    let owner = setup.control.owner(&format!("{}/databases/early", server_path("restored"))).await.unwrap();
    assert_eq!(owner, setup.control.owner(&database("early")).await.unwrap());

    let listing = Settings { restores_administrators: Some(true), ..Settings::default() };
    setup.control.change(&listing).await.unwrap();
    setup.write(&server_path("second"), at("orders", moment)).await;
    assert_eq!(below("second").await, [&format!("administrators/{OPERATORS}"), "databases/early"]);
}

/// They are in PostgreSQL. Whether they are in Azure's list as well is not documented.
#[tokio::test]
async fn administrators_come_with_the_data_and_not_into_the_list() {
    let setup = with_orders("17").await;
    let moment = pass(&setup, HOUR).await;
    let listed = async |server: &str| {
        let list = setup.get(&format!("{}/administrators", server_path(server))).await.body;
        list["value"].as_array().unwrap().len()
    };
    let rule = json!({"properties": {"startIpAddress": CLUSTER, "endIpAddress": CLUSTER}});
    let restored = server_path("restored");
    setup.write(&restored, at("orders", moment)).await;
    assert_eq!(listed("restored").await, 0);
    setup.write(&format!("{restored}/firewallRules/cluster"), rule).await;
    let administrator = setup.administrator("restored", "postgres").await;
    let kari = "SELECT pgaadauth_create_principal_with_oid('kari', '22222222-2222-4222-8222-222222222222', 'user', true, false)";
    administrator.batch_execute(kari).await.unwrap();
    assert_eq!(listed("restored").await, 1, "who is made by SQL is listed as ever");
    let group = json!({"properties": {"principalName": "db-operators", "principalType": "Group"}});
    setup.write(&format!("{restored}/administrators/{OPERATORS}"), group).await;
    assert_eq!(listed("restored").await, 2);

    let listing = Settings { restores_administrators: Some(true), ..Settings::default() };
    setup.control.change(&listing).await.unwrap();
    setup.write(&server_path("second"), at("orders", moment)).await;
    assert_eq!(listed("second").await, 1);
}

#[rstest]
#[case::without_postgresql(false, false)]
#[case::before_postgresql_is_done(true, false)]
#[case::after_postgresql_is_done(true, true)]
#[tokio::test]
async fn a_restore_fails_if_its_source_goes(#[case] with_postgres: bool, #[case] is_done: bool) {
    let setup = if with_postgres { with_orders("17").await } else { with_settings().await };
    let moment = setup.control.now().await.unwrap();
    let real = async || setup.control.real_servers().await.unwrap();
    setup.control.set_delay(HOUR).await.unwrap();
    let restoring = setup.put(&server_path("restored"), VERSION, at("orders", moment)).await;
    while is_done && real().await.len() < 2 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    setup.control.delete_resource(&server_path("orders")).await.unwrap();
    let outcome = setup.finish(&restoring).await;
    assert_eq!(
        (&outcome["status"], &outcome["error"]["code"]),
        (&json!("Failed"), &json!("ResourceNotFound"))
    );
    assert_eq!(setup.get(&server_path("restored")).await.status, StatusCode::NOT_FOUND);
    let gone = async {
        while !real().await.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), gone).await.expect("nothing is left of it");
    setup.control.set_delay(Duration::ZERO).await.unwrap();
    setup.write(&server_path("restored"), plain_server()).await;
}

/// What asks for a server with the last data of one that was dropped.
fn revival(source: &str, dropped: Timestamp) -> Value {
    let mut body = at(source, dropped);
    body["properties"]["createMode"] = json!("ReviveDropped");
    body
}

#[rstest]
#[tokio::test]
async fn a_dropped_server_is_revived_within_five_days(#[values("16", "17", "18")] version: &str) {
    let setup = with_orders(version).await;
    let before = execute(&setup, "orders", "INSERT INTO item VALUES ('coffee')").await;
    execute(&setup, "orders", "INSERT INTO item VALUES ('tea')").await;
    let kept = archived(&setup).await;
    assert_eq!(kept.links(), 2);
    let dropping = setup.delete(&server_path("orders")).await;
    assert_eq!(setup.finish(&dropping).await["status"], "Succeeded");
    let dropped = setup.control.now().await.unwrap();
    let ask =
        async |name: &str, body: Value| setup.put(&server_path(name), VERSION, body).await.code().to_owned();
    assert_eq!(ask("orders", revival("orders", dropped)).await, "ServerNameAlreadyExists");
    assert_eq!(ask("revived", revival("orders", before)).await, "InvalidParameterValue");
    assert_eq!(ask("revived", at("orders", dropped)).await, "ResourceNotFound");

    pass(&setup, 96 * HOUR).await;
    let setup = setup.with_server_like("revived", revival("orders", dropped)).await;
    assert_eq!(items(&setup, "revived").await, ["coffee", "tea"]);
    let setup = setup.with_server_like("again", revival("orders", dropped)).await;
    assert_eq!(items(&setup, "again").await, ["coffee", "tea"], "what was kept is kept");
    for revived in ["revived", "again"] {
        setup.control.delete_resource(&server_path(revived)).await.unwrap();
    }
    assert!(kept.links() > 1);
    pass(&setup, 5 * 24 * HOUR).await;
    let late = setup.put(&server_path("late"), VERSION, revival("orders", dropped)).await;
    assert_eq!(late.code(), "ResourceNotFound");
    let forgotten = async {
        while kept.links() > 1 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), forgotten).await.expect("nothing is kept any more");
}

/// A file of the archive of `orders`, held by another name: who else has it shows in its number of links.
struct Archived(tempfile::TempDir);

impl Archived {
    fn links(&self) -> u64 {
        std::fs::metadata(self.0.path().join("segment")).unwrap().nlink()
    }
}

async fn archived(setup: &Setup) -> Archived {
    let administrator = setup.administrator("orders", "postgres").await;
    let archive = column(&administrator, "SHOW basic_archive.archive_directory").await.remove(0);
    let held = Archived(tempfile::tempdir().unwrap());
    loop {
        let mut files = std::fs::read_dir(&archive).unwrap().map(Result::unwrap);
        if let Some(segment) = files.find(|entry| entry.file_name().len() == 24) {
            std::fs::hard_link(segment.path(), held.0.path().join("segment")).unwrap();
            return held;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_dropped_server_is_revived_where_it_was() {
    let setup = with_settings().await;
    let path = server_path("orders");
    setup.write(&format!("{path}/databases/app"), json!({"properties": {}})).await;
    setup.control.delete_resource(&path).await.unwrap();
    let dropped = setup.control.now().await.unwrap();
    let elsewhere = "/subscriptions/00000000-0000-4000-8000-000000000002/resourceGroups/rg-databases";
    setup.put(elsewhere, "2020-06-01", json!({"location": "norwayeast"})).await;
    let revived = server_path("revived");
    let refused = setup.put(&revived.replace(GROUP, elsewhere), VERSION, revival("orders", dropped)).await;
    assert_eq!(refused.body["error"]["target"], "properties.sourceServerResourceId", "{:?}", refused.body);
    let mut body = revival("orders", dropped);
    body["location"] = json!("norwaywest");
    let refused = setup.put(&revived, VERSION, body).await;
    assert_eq!(refused.body["error"]["target"], "location", "{:?}", refused.body);

    setup.write(&revived, revival("orders", dropped)).await;
    let server = setup.get(&revived).await.body;
    assert_eq!(
        (&server["properties"]["state"], &server["sku"]["name"]),
        (&json!("Ready"), &json!("Standard_D2ds_v5"))
    );
    assert_eq!(setup.get(&format!("{revived}/databases/app")).await.status, StatusCode::OK);
}

/// What asks for a server with the last data of one in the other region.
fn geo(source: &str, location: &str) -> Value {
    json!({"location": location, "properties": {
        "createMode": "GeoRestore",
        "sourceServerResourceId": server_path(source),
    }})
}

#[tokio::test]
async fn a_geo_redundant_backup_is_restored_in_the_paired_region() {
    let setup = Setup::start_with_postgres().await;
    let mut server = plain_server();
    server["properties"]["backup"] = json!({"geoRedundantBackup": "Enabled"});
    let setup = setup.with_server_like("orders", server).await.with_server("local", "17").await;
    let administrator = setup.administrator("orders", "postgres").await;
    administrator.batch_execute("CREATE DATABASE app").await.unwrap();
    execute(&setup, "orders", "CREATE TABLE item (name text); INSERT INTO item VALUES ('coffee')").await;
    let target = async |body: Value| {
        let refused = setup.put(&server_path("copy"), VERSION, body).await;
        refused.body["error"]["target"].as_str().unwrap_or_default().to_owned()
    };
    let source = "properties.sourceServerResourceId";
    assert_eq!(target(geo("orders", "norwaywest")).await, source, "its backup isn't there within an hour");
    pass(&setup, HOUR).await;
    assert_eq!(target(geo("local", "norwaywest")).await, source, "it has none");
    assert_eq!(target(geo("orders", "norwayeast")).await, "location");
    assert_eq!(target(geo("orders", "westeurope")).await, "location");
    execute(&setup, "orders", "INSERT INTO item VALUES ('tea')").await;
    let setup = setup.with_server_like("copy", geo("orders", "norwaywest")).await;
    assert_eq!(items(&setup, "copy").await, ["coffee", "tea"]);
    let copy = setup.get(&server_path("copy")).await.body;
    assert_eq!(copy["location"], "Norway West");
    assert_eq!(copy["properties"]["backup"]["geoRedundantBackup"], "Enabled");
}
