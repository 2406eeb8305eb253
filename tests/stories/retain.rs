//! What becomes of data whose `Database` is gone: kept on record, brought back by one apply, or brought to their end.

use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

use crate::{
    common::{
        CREDENTIAL, DATABASE, FIREWALL_RULE, IDENTITY, SERVER, Story, delete_in_azure, eventually, ready,
    },
    story,
};

/// A database that is ready, in a namespace of its own.
fn with_data() -> Story<'static> {
    story().with_database("{version: 17, sku: Standard_B2s, storage: {sizeGiB: 64}}")
}

fn time(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

#[test]
fn what_is_deleted_is_kept_on_record_and_one_apply_brings_it_back() {
    let story = with_data();
    let born = story.born();
    let server = story.server().name;
    story.delete_with("Retain");
    let record = story.wait_record("Kept");
    assert_eq!(record["metadata"]["name"], server);
    let spec = &record["spec"];
    assert_eq!(
        (&spec["database"], &spec["reason"]),
        (&json!(format!("{}/main", story.namespace)), &json!("Deleted"))
    );
    assert_eq!(spec["lastSpec"], json!({"version": 17, "sku": "Standard_B2s", "storage": {"sizeGiB": 64}}));
    assert_eq!((&spec["until"], &spec["databaseName"]), (&Value::Null, &json!("main")));
    assert_eq!(spec["server"]["id"], story.server().id);
    let table = story.as_platform(&["get", "rdb", &server]).succeeded();
    let head: Vec<&str> = table.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(head, ["NAME", "DATABASE", "SERVER", "SINCE", "UNTIL", "REASON"]);
    story.data_is_kept();

    // Nobody keeps access to it by accident.
    eventually("the ways in are closed", || {
        (story.in_azure(CREDENTIAL).is_empty() && story.in_azure(FIREWALL_RULE).is_empty()).then_some(())
    });
    assert_eq!(story.in_azure(IDENTITY).len(), 1);

    story.database("main", "{}").succeeded();
    story.wait_ready("main");
    eventually("the record has had its day", || story.record().is_none().then_some(()));
    let database = story.get("database", "main").unwrap();
    assert_eq!(database["status"]["recovered"]["since"], spec["since"]);
    assert_eq!((story.born(), story.server().name), (born, server));
    assert_eq!(story.server().body["sku"]["name"], "Standard_B2s");
    assert_eq!((story.in_azure(CREDENTIAL).len(), story.in_azure(FIREWALL_RULE).len()), (1, 1));
    let events =
        story.kubectl(&["get", "events", "--field-selector=reason=Recovered", "-o", "name"]).succeeded();
    assert_eq!(events.lines().count(), 1, "{events}");
    story.data_is_kept();
}

#[test]
fn days_end_when_the_record_says_and_the_record_is_edited_with_care() {
    let story = with_data();
    story.delete_with("14d");
    let record = story.wait_record("KeptUntil");
    let (since, until) = (time(&record["spec"]["since"]), time(&record["spec"]["until"]));
    assert_eq!(until, since + (14 * 24).hours());
    let name = record["metadata"]["name"].as_str().unwrap();

    let message = story.as_platform(&["delete", "retaineddatabase", name]).refused();
    assert!(message.contains("apply the manifest of Database") && message.contains("[DB210]"), "{message}");
    let edit = |change: &Value| {
        story.as_platform(&["patch", "rdb", name, "--type=merge", "-p", &change.to_string()])
    };
    let message = edit(&json!({"spec": {"until": Timestamp::now().to_string()}})).refused();
    assert!(message.contains("is not after today") && message.contains("[DB211]"), "{message}");
    let message = edit(&json!({"spec": {"database": "payments/main"}})).refused();
    assert!(message.contains("[DB214]") || message.contains("[DB213]"), "{message}");
    let message = edit(&json!({"spec": {"since": "2026-01-01T00:00:00Z"}})).refused();
    assert!(message.contains("say whose data it is") && message.contains("[DB214]"), "{message}");
    let message = edit(&json!({"metadata": {"annotations": {"altinn.app/retention": "Destroy"}}})).refused();
    assert!(message.contains("[DB202]"), "{message}");
    let later = until + (24 * 30).hours();
    edit(&json!({"spec": {"until": later.to_string()}})).succeeded();
    eventually("the status tells of the new end", || {
        let message = ready(&story.record()?)["message"].as_str()?.to_owned();
        message.contains(&later.to_string()).then_some(())
    });
    edit(&json!({"spec": {"until": null}})).succeeded();
    story.wait_record("Kept");
    story.data_is_kept();
}

#[test]
fn with_destroy_and_its_confirmation_nothing_is_left() {
    let story = with_data();
    story.confirm_destroy();
    story.kubectl(&["delete", "database", "main"]).succeeded();
    assert!(story.get("database", "main").is_none());
    eventually("the record has had its day", || story.record().is_none().then_some(()));
    assert_eq!((story.in_azure(SERVER).len(), story.in_azure(DATABASE).len()), (0, 0));
    assert_eq!((story.in_azure(IDENTITY).len(), story.in_azure(CREDENTIAL).len()), (0, 0));
    eventually("nothing is left in the cluster", || story.azure_objects().is_empty().then_some(()));
}

#[test]
fn the_platform_team_ends_what_is_kept_by_confirming_it_on_the_record() {
    let story = with_data();
    story.delete_with("Retain");
    story.wait_record("Kept");
    story.end_record();
    eventually("the record has had its day", || story.record().is_none().then_some(()));
    assert_eq!((story.in_azure(SERVER).len(), story.in_azure(IDENTITY).len()), (0, 0));
    eventually("nothing is left in the cluster", || story.azure_objects().is_empty().then_some(()));
}

#[test]
fn a_finalizer_that_is_forced_off_leaves_a_record_of_the_lost_owner() {
    let story = with_data();
    let born = story.born();
    // Something else holds it until our finalizer is off: no word on the data gets a word in.
    let held = json!({"metadata": {
        "finalizers": ["example.com/hold"], "annotations": {"altinn.app/retention": "Retain"},
    }});
    let off = json!({"metadata": {"finalizers": null}});
    eventually("it is gone without the controller", || {
        let patch = |change: &Value| {
            story.kubectl(&["patch", "database", "main", "--type=merge", "-p", &change.to_string()])
        };
        patch(&held).succeeded();
        story.kubectl(&["delete", "database", "main", "--wait=false"]).succeeded();
        patch(&off);
        story.get("database", "main").is_none().then_some(())
    });
    let record = eventually("the server is on record", || story.record());
    let reason = record["spec"]["reason"].as_str().unwrap();
    assert!(["OwnerLost", "Deleted"].contains(&reason), "{record}");
    story.data_is_kept();
    story.database("main", "{}").succeeded();
    story.wait_ready("main");
    eventually("the record has had its day", || story.record().is_none().then_some(()));
    assert_eq!(story.born(), born);
    story.data_is_kept();
}

#[test]
fn the_object_of_a_kept_server_that_is_deleted_by_hand_comes_back_and_ends_it_when_that_is_said() {
    let story = with_data();
    let (born, server) = (story.born(), story.server().name);
    story.delete_with("Retain");
    story.wait_record("Kept");
    story.as_platform(&["delete", "flexibleserver", &server, "--timeout=180s"]).succeeded();
    eventually("its object is there again, and stands for the same server", || {
        let object = story.of_platform("flexibleserver", &server)?;
        let policy = &object["metadata"]["annotations"]["serviceoperator.azure.com/reconcile-policy"];
        let is_taken = policy == "skip" && object["spec"]["tags"]["managed-by"].is_string();
        (is_taken && object["spec"]["sku"]["name"] == "Standard_B2s").then_some(())
    });
    story.wait_record("Kept");
    assert_eq!(story.born(), born);
    story.data_is_kept();
    story.end_record();
    eventually("the record has had its day", || story.record().is_none().then_some(()));
    assert_eq!((story.in_azure(SERVER).len(), story.in_azure(IDENTITY).len()), (0, 0));
}

#[test]
fn a_kept_server_that_is_gone_from_azure_is_told_and_not_made_anew() {
    let story = with_data();
    let server = story.server();
    story.delete_with("Retain");
    story.wait_record("Kept");
    delete_in_azure(story.sandbox, &server.id);
    story.as_platform(&["delete", "flexibleserver", &server.name, "--timeout=180s"]).succeeded();
    story.wait_record("ServerGone");
    assert_eq!(story.in_azure(SERVER).len(), 0);
    story.end_record();
    eventually("the record has had its day", || story.record().is_none().then_some(()));
    assert_eq!((story.in_azure(SERVER).len(), story.in_azure(IDENTITY).len()), (0, 0));
    eventually("nothing is left in the cluster", || story.azure_objects().is_empty().then_some(()));
}
