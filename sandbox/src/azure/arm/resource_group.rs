//! Resource groups.
//! <https://learn.microsoft.com/rest/api/resources/resource-groups>

use axum::http::{StatusCode, header};
use serde_json::{Value, json};

use super::{
    call::Call,
    errors::ArmError,
    existence,
    operations::{Change, Effect},
    reply::Reply,
    resource_id::ResourceId,
};
use crate::azure::{catalogue::regions, cloud::Cloud, faults::Phase, rules::tags};

pub(super) fn put(call: &mut Call<'_>, id: &ResourceId) -> Result<Reply, ArmError> {
    let wanted = call.body.get("location").and_then(Value::as_str);
    let Some(wanted) = wanted.map(regions::short_name) else {
        return Err(ArmError::bad_request(
            "LocationRequired",
            "The location property is required for this definition.",
        ));
    };
    let current = call.cloud.get(id).map(|group| group.body.clone());
    if let Some(before) = current.as_ref().and_then(|group| group["location"].as_str())
        && before != wanted
    {
        return Err(ArmError::conflict(
            "InvalidResourceGroupLocation",
            format!(
                "Invalid resource group location '{wanted}'. The Resource group already exists in location '{before}'."
            ),
        ));
    }
    let mut body = body(id, &wanted);
    if let Some(sent) = call.body.get("tags") {
        body["tags"] = tags::kept(sent);
    }
    call.cloud.put(id, body.clone());
    Ok(Reply::written(current.is_none(), body))
}

fn body(id: &ResourceId, location: &str) -> Value {
    json!({
        "id": id.to_string(),
        "name": id.name(),
        "type": id.kind.full_type(),
        "location": location,
        "properties": {"provisioningState": "Succeeded"},
    })
}

/// Without a request.
pub(in crate::azure) fn create(cloud: &mut Cloud, subscription: &str, name: &str, location: &str) {
    let id = ResourceId::group(subscription, name);
    let body = body(&id, &regions::short_name(location));
    cloud.put(&id, body);
}

/// Takes everything in the group along, when the operation ends.
/// <https://learn.microsoft.com/azure/azure-resource-manager/management/delete-resource-group>
pub(super) fn delete(call: &mut Call<'_>, id: &ResourceId) -> Result<Reply, ArmError> {
    let Some(group) = call.cloud.get(id) else { return Err(existence::not_found(id)) };
    let before = group.body.clone();
    let mut leaving = before.clone();
    leaving["properties"]["provisioningState"] = Value::from("Deleting");
    call.cloud.put(id, leaving);
    let effect = Effect::Becomes { before: Some(before), after: None };
    let fault = call.cloud.faults.strike(Phase::Operation, call.method.as_str(), call.path);
    let operation = call
        .cloud
        .begin(Change { id: id.clone(), effect, occupies: None, poll_after: 15, work: None }, fault);
    let location = format!(
        "{}/subscriptions/{}/operationresults/{operation}?api-version={}",
        call.endpoint, id.subscription, call.api_version
    );
    Ok(Reply::empty(StatusCode::ACCEPTED)
        .with(header::LOCATION, location)
        .retry_after(call.cloud.operations.poll_after(&operation)))
}
