//! Tells people how a `Database` is: its status, and an event when that says something new.

use api::{Database, DatabaseStatus};
use jiff::Timestamp;
use kube::{
    Api, Resource, ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::json;

use super::{
    error::Error,
    status::{self, Outcome},
};
use crate::controller::{engine::in_flight::Written, server::context::Context};

/// Writes the status if it differs, and an event if it says something new.
pub(crate) async fn report(
    database: &Database,
    context: &Context,
    outcome: &Outcome<'_>,
) -> Result<(), Error> {
    let new = status::report(database, outcome, context.now());
    let (namespace, name) = (database.namespace().unwrap_or_default(), database.name_any());
    if !status::is_news(database.status.as_ref(), &new) {
        return Ok(());
    }
    let key = format!("status/{namespace}/{name}");
    let version = database.resource_version();
    let timeless = without_times(&new);
    if context.in_flight.holds(&key, &timeless, version.as_deref()).is_some() {
        return Ok(());
    }
    let api: Api<Database> = Api::namespaced(context.client.clone(), &namespace);
    let body = json!({
        "apiVersion": Database::api_version(&()), "kind": Database::kind(&()),
        "metadata": {"name": name}, "status": new,
    });
    api.patch_status(&name, &PatchParams::apply(STATUS_MANAGER).force(), &Patch::Apply(&body))
        .await
        .map_err(|error| Error::Status(Box::new(error)))?;
    context.in_flight.note(key, &timeless, version.as_deref(), Written::InFlight);
    context.count_write("Database/status");
    context.events.announce(database, &new).await;
    Ok(())
}

/// The status without the times of its conditions, by which two otherwise equal ones would differ.
fn without_times(status: &DatabaseStatus) -> DatabaseStatus {
    let mut status = status.clone();
    for condition in &mut status.conditions {
        condition.last_transition_time.0 = Timestamp::UNIX_EPOCH;
    }
    status
}

/// Field manager of the status, apart from that of objects.
const STATUS_MANAGER: &str = "database-operator-status";
