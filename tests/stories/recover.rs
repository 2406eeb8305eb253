//! What is kept of one database comes back as another one, where the policy lets it.

use serde_json::{Value, json};

use crate::{
    common::{
        CONFIGURATION, CREDENTIAL, FIREWALL_RULE, SERVER, Story, azure_requests, database_from, eventually,
        ready,
    },
    story,
};

/// Applied until the webhook knows what the policy allows since a moment.
fn apply_allowed(story: &Story<'_>, manifest: &str) {
    eventually("the policy allows it", || story.apply(manifest).ok.then_some(()));
}

fn is_back(story: &Story<'_>, kept: &Story<'_>, name: &str, from: &str) -> Value {
    eventually("the record has had its day", || {
        kept.record().or_else(|| story.record()).is_none().then_some(())
    });
    story.wait_ready(name);
    let database = story.get("database", name).unwrap();
    assert_eq!(database["status"]["recovered"]["from"], from);
    assert!(database["status"]["recovered"]["since"].is_string(), "{}", database["status"]);
    database
}

#[test]
fn a_kept_server_comes_back_in_another_namespace_where_the_policy_lets_it() {
    let (old, new) = (story(), story());
    let from = format!("{}/main", old.namespace);
    old.database("main", "{sku: Standard_B2s, authentication: Password, parameters: {work_mem: \"8192\"}}")
        .succeeded();
    old.wait_ready("main");
    let (born, server) = (old.born(), old.server().name);
    old.delete_with("Retain");
    old.wait_record("Kept");

    // Whoever knows its name doesn't get the data.
    let manifest = database_from("ledger", &from, r#"{"authentication": "Password"}"#);
    let message = new.apply(&manifest).refused();
    assert!(message.contains("[DB213]") && message.contains("recoveries"), "{message}");
    new.allow_recovery(&from, &format!("{}/ledger", new.namespace));
    apply_allowed(&new, &manifest);

    let database = is_back(&new, &old, "ledger", &from);
    let status = &database["status"];
    assert_eq!((&status["server"]["name"], &status["databaseName"]), (&json!(server), &json!("main")));
    assert_eq!((old.born(), old.server().body["sku"]["name"].as_str()), (born.clone(), Some("Standard_B2s")));
    old.data_is_kept();
    assert_eq!(new.in_azure(SERVER).len(), 0, "no other server was made");
    let tags = &old.server().body["tags"];
    assert_eq!(
        [
            &tags["database-operator-namespace"],
            &tags["database-operator-name"],
            &tags["database-operator-server"]
        ],
        [new.namespace.as_str(), "ledger", server.as_str()]
    );
    // The ways in are the new one's.
    let credentials = old.in_azure(CREDENTIAL);
    let subject = format!("system:serviceaccount:{}:ledger", new.namespace);
    assert_eq!(credentials[0].body["properties"]["subject"], subject);
    assert_eq!((credentials.len(), old.in_azure(FIREWALL_RULE).len()), (1, 1));
    let secret = new.get("secret", "ledger-db-credentials").unwrap();
    assert!(secret["data"]["password"].is_string());
    assert_eq!(old.azure_objects(), [""; 0], "nothing bears the old marks");
    let work_mem = old.in_azure(CONFIGURATION);
    assert!(work_mem.iter().any(|parameter| parameter.id.ends_with("/work_mem")));

    // The former one can't have it back by itself.
    old.database("main", "{}").succeeded();
    old.wait_reason("main", "ServerNameTaken");
    // What was deleted by hand finds the same server again, by its tags.
    new.as_platform(&["delete", "flexibleserver", &server, "--wait=false"]).succeeded();
    eventually("the server's object is there again", || {
        let object = new.of_platform("flexibleserver", &server)?;
        let is_new = object["metadata"]["deletionTimestamp"].is_null();
        (is_new && object["spec"]["tags"]["database-operator-server"] == server.as_str()).then_some(())
    });
    new.wait_ready("ledger");
    assert_eq!(old.born(), born);
    old.data_is_kept();

    // From here on it is kept, and comes back, by its own name.
    new.kubectl(&["annotate", "database", "ledger", "altinn.app/retention=Retain"]).succeeded();
    new.kubectl(&["delete", "database", "ledger"]).succeeded();
    let record = new.wait_record("Kept");
    assert_eq!(record["spec"]["database"], format!("{}/ledger", new.namespace));
    new.database("ledger", "{}").succeeded();
    eventually("the record has had its day", || new.record().is_none().then_some(()));
    new.wait_ready("ledger");
    assert_eq!(old.born(), born);
    old.data_is_kept();
}

#[test]
fn under_another_name_in_the_same_namespace_it_is_the_same() {
    let story = story().with_database("{}");
    let (from, born) = (format!("{}/main", story.namespace), story.born());
    story.allow_recovery(&from, &format!("{}/renamed", story.namespace));
    story.delete_with("14d");
    story.wait_record("KeptUntil");
    apply_allowed(&story, &database_from("renamed", &from, "{}"));
    is_back(&story, &story, "renamed", &from);
    assert_eq!(story.born(), born);
    story.data_is_kept();
    let events = story.kubectl(&[
        "get",
        "events",
        "--field-selector=reason=Recovered",
        "-o=jsonpath={.items[*].note}{.items[*].message}",
    ]);
    assert!(events.succeeded().contains(&format!("of Database {from} is back")));
}

#[test]
fn where_nothing_is_kept_nothing_is_made() {
    let story = story();
    let from = format!("{}/gone", story.namespace);
    story.allow_recovery(&from, &format!("{}/main", story.namespace));
    apply_allowed(&story, &database_from("main", &from, "{}"));
    let database = story.wait_reason("main", "NothingToRecover");
    assert!(ready(&database)["message"].as_str().unwrap().contains("no server is made"));
    let marker = format!("prod-1-{}-", story.namespace);
    assert!(!azure_requests(story.sandbox).iter().any(|request| request.path.contains(&marker)));
    // Without the reference it is one like any other.
    story.kubectl(&["annotate", "database", "main", "altinn.app/recover-from-"]).succeeded();
    story.wait_ready("main");
    let message = story
        .kubectl(&["annotate", "database", "main", &format!("altinn.app/recover-from={from}")])
        .refused();
    assert!(message.contains("[DB212]"), "{message}");
}
