//! `RetainedDatabase`: the record of data whose `Database` is gone.

#![allow(clippy::duplicated_attributes, reason = "each printer column has a name, a type and a path")]

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A server that is kept although its `Database` is gone. The operator writes it, in its own namespace; applying a
/// `Database` of the same namespace and name brings the database back, and ends the record. People edit `until`.
#[derive(CustomResource, KubeSchema, Clone, Debug, Deserialize, PartialEq, Serialize)]
#[kube(
    group = "altinn.app",
    version = "v1alpha1",
    kind = "RetainedDatabase",
    namespaced,
    shortname = "rdb",
    status = "RetainedDatabaseStatus",
    derive = "Default",
    derive = "PartialEq",
    doc = "The record of a database whose Database object is gone and whose data is kept.",
    printcolumn(name = "Database", type_ = "string", json_path = ".spec.database"),
    printcolumn(name = "Server", type_ = "string", json_path = ".spec.server.name"),
    printcolumn(name = "Since", type_ = "date", json_path = ".spec.since"),
    printcolumn(name = "Until", type_ = "string", json_path = ".spec.until"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".spec.reason"),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
pub struct RetainedDatabaseSpec {
    /// Namespace and name of the `Database` that gets the data back when it is applied, e.g. `orders/main`: the one that
    /// had them, or one that recovers from it.
    pub database: String,

    /// The `Database` that had the data, when another one is about to recover them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub formerly: Option<String>,

    /// Uid of the namespace that the `Database` was in: one that is made again under the same name may be another team's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace_uid: Option<String>,

    /// The server in Azure. Fixed.
    pub server: RetainedServer,

    /// Name of the database in the server; left out when Azure had made none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database_name: Option<String>,

    /// Name of the ServiceAccount that logged in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<String>,

    /// The `spec` that the `Database` had last, to be written in a manifest again. Missing when nothing was left to
    /// read it from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub last_spec: Option<serde_json::Value>,

    /// The profile of the policy that its namespace had. Its rules of retention count when the namespace is gone and no
    /// other profile is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,

    /// Why the server is kept: `Deleted`, by a rule of the policy or the annotation `altinn.app/retention`, or
    /// `OwnerLost`, when the `Database` disappeared and nobody decided what happens to its data.
    pub reason: RetainedReason,

    /// Since when there is no `Database`. Fixed.
    pub since: Time,

    /// The moment at which the server is destroyed with all its data, e.g. `2026-12-24T12:00:00Z`. Left out, it is kept
    /// without an end. It can be put off, or taken away, by anyone who may edit this object; brought forward, within the
    /// days that the policy demands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
}

/// Of nothing: what stands in for a record that can't be read, and of which only the name counts.
impl Default for RetainedDatabaseSpec {
    fn default() -> Self {
        Self {
            database: String::new(),
            formerly: None,
            namespace_uid: None,
            server: RetainedServer::default(),
            database_name: None,
            service_account_name: None,
            last_spec: None,
            profile: None,
            reason: RetainedReason::OwnerLost,
            since: Time(Timestamp::MAX),
            until: None,
        }
    }
}

/// Which server.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct RetainedServer {
    /// Name of the server in Azure, and of its `FlexibleServer`.
    pub name: String,
    /// Azure resource id, as far as it was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// A confirmed end.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Confirmed {
    /// The annotation `altinn.app/confirm-destroy` of the `Database`.
    pub confirmation: String,
    /// When the server is destroyed. Until then the manifest brings the database back.
    pub destroy_at: Time,
}

/// A server that is being destroyed.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Destroy {
    /// Since when.
    pub requested_at: Time,
}

/// What came of data that were kept.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Settled {
    /// A `Database` has them again.
    Recovered,
    /// They were destroyed, or were gone.
    Destroyed,
    /// They are another `Database`'s, and the record was mistaken.
    Mistaken,
}

/// Why a server is kept.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum RetainedReason {
    /// The `Database` was deleted.
    Deleted,
    /// The `Database` is gone, and nobody said what becomes of the data.
    OwnerLost,
}

/// The observed state.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RetainedDatabaseStatus {
    /// The `metadata.generation` that this status speaks of; -1 before the first visit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// The `metadata.uid` of the object that this status was written for. A status that came back with a copy of the object
    /// doesn't count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,

    /// When it was first said that the server is destroyed soon: it isn't before a day has passed since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warned_at: Option<Time>,

    /// The value of `altinn.app/confirm-destroy` that the object bore when it was first seen. It may have been written for
    /// an older object, and doesn't count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inherited_confirmation: Option<String>,

    /// The `spec.until` that was there when the `Database` was applied again: it was taken back by that, and doesn't count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inherited_until: Option<Time>,

    /// Its `Database` was deleted with `altinn.app/retention: Destroy` and a confirmation. It goes when something is said on the
    /// record itself, by `spec.until` or the annotation `altinn.app/retention`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<Confirmed>,

    /// The operator asks Azure to destroy the server. It is written here before that, and counts as long as it stands here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destroy: Option<Destroy>,

    /// What came of the data: the record goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<Settled>,

    /// `Ready` while the server is kept; `Reconciling` while it is destroyed; `Stalled` when a person must act.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

impl RetainedDatabaseStatus {
    /// Whether the record may go. Before this field existed, the reason of the condition `Ready` said so.
    pub fn is_settled(&self) -> bool {
        self.settled.is_some() || self.has_reason_of_old(&["Recovered", "Destroyed", "Mistaken"])
    }

    /// Whether `Ready` has one of these reasons, in a status of a version that wrote no uid.
    fn has_reason_of_old(&self, reasons: &[&str]) -> bool {
        let mut conditions = self.conditions.iter();
        self.uid.is_none()
            && conditions.any(|condition| condition.type_ == "Ready" && reasons.contains(&&*condition.reason))
    }
}

impl RetainedDatabase {
    /// Whether it was written down, for this very object, that the server is being destroyed, or is.
    pub fn is_being_destroyed(&self) -> bool {
        let is_noted = |status: &RetainedDatabaseStatus| {
            status.destroy.is_some() || status.settled == Some(Settled::Destroyed)
        };
        let is_of_old = |status: &RetainedDatabaseStatus| {
            status.has_reason_of_old(&["Destroying", "DestroyRefused", "Destroyed"])
        };
        self.own_status().is_some_and(is_noted) || self.status.as_ref().is_some_and(is_of_old)
    }

    /// The status, if it was written for this very object: another one came with a copy.
    pub fn own_status(&self) -> Option<&RetainedDatabaseStatus> {
        self.status.as_ref().filter(|status| status.uid.is_some() && status.uid == self.metadata.uid)
    }
}

/// Whatever a version of `Database` had in its `spec`: the record must hold it, be it valid today or not.
fn any_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn record(status: &Value) -> RetainedDatabase {
        serde_json::from_value(json!({
            "apiVersion": "altinn.app/v1alpha1", "kind": "RetainedDatabase", "metadata": {"name": "srv", "uid": "u1"},
            "spec": {
                "database": "orders/main", "server": {"name": "srv"}, "reason": "Deleted", "since": "2026-11-01T12:00:00Z",
            },
            "status": status,
        }))
        .unwrap()
    }

    fn ready(reason: &str) -> Value {
        json!([{
            "type": "Ready", "status": "False", "reason": reason, "message": "",
            "lastTransitionTime": "2026-11-01T12:00:00Z",
        }])
    }

    #[test]
    fn that_a_server_is_being_destroyed_stands_in_a_field_of_its_own() {
        let destroy = json!({"requestedAt": "2026-11-02T12:00:00Z"});
        for (status, expected) in [
            (Value::Null, false),
            (json!({"uid": "u1"}), false),
            (json!({"uid": "u1", "destroy": destroy}), true),
            (json!({"uid": "u1", "settled": "Destroyed"}), true),
            (json!({"uid": "u1", "settled": "Recovered"}), false),
            // Words are for people.
            (json!({"uid": "u1", "conditions": ready("Destroying")}), false),
            (json!({"uid": "u1", "destroy": destroy, "conditions": ready("DestroyRefused")}), true),
            // It came with a copy of the object.
            (json!({"uid": "u0", "destroy": destroy, "conditions": ready("Destroying")}), false),
            // An older version wrote no uid, and had no such field.
            (json!({"conditions": ready("Destroying")}), true),
            (json!({"conditions": ready("DestroyRefused")}), true),
            (json!({"conditions": ready("Destroyed")}), true),
            (json!({"conditions": ready("Kept")}), false),
        ] {
            assert_eq!(record(&status).is_being_destroyed(), expected, "{status}");
        }
    }

    #[test]
    fn a_record_goes_when_it_is_settled() {
        for (status, expected) in [
            (json!({"uid": "u1"}), false),
            (json!({"uid": "u1", "settled": "Mistaken"}), true),
            (json!({"uid": "u1", "conditions": ready("Recovered")}), false),
            (json!({"conditions": ready("Recovered")}), true),
            (json!({"conditions": ready("Destroying")}), false),
        ] {
            assert_eq!(record(&status).status.unwrap().is_settled(), expected, "{status}");
        }
    }
}
