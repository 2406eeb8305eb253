//! Whose a server is: one that Azure has already is looked at before anything is written.

use api::DatabaseRef;
use database_operator::azure::names;
use serde_json::json;

use crate::{
    common::{
        CREDENTIAL, IDENTITY, SERVER, Story, audit_lines, azure_requests, condition, eventually, ready,
        writes_of_the_controller,
    },
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
    let server = names::server("prod-1", DatabaseRef::new(&story.namespace, "main"));
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
    let server = names::server("prod-1", DatabaseRef::new(&story.namespace, "main"));
    let tags = json!({
        "managed-by": "database-operator", "database-operator-cluster": "prod-1",
        "database-operator-namespace": story.namespace, "database-operator-name": "main",
    });
    made_by_others(&story, &server, &tags);
    story.kubectl(&["delete", "flexibleserver", &server]).succeeded();
    assert_eq!(story.in_azure(SERVER).len(), 1, "it was let go, and stays in Azure");

    story.database("main", "{}").succeeded();
    // No tag tells it, and nobody guesses: the data may be under another name.
    story.wait_reason("main", "DatabaseNameUnknown");
    story.database("main", "{databaseName: main}").succeeded();
    story.wait_ready("main");
    let found = story.server();
    assert_eq!(found.body["sku"]["name"], "Standard_B2s", "no default resizes it");
    assert_eq!(found.body["properties"]["version"], "16");
    assert_eq!(found.body["properties"]["storage"]["storageSizeGB"], 64);
    assert_eq!(found.body["tags"]["costcenter"], "4711", "the policy's tags are on it now");
    let status = &story.get("database", "main").unwrap()["status"];
    assert_eq!(status["server"]["sku"], "Standard_B2s");
    // What is written counts.
    story.database("main", "{databaseName: main, sku: Standard_B4ms}").succeeded();
    eventually("it is resized", || (story.server().body["sku"]["name"] == "Standard_B4ms").then_some(()));
    story.wait_ready("main");
}

const CLIENT_ID: &str = "azure.workload.identity/client-id";

fn client_id(story: &Story<'_>, account: &str) -> serde_json::Value {
    story
        .get("serviceaccount", account)
        .map(|account| account["metadata"]["annotations"][CLIENT_ID].clone())
        .unwrap_or_default()
}

/// The client id that an app finds in the Secret, in base64.
fn in_secret(story: &Story<'_>, database: &str) -> String {
    let secret = story.get("secret", &format!("{database}-db-credentials")).unwrap();
    secret["data"]["client-id"].as_str().unwrap().to_owned()
}

fn wait_conflict(story: &Story<'_>, database: &str, reason: Option<&str>) -> String {
    eventually(&format!("ClientIdConflict of {database} is {reason:?}"), || {
        let conflict = condition(&story.get("database", database)?, "ClientIdConflict");
        let is_met = conflict.as_ref().and_then(|conflict| conflict["reason"].as_str()) == reason;
        is_met.then(|| {
            conflict.map(|conflict| conflict["message"].as_str().unwrap().to_owned()).unwrap_or_default()
        })
    })
}

#[test]
fn a_client_id_of_others_stays_and_is_told_at_once() {
    let story = story();
    story.kubectl(&["create", "serviceaccount", "api"]).succeeded();
    let annotate = |value: &str| {
        story.kubectl(&["annotate", "serviceaccount", "api", "--overwrite", value]).succeeded();
    };
    annotate(&format!("{CLIENT_ID}=vault"));
    story.database("main", "{serviceAccountName: api}").succeeded();
    story.wait_ready("main");
    let told = wait_conflict(&story, "main", Some("SetByOthers"));
    assert!(told.contains("client-id of Secret main-db-credentials") && told.contains("\"vault\""), "{told}");
    assert_eq!(client_id(&story, "api"), "vault");
    assert!(!in_secret(&story, "main").is_empty());
    eventually("an event tells it, too", || {
        story.has_event("involvedObject.name=main,reason=ClientIdConflict").then_some(())
    });

    // Nobody waits for an hour.
    annotate(&format!("{CLIENT_ID}-"));
    wait_conflict(&story, "main", None);
    let ours = client_id(&story, "api");
    assert!(ours.is_string() && ours != "vault");
    annotate(&format!("{CLIENT_ID}=vault"));
    wait_conflict(&story, "main", Some("SetByOthers"));
    assert_eq!(client_id(&story, "api"), "vault");
    assert_eq!(ready(&story.get("database", "main").unwrap())["status"], "True");
}

#[test]
fn two_databases_share_a_service_account_and_both_work() {
    let story = story();
    story.database("one", "{}").succeeded();
    story.wait_ready("one");
    let ours = client_id(&story, "one");
    let told = story.database("two", "{serviceAccountName: one}");
    assert!(told.ok && told.stderr.contains("Database one uses it, too"), "{}", told.stderr);
    story.wait_ready("two");
    let told = wait_conflict(&story, "two", Some("SetForAnotherDatabase"));
    assert!(
        told.contains("Database one") && told.contains("client-id of Secret two-db-credentials"),
        "{told}"
    );
    wait_conflict(&story, "one", None);
    assert_eq!(client_id(&story, "one"), ours);
    assert_ne!(in_secret(&story, "one"), in_secret(&story, "two"));
    let subject = format!("system:serviceaccount:{}:one", story.namespace);
    let credentials = story.in_azure(CREDENTIAL);
    assert_eq!(credentials.len(), 2);
    assert!(credentials.iter().all(|credential| credential.body["properties"]["subject"] == subject));

    // Whatever makes both of them be looked at again.
    let start = audit_lines(story.sandbox);
    for name in ["one", "two"] {
        story.kubectl(&["annotate", "database", name, "a=b"]).succeeded();
    }
    std::thread::sleep(std::time::Duration::from_secs(5));
    let mut writes = writes_of_the_controller(story.sandbox, start);
    writes.retain(|write| write.contains(&format!("/{}/", story.namespace)));
    assert_eq!(writes, Vec::<String>::new());

    // The account goes with the Database that made it, and the other one has it made anew.
    story.kubectl(&["annotate", "database", "one", "altinn.app/retention=Retain"]).succeeded();
    story.kubectl(&["delete", "database", "one"]).succeeded();
    wait_conflict(&story, "two", None);
    eventually("the account has the other one's client id", || {
        let now = client_id(&story, "one");
        (now.is_string() && now != ours).then_some(())
    });
}

#[test]
fn a_secret_that_a_replicator_copied_is_left_alone_and_no_server_is_made() {
    let (from, to) = (story().with_database("{}"), story());
    let mut copy = from.get("secret", "main-db-credentials").unwrap();
    copy["metadata"] = json!({"name": "main-db-credentials", "labels": copy["metadata"]["labels"]});
    to.create(&copy.to_string()).succeeded();

    to.database("main", "{}").succeeded();
    let database = to.wait_reason("main", "NameTaken");
    assert_eq!(condition(&database, "Stalled").unwrap()["status"], "True");
    assert_eq!(to.in_azure(SERVER).len(), 0, "nothing is paid for");
    assert!(to.azure_objects().is_empty());
    assert_eq!(to.get("secret", "main-db-credentials").unwrap()["data"], copy["data"]);
    to.kubectl(&["delete", "secret", "main-db-credentials"]).succeeded();
    to.wait_ready("main");
}
