//! A new `Database` that begins with the data of another one, as they were at a moment.

use std::{fs, path::PathBuf, process::Command, time::Duration};

use sandbox::{
    azure::TokenRequest,
    postgres::{SUPERUSER, folders_of},
};
use serde_json::{Value, json};

use crate::{
    OPERATOR,
    app::{App, answers},
    common::{
        SERVER, Story, ask, database, delete_in_azure, eventually, lets_in, programs::archive_programs,
        ready, run,
    },
    sandbox, start, story,
};

/// Rows, one in each line.
const ROWS: &str = "SELECT name FROM drinks ORDER BY name";

/// The moment now, by PostgreSQL's clock, which notes when it commits.
#[track_caller]
pub(crate) fn moment(app: &App<'_>) -> String {
    let now = "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')";
    app.runs(&[now])[0][0][0].as_str().unwrap().to_owned()
}

fn copy_of(source: &str, more: &Value) -> String {
    let mut spec = json!({"restoreFrom": {"database": source}});
    spec["restoreFrom"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    spec.to_string()
}

/// The `Database` says where its data come from, by this server.
#[track_caller]
fn is_restored(story: &Story<'_>, name: &str, source: &str) -> Value {
    story.wait_ready(name);
    let database = story.get("database", name).unwrap();
    assert_eq!(database["status"]["restored"]["server"], source, "{}", database["status"]);
    database
}

#[track_caller]
fn server_of(story: &Story<'_>, name: &str) -> String {
    story.get("database", name).unwrap()["status"]["server"]["name"].as_str().unwrap().to_owned()
}

/// The founding story: a wrong DELETE at one, and the app goes on with the rows of noon, in three commits.
#[test]
fn a_wrong_delete_is_undone_beside_the_database_and_the_app_is_swapped() {
    let story = story().with_database("{}");
    let app = App::of(&story);
    app.runs(&["CREATE TABLE drinks (name text)", "INSERT INTO drinks VALUES ('coffee'), ('tea')"]);
    let noon = moment(&app);
    app.runs(&["INSERT INTO drinks VALUES ('water')", "DELETE FROM drinks WHERE name <> 'water'"]);

    story.database("main-at-noon", &copy_of("main", &json!({"time": noon}))).succeeded();
    let restored = is_restored(&story, "main-at-noon", &server_of(&story, "main"));
    assert_eq!(restored["status"]["restored"]["time"], noon);
    assert!(story.has_event("involvedObject.name=main-at-noon,reason=Restored"));
    let copy = App::named(&story, "main-at-noon");
    let [rows, owner]: [Value; 2] =
        copy.runs(&[ROWS, "SELECT tableowner FROM pg_tables WHERE tablename = 'drinks'"]).try_into().unwrap();
    assert_eq!((rows, owner), (json!([["coffee"], ["tea"]]), json!([["main_owner"]])));
    assert_eq!(app.runs(&[ROWS])[0], json!([["water"]]), "the other one goes on");
    // Its app owns what came with the data, as any app does.
    let done =
        copy.runs(&["ALTER TABLE drinks ADD price int", "INSERT INTO drinks VALUES ('milk', 3)", ROWS]);
    assert_eq!(done[2], json!([["coffee"], ["milk"], ["tea"]]));
    // Each has a login of its own, though the roles came with the data.
    let refused = copy.tries_with(&app.token(), &[ROWS]);
    assert!(!refused.ok, "the former app gets in to the copy: {}", refused.stdout);
    let refused = app.tries_with(&copy.token(), &[ROWS]);
    assert!(!refused.ok, "the copy's app gets in to the former one: {}", refused.stdout);

    // It counts once, in Git or out of it.
    let server = server_of(&story, "main-at-noon");
    story.database("main-at-noon", "{}").succeeded();
    story.database("main-at-noon", &copy_of("main", &json!({"time": noon}))).succeeded();
    let message = story.database("main-at-noon", &copy_of("main", &json!({}))).refused();
    assert!(message.contains("[DB110]"), "{message}");
    // The app goes on with the copy, and the former one is retained for two weeks.
    story.delete_with("14d");
    story.wait_record("KeptUntil");
    story.wait_ready("main-at-noon");
    assert_eq!(server_of(&story, "main-at-noon"), server);
    assert_eq!(copy.runs(&[ROWS])[0], json!([["coffee"], ["milk"], ["tea"]]));
}

#[test]
fn what_azure_does_not_copy_is_asked_for_and_what_it_copies_is_as_the_source_has_it() {
    let main = r#"{"version": 16, "sku": "Standard_B2s", "storage": {"sizeGiB": 64}, "backup": {"retentionDays": 9},
                   "extensions": ["pgcrypto"], "parameters": {"work_mem": 8192}}"#;
    let story = story().with_database(main);
    let warned = story.database("copy", &copy_of("main", &json!({})));
    assert!(warned.ok && warned.stderr.contains("spec.extensions"), "{}", warned.stderr);
    let why = ready(&story.wait_reason("copy", "RestoreImpossible"))["message"].to_string();
    assert!(why.contains("write [pgcrypto]") && why.contains("write {work_mem: 8192}"), "{why}");
    assert_eq!(story.in_azure(SERVER).len(), 1, "nothing is made");

    let mut spec: Value = serde_json::from_str(&copy_of("main", &json!({}))).unwrap();
    spec["extensions"] = json!(["pgcrypto"]);
    spec["parameters"] = json!({});
    story.database("copy", &spec.to_string()).succeeded();
    is_restored(&story, "copy", &server_of(&story, "main"));
    let server = story.of_platform("flexibleserver", &server_of(&story, "copy")).unwrap();
    assert_eq!(server["spec"]["createMode"], Value::Null, "Azure would refuse each later change");
    let status = &server["status"];
    let has = (&status["version"], &status["sku"]["name"], &status["storage"]["storageSizeGB"]);
    assert_eq!(has, (&json!("16"), &json!("Standard_B2s"), &json!(64)));
    assert_eq!(status["backup"]["backupRetentionDays"], 9);

    // It is a database as any other.
    spec["sku"] = json!("Standard_B4ms");
    story.database("copy", &spec.to_string()).succeeded();
    eventually("the size is changed", || {
        let server = story.of_platform("flexibleserver", &server_of(&story, "copy"))?;
        (server["status"]["sku"]["name"] == "Standard_B4ms").then_some(())
    });
    story.wait_ready("copy");
}

#[test]
fn a_retained_database_is_a_source_and_stays_retained() {
    let story = story().with_database(r#"{"authentication": "Password"}"#);
    let app = App::of(&story);
    let password = app.secret["password"].clone();
    app.tries_with(&password, &["CREATE TABLE drinks (name text)", "INSERT INTO drinks VALUES ('tea')"])
        .succeeded();
    let server = server_of(&story, "main");
    story.delete_with("Retain");
    story.wait_record("Kept");

    let mut spec: Value = serde_json::from_str(&copy_of("main", &json!({}))).unwrap();
    spec["authentication"] = json!("Password");
    story.database("copy", &spec.to_string()).succeeded();
    is_restored(&story, "copy", &server);
    let copy = App::named(&story, "copy");
    let said = copy.tries_with(&copy.secret["password"], &[ROWS]).succeeded();
    assert!(said.contains("tea"), "{said}");
    // Passwords come with the data, and are of another app.
    let server = story.get("database", "copy").unwrap()["status"]["resourceId"].clone();
    assert!(!lets_in(sandbox(), server.as_str().unwrap(), &app.secret["username"], &password));
    story.wait_record("Kept");
    assert_eq!(story.in_azure(SERVER).len(), 2);
}

#[test]
fn data_of_another_namespace_are_the_policys_to_give() {
    let (theirs, ours) = (story().with_database("{}"), story());
    App::of(&theirs).runs(&["CREATE TABLE drinks (name text)", "INSERT INTO drinks VALUES ('tea')"]);
    let source = format!("{}/main", theirs.namespace);
    let manifest = database("copy", &copy_of(&source, &json!({})));
    let message = ours.apply(&manifest).refused();
    assert!(message.contains("[DB123]") && message.contains("under copies"), "{message}");

    let to = format!("{}/*", ours.namespace);
    ours.allow("copies", &format!("{{from: {source}, to: \"{to}\", until: UNTIL, reason: \"a story\"}}"));
    eventually("the policy allows it", || ours.apply(&manifest).ok.then_some(()));
    is_restored(&ours, "copy", &server_of(&theirs, "main"));
    assert_eq!(App::named(&ours, "copy").runs(&[ROWS])[0], json!([["tea"]]));
    assert_eq!(ready(&theirs.get("database", "main").unwrap())["status"], "True");
}

/// A server that was made by hand, long before there was a policy.
fn by_hand(story: &Story<'_>) -> String {
    let name = format!("legacy-{}", story.namespace);
    let group = "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg-databases";
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"password": "By-hand-2019"},
    });
    let of_aso = |kind: &str, object: &str, spec: Value| {
        json!({
            "apiVersion": "dbforpostgresql.azure.com/v20250801", "kind": kind, "spec": spec,
            "metadata": {"name": object, "annotations": {"serviceoperator.azure.com/reconcile-policy": "detach-on-delete"}},
        })
    };
    let server = of_aso(
        "FlexibleServer",
        &name,
        json!({
            "azureName": name, "owner": {"armId": group}, "location": "norwayeast", "version": "16",
            "sku": {"name": "Standard_B2s", "tier": "Burstable"}, "storage": {"storageSizeGB": 64},
            "administratorLogin": "legacy_admin", "administratorLoginPassword": {"name": name, "key": "password"},
            "authConfig": {"passwordAuth": "Enabled", "activeDirectoryAuth": "Disabled"},
            "network": {"publicNetworkAccess": "Enabled"},
        }),
    );
    let database = of_aso(
        "FlexibleServersDatabase",
        &format!("{name}-shop"),
        json!({"azureName": "shop", "owner": {"name": name}}),
    );
    let rule = of_aso(
        "FlexibleServersFirewallRule",
        &format!("{name}-all"),
        json!({"azureName": "all", "owner": {"name": name}, "startIpAddress": "0.0.0.0", "endIpAddress": "255.255.255.255"}),
    );
    let all = [secret, server, database, rule].map(|object| object.to_string()).join("\n---\n");
    story.as_platform_with(&["apply", "-f", "-"], &all).succeeded();
    eventually("the server of old is there", || {
        let is_ready = |kind: &str, object: &str| {
            let object = story.of_platform(kind, &format!("{name}-{object}"))?;
            (ready(&object)["status"] == "True").then_some(())
        };
        is_ready("flexibleserversdatabases", "shop")
            .and_then(|()| is_ready("flexibleserversfirewallrules", "all"))
    });
    format!("{group}/providers/Microsoft.DBforPostgreSQL/flexibleServers/{name}")
}

#[test]
fn data_of_a_server_that_was_made_by_hand_move_in() {
    let story = story();
    let id = by_hand(&story);
    by_sql(
        &login(&story, id.rsplit('/').next().unwrap(), "legacy_admin", "shop"),
        "By-hand-2019",
        &[
            "CREATE TABLE drinks (name text)",
            "INSERT INTO drinks VALUES ('tea')",
            "CREATE ROLE reports LOGIN PASSWORD 'Reports-2019'",
            "CREATE ROLE seller LOGIN PASSWORD 'Seller-2019'",
            "GRANT seller TO legacy_admin",
            "GRANT CREATE ON SCHEMA public TO seller",
            "CREATE TABLE sales (name text)",
            "ALTER TABLE sales OWNER TO seller",
        ],
    );
    let to = format!("{}/main", story.namespace);
    let spec = json!({"databaseName": "shop", "restoreFrom": {"serverId": id}}).to_string();
    assert!(story.database("main", &spec).refused().contains("[DB123]"));
    story.allow(
        "copies",
        &format!("{{fromServer: {id}, owners: [legacy_admin, seller], to: {to}, until: UNTIL, reason: \"a story\"}}"),
    );
    eventually("the policy allows it", || story.database("main", &spec).ok.then_some(()));

    is_restored(&story, "main", id.rsplit('/').next().unwrap());
    let app = App::of(&story);
    let done = app.runs(&[
        ROWS,
        "INSERT INTO drinks VALUES ('water')",
        "SELECT tableowner FROM pg_tables WHERE schemaname = 'public' ORDER BY 1",
    ]);
    assert_eq!(
        (&done[0], &done[2]),
        (&json!([["tea"]]), &json!([["shop_owner"], ["shop_owner"]])),
        "{done:?}"
    );
    // Who administered the old one doesn't get in to the new one.
    let server = story.get("database", "main").unwrap()["status"]["resourceId"].clone();
    assert!(!lets_in(sandbox(), server.as_str().unwrap(), "legacy_admin", "By-hand-2019"));
    assert!(lets_in(sandbox(), &id, "legacy_admin", "By-hand-2019"), "the old one goes on");
    // The copy takes no password, so nobody else does either who had one.
    login(&story, &server_of(&story, "main"), "reports", "postgres")
        .tries_with("Reports-2019", &[])
        .refused();
    login(&story, id.rsplit('/').next().unwrap(), "reports", "postgres")
        .tries_with("Reports-2019", &[])
        .succeeded();
}

/// A login to a database of a server.
fn login<'a>(story: &'a Story<'a>, server: &str, user: &str, database: &str) -> App<'a> {
    let host = format!("{server}.postgres.database.azure.com");
    App::at(story, &format!("postgresql://{user}@{host}:5432/{database}?sslmode=verify-full"))
}

/// What each of the statements gives, none of which fails.
#[track_caller]
fn by_sql(app: &App<'_>, password: &str, statements: &[&str]) -> Vec<Value> {
    let said = answers(&app.tries_with(password, statements).succeeded());
    assert!(said.iter().all(|one| one.get("error").is_none()), "{said:?}");
    said
}

/// docs/restoring.md, "Who can log in to the copy".
#[test]
fn who_had_a_password_on_a_server_made_by_hand_has_it_in_a_copy_that_takes_passwords_until_somebody_ends_it()
{
    let story = story();
    let id = by_hand(&story);
    let legacy = id.rsplit('/').next().unwrap();
    by_sql(
        &login(&story, legacy, "legacy_admin", "shop"),
        "By-hand-2019",
        &[
            "CREATE TABLE drinks (name text)",
            "INSERT INTO drinks VALUES ('tea')",
            "CREATE ROLE reports LOGIN PASSWORD 'Reports-2019'",
        ],
    );
    let to = format!("{}/main", story.namespace);
    story.allow(
        "copies",
        &format!("{{fromServer: {id}, owners: [legacy_admin], to: {to}, until: UNTIL, reason: \"a story\"}}"),
    );
    let spec = json!({"databaseName": "shop", "authentication": "Password", "restoreFrom": {"serverId": id}});
    eventually("the policy allows it", || story.database("main", &spec.to_string()).ok.then_some(()));
    is_restored(&story, "main", legacy);
    let app = App::of(&story);
    assert_eq!(by_sql(&app, &app.secret["password"], &[ROWS])[0], json!([["tea"]]));

    // Who administered it has another password now, which nobody is given.
    let copy = server_of(&story, "main");
    login(&story, &copy, "legacy_admin", "postgres").tries_with("By-hand-2019", &[]).refused();
    // Everybody else gets in to the server, and not into the app's database.
    let reports = login(&story, &copy, "reports", "postgres");
    by_sql(&reports, "Reports-2019", &["SELECT 1"]);
    let refused = login(&story, &copy, "reports", "shop").tries_with("Reports-2019", &[]).refused();
    assert!(refused.contains("permission denied for database"), "{refused}");

    // The platform team ends that.
    let token = ask(sandbox().azure().token(&TokenRequest::of(OPERATOR))).unwrap();
    by_sql(&login(&story, &copy, "db-operators", "postgres"), &token, &["ALTER ROLE reports NOLOGIN"]);
    reports.tries_with("Reports-2019", &[]).refused();
    assert_eq!(by_sql(&app, &app.secret["password"], &[ROWS])[0], json!([["tea"]]));
}

/// What `database-operator server-name` has somebody put into Azure, as an object of Azure Service Operator that stays there: the
/// stand-in has no Azure CLI.
#[track_caller]
fn put_by_hand(story: &Story<'_>, words: &[&str]) {
    let policy =
        story.as_platform(&["get", "cm", "database-policy", "-o=jsonpath={.data.policy\\.yaml}"]).succeeded();
    let file = story.sandbox.directory().join(format!("policy-{}.yaml", story.namespace));
    fs::write(&file, policy).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_database-operator"));
    command.arg("server-name").arg("--policy").arg(&file).args(words);
    let said = run(command, "").succeeded();
    let between =
        |start: &str, end: &str| said.split(start).nth(1).unwrap().split(end).next().unwrap().to_owned();
    let name = between("/flexibleServers/", "?api-version");
    let body: Value = serde_json::from_str(&between("--body '", "'")).unwrap();
    let wanted = &body["properties"];
    let object = json!({
        "apiVersion": "dbforpostgresql.azure.com/v20250801", "kind": "FlexibleServer",
        "metadata": {"name": name, "annotations": {"serviceoperator.azure.com/reconcile-policy": "detach-on-delete"}},
        "spec": {
            "azureName": name, "location": body["location"], "tags": body["tags"], "network": wanted["network"],
            "owner": {"armId": "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg-databases"},
            "createMode": wanted["createMode"], "pointInTimeUTC": wanted["pointInTimeUTC"],
            "sourceServerResourceReference": {"armId": wanted["sourceServerResourceId"]},
        },
    });
    story.apply(&object.to_string()).succeeded();
    eventually("Azure has made it", || {
        let server = story.get("flexibleserver", &name)?;
        (ready(&server)["status"] == "True").then_some(())
    });
    story.kubectl(&["delete", "flexibleserver", &name]).succeeded();
}

/// docs/restoring.md, "A dropped server".
#[test]
fn a_dropped_server_is_revived_under_another_name() {
    let story = story().with_database("{}");
    App::of(&story).runs(&["CREATE TABLE drinks (name text)", "INSERT INTO drinks VALUES ('tea')"]);
    let id = story.server().id;
    delete_in_azure(sandbox(), &id);
    let dropped = jiff::Timestamp::now().to_string();

    let again = format!("{}/main-again", story.namespace);
    let source = ["--make", "revive", "--source", &id, "--time", &dropped, "--database-name", "main"];
    put_by_hand(&story, &[&[again.as_str()], &source[..]].concat());
    story.database("main-again", r#"{"databaseName": "main"}"#).succeeded();
    story.wait_ready("main-again");
    let app = App::named(&story, "main-again");
    let done = app.runs(&[ROWS, "INSERT INTO drinks VALUES ('water')", ROWS]);
    assert_eq!((&done[0], &done[2]), (&json!([["tea"]]), &json!([["tea"], ["water"]])), "{done:?}");
}

/// docs/restoring.md, "A lost region".
#[test]
fn a_server_of_a_lost_region_is_restored_in_the_paired_one() {
    // All that it makes from now on is in the region of its policy.
    let sandbox = start();
    let story = Story::new(&sandbox, "orders").with_database(r#"{"backup": {"geoRedundant": true}}"#);
    App::of(&story).runs(&["CREATE TABLE drinks (name text)", "INSERT INTO drinks VALUES ('tea')"]);
    let id = story.server().id;
    // Until then Azure has no copy in the other region.
    ask(sandbox.azure().advance_clock(Duration::from_hours(1))).unwrap();

    story.change_policy("      highAvailability: ZoneRedundant\n", "");
    story.change_policy("location: norwayeast", "location: norwaywest");
    put_by_hand(
        &story,
        &["orders/main-again", "--make", "geo-restore", "--source", &id, "--database-name", "main"],
    );
    story.database("main-again", r#"{"databaseName": "main"}"#).succeeded();
    story.wait_ready("main-again");
    let server = &story.get("database", "main-again").unwrap()["status"]["server"];
    assert_eq!(server["location"], "norwaywest");
    let app = App::named(&story, "main-again");
    let done = app.runs(&[ROWS, "INSERT INTO drinks VALUES ('water')", ROWS]);
    assert_eq!((&done[0], &done[2]), (&json!([["tea"]]), &json!([["tea"], ["water"]])), "{done:?}");
}

/// What a vault gives back: a file with the data of the one database that has this table, in the format of `pg_dump`.
#[track_caller]
fn file_of_vault(table: &str) -> PathBuf {
    let file = sandbox().directory().join(format!("{table}.dump"));
    let has_it = folders_of(sandbox().state().unwrap().supervisor).into_iter().any(|folder| {
        let Ok(told) = fs::read_to_string(folder.join("data/postmaster.pid")) else { return false };
        let mut dump = Command::new(archive_programs().join("pg_dump"));
        dump.args(["--port", told.lines().nth(3).unwrap(), "--username", SUPERUSER, "--host"]).arg(folder);
        // All but what the stand-in itself keeps in a database.
        dump.args(["--dbname=main", "--schema=bar", "--extension=*", "--format=custom", "--file"]).arg(&file);
        let mut list = Command::new(archive_programs().join("pg_restore"));
        list.arg("--list").arg(&file);
        run(dump, "").ok && run(list, "").succeeded().contains(table)
    });
    assert!(has_it, "no server has {table}");
    file
}

/// docs/backups.md, "Get data back".
#[test]
fn a_copy_from_the_vault_is_loaded_into_a_new_database() {
    let spec = r#"{"version": 16, "extensions": ["pgcrypto"]}"#;
    let story = story().with_database(spec);
    App::of(&story).runs(&[
        "CREATE SCHEMA bar",
        "CREATE TABLE bar.drinks_of_long_ago (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text)",
        "COMMENT ON TABLE bar.drinks_of_long_ago IS 'old'",
        "INSERT INTO bar.drinks_of_long_ago (name) VALUES ('coffee'), ('tea')",
        "CREATE VIEW bar.menu AS SELECT name FROM bar.drinks_of_long_ago",
        "GRANT SELECT ON bar.menu TO PUBLIC",
    ]);
    let file = file_of_vault("drinks_of_long_ago");

    story.database("main-again", spec).succeeded();
    story.wait_ready("main-again");
    let app = App::named(&story, "main-again");
    let page = include_str!("../../docs/backups.md");
    let line = page.lines().find(|line| line.starts_with("pg_restore ")).unwrap();
    let program = archive_programs().join("pg_restore");
    let line = line.replace("pg_restore ", &format!("{} ", program.display()));
    run(app.shell(&line.replace("main.dump", &file.to_string_lossy())), "").succeeded();
    let done = app.runs(&[
        "SELECT name FROM bar.menu ORDER BY name",
        "INSERT INTO bar.drinks_of_long_ago (name) VALUES ('water') RETURNING id",
        "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'bar'",
    ]);
    assert_eq!(json!(done), json!([[["coffee"], ["tea"]], [[3]], [["main_again_owner"]]]));
}
