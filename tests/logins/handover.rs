//! Servers as the last version left them, whose app administers them, once the policy names an administrator.

use sandbox::{Options, Sandbox, without_administrator};
use serde_json::{Value, json};

use crate::{
    GROUP, OPERATOR,
    app::{App, answers},
    common::{ADMINISTRATOR, Story, ask, back_up_at_once, condition, eventually, ready, run},
    restore::moment,
};

const POLICY: &str = include_str!("../../examples/policy.yaml");

fn apply_policy(story: &Story<'_>, policy: &str) {
    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "data": {"policy.yaml": policy},
        "metadata": {"name": "database-policy", "namespace": "database-operator"},
    });
    run(story.sandbox.kubectl(&["apply", "-f", "-"]), &map.to_string()).succeeded();
}

/// Its former login ends as soon as the other one works.
fn without_overlap() -> String {
    POLICY.replace("    defaults:", "    passwords: {overlapHours: 0}\n    defaults:")
}

fn access(story: &Story<'_>, reason: &str) -> Value {
    eventually(&format!("AccessReady says {reason}"), || {
        condition(&story.get("database", "main")?, "AccessReady").filter(|access| access["reason"] == reason)
    })
}

/// A sandbox whose policy names no administrator.
fn as_before() -> Sandbox {
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("policy.yaml");
    std::fs::write(&policy, without_administrator(POLICY)).unwrap();
    let options = Options { policy: Some(policy), ..Options::default() };
    let sandbox = Sandbox::start(&options).unwrap_or_else(|error| panic!("{error}"));
    back_up_at_once(&sandbox);
    sandbox
}

const OWNS: &str = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' \
                    AND relowner::regrole::text = 'main_owner' ORDER BY 1";

/// A moment at which the app administered the server is restored as that of a server that no `Database` has: the message says how.
fn has_the_data_of_before(story: &Story<'_>, before: &str) {
    let server = story.get("database", "main").unwrap()["status"].clone();
    let (id, name) = (server["resourceId"].as_str().unwrap(), server["server"]["name"].as_str().unwrap());
    let spec = json!({"restoreFrom": {"database": "main", "time": before}});
    story.database("copy", &spec.to_string()).succeeded();
    let why = ready(&story.wait_reason("copy", "RestoreImpossible"))["message"].to_string();
    let owners = format!("owners: [{name}, dbadmin]");
    assert!(why.contains(&format!("fromServer: {id} and {owners}")), "{why}");

    let entry = format!(
        "{{fromServer: {id}, {owners}, to: {}/copy, until: UNTIL, reason: \"a story\"}}",
        story.namespace
    );
    story.allow("copies", &entry);
    let spec = json!({"databaseName": "main", "restoreFrom": {"serverId": id, "time": before}});
    eventually("the policy allows it", || story.database("copy", &spec.to_string()).ok.then_some(()));
    story.wait_ready("copy");
    let said = App::named(story, "copy").runs(&["SELECT * FROM drinks", OWNS]);
    assert_eq!(said, [json!([["coffee"]]), json!([["drinks"]])]);
}

#[test]
fn an_app_that_administers_its_server_gets_a_login_of_its_own_and_its_data_go_along() {
    let sandbox = as_before();
    let story = Story::anywhere(&sandbox).with_database("{}");
    let password = Story::anywhere(&sandbox).with_database("{authentication: Password}");
    let (former, former_with_password) = (App::of(&story), App::of(&password));
    former.runs(&["CREATE TABLE drinks (name text)", "INSERT INTO drinks VALUES ('coffee')"]);
    let before = moment(&former);
    former_with_password
        .tries_with(&former_with_password.secret["password"], &["CREATE TABLE drinks (name text)"])
        .succeeded();
    assert!(condition(&story.get("database", "main").unwrap(), "AccessReady").is_none());
    let mut session = former.session();

    apply_policy(&story, POLICY);
    // Before the operator gets in, the app goes on as it did.
    access(&story, "LoginRefused");
    story.wait_ready("main");
    assert_eq!(App::of(&story).secret, former.secret);
    ask(sandbox.azure().set_members(GROUP, &[OPERATOR])).unwrap();
    access(&story, "FormerLogin");
    access(&password, "FormerLogin");
    story.wait_ready("main");
    let app = App::of(&story);
    assert_ne!(app.secret["client-id"], former.secret["client-id"]);
    assert_eq!(app.secret["username"], "main_app");
    let said = app.runs(&["SELECT name FROM drinks", "ALTER TABLE drinks ADD COLUMN price int", OWNS]);
    assert_eq!((&said[0], &said[2]), (&json!([["coffee"]]), &json!([["drinks"]])));
    let refused = app.runs(&["DROP DATABASE main"]);
    assert!(refused[0]["error"].as_str().unwrap().contains("must be owner"), "{refused:?}");
    // Pods that have read the Secret before go on, with what they make, too.
    former.runs(&["INSERT INTO drinks (name) VALUES ('tea')", "CREATE TABLE snacks (name text)"]);
    session.runs("INSERT INTO drinks (name) VALUES ('milk')");
    assert_eq!(story.in_azure(ADMINISTRATOR).len(), 2);
    let app_with_password = App::of(&password);
    assert_eq!(app_with_password.secret["username"], "main_app_1");
    former_with_password.tries_with(&former_with_password.secret["password"], &["SELECT 1"]).succeeded();

    apply_policy(&story, &without_overlap());
    access(&story, "Settled");
    access(&password, "Settled");
    for story in [&story, &password] {
        eventually("the app is administrator no longer", || {
            (story.in_azure(ADMINISTRATOR).len() == 1).then_some(())
        });
    }
    former.tries(&[]).refused();
    eventually("its session has ended", || session.is_over().then_some(()));
    former_with_password.tries_with(&former_with_password.secret["password"], &[]).refused();
    assert_eq!(
        app.runs(&["SELECT count(*) FROM drinks", OWNS]),
        [json!([[3]]), json!([["drinks"], ["snacks"]])]
    );
    let said = app_with_password.tries_with(&app_with_password.secret["password"], &[OWNS]).succeeded();
    assert_eq!(answers(&said), [json!([["drinks"]])]);
    eventually("nothing is left of the former login", || {
        let credentials = story.of_its_databases("federatedidentitycredentials");
        (credentials.len() == 1).then_some(())
    });

    has_the_data_of_before(&story, &before);

    comes_back_as_it_was(&story, &app);
}

/// Kept and recovered, the app gets in as it did, and nobody else.
fn comes_back_as_it_was(story: &Story<'_>, app: &App<'_>) {
    story.delete_with("Retain");
    story.wait_record("Kept");
    story.database("main", "{}").succeeded();
    story.wait_ready("main");
    let recovered = App::of(story);
    assert_eq!(recovered.secret["client-id"], app.secret["client-id"]);
    assert_eq!(recovered.runs(&["SELECT count(*) FROM drinks"]), [json!([[3]])]);
}
