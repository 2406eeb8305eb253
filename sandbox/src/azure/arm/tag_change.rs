//! PATCH of what has nothing to change but its tags: resource groups and identities.
//! <https://learn.microsoft.com/azure/azure-resource-manager/management/tag-resources>

use super::{call::Call, errors::ArmError, existence, reply::Reply, resource_id::ResourceId};
use crate::azure::rules::tags;

pub(super) fn patch(call: &mut Call<'_>, id: &ResourceId) -> Result<Reply, ArmError> {
    let mut body = call.cloud.get(id).ok_or_else(|| existence::not_found(id))?.body.clone();
    if let Some(sent) = call.body.get("tags") {
        body["tags"] = tags::kept(sent);
    }
    call.cloud.put(id, body.clone());
    Ok(Reply::ok(body))
}
