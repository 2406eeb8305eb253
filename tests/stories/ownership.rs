//! Whose a server is: one that Azure has already is looked at before anything is written.

use database_operator::azure::names;
use serde_json::json;

use crate::{
    common::{IDENTITY, SERVER, Story, azure_requests, eventually, ready},
    story,
};

/// The object of a server that somebody made without us, in their own namespace.
fn made_by_others(story: &Story<'_>, server: &str, tags: &serde_json::Value) {
    let group = "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg-databases";
    let manifest = json!({
        "apiVersion": "dbforpostgresql.azure.com/v20250801", "kind": "FlexibleServer",
        "metadata": {
            "name": server,
            "annotations": {"serviceoperator.azure.com/reconcile-policy": "detach-on-delete"},
        },
        "spec": {
            "azureName": server, "owner": {"armId": group}, "location": "norwayeast", "version": "16", "tags": tags,
            "sku": {"name": "Standard_B2s", "tier": "Burstable"}, "storage": {"storageSizeGB": 64},
            "authConfig": {
                "activeDirectoryAuth": "Enabled", "passwordAuth": "Disabled",
                "tenantId": "00000000-0000-4000-8000-0000000000f1",
            },
        },
    });
    story.apply(&manifest.to_string()).succeeded();
    story.kubectl(&["wait", "--for=condition=Ready", "flexibleserver", server, "--timeout=180s"]).succeeded();
}

fn writes_to(story: &Story<'_>, server: &str) -> usize {
    let requests = azure_requests(story.sandbox);
    let is_write = |method: &str| ["PUT", "PATCH", "DELETE"].contains(&method);
    requests.iter().filter(|request| is_write(&request.method) && request.path.contains(server)).count()
}

#[test]
fn a_server_of_somebody_else_is_reported_and_never_touched() {
    let story = story();
    let server = names::server("prod-1", &story.namespace, "main");
    made_by_others(&story, &server, &json!({"team": "others"}));
    let (before, writes) = (story.server(), writes_to(&story, &server));

    story.database("main", "{}").succeeded();
    let database = story.wait_reason("main", "ServerNotOurs");
    let message = ready(&database)["message"].as_str().unwrap().to_owned();
    assert!(message.contains(&server) && message.contains("it has no tags of ours"), "{message}");
    let stalled = crate::common::condition(&database, "Stalled").unwrap();
    assert_eq!(stalled["status"], "True");
    // A change of the spec is no reason to touch it either.
    story.database("main", "{sku: Standard_B4ms}").succeeded();
    eventually("the change is seen, and nothing comes of it", || {
        let database = story.get("database", "main")?;
        let seen = database["status"]["observedGeneration"] == database["metadata"]["generation"];
        (seen && ready(&database)["reason"] == "ServerNotOurs").then_some(())
    });
    assert_eq!(story.server().body, before.body);
    assert_eq!(writes_to(&story, &server), writes);
    assert_eq!(story.in_azure(IDENTITY).len(), 0, "nobody gets a login");
    assert!(story.get("secret", "main-db-credentials").is_none());
}

#[test]
fn a_server_that_is_ours_is_found_again_as_it_runs() {
    let story = story();
    let server = names::server("prod-1", &story.namespace, "main");
    let tags = json!({
        "managed-by": "database-operator", "database-operator-cluster": "prod-1",
        "database-operator-namespace": story.namespace, "database-operator-name": "main",
    });
    made_by_others(&story, &server, &tags);
    story.kubectl(&["delete", "flexibleserver", &server]).succeeded();
    assert_eq!(story.in_azure(SERVER).len(), 1, "it was let go, and stays in Azure");

    story.database("main", "{}").succeeded();
    story.wait_ready("main");
    let found = story.server();
    assert_eq!(found.body["sku"]["name"], "Standard_B2s", "no default resizes it");
    assert_eq!(found.body["properties"]["version"], "16");
    assert_eq!(found.body["properties"]["storage"]["storageSizeGB"], 64);
    assert_eq!(found.body["tags"]["costcenter"], "4711", "the policy's tags are on it now");
    let status = &story.get("database", "main").unwrap()["status"];
    assert_eq!(status["server"]["sku"], "Standard_B2s");
    // What is written counts.
    story.database("main", "{sku: Standard_B4ms}").succeeded();
    eventually("it is resized", || (story.server().body["sku"]["name"] == "Standard_B4ms").then_some(()));
    story.wait_ready("main");
}
