//! User-assigned managed identities.
//! <https://learn.microsoft.com/rest/api/managedidentity/user-assigned-identities>

use axum::http::{StatusCode, header};
use serde_json::{Value, json};

use super::{call::Call, errors::ArmError, reply::Reply, resource_id::ResourceId};
use crate::azure::{catalogue::regions, rules::tags};

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
    let body = json!({
        "location": wanted,
        "tags": tags::kept(call.body.get("tags").unwrap_or(&Value::Null)),
        "id": id.to_string(),
        "name": id.name(),
        "type": id.kind.full_type(),
        "properties": ids,
    });
    call.cloud.put(id, body.clone());
    let reply = Reply::written(created, body);
    Ok(if created { reply.with(header::LOCATION, id.to_string()) } else { reply })
}

/// Also for its credentials: both go at once.
pub(super) fn delete(call: &mut Call<'_>, id: &ResourceId) -> Reply {
    let existed = call.cloud.get(id).is_some();
    call.cloud.remove(id);
    Reply::empty(if existed { StatusCode::OK } else { StatusCode::NO_CONTENT })
}
