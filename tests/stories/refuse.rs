//! Manifests that can't work, or aren't allowed, are refused at apply, with one line.

use std::thread;

use rstest::rstest;
use serde_json::Value;

use crate::{
    common::{Output, Story, database, eventually, ready, run},
    sandbox, story,
};

#[test]
fn a_size_that_policy_does_not_allow_is_refused_with_one_line() {
    let story = story();
    let message = story.database("main", "{sku: Standard_E64ds_v5}").refused();
    assert_eq!(
        message,
        "Error from server (Forbidden): error when creating \"STDIN\": admission webhook \"databases.altinn.app\" \
         denied the request: spec.sku \"Standard_E64ds_v5\" is not allowed here; use Standard_B20ms, Standard_B16ms, \
         Standard_B12ms, Standard_B8ms or Standard_B4ms (+3 more) [DB101]. Policy database-policy, profile default."
    );
    assert!(story.get("database", "main").is_none(), "nothing is stored");
    assert!(story.in_azure(crate::common::SERVER).is_empty());
}

#[test]
fn all_problems_are_told_at_once() {
    let story = story();
    let message = story.database("main", "{version: 9, sku: banana}").refused();
    assert!(message.contains("2 problems: (1) spec.version 9"), "{message}");
    assert!(message.contains("[DB103]; (2) spec.sku \"banana\""), "{message}");
    assert!(message.contains("[DB115]"), "{message}");
    assert_eq!(message.lines().count(), 1, "{message}");
}

#[rstest]
#[case::version("{version: 9}", "DB103")]
#[case::size("{sku: banana}", "DB115")]
#[case::disk("{storage: {sizeGiB: 33}}", "DB107")]
#[case::tiny_disk("{storage: {sizeGiB: 1}}", "DB107")]
#[case::days_of_backups("{backup: {retentionDays: 36}}", "DB111")]
#[case::hour("{maintenanceWindow: {day: Sunday, hour: 24}}", "DB120")]
#[case::service_account("{serviceAccountName: a..b}", "DB114")]
#[case::standby("{highAvailability: ZoneRedundant}", "DB109")]
#[case::tier("{storage: {tier: P80}}", "DB108")]
#[case::extension("{extensions: [pgcripto]}", "DB112")]
#[case::parameter("{parameters: {work_men: \"8192\"}}", "DB113")]
#[case::no_such_extension("{extensions: [bitcoin]}", "DB112")]
#[case::no_such_parameter("{parameters: {max_happiness: \"1\"}}", "DB113")]
fn a_dry_run_gets_the_same_answer(#[case] spec: &str, #[case] code: &str) {
    let story = story();
    let manifest = database("main", spec);
    let dry = story.apply_with(&["--dry-run=server"], &manifest).refused();
    assert!(dry.contains(code), "{dry}");
    assert_eq!(story.apply(&manifest).refused(), dry);
    let server_side = story.apply_with(&["--server-side"], &manifest).refused();
    assert!(server_side.contains(code), "{server_side}");
}

/// Each would be 422 of the API server's own, if the schema of the CRD were any narrower.
const MISTAKES: &[(&str, &str)] = &[
    ("{version: 99999999999}", "[DB103]"),
    ("{version: [17]}", "[DB103]"),
    ("{sku: [Standard_B1ms]}", "[DB115]"),
    ("{storage: 64}", "[DB107]"),
    ("{storage: {sizeGiB: 64Gi}}", "[DB107]"),
    ("{storage: {sizeGiB: 64.5}}", "[DB107]"),
    ("{storage: {tier: Premium}}", "[DB108]"),
    ("{storage: {autoGrow: \"yes\"}}", "[DB121]"),
    ("{highAvailability: zone}", "[DB109]"),
    ("{backup: 14}", "[DB111]"),
    ("{maintenanceWindow: {day: Sunday}}", "[DB120]"),
    ("{databaseName: 42}", "[DB114]"),
    ("{extensions: vector}", "[DB112]"),
    ("{extensions: [vector, vector]}", "[DB112]"),
    ("{parameters: [work_mem]}", "[DB113]"),
    ("{parameters: {autovacuum: \"perhaps\"}}", "[DB113]"),
    ("{authentication: password}", "[DB117]"),
    ("{serviceAccountName: true}", "[DB114]"),
    ("{storage: {sizeGb: 64}}", "[DB121]"),
    ("{size: large}", "[DB121]"),
    ("large", "[DB121]"),
];

#[test]
fn a_mistake_of_whatever_kind_is_refused_with_403_and_one_line_by_each_way_to_apply() {
    let story = story();
    for (spec, code) in MISTAKES {
        for flags in [&[][..], &["--server-side"], &["--validate=false"]] {
            let message = story.apply_with(flags, &database("main", spec)).refused();
            assert!(message.contains("(Forbidden)") || message.contains("is forbidden"), "{spec}: {message}");
            assert!(message.contains("denied the request: ") && message.contains(code), "{spec}: {message}");
            assert_eq!(message.lines().count(), 1, "{message}");
        }
    }
    assert!(story.get("database", "main").is_none());
}

/// `kubectl apply --force` deletes and makes anew what the API server finds invalid, and here a delete would pass.
#[test]
fn force_deletes_nothing_whatever_the_mistake_though_a_delete_would_destroy() {
    let story = story().with_database("{}");
    let confirmation = story.confirmation();
    story
        .kubectl(&["annotate", "database", "main", "altinn.app/retention=Destroy", &confirmation])
        .succeeded();
    let stored = story.get("database", "main").unwrap();
    for (spec, code) in MISTAKES {
        let message = story.apply_with(&["--force"], &database("main", spec)).refused();
        let is_told = |line: &str| line.contains("denied the request: spec") && line.contains(code);
        assert!(message.contains("(Forbidden)") && message.lines().any(is_told), "{spec}: {message}");
        let now = story.get("database", "main").unwrap();
        assert_eq!(
            (&now["metadata"]["uid"], &now["metadata"]["deletionTimestamp"]),
            (&stored["metadata"]["uid"], &serde_json::Value::Null),
            "{spec}"
        );
    }
    story.data_is_kept();
}

/// Each would be 422 of the API server's own, which looks at metadata before it asks the validating webhook.
const METADATA: &[(&str, &str)] = &[
    ("labels: {team: a b}", "metadata.labels[\"team\"] \"a b\""),
    ("labels: {team: -x}", "metadata.labels[\"team\"] \"-x\""),
    ("labels: {a b: c}", "metadata.labels \"a b\""),
    ("labels: {Example.com/team: c}", "metadata.labels \"Example.com/team\""),
    ("annotations: {a b: c}", "metadata.annotations \"a b\""),
    ("annotations: {a/b/c: d}", "metadata.annotations \"a/b/c\""),
    ("finalizers: [a b]", "metadata.finalizers \"a b\""),
    ("finalizers: [\"\"]", "metadata.finalizers \"\""),
    ("finalizers: [orphan, foregroundDeletion]", "metadata.finalizers have foregroundDeletion and orphan"),
    ("ownerReferences: [{apiVersion: a/b/c, kind: A, name: x, uid: \"7\"}]", "without a right apiVersion"),
    ("ownerReferences: [{apiVersion: v1, kind: \"\", name: x, uid: \"7\"}]", "without a right kind"),
    ("ownerReferences: [{apiVersion: v1, kind: A, name: \"\", uid: \"7\"}]", "without a right name"),
    ("ownerReferences: [{apiVersion: v1, kind: A, name: x, uid: \"\"}]", "without a right uid"),
    ("ownerReferences: [{apiVersion: v1, kind: Event, name: x, uid: \"7\"}]", "can own nothing"),
    (
        "ownerReferences: [{apiVersion: v1, kind: A, name: x, uid: \"7\", controller: true}, \
         {apiVersion: v1, kind: A, name: z, uid: \"8\", controller: true}]",
        "controller: true",
    ),
];

/// What a change of an object that is there can't set, beside all that.
const OF_THE_API_SERVER: &[(&str, &str)] = &[
    ("uid: \"7\"", "metadata.uid is written by the API server alone"),
    ("deletionTimestamp: \"2026-11-22T12:00:00Z\"", "metadata.deletionTimestamp is written"),
    ("deletionGracePeriodSeconds: 30", "metadata.deletionGracePeriodSeconds is written"),
    ("generateName: a/b", "metadata.generateName \"a/b\""),
];

fn with_metadata(metadata: &str) -> String {
    format!(
        "{{apiVersion: altinn.app/v1alpha1, kind: Database, metadata: {{name: main, {metadata}}}, spec: {{}}}}"
    )
}

/// How often the API server has gone on without the webhook that judges metadata.
fn unheard() -> u64 {
    let metrics = run(sandbox().kubectl(&["get", "--raw", "/metrics"]), "").succeeded();
    let of_it = "apiserver_admission_webhook_fail_open_count{name=\"defaults.databases.altinn.app\"";
    let counts = metrics.lines().filter(|line| line.starts_with(of_it));
    counts.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

/// Does it until it goes as expected; anew only if the webhook was not heard meanwhile. Its `failurePolicy` is `Ignore`, and
/// on a busy machine an answer can take longer than the two seconds that it is given.
#[track_caller]
fn once_heard(since: &mut u64, mut act: impl FnMut() -> Result<(), String>) {
    while let Err(instead) = act() {
        let now = unheard();
        assert!(now > *since, "{instead}");
        *since = now;
    }
}

fn is_ours(message: &str, expected: &str, code: &str) -> Result<(), String> {
    let is = (message.contains("(Forbidden)") || message.contains("is forbidden"))
        && message.contains("\"defaults.databases.altinn.app\" denied the request: ")
        && message.contains(expected)
        && message.contains(code)
        && message.lines().count() == 1;
    if is { Ok(()) } else { Err(format!("{expected}: {message}")) }
}

#[test]
fn a_mistake_in_metadata_is_refused_with_403_and_one_line_by_each_way_to_apply() {
    let story = story();
    let mut since = unheard();
    let mut refused = |send: &dyn Fn() -> Output, expected: &str, code: &str| {
        once_heard(&mut since, || is_ours(&send().refused(), expected, code));
    };
    for (metadata, expected) in METADATA {
        let manifest = with_metadata(metadata);
        // Of kubectl's own, applying writes the whole manifest into an annotation as well.
        for flags in [&[][..], &["--server-side"], &["--dry-run=server"]] {
            refused(&|| story.apply_with(flags, &manifest), expected, "[DB125]");
        }
    }
    let large = with_metadata(&format!("annotations: {{a: {}}}", "x".repeat(256 * 1024)));
    refused(&|| story.create(&large), "metadata.annotations have 262145 bytes", "[DB125]");
    for name in ["Main", "a b", "a.b", "-main"] {
        let manifest = with_metadata("").replace("name: main", &format!("name: \"{name}\""));
        refused(&|| story.create(&manifest), &format!("metadata.name \"{name}\""), "[DB114]");
    }
    let generated = with_metadata("generateName: Main-").replace("name: main, ", "");
    refused(&|| story.create(&generated), "metadata.generateName \"Main-\"", "[DB114]");
    assert!(story.get("database", "main").is_none());

    story.database("main", "{}").succeeded();
    for (metadata, expected) in METADATA.iter().chain(OF_THE_API_SERVER) {
        let manifest = with_metadata(metadata);
        refused(&|| story.apply_with(&["--server-side"], &manifest), expected, "[DB125]");
    }
    // What somebody exported, and applies.
    let exported = with_metadata("resourceVersion: \"1\"");
    let expected = "metadata.resourceVersion is written by the API server alone";
    refused(&|| story.apply_with(&["--server-side"], &exported), expected, "[DB125]");
    // Who asks for a version by itself learns of a conflict as ever.
    let conflict = story.replace(&exported).refused();
    assert!(conflict.contains("(Conflict)"), "{conflict}");
}

/// The other half: we refuse nothing that the API server takes.
#[test]
fn metadata_that_the_api_server_takes_are_taken() {
    let story = story();
    for metadata in [
        "labels: {team: \"\", a_B.c: A_b.c, example.com/x: \"1\"}",
        "labels: null, annotations: null, finalizers: null, ownerReferences: null",
        "annotations: {Example.COM/Team: \"any thing\", \"\u{130}d\": x, \"\u{212a}ey\": x}",
        "finalizers: [abc, foregroundDeletion]",
        "ownerReferences: [{apiVersion: /v1, kind: A, name: a b, uid: x y}]",
        "creationTimestamp: \"2020-01-01T00:00:00Z\", generation: -1, selfLink: x",
        "generateName: other-",
    ] {
        let manifest = with_metadata(metadata);
        for flags in [&["--dry-run=server"][..], &["--server-side", "--dry-run=server"]] {
            story.apply_with(flags, &manifest).succeeded();
        }
    }
}

/// `kubectl apply --force` deletes and makes anew what the API server finds invalid, and here a delete would pass.
#[test]
fn force_deletes_nothing_whatever_the_mistake_in_metadata() {
    let story = story();
    let identity = || {
        story.apply(&with_metadata("annotations: {altinn.app/retention: Retain}")).succeeded();
        story.get("database", "main").unwrap()["metadata"]["uid"].clone()
    };
    let mut since = unheard();
    let exported = ("resourceVersion: \"1\"", "metadata.resourceVersion is written");
    let told = METADATA.iter().chain(OF_THE_API_SERVER).chain([&exported]);
    for (metadata, expected) in told.filter(|(metadata, _)| !metadata.starts_with("annotations")) {
        let manifest = with_metadata(&format!("annotations: {{altinn.app/retention: Retain}}, {metadata}"));
        once_heard(&mut since, || {
            let uid = identity();
            let message = story.apply_with(&["--force"], &manifest).refused();
            let now = story.get("database", "main").unwrap_or_default();
            let is_left =
                (&now["metadata"]["uid"], &now["metadata"]["deletionTimestamp"]) == (&uid, &Value::Null);
            let is_told = message.contains("(Forbidden)") && message.contains(expected);
            if is_told && is_left {
                Ok(())
            } else {
                Err(format!("{metadata}: {message} {}", now["metadata"]))
            }
        });
    }
}

#[rstest]
#[case::nothing_below_it("null")]
#[case::nulls(
    "{version: null, sku: null, storage: {sizeGiB: null, tier: null}, highAvailability: null, backup: null, \
     maintenanceWindow: null, databaseName: null, extensions: null, parameters: null, authentication: null}"
)]
#[case::scalars(
    "{version: \"17\", parameters: {autovacuum: on, work_mem: 16384, autovacuum_vacuum_scale_factor: 0.5}}"
)]
fn what_people_write_is_taken(#[case] spec: &str) {
    let story = story();
    for flags in [&["--dry-run=server"][..], &["--server-side", "--dry-run=server"], &[]] {
        story.apply_with(flags, &database("main", spec)).succeeded();
    }
    story.wait_ready("main");
    // Applied again it is the same, and nothing is left of it that somebody would have to put back.
    let message = story.database("main", spec).succeeded();
    assert!(message.contains("unchanged"), "{message}");
}

#[test]
fn a_database_without_a_spec_is_one_with_an_empty_one() {
    let story = story();
    let manifest = "{apiVersion: altinn.app/v1alpha1, kind: Database, metadata: {name: main}}";
    story.apply_with(&["--server-side", "--dry-run=server"], manifest).succeeded();
    story.apply(manifest).succeeded();
    assert_eq!(story.get("database", "main").unwrap()["spec"]["sku"], "Standard_B1ms");
}

#[test]
fn kubectl_explains_each_field() {
    let explained = |field: &str| story().kubectl(&["explain", field]).succeeded();
    let spec = explained("database.spec");
    for field in ["sku", "storage", "parameters", "extensions"] {
        assert!(spec.contains(&format!("\n  {field}\t")), "{spec}");
    }
    assert!(explained("database.spec.storage").contains("sizeGiB"));
    assert!(explained("database.spec.storage.tier").contains("P10"));
}

#[test]
fn force_does_not_delete_and_recreate_after_a_refusal() {
    let story = story();
    story.database("main", "{storage: {sizeGiB: 64}}").succeeded();
    story.wait_ready("main");
    let uid = story.get("database", "main").unwrap()["metadata"]["uid"].clone();
    for (spec, code) in [("{storage: {sizeGiB: 32}}", "[DB105]"), ("{storage: {sizeGiB: 1}}", "[DB107]")] {
        let message = story.apply_with(&["--force"], &database("main", spec)).refused();
        assert!(message.contains(code), "{message}");
        assert_eq!(story.get("database", "main").unwrap()["metadata"]["uid"], uid);
    }
    story.data_is_kept();
}

#[test]
fn a_slip_of_the_pen_is_recognised() {
    let story = story();
    let size = story.database("main", "{sku: Standard_B1m}").refused();
    assert!(
        size.contains("is not a size that this version of the operator knows; use Standard_B1ms,"),
        "{size}"
    );
    let extension = story.database("main", "{extensions: [pgcripto]}").refused();
    assert!(extension.contains("did you mean pgcrypto?"), "{extension}");
    let parameter = story.database("main", "{parameters: {work_men: \"8192\"}}").refused();
    assert!(parameter.contains("did you mean work_mem?"), "{parameter}");
}

#[test]
fn what_is_only_warned_of_is_admitted_with_a_warning() {
    let story = Story::new(sandbox(), "warned-prod");
    let output = story.database("main", "{version: 15}");
    assert!(output.stderr.contains("Warning: spec.version 15 is not allowed here"), "{output:?}");
    assert!(output.stderr.trim_end().ends_with("[DB102]"), "{output:?}");
    output.succeeded();
}

#[test]
fn a_namespace_has_no_more_databases_than_it_may() {
    let story = Story::new(sandbox(), "counted-prod");
    for number in 1..=5 {
        story.database(&format!("number-{number}"), "{}").succeeded();
    }
    let message = story.database("number-6", "{}").refused();
    assert!(message.contains("\"counted-prod\" has 5 databases and may have 5"), "{message}");
    assert!(message.contains("[DB116]"), "{message}");
    // Those that are there can be changed all the same.
    story.database("number-5", "{sku: Standard_D4ds_v5}").succeeded();
}

#[test]
fn an_exception_lets_one_database_pass_one_rule() {
    let story = Story::new(sandbox(), "reports");
    story.database("main", "{sku: Standard_D2ds_v5}").succeeded();
    assert!(story.database("other", "{sku: Standard_D2ds_v5}").refused().contains("[DB101]"));
    assert!(story.database("main", "{storage: {sizeGiB: 512}}").refused().contains("[DB106]"));
}

#[test]
fn a_name_that_is_generated_is_judged_as_well() {
    let story = story();
    let manifest = "{apiVersion: altinn.app/v1alpha1, kind: Database, metadata: {generateName: main-}, spec: {sku: banana}}";
    let message = story.create(manifest).refused();
    assert!(message.contains("[DB115]"), "{message}");
    story.create(&manifest.replace("banana", "Standard_B1ms")).succeeded();
}

/// Each of them saw room when it was admitted.
#[test]
fn of_many_created_at_once_no_more_get_a_server_than_the_namespace_may_have() {
    let story = Story::new(sandbox(), "burst-prod");
    let names: Vec<String> = (0..16).map(|number| format!("burst-{number}")).collect();
    thread::scope(|scope| {
        for name in &names {
            scope.spawn(|| story.create(&database(name, "{}")));
        }
    });
    let there = || names.iter().filter_map(|name| story.get("database", name));
    let has_server = |database: &Value| !database["status"]["server"].is_null();
    let made = || there().filter(|database| has_server(database)).count();
    let servers = || story.of_its_databases("flexibleservers").len();
    eventually("five servers, and everybody else is told", || {
        assert!(servers() <= 5, "{:?}", story.azure_objects());
        let is_told = |database: &Value| ready(database)["reason"] == "TooManyDatabases";
        (made() == 5 && there().all(|database| has_server(&database) || is_told(&database))).then_some(())
    });
    if there().count() == 5 {
        return;
    }
    // Keeping and deleting makes no room: who waits is looked at again, and told why.
    // One that Azure has yet to make leaves nothing to be kept.
    let is_made = |database: &Value| database["status"]["server"]["id"].is_string();
    let gone = eventually("one is made", || there().find(is_made));
    let gone = gone["metadata"]["name"].as_str().unwrap().to_owned();
    story.kubectl(&["annotate", "database", &gone, "altinn.app/retention=Retain"]).succeeded();
    story.kubectl(&["delete", "database", &gone]).succeeded();
    eventually("who waits is told of the kept one", || {
        let is_told = |database: &Value| {
            ready(database)["message"].to_string().contains("what is kept after a delete counts (1 of them)")
        };
        there().any(|database| is_told(&database)).then_some(())
    });
    assert_eq!((made(), servers()), (4, 5));
    let message = story.database("one-more", "{}").refused();
    assert!(message.contains("[DB116]"), "{message}");
    // It is itself what is kept, and no one more.
    story.database(&gone, "{}").succeeded();
    eventually("its server is back", || (made() == 5 && servers() == 5).then_some(()));
}
