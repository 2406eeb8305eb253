//! What must exist for a request to make sense, and how ARM says that it doesn't.

use serde_json::Value;

use super::{
    errors::ArmError,
    resource_id::{Kind, ResourceId},
};
use crate::azure::cloud::Cloud;

/// The group and the parent of `id` exist, and the group is not on its way out. A group itself may be missing.
/// <https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/error-parent-resource>
pub(super) fn of_parents(cloud: &Cloud, id: &ResourceId, verb: &str) -> Result<(), ArmError> {
    // Who reads what lies on a server gets an answer about the server, even where its group is gone, too (recorded so with API
    // version 2025-08-01).
    let server = id.parent().filter(|parent| parent.kind == Kind::FlexibleServer);
    if let Some(server) = server.filter(|server| verb == "read" && cloud.get(server).is_none()) {
        return Err(not_found(&server));
    }
    let is_group = id.kind == Kind::ResourceGroup;
    let Some(group) = cloud.get(&id.resource_group()) else {
        return if is_group { Ok(()) } else { Err(group_not_found(&id.group)) };
    };
    // Deleting a group twice is as good as once.
    let harmless = verb == "read" || (is_group && verb == "delete");
    if !harmless && group.body.pointer("/properties/provisioningState") == Some(&Value::from("Deleting")) {
        return Err(ArmError::conflict(
            "ResourceGroupBeingDeleted",
            format!(
                "The resource group '{}' is in deprovisioning state and cannot perform this operation.",
                id.group
            ),
        ));
    }
    match id.parent() {
        Some(parent) if cloud.get(&parent).is_none() => Err(ArmError::not_found(
            "ParentResourceNotFound",
            format!(
                "Failed to perform '{verb}' on resource(s) of type '{}', because the parent resource '{parent}' could \
                 not be found.",
                id.kind.types().join("/")
            ),
        )),
        _ => Ok(()),
    }
}

fn group_not_found(group: &str) -> ArmError {
    ArmError::not_found("ResourceGroupNotFound", format!("Resource group '{group}' could not be found."))
}

/// Each provider has its own words for a resource that does not exist.
pub(super) fn not_found(id: &ResourceId) -> ArmError {
    let name = id.name();
    match id.kind {
        Kind::ResourceGroup => group_not_found(name),
        Kind::FlexibleServer | Kind::UserAssignedIdentity | Kind::BackupVault => ArmError::not_found(
            "ResourceNotFound",
            format!(
                "The Resource '{}/{name}' under resource group '{}' was not found. For more details please go to \
                 https://aka.ms/ARMResourceNotFoundFix",
                id.kind.full_type(),
                id.group
            ),
        ),
        Kind::FederatedIdentityCredential => {
            ArmError::not_found("NotFound", format!("Resource '{id}' was not found."))
        }
        kind => {
            // Firewall rules are reported under the type of their server.
            let kind = if kind == Kind::FirewallRule { Kind::FlexibleServer } else { kind };
            ArmError::not_found(
                "ResourceNotFound",
                format!(
                    "The requested resource of type '{}' with name '{name}' was not found.",
                    kind.full_type()
                ),
            )
        }
    }
}
