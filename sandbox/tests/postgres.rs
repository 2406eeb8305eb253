//! A server is as Azure makes it, keeps its data, and leaves nothing behind; in each version that can be had.
// The helpers of tests fail like tests.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rstest::rstest;
use rustix::process::{Pid, test_kill_process};
use sandbox::postgres::{Cluster, PrincipalType, SUPERUSER, Version};
use tokio_postgres::Client;

const OPERATORS: &str = "11111111-1111-4111-8111-111111111111";
const APP: &str = "22222222-2222-4222-8222-222222222222";

/// With an administrator from Microsoft Entra ID, who is logged in.
async fn administered(version: Version) -> (Cluster, Client) {
    let cluster = Cluster::start(version).unwrap();
    cluster.create_administrator("db-operators", OPERATORS, PrincipalType::Group).await.unwrap();
    let administrator = cluster.connect("db-operators", "postgres").await.unwrap();
    (cluster, administrator)
}

/// The first column of each row.
async fn column(client: &Client, query: &str) -> Vec<String> {
    let rows = client.query(query, &[]).await.unwrap();
    rows.iter().map(|row| row.get::<_, String>(0)).collect()
}

/// What a statement is refused with; fails the test if it isn't.
#[track_caller]
fn words<T>(result: Result<T, tokio_postgres::Error>) -> String {
    let Err(error) = result else { panic!("this was not refused") };
    let said = error.as_db_error().unwrap();
    format!("{}: {}", said.code().code(), said.message())
}

async fn refused(client: &Client, statement: &str) -> String {
    words(client.batch_execute(statement).await)
}

/// Sets a parameter as Azure's API does.
async fn set(cluster: &Cluster, name: &str, value: &str) {
    let superuser = cluster.connect(SUPERUSER, "postgres").await.unwrap();
    superuser.batch_execute(&format!("ALTER SYSTEM SET {name} = '{value}'")).await.unwrap();
    superuser.batch_execute("SELECT pg_reload_conf()").await.unwrap();
}

#[rstest]
#[tokio::test]
async fn a_new_server_is_as_azure_makes_it(
    #[values(Version::V16, Version::V17, Version::V18)] version: Version,
) {
    let (cluster, administrator) = administered(version).await;
    let release = column(&administrator, "SHOW server_version").await.join("");
    assert!(release.starts_with(&format!("{version}.")), "{release}");
    assert!(release.starts_with(cluster.release()), "{release}");
    let databases =
        column(&administrator, "SELECT datname::text FROM pg_database WHERE NOT datistemplate ORDER BY 1");
    assert_eq!(databases.await, ["azure_maintenance", "azure_sys", "postgres"]);
    let superusers = column(&administrator, "SELECT rolname::text FROM pg_roles WHERE rolsuper").await;
    assert_eq!(superusers, [SUPERUSER]);

    administrator.batch_execute("CREATE DATABASE orders").await.unwrap();
    let orders = cluster.connect("db-operators", "orders").await.unwrap();
    let owner = "SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'public'";
    for client in [&administrator, &orders] {
        assert_eq!(column(client, owner).await, ["azure_pg_admin"]);
    }
    let everybody_creates = "SELECT has_schema_privilege('pg_monitor', 'public', 'CREATE')::text";
    assert_eq!(column(&orders, everybody_creates).await, ["true"]);
    let config = cluster.config("db-operators", "azure_maintenance").unwrap();
    let refusal = words(config.connect(tokio_postgres::NoTls).await.map(drop));
    assert!(refusal.starts_with("42501: permission denied for database \"azure_maintenance\""), "{refusal}");
}

#[rstest]
#[tokio::test]
async fn an_administrator_makes_principals_and_nobody_else_does(
    #[values(Version::V16, Version::V17, Version::V18)] version: Version,
) {
    let (cluster, administrator) = administered(version).await;
    let create = |name: &str, id: &str, kind: &str| {
        format!("SELECT pgaadauth_create_principal_with_oid('{name}', '{id}', '{kind}', false, false)")
    };
    assert_eq!(column(&administrator, &create("app", APP, "service")).await, ["Created role for \"app\""]);
    let listed = "SELECT concat_ws(' ', rolename, principaltype, objectid, tenantid, ismfa, isadmin)
                  FROM pgaadauth_list_principals(false) ORDER BY 1";
    let tenant = "00000000-0000-4000-8000-0000000000f1";
    let app = format!("app service {APP} {tenant} 0 0");
    let operators = format!("db-operators group {OPERATORS} {tenant} 0 1");
    assert_eq!(column(&administrator, listed).await, [app.as_str(), operators.as_str()]);
    let administrators = "SELECT rolename::text FROM pgaadauth_list_principals(true)";
    assert_eq!(column(&administrator, administrators).await, ["db-operators"]);

    let twice = "P0001: Updating an existing principal isn't supported. Drop and recreate the Microsoft Entra principal.";
    assert_eq!(refused(&administrator, &create("another", APP, "service")).await, twice);
    assert_eq!(refused(&administrator, &create("another", OPERATORS, "group")).await, twice);
    let odd = "33333333-3333-4333-8333-333333333333";
    for (statement, words) in [
        (create("app", odd, "service"), "42710: role \"app\" already exists"),
        (create("x", odd, "robot"), "22023: unknown principal type \"robot\""),
        (create("x", "me", "user"), "22023: invalid object id \"me\""),
        (
            "SELECT pgaadauth_create_principal('kari', false, false)".to_owned(),
            "42704: Principal name \"kari\" could not be found in the directory",
        ),
        (
            format!("SELECT azure.label_own('azuresu', '{odd}', 'user', true, false)"),
            "42501: permission denied to label role \"azuresu\"",
        ),
    ] {
        assert_eq!(refused(&administrator, &statement).await, words);
    }
    let app = cluster.connect("app", "postgres").await.unwrap();
    let denied = "42501: permission denied for function pgaadauth_create_principal_with_oid";
    assert_eq!(refused(&app, &create("friend", odd, "user")).await, denied);
    drop(app);

    administrator.batch_execute("DROP ROLE app").await.unwrap();
    assert_eq!(column(&administrator, listed).await, [operators.as_str()]);
    // The same principal again, under another name.
    administrator.batch_execute(&create("app-2", APP, "service")).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn an_administrator_who_owns_something_stays(
    #[values(Version::V16, Version::V17, Version::V18)] version: Version,
) {
    let (cluster, administrator) = administered(version).await;
    // Made again as it is, it stays as it is.
    cluster.create_administrator("db-operators", OPERATORS, PrincipalType::Group).await.unwrap();
    assert!(cluster.create_administrator("others", OPERATORS, PrincipalType::Group).await.is_err());
    administrator.batch_execute("CREATE DATABASE orders").await.unwrap();
    drop(administrator);
    let superuser = cluster.connect(SUPERUSER, "postgres").await.unwrap();
    let delete = format!("SELECT azure.drop_administrator('{OPERATORS}')");
    let depends = "2BP01: role \"db-operators\" cannot be dropped because some objects depend on it";
    assert_eq!(refused(&superuser, &delete).await, depends);
    superuser.batch_execute("ALTER DATABASE orders OWNER TO azure_pg_admin").await.unwrap();
    superuser.batch_execute(&delete).await.unwrap();
    let left = "SELECT rolename::text FROM pgaadauth_list_principals(false)";
    assert_eq!(column(&superuser, left).await, <[&str; 0]>::default());
}

#[rstest]
#[tokio::test]
async fn administrators_create_and_drop_the_extensions_of_the_list(
    #[values(Version::V16, Version::V17, Version::V18)] version: Version,
) {
    let (cluster, administrator) = administered(version).await;
    let not_listed = |name: &str| {
        format!(
            "0A000: Extension \"{name}\" is not allow-listed for \"azure_pg_admin\" users in Azure Database for PostgreSQL"
        )
    };
    administrator.batch_execute("CREATE DATABASE orders").await.unwrap();
    administrator
        .batch_execute("CREATE ROLE app LOGIN; GRANT CREATE ON DATABASE orders TO app")
        .await
        .unwrap();
    let orders = cluster.connect("db-operators", "orders").await.unwrap();
    orders.batch_execute("SET azure.extensions = 'hstore'").await.unwrap();
    assert_eq!(refused(&orders, "CREATE EXTENSION hstore").await, not_listed("hstore"));

    set(&cluster, "azure.extensions", "HSTORE, earthdistance").await;
    orders.batch_execute("CREATE EXTENSION hstore").await.unwrap();
    let cascade = "CREATE EXTENSION earthdistance CASCADE";
    assert_eq!(refused(&orders, cascade).await, not_listed("cube"), "what it needs must be listed, too");

    let app = cluster.connect("app", "orders").await.unwrap();
    set(&cluster, "azure.extensions", "hstore,pgcrypto").await;
    let members =
        |what: &str| format!("42501: Only members of \"azure_pg_admin\" are allowed to use {what} EXTENSION");
    assert_eq!(refused(&app, "CREATE EXTENSION pgcrypto").await, members("CREATE"));
    app.batch_execute("CREATE EXTENSION IF NOT EXISTS hstore").await.unwrap();

    set(&cluster, "azure.extensions", "").await;
    assert_eq!(refused(&orders, "DROP EXTENSION hstore").await, not_listed("hstore"));
    set(&cluster, "azure.extensions", "hstore").await;
    orders.batch_execute("DROP EXTENSION hstore").await.unwrap();
}

#[rstest]
#[tokio::test]
async fn rows_outlive_a_stop_and_a_crash(
    #[values(Version::V16, Version::V17, Version::V18)] version: Version,
) {
    let mut cluster = Cluster::start(version).unwrap();
    let client = cluster.connect(SUPERUSER, "postgres").await.unwrap();
    client.batch_execute("CREATE TABLE item (name text); INSERT INTO item VALUES ('coffee')").await.unwrap();
    cluster.stop().unwrap();
    assert!(client.batch_execute("SELECT 1").await.is_err(), "sessions end with the server");
    assert!(!cluster.runs() && cluster.connect(SUPERUSER, "postgres").await.is_err());
    cluster.run().unwrap();
    let client = cluster.connect(SUPERUSER, "postgres").await.unwrap();
    client.batch_execute("INSERT INTO item VALUES ('tea')").await.unwrap();
    // A commit is written down a moment later, or now.
    client.batch_execute("CHECKPOINT").await.unwrap();
    cluster.crash().unwrap();
    cluster.run().unwrap();
    let client = cluster.connect(SUPERUSER, "postgres").await.unwrap();
    assert_eq!(column(&client, "SELECT name FROM item ORDER BY 1").await, ["coffee", "tea"]);
}

#[rstest]
#[tokio::test]
async fn a_copy_has_what_was_there_and_goes_its_own_way(
    #[values(Version::V16, Version::V17, Version::V18)] version: Version,
    #[values(true, false)] running: bool,
) {
    let mut cluster = Cluster::start(version).unwrap();
    let client = cluster.connect(SUPERUSER, "postgres").await.unwrap();
    client.batch_execute("CREATE DATABASE orders").await.unwrap();
    let orders = cluster.connect(SUPERUSER, "orders").await.unwrap();
    orders.batch_execute("CREATE TABLE item (name text); INSERT INTO item VALUES ('coffee')").await.unwrap();
    if !running {
        cluster.stop().unwrap();
    }
    let mut copy = cluster.copy().await.unwrap();
    cluster.run().unwrap();
    copy.run().unwrap();
    let copied = copy.connect(SUPERUSER, "orders").await.unwrap();
    copied.batch_execute("INSERT INTO item VALUES ('tea')").await.unwrap();
    let orders = cluster.connect(SUPERUSER, "orders").await.unwrap();
    assert_eq!(column(&orders, "SELECT name FROM item ORDER BY 1").await, ["coffee"]);
    assert_eq!(column(&copied, "SELECT name FROM item ORDER BY 1").await, ["coffee", "tea"]);
}

#[test]
fn a_server_that_is_dropped_leaves_nothing() {
    let cluster = Cluster::start(Version::V17).unwrap();
    let (pid, data) = (cluster.pid().unwrap(), cluster.data());
    assert!(runs(pid) && data.is_dir());
    drop(cluster);
    assert!(!runs(pid) && !data.exists());
}

/// Started by the next test in a process of its own, which is then killed.
#[test]
#[ignore = "it waits for its process to be killed"]
fn a_server_in_a_process_of_its_own() {
    let cluster = Cluster::start(Version::V17).unwrap();
    println!("started {} {}", cluster.pid().unwrap(), cluster.data().display());
    // Its standard input stays open until it is killed.
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn no_server_outlives_a_process_that_is_killed() {
    let start = || {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--ignored", "--exact", "--nocapture", "a_server_in_a_process_of_its_own"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let said = lines.into_iter().find(|line| line.starts_with("started ")).unwrap();
        let (pid, data) = said["started ".len()..].split_once(' ').unwrap();
        (child, pid.parse::<u32>().unwrap(), PathBuf::from(data))
    };
    let (mut child, pid, data) = start();
    assert!(runs(pid) && data.is_dir());
    child.kill().unwrap();
    child.wait().unwrap();
    let killed = Instant::now();
    while runs(pid) {
        assert!(killed.elapsed() < Duration::from_secs(10), "a server outlived its process");
        std::thread::sleep(Duration::from_millis(20));
    }
    let lock_file = std::fs::read_to_string(data.join("postmaster.pid")).unwrap();
    let segment = lock_file.lines().nth(6).unwrap().split_whitespace().nth(1).unwrap();
    assert!(has_segment(segment), "only the next process deletes it");
    let (mut next, _, its_data) = start();
    assert!(!data.exists() && !has_segment(segment), "the next process deletes what was left");
    next.kill().unwrap();
    next.wait().unwrap();
    std::fs::remove_dir_all(its_data.parent().unwrap()).unwrap();
}

/// Whether there is System V shared memory with this id.
#[cfg(target_os = "linux")]
fn has_segment(id: &str) -> bool {
    let segments = std::fs::read_to_string("/proc/sysvipc/shm").unwrap();
    segments.lines().any(|line| line.split_whitespace().nth(1) == Some(id))
}

fn runs(pid: u32) -> bool {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    test_kill_process(pid).is_ok()
}

/// Nobody else can get at a server past the gateway but with a password.
#[tokio::test]
async fn over_tcp_a_password_is_asked_for() {
    let cluster = Cluster::start(Version::V17).unwrap();
    let superuser = cluster.connect(SUPERUSER, "postgres").await.unwrap();
    superuser.batch_execute("CREATE ROLE app LOGIN PASSWORD 'coffee'").await.unwrap();
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(cluster.port().unwrap()).user("app").dbname("postgres");
    for (password, expected) in [("coffee", true), ("tea", false)] {
        let result = config.clone().password(password).connect(tokio_postgres::NoTls).await;
        assert_eq!(result.is_ok(), expected, "{password}");
    }
    assert_eq!(
        std::fs::metadata(cluster.socket().unwrap().parent().unwrap()).unwrap().permissions().mode() & 0o77,
        0
    );
}
