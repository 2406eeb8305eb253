//! Federated identity credentials, which let a Kubernetes service account log in as an identity.
//! <https://learn.microsoft.com/rest/api/managedidentity/federated-identity-credentials>

use std::time::Duration;

use axum::http::header;
use serde_json::{Value, json};

use super::{
    call::Call,
    errors::ArmError,
    reply::Reply,
    resource_id::{Key, Kind, ResourceId},
};
use crate::azure::{cloud::Shared, rules::federation};

/// How long a write takes, so that two at the same time can meet.
const WRITE_TAKES: Duration = Duration::from_millis(25);

pub(super) fn put(call: &mut Call<'_>, id: &ResourceId) -> Result<Reply, ArmError> {
    let properties = call.body.get("properties").cloned().unwrap_or_default();
    federation::is_complete(id.name(), &properties)?;
    let created = call.cloud.get(id).is_none();
    if let Some(identity) = id.parent() {
        let (own, above) = (id.key(), identity.key());
        let others = || {
            call.cloud
                .below(&above, Kind::FederatedIdentityCredential)
                .filter(|other| other.id.key() != own)
                .map(|other| &other.body["properties"])
        };
        federation::there_is_room(others().count())?;
        federation::is_unique(others(), &properties)?;
    }
    let body = body(id, &properties);
    call.cloud.put(id, body.clone());
    let reply = Reply::written(created, body);
    Ok(if created { reply.with(header::LOCATION, id.to_string()) } else { reply })
}

pub(super) fn body(id: &ResourceId, properties: &Value) -> Value {
    json!({
        "id": id.to_string(),
        "name": id.name(),
        "type": id.kind.full_type(),
        "properties": {
            "issuer": properties["issuer"],
            "subject": properties["subject"],
            "audiences": properties["audiences"],
        },
    })
}

/// Held while credentials of an identity are written; gives the turn back when dropped.
pub(in crate::azure) struct Turn {
    shared: Shared,
    identity: Key,
}

impl Turn {
    /// Takes the turn for the time a write takes, or refuses because another write has it.
    pub(in crate::azure) async fn take(shared: &Shared, id: &ResourceId) -> Result<Option<Self>, ArmError> {
        let Some(identity) = id.parent().filter(|_| id.kind == Kind::FederatedIdentityCredential) else {
            return Ok(None);
        };
        if !shared.lock().federating.insert(identity.key()) {
            return Err(federation::concurrent(&identity.to_string()));
        }
        let turn = Self { shared: shared.clone(), identity: identity.key() };
        tokio::time::sleep(WRITE_TAKES).await;
        Ok(Some(turn))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.shared.lock().federating.remove(&self.identity);
    }
}
