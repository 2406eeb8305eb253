//! Backup vaults, their policies, and what makes copies of a server: backup instances. People make vaults and policies; here the
//! control endpoint does.
//! <https://learn.microsoft.com/rest/api/dataprotection/backup-instances>

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{
    call::Call,
    errors::ArmError,
    reply::Reply,
    resource_id::{Kind, ResourceId},
};
use crate::azure::cloud::Cloud;

/// The type of what is protected.
const FLEXIBLE_SERVERS: &str = "Microsoft.DBforPostgreSQL/flexibleServers";
/// The state of an instance that makes copies.
const CONFIGURED: &str = "ProtectionConfigured";
const SOFT_DELETED: &str = "SoftDeleted";

/// Without a request: a vault with these policies, and its group.
pub(in crate::azure) fn create(cloud: &mut Cloud, vault: &ResourceId, policies: &[String], location: &str) {
    let group = vault.resource_group();
    if cloud.get(&group).is_none() {
        super::resource_group::create(cloud, &group.subscription, &group.group, location);
    }
    let mut body = vault.body(&json!({
        "provisioningState": "Succeeded",
        "storageSettings": [{"datastoreType": "VaultStore", "type": "ZoneRedundant"}],
        "securitySettings": {"softDeleteSettings": {"state": "On", "retentionDurationInDays": 14}},
    }));
    body["location"] = json!(location);
    cloud.put(vault, body);
    for policy in policies {
        let id = vault.child(Kind::BackupPolicy, policy);
        let body = id.body(&json!({"objectType": "BackupPolicy", "datasourceTypes": [FLEXIBLE_SERVERS]}));
        cloud.put(&id, body);
    }
}

/// One that is there keeps its state: who stopped the protection resumes it by a request of its own, and so does who undeletes.
/// <https://learn.microsoft.com/rest/api/dataprotection/backup-instances/resume-protection>
pub(super) fn put(call: &mut Call<'_>, id: &ResourceId) -> Result<Reply, ArmError> {
    let sent = &call.body["properties"];
    check(call.cloud, id, sent)?;
    let current = call.cloud.get(id).map(|instance| instance.body.clone());
    let state = current.as_ref().map(|current| current["properties"].clone());
    let state = state.unwrap_or_else(
        || json!({"currentProtectionState": CONFIGURED, "protectionStatus": {"status": CONFIGURED}}),
    );
    let mut properties = sent.clone();
    json_patch::merge(&mut properties, &json!({"provisioningState": "Succeeded"}));
    for field in ["currentProtectionState", "protectionStatus", "protectionErrorDetails"] {
        properties[field] = state[field].clone();
    }
    Ok(call.accept("CreateOrUpdateBackupInstance", id, current, Some(id.body(&properties))))
}

/// What Azure asks of a backup instance.
fn check(cloud: &Cloud, id: &ResourceId, sent: &Value) -> Result<(), ArmError> {
    let text = |pointer: &str| sent.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let invalid = |code: &str, message: String| Err(ArmError::bad_request(code, message));
    if text("/objectType") != "BackupInstance" || text("/dataSourceInfo/objectType") != "Datasource" {
        return invalid(
            "InvalidRequestContent",
            "The objectType of a backup instance and of its data source is missing.".to_owned(),
        );
    }
    if text("/dataSourceInfo/datasourceType") != FLEXIBLE_SERVERS {
        return invalid("NotImplemented", "This stand-in protects flexible servers alone.".to_owned());
    }
    let policy = text("/policyInfo/policyId");
    let is_here = |policy: &ResourceId| policy.kind == Kind::BackupPolicy && policy.parent() == id.parent();
    if ResourceId::parse(&policy.to_lowercase())
        .is_none_or(|policy| cloud.get(&policy).is_none_or(|found| !is_here(&found.id)))
    {
        return Err(ArmError::not_found(
            "ResourceNotFound",
            format!("The backup policy '{policy}' was not found in the vault."),
        ));
    }
    let server = text("/dataSourceInfo/resourceID").to_lowercase();
    if !cloud.resources.get(&server).is_some_and(|server| server.id.kind == Kind::FlexibleServer) {
        return Err(ArmError::not_found(
            "ResourceNotFound",
            format!("The data source '{server}' was not found."),
        ));
    }
    let protects = |body: &Value| {
        body.pointer("/properties/dataSourceInfo/resourceID")
            .and_then(Value::as_str)
            .is_some_and(|of| of.eq_ignore_ascii_case(&server))
    };
    let other = cloud.resources.values().find(|other| {
        other.id.kind == Kind::BackupInstance && other.id.key() != id.key() && protects(&other.body)
    });
    match other {
        // Azure's own code isn't recorded.
        Some(other) => invalid(
            "UserErrorDatasourceAlreadyProtected",
            format!("The data source is protected by '{}'.", other.id),
        ),
        None => Ok(()),
    }
}

/// Its recovery points go with it, after the days for which the vault keeps what was deleted.
pub(super) fn delete(call: &mut Call<'_>, id: &ResourceId) -> Reply {
    let Some(instance) = call.cloud.get(id) else { return Reply::empty(StatusCode::NO_CONTENT) };
    let before = instance.body.clone();
    let mut after = before.clone();
    let state = json!({"currentProtectionState": SOFT_DELETED, "protectionStatus": {"status": SOFT_DELETED}});
    json_patch::merge(&mut after["properties"], &state);
    call.cloud.lost_recovery_points.push(id.to_string());
    call.accept("DeleteBackupInstance", id, Some(before), Some(after))
}
