//! Everything that is looked at before it is decided what becomes of a server that is kept.

use api::{Database, DatabaseRef, RetainedDatabase, annotations::RETENTION};
use jiff::Timestamp;
use kube::{Api, Resource, ResourceExt, core::DeserializeGuard};

use super::{
    end::{self, End, Facts},
    error::{Error, failed},
    let_go::{self, NotKnown, is_let_go},
    remove::ServerRef,
};
use crate::{
    azure::{self, FlexibleServer},
    controller::context::Context,
};

/// What was seen.
#[derive(Debug)]
pub(super) struct Seen<'a> {
    pub(super) record: &'a RetainedDatabase,
    pub(super) kept: ServerRef<'a>,
    pub(super) database: Owner,
    /// The server's object, whosever it is.
    pub(super) server: Option<FlexibleServer>,
    /// `None` while the namespaces aren't listed whose labels decide on it.
    pub(super) end: Option<End>,
    /// Whether the end has come: by two clocks, or because somebody has asked for it.
    pub(super) is_over: bool,
    /// Whether the server's object was made since this process asked for that.
    pub(super) is_fresh: bool,
    /// By the clock of this machine.
    pub(super) now: Timestamp,
}

/// The `Database` that the record names.
#[derive(Clone, Debug)]
pub(super) enum Owner {
    /// There is none, or the operator has let go of it: somebody else's finalizer may hold it for ever.
    Absent,
    /// It is being deleted, since then.
    Going(Timestamp),
    /// One that can't be read is there all the same.
    Unreadable,
    There(Box<Database>),
}

impl Seen<'_> {
    /// Whether Azure was told to destroy the server.
    pub(super) fn deletion_is_requested(&self) -> bool {
        deletion_is_requested(self.record, self.server.as_ref())
    }
}

/// Whether Azure was told to destroy the server of a record, so that nothing brings it back: its object is on its way, or it has
/// gone since that was written down.
pub(super) fn deletion_is_requested(record: &RetainedDatabase, server: Option<&FlexibleServer>) -> bool {
    server.map_or_else(|| record.is_being_destroyed(), azure::is_being_ended)
}

pub(super) async fn see<'a>(
    record: &'a RetainedDatabase,
    kept: ServerRef<'a>,
    context: &Context,
) -> Result<Seen<'a>, Error> {
    let database = owner(context, kept.database).await?;
    let server = || context.caches.servers.cache.get(&context.operator_namespace, kept.server_name);
    let before = end(record, context, &kept, server().as_ref()).ok();
    let is_over = match &before {
        Some(end) if matches!(database, Owner::Absent) => is_over(end, context).await?,
        _ => false,
    };
    // Meanwhile the caches have gone on: what was over is so only if it is still the same end.
    let server = server();
    let end = end(record, context, &kept, server.as_ref()).ok();
    let is_over = is_over && end == before;
    if is_over && server.is_none() && !context.looks.is_asked(kept.server_name) {
        // Whatever object comes has looked anew.
        context.looks.asked(kept.server_name, None);
    }
    let is_fresh = server.as_ref().is_some_and(|server| context.looks.is_fresh(kept.server_name, server));
    Ok(Seen { record, kept, database, server, end, is_over, is_fresh, now: context.now() })
}

/// The `Database`, as the API server has it now.
pub(super) async fn owner(context: &Context, database: DatabaseRef<'_>) -> Result<Owner, Error> {
    let api: Api<DeserializeGuard<Database>> = Api::namespaced(context.client.clone(), database.namespace);
    let found = api.get_opt(database.name).await.map_err(failed("the Database", "looked up"))?;
    Ok(match found {
        Some(found) if is_let_go(found.meta()) => Owner::Absent,
        Some(found) => match (found.meta().deletion_timestamp.clone(), found.0) {
            (Some(deleted), _) => Owner::Going(deleted.0),
            (None, Ok(database)) => Owner::There(Box::new(database)),
            (None, Err(_)) => Owner::Unreadable,
        },
        None => Owner::Absent,
    })
}

/// Two clocks must agree on it.
async fn is_over(end: &End, context: &Context) -> Result<bool, Error> {
    let Some(due) = end.due() else { return Ok(false) };
    if *end == End::Approved {
        return Ok(true);
    }
    Ok(due <= context.now() && due <= context.clock.earliest(&context.client).await?)
}

fn end(
    record: &RetainedDatabase,
    context: &Context,
    kept: &ServerRef<'_>,
    server: Option<&FlexibleServer>,
) -> Result<End, NotKnown> {
    let profile = record.spec.profile.as_deref();
    let annotation = record
        .annotations()
        .contains_key(RETENTION)
        .then(|| let_go::retention(record, kept.database, profile, context.now(), context))
        .transpose()?;
    let minimum_days = let_go::minimum_days(kept.database.namespace, profile, context)?;
    Ok(end::end(&Facts { record, server, annotation, minimum_days, destroy_delay: context.destroy_delay }))
}
