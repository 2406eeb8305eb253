//! Something that the operator needs isn't there.

use std::{
    io::Read,
    process::{Child, Command, Stdio},
};

use sandbox::{Options, Sandbox};
use serde_json::{Value, json};

use crate::{
    common::{OPERATOR_NAMESPACE, SERVER, Story, eventually, metric, ready, run},
    guard::{Away, CONFIGURATIONS, POLICIES},
    sandbox,
};

#[test]
fn without_azure_service_operator_a_database_says_so_and_heals_by_itself() {
    let options = Options { without_aso: true, ..Options::without_postgres() };
    let sandbox = Sandbox::start(&options).unwrap_or_else(|error| panic!("{error}"));
    let story = Story::new(&sandbox, "early");
    story.database("main", "{}").succeeded();
    let database = story.wait_reason("main", "AzureServiceOperatorMissing");
    let condition = ready(&database);
    assert_eq!(condition["status"], "False");
    let message = condition["message"].as_str().unwrap();
    assert!(message.contains("the CRD flexibleservers.dbforpostgresql.azure.com"), "{message}");
    let conditions = database["status"]["conditions"].as_array().unwrap();
    assert!(conditions.iter().any(|condition| condition["type"] == "Reconciling"), "{conditions:?}");

    sandbox.install_aso().unwrap();
    story.wait_ready("main");
    assert_eq!(story.in_azure(SERVER).len(), 1);
}

#[test]
fn with_the_webhook_down_nothing_is_created_and_nothing_deleted() {
    let sandbox = sandbox();
    let story = Story::new(&sandbox, "unguarded");
    story.database("main", "{}").succeeded();
    story.wait_ready("main");
    // So that no other layer refuses the delete first.
    story.kubectl(&["annotate", "database", "main", "altinn.app/retention=Retain"]).succeeded();
    sandbox.process("webhook").kill().unwrap();
    let create = story.database("other", "{}").refused();
    let delete = story.kubectl(&["delete", "database", "main"]).refused();
    sandbox.process("webhook").start().unwrap();
    assert!(create.contains("failed calling webhook \"databases.altinn.app\""), "{create}");
    assert!(delete.contains("failed calling webhook \"databases.altinn.app\""), "{delete}");
    story.data_is_kept();
    story.database("other", "{}").succeeded();
}

pub(crate) const CRDS: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/charts/database-operator/files/crds.yaml");

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn without_its_own_crd_the_controller_says_so_and_goes_on_when_it_comes() {
    let options = Options { without_aso: true, without_operator: true, ..Options::without_postgres() };
    let sandbox = Sandbox::start(&options).unwrap_or_else(|error| panic!("{error}"));
    let log = sandbox.directory().join("controller-without-crd.log");
    let stderr = std::fs::File::create(&log).unwrap();
    let mut controller = Command::new(env!("CARGO_BIN_EXE_database-operator"));
    controller
        .args(["controller", "--admin-listen", "127.0.0.1:0"])
        .env("KUBECONFIG", sandbox.kubeconfig())
        .stderr(stderr);
    let _controller = Running(controller.spawn().unwrap());
    let read = || std::fs::read_to_string(&log).unwrap();
    eventually("the controller says what is missing", || {
        read().contains("the CRD databases.altinn.app is not installed").then_some(())
    });
    // Where a pod of it would be.
    run(sandbox.kubectl(&["create", "namespace", "database-operator"]), "").succeeded();
    run(sandbox.kubectl(&["apply", "--server-side", "-f", CRDS]), "").succeeded();
    eventually("the controller goes on", || read().contains("controller running").then_some(()));
}

#[test]
fn without_a_kubeconfig_the_processes_end_with_a_line_that_says_what_to_set() {
    for mode in ["controller", "webhook"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_database-operator"));
        command.args([mode, "--admin-listen", "127.0.0.1:0"]).env("KUBECONFIG", "/nonexistent");
        if mode == "webhook" {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        let error = run(command, "").refused();
        assert!(error.contains("no cluster to talk to"), "{error}");
        assert!(error.contains("set KUBECONFIG to a kubeconfig"), "{error}");
    }
}

#[test]
fn a_port_that_is_taken_is_named_with_the_flag_that_changes_it() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (mode, flag) in
        [("webhook", "--listen"), ("webhook", "--admin-listen"), ("controller", "--admin-listen")]
    {
        let mut command = Command::new(env!("CARGO_BIN_EXE_database-operator"));
        command
            .args([mode, "--admin-listen", "127.0.0.1:0", flag, &address])
            .env("KUBECONFIG", "/nonexistent");
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut error = String::new();
        child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
        assert!(!child.wait().unwrap().success());
        assert!(error.contains(&format!("can't listen on {address}")), "{error}");
        assert!(error.contains(&format!("choose another address with {flag}")), "{error}");
    }
}

#[test]
fn a_database_that_can_not_be_read_holds_up_no_other_and_is_guarded_mended_and_deleted_like_one() {
    let options = Options { without_aso: true, ..Options::without_postgres() };
    let sandbox = Sandbox::start(&options).unwrap_or_else(|error| panic!("{error}"));
    let story = Story::new(&sandbox, "odd");
    let away = Away::take(&sandbox, CONFIGURATIONS);
    // Nobody judges it.
    eventually("the API server has forgotten the webhook", || {
        story.database("odd", "{highAvailability: Sideways}").ok.then_some(())
    });
    story.database("mended", "{highAvailability: Sideways}").succeeded();
    let unguarded = Away::take(&sandbox, POLICIES);
    let record = |name: &str, since: &str| {
        let record = json!({
            "apiVersion": "altinn.app/v1alpha1", "kind": "RetainedDatabase",
            "metadata": {"name": name, "namespace": OPERATOR_NAMESPACE},
            "spec": {
                "database": format!("odd/{name}"), "server": {"name": name}, "reason": "Deleted", "since": since,
            },
        });
        run(sandbox.kubectl(&["create", "-f", "-"]), &record.to_string())
    };
    // For the API server that is a time, and nobody else can read it.
    eventually("the API server has forgotten the policies", || {
        record("odd-record", "2026-11-28T12:00:00+99:99").ok.then_some(())
    });
    record("fine-record", "2026-11-28T12:00:00Z").succeeded();
    drop((away, unguarded));
    for process in ["controller", "webhook"] {
        sandbox.process(process).restart().unwrap();
    }
    // No watch has them, and the guards do.
    let message = story.kubectl(&["delete", "crd", "databases.altinn.app", "--dry-run=server"]).refused();
    assert!(
        message.contains("has 2 object(s)") && message.contains("odd/mended, odd/odd [DB302]"),
        "{message}"
    );
    let message = story.kubectl(&["delete", "namespace", "odd", "--dry-run=server"]).refused();
    assert!(message.contains("mended [DB201], odd [DB201]"), "{message}");
    story.database("fine", "{}").succeeded();
    story.wait_reason("fine", "AzureServiceOperatorMissing");
    let unreadable = || metric(&sandbox, "controller", "database_operator_databases_unreadable");
    assert_eq!(unreadable(), Some(2.0));
    eventually("the record that can be read is looked after", || {
        let record = story.as_platform(&["get", "rdb", "fine-record", "-o=json"]).succeeded();
        let record: Value = serde_json::from_str(&record).unwrap();
        (ready(&record)["reason"] == "AzureServiceOperatorMissing").then_some(())
    });
    let unreadable_records =
        || metric(&sandbox, "controller", "database_operator_retaineddatabases_unreadable");
    assert_eq!(unreadable_records(), Some(1.0));
    eventually("an event tells why", || {
        let events =
            ["get", "events", "--field-selector=involvedObject.name=odd,reason=Unreadable", "-o", "yaml"];
        story.kubectl(&events).succeeded().contains("Sideways").then_some(())
    });

    // It is judged as any other, and read again.
    let message = story.database("mended", "{sku: Standard_E64ds_v5}").refused();
    assert!(message.contains("[DB101]"), "{message}");
    story.database("mended", "{highAvailability: Disabled}").succeeded();
    story.wait_reason("mended", "AzureServiceOperatorMissing");
    eventually("it counts as readable", || (unreadable() == Some(1.0)).then_some(()));

    let message = story.kubectl(&["delete", "database", "odd"]).refused();
    assert!(message.contains("[DB201]"), "{message}");
    // Labels, annotations and finalizers are free.
    let held = r#"{"metadata": {"finalizers": ["example.com/hold"]}}"#;
    story.kubectl(&["patch", "database", "odd", "--type=merge", "-p", held]).succeeded();
    story.kubectl(&["annotate", "database", "odd", "altinn.app/retention=Retain"]).succeeded();
    story.kubectl(&["delete", "database", "odd", "--wait=false"]).succeeded();
    assert!(!story.get("database", "odd").unwrap()["metadata"]["deletionTimestamp"].is_null());
    let free = r#"{"metadata": {"finalizers": null}}"#;
    story.kubectl(&["patch", "database", "odd", "--type=merge", "-p", free]).succeeded();
    assert!(story.get("database", "odd").is_none());
}
