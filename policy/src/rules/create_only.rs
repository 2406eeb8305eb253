//! Fields that are fixed at creation.
//!
//! The words matter: Flux and `kubectl apply --force` answer certain phrases, and the codes 409 and 422, by
//! deleting the object and creating it again, so they are used nowhere.

use api::DatabaseSpec;

use super::{Context, backup, names};
use crate::{Code, Problem, quote::quote};

/// `spec.databaseName` stays: PostgreSQL could rename a database, Azure can't. A name that Azure hasn't seen can be mended.
pub(super) fn database_name(context: &Context<'_>) -> Option<Problem> {
    let name = |spec: &DatabaseSpec| names::database_name(context.request.name, spec);
    let old = context.recorded?.running.database_name.clone().or_else(|| Some(name(context.old?)))?;
    let new = name(context.new);
    // A stored spec can have lost the name, when it was replaced while no webhook looked.
    let is_changed = context.changed(name);
    (old != new && is_changed).then(|| {
        let text = format!(
            "is fixed at creation and can't go from {} to {}; write {} back",
            quote(&old),
            quote(&new),
            quote(&old)
        );
        Problem::new(Code::CreateOnly, "spec.databaseName", &text)
    })
}

/// `spec.backup.geoRedundant` stays: Azure decides where backups are when it makes the server. A wish that Azure
/// hasn't fulfilled can be taken back.
pub(super) fn geo_redundant(context: &Context<'_>) -> Option<Problem> {
    context.recorded?;
    let (old, new) = (backup::is_geo_redundant(context.old?), backup::is_geo_redundant(context.new));
    (old != new).then(|| {
        let text = format!("is fixed at creation and can't go from {old} to {new}; write {old} back");
        Problem::new(Code::CreateOnly, "spec.backup.geoRedundant", &text)
    })
}
