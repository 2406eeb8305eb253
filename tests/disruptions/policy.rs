//! A policy that is missing, broken, mended or changed.

use rstest::rstest;
use sandbox::Sandbox;

use crate::{
    common::{Output, Story, eventually, run},
    sandbox,
};

const GOOD: &str = include_str!("../../examples/policy.yaml");

/// Applies the ConfigMap with this policy.
pub(crate) fn apply_policy(sandbox: &Sandbox, yaml: &str) {
    let config_map = serde_json::json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "database-policy", "namespace": "database-operator"},
        "data": {"policy.yaml": yaml},
    });
    run(sandbox.kubectl(&["apply", "-f", "-"]), &config_map.to_string()).succeeded();
}

fn delete_policy(sandbox: &Sandbox) {
    let arguments =
        ["delete", "configmap", "database-policy", "-n", "database-operator", "--ignore-not-found"];
    run(sandbox.kubectl(&arguments), "").succeeded();
}

/// Puts the good policy back at the end of a story, also of one that failed.
struct Restored<'a>(&'a Sandbox);

impl Drop for Restored<'_> {
    fn drop(&mut self) {
        apply_policy(self.0, GOOD);
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
    apply_policy(&sandbox, "azure: [");
    eventually("the webhook has noticed", || {
        sandbox.operator_log("webhook").unwrap().contains("is broken: line 1").then_some(())
    });
    delete_policy(&sandbox);
    eventually("the webhook has noticed", || {
        sandbox.operator_log("webhook").unwrap().contains("is missing; revision").then_some(())
    });
    ask(&story, "{}").succeeded();
    assert!(ask(&story, "{sku: Standard_E64ds_v5}").refused().contains("[DB101]"));
}

#[rstest]
#[case::broken("azure: [", "DB402", "line 1")]
#[case::unknown_key(&GOOD.replace("clusterName:", "clustername:"), "DB403", "did you mean clusterName?")]
#[case::no_such_size(&GOOD.replace("sku: Standard_B1ms", "sku: Standard_B1m"), "DB404", "did you mean Standard_B1ms?")]
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
        apply_policy(&sandbox, yaml);
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
    assert!(story.kubectl(&["delete", "database", "old"]).refused().contains("[DB201]"));

    drop(restored);
    eventually("the good policy is in force", || ask(&story, "{}").ok.then_some(()));
}
