//! What the chart takes, and what it refuses.

use std::thread;

use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    documents::{self, Leaf},
    template, with_values,
};

/// A mistake in each group of values, so that one run tells of all.
fn misspell(values: &Value, schema: &Value, at: &str, groups: &mut Vec<String>) -> Value {
    let mut spelt = serde_json::Map::from_iter([("misspelt".to_owned(), json!(1))]);
    groups.push(at.to_owned());
    for (key, schema) in documents::properties(schema) {
        if documents::is_group(schema) {
            spelt.insert(key.clone(), misspell(&values[key], schema, &format!("{at}/{key}"), groups));
        }
    }
    Value::Object(spelt)
}

#[test]
fn a_key_that_is_misspelt_is_refused_by_its_name_wherever_it_stands() {
    let mut groups = Vec::new();
    let values = misspell(&documents::values(), &documents::schema(), "", &mut groups);
    assert!(groups.len() > 10, "{groups:?}");
    let refused = with_values(&values).unwrap_err();
    for group in groups {
        let line = format!("- at '{group}': additional properties 'misspelt' not allowed");
        assert!(refused.lines().any(|said| said.trim_start() == line), "{line}\n{refused}");
    }
}

#[rstest]
#[case::group("controler.replicas=9", "at '': additional properties 'controler' not allowed")]
#[case::key("webhook.replica=5", "at '/webhook': additional properties 'replica' not allowed")]
#[case::nothing("webhook=null", "at '': missing property 'webhook'")]
#[case::number("webhook.replicas=two", "at '/webhook/replicas': got string, want integer")]
#[case::most("webhook.timeoutSeconds=60", "at '/webhook/timeoutSeconds': maximum: got 60, want 30")]
#[case::none("webhook.replicas=0", "at '/webhook/replicas': minimum: got 0, want 1")]
#[case::word(
    "deleteGuard.whenMissing=refuse",
    "at '/deleteGuard/whenMissing': value must be one of 'deny', 'webhook'"
)]
#[case::quote("policyConfigMap=a'b", "at '/policyConfigMap': 'a\\'b' does not match pattern")]
#[case::root("securityContext.runAsUser=0", "at '/securityContext/runAsUser': minimum: got 0, want 1")]
#[case::rules(
    "metrics.rules.apiGroup=azmonitoring.coreos.com",
    "at '/metrics/rules/apiGroup': value must be one of 'monitoring.coreos.com', 'monitoring.rhobs'"
)]
#[case::digest("image.digest=latest", "at '/image/digest': 'latest' does not match pattern")]
#[case::flag("webhook.extraArgs[0]=settle", "at '/webhook/extraArgs/0': 'settle' does not match pattern")]
#[case::taint("tolerations[0].kee=a", "at '/tolerations/0': additional properties 'kee' not allowed")]
#[case::peer(
    "webhook.allowFrom[0].podSelektor.a=b",
    "at '/webhook/allowFrom/0': additional properties 'podSelektor' not allowed"
)]
#[case::client(
    "controller.workloadIdentity.clientId=a",
    "at '/controller/workloadIdentity/clientId': 'a' does not"
)]
#[case::half_of_a_certificate(
    "webhook.certificate.certManagerInjectFrom=a/b",
    "write the name of the Certificate's Secret in webhook.certificate.mountedSecret too"
)]
fn what_can_not_work_is_refused_with_the_key_in_the_line(#[case] set: &str, #[case] line: &str) {
    let refused = template(&[format!("--set={set}")]).unwrap_err();
    assert!(refused.contains(line), "{refused}");
}

/// Another chart may have this one as a part.
#[test]
fn what_helm_gives_to_parts_of_a_chart_is_taken() {
    template(&["--set=global.region=norwayeast".into()]).unwrap();
}

/// One without an effect would be set in vain.
#[test]
fn each_value_has_an_effect() {
    let everything: Value = serde_saphyr::from_str(include_str!("everything.yaml")).unwrap();
    let (defaults, nothing) = (documents::values(), json!({}));
    let (all, default) = (with_values(&everything).unwrap(), with_values(&nothing).unwrap());
    // They leave out what others are about.
    let alone = ["deleteGuard.enabled", "webhook.url"];
    let leaves = documents::leaves();
    let check = |leaf: &Leaf| {
        let (set, unset) = (documents::at(&everything, &leaf.path), documents::at(&defaults, &leaf.path));
        assert_ne!(set, unset, "tests/chart/everything.yaml: {}", leaf.path);
        let mut without = everything.clone();
        documents::put(&mut without, &leaf.path, unset.clone());
        // Or it has one where another isn't set.
        let mut only = nothing.clone();
        documents::put(&mut only, &leaf.path, set.clone());
        let has = with_values(&without).ok().as_ref() != Some(&all)
            || with_values(&only).ok().as_ref() != Some(&default);
        assert!(has, "{} changes nothing", leaf.path);
    };
    let set: Vec<&Leaf> = leaves.iter().filter(|leaf| !alone.contains(&leaf.path.as_str())).collect();
    assert_eq!(set.len() + alone.len(), leaves.len());
    thread::scope(|scope| {
        for part in set.chunks(set.len().div_ceil(4)) {
            scope.spawn(move || part.iter().for_each(|leaf| check(leaf)));
        }
    });
}

#[test]
fn the_guard_against_deletes_and_the_fence_can_be_left_out() {
    let set = ["deleteGuard.enabled=false", "fence.enabled=false"];
    let rendered = |set: &[&str]| {
        template(&set.iter().map(|value| format!("--set={value}")).collect::<Vec<_>>()).unwrap()
    };
    for (left_out, kept) in [(0, "database-operator-secrets"), (1, "database-retention")] {
        assert!(rendered(&set[left_out..=left_out]).contains(&format!("policyName: {kept}\n")));
    }
    assert!(!rendered(&set).contains("kind: ValidatingAdmissionPolicy"));
}
