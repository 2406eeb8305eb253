//! Each rule of the chart's roles is needed: without it the API server refuses just what it allows, and when it is back, the
//! operator goes on.

use std::collections::BTreeSet;

use sandbox::{Action, Options, Sandbox};
use serde_json::{Value, json};

use crate::{
    common::{Story, audit_lines, database, eventually, run},
    policy::GOOD,
    rights::{Right, allowed, refused, rights_of},
};

/// A rule, by the beginning of what it is about, and what has the operator need it.
struct Needed {
    process: &'static str,
    kind: &'static str,
    /// Its first resource, and the names of objects for which alone it is.
    rule: &'static str,
    /// What is refused without it.
    refused: &'static str,
    provoked: Provoked,
}

/// What has the operator need a rule.
#[derive(Clone, Copy)]
enum Provoked {
    /// The process starts anew.
    AtStart,
    /// Something that the operator does again by itself until it succeeds.
    Once(fn(&Course<'_>)),
    /// Something that it does once. It is done again when the rule is back.
    EachTime(fn(&Course<'_>)),
}

use Provoked::{AtStart, EachTime, Once};

const fn controller(
    kind: &'static str,
    rule: &'static str,
    refused: &'static str,
    provoked: Provoked,
) -> Needed {
    Needed { process: "controller", kind, rule, refused, provoked }
}

const fn webhook(
    kind: &'static str,
    rule: &'static str,
    refused: &'static str,
    provoked: Provoked,
) -> Needed {
    Needed { process: "webhook", kind, rule, refused, provoked }
}

const NEEDED: &[Needed] = &[
    controller(
        "role",
        "flexibleservers.dbforpostgresql.azure.com",
        "list flexibleservers.dbforpostgresql.azure.com",
        AtStart,
    ),
    controller(
        "role",
        "userassignedidentities.managedidentity.azure.com",
        "list userassignedidentities.managedidentity.azure.com",
        AtStart,
    ),
    controller(
        "role",
        "backupvaultsbackupinstances.dataprotection.azure.com",
        "list backupvaultsbackupinstances.dataprotection.azure.com",
        AtStart,
    ),
    controller("role", "retaineddatabases.altinn.app", "list retaineddatabases.altinn.app", AtStart),
    controller("role", "configmaps database-policy", "list configmaps", AtStart),
    controller(
        "role",
        "leases.coordination.k8s.io database-operator-controller",
        "get leases.coordination.k8s.io",
        AtStart,
    ),
    controller(
        "role",
        "leases.coordination.k8s.io",
        "create leases.coordination.k8s.io",
        Once(forget_the_leader),
    ),
    controller("clusterrole", "databases.altinn.app", "list databases.altinn.app", AtStart),
    controller("clusterrole", "namespaces", "list namespaces", AtStart),
    controller("clusterrole", "namespaces kube-system", "get namespaces", AtStart),
    controller("clusterrole", "secrets", "list secrets", AtStart),
    controller("clusterrole", "serviceaccounts", "list serviceaccounts", AtStart),
    controller(
        "clusterrole",
        "databases.altinn.app/status",
        "patch databases.altinn.app/status",
        Once(create),
    ),
    controller("clusterrole", "events.events.k8s.io", "create events.events.k8s.io", EachTime(create)),
    controller(
        "role",
        "retaineddatabases.altinn.app/status",
        "patch retaineddatabases.altinn.app/status",
        Once(keep),
    ),
    controller("role", "secrets", "delete secrets", Once(destroy)),
    webhook("role", "secrets database-operator-webhook-certificate", "get secrets", AtStart),
    webhook("role", "configmaps database-policy", "list configmaps", AtStart),
    webhook(
        "clusterrole",
        "validatingwebhookconfigurations.admissionregistration.k8s.io database-operator",
        "get validatingwebhookconfigurations.admissionregistration.k8s.io",
        AtStart,
    ),
    webhook("clusterrole", "namespaces", "list namespaces", AtStart),
    webhook("clusterrole", "databases.altinn.app", "list databases.altinn.app", AtStart),
    webhook(
        "clusterrole",
        "validatingadmissionpolicies.admissionregistration.k8s.io database-retention",
        "get validatingadmissionpolicies.admissionregistration.k8s.io",
        EachTime(ask_about_a_policy),
    ),
    webhook(
        "clusterrole",
        "retaineddatabases.altinn.app",
        "list retaineddatabases.altinn.app",
        EachTime(ask_about_a_namespace),
    ),
];

/// The roles of the chart's two accounts.
const ROLES: [(&str, &str); 4] =
    [("controller", "role"), ("controller", "clusterrole"), ("webhook", "role"), ("webhook", "clusterrole")];

/// How the table calls a rule.
fn called(rule: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (group, resource) = (text(&rule["apiGroups"][0]), text(&rule["resources"][0]));
    let (resource, subresource) = resource.split_once('/').unwrap_or((&resource, ""));
    let group = if group.is_empty() { group } else { format!(".{group}") };
    let subresource = if subresource.is_empty() { String::new() } else { format!("/{subresource}") };
    let names = rule["resourceNames"].as_array().into_iter().flatten().map(|name| format!(" {}", text(name)));
    format!("{resource}{group}{subresource}{}", names.collect::<String>())
}

struct Course<'a> {
    sandbox: &'a Sandbox,
    /// One with a database that is kept, and one with a database that has a password.
    kept: Story<'a>,
    destroyed: Story<'a>,
}

impl Course<'_> {
    fn role(&self, process: &str, kind: &str) -> Vec<Value> {
        let name = format!("database-operator-{process}");
        let get = ["--namespace=database-operator", "get", kind, &name, "--output=json"];
        let mut role: Value = serde_json::from_str(&run(self.sandbox.kubectl(&get), "").succeeded()).unwrap();
        serde_json::from_value(role["rules"].take()).unwrap()
    }

    fn give(&self, process: &str, kind: &str, rules: &[Value]) {
        let name = format!("database-operator-{process}");
        let patch = json!({ "rules": rules }).to_string();
        let patch =
            ["--namespace=database-operator", "patch", kind, &name, "--type=merge", "--patch", &patch];
        run(self.sandbox.kubectl(&patch), "").succeeded();
    }

    /// Waits until the API server judges by the role as it is now.
    #[track_caller]
    fn allows(&self, needed: &Needed, rule: &Value, is_allowed: bool) {
        let account =
            format!("--as=system:serviceaccount:database-operator:database-operator-{}", needed.process);
        let verb = needed.refused.split_once(' ').unwrap().0;
        let (resource, name) = needed.rule.split_once(' ').unwrap_or((needed.rule, ""));
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let resource = if name.is_empty() { resource.to_owned() } else { format!("{resource}/{name}") };
        let subresource = format!("--subresource={subresource}");
        let ask = ["--namespace=database-operator", "auth", "can-i", verb, &resource, &subresource, &account];
        eventually(&format!("{} may {verb} {resource}: {is_allowed}; {rule}", needed.process), || {
            let answer = run(self.sandbox.kubectl(&ask), "").stdout;
            (answer.trim() == if is_allowed { "yes" } else { "no" }).then_some(())
        });
    }

    fn provoke(&self, needed: &Needed) {
        match needed.provoked {
            AtStart => self.sandbox.process(needed.process).act(Action::Restart).unwrap(),
            Once(provoke) | EachTime(provoke) => provoke(self),
        }
    }

    fn is_needed(&self, needed: &Needed) {
        let rules = self.role(needed.process, needed.kind);
        let at = rules.iter().position(|rule| called(rule) == needed.rule).unwrap();
        let others: Vec<Value> = rules
            .iter()
            .enumerate()
            .filter(|(index, _)| *index != at)
            .map(|(_, rule)| rule.clone())
            .collect();
        let what = format!("{} {} {}", needed.process, needed.kind, needed.rule);

        self.give(needed.process, needed.kind, &others);
        self.allows(needed, &rules[at], false);
        let from = audit_lines(self.sandbox);
        self.provoke(needed);
        let seen = eventually(&format!("without {what} something is refused"), || {
            let seen = refused(self.sandbox, needed.process, from);
            seen.contains(needed.refused).then_some(seen)
        });
        let all: BTreeSet<Right> = rights_of(&rules[at]).collect();
        assert!(seen.is_subset(&all), "without {what}: {seen:?}");

        let back = audit_lines(self.sandbox);
        self.give(needed.process, needed.kind, &rules);
        self.allows(needed, &rules[at], true);
        let from = audit_lines(self.sandbox);
        if let EachTime(provoke) = needed.provoked {
            provoke(self);
        }
        eventually(&format!("with {what} it is allowed"), || {
            allowed(self.sandbox, needed.process, back).contains(needed.refused).then_some(())
        });
        assert_eq!(refused(self.sandbox, needed.process, from), BTreeSet::new(), "with {what}");
        self.sandbox.process(needed.process).wait_ready().unwrap();
    }
}

/// Another database.
fn create(course: &Course<'_>) {
    let story = Story::anywhere(course.sandbox);
    story.create(&database("main", "{}")).succeeded();
}

fn forget_the_leader(course: &Course<'_>) {
    let controller = course.sandbox.process("controller");
    controller.stop().unwrap();
    course.kept.as_platform(&["delete", "lease", "database-operator-controller"]).succeeded();
    controller.act(Action::Start).unwrap();
}

fn keep(course: &Course<'_>) {
    course.kept.delete_with("Retain");
}

fn destroy(course: &Course<'_>) {
    course.destroyed.confirm_destroy();
    course.destroyed.kubectl(&["delete", "database", "main", "--wait=false"]).succeeded();
}

fn ask_about_a_policy(course: &Course<'_>) {
    let policy = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": "database-policy", "namespace": "database-operator" },
        "data": { "policy.yaml": format!("{}# changed\n", *GOOD) },
    });
    run(course.sandbox.kubectl(&["apply", "--dry-run=server", "-f", "-"]), &policy.to_string()).succeeded();
}

fn ask_about_a_namespace(course: &Course<'_>) {
    let empty = Story::anywhere(course.sandbox);
    run(course.sandbox.kubectl(&["delete", "namespace", &empty.namespace, "--dry-run=server"]), "")
        .succeeded();
}

#[test]
fn without_each_rule_something_is_refused_and_with_it_the_operator_goes_on() {
    let sandbox = Sandbox::start(&Options::without_postgres()).unwrap_or_else(|error| panic!("{error}"));
    let kept = Story::anywhere(&sandbox).with_database("{}");
    let destroyed = Story::anywhere(&sandbox).with_database("{authentication: Password}");
    let course = Course { sandbox: &sandbox, kept, destroyed };
    for (process, kind) in ROLES {
        let known = NEEDED.iter().filter(|needed| (needed.process, needed.kind) == (process, kind));
        let known: BTreeSet<&str> = known.map(|needed| needed.rule).collect();
        let there: Vec<String> = course.role(process, kind).iter().map(called).collect();
        assert_eq!(
            there.iter().map(String::as_str).collect::<BTreeSet<_>>(),
            known,
            "the {kind} of the {process}"
        );
        assert_eq!(there.len(), known.len(), "two rules of the {kind} of the {process} are called the same");
    }
    for needed in NEEDED {
        course.is_needed(needed);
    }
    // What waited for a right has come to its end.
    course.kept.wait_record("Kept");
    eventually("nothing is left of what was destroyed", || {
        course.destroyed.azure_objects().is_empty().then_some(())
    });
    let story = Story::anywhere(&sandbox).with_database("{}");
    story.data_is_kept();
}
