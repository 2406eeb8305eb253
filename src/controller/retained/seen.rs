//! Everything that is looked at before it is decided what becomes of a server that is kept.

use api::{RetainedDatabase, annotations::RETENTION};
use jiff::Timestamp;
use kube::ResourceExt;

use super::{
    end::{self, End, Facts},
    owner::{Owner, owner},
};
use crate::controller::server::{
    context::Context,
    describe::Server,
    error::Error,
    objects::{Objects, ServerRef},
    point_in_time::copied_to,
    record::deletion_is_requested,
    retention::{self, NotKnown},
};

/// What was seen.
#[derive(Debug)]
pub(super) struct Seen<'a> {
    pub(super) record: &'a RetainedDatabase,
    pub(super) kept: ServerRef<'a>,
    pub(super) database: Owner,
    /// What is labelled as the record's `Database` has it.
    pub(super) objects: Objects,
    /// The server's object, whosever it is.
    pub(super) server: Option<Server>,
    /// `None` while the namespaces aren't listed whose labels decide on it.
    pub(super) end: Option<End>,
    /// Whether the end has come: by two clocks, or because somebody has asked for it.
    pub(super) is_over: bool,
    /// Whether another cluster has the server, by what Azure told last.
    pub(super) is_anothers: bool,
    /// Whether the server's object was made since this process asked for that.
    pub(super) is_fresh: bool,
    /// Once the end has come, and before it is asked for: the `Database` to which Azure is restoring its data.
    pub(super) copied_to: Option<String>,
    /// By the clock of this machine.
    pub(super) now: Timestamp,
}

impl Seen<'_> {
    /// Whether Azure was told to destroy the server.
    pub(super) fn deletion_is_requested(&self) -> bool {
        deletion_is_requested(self.record, self.server.as_ref())
    }
}

pub(super) async fn see<'a>(
    record: &'a RetainedDatabase,
    kept: ServerRef<'a>,
    context: &Context,
) -> Result<Seen<'a>, Error> {
    let database = owner(context, kept.database).await?;
    let server = || context.server(kept.server_name);
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
    let state = context.policy.load();
    let here = context.here(state.policy().map(AsRef::as_ref));
    let is_anothers = server.as_ref().is_some_and(|server| server.is_of_another_cluster(here));
    let objects = Objects::of(&context.caches, &context.operator_namespace, &kept);
    let now = context.now();
    let is_to_be_asked = is_over && !deletion_is_requested(record, server.as_ref());
    let id = record.spec.server.id.as_deref().filter(|_| is_to_be_asked);
    let copied_to = id.and_then(|id| copied_to(&context.caches, id));
    Ok(Seen { record, kept, database, objects, server, end, is_over, is_anothers, is_fresh, copied_to, now })
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
    server: Option<&Server>,
) -> Result<End, NotKnown> {
    let profile = record.spec.profile.as_deref();
    let annotation = record
        .annotations()
        .contains_key(RETENTION)
        .then(|| retention::retention(record, kept.database, profile, context.now(), context))
        .transpose()?;
    let minimum_days = retention::minimum_days(kept.database.namespace, profile, context)?;
    Ok(end::end(&Facts { record, server, annotation, minimum_days, destroy_delay: context.destroy_delay }))
}
