//! Copies in an Azure Backup vault, with the real Azure Service Operator: what is told of them is true, and nothing that the
//! operator does takes one away.

use std::sync::LazyLock;

use sandbox::{Options, Sandbox, azure::client::Client};
use serde_json::{Value, json};

use crate::{
    common::{Story, ask, azure_requests, condition, eventually, forget_dropped_servers, metric, ready, run},
    policy::{GOOD, apply_policy},
};

const VAULT: &str = "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg-backup/providers/Microsoft.DataProtection/\
                     backupVaults/bv-databases";
const CRD: &str = "backupvaultsbackupinstances.dataprotection.azure.com";

/// The example, with a vault.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let vault = format!(
        "  backupVault: {{id: {VAULT}, policies: {{weekly: pg-weekly-1y, archive: pg-monthly-10y}}}}\n"
    );
    GOOD.replacen("azure:\n", &format!("azure:\n{vault}"), 1)
});

/// Brings a vault into Azure, and into the policy.
pub(crate) fn bring(sandbox: &Sandbox) {
    let client = Client::new(sandbox.azure_control());
    ask(client.create_vault(VAULT, "norwayeast", &["pg-weekly-1y", "pg-monthly-10y"])).unwrap();
    apply_policy(sandbox, &POLICY);
}

/// A sandbox with a vault, in which Azure Service Operator looks at Azure every few seconds.
fn start() -> Sandbox {
    let options = Options { aso_sync_seconds: 3, ..Options::without_postgres() };
    let sandbox = Sandbox::start(&options).unwrap_or_else(|error| panic!("{error}"));
    bring(&sandbox);
    sandbox
}

/// Waits until the copies are told of with this reason.
pub(crate) fn wait_told(story: &Story<'_>, reason: &str) -> Value {
    eventually(&format!("VaultBackup has the reason {reason}"), || {
        let database = story.get("database", "main")?;
        (condition(&database, "VaultBackup")?["reason"] == reason).then_some(database)
    })
}

fn instances(story: &Story<'_>) -> Vec<sandbox::azure::Existing> {
    story.in_azure("Microsoft.DataProtection/backupVaults/backupInstances")
}

/// Nobody asked Azure to delete what makes copies.
fn assert_nothing_is_lost(sandbox: &Sandbox) {
    let lost = ask(Client::new(sandbox.azure_control()).lost_recovery_points()).unwrap();
    assert_eq!(lost, Vec::<String>::new());
    let mut deletes = azure_requests(sandbox);
    deletes.retain(|request| {
        request.method != "GET"
            && request.method != "PUT"
            && request.path.contains("Microsoft.DataProtection")
    });
    assert!(deletes.is_empty(), "{deletes:?}");
}

#[test]
fn what_azure_says_of_the_copies_is_told_though_azure_service_operator_is_content() {
    let sandbox = start();
    let story = Story::anywhere(&sandbox).with_database("{backup: {vault: weekly}}");
    let database = wait_told(&story, "Protected");
    let name = story.server().name;
    assert_eq!(
        database["status"]["backups"]["vault"],
        json!({"policy": "weekly", "instance": name, "state": "ProtectionConfigured"})
    );
    let made = instances(&story);
    assert_eq!(made.len(), 1);
    let properties = &made[0].body["properties"];
    assert_eq!(properties["policyInfo"]["policyId"], format!("{VAULT}/backupPolicies/pg-weekly-1y"));
    assert_eq!(properties["dataSourceInfo"]["resourceID"], story.server().id);

    let client = Client::new(sandbox.azure_control());
    let error = json!({
        "code": "UserErrorMissingPermissions", "message": "The vault lacks a role on the server.",
        "recommendedAction": ["Grant it.", "Then wait."],
    });
    for (state, error, reason, status) in [
        ("ConfiguringProtection", None, "ConfiguringProtection", "Unknown"),
        ("UpdatingProtection", None, "UpdatingProtection", "Unknown"),
        ("ConfiguringProtectionFailed", None, "ConfiguringProtectionFailed", "False"),
        ("ProtectionError", Some(&error), "ProtectionError", "False"),
        ("ProtectionStopped", None, "ProtectionStopped", "False"),
        ("BackupSchedulesSuspended", None, "BackupSchedulesSuspended", "False"),
        ("RetentionSchedulesSuspended", None, "RetentionSchedulesSuspended", "False"),
        ("NotProtected", None, "NotProtected", "False"),
        ("SoftDeleting", None, "SoftDeleting", "False"),
        ("SoftDeleted", None, "SoftDeleted", "False"),
        ("Invalid", None, "ProtectionInvalid", "False"),
        ("ProtectionConfigured", None, "Protected", "True"),
    ] {
        ask(client.set_protection(&made[0].id, state, error)).unwrap();
        let database = wait_told(&story, reason);
        let told = condition(&database, "VaultBackup").unwrap();
        assert_eq!(told["status"], status, "{told}");
        let words = "UserErrorMissingPermissions: The vault lacks a role on the server. Azure recommends: Grant it. Then wait.";
        assert_eq!(told["message"].as_str().unwrap().contains(words), error.is_some(), "{told}");
        assert_eq!(database["status"]["backups"]["vault"]["state"], state);
        assert_eq!(ready(&database)["status"], "True", "the app goes on");
        let content = story.of_platform("backupvaultsbackupinstance", &name).unwrap();
        assert_eq!(ready(&content)["status"], "True", "Azure Service Operator is content: {content}");
        let series = format!("database_operator_databases_vault{{state=\"{reason}\"}}");
        eventually("the metric says so", || {
            (metric(&sandbox, "controller", &series) == Some(1.0)).then_some(())
        });
    }
    let is_told = |reason: &str| story.has_event(&format!("involvedObject.name=main,reason={reason}"));
    assert!(["Protected", "ProtectionError", "ProtectionStopped"].into_iter().all(is_told));
    assert!(!["ConfiguringProtection", "UpdatingProtection"].into_iter().any(is_told));
    assert_nothing_is_lost(&sandbox);
}

#[test]
fn nothing_takes_copies_away_neither_a_change_of_mind_nor_a_destroy() {
    let sandbox = start();
    let story = Story::anywhere(&sandbox).with_database("{backup: {vault: weekly}}");
    wait_told(&story, "Protected");
    let name = story.server().name;
    let id = instances(&story).remove(0).id;
    let policy =
        || instances(&story)[0].body["properties"]["policyInfo"]["policyId"].as_str().unwrap().to_owned();

    story.database("main", "{backup: {vault: archive}}").succeeded();
    eventually("Azure has the other policy", || policy().ends_with("/pg-monthly-10y").then_some(()));

    // Whoever writes that has the copies deleted with the object.
    let manage = [
        "annotate",
        "backupvaultsbackupinstance",
        &name,
        "--overwrite",
        "serviceoperator.azure.com/reconcile-policy=manage",
    ];
    story.as_platform(&manage).succeeded();
    eventually("it is taken back", || {
        let object = story.of_platform("backupvaultsbackupinstance", &name)?;
        let policy = &object["metadata"]["annotations"]["serviceoperator.azure.com/reconcile-policy"];
        (policy == "detach-on-delete").then_some(())
    });

    story.database("main", "{backup: {vault: None}}").succeeded();
    eventually("the object has gone", || {
        story.of_platform("backupvaultsbackupinstance", &name).is_none().then_some(())
    });
    eventually("nothing is told any more", || {
        let database = story.get("database", "main")?;
        let is_silent =
            condition(&database, "VaultBackup").is_none() && database["status"]["backups"]["vault"].is_null();
        is_silent.then_some(())
    });
    assert_eq!(instances(&story).remove(0).id, id, "in Azure it goes on");

    story.database("main", "{backup: {vault: archive}}").succeeded();
    wait_told(&story, "Protected");
    // Kept, it stays protected; and it comes back with its server.
    story.delete_with("Retain");
    story.wait_record("Kept");
    assert!(story.of_platform("backupvaultsbackupinstance", &name).is_some());
    story.database("main", "{backup: {vault: archive}}").succeeded();
    story.wait_ready("main");
    wait_told(&story, "Protected");

    story.confirm_destroy();
    story.kubectl(&["delete", "database", "main"]).succeeded();
    eventually("nothing is left in the cluster", || story.azure_objects().is_empty().then_some(()));
    eventually("Azure has destroyed the server", || {
        story.in_azure(crate::common::SERVER).is_empty().then_some(())
    });
    assert_eq!(instances(&story).remove(0).id, id, "the copies outlive it");
    assert_nothing_is_lost(&sandbox);

    // One of the same name is another server, under the same id: its copies come to lie beside the old ones.
    forget_dropped_servers(&sandbox);
    story.database("main", "{backup: {vault: archive}}").succeeded();
    story.wait_ready("main");
    wait_told(&story, "Protected");
    assert_eq!(instances(&story).len(), 1);
}

#[test]
fn without_the_crd_of_vaults_a_database_says_so_and_everything_else_goes_on() {
    let sandbox = start();
    let crd = run(sandbox.kubectl(&["get", "crd", CRD, "-o=json"]), "").succeeded();
    let mut crd: Value = serde_json::from_str(&crd).unwrap();
    for field in ["resourceVersion", "uid", "creationTimestamp", "generation"] {
        crd["metadata"].as_object_mut().unwrap().remove(field);
    }
    crd.as_object_mut().unwrap().remove("status");
    run(sandbox.kubectl(&["delete", "crd", CRD, "--timeout=120s"]), "").succeeded();
    sandbox.process("controller").restart().unwrap();
    let story = Story::anywhere(&sandbox).with_database("{backup: {vault: weekly}}");
    let database = wait_told(&story, "AzureServiceOperatorMissing");
    let told = condition(&database, "VaultBackup").unwrap();
    assert_eq!(told["status"], "Unknown");
    assert!(told["message"].as_str().unwrap().contains(CRD), "{told}");
    assert_eq!(ready(&database)["status"], "True");
    // Its settings change, too, and without a copy it says nothing.
    story.database("main", "{sku: Standard_B2s, backup: {vault: None}}").succeeded();
    story.wait_ready("main");
    assert!(condition(&story.get("database", "main").unwrap(), "VaultBackup").is_none());
    story.database("main", "{sku: Standard_B2s, backup: {vault: weekly}}").succeeded();
    wait_told(&story, "AzureServiceOperatorMissing");

    run(sandbox.kubectl(&["create", "-f", "-"]), &crd.to_string()).succeeded();
    // It looks for kinds when it starts.
    sandbox.process("aso").restart().unwrap();
    wait_told(&story, "Protected");
    assert_eq!(instances(&story).len(), 1);
    assert_nothing_is_lost(&sandbox);
}
