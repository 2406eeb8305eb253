//! An app that logs in with a password.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use serde_json::json;

use crate::{
    app::{App, answers},
    common::{Story, eventually},
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

/// By who read the Secret before, and by who reads it ever again.
#[test]
fn no_login_of_a_thousand_fails_while_a_password_is_replaced() {
    const LOGINS: usize = 1000;
    let story = story().with_database(SPEC);
    let before = App::of(&story);
    let (is_over, logins) = (AtomicBool::new(false), AtomicUsize::new(0));
    let log_in = |app: &dyn Fn(), times| {
        while !is_over.load(Ordering::Relaxed) {
            app();
            logins.fetch_add(times, Ordering::Relaxed);
        }
    };
    thread::scope(|scope| {
        let old = scope.spawn(|| log_in(&|| before.logs_in(50), 50));
        let new = scope.spawn(|| log_in(&|| App::of(&story).logs_in(20), 20));
        let many = |what: &str| {
            let already = logins.load(Ordering::Relaxed);
            eventually(what, || {
                let count = logins.load(Ordering::Relaxed) - already;
                (count >= LOGINS / 2 || old.is_finished() || new.is_finished()).then_some(())
            });
        };
        many("many have logged in before");
        rotate(&story, "1", "main_app_2");
        many("many have logged in since");
        is_over.store(true, Ordering::Relaxed);
        old.join().unwrap();
        new.join().unwrap();
    });
    assert!(logins.into_inner() >= LOGINS);
    // In its second turn, the first login gets another password.
    rotate(&story, "2", "main_app_1");
    let now = App::of(&story);
    assert_ne!(now.secret["password"], before.secret["password"]);
    now.logs_in(1);
    before.tries_with(&before.secret["password"], &[]).refused();
}

/// Asks for another password, and waits until the Secret has the other login.
fn rotate(story: &Story<'_>, ticket: &str, user: &str) {
    let ask = format!("altinn.app/rotate-password=ticket-{ticket}");
    story.kubectl(&["annotate", "database", "main", "--overwrite", &ask]).succeeded();
    eventually("the Secret has the other login", || {
        (App::of(story).secret["username"] == user).then_some(())
    });
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
