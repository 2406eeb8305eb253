//! The guard against deletes, layer by layer: what still holds when one of them is gone.

use sandbox::{Options, Sandbox};

use crate::{
    common::{SERVER, Story, eventually, ready, run},
    missing::CRDS,
    policy::{GOOD, Restored, apply_policy, delete_policy},
    sandbox,
};

pub(crate) const CONFIGURATIONS: &str = "validatingwebhookconfiguration,mutatingwebhookconfiguration";
pub(crate) const POLICIES: &str = "validatingadmissionpolicybinding,validatingadmissionpolicy";

/// Objects that are taken away, and put back at the end of a story, also of one that failed.
pub(crate) struct Away<'a> {
    sandbox: &'a Sandbox,
    saved: String,
}

impl<'a> Away<'a> {
    pub(crate) fn take(sandbox: &'a Sandbox, kinds: &str) -> Self {
        let ours = ["get", kinds, "-l", "app.kubernetes.io/name=database-operator", "-o", "json"];
        let saved = without_versions(&run(sandbox.kubectl(&ours), "").succeeded());
        let delete = ["delete", kinds, "-l", "app.kubernetes.io/name=database-operator"];
        run(sandbox.kubectl(&delete), "").succeeded();
        Self { sandbox, saved }
    }
}

impl Drop for Away<'_> {
    fn drop(&mut self) {
        run(self.sandbox.kubectl(&["create", "-f", "-"]), &self.saved).succeeded();
    }
}

/// A list of objects that can be created again.
fn without_versions(list: &str) -> String {
    let mut list: serde_json::Value = serde_json::from_str(list).unwrap();
    for object in list["items"].as_array_mut().unwrap() {
        for key in ["resourceVersion", "uid", "creationTimestamp", "generation", "managedFields"] {
            object["metadata"].as_object_mut().unwrap().remove(key);
        }
    }
    list.to_string()
}

fn with_data<'a>(sandbox: &'a Sandbox, namespace: &str) -> Story<'a> {
    Story::new(sandbox, namespace).with_database("{}")
}

#[test]
fn without_the_webhooks_configuration_the_admission_policy_still_refuses() {
    let sandbox = sandbox();
    let story = with_data(&sandbox, "unwatched");
    let away = Away::take(&sandbox, CONFIGURATIONS);
    for (retention, code) in [
        (None, "DB201"),
        (Some("retain"), "DB206"),
        (Some("3651d"), "DB206"),
        (Some("9999d"), "DB206"),
        (Some("Destroy"), "DB202"),
    ] {
        if let Some(retention) = retention {
            let set = format!("altinn.app/retention={retention}");
            story.kubectl(&["annotate", "database", "main", "--overwrite", &set]).succeeded();
        }
        for arguments in
            [&["delete", "database", "main"][..], &["delete", "database", "main", "--dry-run=server"]]
        {
            let message = story.kubectl(arguments).refused();
            assert!(message.contains("(Forbidden)") && message.contains(code), "{retention:?}: {message}");
            assert_eq!(message.lines().count(), 1, "{message}");
        }
    }
    let collection = story.delete_collection("databases").refused();
    assert!(collection.contains("DB202"), "{collection}");
    // As many days as the webhook takes, and what it alone would say to them.
    story.kubectl(&["annotate", "database", "main", "--overwrite", "altinn.app/retention=3650d"]).succeeded();
    story.kubectl(&["delete", "database", "main", "--dry-run=server"]).succeeded();
    // Nor does the record of what is kept go by anybody's hand.
    story.delete_with("Retain");
    let record = story.wait_record("Kept");
    let message =
        story.as_platform(&["delete", "rdb", record["metadata"]["name"].as_str().unwrap()]).refused();
    assert!(message.contains("(Forbidden)") && message.contains("[DB210]"), "{message}");
    drop(away);
    story.database("main", "{}").succeeded();
    eventually("the operator's own delete of it passes", || story.record().is_none().then_some(()));
    story.data_is_kept();
}

#[test]
fn without_the_admission_policy_the_webhook_refuses_the_same() {
    let sandbox = sandbox();
    let story = with_data(&sandbox, "half-watched");
    let away = Away::take(&sandbox, POLICIES);
    for (retention, code) in [(None, "DB201"), (Some("retain"), "DB206"), (Some("Destroy"), "DB202")] {
        if let Some(retention) = retention {
            let set = format!("altinn.app/retention={retention}");
            story.kubectl(&["annotate", "database", "main", "--overwrite", &set]).succeeded();
        }
        // The API server takes a second to forget its admission policies.
        let message = eventually("the webhook is asked", || {
            let message = story.kubectl(&["delete", "database", "main", "--dry-run=server"]).refused();
            message.contains("admission webhook \"databases.altinn.app\" denied").then_some(message)
        });
        assert!(message.contains("(Forbidden)") && message.contains(code), "{retention:?}: {message}");
    }
    drop(away);
    story.data_is_kept();
}

/// Whoever asks, and whatever the request names.
#[test]
fn without_the_admission_policy_the_webhook_refuses_collections_the_garbage_collector_and_the_namespace_controller()
 {
    let sandbox = sandbox();
    let story = with_data(&sandbox, "swept-at");
    let away = Away::take(&sandbox, POLICIES);
    let denied = "admission webhook \"databases.altinn.app\" denied the request";
    eventually("the webhook is asked", || {
        story
            .kubectl(&["delete", "database", "main", "--dry-run=server"])
            .refused()
            .contains(denied)
            .then_some(())
    });
    for output in [story.delete_collection("databases"), story.kubectl(&["delete", "databases", "--all"])] {
        let message = output.refused();
        assert!(message.contains(denied) && message.contains("[DB201]"), "{message}");
    }

    story.kubectl(&["create", "configmap", "owner"]).succeeded();
    let uid = story.get("configmap", "owner").unwrap()["metadata"]["uid"].clone();
    let owner = serde_json::json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid});
    let patch = serde_json::json!({"metadata": {"ownerReferences": [owner]}}).to_string();
    story.kubectl(&["patch", "database", "main", "--type=merge", "-p", &patch]).succeeded();
    story.kubectl(&["delete", "configmap", "owner"]).succeeded();
    eventually("the garbage collector was refused", || {
        let log =
            std::fs::read_to_string(sandbox.directory().join("logs/kube-controller-manager.log")).unwrap();
        let is_refused = |line: &str| {
            line.contains("swept-at") && line.contains("admission webhook") && line.contains("DB201")
        };
        log.lines().any(is_refused).then_some(())
    });
    assert!(story.get("database", "main").unwrap()["metadata"]["deletionTimestamp"].is_null());

    // Past the guard of namespaces, which is asked with `failurePolicy: Ignore`.
    sandbox.process("webhook").pause().unwrap();
    let delete = story.kubectl(&["delete", "namespace", "swept-at", "--wait=false"]);
    sandbox.process("webhook").resume().unwrap();
    delete.succeeded();
    let message = namespace_failure(&story);
    assert!(message.contains(denied) && message.contains("[DB201]"), "{message}");
    assert!(story.get("database", "main").unwrap()["metadata"]["deletionTimestamp"].is_null());
    story.data_is_kept();
    drop(away);
    story.kubectl(&["annotate", "database", "main", "altinn.app/retention=Retain"]).succeeded();
    eventually("the namespace is gone", || story.get("namespace", "swept-at").is_none().then_some(()));
    story.data_is_kept();
}

/// Why the namespace controller can't delete what is in the namespace.
fn namespace_failure(story: &Story<'_>) -> String {
    eventually("the namespace tells why it stays", || {
        let namespace = story.get("namespace", &story.namespace)?;
        let conditions = namespace["status"]["conditions"].as_array()?.clone();
        let failure = conditions.into_iter().find(|condition| {
            condition["type"] == "NamespaceDeletionContentFailure" && condition["status"] == "True"
        })?;
        Some(failure["message"].as_str()?.to_owned())
    })
}

#[test]
fn where_a_profile_keeps_the_data_by_itself_a_delete_need_not_say_so() {
    let sandbox = sandbox();
    let story = with_data(&sandbox, "throw-away");
    let restored = Restored(&sandbox);
    // As with the chart's `deleteGuard.whenMissing: webhook`.
    let away = Away::take(&sandbox, POLICIES);
    apply_policy(&sandbox, &GOOD.replace("whenMissing: deny", "whenMissing: Retain"));
    eventually("a delete that says nothing passes", || {
        story.kubectl(&["delete", "database", "main", "--dry-run=server"]).ok.then_some(())
    });
    story.kubectl(&["delete", "database", "main"]).succeeded();
    drop((away, restored));
    assert!(story.get("database", "main").is_none());
    story.data_is_kept();
}

#[test]
fn without_a_policy_a_delete_that_says_nothing_is_refused_and_one_that_keeps_the_data_passes() {
    let sandbox = sandbox();
    let story = with_data(&sandbox, "unruled");
    let restored = Restored(&sandbox);
    delete_policy(&sandbox);
    sandbox.process("webhook").restart().unwrap();
    let message = story.kubectl(&["delete", "database", "main"]).refused();
    assert!(message.contains("(Forbidden)") && message.contains("[DB201]"), "{message}");
    story.kubectl(&["annotate", "database", "main", "altinn.app/retention=Retain"]).succeeded();
    story.kubectl(&["delete", "database", "main"]).succeeded();
    drop(restored);
    story.data_is_kept();
}

#[test]
fn a_delete_that_gets_past_all_of_admission_keeps_the_data() {
    let sandbox = sandbox();
    let story = with_data(&sandbox, "bypassed");
    let away = (Away::take(&sandbox, CONFIGURATIONS), Away::take(&sandbox, POLICIES));
    eventually("the API server has forgotten its admission policies", || {
        story.kubectl(&["delete", "database", "main", "--dry-run=server"]).ok.then_some(())
    });
    let deleted = story.kubectl(&["delete", "database", "main"]);
    drop(away);
    deleted.succeeded();
    assert!(story.get("database", "main").is_none());
    story.data_is_kept();
}

#[test]
fn a_change_that_gets_past_all_of_admission_is_not_built_when_policy_forbids_it() {
    let sandbox = sandbox();
    let story = with_data(&sandbox, "forced");
    let away = Away::take(&sandbox, CONFIGURATIONS);
    let patch =
        ["patch", "database", "main", "--type=merge", "-p", r#"{"spec": {"sku": "Standard_E64ds_v5"}}"#];
    let patched = story.kubectl(&patch);
    drop(away);
    patched.succeeded();
    let message = ready(&story.wait_reason("main", "PolicyDenied"))["message"].to_string();
    assert!(message.contains("Standard_E64ds_v5") && message.contains("[DB101]"), "{message}");
    assert_eq!(story.server().body["sku"]["name"], "Standard_B1ms");
    story.database("main", "{sku: Standard_B1ms}").succeeded();
    story.wait_ready("main");
}

#[test]
fn without_its_finalizer_the_object_goes_and_the_data_stays() {
    let sandbox = sandbox();
    let story = with_data(&sandbox, "unheld");
    let before = story.server();
    // The controller would put it back.
    sandbox.process("controller").stop().unwrap();
    let none = r#"{"metadata": {"finalizers": null, "annotations": {"altinn.app/retention": "Retain"}}}"#;
    let patched = story.kubectl(&["patch", "database", "main", "--type=merge", "-p", none]);
    let finalizers = story.get("database", "main").map(|database| database["metadata"]["finalizers"].clone());
    let deleted = story.kubectl(&["delete", "database", "main"]);
    sandbox.process("controller").start().unwrap();
    patched.succeeded();
    assert_eq!(finalizers, Some(serde_json::Value::Null));
    deleted.succeeded();
    story.data_is_kept();
    story.database("main", "{}").succeeded();
    story.wait_ready("main");
    assert_eq!(story.server().id, before.id);
    story.data_is_kept();
}

#[test]
fn with_the_webhook_down_a_namespace_can_be_deleted_and_its_databases_hold_it() {
    let sandbox = sandbox();
    let story = with_data(&sandbox, "held");
    // Stopped and not killed: it is back at once, before the namespace controller waits long between its tries.
    sandbox.process("webhook").pause().unwrap();
    let delete = story.kubectl(&["delete", "namespace", "held", "--wait=false"]);
    sandbox.process("webhook").resume().unwrap();
    delete.succeeded();
    let message = namespace_failure(&story);
    assert!(message.contains("[DB201]"), "{message}");
    assert!(story.get("database", "main").is_some());
    story.data_is_kept();

    story.kubectl(&["annotate", "database", "main", "altinn.app/retention=Retain"]).succeeded();
    eventually("the namespace is gone", || story.get("namespace", "held").is_none().then_some(()));
    story.data_is_kept();
}

#[test]
fn with_the_webhook_down_nobody_deletes_our_crd() {
    let sandbox = sandbox();
    let story = with_data(&sandbox, "crd-held");
    sandbox.process("webhook").kill().unwrap();
    let message = story.kubectl(&["delete", "crd", "databases.altinn.app"]);
    sandbox.process("webhook").start().unwrap();
    assert!(message.refused().contains("failed calling webhook \"crds.databases.altinn.app\""));
    let message = story.kubectl(&["delete", "crd", "databases.altinn.app", "--dry-run=server"]).refused();
    assert!(message.contains("crd-held/main") && message.contains("[DB302]"), "{message}");
    // Other CRDs are none of ours.
    let kept = "flexibleservers.dbforpostgresql.azure.com";
    story.kubectl(&["delete", "crd", kept, "--dry-run=server"]).succeeded();
    story.data_is_kept();
}

#[test]
fn deleting_the_crd_past_admission_keeps_every_server_and_the_manifest_finds_it_again() {
    let sandbox = Sandbox::start(&Options::without_postgres()).unwrap_or_else(|error| panic!("{error}"));
    let story = Story::new(&sandbox, "swept");
    story.database("main", "{storage: {sizeGiB: 64}}").succeeded();
    story.wait_ready("main");
    let before = story.server();
    let message = story.kubectl(&["delete", "crd", "databases.altinn.app"]).refused();
    assert!(
        message.contains("first, by its own rules: swept/main") && message.contains("[DB302]"),
        "{message}"
    );

    let away = Away::take(&sandbox, CONFIGURATIONS);
    story.kubectl(&["delete", "crd", "databases.altinn.app"]).succeeded();
    story.data_is_kept();
    run(sandbox.kubectl(&["apply", "--server-side", "-f", CRDS]), "").succeeded();
    drop(away);
    eventually("the manifest is taken again", || story.database("main", "{}").ok.then_some(()));
    story.wait_ready("main");
    let after = story.server();
    assert_eq!(after.id, before.id);
    assert_eq!(after.body["properties"]["storage"]["storageSizeGB"], 64);
    story.data_is_kept();
    assert_eq!(story.in_azure(SERVER).len(), 1);
}
