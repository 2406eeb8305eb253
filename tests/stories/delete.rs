//! Deleting is safe: each way in which a database can be deleted ends with its data still in Azure.

use jiff::ToSpan;
use serde_json::json;

use crate::{
    common::{DATABASE, SERVER, Story, eventually, run},
    story,
};

/// A database that is ready, in a namespace of its own.
fn with_data() -> Story<'static> {
    story().with_database("{}")
}

#[test]
fn a_delete_that_does_not_say_what_becomes_of_the_data_is_refused() {
    let story = with_data();
    let message = story.kubectl(&["delete", "database", "main"]).refused();
    assert!(message.contains("[DB201]"), "{message}");
    assert!(message.contains("It takes two steps (in Git, two commits): set it to \"Retain\""), "{message}");
    assert_eq!(message.lines().count(), 1, "{message}");
    for arguments in [
        &["delete", "databases", "--all"][..],
        &["delete", "database", "main", "--force", "--grace-period=0"],
        &["delete", "database", "main", "--cascade=orphan"],
        &["delete", "database", "main", "--cascade=foreground"],
        &["delete", "database", "main", "--dry-run=server"],
    ] {
        let message = story.kubectl(arguments).refused();
        assert!(message.contains("[DB201]"), "{arguments:?}: {message}");
    }
    // Such a request names no object.
    let collection = story.delete_collection("databases").refused();
    assert!(collection.contains("[DB201]"), "{collection}");
    assert!(story.get("database", "main").unwrap()["metadata"]["deletionTimestamp"].is_null());
    story.data_is_kept();
}

#[test]
fn a_collection_is_deleted_only_as_far_as_each_of_it_may_be() {
    let story = with_data();
    story.database("kept", "{}").succeeded();
    story.wait_ready("kept");
    story.kubectl(&["annotate", "database", "kept", "altinn.app/retention=Retain"]).succeeded();
    story.delete_collection("databases").refused();
    assert!(story.get("database", "main").unwrap()["metadata"]["deletionTimestamp"].is_null());
    eventually("the one that may go is gone", || story.get("database", "kept").is_none().then_some(()));
    // The data of both.
    assert_eq!((story.in_azure(SERVER).len(), story.in_azure(DATABASE).len()), (2, 2));
}

#[test]
fn a_value_that_does_not_count_is_warned_of_at_apply_and_refused_at_delete() {
    let story = with_data();
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let on = |namespace: &str, name: &str, days: i32| {
        format!("{namespace}/{name}@{}", today.saturating_add(days.days()))
    };
    let own = story.namespace.as_str();
    for (retention, confirmation, code) in [
        ("retain", None, "DB206"),
        ("yes", None, "DB206"),
        ("", None, "DB206"),
        ("0d", None, "DB206"),
        ("3651d", None, "DB206"),
        ("Destroy", None, "DB202"),
        ("Destroy", Some("yes"), "DB202"),
        ("Destroy", Some(&*on("payments", "main", 1)), "DB202"),
        ("Destroy", Some(&*on(own, "other", 1)), "DB202"),
        ("Destroy", Some(&*on(own, "main", -1)), "DB203"),
        ("Destroy", Some(&*on(own, "main", 8)), "DB203"),
    ] {
        let annotations = json!({"metadata": {"annotations": {
            "altinn.app/retention": retention, "altinn.app/confirm-destroy": confirmation,
        }}});
        let set =
            story.kubectl(&["patch", "database", "main", "--type=merge", "-p", &annotations.to_string()]);
        assert!(set.stderr.contains("Warning: altinn.app/retention: with"), "{set:?}");
        assert!(set.stderr.contains(code), "{set:?}");
        set.succeeded();
        let message = story.kubectl(&["delete", "database", "main"]).refused();
        assert!(message.contains(code), "{retention} {confirmation:?}: {message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
    story.data_is_kept();
}

#[test]
fn destroying_is_refused_where_policy_forbids_it() {
    let story = Story::new(crate::sandbox(), "kept-prod");
    story.database("main", "{}").succeeded();
    let confirm = ["annotate", "database", "main", "altinn.app/retention=Destroy"];
    story.kubectl(&confirm).succeeded();
    story.kubectl(&["annotate", "database", "main", &story.confirmation()]).succeeded();
    let message = story.kubectl(&["delete", "database", "main"]).refused();
    assert!(message.contains("\"Destroy\" is not allowed here") && message.contains("[DB204]"), "{message}");
    story.kubectl(&["annotate", "database", "main", "--overwrite", "altinn.app/retention=3d"]).succeeded();
    let message = story.kubectl(&["delete", "database", "main"]).refused();
    assert!(message.contains("write \"7d\" or \"Retain\"") && message.contains("[DB208]"), "{message}");
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
    story.data_is_kept();

    // A manifest of that name finds the same server, and what it leaves out is as it was.
    story.database("main", "{}").succeeded();
    story.wait_ready("main");
    let after = story.server();
    assert_eq!(after.id, before.id);
    assert_eq!(after.body["properties"]["storage"]["storageSizeGB"], 64);
    assert_eq!(after.body["properties"]["version"], "18");
    assert_eq!(after.body["sku"]["name"], "Standard_B2s");
    story.data_is_kept();
}

#[test]
fn deleting_the_namespace_is_refused_before_anything_in_it_dies() {
    let story = with_data();
    for arguments in [
        &["delete", "namespace", &story.namespace][..],
        &["delete", "namespace", &story.namespace, "--dry-run=server"],
        &["delete", "namespace", &story.namespace, "--force", "--grace-period=0"],
    ] {
        let message = story.kubectl(arguments).refused();
        assert!(message.contains("It holds main [DB201]"), "{message}");
        assert!(message.contains("[DB301]"), "{message}");
    }
    let namespace = story.get("namespace", &story.namespace).unwrap();
    assert!(namespace["metadata"]["deletionTimestamp"].is_null());
    assert!(story.get("secret", "main-db-credentials").is_some(), "the app goes on");

    // Saying what becomes of the data lets the namespace go, and the data stays.
    story.kubectl(&["annotate", "database", "main", "altinn.app/retention=Retain"]).succeeded();
    let output = story.kubectl(&["delete", "namespace", &story.namespace, "--wait=false"]);
    assert!(output.stderr.contains("1 Database(s) go with it, and their servers are kept"), "{output:?}");
    output.succeeded();
    eventually("the namespace is gone", || story.get("namespace", &story.namespace).is_none().then_some(()));
    story.data_is_kept();
}

#[test]
fn the_garbage_collector_gets_no_exemption() {
    let story = with_data();
    story.kubectl(&["create", "configmap", "owner"]).succeeded();
    let uid = story.get("configmap", "owner").unwrap()["metadata"]["uid"].clone();
    let owned = json!({"metadata": {"ownerReferences": [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid},
    ]}});
    story.kubectl(&["patch", "database", "main", "--type=merge", "-p", &owned.to_string()]).succeeded();
    story.kubectl(&["delete", "configmap", "owner"]).succeeded();
    eventually("the garbage collector was refused", || {
        let log = std::fs::read_to_string(story.sandbox.directory().join("logs/kube-controller-manager.log"));
        let refused = |line: &str| line.contains(&story.namespace) && line.contains("DB201");
        log.unwrap().lines().any(refused).then_some(())
    });
    assert!(story.get("database", "main").unwrap()["metadata"]["deletionTimestamp"].is_null());
    story.data_is_kept();
}

#[test]
fn while_it_is_deleted_the_fate_of_its_data_can_only_be_made_safer() {
    let story = with_data();
    // Something else holds it, so that there is time.
    let held = json!({"metadata": {
        "finalizers": ["altinn.app/retain-data", "example.com/hold"], "annotations": {"altinn.app/retention": "Retain"},
    }});
    story.kubectl(&["patch", "database", "main", "--type=merge", "-p", &held.to_string()]).succeeded();
    story.kubectl(&["delete", "database", "main", "--wait=false"]).succeeded();

    let worse = ["annotate", "database", "main", "--overwrite", "altinn.app/retention=Destroy"];
    let message = story.kubectl(&worse).refused();
    assert!(message.contains("can only be made safer") && message.contains("[DB205]"), "{message}");
    let spec = json!({"spec": {"sku": "Standard_B2s"}}).to_string();
    let message = story.kubectl(&["patch", "database", "main", "--type=merge", "-p", &spec]).refused();
    assert!(message.contains("[DB207]"), "{message}");
    // Asking again, labels and finalizers are free.
    story.kubectl(&["delete", "database", "main", "--wait=false"]).succeeded();
    story.kubectl(&["label", "database", "main", "team=a"]).succeeded();
    let free = json!({"metadata": {"finalizers": null}}).to_string();
    story.kubectl(&["patch", "database", "main", "--type=merge", "-p", &free]).succeeded();
    eventually("it is gone", || story.get("database", "main").is_none().then_some(()));
    story.data_is_kept();
}

#[test]
fn objects_of_azure_service_operator_that_are_deleted_by_hand_leave_the_data_alone() {
    let story = with_data();
    let server = story.server();
    for kind in ["flexibleserversdatabases", "flexibleservers"] {
        let arguments = ["-n", "database-operator", "delete", kind, &server.name, "--timeout=180s"];
        run(story.sandbox.kubectl(&arguments), "").succeeded();
    }
    story.data_is_kept();
    eventually("the server's object is back", || {
        let arguments =
            ["-n", "database-operator", "get", "flexibleservers", &server.name, "--ignore-not-found"];
        let found = run(story.sandbox.kubectl(&arguments), "").succeeded();
        (!found.is_empty()).then_some(())
    });
    story.data_is_kept();
}
