//! What app teams do with Git, as docs/gitops.md and docs/deleting.md tell.

use sandbox::azure::{Fault, Phase};
use serde_json::{Value, json};

use crate::{
    app,
    common::{SERVER, Story, clear_faults_of, eventually, inject, ready},
    flux::{App, settings},
    manifests::{MAIN, SETTINGS, config, database, kept},
    sandbox,
    transcript::Transcript,
};

/// With a database that is ready.
fn with_data() -> App<'static> {
    app().with(&[(MAIN, Some(&database("{}"))), (SETTINGS, Some(&config("1")))])
}

fn value(app: &App<'_>) -> Value {
    app.story.get("configmap", "settings").unwrap_or_default()["data"]["value"].take()
}

/// The database as it is stored, without what every pass may write.
fn stored(app: &App<'_>) -> Option<Value> {
    app.story.get("database", "main").map(|mut database| database["metadata"].take())
}

#[track_caller]
fn same_object(before: &Value, app: &App<'_>) {
    let now = stored(app).expect("the Database");
    assert_eq!(now["uid"], before["uid"], "another object");
    assert!(now["deletionTimestamp"].is_null(), "{now}");
}

#[test]
#[ignore = "it needs Flux's controllers: make gitops"]
fn a_commit_becomes_a_database_that_is_ready() {
    let app = with_data();
    // `wait: true` had Flux wait for it.
    let database = app.story.get("database", "main").unwrap();
    assert_eq!(ready(&database)["status"], "True", "{database}");
    assert!(app.story.get("secret", "main-db-credentials").is_some());
    assert_eq!(app.story.in_azure(SERVER).len(), 1);

    // At rest nothing differs: Flux looks again, and writes nothing.
    app.story.wait_settled("main");
    let before = stored(&app).unwrap();
    let requested = app.reconcile("kustomization");
    eventually("Flux has looked again", || {
        (app.kustomization()["status"]["lastHandledReconcileAt"] == requested.as_str()).then_some(())
    });
    app.applied();
    assert_eq!(stored(&app).unwrap()["resourceVersion"], before["resourceVersion"]);
}

#[test]
#[ignore = "it needs Flux's controllers: make gitops"]
fn a_refused_manifest_is_told_in_the_kustomization_until_it_is_mended() {
    let app = app();
    let refused = database("{sku: Standard_E64ds_v5}");
    app.commit("Add the app", &[(MAIN, Some(&refused)), (SETTINGS, Some(&config("1")))]);
    app.follow(&settings());
    let message = app.refused("ReconciliationFailed");
    let namespace = &app.story.namespace;
    assert_eq!(
        message,
        format!(
            "Database/{namespace}/main dry-run failed (Forbidden): admission webhook \"databases.altinn.app\" denied the \
             request: spec.sku \"Standard_E64ds_v5\" is not allowed here; use Standard_B20ms, Standard_B16ms, \
             Standard_B12ms, Standard_B8ms or Standard_B4ms (+3 more) [DB101]. Policy database-policy, profile default."
        )
    );
    assert!(app.story.get("database", "main").is_none());
    assert_eq!(value(&app), Value::Null, "the rest of the commit waits");

    app.push("Take a size that is allowed", &[(MAIN, Some(&database("{}")))]);
    app.applied();
    assert_eq!(value(&app), "1");

    // The same for a change of what runs: it goes on as it was.
    let before = stored(&app).unwrap();
    app.push("Take a smaller disk", &[(MAIN, Some(&database("{storage: {sizeGiB: 33}}")))]);
    let message = app.refused("ReconciliationFailed");
    assert!(message.contains("[DB107]"), "{message}");
    same_object(&before, &app);
    assert_eq!(ready(&app.story.get("database", "main").unwrap())["status"], "True");
    app.push("Take another disk", &[(MAIN, Some(&database("{storage: {sizeGiB: 64}}")))]);
    app.applied();
    assert_eq!(app.story.server().body["properties"]["storage"]["storageSizeGB"], 64);
}

#[test]
#[ignore = "it needs Flux's controllers: make gitops"]
fn a_prune_without_a_word_is_refused_and_the_rest_of_the_commit_is_applied() {
    let app = with_data();
    let before = stored(&app).unwrap();
    app.push("Remove the database main", &[(MAIN, None), (SETTINGS, Some(&config("2")))]);
    let message = app.refused("PruneFailed");
    let namespace = &app.story.namespace;
    assert_eq!(
        message,
        format!(
            "delete failed, errors: Database/{namespace}/main delete failed: databases.altinn.app \"main\" is forbidden: \
             ValidatingAdmissionPolicy 'database-retention' with binding 'database-retention' denied request: \
             metadata.annotations[altinn.app/retention] is missing, so nothing says what becomes of the data. It takes two \
             steps (in Git, two commits): set it to \"Retain\", which keeps the server and its data; when that is applied, \
             delete [DB201]. Policy database-policy.;"
        )
    );
    assert_eq!(value(&app), "2");
    same_object(&before, &app);
    app.story.data_is_kept();
    assert!(
        app.story.has_event(&format!("involvedObject.name={},reason=PruneFailed,type=Warning", app.name()))
    );

    // What depends on it waits.
    let later = json!({
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization", "metadata": { "name": "later" },
        "spec": {
            "interval": "1h", "prune": false, "path": "./",
            "sourceRef": { "kind": "GitRepository", "name": app.name() }, "dependsOn": [{ "name": app.name() }],
        },
    });
    app.story.apply(&later.to_string()).succeeded();
    let waits = eventually("Flux has looked at it", || {
        app.story
            .get("kustomization", "later")
            .map(|later| ready(&later))
            .filter(|ready| ready["status"] == "False")
    });
    assert_eq!(waits["reason"], "DependencyNotReady", "{waits}");
    app.story.kubectl(&["delete", "kustomization", "later"]).succeeded();

    // It isn't forgotten: tried again, and again refused, until the file is back.
    let tries = || prune_failures(&app);
    let first = tries();
    eventually("Flux has tried again", || (tries() > first).then_some(()));
    // Two commits that are pushed together are one for Flux: it applies only the last, which says nothing.
    app.repository.commit("Keep the data of the database main", &[(MAIN, Some(&kept("{}")))]);
    app.push("Remove the database main", &[(MAIN, None)]);
    assert!(app.refused("PruneFailed").contains("[DB201]"));

    app.push("The database main again", &[(MAIN, Some(&database("{}")))]);
    app.applied();
    same_object(&before, &app);
    app.story.data_is_kept();
}

/// How often Flux said that it couldn't prune.
fn prune_failures(app: &App<'_>) -> u64 {
    let fields = format!("involvedObject.name={},reason=PruneFailed", app.name());
    let events = app.story.events(&app.story.namespace, &fields);
    events.iter().map(|event| event["count"].as_u64().unwrap_or(1)).sum()
}

const DELETING: &str = "docs/deleting.md";

/// In the namespace of the page, which shows what it prints.
#[test]
#[ignore = "it needs Flux's controllers: make gitops"]
fn two_commits_retain_the_data_and_a_third_brings_them_back() {
    let mut patient = settings();
    patient["retryInterval"] = json!("1h");
    let app = App::new(Story::new(sandbox(), "orders"))
        .with_settings(&[(MAIN, Some(&database("{}"))), (SETTINGS, Some(&config("1")))], &patient);
    let born = app.story.born();
    let remove = "git rm main.yaml && git commit -m \"Remove the database main\" && git push";
    let kustomizations = ["-n", "orders", "get", "kustomizations"];

    let mut page = Transcript::new();
    page.did(remove);
    app.push("Remove the database main", &[(MAIN, None)]);
    assert!(app.refused("PruneFailed").contains("[DB201]"));
    page.kubectl(&app.story, &kustomizations);
    page.check(DELETING, "### With Flux");

    let mut page = Transcript::new();
    page.did(
        "git add main.yaml && git commit -m \"Keep the data of the database main\" && git push  \
         # altinn.app/retention: Retain",
    );
    app.push("Keep the data of the database main", &[(MAIN, Some(&kept("{}")))]);
    app.applied();
    page.kubectl(&app.story, &kustomizations);
    page.did(remove);
    app.push("Remove the database main", &[(MAIN, None)]);
    app.applied();
    page.kubectl(&app.story, &kustomizations);
    eventually("the Database is gone", || stored(&app).is_none().then_some(()));
    let record = app.story.wait_record("Kept");
    let record = record["metadata"]["name"].as_str().unwrap();
    page.kubectl(&app.story, &["-n", "database-operator", "get", "retaineddatabases", record]);
    page.check(DELETING, "Fix it with two commits");
    let pruned = format!("Database/{}/main deleted", app.story.namespace);
    let events = app.story.events(&app.story.namespace, "involvedObject.name=orders");
    assert!(events.iter().any(|event| event["message"] == pruned.as_str()), "{events:#?}");
    app.story.data_is_kept();

    let mut page = Transcript::new();
    page.did("git add main.yaml && git commit -m \"The database main again\" && git push");
    app.push("The database main again", &[(MAIN, Some(&database("{}")))]);
    app.applied();
    page.kubectl(&app.story, &["-n", "orders", "get", "databases"]);
    page.kubectl(
        &app.story,
        &["-n", "orders", "get", "database", "main", "-o", "jsonpath={.status.recovered}"],
    );
    page.check(DELETING, "To get the database back:");
    assert_eq!(app.story.born(), born);
    app.story.data_is_kept();
}

/// Flux with `force` deletes and creates again what the API server finds invalid. What each of these manifests gets is a
/// refusal that it doesn't take for that.
const MISTAKES: &[(&str, &str)] = &[
    ("{sku: Standard_E64ds_v5}", "[DB101]"),
    ("{version: [17]}", "[DB103]"),
    ("{storage: {sizeGiB: 64Gi}}", "[DB107]"),
    ("{storage: {sizeGiB: 16}}", "[DB107]"),
    ("{storage: {sizeGb: 64}}", "[DB121]"),
    ("large", "[DB121]"),
];

/// A `Kustomization` with `force: true`.
fn forced() -> Value {
    let mut forced = settings();
    forced["force"] = json!(true);
    forced
}

#[test]
#[ignore = "it needs Flux's controllers: make gitops"]
fn force_deletes_nothing_whatever_the_webhook_refuses_though_a_delete_would_pass() {
    let app = app().with_settings(&[(MAIN, Some(&kept("{}"))), (SETTINGS, Some(&config("1")))], &forced());
    let before = stored(&app).unwrap();
    for (spec, code) in MISTAKES {
        app.push("Change the database", &[(MAIN, Some(&kept(spec)))]);
        let message = app.refused("ReconciliationFailed");
        assert!(
            message.contains("dry-run failed (Forbidden)") && message.contains(code),
            "{spec}: {message}"
        );
        same_object(&before, &app);
    }
    // A refused prune is another kind of refusal, and no force helps it.
    app.push("Change the database", &[(MAIN, Some(&database("{}")))]);
    app.applied();
    app.push("Remove the database", &[(MAIN, None)]);
    assert!(app.refused("PruneFailed").contains("[DB201]"));
    same_object(&before, &app);
    app.story.data_is_kept();
}

/// What the API server would find invalid by itself, or changed by somebody else.
const METADATA: &[(&str, &str)] = &[
    ("labels: {team: \"a b\"}", "metadata.labels"),
    ("finalizers: [\"a b\"]", "metadata.finalizers"),
    (
        "ownerReferences: [{apiVersion: v1, kind: ConfigMap, name: settings, uid: \"\"}]",
        "metadata.ownerReferences",
    ),
    ("uid: \"7\"", "metadata.uid"),
    ("resourceVersion: \"1\"", "metadata.resourceVersion"),
    ("deletionGracePeriodSeconds: 30", "metadata.deletionGracePeriodSeconds"),
];

fn with_metadata(database: &str, metadata: &str) -> String {
    database.replace("{name: main,", &format!("{{name: main, {metadata},"))
}

#[test]
#[ignore = "it needs Flux's controllers: make gitops"]
fn force_deletes_nothing_whatever_stands_in_metadata_though_a_delete_would_pass() {
    let app = app().with_settings(&[(MAIN, Some(&kept("{}"))), (SETTINGS, Some(&config("1")))], &forced());
    let before = stored(&app).unwrap();
    for (metadata, field) in METADATA {
        app.push("Change the database", &[(MAIN, Some(&with_metadata(&kept("{}"), metadata)))]);
        let message = app.refused("ReconciliationFailed");
        assert!(
            message.contains("dry-run failed (Forbidden)")
                && message.contains(field)
                && message.contains("[DB125]"),
            "{metadata}: {message}"
        );
        same_object(&before, &app);
    }
    app.push("Mend the database", &[(MAIN, Some(&kept("{}")))]);
    app.applied();
    same_object(&before, &app);
    app.story.data_is_kept();
}

/// What the API server refuses by itself, where nobody of ours is asked before.
fn mislabelled(database: &str) -> String {
    with_metadata(database, "labels: {team: \"a b\"}")
}

/// Has the mutating webhook asked about these operations.
fn asked_about(app: &App<'_>, operations: &str) {
    let patch = format!(
        "[{{\"op\": \"replace\", \"path\": \"/webhooks/0/rules/0/operations\", \"value\": {operations}}}]"
    );
    let name = "mutatingwebhookconfiguration/database-operator";
    app.story.as_platform(&["patch", name, "--type=json", "--patch", &patch]).succeeded();
}

/// As when the mutating webhook doesn't answer in time, and the validating one does.
#[test]
#[ignore = "it needs Flux's controllers: make gitops"]
fn force_replaces_what_the_api_server_finds_invalid_only_with_a_word_on_the_data() {
    let app = App::alone(Story::anywhere(sandbox()))
        .with_settings(&[(MAIN, Some(&database("{}"))), (SETTINGS, Some(&config("1")))], &forced());
    asked_about(&app, "[\"CREATE\"]");
    let (before, born) = (stored(&app).unwrap(), app.story.born());
    app.push("Label the database", &[(MAIN, Some(&mislabelled(&database("{}"))))]);
    let message = app.refused("ReconciliationFailed");
    assert!(message.contains("immutable field detected, failed to delete object"), "{message}");
    assert!(message.contains("[DB201]"), "{message}");
    same_object(&before, &app);

    // With a word, Flux deletes it, and can't create it again. The data are there for the commit that mends it.
    app.push("Keep the data of the database main", &[(MAIN, Some(&kept("{}")))]);
    app.applied();
    app.push("Label the database", &[(MAIN, Some(&mislabelled(&kept("{}"))))]);
    // Gone, it is created anew, about which the webhook is asked.
    app.story.wait_record("Kept");
    let message = app.refused("ReconciliationFailed");
    assert!(message.contains("dry-run failed (Forbidden)") && message.contains("[DB125]"), "{message}");
    assert!(stored(&app).is_none());
    asked_about(&app, "[\"CREATE\", \"UPDATE\"]");
    app.push("Mend the label", &[(MAIN, Some(&kept("{}")))]);
    app.applied();
    let database = app.story.get("database", "main").unwrap();
    assert!(database["status"]["recovered"]["since"].is_string(), "{database}");
    assert_eq!(app.story.born(), born);
    app.story.data_is_kept();
}

#[test]
#[ignore = "it needs Flux's controllers: make gitops"]
fn while_no_webhook_answers_force_deletes_nothing_and_flux_goes_on_by_itself_afterwards() {
    let app = App::alone(Story::anywhere(sandbox()))
        .with_settings(&[(MAIN, Some(&kept("{}"))), (SETTINGS, Some(&config("1")))], &forced());
    let before = stored(&app).unwrap();
    let webhook = app.story.sandbox.process("webhook");
    webhook.stop().unwrap();
    app.push("Take another disk", &[(MAIN, Some(&kept("{storage: {sizeGiB: 64}}")))]);
    let message = app.refused("ReconciliationFailed");
    assert!(message.contains("failed calling webhook"), "{message}");
    same_object(&before, &app);
    webhook.start().unwrap();
    app.applied();
    same_object(&before, &app);
    assert_eq!(app.story.server().body["properties"]["storage"]["storageSizeGB"], 64);
    app.story.data_is_kept();
}

/// What Azure answers to whoever writes a server of this story.
fn azure_refuses(app: &App<'_>, status: u16, code: &str) -> Fault {
    let fault = Fault {
        method: Some("PUT".to_owned()),
        path: format!("*/flexibleServers/prod-1-{}-*", app.story.namespace),
        status,
        code: code.to_owned(),
        message: "Azure says why.".to_owned(),
        retry_after_seconds: None,
        times: u32::MAX,
        phase: Phase::Request,
    };
    inject(app.story.sandbox, &fault);
    fault
}

#[test]
#[ignore = "it needs Flux's controllers: make gitops"]
fn a_database_that_is_stalled_ends_the_wait_at_once() {
    let app = app();
    let quota = azure_refuses(&app, 409, "ResourceQuotaExceeded");
    app.commit("Add the app", &[(MAIN, Some(&database("{}")))]);
    app.follow(&settings());
    let message = app.refused("HealthCheckFailed");
    let namespace = &app.story.namespace;
    assert!(
        message.contains(&format!(
            "failed early due to stalled resources: [Database/{namespace}/main status: 'Failed']"
        )),
        "{message}"
    );
    clear_faults_of(app.story.sandbox, &quota.path);
    app.applied();
}

#[test]
#[ignore = "it needs Flux's controllers: make gitops"]
fn by_the_expressions_of_the_page_flux_goes_on_once_a_database_is_accepted() {
    let page = include_str!("../../docs/gitops.md");
    let (_, page) = page.split_once("```yaml\nspec:\n  healthCheckExprs:\n").unwrap();
    let (page, _) = page.split_once("```\n").unwrap();
    let mut accepted = settings();
    accepted["healthCheckExprs"] = serde_saphyr::from_str(page).unwrap();
    let app = app();
    let fault = azure_refuses(&app, 500, "InternalServerError");
    app.commit("Add the app", &[(MAIN, Some(&database("{}")))]);
    app.follow(&accepted);
    app.applied();
    assert_ne!(ready(&app.story.get("database", "main").unwrap())["status"], "True");
    clear_faults_of(app.story.sandbox, &fault.path);
    app.story.wait_ready("main");
}

#[test]
#[ignore = "it needs Flux's controllers: make gitops"]
fn suspended_nothing_is_applied_and_resumed_all_of_it() {
    let app = with_data();
    app.suspend(true);
    app.push("Take another disk", &[(MAIN, Some(&database("{storage: {sizeGiB: 64}}")))]);
    app.fetched();
    app.story
        .kubectl(&[
            "patch",
            "database",
            "main",
            "--type=merge",
            "-p",
            r#"{"spec": {"backup": {"retentionDays": 9}}}"#,
        ])
        .succeeded();
    app.story.wait_ready("main");
    let database = app.story.get("database", "main").unwrap();
    assert_eq!(database["spec"]["storage"]["sizeGiB"], 32, "{database}");
    app.suspend(false);
    app.applied();
    let server = app.story.server().body;
    assert_eq!(server["properties"]["storage"]["storageSizeGB"], 64);
    // Git says nothing of it, and a field that is left out stays as the server has it.
    assert_eq!(server["properties"]["backup"]["backupRetentionDays"], 9);

    // Deleted while it is suspended, it leaves all that it has applied.
    let before = stored(&app).unwrap();
    app.suspend(true);
    app.story.kubectl(&["delete", "kustomization", app.name()]).succeeded();
    assert!(app.story.get("kustomization", app.name()).is_none());
    same_object(&before, &app);
    assert_eq!(value(&app), "1");
    app.story.data_is_kept();
}

#[test]
#[ignore = "it needs Flux's controllers: make gitops"]
fn a_kustomization_that_is_deleted_waits_for_a_word_on_the_data() {
    let app = with_data();
    app.story.kubectl(&["delete", "kustomization", app.name(), "--wait=false"]).succeeded();
    eventually("the rest of the app is gone", || {
        app.story.get("configmap", "settings").is_none().then_some(())
    });
    assert!(app.story.get("kustomization", app.name()).is_some(), "it waits");
    let database = stored(&app).unwrap();
    assert!(database["deletionTimestamp"].is_null(), "{database}");
    app.story.kubectl(&["annotate", "database", "main", "altinn.app/retention=Retain"]).succeeded();
    eventually("the Kustomization is gone", || {
        app.story.get("kustomization", app.name()).is_none().then_some(())
    });
    app.story.wait_record("Kept");
    app.story.data_is_kept();
}
