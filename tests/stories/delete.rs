//! Deleting is safe.

use crate::{
    common::{DATABASE, SERVER, azure_requests, eventually},
    story,
};

#[test]
fn a_delete_that_does_not_say_what_becomes_of_the_data_is_refused() {
    let story = story();
    story.database("main", "{}").succeeded();
    let message = story.kubectl(&["delete", "database", "main"]).refused();
    assert!(message.contains("[DB201]"), "{message}");
    assert!(message.contains("It takes two steps (in Git, two commits): set it to \"Retain\""), "{message}");
    let all = story.kubectl(&["delete", "databases", "--all"]).refused();
    assert!(all.contains("[DB201]"), "{all}");
    let forced = story.kubectl(&["delete", "database", "main", "--force", "--grace-period=0"]).refused();
    assert!(forced.contains("[DB201]"), "{forced}");
    let dry = story.kubectl(&["delete", "database", "main", "--dry-run=server"]).refused();
    assert!(dry.contains("[DB201]"), "{dry}");
    assert!(story.get("database", "main").unwrap()["metadata"]["deletionTimestamp"].is_null());
}

#[test]
fn a_value_that_is_not_known_is_warned_of_at_apply_and_refused_at_delete() {
    let story = story();
    story.database("main", "{}").succeeded();
    let output = story.kubectl(&["annotate", "database", "main", "altinn.app/retention=retain"]);
    assert!(output.stderr.contains("Warning: altinn.app/retention: \"retain\" is not known"), "{output:?}");
    let message = story.kubectl(&["delete", "database", "main"]).refused();
    assert!(message.contains("[DB206]"), "{message}");
}

#[test]
fn with_retain_the_object_goes_and_the_server_with_its_database_stays() {
    let story = story();
    story.database("main", "{version: 18, sku: Standard_B2s, storage: {sizeGiB: 64}}").succeeded();
    story.wait_ready("main");
    let before = story.server();
    story.kubectl(&["annotate", "database", "main", "altinn.app/retention=Retain"]).succeeded();
    story.kubectl(&["delete", "database", "main"]).succeeded();
    assert!(story.get("database", "main").is_none());
    eventually("the Secret and the ServiceAccount are gone with it", || {
        (story.get("secret", "main-db-credentials").is_none()
            && story.get("serviceaccount", "main").is_none())
        .then_some(())
    });
    assert_eq!(story.server().id, before.id);
    assert_eq!(story.in_azure(DATABASE).len(), 1);

    // A manifest of that name finds the same server, and what it leaves out is as it was.
    story.database("main", "{}").succeeded();
    story.wait_ready("main");
    let after = story.server();
    assert_eq!(after.id, before.id);
    assert_eq!(after.body["properties"]["storage"]["storageSizeGB"], 64);
    assert_eq!(after.body["properties"]["version"], "18");
    assert_eq!(after.body["sku"]["name"], "Standard_B2s");
    assert_eq!(story.in_azure(DATABASE).len(), 1);
    let deletes: Vec<_> = azure_requests(story.sandbox)
        .into_iter()
        .filter(|request| {
            request.method == "DELETE" && request.path.contains(&format!("-{}-", story.namespace))
        })
        .collect();
    assert!(deletes.is_empty(), "{deletes:?}");
}

#[test]
fn deleting_the_namespace_does_not_delete_the_database() {
    let story = story();
    story.database("main", "{}").succeeded();
    story.wait_ready("main");
    story.kubectl(&["delete", "namespace", &story.namespace, "--wait=false"]).succeeded();
    let message = eventually("the namespace tells why it stays", || {
        let namespace = story.get("namespace", &story.namespace)?;
        let conditions = namespace["status"]["conditions"].as_array()?.clone();
        let failure = conditions.into_iter().find(|condition| {
            condition["type"] == "NamespaceDeletionContentFailure" && condition["status"] == "True"
        })?;
        Some(failure["message"].as_str()?.to_owned())
    });
    assert!(message.contains("[DB201]"), "{message}");
    assert!(story.get("database", "main").is_some());
    assert_eq!(story.in_azure(SERVER).len(), 1);

    // Saying what becomes of the data lets the namespace go, and the data stays.
    story.kubectl(&["annotate", "database", "main", "altinn.app/retention=Retain"]).succeeded();
    eventually("the namespace is gone", || story.get("namespace", &story.namespace).is_none().then_some(()));
    assert_eq!(story.in_azure(SERVER).len(), 1);
    assert_eq!(story.in_azure(DATABASE).len(), 1);
}
