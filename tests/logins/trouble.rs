//! What people are told when the operator can't get in.

use sandbox::azure::{GatewayFault, GatewayFaultKind};
use serde_json::Value;

use crate::{
    app::App,
    common::{Story, ask, condition, eventually, metric},
    sandbox, story,
};

fn fails(story: &Story<'_>, times: u32, kind: GatewayFaultKind) {
    let server = format!("prod-1-{}-*", story.namespace);
    ask(sandbox().azure().inject_at_gateway(&GatewayFault { server, times, kind })).unwrap();
}

fn works_again(story: &Story<'_>) {
    ask(sandbox().azure().clear_gateway_faults_of(&format!("prod-1-{}-*", story.namespace))).unwrap();
}

/// Waits until the condition `AccessReady` has this reason.
fn wait_access(story: &Story<'_>, reason: &str) -> Value {
    eventually(&format!("AccessReady has the reason {reason}"), || {
        let database = story.get("database", "main")?;
        condition(&database, "AccessReady").filter(|access| access["reason"] == reason)
    })
}

#[test]
fn a_server_that_does_not_answer_is_not_ready_and_says_what_to_look_at() {
    let story = story();
    fails(&story, 1000, GatewayFaultKind::Silence);
    story.database("main", "{}").succeeded();
    let access = wait_access(&story, "Unreachable");
    assert_eq!(access["status"], "False");
    assert!(
        access["message"].as_str().unwrap().contains("The policy's firewall must have the address"),
        "{access}"
    );
    let database = story.wait_reason("main", "Unreachable");
    assert_eq!(condition(&database, "Ready").unwrap()["status"], "False");
    assert!(story.get("secret", "main-db-credentials").is_none(), "nobody could log in with it");
    let waits = || {
        let labels = format!(
            "database_namespace=\"{}\",database_name=\"main\",state=\"working\",reason=\"Unreachable\"",
            story.namespace
        );
        let name = format!("database_operator_database_not_ready_since_timestamp_seconds{{{labels}}}");
        metric(sandbox(), "controller", &name)
    };
    let since = eventually("whoever is on call sees its name", waits);
    let created = database["metadata"]["creationTimestamp"].as_str().unwrap();
    let created: jiff::Timestamp = created.parse().unwrap();
    assert_eq!(Some(since), Some(f64::from(u32::try_from(created.as_second()).unwrap())));
    works_again(&story);
    story.wait_ready("main");
    wait_access(&story, "Settled");
    eventually("it waits no longer", || waits().is_none().then_some(()));
    App::of(&story).runs(&["SELECT 1"]);
}

#[test]
fn a_server_that_is_full_stays_ready() {
    let story = story().with_database("{}");
    let (code, message) = ("53300".to_owned(), "sorry, too many clients already".to_owned());
    fails(&story, 1000, GatewayFaultKind::Error { code, message });
    // It is looked into once more, because something else is wanted.
    story.database("main", "{extensions: [hstore]}").succeeded();
    let access = wait_access(&story, "TooManyConnections");
    assert_eq!(access["status"], "Unknown");
    story.wait_ready("main");
    works_again(&story);
    wait_access(&story, "Settled");
}
