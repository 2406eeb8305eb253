//! `authentication: Password`, and how a password is replaced.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;

use crate::{
    common::{Story, eventually, lets_in, run},
    story,
};

/// What the app finds in its Secret.
fn login(story: &Story<'_>) -> BTreeMap<String, String> {
    let secret = story.get("secret", "main-db-credentials").unwrap();
    let decode =
        |value: &Value| String::from_utf8(BASE64_STANDARD.decode(value.as_str().unwrap()).unwrap()).unwrap();
    secret["data"].as_object().unwrap().iter().map(|(key, value)| (key.clone(), decode(value))).collect()
}

fn works(story: &Story<'_>, login: &BTreeMap<String, String>) -> bool {
    login
        .get("password")
        .is_some_and(|password| lets_in(story.sandbox, &story.server().id, &login["username"], password))
}

/// The administrator's passwords, in the operator's namespace.
fn kept(story: &Story<'_>) -> usize {
    let selector = format!("altinn.app/database-namespace={}", story.namespace);
    let all = ["get", "secrets", "--namespace", "database-operator", "--selector", &selector, "-o", "json"];
    let list: Value = serde_json::from_str(&run(story.sandbox.kubectl(&all), "").succeeded()).unwrap();
    assert_eq!(list["items"].as_array().unwrap().len(), 1, "{list}");
    list["items"][0]["data"].as_object().map_or(0, serde_json::Map::len)
}

#[test]
fn an_app_logs_in_with_a_password_that_is_replaced_on_request() {
    let story = story();
    story.database("main", "{authentication: Password}").succeeded();
    story.wait_ready("main");
    let first = login(&story);
    assert!(works(&story, &first), "{:?}", first.keys());
    let uri = format!("postgresql://{}:{}@{}:5432/main", first["username"], first["password"], first["host"]);
    assert!(first["uri"].starts_with(&uri));
    assert_eq!(kept(&story), 1);

    story.kubectl(&["annotate", "database", "main", "altinn.app/rotate-password=ticket-1"]).succeeded();
    let second = eventually("the app has another password", || {
        let login = login(&story);
        (login["password"] != first["password"]).then_some(login)
    });
    assert!(works(&story, &second), "the new one");
    assert!(!works(&story, &first), "and the old one no longer");
    story.wait_ready("main");
    eventually("the old one is forgotten", || (kept(&story) == 1).then_some(()));

    // The same request again is none.
    story.database("main", "{authentication: Password, sku: Standard_B2s}").succeeded();
    story.wait_ready("main");
    assert_eq!(login(&story), second);
}

#[test]
fn a_server_gets_passwords_later_and_loses_them_again() {
    let story = story();
    story.database("main", "{}").succeeded();
    story.wait_ready("main");
    assert_eq!(login(&story).get("password"), None);

    story.database("main", "{authentication: Password}").succeeded();
    let with =
        eventually("the app has a password", || Some(login(&story)).filter(|login| works(&story, login)));
    story.wait_ready("main");

    story.database("main", "{authentication: Identity}").succeeded();
    eventually("no password lets anybody in", || (!works(&story, &with)).then_some(()));
    story.wait_ready("main");
    eventually("the Secret holds none", || (!login(&story).contains_key("password")).then_some(()));
    eventually("and nobody keeps one", || (kept(&story) == 0).then_some(()));

    // Who had the old one doesn't get in when passwords come back.
    story.database("main", "{authentication: Password}").succeeded();
    let again = eventually("there is a new one", || Some(login(&story)).filter(|login| works(&story, login)));
    assert_ne!(again["password"], with["password"]);
}

#[test]
fn who_has_the_password_of_a_server_that_is_kept_does_not_get_in_any_more() {
    let story = story().with_database("{authentication: Password}");
    let before = login(&story);
    assert!(works(&story, &before));
    story.delete_with("Retain");
    story.wait_record("Kept");
    eventually("the old password lets nobody in", || (!works(&story, &before)).then_some(()));
    eventually("it is forgotten, and the new one is kept", || (kept(&story) == 1).then_some(()));
    let server = story.server();
    let told = story.as_platform(&[
        "get",
        "flexibleserver",
        &server.name,
        "-o=jsonpath={.spec.administratorLoginPassword.key}",
    ]);
    story.database("main", "{authentication: Password}").succeeded();
    story.wait_ready("main");
    let after = login(&story);
    assert!(works(&story, &after));
    assert_ne!(after["password"], before["password"]);
    // Changed once, and not again on the way back.
    let again = story.as_platform(&[
        "get",
        "flexibleserver",
        &server.name,
        "-o=jsonpath={.spec.administratorLoginPassword.key}",
    ]);
    assert_eq!(told.succeeded(), again.succeeded());
    // All of it can be taken back by who applies.
    story.database("main", "{authentication: Identity}").succeeded();
    eventually("no password lets anybody in", || (!works(&story, &after)).then_some(()));
    story.wait_ready("main");
    eventually("and nobody keeps one", || (kept(&story) == 0).then_some(()));
    story.data_is_kept();
}
