//! The status of a `RetainedDatabase`: what people are told, and what the operator notes for itself.

use api::{Destroy, RetainedDatabase, RetainedDatabaseStatus, Settled, reason::Reason};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{
    Resource, ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::json;

use super::{
    end::{End, Notes},
    told,
};
use crate::controller::{
    engine::{
        conditions::{self, READY, RECONCILING, STALLED, Writer},
        verdict::Blocked,
    },
    server::{
        context::Context,
        error::{Error, failed},
        record::deletion_is_requested,
        write,
    },
};

const MANAGER: &str = "database-operator-retained";

/// How far the end of a server has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Phase {
    Kept,
    Destroying,
    Settled(Settled),
}

/// What a status is to say.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Told {
    pub(crate) why: Blocked,
    pub(crate) is_ready: bool,
    pub(crate) phase: Phase,
    pub(crate) notes: Notes,
}

impl Told {
    /// Of a server that is kept as it should be.
    pub(crate) fn kept(record: &RetainedDatabase, why: Blocked) -> Self {
        Self { why, is_ready: true, phase: Phase::Kept, notes: Notes::of(record) }
    }

    /// Of a server that is kept, and something is amiss.
    pub(crate) fn trouble(record: &RetainedDatabase, why: Blocked) -> Self {
        Self { is_ready: false, ..Self::kept(record, why) }
    }

    /// Of a server that Azure is told to destroy.
    pub(crate) fn destroying(record: &RetainedDatabase, why: Blocked) -> Self {
        Self { phase: Phase::Destroying, ..Self::trouble(record, why) }
    }

    fn settled(record: &RetainedDatabase, settled: Settled, note: &str) -> Self {
        let reason = match settled {
            Settled::Recovered => Reason::Recovered,
            Settled::Destroyed => Reason::Destroyed,
            Settled::Mistaken => Reason::Mistaken,
        };
        Self { phase: Phase::Settled(settled), ..Self::kept(record, Blocked::by(reason, note.to_owned())) }
    }
}

fn status_of(record: &RetainedDatabase, told: &Told, now: Timestamp) -> RetainedDatabaseStatus {
    let Told { why, is_ready, phase, notes } = told;
    let old = record.status.as_ref().map_or(&[][..], |status| &status.conditions);
    let writer = Writer { old, generation: record.metadata.generation, now };
    let condition =
        |type_: &str, status: &str| writer.condition(type_, status, why.cause.as_str(), why.message.clone());
    let mut conditions = vec![condition(READY, if *is_ready { "True" } else { "False" })];
    if !is_ready {
        conditions.push(condition(if why.cause.is_stalled() { STALLED } else { RECONCILING }, "True"));
    }
    let requested = record.status.as_ref().and_then(|status| status.destroy.clone());
    let (destroy, settled) = match phase {
        Phase::Kept => (None, None),
        Phase::Destroying => (requested.or(Some(Destroy { requested_at: Time(now) })), None),
        Phase::Settled(settled) => (requested, Some(*settled)),
    };
    let status = RetainedDatabaseStatus {
        observed_generation: record.metadata.generation,
        destroy,
        settled,
        conditions,
        ..RetainedDatabaseStatus::default()
    };
    notes.clone().onto(record, status)
}

/// Writes the status if it says something new, and an event if it has another reason. Gives what was written.
pub(crate) async fn tell(
    record: &RetainedDatabase,
    context: &Context,
    told: &Told,
) -> Result<Option<RetainedDatabase>, Error> {
    let new = status_of(record, told, context.now());
    if record.status.as_ref() == Some(&new) {
        return Ok(None);
    }
    let written = write(record, context, &new).await?;
    let old = record.status.as_ref().map_or(&[][..], |status| &status.conditions);
    let before = conditions::find(old, READY).map(|ready| ready.reason.as_str());
    let reason = told.why.cause.as_str();
    if before != Some(reason) {
        context.events.publish_of(&record.object_ref(&()), reason, &told.why.message).await;
    }
    Ok(Some(written))
}

async fn write(
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
        .patch_status(&record.name_any(), &PatchParams::apply(MANAGER).force(), &Patch::Apply(&body))
        .await
        .map_err(failed("the status of the RetainedDatabase", "written"))?;
    context.count_write("RetainedDatabase/status");
    Ok(written)
}

/// Deletes this very record, and tells whether it is gone: one on which something else is said by now is looked at again. Its
/// status says first that it is settled, or the webhook wouldn't let it go.
pub(crate) async fn settle(
    record: &RetainedDatabase,
    context: &Context,
    settled: Settled,
    note: &str,
) -> Result<bool, Error> {
    let told = tell(record, context, &Told::settled(record, settled, note)).await?;
    let says_else =
        |told: &RetainedDatabase| told.spec != record.spec || told.annotations() != record.annotations();
    if told.as_ref().is_some_and(says_else) {
        return Ok(false);
    }
    let record = told.as_ref().unwrap_or(record);
    context.looks.forget(&record.spec.server.name);
    Ok(write::delete(context, record).await?)
}

/// Notes on a new record that its `Database` was deleted with a confirmed `Destroy`. A record that comes back from a backup
/// has no status, and so no such note.
pub(crate) async fn confirm(
    record: &RetainedDatabase,
    context: &Context,
    confirmed: api::Confirmed,
) -> Result<(), Error> {
    let now = context.now();
    let why = told::kept(record, &End::Confirmed(confirmed.destroy_at.0), None, now);
    let notes = Notes { confirmed: Some(confirmed), ..Notes::of(record) };
    let new = status_of(record, &Told { notes, ..Told::kept(record, why) }, now);
    write(record, context, &new).await.map(drop)
}

/// Notes that the end which the record has so far was taken back: its `Database` was applied again. From when Azure was told,
/// nothing does.
pub(crate) async fn take_back(record: &RetainedDatabase, context: &Context) -> Result<(), Error> {
    let server = context.server(&record.spec.server.name);
    if deletion_is_requested(record, server.as_ref()) {
        return Ok(());
    }
    let Some(notes) = Notes::taken_back(record) else { return Ok(()) };
    let new = notes.onto(record, record.status.clone().unwrap_or_default());
    write(record, context, &new).await.map(drop)
}
