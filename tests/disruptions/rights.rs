//! The rights that the chart gives the controller: each is used, so that without it something would be refused, and nothing is
//! refused.

use std::collections::BTreeSet;

use sandbox::{Options, Sandbox};
use serde_json::Value;

use crate::{
    common::{FIREWALL_RULE, SERVER, Story, audit, eventually, rests, run},
    policy::{GOOD, apply_policy},
    vault,
};

/// What this course of events needs not, and what does.
const ELSEWHERE: [(&str, &str); 12] = [
    ("get flexibleserversdatabases.dbforpostgresql.azure.com", "what is in trouble is nudged"),
    ("get flexibleserversadministrators.dbforpostgresql.azure.com", "what is in trouble is nudged"),
    ("get flexibleserversconfigurations.dbforpostgresql.azure.com", "what is in trouble is nudged"),
    ("get flexibleserversfirewallrules.dbforpostgresql.azure.com", "what is in trouble is nudged"),
    ("get federatedidentitycredentials.managedidentity.azure.com", "what is in trouble is nudged"),
    ("get backupvaultsbackupinstances.dataprotection.azure.com", "what is in trouble is nudged"),
    ("get userassignedidentities.managedidentity.azure.com", "what is in trouble is nudged"),
    (
        "delete flexibleserversadministrators.dbforpostgresql.azure.com",
        "an app's administrator is handed over",
    ),
    ("delete flexibleserversconfigurations.dbforpostgresql.azure.com", "the garbage collector may be first"),
    ("delete flexibleserversdatabases.dbforpostgresql.azure.com", "the garbage collector may be first"),
    ("patch retaineddatabases.altinn.app", "a kept server comes back as another Database"),
    ("patch events.events.k8s.io", "an event that is told again counts one more"),
];

/// A verb on a resource, as `patch databases.altinn.app/status`.
pub(crate) type Right = String;

fn right(verb: &str, group: &str, resource: &str, subresource: &str) -> Right {
    let group = if group.is_empty() { String::new() } else { format!(".{group}") };
    let subresource = if subresource.is_empty() { String::new() } else { format!("/{subresource}") };
    format!("{verb} {resource}{group}{subresource}")
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// What the roles of the chart say.
fn given(sandbox: &Sandbox) -> BTreeSet<Right> {
    let mut rights = BTreeSet::new();
    for kind in ["role", "clusterrole"] {
        let get =
            ["--namespace=database-operator", "get", kind, "database-operator-controller", "--output=json"];
        let role: Value = serde_json::from_str(&run(sandbox.kubectl(&get), "").succeeded()).unwrap();
        rights.extend(role["rules"].as_array().unwrap().iter().flat_map(rights_of));
    }
    rights
}

/// What a rule of a role says, for whichever object.
pub(crate) fn rights_of(rule: &Value) -> impl Iterator<Item = Right> {
    texts(&rule["apiGroups"]).flat_map(move |group| {
        texts(&rule["resources"]).flat_map(move |resource| {
            let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
            texts(&rule["verbs"]).map(move |verb| right(verb, group, resource, subresource))
        })
    })
}

/// What a process was allowed by the API server since this line of the audit log, and what it was not.
fn asked(sandbox: &Sandbox, process: &str, from_line: usize) -> (BTreeSet<Right>, BTreeSet<Right>) {
    let account = format!("system:serviceaccount:database-operator:database-operator-{process}");
    let (mut used, mut refused) = (BTreeSet::new(), BTreeSet::new());
    let log = audit(sandbox);
    // The last line may be half written.
    let events = log.lines().skip(from_line).filter_map(|line| serde_json::from_str::<Value>(line).ok());
    for event in events.filter(|event| event["user"]["username"] == account.as_str()) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let about = &event["objectRef"];
        let resource = text(&about["resource"]);
        // What everybody may ask: discovery, and the version.
        if resource.is_empty() {
            continue;
        }
        let right =
            right(&text(&event["verb"]), &text(&about["apiGroup"]), &resource, &text(&about["subresource"]));
        if event["annotations"]["authorization.k8s.io/decision"] == "forbid" {
            refused.insert(right);
            continue;
        }
        // An apply of what isn't there asks for that right, too.
        if let Some(resource) = right.strip_prefix("patch ") {
            used.insert(format!("create {resource}"));
        }
        used.insert(right);
    }
    (used, refused)
}

/// What no role has allowed a process since this line of the audit log.
pub(crate) fn refused(sandbox: &Sandbox, process: &str, from_line: usize) -> BTreeSet<Right> {
    asked(sandbox, process, from_line).1
}

/// What a process was allowed since this line of the audit log.
pub(crate) fn allowed(sandbox: &Sandbox, process: &str, from_line: usize) -> BTreeSet<Right> {
    asked(sandbox, process, from_line).0
}

#[test]
fn the_controller_has_each_right_that_it_uses_and_no_other() {
    let sandbox = Sandbox::start(&Options::without_postgres()).unwrap_or_else(|error| panic!("{error}"));
    vault::bring(&sandbox);
    let spec = "{parameters: {work_mem: \"8192\"}, backup: {vault: weekly}}";
    let story = Story::anywhere(&sandbox).with_database(spec);
    vault::wait_told(&story, "Protected");
    let other = Story::anywhere(&sandbox).with_database("{authentication: Password}");
    rests(&story);
    // A rule that comes and goes.
    let one = "      - {name: cluster-egress, start: 20.100.0.4, end: 20.100.0.4}\n";
    let two = format!("{one}      - {{name: office, start: 20.100.0.5, end: 20.100.0.5}}\n");
    for (policy, rules) in [(GOOD.replace(one, &two), 2), (GOOD.clone(), 1)] {
        apply_policy(&sandbox, &policy);
        eventually("the rules are those of the policy", || {
            (story.in_azure(FIREWALL_RULE).len() == rules).then_some(())
        });
    }
    story.database("main", "{parameters: {work_mem: \"8192\"}, backup: {vault: None}}").succeeded();
    let instances = "backupvaultsbackupinstances";
    eventually("no copy is asked for", || story.of_its_databases(instances).is_empty().then_some(()));
    // Kept, recovered, and destroyed.
    story.delete_with("Retain");
    story.wait_record("Kept");
    story.database("main", "{}").succeeded();
    story.wait_ready("main");
    eventually("the record has gone", || story.record().is_none().then_some(()));
    for story in [&story, &other] {
        story.confirm_destroy();
        story.kubectl(&["delete", "database", "main"]).succeeded();
        eventually("nothing is left", || story.azure_objects().is_empty().then_some(()));
        assert!(story.in_azure(SERVER).is_empty());
    }
    let (used, refused) = asked(&sandbox, "controller", 0);
    assert_eq!(refused, BTreeSet::new(), "no role allows this");
    let is_elsewhere = |right: &&Right| ELSEWHERE.iter().any(|(elsewhere, _)| elsewhere == right);
    let unused: Vec<_> =
        given(&sandbox).difference(&used).filter(|right| !is_elsewhere(right)).cloned().collect();
    assert_eq!(unused, Vec::<Right>::new());
}
