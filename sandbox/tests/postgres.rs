//! A server is as Azure makes it, keeps its data, and leaves nothing behind; in each version that can be had.
// The helpers of tests fail like tests.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rstest::rstest;
use rustix::process::{Pid, test_kill_process};
use sandbox::postgres::{Cluster, PrincipalType, SUPERUSER, Version, folders_of};
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

/// What is in the table, or why there is nothing.
async fn items(cluster: &Cluster) -> Vec<String> {
    let client = cluster.connect(SUPERUSER, "orders").await.unwrap();
    column(&client, "SELECT name FROM item ORDER BY 1").await
}

async fn restored(cluster: &Cluster, moment: Option<Timestamp>) -> Cluster {
    let backup = cluster.backup().await.unwrap();
    tokio::task::spawn_blocking(move || Cluster::restore(backup, moment)).await.unwrap().unwrap()
}

#[rstest]
#[tokio::test]
async fn a_server_is_restored_to_any_moment_of_its_life(
    #[values(Version::V16, Version::V17, Version::V18)] version: Version,
    #[values(true, false)] running: bool,
) {
    let mut cluster = Cluster::start(version).unwrap();
    let at_first = Timestamp::now();
    let client = cluster.connect(SUPERUSER, "postgres").await.unwrap();
    client.batch_execute("CREATE DATABASE orders").await.unwrap();
    let orders = cluster.connect(SUPERUSER, "orders").await.unwrap();
    orders.batch_execute("CREATE TABLE item (name text); INSERT INTO item VALUES ('coffee')").await.unwrap();
    let noon = Timestamp::now();
    orders.batch_execute("INSERT INTO item VALUES ('tea')").await.unwrap();
    let one = Timestamp::now();
    orders.batch_execute("DELETE FROM item WHERE name = 'coffee'").await.unwrap();
    let now = Timestamp::now();
    if !running {
        cluster.stop().unwrap();
    }
    assert_eq!(items(&restored(&cluster, Some(noon)).await).await, ["coffee"]);
    let copy = restored(&cluster, Some(one)).await;
    assert_eq!(items(&copy).await, ["coffee", "tea"]);
    for moment in [Some(now), None] {
        assert_eq!(items(&restored(&cluster, moment).await).await, ["tea"], "{moment:?}");
    }
    let empty = restored(&cluster, Some(at_first)).await;
    let refusal = empty.config(SUPERUSER, "orders").unwrap().connect(tokio_postgres::NoTls).await;
    assert_eq!(words(refusal.map(drop)), "3D000: database \"orders\" does not exist");

    cluster.run().unwrap();
    let copied = copy.connect(SUPERUSER, "orders").await.unwrap();
    copied.batch_execute("INSERT INTO item VALUES ('cocoa')").await.unwrap();
    assert_eq!(items(&cluster).await, ["tea"], "each goes its own way");
    assert_eq!(items(&copy).await, ["cocoa", "coffee", "tea"]);
}

#[rstest]
#[tokio::test]
async fn a_server_that_was_restored_can_be_restored(
    #[values(Version::V16, Version::V17, Version::V18)] version: Version,
) {
    let mut cluster = Cluster::start(version).unwrap();
    let client = cluster.connect(SUPERUSER, "postgres").await.unwrap();
    client.batch_execute("CREATE DATABASE orders").await.unwrap();
    let add = async |cluster: &Cluster, name: &str| {
        let orders = cluster.connect(SUPERUSER, "orders").await.unwrap();
        let create = "CREATE TABLE IF NOT EXISTS item (name text)";
        orders.batch_execute(&format!("{create}; INSERT INTO item VALUES ('{name}')")).await.unwrap();
        Timestamp::now()
    };
    let mut moment = add(&cluster, "0").await;
    for generation in 1..=3 {
        add(&cluster, "too late").await;
        let next = restored(&cluster, Some(moment)).await;
        // What its source writes from now on is not its own.
        let load = cluster.connect(SUPERUSER, "orders").await.unwrap();
        load.batch_execute("CREATE TABLE load AS SELECT repeat('x', 1000) FROM generate_series(1, 4000)")
            .await
            .unwrap();
        drop(load);
        cluster = next;
        moment = add(&cluster, &generation.to_string()).await;
    }
    add(&cluster, "too late").await;
    cluster.restart().unwrap();
    assert_eq!(items(&restored(&cluster, Some(moment)).await).await, ["0", "1", "2", "3"]);
    assert_eq!(items(&cluster).await, ["0", "1", "2", "3", "too late"]);
}

/// What is committed while the backup is read is there to the moment, in whichever file it is by then.
#[tokio::test]
async fn a_server_is_restored_while_it_is_written_to() {
    let cluster = Cluster::start(Version::V17).unwrap();
    let writer = cluster.connect(SUPERUSER, "postgres").await.unwrap();
    writer.batch_execute("CREATE TABLE item (id int, padding text)").await.unwrap();
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let writing = tokio::spawn(async move {
        let mut commits = Vec::new();
        while stopped.try_recv().is_err() {
            let begun = Timestamp::now();
            let insert = format!(
                "INSERT INTO item SELECT {}, repeat('x', 1000) FROM generate_series(1, 50)",
                commits.len()
            );
            writer.batch_execute(&insert).await.unwrap();
            commits.push((begun, Timestamp::now()));
        }
        commits
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    let moment = Timestamp::now();
    let mut copies = Vec::new();
    for to in [Some(moment), None] {
        let before = Timestamp::now();
        copies.push((to.unwrap_or(before), to, restored(&cluster, to).await));
    }
    stop.send(()).unwrap();
    let commits = writing.await.unwrap();
    let segments = "SELECT archived_count::int4 FROM pg_stat_archiver";
    let superuser = cluster.connect(SUPERUSER, "postgres").await.unwrap();
    let archived: i32 = superuser.query_one(segments, &[]).await.unwrap().get(0);
    assert!(archived > 20, "only {archived} segments");
    for (since, to, copy) in copies {
        let session = copy.connect(SUPERUSER, "postgres").await.unwrap();
        let rows = "SELECT id, count(*)::int4 FROM item GROUP BY 1 ORDER BY 1";
        let found = session.query(rows, &[]).await.unwrap();
        let found: Vec<(i32, i32)> = found.iter().map(|row| (row.get(0), row.get(1))).collect();
        let whole = (0..).zip(std::iter::repeat_n(50, found.len())).collect::<Vec<_>>();
        assert_eq!(found, whole, "commits are there as a whole, and none is missing");
        assert!(found.len() >= commits.iter().filter(|(_, ended)| *ended <= since).count());
        assert!(to.is_none() || found.len() <= commits.iter().filter(|(begun, _)| *begun <= since).count());
    }
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
    let dead = child.id();
    assert!(folders_of(dead).len() > 1, "its data, and its archive");
    let (mut next, _, _) = start();
    assert!(!data.exists() && !has_segment(segment), "the next process deletes what was left");
    assert_eq!(folders_of(dead), <[PathBuf; 0]>::default());
    next.kill().unwrap();
    next.wait().unwrap();
    for folder in folders_of(next.id()) {
        std::fs::remove_dir_all(folder).unwrap();
    }
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
