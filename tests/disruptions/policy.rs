//! A policy that is missing, broken, mended or changed.

use std::sync::LazyLock;

use rstest::rstest;
use sandbox::Sandbox;

use crate::{
    common::{IDENTITY, Output, SERVER, Story, eventually, run},
    sandbox,
};

pub(crate) static GOOD: LazyLock<String> =
    LazyLock::new(|| sandbox::without_administrator(include_str!("../../examples/policy.yaml")));

/// Applies the ConfigMap with this policy.
pub(crate) fn apply_policy(sandbox: &Sandbox, yaml: &str) {
    ask_policy(sandbox, yaml, &[]).succeeded();
}

fn ask_policy(sandbox: &Sandbox, yaml: &str, flags: &[&str]) -> Output {
    let config_map = serde_json::json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "database-policy", "namespace": "database-operator"},
        "data": {"policy.yaml": yaml},
    });
    run(sandbox.kubectl(&[&["apply", "-f", "-"], flags].concat()), &config_map.to_string())
}

/// Applies a policy that no webhook judges: the API server goes without one that doesn't answer.
fn apply_unjudged(sandbox: &Sandbox, yaml: &str) {
    sandbox.process("webhook").pause().unwrap();
    let applied = ask_policy(sandbox, yaml, &[]);
    sandbox.process("webhook").resume().unwrap();
    applied.succeeded();
}

pub(crate) fn delete_policy(sandbox: &Sandbox) {
    let arguments =
        ["delete", "configmap", "database-policy", "-n", "database-operator", "--ignore-not-found"];
    run(sandbox.kubectl(&arguments), "").succeeded();
}

/// Puts the good policy back at the end of a story, also of one that failed.
pub(crate) struct Restored<'a>(pub(crate) &'a Sandbox);

impl Drop for Restored<'_> {
    fn drop(&mut self) {
        apply_policy(self.0, &GOOD);
    }
}

/// Asks whether a manifest would be admitted, without storing it.
fn ask(story: &Story<'_>, spec: &str) -> Output {
    story.apply_with(&["--dry-run=server"], &crate::common::database("main", spec))
}

#[test]
fn a_change_takes_effect_without_a_restart() {
    let sandbox = sandbox();
    let restored = Restored(&sandbox);
    let story = Story::new(&sandbox, "hot");
    assert!(ask(&story, "{sku: Standard_D2ds_v5}").refused().contains("[DB101]"));
    apply_policy(&sandbox, &GOOD.replace("[\"Standard_B*\"]", "[\"Standard_B*\", Standard_D2ds_v5]"));
    eventually("the size is allowed", || ask(&story, "{sku: Standard_D2ds_v5}").ok.then_some(()));
    drop(restored);
    eventually("the size is refused again", || (!ask(&story, "{sku: Standard_D2ds_v5}").ok).then_some(()));
}

#[test]
fn a_policy_that_breaks_or_goes_leaves_the_last_good_one_in_force() {
    let sandbox = sandbox();
    let _restored = Restored(&sandbox);
    let story = Story::new(&sandbox, "stale");
    let log = || sandbox.operator_log("webhook").unwrap();
    let noticed = |before: usize, words: &str| {
        eventually("the webhook has noticed", || log()[before..].contains(words).then_some(()));
    };
    let before = log().len();
    apply_unjudged(&sandbox, "azure: [");
    noticed(before, "is broken: line 1");
    let told = |reason: &str| {
        let selector = format!("involvedObject.name=database-policy,reason={reason}");
        let arguments = [
            "get",
            "events",
            "-n",
            "database-operator",
            "--field-selector",
            &selector,
            "-o",
            "jsonpath={.items[*].message}",
        ];
        let text = run(sandbox.kubectl(&arguments), "").succeeded();
        (!text.is_empty()).then_some(text)
    };
    let event = eventually("an event of the ConfigMap tells of it", || told("PolicyInvalid"));
    assert!(event.contains("line 1") && event.contains("stays in force"), "{event}");
    let before = log().len();
    delete_policy(&sandbox);
    noticed(before, "is missing; revision");
    ask(&story, "{}").succeeded();
    assert!(ask(&story, "{sku: Standard_E64ds_v5}").refused().contains("[DB101]"));
    apply_policy(&sandbox, &GOOD);
    eventually("an event tells that it holds again", || told("PolicyInForce"));
}

#[rstest]
#[case::broken("azure: [", "DB402", "line 1")]
#[case::unknown_key(&GOOD.replace("clusterName:", "clustername:"), "DB403", "did you mean clusterName?")]
#[case::no_such_size(&GOOD.replace("sku: Standard_B1ms", "sku: Standard_B1m"), "DB404", "use Standard_B1ms")]
#[case::missing("", "DB401", "is missing")]
fn without_a_good_policy_the_webhook_says_which_trouble_it_is(
    #[case] yaml: &str,
    #[case] code: &str,
    #[case] words: &str,
) {
    let sandbox = sandbox();
    let restored = Restored(&sandbox);
    let story = Story::new(&sandbox, &format!("bad-{}", code.to_lowercase()));
    story.database("old", "{}").succeeded();
    if yaml.is_empty() {
        delete_policy(&sandbox);
    } else {
        apply_unjudged(&sandbox, yaml);
    }
    sandbox.process("webhook").restart().unwrap();

    let message = ask(&story, "{}").refused();
    assert!(message.contains(&format!("[{code}]")), "{message}");
    assert!(
        message.contains("the policy ConfigMap database-policy is") && message.contains(words),
        "{message}"
    );
    // What changes no spec goes on, and a delete is refused for its own reason.
    story.kubectl(&["label", "database", "old", "team=a"]).succeeded();
    let delete = story.kubectl(&["delete", "database", "old"]).refused();
    assert!(delete.contains("[DB201]"), "{delete}");

    drop(restored);
    eventually("the good policy is in force", || ask(&story, "{}").ok.then_some(()));
}

#[test]
fn a_broken_policy_is_refused_when_it_is_applied() {
    let sandbox = sandbox();
    for (yaml, words, code) in [
        (
            GOOD.replace("sku: Standard_B1ms", "sku: Standard_B1m"),
            "line 45: profiles[1].defaults.sku \"Standard_B1m\"",
            "DB404",
        ),
        (GOOD.replace("clusterName:", "clustername:"), "did you mean clusterName?", "DB403"),
        ("azure: [".to_owned(), "line 1", "DB402"),
    ] {
        for flags in [&["--dry-run=server"][..], &[], &["--server-side", "--force-conflicts"]] {
            let message = ask_policy(&sandbox, &yaml, flags).refused();
            assert!(message.contains("\"policy.databases.altinn.app\" denied the request"), "{message}");
            assert!(message.contains(words) && message.contains(code), "{message}");
        }
    }
}

#[test]
fn a_stricter_policy_names_the_databases_that_it_puts_out_of_policy_and_changes_none() {
    let sandbox = sandbox();
    let restored = Restored(&sandbox);
    let story = Story::new(&sandbox, "strict");
    story.database("main", "{sku: Standard_B2s}").succeeded();
    story.wait_settled("main");
    let before = story.server();
    // Other stories leave databases behind.
    let out = || {
        crate::common::metric(&sandbox, "controller", "database_operator_databases_out_of_policy").unwrap()
    };
    let others = out();
    let stricter = GOOD.replace("[\"Standard_B*\"]", "[Standard_B1ms]");
    let output = ask_policy(&sandbox, &stricter, &[]);
    assert!(output.stderr.contains("1 database in 1 namespace would no longer comply"), "{output:?}");
    assert!(
        output.stderr.contains("strict/main: spec.sku \"Standard_B2s\" is not allowed here"),
        "{output:?}"
    );
    output.succeeded();

    let condition = |status: &str| {
        let database = story.get("database", "main")?;
        let conditions = database["status"]["conditions"].as_array()?.clone();
        conditions
            .into_iter()
            .find(|condition| condition["type"] == "PolicyCompliant" && condition["status"] == status)
    };
    let told = eventually("the condition tells", || condition("False"));
    assert!(told["message"].as_str().unwrap().contains("[DB101]"), "{told}");
    eventually("the metric counts it", || (out() >= others + 1.0).then_some(()));
    let output = story.kubectl(&["label", "database", "main", "team=a"]);
    assert!(output.stderr.contains("Warning: spec.sku \"Standard_B2s\" is not allowed here"), "{output:?}");
    // What was fine stays so, and other fields can change.
    story.database("main", "{sku: Standard_B2s, storage: {sizeGiB: 64}}").succeeded();
    story.wait_ready("main");
    assert_eq!(story.server().body["sku"], before.body["sku"]);
    drop(restored);
    eventually("all is well again", || condition("True"));
    eventually("the metric counts it no longer", || (out() <= others).then_some(()));
}

#[test]
fn a_profile_by_labels_follows_the_labels_of_the_namespace() {
    let sandbox = sandbox();
    let _restored = Restored(&sandbox);
    let labelled = GOOD.replace("names: [\"*-prod\"]", "labels: {env: prod}");
    apply_policy(&sandbox, &labelled);
    let story = Story::new(&sandbox, "labelled");
    eventually("the policy is in force", || ask(&story, "{sku: Standard_B2s}").ok.then_some(()));
    assert!(ask(&story, "{sku: Standard_D4ds_v5}").refused().contains("profile default"));
    story.kubectl(&["label", "namespace", "labelled", "env=prod"]).succeeded();
    eventually("the label counts", || ask(&story, "{sku: Standard_D4ds_v5}").ok.then_some(()));
    assert!(ask(&story, "{sku: Standard_B2s}").refused().contains("profile production"));

    // A namespace that is made in the same breath as the database in it.
    let manifest = "{apiVersion: v1, kind: Namespace, metadata: {name: at-once, labels: {env: prod}}}\n---\n\
                    {apiVersion: altinn.app/v1alpha1, kind: Database, metadata: {name: main, namespace: at-once}, spec: {}}";
    run(sandbox.kubectl(&["apply", "-f", "-"]), manifest).succeeded();
    let at_once = Story { sandbox: &sandbox, namespace: "at-once".to_owned() };
    assert_eq!(at_once.get("database", "main").unwrap()["spec"]["sku"], "Standard_D2ds_v5");

    // The controller sees the same profile.
    story.database("main", "{}").succeeded();
    story.wait_ready("main");
    assert_eq!(story.get("database", "main").unwrap()["status"]["policy"]["profile"], "production");
}

#[test]
fn where_policy_allows_both_a_standby_comes_and_goes_and_comes_back() {
    let sandbox = sandbox();
    let _restored = Restored(&sandbox);
    apply_policy(
        &sandbox,
        &GOOD.replace("highAvailability: [SameZone,", "highAvailability: [Disabled, SameZone,"),
    );
    let story = Story::new(&sandbox, "standby-prod");
    eventually("a database may go without", || ask(&story, "{highAvailability: Disabled}").ok.then_some(()));
    let availability = |spec: &str| {
        story.database("main", spec).succeeded();
        story.wait_ready("main");
        story.server().body["properties"]["highAvailability"].clone()
    };
    let none = serde_json::json!({"mode": "Disabled", "state": "NotEnabled"});
    assert_eq!(availability("{highAvailability: Disabled}"), none);
    let born = story.born();
    let zones = availability("{highAvailability: ZoneRedundant}");
    assert_eq!((&zones["mode"], &zones["state"]), (&"ZoneRedundant".into(), &"Healthy".into()));
    assert_eq!(availability("{}"), zones, "left out, it stays");
    assert_eq!(availability("{highAvailability: Disabled}"), none);
    assert_eq!(availability("{highAvailability: SameZone}")["mode"], "SameZone");
    assert_eq!(story.born(), born);
    story.data_is_kept();
}

#[test]
fn tags_of_the_policy_reach_servers_that_exist() {
    let sandbox = sandbox();
    let restored = Restored(&sandbox);
    let story = Story::new(&sandbox, "tagged");
    story.database("main", "{}").succeeded();
    story.wait_settled("main");
    let tags = |kind: &str| story.in_azure(kind).remove(0).body["tags"].clone();
    let before = tags(SERVER);
    assert_eq!(before["costcenter"], "4711");

    apply_policy(&sandbox, &GOOD.replace("costcenter: \"4711\"", "costcenter: \"4712\"\n    team: data"));
    let both = [SERVER, IDENTITY];
    eventually("the new tags are in Azure", || {
        both.iter()
            .all(|kind| tags(kind)["costcenter"] == "4712" && tags(kind)["team"] == "data")
            .then_some(())
    });
    assert_eq!(tags(SERVER)["database-operator-name"], "main", "by which it is known for ours");
    drop(restored);
    eventually("the old ones alone are back", || (tags(SERVER) == before).then_some(()));
    story.wait_ready("main");
    story.data_is_kept();
}
