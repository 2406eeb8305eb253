//! Fields of the spec, one by one: set when the database is made, changed, and left out again.

use serde_json::{Value, json};

use crate::{
    common::{DATABASE, Story, eventually, patch_azure},
    sandbox, story,
};

/// What the server is in Azure now.
fn properties(story: &Story<'_>) -> Value {
    story.server().body["properties"].clone()
}

/// Applies a spec, and waits until it is in effect.
fn applied(story: &Story<'_>, spec: &str) {
    story.database("main", spec).succeeded();
    story.wait_ready("main");
}

#[test]
fn a_version_is_raised_in_place_and_the_status_says_so() {
    let story = story();
    applied(&story, "{version: 16}");
    let (born, host) = (story.born(), properties(&story)["fullyQualifiedDomainName"].clone());
    let version = || story.get("database", "main").unwrap()["status"]["server"]["version"].clone();
    assert_eq!(version(), "16");

    applied(&story, "{version: 17}");
    assert_eq!(properties(&story)["version"], "17");
    assert_eq!(version(), "17");
    // Left out, it stays, and so does everything else.
    applied(&story, "{}");
    assert_eq!(properties(&story)["version"], "17");
    assert_eq!(properties(&story)["fullyQualifiedDomainName"], host);
    assert_eq!(story.born(), born, "the same server");
    story.data_is_kept();
}

#[test]
fn a_disk_grows_by_itself_only_where_it_is_told_to() {
    let story = story();
    applied(&story, "{}");
    let auto_grow = || properties(&story)["storage"]["autoGrow"].clone();
    assert_eq!(auto_grow(), "Disabled", "Azure's own default");
    applied(&story, "{storage: {autoGrow: true}}");
    assert_eq!(auto_grow(), "Enabled");
    applied(&story, "{}");
    assert_eq!(auto_grow(), "Enabled", "left out, it stays");
    applied(&story, "{storage: {autoGrow: false}}");
    assert_eq!(auto_grow(), "Disabled");
    assert_eq!(properties(&story)["storage"]["storageSizeGB"], 32);
    story.data_is_kept();
}

#[test]
fn a_disk_that_is_made_larger_gets_the_tier_that_goes_with_it() {
    let story = story();
    applied(&story, "{storage: {sizeGiB: 32}}");
    assert_eq!(properties(&story)["storage"]["tier"], "P4");
    applied(&story, "{storage: {sizeGiB: 128}}");
    let storage = properties(&story)["storage"].clone();
    assert_eq!((&storage["storageSizeGB"], &storage["tier"]), (&json!(128), &json!("P10")));
    applied(&story, "{}");
    assert_eq!(properties(&story)["storage"], storage, "left out, it stays");
    story.data_is_kept();
}

#[test]
fn a_server_that_failed_over_is_resized_without_an_error() {
    let story = Story::new(sandbox(), "failed-over-prod");
    applied(&story, "{}");
    let zones = |properties: &Value| {
        let standby = &properties["highAvailability"]["standbyAvailabilityZone"];
        (properties["availabilityZone"].clone(), standby.clone())
    };
    let (primary, standby) = zones(&properties(&story));
    assert_ne!(primary, standby);
    let swapped = json!({"properties": {
        "availabilityZone": standby, "highAvailability": {"standbyAvailabilityZone": primary},
    }});
    patch_azure(story.sandbox, &story.server().id, &swapped);

    applied(&story, "{sku: Standard_D4ds_v5}");
    assert_eq!(story.server().body["sku"]["name"], "Standard_D4ds_v5");
    assert_eq!(zones(&properties(&story)), (standby, primary), "the zones are Azure's own business");
    let warnings = [
        "get",
        "events",
        "--field-selector=involvedObject.name=main,type=Warning",
        "-o",
        "jsonpath={.items[*].message}",
    ];
    assert_eq!(story.kubectl(&warnings).succeeded(), "");
    story.data_is_kept();
}

#[test]
fn backups_are_kept_longer_and_maintenance_gets_a_window_later_on() {
    let story = story();
    applied(&story, "{}");
    let before = properties(&story);
    assert_eq!(before["backup"]["backupRetentionDays"], 7, "Azure's own default");
    assert_eq!(before["maintenanceWindow"]["customWindow"], "Disabled", "Azure chooses");

    let window = || {
        let window = properties(&story)["maintenanceWindow"].clone();
        (window["customWindow"].clone(), window["dayOfWeek"].clone(), window["startHour"].clone())
    };
    let custom = |day: i32, hour: i32| (json!("Enabled"), json!(day), json!(hour));
    applied(&story, "{backup: {retentionDays: 35}, maintenanceWindow: {day: Sunday, hour: 0}}");
    assert_eq!(properties(&story)["backup"]["backupRetentionDays"], 35);
    assert_eq!(window(), custom(0, 0));
    applied(&story, "{backup: {retentionDays: 10}, maintenanceWindow: {day: Saturday, hour: 23}}");
    assert_eq!(properties(&story)["backup"]["backupRetentionDays"], 10);
    assert_eq!(window(), custom(6, 23));
    applied(&story, "{}");
    assert_eq!(properties(&story)["backup"]["backupRetentionDays"], 10, "left out, it stays");
    assert_eq!(window(), custom(6, 23));
    story.data_is_kept();
}

#[test]
fn a_database_has_the_name_that_was_asked_for_and_keeps_it() {
    let story = story();
    applied(&story, "{databaseName: orders}");
    let names = || story.in_azure(DATABASE).into_iter().map(|database| database.name).collect::<Vec<_>>();
    assert_eq!(names(), ["orders"]);
    let status = &story.get("database", "main").unwrap()["status"];
    assert_eq!(status["databaseName"], "orders");
    let path =
        ["get", "secret", "main-db-credentials", "-o", "go-template={{.data.database | base64decode}}"];
    assert_eq!(story.kubectl(&path).succeeded(), "orders");

    let message = story.database("main", "{databaseName: others}").refused();
    assert!(message.contains("[DB110]"), "{message}");
    applied(&story, "{sku: Standard_B2s}");
    eventually("it is resized", || (story.server().body["sku"]["name"] == "Standard_B2s").then_some(()));
    assert_eq!(names(), ["orders"]);
    story.data_is_kept();
}
