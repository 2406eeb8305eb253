//! One pass over one `RetainedDatabase`: brought back, kept, or at its end.

use std::{sync::Arc, time::Duration};

use api::{
    Database, Recovered, RetainedDatabase, RetainedDatabaseStatus, RetainedReason,
    annotations::{CONFIRM_DESTROY, FINALIZER, RETENTION},
    reason::Reason,
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{
    Api, Resource, ResourceExt,
    api::{ObjectMeta, Patch, PatchParams},
    core::DeserializeGuard,
    runtime::{controller::Action, reflector::ObjectRef},
};
use policy::{quote::quote, retained::owner};
use serde_json::json;

use super::{
    close,
    end::{self, End, Notes, Seen, WARNING},
    let_go::{self, NotKnown},
    relabel,
    remove::{self, Doomed, Removal, Step, is_destroying},
    restore::{Restored, restore},
};
use crate::{
    api_error,
    azure::{DATABASE_NAME, DATABASE_NAMESPACE, FlexibleServer, claim, condition},
    clock,
    controller::{
        apply, backoff,
        conditions::{self, READY, RECONCILING, STALLED, Writer},
        context::Context,
        dereference,
        reconcile::LIMIT,
        verdict::Blocked,
    },
};

/// How soon to look again at what no watch tells of.
const SOON: Duration = Duration::from_secs(5);
/// A record at rest is looked at again after this long; its end is met to the second all the same.
const RESYNC: Duration = Duration::from_hours(1);
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
        let why =
            format!("spec.database {} is not of the form <namespace>/<name>", quote(&record.spec.database));
        tell(record, context, &Blocked::by(Reason::Unreadable, why), "False").await?;
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
    let server = context.caches.servers.cache.get(&context.operator_namespace, kept.server_name);
    if let Some(other) = server.as_ref().and_then(|server| owner_by_object(server, (namespace, name))) {
        return mistaken(record, context, &kept, &other).await;
    }
    let Ok(end) = self::end(record, context, &kept, server.as_ref()) else { return later };
    let is_told = remove::is_told(context, conditions(record), &kept);
    let is_over = is_over(&end, context).await?;
    if is_over
        && !is_told
        && let Some(again) = look_anew(record, context, &kept, &end, server.as_ref()).await?
    {
        return Ok(again);
    }
    let restored = if is_told { Restored::There } else { restore(record, &kept, context).await? };
    let trouble = match restored {
        Restored::UnderWay => return later,
        Restored::Foreign(why) if is_over => return let_alone(record, context, &kept, &why).await,
        // Another one of the same name: only who has asked for it now can mean that one.
        Restored::There
            if server.as_ref().is_some_and(|server| made_anew(record, server).is_some())
                && end != End::Approved
                && !is_told =>
        {
            server.as_ref().and_then(|server| made_anew(record, server))
        }
        Restored::There | Restored::Gone | Restored::Blocked(_) if is_told || is_over => {
            return destroy(record, context, &kept).await;
        }
        Restored::There => server.as_ref().and_then(|server| made_anew(record, server)),
        Restored::Gone => Some(gone(record)),
        Restored::Foreign(why) | Restored::Blocked(why) => Some(why),
    };
    let trouble = trouble.or_else(|| (end == End::Outdated).then(|| outdated(record)));
    let warned_at =
        end.warns(context.now()).then(|| Notes::of(record).warned_at.unwrap_or_else(|| Time(context.now())));
    let (why, ready) = match trouble {
        Some(why) => (why, "False"),
        None => (kept_because(record, &end, warned_at.as_ref(), context.now()), "True"),
    };
    let tell_it = || tell_with(record, context, &why, ready, warned_at.clone());
    // What is about the past touches nothing: whoever has the server now needs the ways in.
    if end == End::Outdated {
        tell_it().await?;
        return Ok(Action::requeue(backoff::jittered(LONGEST)));
    }
    if is_destroying(conditions(record)) {
        // First, or the server's object, should it be deleted by hand now, would be taken for what Azure was told.
        tell_it().await?;
        return later;
    }
    let is_spared = remove::spare(context, &kept).await?;
    let closed = close::close(context, &kept, record.spec.since.0).await?;
    let rests = is_spared && remove::rest(context, &kept).await?;
    tell_it().await?;
    Ok(Action::requeue(match &end {
        _ if !rests || closed != Removal::Done => backoff::jittered(SOON),
        _ if ready == "False" => backoff::jittered(LONGEST),
        End::At { .. } | End::Confirmed(_) => next(&end, context.now()),
        _ => backoff::jittered(RESYNC),
    }))
}

/// Two clocks must agree on it.
async fn is_over(end: &End, context: &Context) -> Result<bool, Error> {
    let Some(due) = end.due() else { return Ok(false) };
    if *end == End::Approved {
        return Ok(true);
    }
    Ok(due <= context.now() && due <= context.clock.earliest(&context.client).await?)
}

/// Before a server is destroyed its object is made anew, so that Azure is asked what there is today: what the API server
/// holds may be from a backup. `None` once it has looked.
async fn look_anew(
    record: &RetainedDatabase,
    context: &Context,
    kept: &Doomed<'_>,
    end: &End,
    server: Option<&FlexibleServer>,
) -> Result<Option<Action>, Error> {
    let later = Action::requeue(backoff::jittered(SOON));
    let Some(server) = server else {
        if !context.looks.is_asked(kept.server_name) {
            context.looks.asked(kept.server_name, None);
        }
        return Ok(None);
    };
    if context.looks.is_fresh(kept.server_name, server) {
        return Ok(None);
    }
    if server.metadata.deletion_timestamp.is_some() {
        return Ok(Some(later));
    }
    if is_destroying(conditions(record)) {
        // Or the object, once it is deleted to be made anew, would be taken for what Azure was told.
        let why = kept_because(record, end, Notes::of(record).warned_at.as_ref(), context.now());
        tell(record, context, &why, "True").await?;
        return Ok(Some(later));
    }
    // A server that is kept has its ways in closed. What somebody has confirmed needs no such sign.
    if matches!(end, End::At { .. }) {
        match close::close(context, kept, record.spec.since.0).await? {
            Removal::Done => {}
            Removal::UnderWay => return Ok(Some(later)),
            Removal::Refused { reason, message } => {
                let server_name = kept.server_name;
                let message = format!(
                    "Server {server_name} is to be destroyed, and is still there, because the ways in to it can't be closed: \
                     {reason}: {message}"
                );
                // Not a word that would be taken for what Azure was told.
                tell(record, context, &Blocked::by(Reason::ClosingRefused, message), "False").await?;
                return Ok(Some(later));
            }
        }
    }
    if remove::spare(context, kept).await? && remove::let_go_of_object(context, server).await? {
        context.looks.asked(kept.server_name, server.uid());
    }
    Ok(Some(later))
}

/// The `Database` that a server's object names, if it is another one.
fn owner_by_object(server: &FlexibleServer, kept: (&str, &str)) -> Option<String> {
    let (namespace, name) = (server.labels().get(DATABASE_NAMESPACE)?, server.labels().get(DATABASE_NAME)?);
    let is_other = (namespace.as_str(), name.as_str()) != kept && !claim::only_looks(server);
    is_other.then(|| format!("{namespace}/{name}"))
}

/// The record is about another database's server: whoever wrote it was mistaken. It goes, so that it stands in nobody's way.
async fn mistaken(
    record: &RetainedDatabase,
    context: &Context,
    kept: &Doomed<'_>,
    other: &str,
) -> Result<Action, Error> {
    let note = format!(
        "Server {} belongs to Database {other}, as its FlexibleServer says, and not to Database {}: this record is mistaken, \
         and goes; nothing else is touched",
        kept.server_name, record.spec.database
    );
    forget(record, context, Reason::Mistaken, &note).await?;
    Ok(Action::requeue(backoff::jittered(SOON)))
}

#[allow(clippy::needless_pass_by_value, reason = "the signature is kube's")]
pub(super) fn on_error(record: Arc<RetainedDatabase>, error: &Error, context: Arc<Context>) -> Action {
    let delay = context.retained_backoff.failed(&ObjectRef::from_obj(&*record), record.metadata.generation);
    tracing::warn!(name = record.name_any(), %error, again_in_seconds = delay.as_secs(), "a RetainedDatabase failed");
    Action::requeue(delay)
}

/// When to look again at a record that ends: at its warning, at its end, and now and then, because a clock can be set.
fn next(end: &End, now: Timestamp) -> Duration {
    let event = match end {
        End::At { promised, .. } if now.duration_until(*promised) > WARNING => {
            now.duration_until(*promised) - WARNING
        }
        end => now.duration_until(end.due().unwrap_or(now)),
    };
    Duration::try_from(event).unwrap_or_default().clamp(Duration::from_secs(1), LONGEST)
}

fn end(
    record: &RetainedDatabase,
    context: &Context,
    kept: &Doomed<'_>,
    server: Option<&FlexibleServer>,
) -> Result<End, NotKnown> {
    let (owner, profile) = ((kept.namespace, kept.name), record.spec.profile.as_deref());
    let annotation = record
        .annotations()
        .contains_key(RETENTION)
        .then(|| let_go::retention(record, owner, profile, context.now(), context))
        .transpose()?;
    let minimum_days = let_go::minimum_days(kept.namespace, profile, context)?;
    Ok(end::end(&Seen { record, server, annotation, minimum_days, destroy_delay: context.destroy_delay }))
}

fn kept_because(record: &RetainedDatabase, end: &End, warned_at: Option<&Time>, now: Timestamp) -> Blocked {
    let database = &record.spec.database;
    let back = format!("apply the manifest of Database {database} again to bring it back");
    let why = match record.spec.reason {
        RetainedReason::Deleted => "its Database was deleted",
        RetainedReason::OwnerLost => "its Database is gone without a word on the data",
    };
    let (reason, message) = match end {
        End::At { promised, .. } if end.warns(now) => {
            let warned_at = Some(warned_at.map_or(now, |time| time.0));
            let at = End::At { promised: *promised, warned_at }.due().unwrap_or(*promised);
            (
                Reason::ExpiresSoon,
                format!("The server is destroyed with all its data at {at}; put spec.until off, or {back}"),
            )
        }
        End::At { promised, .. } => {
            (Reason::KeptUntil, format!("The server is kept until {promised}, because {why}; {back}"))
        }
        End::Confirmed(at) => (
            Reason::DestroyConfirmed,
            format!(
                "The server is destroyed with all its data at {at}, as was confirmed when its Database was deleted; to keep \
                 it, annotate this record with {RETENTION}: Retain, or {back}"
            ),
        ),
        End::Never(None) | End::Approved | End::Outdated => {
            (Reason::Kept, format!("The server is kept, because {why}; {back}"))
        }
        End::Never(Some(doubt)) => {
            (Reason::Kept, format!("The server is kept; its end doesn't count: {doubt}"))
        }
    };
    Blocked::by(reason, message)
}

/// A `Database` has had the server since the record was written: it came back from a backup, or was written by hand.
fn outdated(record: &RetainedDatabase) -> Blocked {
    let (server, database) = (&record.spec.server.name, &record.spec.database);
    Blocked::by(
        Reason::RecordOutdated,
        format!(
            "Database {database} has had server {server} after {}, since when this record says that there is none: it is from \
             the past, and ends nothing. Apply the manifest of the Database to go on with the server. To destroy it with all \
             its data, annotate this record with {RETENTION}: Destroy and {CONFIRM_DESTROY}: {database}@<day>",
            record.spec.since.0
        ),
    )
}

/// Whether Azure made the server after it was kept: somebody deleted it there, and Azure Service Operator, which makes what
/// its objects say, made another one.
fn made_anew(record: &RetainedDatabase, server: &FlexibleServer) -> Option<Blocked> {
    // One that was deleted while Azure was making its server is kept since before that.
    record.spec.server.id.as_ref()?;
    let born = server.born().filter(|born| *born > record.spec.since.0)?;
    let name = &record.spec.server.name;
    Some(Blocked::by(
        Reason::ServerRecreated,
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
    forget(record, context, Reason::Destroyed, &note).await?;
    Ok(Action::requeue(backoff::jittered(SOON)))
}

fn gone(record: &RetainedDatabase) -> Blocked {
    let (server, database) = (&record.spec.server.name, &record.spec.database);
    Blocked::by(
        Reason::ServerGone,
        format!(
            "Azure has no server {server} any more: it was deleted there, and can be restored there for five days. If nobody \
             needs its data any more, annotate this record with {RETENTION}: Destroy and {CONFIRM_DESTROY}: {database}@<day>, \
             which ends it"
        ),
    )
}

/// The `Database`, if it is there. One that is being deleted and that the operator has let go of is gone: somebody else's
/// finalizer may hold it for ever.
pub(super) async fn live(
    context: &Context,
    namespace: &str,
    name: &str,
) -> Result<Option<DeserializeGuard<Database>>, Error> {
    let api: Api<DeserializeGuard<Database>> = Api::namespaced(context.client.clone(), namespace);
    let found = api.get_opt(name).await.map_err(failed("the Database", "looked up"))?;
    Ok(found.filter(|found| !is_let_go(found.meta())))
}

/// Whether a `Database` that is being deleted doesn't bear our finalizer any more.
pub(super) fn is_let_go(metadata: &ObjectMeta) -> bool {
    let ours = |finalizers: &Vec<String>| finalizers.iter().any(|finalizer| finalizer == FINALIZER);
    metadata.deletion_timestamp.is_some() && !metadata.finalizers.as_ref().is_some_and(ours)
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
                take_back(record, context, kept).await?;
                remove::spare(context, kept).await?;
            }
            return later;
        }
    };
    // Also the one that this record was just written for, and whose finalizer is about to go.
    if database.metadata.deletion_timestamp.is_some() {
        return later;
    }
    take_back(record, context, kept).await?;
    let has_server = database
        .status
        .as_ref()
        .and_then(|status| status.server.as_ref())
        .is_some_and(|server| server.name == kept.server_name);
    let server = context.caches.servers.cache.get(&context.operator_namespace, kept.server_name);
    let Some(server) = server.filter(|server| has_server && has_it(server)) else {
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
        forget(record, context, Reason::Destroyed, &note).await?;
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
    // A pass before this one may have said it, and the cache shows the record still.
    let is_told = conditions::find(conditions(record), READY)
        .is_some_and(|ready| ready.reason == Reason::Recovered.as_str());
    if forget(record, context, Reason::Recovered, &note).await? {
        if !is_told {
            context.events.publish(&database, Reason::Recovered, &note).await;
        }
        tracing::info!(namespace = kept.namespace, name = kept.name, server = kept.server_name, "recovered");
        return Ok(Action::await_change());
    }
    later
}

/// Notes that the end which the record has so far was taken back: its `Database` was applied again. From when Azure was told,
/// nothing does.
pub(super) async fn take_back(
    record: &RetainedDatabase,
    context: &Context,
    kept: &Doomed<'_>,
) -> Result<(), Error> {
    if remove::is_told(context, conditions(record), kept) {
        return Ok(());
    }
    let Some(notes) = Notes::taken_back(record) else { return Ok(()) };
    let new = notes.onto(record, record.status.clone().unwrap_or_default());
    write_status(record, context, &new).await.map(drop)
}

/// Whether Azure has the server as the object says: what is told of one that is gone, or is being made anew, is about the
/// former one.
fn has_it(server: &FlexibleServer) -> bool {
    !claim::only_looks(server) && condition::progress(server) == condition::Progress::Ready
}

async fn destroy(record: &RetainedDatabase, context: &Context, doomed: &Doomed<'_>) -> Result<Action, Error> {
    let server = doomed.server_name;
    let instead = format!("apply the manifest of Database {} again to have it back", record.spec.database);
    match remove::destroy(context, conditions(record), doomed, &instead).await? {
        Step::Wait => {}
        Step::Tell(why) => drop(tell(record, context, &why, "False").await?),
        Step::Done => {
            let note = format!("Server {server} is destroyed with all its data");
            if forget(record, context, Reason::Destroyed, &note).await? {
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
    reason: Reason,
    note: &str,
) -> Result<bool, Error> {
    let told = tell(record, context, &Blocked::by(reason, note.to_owned()), "True").await?;
    if told.as_ref().is_some_and(|told| told.spec != record.spec) {
        return Ok(false);
    }
    let record = told.as_ref().unwrap_or(record);
    context.looks.forget(&record.spec.server.name);
    Ok(apply::delete(context, record).await?)
}

/// Writes the status if it says something new, and an event if it has another reason. Gives what was written.
async fn tell(
    record: &RetainedDatabase,
    context: &Context,
    why: &Blocked,
    ready: &str,
) -> Result<Option<RetainedDatabase>, Error> {
    tell_with(record, context, why, ready, Notes::of(record).warned_at).await
}

async fn tell_with(
    record: &RetainedDatabase,
    context: &Context,
    why: &Blocked,
    ready: &str,
    warned_at: Option<Time>,
) -> Result<Option<RetainedDatabase>, Error> {
    let notes = Notes { warned_at, ..Notes::of(record) };
    let old = record.status.clone().unwrap_or_default();
    let new = status_of(record, why, ready, notes, context.now());
    if new == old {
        return Ok(None);
    }
    let written = write_status(record, context, &new).await?;
    let before = conditions::find(&old.conditions, READY).map(|ready| ready.reason.as_str());
    let reason = why.cause.as_str();
    if before != Some(reason) {
        context.events.publish_of(&record.object_ref(&()), reason, &why.message).await;
    }
    Ok(Some(written))
}

fn status_of(
    record: &RetainedDatabase,
    why: &Blocked,
    ready: &str,
    notes: Notes,
    now: Timestamp,
) -> RetainedDatabaseStatus {
    let old = record.status.as_ref().map_or(&[][..], |status| &status.conditions);
    let writer = Writer { old, generation: record.metadata.generation, now };
    let condition =
        |type_: &str, status: &str| writer.condition(type_, status, why.cause.as_str(), why.message.clone());
    let mut conditions = vec![condition(READY, ready)];
    if ready != "True" {
        conditions.push(condition(if why.cause.is_stalled() { STALLED } else { RECONCILING }, "True"));
    }
    let observed_generation = record.metadata.generation;
    let status =
        RetainedDatabaseStatus { observed_generation, conditions, ..RetainedDatabaseStatus::default() };
    notes.onto(record, status)
}

async fn write_status(
    record: &RetainedDatabase,
    context: &Context,
    new: &RetainedDatabaseStatus,
) -> Result<RetainedDatabase, Error> {
    let body = json!({
        "apiVersion": RetainedDatabase::api_version(&()), "kind": RetainedDatabase::kind(&()),
        // Of this very object: one that was made again under its name has notes of its own.
        "metadata": {"name": record.name_any(), "uid": record.metadata.uid}, "status": new,
    });
    let written = context
        .records()
        .patch_status(&record.name_any(), &PatchParams::apply(STATUS_MANAGER).force(), &Patch::Apply(&body))
        .await
        .map_err(failed("the status of the RetainedDatabase", "written"))?;
    context.count_write("RetainedDatabase/status");
    Ok(written)
}

/// Notes on a new record that its `Database` was deleted with a confirmed `Destroy`. A record that comes back from a backup
/// has no status, and so no such note.
pub(super) async fn confirm(
    record: &RetainedDatabase,
    context: &Context,
    confirmed: api::Confirmed,
) -> Result<(), Error> {
    let why = kept_because(record, &End::Confirmed(confirmed.destroy_at.0), None, context.now());
    let notes = Notes { confirmed: Some(confirmed), ..Notes::of(record) };
    let new = status_of(record, &why, "True", notes, context.now());
    write_status(record, context, &new).await.map(drop)
}
