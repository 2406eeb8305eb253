//! Fields that are fixed at creation.
//!
//! The words matter: Flux and `kubectl apply --force` answer certain phrases, and the codes 409 and 422, by
//! deleting the object and creating it anew, so they are used nowhere.

use super::{Context, names};
use crate::{Code, Problem, quote::quote};

/// `spec.databaseName` stays: PostgreSQL could rename a database, Azure can't.
pub(super) fn database_name(context: &Context<'_>) -> Option<Problem> {
    let name = |spec| names::database_name(context.request.name, spec);
    let (old, new) = (name(context.old?), name(context.new));
    (old != new).then(|| {
        let text = format!(
            "is fixed at creation and can't go from {} to {}; write {} back",
            quote(&old),
            quote(&new),
            quote(&old)
        );
        Problem::new(Code::CreateOnly, "spec.databaseName", &text)
    })
}
