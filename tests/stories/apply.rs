//! From `kubectl apply` to a Ready database.

use std::collections::BTreeMap;

use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    common::{ADMINISTRATOR, DATABASE, FIREWALL_RULE, IDENTITY, Story, eventually, ready},
    sandbox, story,
};

#[rstest]
#[case::rfc_version("version.yaml")]
#[case::rfc_size("size.yaml")]
#[case::empty_spec("defaults.yaml")]
fn the_founding_manifests_become_ready(#[case] example: &str) {
    let story = story();
    let path = format!("{}/examples/{example}", env!("CARGO_MANIFEST_DIR"));
    story.kubectl(&["apply", "-f", &path]).succeeded();
    story.wait_ready("my-app-db");

    let server = story.server();
    assert_eq!(
        server.body["location"].as_str().map(|location| location.replace(' ', "").to_lowercase()),
        Some("norwayeast".into())
    );
    assert_eq!(server.body["sku"]["name"], "Standard_B1ms");
    assert_eq!(server.body["properties"]["version"], "17");
    assert_eq!(server.body["properties"]["storage"]["storageSizeGB"], 32);
    assert_eq!(server.body["tags"]["costcenter"], "4711");
    assert_eq!(server.body["tags"]["database-operator-namespace"], story.namespace.as_str());
    let rules = story.in_azure(FIREWALL_RULE);
    assert_eq!(rules[0].name, "cluster-egress");
    assert_eq!(rules[0].body["properties"]["startIpAddress"], "20.100.0.4");
    assert_eq!(story.in_azure(DATABASE)[0].name, "my_app_db");
}

#[test]
fn people_can_read_what_kubectl_lists() {
    let story = story();
    story.database("main", "{version: 17}").succeeded();
    story.wait_ready("main");
    let list = story.kubectl(&["get", "databases"]).succeeded();
    let mut lines = list.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    assert_eq!(lines.next().unwrap(), ["NAME", "READY", "REASON", "VERSION", "SKU", "HOST", "AGE"]);
    let row = lines.next().unwrap();
    assert_eq!(&row[..5], ["main", "True", "Ready", "17", "Standard_B1ms"]);
    assert!(row[5].ends_with(".postgres.database.azure.com"), "{row:?}");
    let wide = story.kubectl(&["get", "db", "-o", "wide"]).succeeded();
    assert!(wide.contains("The database is ready for connections"), "{wide}");
    let [head, row]: [&str; 2] = wide.lines().collect::<Vec<_>>().try_into().unwrap();
    let below = |name: &str| row[head.find(name).unwrap()..].split_whitespace().next().unwrap();
    assert!(below("MINOR").starts_with("17."), "{wide}");
    assert_eq!(below("SUPPORT"), "Current");
    let status = story.get("database", "main").unwrap()["status"].clone();
    assert_eq!(below("BACKUPS SINCE"), status["backups"]["earliestRestoreTime"]);
    let id = status["resourceId"].as_str().unwrap();
    assert!(id.to_lowercase().ends_with(&story.server().name), "{id}");
    assert_eq!(status["portalUrl"], format!("https://portal.azure.com/#resource{id}"));
}

#[test]
fn the_app_gets_a_secret_and_an_identity_that_administers_its_server() {
    let story = story();
    story.database("main", "{}").succeeded();
    story.wait_ready("main");

    let database = story.get("database", "main").unwrap();
    let status = &database["status"];
    assert_eq!(status["binding"]["name"], "main-db-credentials");
    let secret = story.get("secret", "main-db-credentials").unwrap();
    assert_eq!(secret["type"], "servicebinding.io/postgresql");
    let data = decoded(&secret["data"]);
    let keys: Vec<&str> = data.keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "PGDATABASE",
            "PGHOST",
            "PGPORT",
            "PGSSLMODE",
            "PGUSER",
            "ca.crt",
            "client-id",
            "database",
            "dbname",
            "host",
            "jdbc-uri",
            "port",
            "provider",
            "sslmode",
            "sslrootcert",
            "tenant-id",
            "type",
            "uri",
            "user",
            "username"
        ]
    );
    assert_eq!(data["host"], status["host"].as_str().unwrap());
    assert_eq!(data["sslmode"], "verify-full");
    assert_eq!(data["database"], "main");

    let identity = &story.in_azure(IDENTITY)[0];
    let account = story.get("serviceaccount", "main").unwrap();
    assert_eq!(
        account["metadata"]["annotations"]["azure.workload.identity/client-id"],
        identity.body["properties"]["clientId"]
    );
    let administrator = &story.in_azure(ADMINISTRATOR)[0];
    assert_eq!(administrator.body["properties"]["objectId"], identity.body["properties"]["principalId"]);
    assert_eq!(administrator.body["properties"]["principalName"], data["username"].as_str());
    let credentials =
        story.in_azure("Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials");
    assert_eq!(
        credentials[0].body["properties"]["subject"],
        format!("system:serviceaccount:{}:main", story.namespace)
    );
}

fn decoded(data: &Value) -> BTreeMap<String, String> {
    use base64::{Engine, prelude::BASE64_STANDARD};

    data.as_object()
        .unwrap()
        .iter()
        .map(|(key, value)| {
            let bytes = BASE64_STANDARD.decode(value.as_str().unwrap()).unwrap();
            (key.clone(), String::from_utf8(bytes).unwrap())
        })
        .collect()
}

#[test]
fn the_status_tells_what_was_filled_in_and_by_which_profile() {
    let story = story();
    story.database("main", "{version: 16}").succeeded();
    story.wait_ready("main");
    let database = story.get("database", "main").unwrap();
    assert_eq!(database["status"]["policy"]["profile"], "default");
    assert_eq!(
        database["status"]["policy"]["defaulted"],
        json!([
            {"field": "sku", "value": "Standard_B1ms", "profile": "default"},
            {"field": "storage.sizeGiB", "value": "32", "profile": "default"},
        ])
    );
    assert_eq!(database["status"]["observedGeneration"], database["metadata"]["generation"]);
    assert_eq!(ready(&database)["observedGeneration"], database["metadata"]["generation"]);
}

#[test]
fn the_first_profile_that_matches_the_namespace_decides() {
    let story = Story::new(sandbox(), "shop-prod");
    story.database("main", "{}").succeeded();
    let spec = &story.get("database", "main").unwrap()["spec"];
    assert_eq!(
        *spec,
        json!({
            "version": 17, "sku": "Standard_D2ds_v5", "storage": {"sizeGiB": 128},
            "highAvailability": "ZoneRedundant",
        })
    );
    story.wait_ready("main");
    let server = story.server().body;
    assert_eq!(server["sku"]["tier"], "GeneralPurpose");
    assert_eq!(server["properties"]["highAvailability"]["mode"], "ZoneRedundant");
}

#[test]
fn every_object_in_the_operators_namespace_leaves_azure_alone_when_it_is_deleted() {
    let story = story();
    story.database("main", "{}").succeeded();
    story.wait_ready("main");
    let kinds = "flexibleservers.dbforpostgresql.azure.com,flexibleserversdatabases.dbforpostgresql.azure.com,\
                 flexibleserversfirewallrules.dbforpostgresql.azure.com,\
                 flexibleserversadministrators.dbforpostgresql.azure.com,\
                 userassignedidentities.managedidentity.azure.com,\
                 federatedidentitycredentials.managedidentity.azure.com";
    let selector = format!("altinn.app/database-namespace={}", story.namespace);
    // What holds data only looks once it is as wanted; nothing that is deleted takes anything in Azure along.
    let expected = |object: &Value| {
        let holds_data =
            ["FlexibleServer", "FlexibleServersDatabase"].contains(&object["kind"].as_str().unwrap());
        if holds_data { "skip" } else { "detach-on-delete" }
    };
    eventually("every object keeps its resource in Azure", || {
        let list = story
            .kubectl(&["get", kinds, "-n", "database-operator", "-l", &selector, "-o", "json"])
            .succeeded();
        let list: Value = serde_json::from_str(&list).unwrap();
        let objects = list["items"].as_array().unwrap();
        assert_eq!(objects.len(), 6, "one of each kind");
        let policy = |object: &Value| {
            object["metadata"]["annotations"]["serviceoperator.azure.com/reconcile-policy"].clone()
        };
        objects.iter().all(|object| policy(object) == expected(object)).then_some(())
    });
}

#[test]
fn a_service_account_of_the_teams_own_is_annotated_and_stays_theirs() {
    let story = story();
    story.kubectl(&["create", "serviceaccount", "main"]).succeeded();
    story.database("main", "{}").succeeded();
    story.wait_ready("main");
    let account = story.get("serviceaccount", "main").unwrap();
    assert!(account["metadata"]["annotations"]["azure.workload.identity/client-id"].is_string(), "{account}");
    assert!(
        account["metadata"]["ownerReferences"].is_null(),
        "it would be deleted with the Database: {account}"
    );
    assert!(account["metadata"]["labels"].is_null(), "{account}");
}

#[test]
fn a_secret_that_is_not_ours_is_reported_and_left_alone() {
    let story = story();
    story
        .kubectl(&["create", "secret", "generic", "main-db-credentials", "--from-literal=mine=yes"])
        .succeeded();
    story.database("main", "{}").succeeded();
    let database = story.wait_reason("main", "NameTaken");
    let message = ready(&database)["message"].as_str().unwrap().to_owned();
    assert!(message.contains(&format!("Secret {}/main-db-credentials exists", story.namespace)), "{message}");
    let secret = story.get("secret", "main-db-credentials").unwrap();
    assert_eq!(secret["data"], json!({"mine": "eWVz"}));

    story.kubectl(&["delete", "secret", "main-db-credentials"]).succeeded();
    story.wait_ready("main");
}

#[test]
fn kubectl_explains_every_field() {
    let story = story();
    let text = story.kubectl(&["explain", "database.spec.storage.sizeGiB"]).succeeded();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("e.g. `128`. Can only grow; it may be larger in Azure"), "{text}");
}

#[test]
fn who_may_edit_a_namespace_may_have_databases_in_it_and_nothing_of_the_operators() {
    let story = story();
    story.kubectl(&["create", "rolebinding", "team", "--clusterrole=edit", "--user=ada"]).succeeded();
    let can = |verb: &str, what: &str| story.kubectl(&["auth", "can-i", verb, what, "--as=ada"]).ok;
    // The controller manager aggregates the roles.
    eventually("ada may create databases", || can("create", "databases.altinn.app").then_some(()));
    for verb in ["get", "patch", "delete"] {
        assert!(can(verb, "databases.altinn.app"), "{verb}");
    }
    let status = ["auth", "can-i", "patch", "databases.altinn.app", "--subresource=status", "--as=ada"];
    assert!(!story.kubectl(&status).ok);
    assert!(!can("get", "flexibleservers.dbforpostgresql.azure.com"));
}
