//! Azure refuses, or somebody does something in Azure, and the `Database` tells the truth of it.

use api::DatabaseRef;
use database_operator::azure::names;
use jiff::ToSpan;
use sandbox::azure::{Fault, Phase};
use serde_json::{Value, json};

use crate::{
    common::{
        ADMINISTRATOR, IDENTITY, Story, azure_requests, condition, delete_in_azure, eventually, inject,
        patch_azure, ready,
    },
    story,
};

fn server_name(story: &Story<'_>) -> String {
    names::server("prod-1", DatabaseRef::new(&story.namespace, "main"))
}

/// A fault of writes of the story's server, but of nothing that lies on it.
fn of_server(story: &Story<'_>, phase: Phase, status: u16, code: &str, times: u32) -> Fault {
    Fault {
        method: Some("PUT".to_owned()),
        path: format!("*/flexibleServers/{}", server_name(story)),
        status,
        code: code.to_owned(),
        message: "Azure says why.".to_owned(),
        retry_after_seconds: None,
        times,
        phase,
    }
}

/// Has Azure Service Operator compare an object with Azure, as the operator does: the empty `operatorSpec` comes or goes.
fn compare(story: &Story<'_>, kind: &str, comes: bool) {
    let change = json!({"spec": {"operatorSpec": if comes { json!({}) } else { Value::Null }}}).to_string();
    story.as_platform(&["patch", kind, &server_name(story), "--type=merge", "-p", &change]).succeeded();
}

fn database(story: &Story<'_>) -> Value {
    story.get("database", "main").unwrap()
}

fn writes_of_server(story: &Story<'_>) -> usize {
    let path = format!("/flexibleServers/{}", server_name(story));
    let requests = azure_requests(story.sandbox);
    requests.iter().filter(|request| request.method == "PUT" && request.path.ends_with(&path)).count()
}

#[test]
fn a_database_that_serves_stays_ready_when_azure_fails_a_comparison() {
    let story = story().with_database("{}");
    let born = ready(&database(&story))["lastTransitionTime"].clone();
    // Of the server, which is as wanted, it only asks; what lies on it is written at each comparison.
    let path = format!("*/flexibleServers/{}/firewallRules/cluster-egress", server_name(&story));
    let fault = of_server(&story, Phase::Request, 405, "MethodNotAllowed", 1);
    inject(story.sandbox, &Fault { path, ..fault });
    let rule = format!("{}-cluster-egress", server_name(&story));
    let compare_rule = |comes: bool| {
        let change =
            json!({"spec": {"operatorSpec": if comes { json!({}) } else { Value::Null }}}).to_string();
        let arguments = ["patch", "flexibleserversfirewallrule", &rule, "--type=merge", "-p", &change];
        story.as_platform(&arguments).succeeded();
    };
    compare_rule(true);
    story.wait_out_of_sync("main", "MethodNotAllowed");
    // An app goes on, whatever it loses.
    story.kubectl(&["delete", "secret", "main-db-credentials"]).succeeded();
    eventually("the Secret is back", || story.get("secret", "main-db-credentials"));
    assert_eq!(ready(&database(&story))["status"], "True");
    // It is tried again as soon as the object has another generation, whichever way.
    compare_rule(false);
    eventually("the trouble is over", || condition(&database(&story), "Synced").is_none().then_some(()));
    let ready = ready(&database(&story));
    assert_eq!((&ready["status"], &ready["lastTransitionTime"]), (&json!("True"), &born));
    story.data_is_kept();
}

#[test]
fn an_upgrade_that_azure_refuses_is_not_sent_again_before_another_wish() {
    let story = story().with_database("{version: 16}");
    inject(story.sandbox, &of_server(&story, Phase::Upgrade, 400, "MajorVersionUpgradeFailed", 1));
    let before = writes_of_server(&story);
    story.database("main", "{version: 17}").succeeded();
    let told = story.wait_reason("main", "UpgradeRefused");
    assert_eq!(condition(&told, "Stalled").unwrap()["reason"], "UpgradeRefused");
    assert_eq!(
        told["status"]["refused"]["changes"][0],
        json!({"field": "version", "from": "16", "to": "17"})
    );
    let object = eventually("Azure Service Operator has what runs again", || {
        let object = story.of_platform("flexibleserver", &server_name(&story)).unwrap();
        (ready(&object)["status"] == "True" && object["spec"]["version"] == "16").then_some(object)
    });
    assert_eq!(object["spec"]["version"], "16");
    assert_eq!(story.server().body["properties"]["version"], "16");
    // The one that failed, the one that writes back, and at most one try of Azure Service Operator's in between.
    let writes = writes_of_server(&story);
    assert!(writes - before <= 3, "{} writes", writes - before);
    std::thread::sleep(std::time::Duration::from_secs(10));
    assert_eq!(writes_of_server(&story), writes, "nothing is sent again");
    assert_eq!(ready(&database(&story))["reason"], "UpgradeRefused");
    // Another wish is tried.
    story.database("main", "{version: 17, backup: {retentionDays: 14}}").succeeded();
    story.wait_ready("main");
    assert_eq!(story.server().body["properties"]["version"], "17");
    assert_eq!(database(&story)["status"]["refused"], Value::Null);
    story.data_is_kept();
}

#[test]
fn an_identity_that_was_made_anew_is_the_administrator_again() {
    let story = story().with_database("{}");
    let administrator = || story.in_azure(ADMINISTRATOR).pop().map(|administrator| administrator.id);
    let before = administrator().unwrap();
    delete_in_azure(story.sandbox, &story.in_azure(IDENTITY)[0].id);
    compare(&story, "userassignedidentity", true);
    eventually("another identity administers the server", || {
        administrator().filter(|now| *now != before && story.in_azure(ADMINISTRATOR).len() == 1)
    });
    story.wait_ready("main");
    let client = story.in_azure(IDENTITY)[0].body["properties"]["clientId"].clone();
    eventually("the ServiceAccount follows", || {
        let account = story.get("serviceaccount", "main")?;
        (account["metadata"]["annotations"]["azure.workload.identity/client-id"] == client).then_some(())
    });
    story.data_is_kept();
}

#[test]
fn a_server_that_is_stopped_in_azure_is_told_as_that() {
    let story = story().with_database("{}");
    let id = story.server().id;
    patch_azure(story.sandbox, &id, &json!({"properties": {"state": "Stopped"}}));
    compare(&story, "flexibleserver", true);
    let told = story.wait_reason("main", "ServerStopped");
    assert_eq!(ready(&told)["status"], "False");
    assert!(told["status"]["host"].is_string());
    patch_azure(story.sandbox, &id, &json!({"properties": {"state": "Ready"}}));
    // Else it is looked at again within minutes.
    compare(&story, "flexibleserver", false);
    story.wait_ready("main");
    story.data_is_kept();
}

#[test]
fn what_is_done_by_hand_in_azure_stays_while_the_database_is_paused() {
    let story = story().with_database("{}");
    let day = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date().saturating_add(7.days());
    story
        .kubectl(&["annotate", "database", "main", &format!("altinn.app/paused=an incident@{day}")])
        .succeeded();
    let policy = "serviceoperator.azure.com/reconcile-policy";
    eventually("Azure Service Operator only looks", || {
        let object = story.of_platform("flexibleserver", &server_name(&story))?;
        (object["metadata"]["annotations"][policy] == "skip").then_some(())
    });
    eventually("it is told", || {
        condition(&database(&story), "Paused").filter(|paused| paused["status"] == "True")
    });
    let id = story.server().id;
    let access = |access: &str| json!({"properties": {"network": {"publicNetworkAccess": access}}});
    patch_azure(story.sandbox, &id, &access("Disabled"));
    let writes = writes_of_server(&story);
    compare(&story, "flexibleserver", true);
    story.database("main", "{sku: Standard_B2s}").succeeded();
    story.wait_reason("main", "Paused");
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert_eq!(writes_of_server(&story), writes);
    assert_eq!(story.server().body["properties"]["network"]["publicNetworkAccess"], "Disabled");
    // Taken off, everything is as it is written again.
    story.kubectl(&["annotate", "database", "main", "altinn.app/paused-"]).succeeded();
    story.wait_ready("main");
    assert_eq!(story.server().body["sku"]["name"], "Standard_B2s");
    eventually("it is open again", || {
        (story.server().body["properties"]["network"]["publicNetworkAccess"] == "Enabled").then_some(())
    });
    let object = story.of_platform("flexibleserver", &server_name(&story)).unwrap();
    assert_eq!(object["metadata"]["annotations"]["altinn.app/paused"], Value::Null);
    story.data_is_kept();
}

#[test]
fn what_somebody_has_left_alone_is_left_alone_and_told() {
    let story = story().with_database("{}");
    let name = server_name(&story);
    let policy = "serviceoperator.azure.com/reconcile-policy";
    story
        .as_platform(&["annotate", "userassignedidentity", &name, "--overwrite", &format!("{policy}=skip")])
        .succeeded();
    story.wait_out_of_sync("main", "LeftAlone");
    let object = story.as_platform(&["get", "userassignedidentity", &name, "-o=json"]).succeeded();
    assert!(object.contains("reconcile-policy\": \"skip\""), "{object}");
    story.as_platform(&["annotate", "userassignedidentity", &name, &format!("{policy}-")]).succeeded();
    eventually("it is told no longer", || condition(&database(&story), "Synced").is_none().then_some(()));
    story.data_is_kept();
}
