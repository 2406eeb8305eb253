//! An app that logs in with a password.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use serde_json::json;

use crate::{
    app::{App, answers},
    common::eventually,
    story,
};

const SPEC: &str = "{authentication: Password}";

#[test]
fn an_app_logs_in_with_a_password_and_owns_what_is_in_its_database_and_nothing_else() {
    let story = story().with_database(SPEC);
    let app = App::of(&story);
    assert_eq!(app.secret["username"], "main_app_1");
    let said = app.tries_with(
        &app.secret["password"],
        &["SELECT session_user, current_user", "CREATE TABLE drinks (name text)", "DROP DATABASE main"],
    );
    let said = answers(&said.succeeded());
    assert_eq!(said[0], json!([["main_app_1", "main_owner"]]));
    assert!(said[2]["error"].as_str().unwrap().contains("must be owner"), "{said:?}");
    // Nobody is given the administrator's.
    let secrets = story.kubectl(&["get", "secrets", "--output=name"]).succeeded();
    assert_eq!(secrets.trim(), "secret/main-db-credentials");
    assert!(app.secret.values().all(|value| !value.contains("dbadmin")));
}

/// By who read the Secret before, and by who reads it each time.
#[test]
fn no_login_fails_while_a_password_is_replaced() {
    let story = story().with_database(SPEC);
    let before = App::of(&story);
    let (is_over, logins) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let logs_in = scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                for app in [&before, &App::of(&story)] {
                    app.tries_with(&app.secret["password"], &["SELECT 1"]).succeeded();
                    logins.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        for (ticket, user) in [("1", "main_app_2"), ("2", "main_app_1")] {
            let already = logins.load(Ordering::Relaxed);
            let ask = format!("altinn.app/rotate-password=ticket-{ticket}");
            // Until its second turn, the first login has the password that was read before.
            if ticket == "2" {
                is_over.store(true, Ordering::Relaxed);
            }
            story.kubectl(&["annotate", "database", "main", "--overwrite", &ask]).succeeded();
            eventually("the Secret has the other login", || {
                (App::of(&story).secret["username"] == user).then_some(())
            });
            if ticket == "1" {
                eventually("many have logged in since", || {
                    (logins.load(Ordering::Relaxed) > already + 10 || logs_in.is_finished()).then_some(())
                });
            }
        }
        logs_in.join().unwrap();
    });
    let now = App::of(&story);
    assert_ne!(now.secret["password"], before.secret["password"]);
    now.tries_with(&now.secret["password"], &["SELECT 1"]).succeeded();
    before.tries_with(&before.secret["password"], &[]).refused();
}

#[test]
fn who_has_the_password_of_a_server_that_was_kept_does_not_get_in() {
    let story = story().with_database(SPEC);
    let before = App::of(&story);
    before.tries_with(&before.secret["password"], &["CREATE TABLE drinks (name text)"]).succeeded();
    story.delete_with("Retain");
    eventually("the password lets nobody in", || {
        (!before.tries_with(&before.secret["password"], &[]).ok).then_some(())
    });
    story.database("main", SPEC).succeeded();
    story.wait_ready("main");
    let after = App::of(&story);
    assert_ne!(after.secret["password"], before.secret["password"]);
    let said = after.tries_with(&after.secret["password"], &["SELECT count(*) FROM drinks"]).succeeded();
    assert_eq!(answers(&said), [json!([[0]])]);
    before.tries_with(&before.secret["password"], &[]).refused();
}

#[test]
fn an_app_changes_from_its_identity_to_a_password_and_back() {
    let story = story().with_database("{}");
    App::of(&story).runs(&["CREATE TABLE drinks (name text)"]);
    story.database("main", SPEC).succeeded();
    eventually("the Secret has a password", || App::of(&story).secret.contains_key("password").then_some(()));
    story.wait_ready("main");
    let app = App::of(&story);
    let said = app.tries_with(&app.secret["password"], &["INSERT INTO drinks VALUES ('tea')"]).succeeded();
    assert_eq!(answers(&said), ["INSERT 0 1"]);
    story.database("main", "{}").succeeded();
    eventually("the Secret has none", || (!App::of(&story).secret.contains_key("password")).then_some(()));
    story.wait_ready("main");
    let rows = eventually("the identity gets in", || {
        let tried = App::of(&story).tries(&["SELECT name FROM drinks"]);
        tried.ok.then(|| answers(&tried.stdout))
    });
    assert_eq!(rows, [json!([["tea"]])]);
    app.tries_with(&app.secret["password"], &[]).refused();
}
