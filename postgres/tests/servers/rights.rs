//! Who can do what: the table of levels by when something was made and by what is done with it. It is generated.

use std::fmt::Write;

use postgres::{Level, Report};
use rstest::rstest;
use sandbox::postgres::Version;

use crate::support::{OPERATORS, World, refused};

/// Who makes an object in which way. `{}` is its name.
const MADE: [(&str, &str, &str); 7] = [
    ("before", "app", "CREATE TABLE {} (id serial PRIMARY KEY, n int)"),
    ("in_a_later_schema", "app", "CREATE TABLE later.{} (id serial PRIMARY KEY, n int)"),
    ("by_another_owner", "migrate", "CREATE TABLE {} (id serial PRIMARY KEY, n int)"),
    ("after_discard_all", "app", "DISCARD ALL; CREATE TABLE {} (id serial PRIMARY KEY, n int)"),
    ("after_reset_role", "app", "RESET ROLE; CREATE TABLE {} (id serial PRIMARY KEY, n int)"),
    // This is the login's own, until the next pass.
    ("after_set_role_none", "app", "SET ROLE NONE; CREATE TABLE {} (id serial PRIMARY KEY, n int)"),
    (
        "a_view",
        "app",
        "CREATE TABLE of_{} (id serial PRIMARY KEY, n int); CREATE VIEW {} AS SELECT * FROM of_{}",
    ),
];

/// What is done with it, and the level from which on it is allowed. `{}` is its name.
const ACTIONS: [(&str, Level); 7] = [
    ("SELECT count(*) FROM {}", Level::Reader),
    ("INSERT INTO {} (n) VALUES (1)", Level::Writer),
    ("UPDATE {} SET n = 2", Level::Writer),
    ("DELETE FROM {}", Level::Writer),
    ("TRUNCATE {}", Level::Owner),
    ("ALTER TABLE {} ADD more int", Level::Owner),
    ("DROP TABLE {}", Level::Owner),
];

/// What is done in the database, and the level from which on it is allowed.
const ELSEWHERE: [(&str, Level); 5] = [
    ("SELECT last_value FROM before_id_seq", Level::Reader),
    ("SELECT nextval('before_id_seq')", Level::Writer),
    ("CREATE TEMPORARY TABLE t (id int)", Level::Writer),
    ("CREATE TABLE t (id int)", Level::Owner),
    ("CREATE SCHEMA s", Level::Owner),
];

const LOGINS: [(&str, Level); 4] =
    [("reports", Level::Reader), ("writes", Level::Writer), ("app", Level::Owner), ("migrate", Level::Owner)];

fn name_of(made: &str) -> String {
    if made == "in_a_later_schema" { format!("later.{made}") } else { made.to_owned() }
}

/// Each action by each login on each object, undone at once. Lines that aren't as they should be.
async fn judged(world: &World) -> String {
    let mut wrong = String::new();
    for (login, level) in LOGINS {
        let client = world.cluster().connect(&world.name(login), &world.database).await.unwrap();
        let on_objects = MADE.iter().flat_map(|(made, ..)| {
            let is_view = *made == "a_view";
            ACTIONS.iter().map(move |(action, from)| {
                let action = if is_view { action.replace(" TABLE", " VIEW") } else { (*action).to_owned() };
                (action.replace("{}", &name_of(made)), *from, is_view)
            })
        });
        let elsewhere = ELSEWHERE.iter().map(|(action, from)| ((*action).to_owned(), *from, false));
        for (action, from, is_view) in on_objects.chain(elsewhere) {
            if is_view && (action.starts_with("TRUNCATE") || action.starts_with("ALTER")) {
                continue;
            }
            client.batch_execute("BEGIN").await.unwrap();
            let done = client.batch_execute(&action).await;
            client.batch_execute("ROLLBACK").await.unwrap();
            let denied =
                done.as_ref().err().and_then(|error| error.code().map(|code| code.code().to_owned()));
            let expected = (level < from).then(|| "42501".to_owned());
            if denied != expected {
                writeln!(wrong, "{login}: {action}: {denied:?} instead of {expected:?}").unwrap();
            }
        }
    }
    wrong
}

async fn made(version: Version) -> (World, postgres::Desired, Report) {
    let world = World::new(version).await;
    let mut desired = world.desired();
    world.settle(&desired).await;
    world.app(&MADE[0].2.replace("{}", MADE[0].0)).await.unwrap();
    let logins = LOGINS.iter().filter(|(login, _)| *login != "app");
    desired.logins.extend(logins.map(|(login, level)| world.login(login, *level)));
    desired.logins.push(world.login("kari", Level::Debug));
    world.settle(&desired).await;
    world.app("CREATE SCHEMA later").await.unwrap();
    for (made, by, how) in &MADE[1..] {
        let client = world.cluster().connect(&world.name(by), &world.database).await.unwrap();
        for statement in how.replace("{}", made).split("; ") {
            client.batch_execute(statement).await.unwrap();
        }
    }
    let owner = "SELECT relowner::regrole::text FROM pg_class WHERE relname = 'after_set_role_none'";
    assert_eq!(world.app(owner).await.unwrap(), [format!("\"{}\"", world.name("app"))]);
    let report = world.settle(&desired).await;
    assert_eq!(world.app(owner).await.unwrap(), [format!("{}_owner", world.database)]);
    (world, desired, report)
}

#[rstest]
#[tokio::test]
async fn each_level_can_do_what_it_says_and_nothing_else(
    #[values(Version::V16, Version::V17, Version::V18)] version: Version,
) {
    let (world, mut desired, report) = made(version).await;
    assert!(report.statements > 0, "a stray is mended");
    assert_eq!(judged(&world).await, "");
    looks_for_a_fault(&world).await;
    least_privilege(&world).await;
    // Without a level nobody even connects.
    desired.logins.retain(|login| !login.role.as_str().ends_with("-reports"));
    world.settle(&desired).await;
    refused(world.inside(&world.name("reports"), "SELECT 1").await, "role \"");
}

/// Reads, sees what others do, and is held back from slips.
async fn looks_for_a_fault(world: &World) {
    let kari = world.name("kari");
    let kari = |sql: &'static str| {
        let kari = kari.clone();
        async move { world.inside(&kari, sql).await }
    };
    kari("SELECT count(*) FROM before").await.unwrap();
    refused(kari("INSERT INTO before (n) VALUES (1)").await, "read-only transaction");
    // The setting prevents slips. It's the level that forbids.
    let session = world.cluster().connect(&world.name("kari"), &world.database).await.unwrap();
    session.batch_execute("SET default_transaction_read_only = off").await.unwrap();
    let denied = session.batch_execute("INSERT INTO before (n) VALUES (1)").await.unwrap_err();
    assert_eq!(denied.as_db_error().unwrap().message(), "permission denied for table before");
    drop(session);
    let _idle = world.cluster().connect(&world.name("app"), &world.database).await.unwrap();
    let hidden = "SELECT count(*) FROM pg_stat_activity WHERE query = '<insufficient privilege>'";
    assert_eq!(kari(hidden).await.unwrap(), ["0"]);
    assert_eq!(kari("SHOW statement_timeout").await.unwrap(), ["5min"]);
    // The one before may still be on its way out.
    let mut sessions = Vec::new();
    while sessions.len() < 3 {
        sessions.extend(world.cluster().connect(&world.name("kari"), &world.database).await);
    }
    refused(kari("SELECT 1").await, "53300");
}

/// What an app can't do, though it owns all that is in its database.
async fn least_privilege(world: &World) {
    let (app, database) = (world.name("app"), &world.database);
    for (sql, words) in [
        (format!("DROP DATABASE {database}"), "must be owner of database"),
        (format!("ALTER DATABASE {database} RENAME TO x"), "must be owner of database"),
        ("CREATE ROLE x".to_owned(), "permission denied"),
        ("CREATE DATABASE x".to_owned(), "permission denied"),
        ("SET ROLE azure_pg_admin".to_owned(), "permission denied"),
        (format!("SET ROLE \"{OPERATORS}\""), "permission denied"),
        (format!("GRANT {database}_owner TO \"{}\"", world.name("writes")), "permission denied"),
        (format!("COMMENT ON ROLE \"{app}\" IS NULL"), "permission denied"),
        (format!("ALTER ROLE \"{}\" SET work_mem = '1GB'", world.name("writes")), "permission denied"),
        ("SELECT pgaadauth_list_principals(false)".to_owned(), "permission denied"),
    ] {
        refused(world.sql(&app, "postgres", &sql).await, words);
    }
    refused(world.app("DROP SCHEMA public CASCADE").await, "must be owner of schema public");
    let words = "Only members of \"azure_pg_admin\" are allowed to use CREATE EXTENSION";
    refused(world.app("CREATE EXTENSION hstore").await, words);
    // It only warns, and nothing comes of it.
    world.sql(&app, "postgres", &format!("GRANT CONNECT ON DATABASE {database} TO PUBLIC")).await.unwrap();
    let is_open = format!("SELECT has_database_privilege('public', '{database}', 'CONNECT')::text");
    assert_eq!(world.superuser(&is_open).await, ["false"]);
}

/// With its memberships, its settings and its number of sessions.
#[tokio::test]
async fn a_level_that_changes_leaves_nothing_of_the_one_before() {
    let world = World::new(Version::V17).await;
    let mut desired = world.desired();
    let (app, database) = (world.name("app"), &world.database);
    let query = format!(
        "SELECT concat_ws(' ', rolconnlimit, (SELECT string_agg(roleid::regrole::text, ',' ORDER BY roleid::regrole::text) \
         FROM pg_auth_members WHERE member = r.oid), (SELECT setconfig FROM pg_db_role_setting WHERE setrole = r.oid)::text) \
         FROM pg_roles r WHERE rolname = '{app}'"
    );
    let debug =
        "{default_transaction_read_only=on,statement_timeout=5min,idle_in_transaction_session_timeout=1min}";
    for (level, expected) in [
        (Level::Reader, format!("-1 {database}_reader")),
        (Level::Debug, format!("3 {database}_reader,pg_monitor {debug}")),
        (Level::Owner, format!("-1 {database}_owner {{role={database}_owner}}")),
        (Level::Writer, format!("-1 {database}_writer")),
        (Level::Debug, format!("3 {database}_reader,pg_monitor {debug}")),
        (Level::Reader, format!("-1 {database}_reader")),
    ] {
        desired.logins[0].level = level;
        world.settle(&desired).await;
        assert_eq!(world.superuser(&query).await, [expected]);
    }
}
