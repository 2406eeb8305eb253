//! What the operator's own accounts may do: as little as Kubernetes lets one say.

use serde_json::{Value, json};

use crate::{
    common::{Output, run},
    sandbox, story,
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

#[allow(clippy::too_many_lines, reason = "one attempt after the other")]
/// What somebody tries with the controller's token, and what the chart's fence says. Kubernetes' roles alone would let it pass.
#[test]
fn the_controllers_token_writes_nothing_but_what_is_the_operators() {
    const SECRETS: &str = "writes only the Secrets of databases";
    let story = story().with_database("{}");
    let as_controller = |arguments: &[&str], input: &str| {
        let account = "--as=system:serviceaccount:database-operator:database-operator-controller";
        run(story.sandbox.kubectl(&[&[account, "--namespace", &story.namespace], arguments].concat()), input)
    };
    let labels = json!({
        "app.kubernetes.io/managed-by": "database-operator", "altinn.app/database-namespace": story.namespace,
        "altinn.app/database-name": "main",
    });
    let create = |object: Value| as_controller(&["create", "--filename=-"], &object.to_string());
    let patch = |kind: &str, name: &str, body: Value| {
        as_controller(&["patch", kind, name, "--type=merge", "--patch", &body.to_string()], "")
    };
    // It may not get one, which `kubectl patch` does first.
    let apply_account = |more: Value| {
        let mut account =
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}});
        json_patch::merge(&mut account, &more);
        as_controller(&["apply", "--server-side", "--filename=-"], &account.to_string())
    };
    let refused = |tried: Output, words: &str| {
        let said = tried.refused();
        assert!(said.contains(words), "{said}");
    };
    story.apply(r#"{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "theirs"}, "stringData": {"key": "value"}}"#).succeeded();

    // The token of another account.
    let account = json!({"kubernetes.io/service-account.name": "default"});
    let token = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
        "metadata": {"name": "main-db-credentials-2", "labels": labels, "annotations": account},
    });
    refused(create(token), SECRETS);
    let disguised = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "servicebinding.io/postgresql",
        "metadata": {"name": "other-db-credentials", "labels": labels},
    });
    refused(create(disguised), SECRETS);
    refused(patch("secret", "theirs", json!({"stringData": {"key": "mine"}})), SECRETS);
    refused(patch("secret", "theirs", json!({"metadata": {"labels": labels}})), SECRETS);
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "mine"}});
    refused(create(account), "makes only the ServiceAccounts of databases");
    refused(
        apply_account(json!({"imagePullSecrets": [{"name": "theirs"}]})),
        "gives a ServiceAccount no Secrets",
    );
    refused(
        apply_account(json!({"metadata": {"annotations": {"eks.amazonaws.com/role-arn": "mine"}}})),
        "writes only the annotation azure.workload.identity/client-id",
    );
    for change in [
        json!({"spec": {"version": 18}}),
        json!({"metadata": {"annotations": {"altinn.app/retention": "Destroy"}}}),
        json!({"metadata": {"labels": {"mine": "true"}}}),
    ] {
        refused(patch("database", "main", change), "writes only its finalizer and the status");
    }
    refused(
        patch(
            "database",
            "main",
            json!({"metadata": {"finalizers": ["altinn.app/retain-data", "mine/keep"]}}),
        ),
        "leaves the finalizers of others",
    );
    // What the operator itself does, so that a refusal of everything would show.
    let annotation = json!({"metadata": {"annotations": {"azure.workload.identity/client-id": "client"}}});
    apply_account(annotation).succeeded();
}
