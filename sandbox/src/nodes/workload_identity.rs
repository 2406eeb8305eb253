//! The part of Azure Workload Identity that pods need: its webhook gives each pod with a label a token of its ServiceAccount, and
//! says where that is traded. Here an admission policy of Kubernetes does the same for the operator's pods.
//! <https://azure.github.io/azure-workload-identity/docs/topics/service-account-labels-and-annotations.html>

use serde_json::{Value, json};

use crate::azure::TOKEN_EXCHANGE;

const NAME: &str = "azure-workload-identity";
const FOLDER: &str = "/var/run/secrets/azure/tokens";
const FILE: &str = "azure-identity-token";

/// Whose pods get it, and what they get.
#[derive(Debug)]
pub(crate) struct Identity<'a> {
    pub(crate) account: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) tenant_id: &'a str,
    /// As pods reach it.
    pub(crate) authority: &'a str,
}

/// The policy and its binding, a List.
pub(crate) fn manifests(identity: &Identity<'_>) -> Value {
    let Identity { account, client_id, tenant_id, authority } = identity;
    let variables = [
        ("AZURE_AUTHORITY_HOST", format!("{authority}/")),
        ("AZURE_CLIENT_ID", (*client_id).to_owned()),
        ("AZURE_TENANT_ID", (*tenant_id).to_owned()),
        ("AZURE_FEDERATED_TOKEN_FILE", format!("{FOLDER}/{FILE}")),
    ];
    // A value has a type by its place. The operator's pods have one container, with variables, and the volume of each pod
    // that talks to the API server.
    let (container, volume) = ("Object.spec.containers", "Object.spec.volumes");
    let add = |path: &str, value: String| format!("JSONPatch{{op: \"add\", path: {path:?}, value: {value}}}");
    let mut patches: Vec<String> = variables
        .iter()
        .map(|(name, value)| format!("{container}.env{{name: {name:?}, value: {value:?}}}"))
        .map(|variable| add("/spec/containers/0/env/-", variable))
        .collect();
    let mount = format!("{container}.volumeMounts{{name: {FILE:?}, mountPath: {FOLDER:?}, readOnly: true}}");
    patches.push(add("/spec/containers/0/volumeMounts/-", mount));
    let token = format!(
        "{volume}.projected.sources.serviceAccountToken{{audience: {TOKEN_EXCHANGE:?}, expirationSeconds: 3600, path: {FILE:?}}}"
    );
    let source = format!("{volume}.projected.sources{{serviceAccountToken: {token}}}");
    let projected = format!("{volume}.projected{{sources: [{source}]}}");
    patches.push(add("/spec/volumes/-", format!("{volume}{{name: {FILE:?}, projected: {projected}}}")));
    let expression = format!("[{}]", patches.join(", "));
    let metadata = json!({ "name": NAME });
    json!({ "apiVersion": "v1", "kind": "List", "items": [
        {
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingAdmissionPolicy", "metadata": metadata,
            "spec": {
                "failurePolicy": "Fail", "reinvocationPolicy": "Never",
                "matchConstraints": {
                    "objectSelector": { "matchLabels": { "azure.workload.identity/use": "true" } },
                    "resourceRules": [{
                        "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"],
                    }],
                },
                "matchConditions": [{
                    "name": "account", "expression": format!("object.spec.serviceAccountName == {account:?}"),
                }],
                "mutations": [{
                    "patchType": "JSONPatch", "jsonPatch": { "expression": expression },
                }],
            },
        },
        {
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingAdmissionPolicyBinding",
            "metadata": metadata, "spec": { "policyName": NAME },
        },
    ]})
}
