//! Does what was planned for a server that is kept.

use std::time::Duration;

use api::{Database, Recovered, RetainedDatabaseStatus, Settled, reason::Reason};
use kube::{
    Api, Resource,
    api::{Patch, PatchParams},
    runtime::controller::Action,
};
use serde_json::json;

use super::{
    logins,
    owner::Owner,
    plan::{Again, Closing, Plan},
    seen::Seen,
    status::{Told, settle, take_back, tell},
};
use crate::controller::{
    engine::{backoff, verdict::Blocked},
    server::{
        context::Context,
        destroy::{self, Removal, Step},
        error::{Error, failed},
        revoke,
    },
};

/// How soon to look again at what no watch tells of.
const SOON: Duration = Duration::from_secs(5);

const RECOVERY_MANAGER: &str = "database-operator-recovery";

pub(super) fn soon() -> Action {
    requeue(Again::Soon)
}

fn requeue(again: Again) -> Action {
    Action::requeue(match again {
        Again::Soon => backoff::jittered(SOON),
        Again::About(time) => backoff::jittered(time),
        Again::In(time) => time,
    })
}

pub(super) async fn act(plan: Plan, seen: &Seen<'_>, context: &Context) -> Result<Action, Error> {
    let (record, kept) = (seen.record, &seen.kept);
    match plan {
        Plan::Wait => {}
        Plan::Tell(told, again) => {
            tell(record, context, &told).await?;
            return Ok(requeue(again));
        }
        Plan::TakeBack { cancels } => {
            take_back(record, context).await?;
            if cancels {
                destroy::cancel_destroy(context, &seen.objects).await?;
            }
        }
        Plan::Recover { note } => return recover(seen, context, &note).await,
        Plan::Settle { settled, note } => drop(settle(record, context, settled, &note).await?),
        Plan::LetAlone { note } => {
            // It only looks: nothing happens in Azure.
            if let Some(probe) = &seen.server {
                destroy::delete_object(context, probe).await?;
            }
            context.accesses.forget(kept.server_name);
            settle(record, context, Settled::Destroyed, &note).await?;
        }
        Plan::LookAnew { before } => look_anew(seen, context, before).await?,
        Plan::Destroy => return destroy(seen, context).await,
        Plan::Keep { mut told, again } => {
            let is_cancelled = destroy::cancel_destroy(context, &seen.objects).await?;
            // By SQL first: nobody gets in to do that once the firewall is closed.
            let logins = logins::close(seen, context);
            let access_closed = logins.condition(told.notes.access_closed.clone(), seen.now);
            // What was closed is written down before nobody can see it any more.
            let is_news = access_closed != told.notes.access_closed;
            told.notes.access_closed = access_closed;
            if is_news || logins.hold_back(record.spec.since.0, seen.now) {
                tell(record, context, &told).await?;
                return Ok(soon());
            }
            let closed = revoke::revoke(context, kept, &seen.objects, record.spec.since.0).await?;
            let rests = is_cancelled && destroy::rest(context, &seen.objects).await?;
            tell(record, context, &told).await?;
            if rests && closed == Removal::Done {
                return Ok(requeue(again));
            }
        }
    }
    Ok(soon())
}

async fn look_anew(seen: &Seen<'_>, context: &Context, before: Closing) -> Result<(), Error> {
    let (record, kept) = (seen.record, &seen.kept);
    let Some(server) = &seen.server else { return Ok(()) };
    let closed = match before {
        Closing::No => Removal::Done,
        // Whoever takes the end back now would have them open, and no object to close them by.
        Closing::IfPossible => revoke::close(context, &seen.objects).await?,
        Closing::Must => revoke::revoke(context, kept, &seen.objects, record.spec.since.0).await?,
    };
    match closed {
        Removal::UnderWay => return Ok(()),
        Removal::Refused { reason, message } if before == Closing::Must => {
            let server_name = kept.server_name;
            let message = format!(
                "Server {server_name} is to be destroyed, and is still there, because the ways in to it can't be closed: \
                 {reason}: {message}"
            );
            let why = Blocked::by(Reason::ClosingRefused, message);
            return tell(record, context, &Told::trouble(record, why)).await.map(drop);
        }
        Removal::Done | Removal::Refused { .. } => {}
    }
    if destroy::cancel_destroy(context, &seen.objects).await?
        && destroy::delete_object(context, server).await?
    {
        context.looks.asked(kept.server_name, server.uid());
    }
    Ok(())
}

async fn destroy(seen: &Seen<'_>, context: &Context) -> Result<Action, Error> {
    let (record, server) = (seen.record, seen.kept.server_name);
    let instead = format!("apply the manifest of Database {} again to have it back", record.spec.database);
    match destroy::destroy(context, record.is_being_destroyed(), &seen.kept, &seen.objects, &instead).await? {
        Step::Wait => {}
        Step::Kept(why) => drop(tell(record, context, &Told::trouble(record, why)).await?),
        Step::Destroying(why) => drop(tell(record, context, &Told::destroying(record, why)).await?),
        Step::Done => {
            let note = format!("Server {server} is destroyed with all its data");
            context.accesses.forget(server);
            if settle(record, context, Settled::Destroyed, &note).await? {
                tracing::info!(database = record.spec.database, server, "the server is destroyed");
                return Ok(Action::await_change());
            }
        }
    }
    Ok(soon())
}

async fn recover(seen: &Seen<'_>, context: &Context, note: &str) -> Result<Action, Error> {
    let (record, kept) = (seen.record, &seen.kept);
    let recovered = Recovered { since: record.spec.since.clone(), from: record.spec.formerly.clone() };
    let body = json!({
        "apiVersion": Database::api_version(&()), "kind": Database::kind(&()),
        "metadata": {"name": kept.database.name}, "status": {"recovered": recovered},
    });
    let api: Api<Database> = Api::namespaced(context.client.clone(), kept.database.namespace);
    api.patch_status(kept.database.name, &PatchParams::apply(RECOVERY_MANAGER).force(), &Patch::Apply(&body))
        .await
        .map_err(failed("the status of the Database", "written"))?;
    if !settle(record, context, Settled::Recovered, note).await? {
        return Ok(soon());
    }
    // A pass before this one may have said it, and the cache shows the record still.
    let is_told = record.status.as_ref().is_some_and(RetainedDatabaseStatus::is_settled);
    if let Owner::There(database) = &seen.database
        && !is_told
    {
        context.events.publish(database, Reason::Recovered, note).await;
    }
    tracing::info!(database = %kept.database, server = kept.server_name, "recovered");
    Ok(Action::await_change())
}
