//! Changes of a live database.

use api::DatabaseRef;
use database_operator::azure::names;
use sandbox::azure::{Fault, Phase};
use serde_json::json;

use crate::{
    common::{CONFIGURATION, CREDENTIAL, Story, clear_faults_of, condition, database, eventually, inject},
    sandbox, story,
};

#[test]
fn size_disk_and_version_reach_azure() {
    let story = story();
    story.database("main", "{version: 16}").succeeded();
    story.wait_ready("main");
    story.database("main", "{version: 17, sku: Standard_B2s, storage: {sizeGiB: 64}}").succeeded();
    story.wait_ready("main");
    let server = story.server();
    assert_eq!(server.body["properties"]["version"], "17");
    assert_eq!(server.body["sku"]["name"], "Standard_B2s");
    assert_eq!(server.body["properties"]["storage"]["storageSizeGB"], 64);
    let status = &story.get("database", "main").unwrap()["status"];
    assert_eq!(status["server"]["sku"], "Standard_B2s");
    assert_eq!(status["server"]["sizeGiB"], 64);
}

#[test]
fn what_was_filled_in_or_written_stays_when_it_is_left_out_again() {
    let story = story();
    let (full, empty) = (database("main", "{version: 16, sku: Standard_B2s}"), database("main", "{}"));
    story.apply_with(&["--server-side"], &full).succeeded();
    story.apply_with(&["--server-side"], &empty).succeeded();
    let spec = &story.get("database", "main").unwrap()["spec"];
    assert_eq!(*spec, json!({"version": 16, "sku": "Standard_B2s", "storage": {"sizeGiB": 32}}));
}

#[test]
fn a_disk_that_grew_by_itself_stays_as_large() {
    let story = story();
    story.database("main", "{storage: {sizeGiB: 32}}").succeeded();
    story.wait_ready("main");
    let server = story.server();
    let grown = json!({"properties": {"storage": {"storageSizeGB": 128}}});
    crate::common::patch_azure(story.sandbox, &server.id, &grown);

    // A change of the size makes ASO read the server again and write it.
    story.database("main", "{storage: {sizeGiB: 32}, sku: Standard_B2s}").succeeded();
    eventually("the size is changed and the disk is as large as it was", || {
        let server = story.server();
        (server.body["sku"]["name"] == "Standard_B2s"
            && server.body["properties"]["storage"]["storageSizeGB"] == 128)
            .then_some(())
    });
    eventually("the status tells the larger disk", || {
        let database = story.get("database", "main")?;
        (database["status"]["server"]["sizeGiB"] == 128
            && crate::common::ready(&database)["status"] == "True")
            .then_some(())
    });
}

#[test]
fn a_shrink_and_a_downgrade_are_refused_together() {
    let story = story();
    story.database("main", "{version: 17, storage: {sizeGiB: 64}}").succeeded();
    story.wait_ready("main");
    let message = story.database("main", "{version: 16, storage: {sizeGiB: 32}}").refused();
    assert!(message.contains("[DB104]") && message.contains("[DB105]"), "{message}");
}

#[test]
fn a_wish_that_azure_has_not_seen_yet_can_be_taken_back() {
    let story = story();
    story.database("main", "{version: 18, storage: {sizeGiB: 128}}").succeeded();
    story.database("main", "{version: 17, storage: {sizeGiB: 64}}").succeeded();
}

#[test]
fn a_status_that_names_somebody_elses_server_is_not_believed() {
    let (story, other) = (story(), story());
    other.database("main", "{}").succeeded();
    other.wait_ready("main");
    let foreign = other.server();
    story.database("main", "{}").succeeded();
    story.wait_ready("main");
    let own = story.server();
    let patch = json!({"status": {"server": {"name": foreign.name}}}).to_string();
    story
        .kubectl(&["patch", "database", "main", "--subresource=status", "--type=merge", "-p", &patch])
        .succeeded();
    eventually("the status names the own server again", || {
        let database = story.get("database", "main")?;
        (database["status"]["server"]["name"] == own.name.as_str()).then_some(())
    });
    assert_eq!(other.server().body["tags"], foreign.body["tags"]);
}

#[test]
fn standby_tier_backups_and_maintenance_reach_azure_and_change_there() {
    let story = Story::new(sandbox(), "full-prod");
    story
        .database(
            "main",
            "{storage: {tier: P20, autoGrow: true}, highAvailability: SameZone, backup: {retentionDays: 14, geoRedundant: \
             true}, maintenanceWindow: {day: Sunday, hour: 3}}",
        )
        .succeeded();
    story.wait_ready("main");
    let properties = story.server().body["properties"].clone();
    assert_eq!(properties["storage"]["tier"], "P20");
    assert_eq!(properties["storage"]["autoGrow"], "Enabled");
    assert_eq!(properties["highAvailability"]["mode"], "SameZone");
    assert_eq!(properties["backup"]["backupRetentionDays"], 14);
    assert_eq!(properties["backup"]["geoRedundantBackup"], "Enabled");
    assert_eq!(properties["maintenanceWindow"]["customWindow"], "Enabled");
    assert_eq!(properties["maintenanceWindow"]["dayOfWeek"], 0);
    assert_eq!(properties["maintenanceWindow"]["startHour"], 3);

    // What is left out stays, and geo-redundancy was decided when the server was made.
    story.database("main", "{storage: {tier: P30}, backup: {retentionDays: 21}}").succeeded();
    eventually("the change is in Azure", || {
        let properties = story.server().body["properties"].clone();
        (properties["storage"]["tier"] == "P30" && properties["backup"]["backupRetentionDays"] == 21)
            .then_some(())
    });
    let properties = story.server().body["properties"].clone();
    assert_eq!(properties["highAvailability"]["mode"], "SameZone");
    assert_eq!(properties["maintenanceWindow"]["startHour"], 3);
    assert_eq!(properties["backup"]["geoRedundantBackup"], "Enabled");
    story.wait_ready("main");
    let message = story.database("main", "{backup: {geoRedundant: false}}").refused();
    assert!(message.contains("[DB110]"), "{message}");
}

#[test]
fn a_field_that_is_edited_away_comes_back_as_it_was() {
    let story = story();
    story.database("main", "{version: 16, sku: Standard_B2s, storage: {sizeGiB: 64}}").succeeded();
    let stored = story.get("database", "main").unwrap()["spec"].clone();
    for removed in ["/spec/sku", "/spec/version", "/spec/storage", "/spec/storage/sizeGiB"] {
        let patch = json!([{"op": "remove", "path": removed}]).to_string();
        story.kubectl(&["patch", "database", "main", "--type=json", "-p", &patch]).succeeded();
        assert_eq!(story.get("database", "main").unwrap()["spec"], stored, "without {removed}");
    }
    // The same for who edits it away,
    for line in ["sku:", "version:", "sizeGiB:"] {
        let output = story.edit("database", "main", &format!("/^  *{line}/d"));
        assert!(output.ok, "{output:?}");
        assert_eq!(story.get("database", "main").unwrap()["spec"], stored, "without {line}");
    }
    // and for who replaces the whole object.
    story.replace(&database("main", "{}")).succeeded();
    assert_eq!(story.get("database", "main").unwrap()["spec"], stored);
}

#[test]
fn two_who_apply_the_same_object_do_not_undo_each_other() {
    let story = story();
    let apply = |manager: &str, spec: &str| {
        let manager = format!("--field-manager={manager}");
        story.apply_with(&["--server-side", &manager], &database("main", spec)).succeeded();
        story.get("database", "main").unwrap()["spec"].clone()
    };
    apply("one", "{sku: Standard_B2s}");
    let both = apply("two", "{storage: {sizeGiB: 64}}");
    assert_eq!(both, json!({"version": 17, "sku": "Standard_B2s", "storage": {"sizeGiB": 64}}));
    assert_eq!(apply("one", "{sku: Standard_B2s}"), both);
    // One of them lets go of its field: its value stays.
    assert_eq!(apply("one", "{}"), both);
    assert_eq!(apply("two", "{}"), both);
}

/// Name, source and value of each server parameter that was ever set.
fn parameters(story: &Story<'_>) -> Vec<(String, String, String)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let mut all: Vec<_> = story
        .in_azure(CONFIGURATION)
        .iter()
        .map(|set| {
            let properties = &set.body["properties"];
            (text(&set.body["name"]), text(&properties["source"]), text(&properties["value"]))
        })
        .collect();
    all.sort();
    all
}

fn set(all: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
    all.iter().map(|(name, source, value)| ((*name).into(), (*source).into(), (*value).into())).collect()
}

#[test]
fn extensions_and_parameters_reach_azure_and_what_is_left_out_gets_its_default_back() {
    let story = story();
    story
        .database(
            "main",
            "{extensions: [vector, PgCrypto], parameters: {work_mem: \"8192\", log_statement: ddl}}",
        )
        .succeeded();
    story.wait_ready("main");
    assert_eq!(
        parameters(&story),
        set(&[
            ("azure.extensions", "user-override", "pgcrypto,vector"),
            ("log_statement", "user-override", "ddl"),
            ("work_mem", "user-override", "8192"),
        ])
    );
    // Parallel ones would have been refused, and sent again.
    let puts = crate::common::azure_requests(story.sandbox).into_iter().filter(|request| {
        request.method == "PUT"
            && request.path.contains(&story.namespace)
            && request.path.contains("/configurations/")
    });
    assert_eq!(puts.count(), 3);

    // One that waits for a restart, one that changes, and one that goes.
    story
        .database(
            "main",
            "{extensions: [pgaudit], parameters: {work_mem: \"16384\", max_connections: \"100\"}}",
        )
        .succeeded();
    story.wait_ready("main");
    assert_eq!(
        parameters(&story),
        set(&[
            ("azure.extensions", "user-override", "pgaudit"),
            ("log_statement", "system-default", "none"),
            ("max_connections", "user-override", "100"),
            ("shared_preload_libraries", "user-override", "pg_cron,pg_stat_statements,pgaudit"),
            ("work_mem", "user-override", "16384"),
        ])
    );
    let due = condition(&story.get("database", "main").unwrap(), "RestartPending").unwrap();
    let message = due["message"].as_str().unwrap();
    assert!(
        message.starts_with("max_connections, shared_preload_libraries will be in effect after"),
        "{message}"
    );

    story.database("main", "{}").succeeded();
    story.wait_ready("main");
    // Azure's default of this one is less than what a new server loads.
    let libraries = set(&[("shared_preload_libraries", "user-override", "pg_cron,pg_stat_statements")]);
    let kept: Vec<_> =
        parameters(&story).into_iter().filter(|(_, source, _)| source != "system-default").collect();
    assert_eq!(kept, libraries);
    story.data_is_kept();
}

#[test]
fn a_parameter_that_azure_refuses_is_named_and_holds_up_no_other() {
    let story = story();
    // What admission can't tell, such as what a version takes that isn't known.
    let server = names::server("prod-1", DatabaseRef::new(&story.namespace, "main"));
    let fault = Fault {
        method: Some("PUT".to_owned()),
        path: format!("*/flexibleServers/{server}/configurations/pgaudit.log"),
        status: 400,
        code: "InvalidConfigurationValue".to_owned(),
        message: "The value 'role' for configuration 'pgaudit.log' is not valid.".to_owned(),
        retry_after_seconds: None,
        times: 1000,
        phase: Phase::Request,
    };
    inject(story.sandbox, &fault);
    story
        .database("main", "{extensions: [pgaudit], parameters: {pgaudit.log: role, work_mem: \"8192\"}}")
        .succeeded();
    let message = eventually("Azure's words are in the status", || {
        let message = crate::common::ready(&story.get("database", "main")?)["message"].as_str()?.to_owned();
        message.contains("'role'").then_some(message)
    });
    assert!(message.contains("pgaudit.log"), "{message}");
    eventually("the other parameter is set", || {
        parameters(&story).iter().any(|(name, _, value)| name == "work_mem" && value == "8192").then_some(())
    });
    assert!(story.get("secret", "main-db-credentials").is_some(), "apps can log in");
    clear_faults_of(story.sandbox, &fault.path);
    story
        .database("main", "{extensions: [pgaudit], parameters: {pgaudit.log: ddl, work_mem: \"8192\"}}")
        .succeeded();
    story.wait_ready("main");
}

#[test]
fn another_service_account_gets_the_login() {
    let story = story();
    story.database("main", "{serviceAccountName: orders-api}").succeeded();
    story.wait_ready("main");
    assert!(story.get("serviceaccount", "orders-api").is_some());
    story.kubectl(&["create", "serviceaccount", "orders-worker"]).succeeded();
    story.database("main", "{serviceAccountName: orders-worker}").succeeded();
    story.wait_ready("main");
    let own = story.get("serviceaccount", "orders-worker").unwrap();
    assert!(own["metadata"]["annotations"]["azure.workload.identity/client-id"].is_string(), "{own}");
    let credentials = story.in_azure(CREDENTIAL);
    let subject = format!("system:serviceaccount:{}:orders-worker", story.namespace);
    assert_eq!(credentials.len(), 1);
    assert_eq!(credentials[0].body["properties"]["subject"], subject);
}
