//! Plays Azure Service Operator with an Azure that is done at once: each object is answered as soon as it is seen.

use std::{sync::Arc, time::Instant};

use futures::{StreamExt, TryStreamExt};
use kube::{
    Api, Client, ResourceExt,
    api::{Patch, PatchParams},
    core::{ApiResource, GroupVersionKind, Object},
    runtime::{WatchStreamExt, watcher},
};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::{
    databases::{Plain, TOGETHER},
    names::number,
    observed::{Observed, Status},
};

/// Namespace of the operator and of ASO's objects.
pub const OPERATOR_NAMESPACE: &str = "database-operator";

const POSTGRES: &str = "dbforpostgresql.azure.com/v20250801";
const IDENTITY: &str = "managedidentity.azure.com/v1api20230131";
/// Each database has one of each, in the order in which the controller writes them.
pub const KINDS: [(&str, &str); 6] = [
    (IDENTITY, "UserAssignedIdentity"),
    (POSTGRES, "FlexibleServer"),
    (IDENTITY, "FederatedIdentityCredential"),
    (POSTGRES, "FlexibleServersDatabase"),
    (POSTGRES, "FlexibleServersFirewallRule"),
    (POSTGRES, "FlexibleServersAdministrator"),
];

type AsoObject = Object<Value, Status>;

pub fn resource((api_version, kind): (&str, &str)) -> ApiResource {
    let (group, version) = api_version.split_once('/').unwrap();
    let mut resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    resource.plural = match kind.strip_suffix('y') {
        Some(stem) => format!("{}ies", stem.to_lowercase()),
        None => format!("{}s", kind.to_lowercase()),
    };
    resource
}

/// Answers until the runtime ends.
pub fn start(client: &Client, observed: &Arc<Observed>) {
    let limit = Arc::new(Semaphore::new(TOGETHER));
    for kind in KINDS {
        let resource = resource(kind);
        let api: Api<AsoObject> = Api::namespaced_with(client.clone(), OPERATOR_NAMESPACE, &resource);
        let statuses: Api<Plain> = Api::namespaced_with(client.clone(), OPERATOR_NAMESPACE, &resource);
        let (observed, limit) = (observed.clone(), limit.clone());
        let mut events = watcher(api, watcher::Config::default()).default_backoff().applied_objects().boxed();
        tokio::spawn(async move {
            loop {
                let Ok(Some(object)) = events.try_next().await else { continue };
                let database = object.labels().get("altinn.app/database-name");
                if let Some(number) = database.and_then(|name| number(name)) {
                    observed.child(number, Instant::now());
                }
                if is_answered(&object) {
                    continue;
                }
                // In a task of its own: the watch goes on, and with it the times that things are seen at.
                let (observed, limit, statuses) = (observed.clone(), limit.clone(), statuses.clone());
                tokio::spawn(async move {
                    let _permit = limit.acquire().await.unwrap();
                    let status = json!({"status": answer(kind.1, &object)});
                    let patch = Patch::Merge(status);
                    statuses.patch_status(&object.name_any(), &PatchParams::default(), &patch).await.unwrap();
                    if !only_looks(&object) {
                        observed.answered();
                    }
                });
            }
        });
    }
}

fn is_answered(object: &AsoObject) -> bool {
    let conditions = object.status.iter().flat_map(|status| &status.conditions);
    conditions
        .filter(|condition| condition.r#type == "Ready")
        .any(|condition| Some(condition.observed_generation) == object.metadata.generation)
}

/// Whether ASO may only look whether Azure has such a server, which it hasn't.
fn only_looks(object: &AsoObject) -> bool {
    let policy = object.annotations().get("serviceoperator.azure.com/reconcile-policy");
    policy.is_some_and(|policy| policy == "skip")
}

/// What ASO says of it, with what Azure tells of a resource that it has.
fn answer(kind: &str, object: &AsoObject) -> Value {
    let (status, severity, reason) = if only_looks(object) {
        ("False", Some("Warning"), "AzureResourceNotFound")
    } else {
        ("True", None, "Succeeded")
    };
    let mut answer = json!({"conditions": [{
        "type": "Ready", "status": status, "severity": severity, "reason": reason,
        "observedGeneration": object.metadata.generation,
        "lastTransitionTime": format!("{:.0}", jiff::Timestamp::now()),
    }]});
    if only_looks(object) {
        return answer;
    }
    let (name, spec) = (&object.spec["azureName"], &object.spec);
    let told = match kind {
        "FlexibleServer" => json!({
            "id": format!("/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg-databases/providers/\
                           Microsoft.DBforPostgreSQL/flexibleServers/{}", name.as_str().unwrap_or_default()),
            "fullyQualifiedDomainName": format!("{}.postgres.database.azure.com", name.as_str().unwrap_or_default()),
            "state": "Ready", "name": name, "location": "Norway East", "tags": spec["tags"],
            "version": spec["version"], "sku": spec["sku"], "network": spec["network"],
            "storage": {"storageSizeGB": spec["storage"]["storageSizeGB"], "autoGrow": "Disabled", "tier": "P4"},
            "backup": {"backupRetentionDays": 7, "geoRedundantBackup": "Disabled"},
            "highAvailability": {"mode": "Disabled", "state": "NotEnabled"},
        }),
        "UserAssignedIdentity" => json!({
            "clientId": "00000000-0000-4000-8000-0000000000c1",
            "principalId": "00000000-0000-4000-8000-0000000000d1",
        }),
        _ => json!({}),
    };
    answer.as_object_mut().unwrap().extend(told.as_object().unwrap().clone());
    answer
}
