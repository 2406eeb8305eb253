//! User-assigned managed identities.
//! <https://learn.microsoft.com/rest/api/managedidentity/user-assigned-identities>

use axum::http::{StatusCode, header};
use serde_json::{Value, json};

use super::{
    call::Call,
    errors::ArmError,
    federated_credential,
    reply::Reply,
    resource_id::{Kind, ResourceId},
};
use crate::azure::{catalogue::regions, cloud::Cloud, rules::tags};

/// Whom tokens of ServiceAccounts are for that Microsoft Entra ID takes.
/// <https://learn.microsoft.com/entra/workload-id/workload-identity-federation-create-trust>
pub const TOKEN_EXCHANGE: &str = "api://AzureADTokenExchange";

/// An identity, and the ServiceAccount that may act as it.
#[derive(Clone, Copy, Debug)]
pub struct WorkloadIdentity<'a> {
    pub name: &'a str,
    /// The object id.
    pub principal_id: &'a str,
    pub issuer: &'a str,
    /// `system:serviceaccount:<namespace>:<name>`
    pub subject: &'a str,
}

pub(super) fn put(call: &mut Call<'_>, id: &ResourceId) -> Result<Reply, ArmError> {
    let wanted = call.body.get("location").and_then(Value::as_str).map(regions::short_name);
    let Some(wanted) = wanted else {
        return Err(ArmError::bad_request(
            "LocationRequired",
            "The location property is required for this definition.",
        ));
    };
    let current = call.cloud.get(id);
    if let Some(before) = current.and_then(|identity| identity.body["location"].as_str())
        && before != wanted
    {
        return Err(ArmError::conflict(
            "InvalidResourceLocation",
            format!(
                "The resource '{}' already exists in location '{before}' in resource group '{}'. A resource with the \
                 same name cannot be created in location '{wanted}'. Please select a new resource name.",
                id.name(),
                id.group
            ),
        ));
    }
    let created = current.is_none();
    // An identity that is made again under its old name is another principal.
    let ids = current.map(|identity| identity.body["properties"].clone());
    let ids = ids.unwrap_or_else(|| {
        json!({
            "tenantId": call.cloud.tenant(),
            "principalId": call.cloud.fresh_guid(),
            "clientId": call.cloud.fresh_guid(),
        })
    });
    let kept = tags::kept(call.body.get("tags").unwrap_or(&Value::Null));
    let body = body(id, &wanted, &kept, &ids);
    call.cloud.put(id, body.clone());
    let reply = Reply::written(created, body);
    Ok(if created { reply.with(header::LOCATION, id.to_string()) } else { reply })
}

fn body(id: &ResourceId, location: &str, tags: &Value, ids: &Value) -> Value {
    json!({
        "location": location,
        "tags": tags,
        "id": id.to_string(),
        "name": id.name(),
        "type": id.kind.full_type(),
        "properties": ids,
    })
}

/// Without a request: an identity that a ServiceAccount may act as. Returns its client id.
pub(in crate::azure) fn create(
    cloud: &mut Cloud,
    group: &ResourceId,
    identity: &WorkloadIdentity<'_>,
    location: &str,
) -> String {
    let id = group.child(Kind::UserAssignedIdentity, identity.name);
    let client = cloud.fresh_guid();
    let ids = json!({"tenantId": cloud.tenant(), "principalId": identity.principal_id, "clientId": client});
    let body = body(&id, &regions::short_name(location), &json!({}), &ids);
    cloud.put(&id, body);
    let credential = id.child(Kind::FederatedIdentityCredential, identity.name);
    let properties = json!({
        "issuer": identity.issuer,
        "subject": identity.subject,
        "audiences": [TOKEN_EXCHANGE],
    });
    let body = federated_credential::body(&credential, &properties);
    cloud.put(&credential, body);
    client
}

/// Also for its credentials: both go at once.
pub(super) fn delete(call: &mut Call<'_>, id: &ResourceId) -> Reply {
    let existed = call.cloud.get(id).is_some();
    call.cloud.remove(id);
    Reply::empty(if existed { StatusCode::OK } else { StatusCode::NO_CONTENT })
}
