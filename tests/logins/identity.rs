//! An app that logs in with the token of its ServiceAccount.

use serde_json::{Value, json};

use crate::{
    GROUP,
    app::{App, answers},
    common::{condition, eventually},
    story,
};

/// What PostgreSQL says to somebody who may not.
fn refusal(answer: &Value) -> &str {
    answer["error"].as_str().unwrap_or_else(|| panic!("this was not refused: {answer}"))
}

#[test]
fn an_app_owns_what_is_in_its_database_and_nothing_else() {
    let story = story().with_database("{}");
    let database = story.get("database", "main").unwrap();
    assert_eq!(condition(&database, "AccessReady").unwrap()["reason"], "Settled");
    let administrators = story.of_its_databases("flexibleserversadministrators");
    assert_eq!(administrators.len(), 1);
    assert_eq!(administrators[0]["spec"]["azureName"], GROUP);
    let app = App::of(&story);
    assert_eq!(app.secret["username"], "main_app");

    let done = app.runs(&[
        "SELECT session_user, current_user",
        "CREATE TABLE drinks (name text)",
        "INSERT INTO drinks VALUES ('coffee'), ('tea')",
        "CREATE SCHEMA reports CREATE TABLE totals (total int)",
        "DROP TABLE reports.totals",
        "SELECT name FROM drinks ORDER BY name",
        "SELECT tableowner FROM pg_tables WHERE tablename = 'drinks'",
    ]);
    assert_eq!(done[0], json!([["main_app", "main_owner"]]));
    assert_eq!(done[5], json!([["coffee"], ["tea"]]), "{done:?}");
    assert_eq!(done[6], json!([["main_owner"]]));
    for statement in [
        "DROP DATABASE main",
        "ALTER DATABASE main RENAME TO other",
        "CREATE DATABASE other",
        "CREATE ROLE other",
        "DROP SCHEMA public CASCADE",
        "GRANT azure_pg_admin TO main_app",
        "ALTER ROLE main_app CREATEROLE",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'db-operators'",
        "SELECT * FROM pg_authid",
    ] {
        let [answer]: [Value; 1] = app.runs(&[statement]).try_into().unwrap();
        assert!(answer == json!([]) || !refusal(&answer).is_empty(), "{statement}: {answer}");
    }
}

/// What the page on connecting says of Flyway, Prisma and others.
#[test]
fn an_app_may_do_what_tools_for_migrations_do_and_no_more() {
    let story = story().with_database("{}");
    let app = App::of(&story);
    let done = app.runs(&[
        // They keep others away by an advisory lock, or by one of their own table, and come back to the role that they found.
        "SELECT pg_try_advisory_lock(7), pg_advisory_unlock(7)",
        "CREATE TABLE history (version int)",
        "BEGIN",
        "LOCK TABLE history IN ACCESS EXCLUSIVE MODE",
        "SELECT pg_advisory_xact_lock(7)",
        "COMMIT",
        "SET ROLE 'main_owner'",
        // They clean up: what is in the schema public, or a whole schema of their own.
        "DROP TABLE history",
        "CREATE SCHEMA own CREATE TABLE history (version int)",
        "DROP SCHEMA own CASCADE",
        "CREATE EXTENSION IF NOT EXISTS plpgsql",
    ]);
    assert_eq!(done[0], json!([[true, true]]));
    assert!(done.iter().all(|answer| answer["error"].is_null()), "{done:?}");
    let refused = app.runs(&[
        "DROP SCHEMA public CASCADE",
        "CREATE DATABASE shadow",
        "CREATE ROLE reports",
        "CREATE EXTENSION hstore",
        "COMMENT ON EXTENSION plpgsql IS 'as pg_dump writes it'",
        "COMMENT ON SCHEMA public IS 'as pg_dump writes it'",
    ]);
    assert!(refused.iter().all(|answer| !refusal(answer).is_empty()));
}

#[test]
fn nobody_else_gets_in() {
    let story = story().with_database("{}");
    story.kubectl(&["create", "serviceaccount", "stranger"]).succeeded();
    let stranger = App::with(&story, "stranger").tries(&[]).refused();
    assert!(stranger.contains("AADSTS700213"), "{stranger}");
    let app = App::of(&story);
    let audience = app.tries_for("https://kubernetes.default.svc").refused();
    assert!(audience.contains("AADSTS700212"), "{audience}");
    let other = crate::story().with_database("{}");
    let others = app.tries_with(&App::of(&other).token(), &[]).refused();
    assert!(others.contains("main_app"), "{others}");
}

#[test]
fn rows_outlive_a_delete_and_come_back_with_the_manifest() {
    let story = story().with_database("{}");
    let app = App::of(&story);
    app.runs(&["CREATE TABLE drinks (name text)", "INSERT INTO drinks VALUES ('coffee'), ('tea')"]);
    story.delete_with("Retain");
    story.wait_record("Kept");
    story.database("main", "{}").succeeded();
    story.wait_ready("main");
    let found = App::of(&story).runs(&["SELECT name FROM drinks ORDER BY name"]);
    assert_eq!(found, [json!([["coffee"], ["tea"]])]);
}

#[test]
fn nobody_keeps_access_to_a_server_that_is_kept() {
    let story = story().with_database("{}");
    let app = App::of(&story);
    let token = app.token();
    let mut session = app.session();
    assert_eq!(session.runs("SELECT 1"), json!([[1]]));
    story.delete_with("Retain");
    let closed = eventually("the logins are closed", || {
        condition(&story.record()?, "AccessClosed").filter(|closed| closed["status"] == "True")
    });
    assert_eq!(closed["reason"], "Settled");
    assert_eq!(session.runs("SELECT 1")["state"], "57P01", "the session was ended");
    app.tries_with(&token, &[]).refused();
    story.wait_record("Kept");
    eventually("the firewall is closed, too", || {
        story.of_its_databases("flexibleserversfirewallrules").is_empty().then_some(())
    });
    // Who applies the manifest again has it all back, as the same identity.
    story.database("main", "{}").succeeded();
    story.wait_ready("main");
    App::of(&story).tries_with(&token, &["SELECT 1"]).succeeded();
}

#[test]
fn extensions_are_created_and_named_and_dropped_again() {
    let story = story().with_database("{extensions: [hstore]}");
    let extensions = || {
        let database = story.get("database", "main").unwrap();
        let listed = database["status"]["extensions"].as_array().cloned().unwrap_or_default();
        listed.iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    eventually("hstore is there", || extensions().contains(&"hstore".to_owned()).then_some(()));
    let app = App::of(&story);
    // As migrations of apps have it.
    let said = app.runs(&["CREATE EXTENSION IF NOT EXISTS hstore", "SELECT 'a=>1'::hstore -> 'a'"]);
    assert_eq!(said[1], json!([["1"]]), "{said:?}");
    story.database("main", "{extensions: [hstore, pgcrypto]}").succeeded();
    eventually("both are there", || (extensions().len() >= 3).then_some(()));
    story.database("main", "{extensions: [pgcrypto]}").succeeded();
    eventually("hstore is gone", || (!extensions().contains(&"hstore".to_owned())).then_some(()));
    let said = app.tries(&["SELECT 'a=>1'::hstore"]).succeeded();
    assert!(refusal(&answers(&said)[0]).contains("hstore"), "{said}");
}
