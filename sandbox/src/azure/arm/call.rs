//! One request to a resource provider, with what the provider needs to answer it.

use axum::http::Method;
use serde_json::Value;

use super::{
    errors::ArmError,
    operations::{Change, Effect},
    reply::Reply,
    resource_id::{Key, Kind, ResourceId},
};
use crate::azure::{catalogue::regions, cloud::Cloud, faults::Phase, work::Work};

pub(super) struct Call<'a> {
    pub(super) cloud: &'a mut Cloud,
    /// The base of every URL in the answer.
    pub(super) endpoint: &'a str,
    pub(super) method: &'a Method,
    pub(super) path: &'a str,
    pub(super) api_version: &'a str,
    pub(super) body: &'a Value,
    /// What the operation that is accepted next does to the PostgreSQL behind its server.
    pub(super) work: Option<Work>,
}

impl Call<'_> {
    /// Starts a long-running operation on a server or one of its children, during which the server is busy.
    pub(super) fn accept(
        &mut self,
        operation: &str,
        id: &ResourceId,
        before: Option<Value>,
        after: Option<Value>,
    ) -> Reply {
        self.accept_in(&[Phase::Operation], operation, id, before, after)
    }

    /// As [`Call::accept`], for an operation that can fail in several phases.
    pub(super) fn accept_in(
        &mut self,
        phases: &[Phase],
        operation: &str,
        id: &ResourceId,
        before: Option<Value>,
        after: Option<Value>,
    ) -> Reply {
        let effect = Effect::Becomes { before, after };
        let (method, path) = (self.method.as_str(), self.path);
        let fault = phases.iter().find_map(|phase| self.cloud.faults.strike(*phase, method, path));
        self.start(operation, id, effect, Some(server_key(id)), fault)
    }

    /// Accepts a request whose operation then fails: the way in which a busy server refuses.
    pub(super) fn accept_in_vain(&mut self, operation: &str, id: &ResourceId, error: ArmError) -> Reply {
        self.start(operation, id, Effect::Nothing, None, Some(error))
    }

    fn start(
        &mut self,
        operation: &str,
        id: &ResourceId,
        effect: Effect,
        occupies: Option<Key>,
        fails_with: Option<ArmError>,
    ) -> Reply {
        let location = self.location(id);
        let poll_after = if id.kind == Kind::FlexibleServer { 60 } else { 10 };
        let work = self.work.take();
        let change = Change { id: id.clone(), effect, occupies, poll_after, work };
        let operation_id = self.cloud.begin(change, fails_with);
        let url = |kind: &str| {
            format!(
                "{}/subscriptions/{}/providers/{}/locations/{location}/{kind}/{operation_id}?api-version={}",
                self.endpoint,
                id.subscription,
                id.kind.namespace(),
                self.api_version
            )
        };
        Reply::accepted(operation, &url("azureAsyncOperation"), &url("operationResults"))
            .retry_after(self.cloud.operations.poll_after(&operation_id))
    }

    /// The region of the server that `id` is or belongs to. Where a server is deleted, its URLs have the region's
    /// display name, as recorded.
    fn location(&self, id: &ResourceId) -> String {
        let existing = self.cloud.resources.get(&server_key(id)).map(|server| &server.body);
        let location =
            existing.unwrap_or(self.body).get("location").and_then(Value::as_str).unwrap_or_default();
        if id.kind == Kind::FlexibleServer && self.method == Method::DELETE {
            return regions::display_name(location).unwrap_or(location).replace(' ', "%20");
        }
        regions::short_name(location)
    }

    /// Whether another operation runs on the server that `id` is or belongs to.
    pub(super) fn server_is_busy(&self, id: &ResourceId) -> bool {
        self.cloud.operations.occupied(&server_key(id))
    }
}

fn server_key(id: &ResourceId) -> Key {
    if id.kind == Kind::FlexibleServer {
        id.key()
    } else {
        id.parent().map(|server| server.key()).unwrap_or_default()
    }
}
