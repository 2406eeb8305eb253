//! A `Database` that is being deleted: what becomes of its data is settled before its finalizer goes.

use std::collections::BTreeMap;

use api::{
    Confirmed, Database, DatabaseRef, RetainedDatabase, Settled,
    annotations::{CONFIRM_DESTROY, FINALIZER},
    reason::Reason,
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{ResourceExt, api::PostParams, runtime::controller::Action};
use policy::{deleting::Retention, retained::days_after};

use super::{error::Error, report::report, status::Outcome};
use crate::{
    azure::{claim, names},
    controller::{
        engine::{backoff, cache::Unreadable, verdict::Blocked},
        retained::{end, status},
        server::{
            context::Context,
            destroy::{self, ServerRef},
            observe,
            ownership::{self, ServerOf, Traces},
            record::{self, deletion_is_requested},
            retention::{NotKnown, profile, retention},
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

/// Settles what becomes of the data. It was judged at admission, and is judged once more: admission can be bypassed, by
/// deleting the CRD, or with the webhook's configuration. Whatever doesn't count keeps the data.
pub(crate) async fn finalize(database: &Database, context: &Context) -> Result<Fate, Error> {
    let whose = DatabaseRef::of(database);
    let deleted = database.metadata.deletion_timestamp.as_ref().map_or_else(|| context.now(), |time| time.0);
    let server_name = match server_left_by(database, context) {
        Ok(ServerOf::Named(server_name)) => server_name,
        Ok(ServerOf::None) => {
            // It came to have its server back, and goes before that.
            if let Some(record) = ownership::kept(&context.retained, whose) {
                status::take_back(&record, context).await?;
            }
            context.forget(whose);
            return Ok(Fate::Settled);
        }
        Ok(ServerOf::Unclear(recorded)) => {
            let why = format!(
                "status.server.name is {recorded}, and nothing in namespace {} says that it belongs to this Database, so \
                 what becomes of its data can't be settled. The platform team must write a RetainedDatabase {recorded} that \
                 says so; or, if that server isn't this Database's, take the finalizer {FINALIZER} off",
                context.operator_namespace
            );
            let why = Blocked::by(Reason::ServerNameUnknown, why);
            report(database, context, &Outcome::Blocked(&why)).await?;
            return Ok(wait());
        }
        Err(NotKnown) => return Ok(wait()),
    };
    if matches!(observe::check(&context.caches), Err(observe::Error::NotSynced)) {
        return Ok(wait());
    }
    let target = ServerRef { database: whose, server_name: &server_name };
    // By the day of the delete, so that a long one doesn't outlive its own confirmation.
    let Ok(retention) = retention(database, whose, None, deleted, context) else {
        return Ok(wait());
    };
    let mut plan = plan(retention, database.annotations(), deleted, context.now(), context.destroy_delay);
    if !destroy::cancel_destroy(context, &target).await? {
        return Ok(wait());
    }
    let record = match keep(database, context, &target, deleted, &plan).await? {
        Kept::OnRecord(record) => record,
        Kept::Overruled { record, word } => {
            plan = Plan::in_doubt(Some(word));
            record
        }
        Kept::NotYet => return Ok(wait()),
        // An earlier decision, which this `Database` came too late for.
        Kept::BeingDestroyed => {
            context.forget(whose);
            return Ok(Fate::Settled);
        }
    };
    if let Some(confirmed) = plan.confirmed.clone()
        && record.status.as_ref().is_none_or(|status| status.confirmed.is_none())
        && !end::is_overruled(&record)
    {
        status::confirm(&record, context, confirmed).await?;
    }
    context.events.publish(database, Reason::DataKept, &plan.note(&server_name, context)).await;
    context.forget(whose);
    Ok(Fate::Settled)
}

/// What is written down of the data.
#[derive(Clone, Debug, PartialEq)]
struct Plan {
    /// When the server comes to its end.
    until: Option<Timestamp>,
    /// That this was confirmed, and needs no further warning.
    confirmed: Option<Confirmed>,
    /// Why what the annotation says doesn't count.
    doubt: Option<String>,
}

/// The data are always kept first. Who asks to delete may mean to have it made anew (`kubectl apply --force`, `kubectl
/// replace --force`, Flux with `force`): the API server, and nobody else, knows that until the new one comes.
fn plan(
    retention: Result<Retention, String>,
    annotations: &BTreeMap<String, String>,
    deleted: Timestamp,
    now: Timestamp,
    destroy_delay: SignedDuration,
) -> Plan {
    match retention {
        // It may have been decided on late; a day is left all the same, to warn and to take it back.
        Ok(Retention::Days(days)) => {
            Plan { until: Some(days_after(deleted, days).max(days_after(now, 1))), ..Plan::in_doubt(None) }
        }
        Ok(Retention::Destroy) => {
            let confirmation = annotations.get(CONFIRM_DESTROY).cloned().unwrap_or_default();
            let destroy_at = Time(deleted.checked_add(destroy_delay).unwrap_or(Timestamp::MAX));
            Plan { confirmed: Some(Confirmed { confirmation, destroy_at }), ..Plan::in_doubt(None) }
        }
        Ok(Retention::Retain) => Plan::in_doubt(None),
        Err(problems) => Plan::in_doubt(Some(problems)),
    }
}

impl Plan {
    /// The data are kept without an end.
    fn in_doubt(doubt: Option<String>) -> Self {
        Self { until: None, confirmed: None, doubt }
    }

    fn end(&self) -> Option<Timestamp> {
        self.until.or_else(|| Some(self.confirmed.as_ref()?.destroy_at.0))
    }

    /// For people.
    fn note(&self, server_name: &str, context: &Context) -> String {
        let end = match (&self.until, &self.confirmed) {
            (Some(until), _) => format!(" until {until}, and destroyed then"),
            (None, Some(confirmed)) => {
                format!(" until {}, and destroyed then, as was confirmed", confirmed.destroy_at.0)
            }
            (None, None) => String::new(),
        };
        let note = format!(
            "Server {server_name} and its data are kept{end}. Apply the same manifest again to get them back; the platform \
             team finds them as RetainedDatabase {}/{server_name}",
            context.operator_namespace
        );
        match &self.doubt {
            Some(doubt) => format!("{note}. What the annotation says doesn't count: {doubt}"),
            None => note,
        }
    }
}

fn wait() -> Fate {
    Fate::Wait(Action::requeue(backoff::jittered(SOON)))
}

/// Which server it leaves behind.
fn server_left_by(database: &Database, context: &Context) -> Result<ServerOf, NotKnown> {
    if !matches!(context.caches.servers.cache.check(), Ok(()) | Err(Unreadable::UnknownKind(_))) {
        return Err(NotKnown);
    }
    let state = context.policy.load();
    let azure = state.policy().map(|policy| &policy.azure);
    let derived = azure.map(|azure| names::server(&azure.cluster_name.value, DatabaseRef::of(database)));
    let here = claim::Here {
        uid: &context.cluster_uid,
        takes_over: azure.map_or(&[][..], |azure| &azure.take_over_from),
    };
    let (caches, records) = (&context.caches, &context.retained);
    let traces = Traces::of(database, caches, records, &context.operator_namespace, derived, here);
    Ok(ownership::server_left_by(&traces))
}

/// What became of the record.
enum Kept {
    OnRecord(Box<RetainedDatabase>),
    /// An older one, on which somebody has said to keep them.
    Overruled {
        record: Box<RetainedDatabase>,
        word: String,
    },
    /// An older one is on its way.
    NotYet,
    /// An older one, whose server is being destroyed.
    BeingDestroyed,
}

/// Writes the record, before anything is let go. A record is of one delete: an older one goes, so that nothing of its age and
/// its warnings counts for this one. Unless somebody has said on it to keep the data for longer than this delete would: that
/// would go with it.
async fn keep(
    database: &Database,
    context: &Context,
    kept: &ServerRef<'_>,
    since: Timestamp,
    plan: &Plan,
) -> Result<Kept, Error> {
    let api = context.records();
    let failed = |source| write::Error::Api {
        kind: "RetainedDatabase".to_owned(),
        name: kept.server_name.to_owned(),
        source: Box::new(source),
    };
    let server = || context.caches.servers.cache.get(&context.operator_namespace, kept.server_name);
    if let Some(there) = api.get_opt(kept.server_name).await.map_err(failed)? {
        if there.spec.since.0 == since && there.metadata.deletion_timestamp.is_none() {
            return Ok(Kept::OnRecord(Box::new(there)));
        }
        if deletion_is_requested(&there, server().as_ref()) {
            return Ok(Kept::BeingDestroyed);
        }
        if let Some(word) = plan.end().and_then(|end| end::overrules(&there, end)) {
            status::take_back(&there, context).await?;
            return Ok(Kept::Overruled { record: Box::new(there), word });
        }
        let note = format!("Server {} was back with Database {}", kept.server_name, kept.database);
        status::settle(&there, context, Settled::Recovered, &note).await?;
        return Ok(Kept::NotYet);
    }
    let server = server();
    let profile = profile(context, kept.database.namespace, None).ok().flatten().map(|profile| profile.name);
    let record = record::of_deleted(
        database,
        profile,
        kept.server_name,
        server.as_ref(),
        context.namespaces.uid(kept.database.namespace),
        &context.operator_namespace,
        since,
        plan.until,
    );
    let params = PostParams { field_manager: Some(OPERATOR.to_owned()), ..PostParams::default() };
    let record = match api.create(&params, &record).await {
        Ok(record) => record,
        // Somebody was quicker.
        Err(kube::Error::Api(status)) if status.code == 409 => return Ok(Kept::NotYet),
        Err(error) => return Err(failed(error).into()),
    };
    context.count_write("RetainedDatabase");
    tracing::info!(
        database = %kept.database,
        server = kept.server_name,
        until = plan.until.map(tracing::field::display),
        "the Database is deleted; its server and data are kept"
    );
    Ok(Kept::OnRecord(Box::new(record)))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::finalize::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[rstest]
    #[case::retain(Ok(Retention::Retain), "2026-11-01T12:00:00Z", None, None)]
    #[case::days(Ok(Retention::Days(14)), "2026-11-01T12:00:00Z", Some("2026-11-15T12:00:00Z"), None)]
    #[case::a_day(Ok(Retention::Days(1)), "2026-11-01T12:00:00Z", Some("2026-11-02T12:00:00Z"), None)]
    #[case::days_that_are_over(
        Ok(Retention::Days(1)),
        "2026-12-01T12:00:00Z",
        Some("2026-12-02T12:00:00Z"),
        None
    )]
    #[case::destroy(Ok(Retention::Destroy), "2026-11-01T12:00:00Z", None, Some("2026-11-01T12:15:00Z"))]
    #[case::in_doubt(Err("no".to_owned()), "2026-11-01T12:00:00Z", None, None)]
    fn data_are_kept_first_whatever_is_said(
        #[case] retention: Result<Retention, String>,
        #[case] now: &str,
        #[case] until: Option<&str>,
        #[case] destroy_at: Option<&str>,
    ) {
        let annotations = [(CONFIRM_DESTROY.to_owned(), "orders/main@2026-11-02".to_owned())].into();
        let doubt = retention.clone().err();
        let deleted = at("2026-11-01T12:00:00Z");
        let plan = plan(retention, &annotations, deleted, at(now), SignedDuration::from_mins(15));
        let confirmed = destroy_at.map(|time| Confirmed {
            confirmation: "orders/main@2026-11-02".to_owned(),
            destroy_at: Time(at(time)),
        });
        assert_eq!(plan, Plan { until: until.map(at), confirmed, doubt });
    }
}
