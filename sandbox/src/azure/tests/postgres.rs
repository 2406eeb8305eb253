//! The real PostgreSQL behind each server does what Azure's API is asked for, and the API shows what it has.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use rstest::rstest;
use serde_json::{Value, json};

use super::{
    logging_in::{Login, OPERATORS, column, refused},
    support::{GROUP, Setup, plain_server, server_path},
};
use crate::{
    azure::{DirectoryEntry, Fault, Phase},
    postgres::PrincipalType,
};

const VERSION: &str = "2025-08-01";

/// Names of what the API lists below a server.
async fn listed(setup: &Setup, kind: &str) -> Vec<String> {
    let answer = setup.get(&format!("{}/{kind}", server_path("orders"))).await;
    assert_eq!(answer.status, StatusCode::OK);
    let names = answer.body["value"].as_array().unwrap().iter();
    names.map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

async fn act(setup: &Setup, action: &str) -> Value {
    let path = format!("{}/{action}?api-version={VERSION}", server_path("orders"));
    let accepted = setup.ask(Method::POST, &path, Value::Null).await;
    setup.finish(&accepted).await
}

async fn set(setup: &Setup, parameter: &str, properties: Value) {
    let path = format!("{}/configurations/{parameter}", server_path("orders"));
    let accepted = setup.put(&path, VERSION, json!({"properties": properties})).await;
    let outcome = setup.finish(&accepted).await;
    assert_eq!(outcome["status"], "Succeeded", "{outcome}");
}

#[rstest]
#[tokio::test]
async fn databases_made_either_way_show_either_way(#[values("16", "17", "18")] version: &str) {
    let setup = Setup::start_with_postgres().await.with_server("orders", version).await;
    let administrator = setup.administrator("orders", "postgres").await;
    assert!(column(&administrator, "SHOW server_version").await.join("").starts_with(version));
    let real = setup.control.real_servers().await.unwrap();
    assert!(matches!(real.as_slice(), [one] if one.runs && one.note.is_none()), "{real:?}");

    let path = server_path("orders");
    setup.write(&format!("{path}/databases/by_api"), json!({"properties": {}})).await;
    administrator.batch_execute("CREATE DATABASE by_sql").await.unwrap();
    let built_in = ["azure_maintenance", "azure_sys", "postgres"];
    let mut both = listed(&setup, "databases").await;
    both.sort();
    assert_eq!(both, [built_in[0], built_in[1], "by_api", "by_sql", built_in[2]]);
    let owners = "SELECT pg_get_userbyid(datdba)::text FROM pg_database WHERE datname LIKE 'by%'";
    assert_eq!(column(&administrator, owners).await, ["db-operators", "db-operators"]);
    let owner = setup.control.owner(&format!("{path}/databases/by_sql")).await.unwrap().unwrap();
    assert_eq!(owner.owner, "db-operators");
    let again = setup.put(&format!("{path}/databases/by_sql"), VERSION, json!({"properties": {}})).await;
    assert_eq!(setup.finish(&again).await["status"], "Succeeded", "it is there, and stays as it is");

    let session = setup.administrator("orders", "by_api").await;
    let dropping = setup.delete(&format!("{path}/databases/by_api")).await;
    assert_eq!(setup.finish(&dropping).await["status"], "Succeeded");
    assert!(session.batch_execute("SELECT 1").await.is_err(), "who was in it is out");
    administrator.batch_execute("DROP DATABASE by_sql").await.unwrap();
    assert_eq!(setup.get(&format!("{path}/databases/by_sql")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(listed(&setup, "databases").await, built_in);
    let shown = setup.control.resources().await.unwrap();
    assert!(!shown.iter().any(|one| one.resource_type.ends_with("/databases")), "{shown:?}");
}

#[rstest]
#[tokio::test]
async fn an_administrator_leaves_once_they_own_nothing(#[values("16", "17", "18")] version: &str) {
    let setup = Setup::start_with_postgres().await.with_server("orders", version).await;
    let path = format!("{}/administrators/{OPERATORS}", server_path("orders"));
    let administrator = setup.administrator("orders", "postgres").await;
    administrator.batch_execute("CREATE DATABASE app").await.unwrap();
    let other = "22222222-2222-4222-8222-222222222222";
    let by_sql =
        format!("SELECT pgaadauth_create_principal_with_oid('kari', '{other}', 'user', true, false)");
    administrator.batch_execute(&by_sql).await.unwrap();
    assert_eq!(listed(&setup, "administrators").await, [OPERATORS, other]);
    let kari = setup.get(&format!("{}/administrators/{other}", server_path("orders"))).await.body;
    assert_eq!(kari["properties"]["principalType"], "User");
    assert_eq!(kari["properties"]["principalName"], "kari");

    let renamed = json!({"properties": {"principalName": "others", "principalType": "Group"}});
    let accepted = setup.put(&path, VERSION, renamed).await;
    let outcome = setup.finish(&accepted).await;
    assert_eq!(outcome["status"], "Failed");
    let words = outcome["error"]["message"].as_str().unwrap();
    assert!(words.contains("Updating an existing principal isn't supported"), "{words}");

    let refusal = setup.delete(&path).await;
    let outcome = setup.finish(&refusal).await;
    assert_eq!(
        (&outcome["status"], &outcome["error"]["code"]),
        (&json!("Failed"), &json!("OperationFailed"))
    );
    let words = outcome["error"]["message"].as_str().unwrap();
    assert!(words.contains("cannot be dropped because some objects depend on it"), "{words}");
    assert_eq!(setup.get(&path).await.status, StatusCode::OK);

    administrator.batch_execute("DROP DATABASE app; DROP ROLE kari").await.unwrap_err();
    administrator.batch_execute("DROP DATABASE app").await.unwrap();
    administrator.batch_execute("DROP ROLE kari").await.unwrap();
    drop(administrator);
    let dropping = setup.delete(&path).await;
    assert_eq!(setup.finish(&dropping).await["status"], "Succeeded");
    assert_eq!(listed(&setup, "administrators").await, <[&str; 0]>::default());
    let token = setup.token(super::logging_in::OPERATOR).await;
    let late = Login::of("orders", "db-operators", &token).log_in(&setup).await;
    assert!(late.unwrap_err().starts_with("28000: no pg_hba.conf entry"), "nobody has this role any more");
}

#[rstest]
#[tokio::test]
async fn parameters_hold_in_postgresql(#[values("16", "17", "18")] version: &str) {
    let setup = Setup::start_with_postgres().await.with_server("orders", version).await;
    let path = server_path("orders");
    let show = async |parameter: &str| {
        let administrator = setup.administrator("orders", "postgres").await;
        column(&administrator, &format!("SHOW {parameter}")).await.join("")
    };
    set(&setup, "work_mem", json!({"value": "16384", "source": "user-override"})).await;
    assert_eq!(show("work_mem").await, "16MB");
    set(&setup, "search_path", json!({"value": "\"$user\", public, extra"})).await;
    assert_eq!(show("search_path").await, "\"$user\", public, extra");
    set(&setup, "search_path", json!({"source": "system-default"})).await;
    assert_eq!(show("search_path").await, "\"$user\", public");

    let administrator = setup.administrator("orders", "postgres").await;
    assert!(refused(&administrator, "CREATE EXTENSION hstore").await.contains("is not allow-listed"));
    set(&setup, "azure.extensions", json!({"value": "HSTORE,pg_stat_statements"})).await;
    administrator
        .batch_execute("CREATE EXTENSION hstore; CREATE EXTENSION pg_stat_statements")
        .await
        .unwrap();
    administrator.batch_execute("SELECT count(*) FROM pg_stat_statements").await.unwrap();

    set(&setup, "max_connections", json!({"value": "30"})).await;
    // One that isn't here would keep PostgreSQL from starting.
    set(&setup, "shared_preload_libraries", json!({"value": "pg_cron,auto_explain,pg_stat_statements"}))
        .await;
    let pending = async || {
        let shown = setup.get(&format!("{path}/configurations/max_connections")).await.body;
        shown["properties"]["isConfigPendingRestart"].clone()
    };
    assert_eq!((pending().await, show("max_connections").await.as_str()), (json!(true), "25"));
    assert_eq!(act(&setup, "restart").await["status"], "Succeeded");
    assert_eq!((pending().await, show("max_connections").await.as_str()), (json!(false), "30"));
    assert_eq!(show("shared_preload_libraries").await, "auto_explain, pg_stat_statements");
    assert!(administrator.batch_execute("SELECT 1").await.is_err(), "a restart ends sessions");
    // Of memory there is less here, whatever the API says.
    set(&setup, "shared_buffers", json!({"value": "131072"})).await;
    act(&setup, "restart").await;
    assert_eq!(show("shared_buffers").await, "4MB");
}

#[rstest]
#[tokio::test]
async fn a_server_stops_starts_and_goes(#[values("16", "17", "18")] version: &str) {
    let setup = Setup::start_with_postgres().await.with_server("orders", version).await;
    let session = setup.administrator("orders", "postgres").await;
    session.batch_execute("CREATE TABLE item (name text); INSERT INTO item VALUES ('coffee')").await.unwrap();
    let log_in = async || {
        let token = setup.token(super::logging_in::OPERATOR).await;
        Login::of("orders", "db-operators", &token).log_in(&setup).await
    };
    for by_api in [true, false] {
        let path = server_path("orders");
        if by_api {
            assert_eq!(act(&setup, "stop").await["status"], "Succeeded");
        } else {
            setup.control.stop_server(&path).await.unwrap();
        }
        assert!(log_in().await.is_err());
        assert_eq!(setup.control.logins().await.unwrap().last().unwrap().outcome, "stopped");
        if by_api {
            assert_eq!(act(&setup, "start").await["status"], "Succeeded");
        } else {
            setup.control.start_server(&path).await.unwrap();
        }
        let back = log_in().await.unwrap();
        assert_eq!(column(&back, "SELECT name FROM item").await, ["coffee"]);
    }
    assert!(session.batch_execute("SELECT 1").await.is_err(), "a stop ends sessions");

    let dropping = setup.delete(&server_path("orders")).await;
    assert_eq!(setup.finish(&dropping).await["status"], "Succeeded");
    assert_eq!(log_in().await.unwrap_err(), "08001: there is no server \"orders\" in this sandbox");
    setup.control.forget_dropped_servers().await.unwrap();
    let setup = setup.with_server("orders", version).await;
    let afresh = setup.administrator("orders", "postgres").await;
    assert_eq!(refused(&afresh, "SELECT * FROM item").await, "42P01: relation \"item\" does not exist");
    assert_eq!(setup.control.real_servers().await.unwrap().len(), 1);
}

#[tokio::test]
async fn postgresql_is_there_as_long_as_its_server() {
    let setup = Setup::start_with_postgres().await;
    let path = server_path("orders");
    let real = async |setup: &Setup| setup.control.real_servers().await.unwrap().len();
    let fault = Fault {
        method: Some("PUT".to_owned()),
        path: "flexibleServers/orders".to_owned(),
        status: 500,
        code: "InternalServerError".to_owned(),
        message: "no capacity".to_owned(),
        retry_after_seconds: None,
        times: 1,
        phase: Phase::Operation,
    };
    setup.control.inject(&fault).await.unwrap();
    let accepted = setup.put(&path, VERSION, plain_server()).await;
    assert_eq!(setup.finish(&accepted).await["status"], "Failed");
    assert_eq!(real(&setup).await, 0);

    let setup = setup.with_server("orders", "17").await;
    let administrator = setup.administrator("orders", "postgres").await;
    administrator.batch_execute("CREATE DATABASE app").await.unwrap();
    let app = setup.administrator("orders", "app").await;
    listed(&setup, "databases").await;
    setup.control.delete_resource(&format!("{path}/databases/app")).await.unwrap();
    assert!(app.batch_execute("SELECT 1").await.is_err());
    let left = "SELECT count(*)::text FROM pg_database WHERE datname = 'app'";
    assert_eq!(column(&administrator, left).await, ["0"]);

    setup.control.delete_resource(&path).await.unwrap();
    assert!(administrator.batch_execute("SELECT 1").await.is_err(), "sessions end with the server");
    assert_eq!(real(&setup).await, 0);
    setup.control.forget_dropped_servers().await.unwrap();
    let setup = setup.with_server("orders", "16").await;
    let administrator = setup.administrator("orders", "postgres").await;
    let deleted = setup.delete(GROUP).await;
    assert_eq!(deleted.status, StatusCode::ACCEPTED);
    while setup.get(GROUP).await.status != StatusCode::NOT_FOUND {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // With all that was in the group.
    while administrator.batch_execute("SELECT 1").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_principal_is_looked_up_by_name() {
    let setup = Setup::start_with_postgres().await;
    let register = async |name: &str, object_id: &str, principal_type: PrincipalType| {
        let entry = DirectoryEntry { name: name.to_owned(), object_id: object_id.to_owned(), principal_type };
        setup.control.register(&entry).await.unwrap();
    };
    let [kari, team] = ["22222222-2222-4222-8222-222222222222", "33333333-3333-4333-8333-333333333333"];
    register("kari@altinn.no", kari, PrincipalType::User).await;
    let setup = setup.with_server("orders", "17").await;
    let entry = DirectoryEntry {
        name: "Team O'Rders".to_owned(),
        object_id: team.to_owned(),
        principal_type: PrincipalType::Group,
    };
    setup.control.register(&entry).await.unwrap();
    let administrator = setup.administrator("orders", "postgres").await;
    for name in ["kari@altinn.no", "Team O''Rders"] {
        let create = format!("SELECT pgaadauth_create_principal('{name}', false, false)");
        administrator.batch_execute(&create).await.unwrap();
    }
    let created = "SELECT concat_ws(' ', principaltype, objectid) FROM pgaadauth_list_principals(false)
                   WHERE isadmin = 0 ORDER BY 1";
    assert_eq!(column(&administrator, created).await, [format!("group {team}"), format!("user {kari}")]);
    let unknown = "SELECT pgaadauth_create_principal('nobody', false, false)";
    let words = "42704: Principal name \"nobody\" could not be found in the directory";
    assert_eq!(refused(&administrator, unknown).await, words);
}

#[tokio::test]
async fn a_server_that_is_upgraded_or_too_old_says_what_runs_behind_it() {
    let setup = Setup::start_with_postgres().await.with_server("orders", "16").await;
    let session = setup.administrator("orders", "postgres").await;
    session.batch_execute("CREATE TABLE item (name text); INSERT INTO item VALUES ('coffee')").await.unwrap();
    setup.write(&server_path("orders"), json!({"properties": {"version": "18"}})).await;
    let server = setup.get(&server_path("orders")).await.body;
    assert_eq!(server["properties"]["version"], "18");
    let [real] = setup.control.real_servers().await.unwrap().try_into().unwrap();
    assert!(real.runs && real.release.is_some_and(|release| release.starts_with("16.")));
    let note = real.note.unwrap();
    assert!(note.starts_with("the API says version 18, and PostgreSQL 16 goes on behind it"), "{note}");
    assert_eq!(column(&session, "SELECT name FROM item").await, ["coffee"], "nothing is lost");

    let mut old = plain_server();
    old["properties"]["version"] = json!("13");
    let setup = setup.with_server_like("archive", old).await;
    let real = setup.control.real_servers().await.unwrap();
    let real = real.iter().find(|one| one.server.ends_with("/archive")).unwrap();
    assert!(
        !real.runs && real.note.as_ref().is_some_and(|note| note.contains("PostgreSQL 13 can't be had here"))
    );
}

#[rstest]
#[tokio::test]
async fn the_administrators_password_is_asked_for(#[values("16", "17", "18")] version: &str) {
    let mut server = plain_server();
    server["properties"]["version"] = json!(version);
    server["properties"]["authConfig"]["passwordAuth"] = json!("Enabled");
    server["properties"]["administratorLogin"] = json!("dbadmin");
    server["properties"]["administratorLoginPassword"] = json!("Correct-Horse-1");
    let setup = Setup::start_with_postgres().await.with_server_like("orders", server).await;
    let log_in = async |password: &str| Login::of("orders", "dbadmin", password).log_in(&setup).await;
    let wrong = "28P01: password authentication failed for user \"dbadmin\"";
    assert_eq!(log_in("Correct-Horse-2").await.unwrap_err(), wrong);
    let administrator = log_in("Correct-Horse-1").await.unwrap();
    administrator.batch_execute("CREATE DATABASE app").await.unwrap();
    let principals = "SELECT rolname::text FROM pg_roles WHERE rolname = 'azuresu' AND rolsuper";
    assert_eq!(column(&administrator, principals).await, ["azuresu"]);
    let create = "SELECT pgaadauth_create_principal_with_oid('a', '22222222-2222-4222-8222-222222222222', 'user', false, false)";
    assert!(refused(&administrator, create).await.contains("only a Microsoft Entra administrator"));

    let change = json!({"properties": {"administratorLoginPassword": "Correct-Horse-2"}});
    setup.write(&server_path("orders"), change).await;
    assert_eq!(log_in("Correct-Horse-1").await.unwrap_err(), wrong);
    drop(log_in("Correct-Horse-2").await.unwrap());
    assert_eq!(
        Login::of("orders", "azuresu", "").log_in(&setup).await.map(drop).unwrap_err(),
        "28P01: password authentication failed for user \"azuresu\""
    );

    setup
        .write(&server_path("orders"), json!({"properties": {"authConfig": {"passwordAuth": "Disabled"}}}))
        .await;
    let refusal = log_in("Correct-Horse-2").await.unwrap_err();
    assert!(
        refusal.starts_with("28000: no pg_hba.conf entry for host \"20.100.0.4\", user \"dbadmin\""),
        "{refusal}"
    );
}
