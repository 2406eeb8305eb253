//! Reviews as an API server sends them, each in two sizes.

use std::fmt;

use serde_json::{Value, json};
use webhook::review::Hook;

/// The platform's rules that all of them are judged by.
pub const POLICY: &str = include_str!("../examples/policy.yaml");
const LARGE: usize = 100 * 1024;

/// A review, and what must come of it.
#[derive(Clone, Debug)]
pub struct Review {
    pub hook: Hook,
    pub name: &'static str,
    /// Among what somebody wrote, most reviews are small; one whose object was changed by many for years is large.
    pub is_large: bool,
    pub body: Vec<u8>,
    /// How many problems it is denied for.
    pub problems: usize,
}

impl Review {
    /// Where the API server posts it.
    pub fn path(&self) -> &'static str {
        Hook::ALL.iter().find(|(_, hook)| *hook == self.hook).map(|(path, _)| *path).unwrap_or_default()
    }
}

impl fmt::Display for Review {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = if self.is_large { "100 KB" } else { "1 KB" };
        write!(f, "{} {}, {size}", self.hook.name(), self.name)
    }
}

/// All of them, the small ones first.
pub fn all() -> Vec<Review> {
    let stored = database(&filled("Standard_B1ms"), &json!({"altinn.app/retention": "Retain"}));
    let changed = database(&filled("Standard_B2s"), &json!({"altinn.app/retention": "Retain"}));
    let bare = database(&json!({"parameters": {"work_mem": "16384"}}), &json!({}));
    let wrong = json!({"version": 9, "sku": "Standard_D2ds_v5", "storage": {"sizeGiB": 33}});
    let nothing = Value::Null;
    let kinds = [
        (Hook::Validate, "create", "CREATE", [&changed, &nothing], 0),
        (Hook::Validate, "create, denied", "CREATE", [&database(&wrong, &json!({})), &nothing], 3),
        (Hook::Validate, "update", "UPDATE", [&changed, &stored], 0),
        (Hook::Validate, "delete", "DELETE", [&nothing, &stored], 0),
        (Hook::Mutate, "create", "CREATE", [&bare, &nothing], 0),
        (Hook::Mutate, "update", "UPDATE", [&changed, &stored], 0),
    ];
    let mut all = Vec::new();
    for is_large in [false, true] {
        for (hook, name, operation, objects, problems) in kinds {
            let mut body = review(operation, objects.map(Value::clone));
            if is_large {
                grow(&mut body);
            }
            all.push(Review { hook, name, is_large, body: body.to_string().into_bytes(), problems });
        }
    }
    all
}

fn filled(sku: &str) -> Value {
    json!({"version": 17, "sku": sku, "storage": {"sizeGiB": 64}, "parameters": {"work_mem": "16384"}})
}

fn database(spec: &Value, annotations: &Value) -> Value {
    json!({
        "apiVersion": "altinn.app/v1alpha1", "kind": "Database",
        "metadata": {
            "name": "main", "namespace": "orders", "uid": "5b0f8f5a-21c2-4b0c-9f0e-0b8f3c1d2e3f", "generation": 1,
            "creationTimestamp": "2026-11-01T12:00:00Z", "annotations": annotations,
        },
        "spec": spec,
    })
}

fn review(operation: &str, [object, old]: [Value; 2]) -> Value {
    let kind = json!({"group": "altinn.app", "version": "v1alpha1", "kind": "Database"});
    let resource = json!({"group": "altinn.app", "version": "v1alpha1", "resource": "databases"});
    json!({
        "kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": kind, "resource": resource, "requestKind": kind, "requestResource": resource,
            "name": "main", "namespace": "orders", "operation": operation,
            "userInfo": {
                "username": "system:serviceaccount:flux-system:kustomize-controller",
                "uid": "e3b5a3a0-5a3c-4a52-8a8a-7c1f0c2f7a11",
                "groups": ["system:serviceaccounts", "system:serviceaccounts:flux-system", "system:authenticated"],
            },
            "object": object, "oldObject": old, "dryRun": false,
            "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1", "fieldManager": "flux"},
        },
    })
}

/// Half with the notes of who owns which field, and the rest with an annotation that holds JSON, as `kubectl apply`
/// writes it. An update shares the size among both its objects.
fn grow(review: &mut Value) {
    let parts: Vec<&str> =
        ["object", "oldObject"].into_iter().filter(|part| !review["request"][part].is_null()).collect();
    for part in &parts {
        let metadata = &mut review["request"][part]["metadata"];
        let managers = 48 / parts.len();
        metadata["managedFields"] = (0..managers).map(owned).collect();
    }
    let missing = LARGE - review.to_string().len();
    let applied = r#"{"apiVersion":"altinn.app/v1alpha1","kind":"Database"},"#;
    // Each quotation mark takes two bytes once it stands in JSON itself.
    let length = applied.len() + applied.matches('"').count();
    let text = applied.repeat(missing / parts.len() / length);
    for part in &parts {
        review["request"][part]["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] =
            json!(text);
    }
}

fn owned(number: usize) -> Value {
    let parameters: serde_json::Map<String, Value> =
        (0..40).map(|parameter| (format!("f:parameter_{parameter}"), json!({}))).collect();
    json!({
        "manager": format!("manager-{number}"), "operation": "Apply", "apiVersion": "altinn.app/v1alpha1",
        "time": "2026-11-01T12:00:00Z", "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": {"f:sku": {}, "f:version": {}, "f:parameters": parameters}},
    })
}
