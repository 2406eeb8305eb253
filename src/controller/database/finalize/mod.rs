//! A `Database` that is being deleted: what becomes of its data is settled before its finalizer goes. What was seen makes a
//! [`plan`], and then that is done.

mod plan;

use api::{Database, DatabaseRef, RetainedDatabase, reason::Reason};
use jiff::{SignedDuration, Timestamp};
use kube::{api::PostParams, runtime::controller::Action};
use policy::deleting::Retention;

use self::plan::{Kept, On, Plan};
use super::{error::Error, report::report, status::Outcome};
use crate::{
    azure::names,
    controller::{
        engine::{backoff, cache::Unreadable},
        retained::status,
        server::{
            context::Context,
            describe::Server,
            destroy,
            objects::{Objects, ServerRef},
            observe,
            ownership::{self, ServerOf, Traces},
            record,
            retention::{profile, retention},
            write,
        },
    },
    labels::OPERATOR,
};

/// Whether the `Database` may go.
#[derive(Debug)]
pub(crate) enum Fate {
    /// Everything is settled.
    Settled,
    /// Something is under way.
    Wait(Action),
}

/// How soon to look again; the caches tell earlier when something happens.
const SOON: std::time::Duration = std::time::Duration::from_secs(5);

/// Everything that is looked at before it is decided what becomes of the data.
#[derive(Debug)]
struct Seen<'a> {
    database: &'a Database,
    whose: DatabaseRef<'a>,
    operator_namespace: &'a str,
    deleted: Timestamp,
    now: Timestamp,
    destroy_delay: SignedDuration,
    /// Which server it leaves behind; `None` while the caches don't tell.
    leaves: Option<ServerOf>,
    /// Of a `Database` that leaves no server behind: the record of the server that it came to have.
    kept_elsewhere: Option<Box<RetainedDatabase>>,
    is_synced: bool,
    /// What its annotations come to; `None` while the namespaces aren't listed whose labels decide on it. The inner error says
    /// why they don't count.
    retention: Option<Result<Retention, String>>,
    /// What is labelled as the `Database` has it.
    objects: Objects,
    /// The server's object, whosever it is.
    server: Option<Server>,
    /// The record of the server, as the API server has it.
    record: Option<Box<RetainedDatabase>>,
}

/// Settles what becomes of the data. It was judged at admission, and is judged once more: admission can be bypassed, by
/// deleting the CRD, or with the webhook's configuration. Whatever doesn't count keeps the data.
pub(crate) async fn finalize(database: &Database, context: &Context) -> Result<Fate, Error> {
    let seen = see(database, context).await?;
    act(plan::plan(&seen), &seen, context).await
}

async fn see<'a>(database: &'a Database, context: &'a Context) -> Result<Seen<'a>, Error> {
    let whose = DatabaseRef::of(database);
    let deleted = database.metadata.deletion_timestamp.as_ref().map_or_else(|| context.now(), |time| time.0);
    let leaves = server_left_by(database, context);
    let mut seen = Seen {
        database,
        whose,
        operator_namespace: &context.operator_namespace,
        deleted,
        now: context.now(),
        destroy_delay: context.destroy_delay,
        kept_elsewhere: ownership::kept(&context.retained, whose).map(|record| Box::new((*record).clone())),
        is_synced: !matches!(observe::check(&context.caches), Err(observe::Error::NotSynced)),
        // By the day of the delete, so that a long one doesn't outlive its own confirmation.
        retention: retention(database, whose, None, deleted, context).ok(),
        objects: Objects::default(),
        server: None,
        record: None,
        leaves,
    };
    if let Some(ServerOf::Named(server_name)) = &seen.leaves {
        let target = ServerRef { database: whose, server_name };
        seen.objects = Objects::of(&context.caches, &context.operator_namespace, &target);
        let found = context.records().get_opt(server_name).await;
        seen.record = found.map_err(|error| failed(server_name, error))?.map(Box::new);
        seen.server = context.server(server_name);
    }
    Ok(seen)
}

/// `None` while the caches don't tell.
fn server_left_by(database: &Database, context: &Context) -> Option<ServerOf> {
    if !matches!(context.caches.servers.cache.check(), Ok(()) | Err(Unreadable::UnknownKind(_))) {
        return None;
    }
    let state = context.policy.load();
    let policy = state.policy().map(AsRef::as_ref);
    let cluster = policy.map(|policy| &policy.azure.cluster_name.value);
    let derived = cluster.map(|cluster| names::server(cluster, DatabaseRef::of(database)));
    let (caches, records, here) = (&context.caches, &context.retained, context.here(policy));
    let traces = Traces::of(database, caches, records, &context.operator_namespace, derived, here);
    Some(ownership::server_left_by(&traces))
}

async fn act(plan: Plan, seen: &Seen<'_>, context: &Context) -> Result<Fate, Error> {
    match plan {
        Plan::Wait => return Ok(wait()),
        Plan::Stay(why) => {
            report(seen.database, context, &Outcome::Blocked(&why)).await?;
            return Ok(wait());
        }
        Plan::Release => {}
        Plan::TakeBackAndRelease(record) => status::take_back(&record, context).await?,
        Plan::CancelDestroy => {
            destroy::cancel_destroy(context, &seen.objects).await?;
            return Ok(wait());
        }
        Plan::Settle { record, settled, note } => {
            status::settle(&record, context, settled, &note).await?;
            return Ok(wait());
        }
        Plan::Keep(kept) => {
            if !keep(&kept, seen, context).await? {
                return Ok(wait());
            }
            context.events.publish(seen.database, Reason::DataKept, &kept.note).await;
        }
    }
    context.forget(seen.whose);
    Ok(Fate::Settled)
}

fn wait() -> Fate {
    Fate::Wait(Action::requeue(backoff::jittered(SOON)))
}

fn failed(server_name: &str, source: kube::Error) -> write::Error {
    write::Error::Api {
        kind: "RetainedDatabase".to_owned(),
        name: server_name.to_owned(),
        source: Box::new(source),
    }
}

/// Writes down that the data are kept, and tells whether that is done.
async fn keep(kept: &Kept, seen: &Seen<'_>, context: &Context) -> Result<bool, Error> {
    let written;
    let record = match &kept.on {
        On::This(record) => record,
        On::Earlier(record) => {
            status::take_back(record, context).await?;
            return Ok(true);
        }
        On::New => match write_record(kept, seen, context).await? {
            Some(record) => {
                written = Box::new(record);
                &written
            }
            // Somebody was quicker.
            None => return Ok(false),
        },
    };
    if let Some(confirmed) = kept.confirmed.clone() {
        status::confirm(record, context, confirmed).await?;
    }
    Ok(true)
}

async fn write_record(
    kept: &Kept,
    seen: &Seen<'_>,
    context: &Context,
) -> Result<Option<RetainedDatabase>, Error> {
    let profile = profile(context, seen.whose.namespace, None).ok().flatten().map(|profile| profile.name);
    let record = record::of_deleted(
        seen.database,
        profile,
        &kept.server_name,
        seen.server.as_ref(),
        context.namespaces.uid(seen.whose.namespace),
        &context.operator_namespace,
        seen.deleted,
        kept.until,
    );
    let params = PostParams { field_manager: Some(OPERATOR.to_owned()), ..PostParams::default() };
    let record = match context.records().create(&params, &record).await {
        Ok(record) => record,
        Err(kube::Error::Api(status)) if status.code == 409 => return Ok(None),
        Err(error) => return Err(failed(&kept.server_name, error).into()),
    };
    context.count_write("RetainedDatabase");
    tracing::info!(
        database = %seen.whose,
        server = kept.server_name,
        until = kept.until.map(tracing::field::display),
        "the Database is deleted; its server and data are kept"
    );
    Ok(Some(record))
}
