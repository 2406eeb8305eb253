//! The `Database` that a record names.

use api::{Database, DatabaseRef, annotations::FINALIZER};
use jiff::Timestamp;
use kube::{Api, Resource, api::ObjectMeta, core::DeserializeGuard};

use crate::controller::server::{
    context::Context,
    error::{Error, failed},
};

/// The `Database` that the record names.
#[derive(Clone, Debug)]
pub(crate) enum Owner {
    /// There is none, or the operator has let go of it: somebody else's finalizer may hold it for ever.
    Absent,
    /// It is being deleted, since then.
    Going(Timestamp),
    /// One that can't be read is there all the same.
    Unreadable,
    There(Box<Database>),
}

/// The `Database`, as the API server has it now.
pub(crate) async fn owner(context: &Context, database: DatabaseRef<'_>) -> Result<Owner, Error> {
    let api: Api<DeserializeGuard<Database>> = Api::namespaced(context.client.clone(), database.namespace);
    let found = api.get_opt(database.name).await.map_err(failed("the Database", "looked up"))?;
    Ok(match found {
        Some(found) if is_released(found.meta()) => Owner::Absent,
        Some(found) => match (found.meta().deletion_timestamp.clone(), found.0) {
            (Some(deleted), _) => Owner::Going(deleted.0),
            (None, Ok(database)) => Owner::There(Box::new(database)),
            (None, Err(_)) => Owner::Unreadable,
        },
        None => Owner::Absent,
    })
}

/// Whether a `Database` that is being deleted doesn't bear our finalizer any more.
pub(crate) fn is_released(metadata: &ObjectMeta) -> bool {
    let ours = |finalizers: &Vec<String>| finalizers.iter().any(|finalizer| finalizer == FINALIZER);
    metadata.deletion_timestamp.is_some() && !metadata.finalizers.as_ref().is_some_and(ours)
}
