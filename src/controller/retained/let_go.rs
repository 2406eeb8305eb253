//! A `Database` that is being deleted: what becomes of its data is settled before its finalizer goes.

use api::{
    Database,
    annotations::{CONFIRM_DESTROY, FINALIZER, RETENTION},
    retained::DESTROYED,
};
use jiff::{Timestamp, tz::TimeZone};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{
    ResourceExt,
    api::{Patch, PatchParams},
    runtime::{controller::Action, events::EventType, reflector::ObjectRef},
};
use policy::{
    Denial,
    deleting::{self, Deletion, Retention},
    document::{Namespace, Profile},
    retained::days_after,
};

use super::{
    reconcile::forget,
    record,
    remove::{self, Doomed, Step},
};
use crate::{
    azure::{Claim, OPERATOR, claim, names},
    controller::{
        apply, backoff,
        caches::Unreadable,
        context::Context,
        dereference::{self, UnderName},
        reconcile::{Error, report},
        status::{Blocked, Outcome},
    },
};

/// Whether the `Database` may go.
#[derive(Debug)]
pub(in crate::controller) enum Fate {
    /// Everything is settled.
    Settled,
    /// Something is under way.
    Wait(Action),
}

/// How soon to look again; the caches tell earlier when something happens.
const SOON: std::time::Duration = std::time::Duration::from_secs(5);

/// Settles what becomes of the data. It was judged at admission, and is judged once more: admission can be bypassed, by
/// deleting the CRD, or with the webhook's configuration. Whatever doesn't count keeps the data.
pub(in crate::controller) async fn let_go(database: &Database, context: &Context) -> Result<Fate, Error> {
    let (namespace, name) = (database.namespace().unwrap_or_default(), database.name_any());
    let deleted = database.metadata.deletion_timestamp.as_ref().map_or_else(|| context.now(), |time| time.0);
    let server_name = match server(database, context) {
        Ok(Server::Named(server_name)) => server_name,
        Ok(Server::None) => {
            context.forget(&namespace, &name);
            return Ok(Fate::Settled);
        }
        Ok(Server::Unclear(recorded)) => {
            let why = format!(
                "status.server.name is {recorded}, and nothing in namespace {} says that it belongs to this Database, so \
                 what becomes of its data can't be settled. The platform team must write a RetainedDatabase {recorded} that \
                 says so; or, if that server isn't this Database's, take the finalizer {FINALIZER} off",
                context.operator_namespace
            );
            let why = Blocked::stalled("ServerNameUnknown", why);
            report(database, context, &Outcome::Blocked(&why)).await?;
            return Ok(wait());
        }
        Err(NotKnown) => return Ok(wait()),
    };
    if matches!(dereference::check(&context.caches), Err(dereference::Error::NotSynced)) {
        return Ok(wait());
    }
    let doomed = Doomed { namespace: &namespace, name: &name, server_name: &server_name };
    // By the day of the delete, so that a long one doesn't outlive its own confirmation.
    let Ok(retention) = retention(database, (&namespace, &name), None, deleted, context) else {
        return Ok(wait());
    };
    let conditions = conditions(database);
    // Once Azure was told, nothing else can become of it.
    if remove::is_told(context, conditions, &doomed) || retention == Ok(Retention::Destroy) {
        return destroy(database, context, &doomed).await;
    }
    if remove::is_destroying(conditions) {
        // Or its object, should it be deleted by hand now, would be taken for what Azure was told.
        let why = format!(
            "Azure was not told to destroy server {server_name}, and it is kept, as was decided since"
        );
        let why = Blocked::working("DestroyTakenBack", why);
        report(database, context, &Outcome::Blocked(&why)).await?;
        return Ok(wait());
    }
    let (until, why) = match retention {
        Ok(Retention::Days(days)) => (Some(days_after(deleted, days)), None),
        Ok(_) => (None, None),
        Err(problems) => (None, Some(problems)),
    };
    if !remove::spare(context, &doomed).await? {
        return Ok(wait());
    }
    keep(database, context, &doomed, deleted, until).await?;
    let mut note = format!(
        "Server {server_name} and its data are kept{}. Apply the same manifest again to get them back; the platform team \
         finds them as RetainedDatabase {}/{server_name}",
        until.map_or_else(String::new, |until| format!(" until {until}, and destroyed then")),
        context.operator_namespace
    );
    if let Some(why) = why {
        note = format!("{note}. What the annotation says doesn't count: {why}");
    }
    context.events.publish(database, EventType::Normal, "DataKept", &note).await;
    context.forget(&namespace, &name);
    Ok(Fate::Settled)
}

fn conditions(database: &Database) -> &[Condition] {
    database.status.as_ref().map_or(&[], |status| &status.conditions)
}

fn wait() -> Fate {
    Fate::Wait(Action::requeue(backoff::jittered(SOON)))
}

/// What becomes of the data by the annotations of what stands for them, and a profile: its namespace's, or else the one of
/// this name. The inner error says why they don't count.
pub(super) fn retention<K: ResourceExt>(
    object: &K,
    (namespace, name): (&str, &str),
    profile: Option<&str>,
    day: Timestamp,
    context: &Context,
) -> Result<Result<Retention, String>, NotKnown> {
    let annotations = object.annotations();
    let deletion = Deletion {
        namespace,
        name,
        retention: annotations.get(RETENTION).map(String::as_str),
        confirmation: annotations.get(CONFIRM_DESTROY).map(String::as_str),
        today: day.to_zoned(TimeZone::UTC).date(),
    };
    let rules = self::profile(context, namespace, profile)?.map(|profile| profile.retention);
    Ok(deleting::judge(&deletion, rules.as_ref()).map_err(|problems| {
        Denial { problems, policy: context.policy_name.clone(), profile: None }.message()
    }))
}

/// The profile of a namespace. Where there is none, or the namespace is gone whose labels would tell, the one of this name.
fn profile(context: &Context, namespace: &str, name: Option<&str>) -> Result<Option<Profile>, NotKnown> {
    let state = context.policy.load();
    let Some(policy) = state.policy() else { return Ok(None) };
    // They decide on the profile.
    if policy.looks_at_labels() && !context.namespaces.are_listed() {
        return Err(NotKnown);
    }
    let labels = context.namespaces.labels(namespace);
    let of_namespace = policy.profile(Namespace { name: namespace, labels: labels.as_ref() });
    Ok(of_namespace.ok().or_else(|| policy.profile_named(name?)).cloned())
}

/// The caches don't tell yet.
#[derive(Debug)]
pub(super) struct NotKnown;

/// Which server a `Database` has.
enum Server {
    Named(String),
    /// It never had one, or it is another one's.
    None,
    /// Its status names one, and nothing says that it is its own.
    Unclear(String),
}

/// By its object, or by its status. Whoever may write a status could name any server.
fn server(database: &Database, context: &Context) -> Result<Server, NotKnown> {
    let (namespace, name) = (database.namespace().unwrap_or_default(), database.name_any());
    let (caches, within) = (&context.caches, &context.operator_namespace);
    let is_aso_gone = match caches.servers.cache.check() {
        Ok(()) => false,
        Err(Unreadable::UnknownKind(_)) => true,
        Err(_) => return Err(NotKnown),
    };
    let own = caches.servers.of(within, &namespace, &name);
    if let Some(server) = own.iter().find(|server| !claim::only_looks(server)) {
        return Ok(Server::Named(server.name_any()));
    }
    let is_foreign =
        |server| matches!(claim::claim(Some(server), (&namespace, &name), None), Claim::Foreign(_));
    if own.iter().any(is_foreign) {
        return Ok(Server::None);
    }
    // Its object may have been deleted by hand a moment ago.
    let status = database.status.as_ref();
    let recorded = status.and_then(|status| status.server.as_ref());
    let was_made = status.is_some_and(|status| status.host.is_some())
        || recorded.is_some_and(|server| server.id.is_some());
    let recorded = recorded.map(|server| server.name.clone()).filter(|name| !name.is_empty());
    // Without its objects, nobody knows how far Azure has come.
    let Some(recorded) = recorded.filter(|_| was_made || is_aso_gone) else { return Ok(Server::None) };
    let record = context.retained.get(&ObjectRef::new(&recorded).within(within));
    let server = caches.servers.cache.get(within, &recorded);
    let identity = caches.identities.get(within, &recorded);
    let there = UnderName {
        name: &recorded,
        operator_namespace: within,
        record: record.as_deref(),
        server: server.as_ref(),
        identity: identity.as_ref(),
    };
    if there.taken_from((&namespace, &name)).is_some() {
        return Ok(Server::None);
    }
    let state = context.policy.load();
    let is_derived = state
        .policy()
        .is_some_and(|policy| names::server(&policy.azure.cluster_name.value, &namespace, &name) == recorded);
    // A record of that name is its own, or the server would be taken.
    let is_own = is_derived
        || record.is_some()
        || dereference::is_vouched_for(caches, within, &recorded, &namespace, &name);
    Ok(if is_own { Server::Named(recorded) } else { Server::Unclear(recorded) })
}

/// Writes the record, before anything is let go. One that tells of this delete already may have been edited since.
async fn keep(
    database: &Database,
    context: &Context,
    kept: &Doomed<'_>,
    since: Timestamp,
    until: Option<Timestamp>,
) -> Result<(), Error> {
    let api = context.records();
    let failed = |source| apply::Error::Api {
        kind: "RetainedDatabase".to_owned(),
        name: kept.server_name.to_owned(),
        source: Box::new(source),
    };
    let there = api.get_opt(kept.server_name).await.map_err(failed)?;
    if there.is_some_and(|record| record.spec.since.0 == since) {
        return Ok(());
    }
    let server = context.caches.servers.cache.get(&context.operator_namespace, kept.server_name);
    let profile = profile(context, kept.namespace, None).ok().flatten().map(|profile| profile.name);
    let record = record::of_deleted(
        database,
        profile,
        kept.server_name,
        server.as_ref(),
        &context.operator_namespace,
        since,
        until,
    );
    api.patch(kept.server_name, &PatchParams::apply(OPERATOR).force(), &Patch::Apply(&record))
        .await
        .map_err(failed)?;
    context.count_write("RetainedDatabase");
    tracing::info!(
        namespace = kept.namespace,
        name = kept.name,
        server = kept.server_name,
        until = until.map(tracing::field::display),
        "the Database is deleted; its server and data are kept"
    );
    Ok(())
}

async fn destroy(database: &Database, context: &Context, doomed: &Doomed<'_>) -> Result<Fate, Error> {
    let server = doomed.server_name;
    let instead = "set altinn.app/retention to \"Retain\", and this Database goes";
    match remove::destroy(context, conditions(database), doomed, instead).await? {
        Step::Wait => Ok(wait()),
        Step::Tell(why) => {
            report(database, context, &Outcome::Blocked(&why)).await?;
            Ok(wait())
        }
        Step::Done => {
            let note = format!("Server {server} is destroyed with all its data, as the annotation said");
            // One that waited for this `Database` to have its server back.
            let record = ObjectRef::new(server).within(&context.operator_namespace);
            if let Some(record) = context.retained.get(&record)
                && !forget(&record, context, DESTROYED, &note).await?
            {
                return Ok(wait());
            }
            context.events.publish(database, EventType::Normal, "DataDestroyed", &note).await;
            tracing::info!(
                namespace = doomed.namespace,
                name = doomed.name,
                server,
                "the server is destroyed"
            );
            context.forget(doomed.namespace, doomed.name);
            Ok(Fate::Settled)
        }
    }
}
