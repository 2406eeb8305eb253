//! What the operator's own accounts may do: as little as Kubernetes lets one say.

use crate::{
    common::{Output, run},
    sandbox,
};

/// Asks the API server whether the webhook may do this, in the operator's namespace.
fn may(verb: &str, what: &str) -> bool {
    let account = "--as=system:serviceaccount:database-operator:database-operator-webhook";
    let ask = ["--namespace=database-operator", "auth", "can-i", verb, what, account];
    let Output { stdout, stderr, .. } = run(sandbox().kubectl(&ask), "");
    match stdout.trim() {
        "yes" => true,
        "no" => false,
        _ => panic!("can-i {verb} {what}: {stdout}{stderr}"),
    }
}

/// Tools that look for drift, and people, see who wrote it.
#[test]
fn the_webhook_signs_the_ca_that_it_publishes() {
    for kind in ["validatingwebhookconfiguration", "mutatingwebhookconfiguration"] {
        let get = ["get", kind, "database-operator", "--show-managed-fields", "--output=json"];
        let configuration = run(sandbox().kubectl(&get), "").succeeded();
        let configuration: serde_json::Value = serde_json::from_str(&configuration).unwrap();
        let mut managers = configuration["metadata"]["managedFields"].as_array().unwrap().iter();
        let wrote = managers.find(|entry| entry.to_string().contains("f:caBundle"));
        assert_eq!(wrote.unwrap()["manager"], "database-operator-webhook", "{kind}");
    }
}

#[test]
fn the_webhook_may_write_one_secret_and_two_configurations_and_nothing_else() {
    const CONFIGURATIONS: [&str; 2] = ["validatingwebhookconfigurations", "mutatingwebhookconfigurations"];
    for verb in ["get", "update"] {
        assert!(may(verb, "secrets/database-operator-webhook-certificate"), "{verb}");
        assert!(!may(verb, "secrets/aso-credential"), "{verb}");
    }
    for verb in ["get", "patch"] {
        for configuration in CONFIGURATIONS {
            assert!(may(verb, &format!("{configuration}/database-operator")), "{verb} {configuration}");
            assert!(!may(verb, &format!("{configuration}/another")), "{verb} {configuration}");
        }
    }
    assert!(may("get", "configmaps/database-policy"));
    // A Secret of type kubernetes.io/service-account-token is filled with the token of whichever account it names.
    let verbs = ["create", "update", "patch", "delete", "deletecollection"];
    let all = [
        "secrets",
        "configmaps",
        "serviceaccounts",
        "serviceaccounts/token",
        "pods",
        "leases.coordination.k8s.io",
        "rolebindings.rbac.authorization.k8s.io",
        "databases.altinn.app",
        "retaineddatabases.altinn.app",
        "flexibleservers.dbforpostgresql.azure.com",
        "validatingadmissionpolicies.admissionregistration.k8s.io",
        CONFIGURATIONS[0],
        CONFIGURATIONS[1],
    ];
    for what in all {
        for verb in verbs {
            assert!(!may(verb, what), "{verb} {what}");
        }
    }
    assert!(!may("list", "secrets") && !may("watch", "secrets"));
}
