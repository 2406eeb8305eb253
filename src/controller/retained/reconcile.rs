//! One pass over one `RetainedDatabase`: brought back, kept, or at its end.

use std::{sync::Arc, time::Duration};

use api::{
    Database, Recovered, RetainedDatabase, RetainedDatabaseStatus, RetainedReason,
    annotations::RETENTION,
    retained::{DESTROYED, RECOVERED},
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{
    Api, Resource, ResourceExt,
    api::{Patch, PatchParams},
    core::DeserializeGuard,
    runtime::{controller::Action, events::EventType, reflector::ObjectRef},
};
use policy::{deleting::Retention, retained::owner};
use serde_json::json;

use super::{
    close,
    let_go::{self, NotKnown},
    relabel,
    remove::{self, Doomed, Removal, Step, is_destroying},
    restore::{Restored, restore},
};
use crate::{
    api_error,
    azure::{FlexibleServer, claim},
    clock,
    controller::{
        apply, backoff,
        context::Context,
        dereference,
        reconcile::LIMIT,
        status::{self, Blocked},
    },
};

/// How soon to look again at what no watch tells of.
const SOON: Duration = Duration::from_secs(5);
/// A record at rest is looked at again after this long; its end is met to the second all the same.
const RESYNC: Duration = Duration::from_hours(1);
/// So long before the end a warning goes out.
const WARNING: SignedDuration = SignedDuration::from_hours(24);
/// And so often at one that ends.
const LONGEST: Duration = Duration::from_mins(10);

/// Field managers of the two statuses that are written here.
const STATUS_MANAGER: &str = "database-operator-retained";
const RECOVERY_MANAGER: &str = "database-operator-recovery";

#[derive(Debug, thiserror::Error)]
pub(in crate::controller) enum Error {
    #[error(transparent)]
    Apply(#[from] apply::Error),
    #[error("{what} can't be {done}: {}", api_error::words(source))]
    Api { what: &'static str, done: &'static str, source: Box<kube::Error> },
    #[error(transparent)]
    Clock(#[from] clock::Error),
    #[error("no end after {} s; the API server may be unreachable", LIMIT.as_secs())]
    TooLong,
    #[error("no random bytes are to be had, so there is no new password")]
    NoPassword,
}

pub(super) fn failed(what: &'static str, done: &'static str) -> impl Fn(kube::Error) -> Error {
    move |source| Error::Api { what, done, source: Box::new(source) }
}

pub(in crate::controller) async fn reconcile(
    record: Arc<RetainedDatabase>,
    context: Arc<Context>,
) -> Result<Action, Error> {
    let action = tokio::time::timeout(LIMIT, pass(&record, &context)).await.map_err(|_| Error::TooLong)??;
    context.retained_backoff.succeeded(&ObjectRef::from_obj(&*record));
    Ok(action)
}

async fn pass(record: &RetainedDatabase, context: &Context) -> Result<Action, Error> {
    if record.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let Some((namespace, name)) = owner(&record.spec.database) else {
        let why = format!("spec.database {:?} is not of the form <namespace>/<name>", record.spec.database);
        tell(record, context, &Blocked::stalled("Unreadable", why), "False").await?;
        return Ok(Action::await_change());
    };
    let kept = Doomed { namespace, name, server_name: &record.spec.server.name };
    let later = Ok(Action::requeue(backoff::jittered(SOON)));
    // What isn't known yet would be taken for gone: a way in that is open for closed.
    match dereference::check(&context.caches) {
        Ok(()) => {}
        // It tells whether Azure was told.
        Err(dereference::Error::Blocked(why)) if !is_destroying(conditions(record)) => {
            tell(record, context, &why, "False").await?;
            return later;
        }
        Err(_) => return later,
    }
    if let Some(formerly) = record.spec.formerly.as_deref().and_then(owner)
        && relabel::is_due(&context.caches, &context.operator_namespace, kept.server_name, formerly)
    {
        relabel::relabel(context, kept.server_name, formerly, (namespace, name)).await?;
        return later;
    }
    if let Some(database) = live(context, namespace, name).await? {
        return returned(record, context, &kept, database).await;
    }
    let Ok(end) = end(record, context, namespace, name) else { return later };
    let is_told = remove::is_told(context, conditions(record), &kept);
    let is_over = match &end {
        End::At(until) if *until <= context.now() => {
            // Two clocks must agree on it.
            *until <= context.clock.earliest(&context.client).await?
        }
        End::Approved => true,
        End::At(_) | End::Never(_) => false,
    };
    let restored = if is_told { Restored::There } else { restore(record, &kept, context).await? };
    let trouble = match restored {
        Restored::UnderWay => return later,
        Restored::Foreign(why) if is_over => return let_alone(record, context, &kept, &why).await,
        Restored::There | Restored::Gone | Restored::Blocked(_) if is_told || is_over => {
            return destroy(record, context, &kept).await;
        }
        Restored::There => context
            .caches
            .servers
            .cache
            .get(&context.operator_namespace, kept.server_name)
            .and_then(|server| made_anew(record, &server)),
        Restored::Gone => Some(gone(record)),
        Restored::Foreign(why) | Restored::Blocked(why) => Some(why),
    };
    let (why, ready) = match trouble {
        Some(why) => (why, "False"),
        None => (kept_because(record, &end, context.now()), "True"),
    };
    if is_destroying(conditions(record)) {
        // First, or the server's object, should it be deleted by hand now, would be taken for what Azure was told.
        tell(record, context, &why, ready).await?;
        return later;
    }
    let is_spared = remove::spare(context, &kept).await?;
    let closed = close::close(context, &kept, record.spec.since.0).await?;
    tell(record, context, &why, ready).await?;
    Ok(Action::requeue(match &end {
        _ if !is_spared || closed != Removal::Done => backoff::jittered(SOON),
        _ if ready == "False" => backoff::jittered(LONGEST),
        End::At(until) => next(*until, context.now()),
        _ => backoff::jittered(RESYNC),
    }))
}

#[allow(clippy::needless_pass_by_value, reason = "the signature is kube's")]
pub(super) fn on_error(record: Arc<RetainedDatabase>, error: &Error, context: Arc<Context>) -> Action {
    let delay = context.retained_backoff.failed(&ObjectRef::from_obj(&*record), record.metadata.generation);
    tracing::warn!(name = record.name_any(), %error, again_in_seconds = delay.as_secs(), "a RetainedDatabase failed");
    Action::requeue(delay)
}

/// When to look again at a record that ends: at its warning, at its end, and now and then, because a clock can be set.
fn next(until: Timestamp, now: Timestamp) -> Duration {
    let left = now.duration_until(until);
    let event = if left > WARNING { left - WARNING } else { left };
    Duration::try_from(event).unwrap_or_default().clamp(Duration::from_secs(1), LONGEST)
}

/// When a server that is kept comes to its end.
#[derive(Clone, Debug, Eq, PartialEq)]
enum End {
    /// By the record.
    At(Timestamp),
    /// Someone who may has asked for it, and confirmed.
    Approved,
    /// Never by itself; with why an annotation doesn't count.
    Never(Option<String>),
}

fn end(record: &RetainedDatabase, context: &Context, namespace: &str, name: &str) -> Result<End, NotKnown> {
    let by_record = record.spec.until.as_ref().map(|until| End::At(until.0));
    if !record.annotations().contains_key(RETENTION) {
        return Ok(by_record.unwrap_or(End::Never(None)));
    }
    let judged =
        let_go::retention(record, (namespace, name), record.spec.profile.as_deref(), context.now(), context)?;
    Ok(match (judged, by_record) {
        (Ok(Retention::Destroy), _) => End::Approved,
        (_, Some(by_record)) => by_record,
        (Ok(_), None) => End::Never(None),
        (Err(doubt), None) => End::Never(Some(doubt)),
    })
}

fn kept_because(record: &RetainedDatabase, end: &End, now: Timestamp) -> Blocked {
    let database = &record.spec.database;
    let back = format!("apply the manifest of Database {database} again to bring it back");
    let why = match record.spec.reason {
        RetainedReason::Deleted => "its Database was deleted",
        RetainedReason::OwnerLost => "its Database is gone without a word on the data",
    };
    let (reason, message) = match end {
        End::At(until) if now.duration_until(*until) <= WARNING => (
            "ExpiresSoon",
            format!("The server is destroyed with all its data at {until}; put spec.until off, or {back}"),
        ),
        End::At(until) => ("KeptUntil", format!("The server is kept until {until}, because {why}; {back}")),
        End::Never(None) | End::Approved => ("Kept", format!("The server is kept, because {why}; {back}")),
        End::Never(Some(doubt)) => {
            ("Kept", format!("The server is kept; the annotation doesn't count: {doubt}"))
        }
    };
    Blocked::working(reason, message)
}

/// Whether Azure made the server after it was kept: somebody deleted it there, and Azure Service Operator, which makes what
/// its objects say, made another one.
fn made_anew(record: &RetainedDatabase, server: &FlexibleServer) -> Option<Blocked> {
    let born = server.born().filter(|born| *born > record.spec.since.0)?;
    let name = &record.spec.server.name;
    Some(Blocked::stalled(
        "ServerMadeAnew",
        format!(
            "Server {name} in Azure was made at {born}, after the one that was kept: that one was deleted in Azure. The new \
             one is empty, unless somebody has restored it"
        ),
    ))
}

/// What Azure has under that name is not of this record, which has come to its end.
async fn let_alone(
    record: &RetainedDatabase,
    context: &Context,
    kept: &Doomed<'_>,
    why: &Blocked,
) -> Result<Action, Error> {
    // It only looks: nothing happens in Azure.
    if let Some(looks) = context.caches.servers.cache.get(&context.operator_namespace, kept.server_name) {
        apply::delete(context, &looks).await?;
    }
    let note = format!("Nothing is kept any more, and nothing is destroyed: {}", why.message);
    forget(record, context, DESTROYED, &note).await?;
    Ok(Action::requeue(backoff::jittered(SOON)))
}

fn gone(record: &RetainedDatabase) -> Blocked {
    let (server, database) = (&record.spec.server.name, &record.spec.database);
    Blocked::stalled(
        "ServerGone",
        format!(
            "Azure has no server {server} any more: it was deleted there, and can be restored there for some days. Applying \
             Database {database} makes a new and empty one; annotating this record with altinn.app/retention: Destroy and \
             altinn.app/confirm-destroy: {database}@<day> ends it"
        ),
    )
}

pub(super) async fn live(
    context: &Context,
    namespace: &str,
    name: &str,
) -> Result<Option<DeserializeGuard<Database>>, Error> {
    let api: Api<DeserializeGuard<Database>> = Api::namespaced(context.client.clone(), namespace);
    api.get_opt(name).await.map_err(failed("the Database", "looked up"))
}

/// The `Database` is there again. Once it has its server back, it is told since when the server was kept, and the record
/// has had its day.
async fn returned(
    record: &RetainedDatabase,
    context: &Context,
    kept: &Doomed<'_>,
    database: DeserializeGuard<Database>,
) -> Result<Action, Error> {
    let later = Ok(Action::requeue(backoff::jittered(SOON)));
    // One that can't be read is there all the same.
    let database = match database.0 {
        Ok(database) => database,
        Err(unreadable) => {
            if unreadable.metadata.deletion_timestamp.is_none() {
                remove::spare(context, kept).await?;
            }
            return later;
        }
    };
    if database.metadata.deletion_timestamp.is_some() {
        return later;
    }
    let has_server = database
        .status
        .as_ref()
        .and_then(|status| status.server.as_ref())
        .is_some_and(|server| server.name == kept.server_name);
    let server = context.caches.servers.cache.get(&context.operator_namespace, kept.server_name);
    let Some(server) = server.filter(|server| has_server && !claim::only_looks(server)) else {
        // Something may keep it from that for long, and a destroy that was begun has been overtaken.
        remove::spare(context, kept).await?;
        return later;
    };
    let formerly = record.spec.formerly.as_deref();
    if formerly.is_some() && !claim::is_tagged(&server, (kept.namespace, kept.name)) {
        // Until Azure knows whose it is, the record tells.
        return later;
    }
    let since = &record.spec.since;
    let is_destroyed =
        is_destroying(conditions(record)) && server.creation_timestamp().is_some_and(|made| made.0 > since.0);
    let made_anew = made_anew(record, &server);
    if is_destroyed || made_anew.is_some() {
        // It came too late: this is another server of the same name.
        let note = made_anew.map_or_else(
            || format!("Server {} is destroyed with all its data; it was made anew since", kept.server_name),
            |why| why.message,
        );
        forget(record, context, DESTROYED, &note).await?;
        return later;
    }
    let recovered = Recovered { since: since.clone(), from: formerly.map(str::to_owned) };
    let body = json!({
        "apiVersion": Database::api_version(&()), "kind": Database::kind(&()),
        "metadata": {"name": kept.name}, "status": {"recovered": recovered},
    });
    let api: Api<Database> = Api::namespaced(context.client.clone(), kept.namespace);
    api.patch_status(kept.name, &PatchParams::apply(RECOVERY_MANAGER).force(), &Patch::Apply(&body))
        .await
        .map_err(failed("the status of the Database", "written"))?;
    let of = formerly.map_or_else(String::new, |formerly| format!(" of Database {formerly}"));
    let note =
        format!("Server {}{of} is back, with the data that was kept since {}", kept.server_name, since.0);
    if forget(record, context, RECOVERED, &note).await? {
        context.events.publish(&database, EventType::Normal, "Recovered", &note).await;
        tracing::info!(namespace = kept.namespace, name = kept.name, server = kept.server_name, "recovered");
        return Ok(Action::await_change());
    }
    later
}

async fn destroy(record: &RetainedDatabase, context: &Context, doomed: &Doomed<'_>) -> Result<Action, Error> {
    let server = doomed.server_name;
    let instead = format!("apply the manifest of Database {} again to have it back", record.spec.database);
    match remove::destroy(context, conditions(record), doomed, &instead).await? {
        Step::Wait => {}
        Step::Tell(why) => drop(tell(record, context, &why, "False").await?),
        Step::Done => {
            let note = format!("Server {server} is destroyed with all its data");
            if forget(record, context, DESTROYED, &note).await? {
                tracing::info!(database = record.spec.database, server, "the server is destroyed");
                return Ok(Action::await_change());
            }
        }
    }
    Ok(Action::requeue(backoff::jittered(SOON)))
}

pub(super) fn conditions(record: &RetainedDatabase) -> &[Condition] {
    record.status.as_ref().map_or(&[], |status| &status.conditions)
}

/// Deletes this very record, and tells whether it is gone: one that tells of a later delete stays. Its status says first
/// that it is settled, or the webhook wouldn't let it go.
pub(super) async fn forget(
    record: &RetainedDatabase,
    context: &Context,
    reason: &str,
    note: &str,
) -> Result<bool, Error> {
    let told = tell(record, context, &Blocked::working(reason, note.to_owned()), "True").await?;
    if told.as_ref().is_some_and(|told| told.spec != record.spec) {
        return Ok(false);
    }
    let record = told.as_ref().unwrap_or(record);
    Ok(apply::delete(context, record).await?)
}

/// Writes the status if it says something new, and an event if it has another reason. Gives what was written.
async fn tell(
    record: &RetainedDatabase,
    context: &Context,
    why: &Blocked,
    ready: &str,
) -> Result<Option<RetainedDatabase>, Error> {
    let old = record.status.clone().unwrap_or_default();
    let now = context.now();
    let condition = |type_: &str, status: &str| Condition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        reason: why.reason.clone(),
        message: why.message.clone(),
        observed_generation: record.metadata.generation,
        last_transition_time: status::find(&old.conditions, type_)
            .filter(|before| before.status == status)
            .map_or(Time(now), |before| before.last_transition_time.clone()),
    };
    let mut conditions = vec![condition("Ready", ready)];
    if ready != "True" {
        conditions.push(condition(if why.stalled { "Stalled" } else { "Reconciling" }, "True"));
    }
    let new = RetainedDatabaseStatus { observed_generation: record.metadata.generation, conditions };
    if new == old {
        return Ok(None);
    }
    let body = json!({
        "apiVersion": RetainedDatabase::api_version(&()), "kind": RetainedDatabase::kind(&()),
        "metadata": {"name": record.name_any()}, "status": new,
    });
    let written = context
        .records()
        .patch_status(&record.name_any(), &PatchParams::apply(STATUS_MANAGER).force(), &Patch::Apply(&body))
        .await
        .map_err(failed("the status of the RetainedDatabase", "written"))?;
    context.count_write("RetainedDatabase/status");
    let before = status::find(&old.conditions, "Ready").map(|ready| ready.reason.as_str());
    if before != Some(&why.reason) {
        let is_calm =
            ["Kept", "KeptUntil", "Destroying", DESTROYED, RECOVERED].contains(&why.reason.as_str());
        let type_ = if is_calm { EventType::Normal } else { EventType::Warning };
        context.events.publish_of(&record.object_ref(&()), type_, &why.reason, &why.message).await;
    }
    Ok(Some(written))
}
