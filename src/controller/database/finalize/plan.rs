//! What becomes of the data of a `Database` that is deleted. Pure: all that it depends on was seen before.
//!
//! The data are always kept first. Who asks to delete may mean to have it made anew (`kubectl apply --force`, `kubectl replace
//! --force`, Flux with `force`): the API server, and nobody else, knows that until the new one comes.

use api::{
    Confirmed, RetainedDatabase, Settled,
    annotations::{CONFIRM_DESTROY, FINALIZER},
    reason::Reason,
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use policy::{deleting::Retention, retained::days_after};

use super::Seen;
use crate::controller::{
    engine::verdict::Blocked,
    retained::end,
    server::{destroy, ownership::ServerOf, record::deletion_is_requested},
};

/// The next step.
#[derive(Debug, PartialEq)]
pub(super) enum Plan {
    /// Something isn't known yet.
    Wait,
    /// The finalizer stays until a person has acted.
    Stay(Blocked),
    /// The finalizer goes: nothing is left behind, or an earlier decision stands.
    Release,
    /// The same, once the end is taken back of the record that it came to have its server back from.
    TakeBackAndRelease(Box<RetainedDatabase>),
    /// A destroy that was begun is taken back first.
    CancelDestroy,
    /// A record of an earlier delete goes, so that nothing of its age and its warnings counts for this one.
    Settle { record: Box<RetainedDatabase>, settled: Settled, note: String },
    /// The data are on record, and the finalizer goes.
    Keep(Kept),
}

/// Data that are kept.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Kept {
    pub(super) server_name: String,
    pub(super) on: On,
    /// When the server comes to its end.
    pub(super) until: Option<Timestamp>,
    /// That this was confirmed, and needs no further warning. To be noted on the record.
    pub(super) confirmed: Option<Confirmed>,
    /// For people.
    pub(super) note: String,
}

/// The record.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum On {
    /// To be written.
    New,
    /// There already, of this very delete.
    This(Box<RetainedDatabase>),
    /// Of an earlier delete. Its end is taken back.
    Earlier(Box<RetainedDatabase>),
}

pub(super) fn plan(seen: &Seen<'_>) -> Plan {
    let server_name = match &seen.leaves {
        None => return Plan::Wait,
        Some(ServerOf::Named(server_name)) => server_name,
        Some(ServerOf::None) => {
            return match &seen.kept_elsewhere {
                Some(record) => Plan::TakeBackAndRelease(record.clone()),
                None => Plan::Release,
            };
        }
        Some(ServerOf::Unclear(recorded)) => return Plan::Stay(unclear(recorded, seen.operator_namespace)),
    };
    let (Some(retention), true) = (&seen.retention, seen.is_synced) else { return Plan::Wait };
    if !destroy::is_cancelled(&seen.objects) {
        return Plan::CancelDestroy;
    }
    let decision = Decision::of(retention, seen);
    let Some(record) = &seen.record else { return Plan::Keep(decision.kept(server_name, On::New, seen)) };
    if record.spec.since.0 == seen.deleted && record.metadata.deletion_timestamp.is_none() {
        let is_open = record.status.as_ref().is_none_or(|status| status.confirmed.is_none())
            && !end::is_overruled(record);
        let mut kept = decision.kept(server_name, On::This(record.clone()), seen);
        kept.confirmed = kept.confirmed.filter(|_| is_open);
        return Plan::Keep(kept);
    }
    if deletion_is_requested(record, seen.server.as_ref()) {
        return Plan::Release;
    }
    // What somebody has said on it, to keep the data for longer than this delete would, goes with it.
    if let Some(word) = decision.end().and_then(|end| end::overrules(record, end)) {
        let decision = Decision::in_doubt(Some(word));
        return Plan::Keep(decision.kept(server_name, On::Earlier(record.clone()), seen));
    }
    let note = format!("Server {server_name} was back with Database {}", seen.whose);
    Plan::Settle { record: record.clone(), settled: Settled::Recovered, note }
}

/// Nothing says whose the server is that its status names.
fn unclear(recorded: &str, operator_namespace: &str) -> Blocked {
    let why = format!(
        "status.server.name is {recorded}, and nothing in namespace {operator_namespace} says that it belongs to this Database, \
         so what becomes of its data can't be settled. The platform team must write a RetainedDatabase {recorded} that says so; \
         or, if that server isn't this Database's, take the finalizer {FINALIZER} off"
    );
    Blocked::by(Reason::ServerNameUnknown, why)
}

/// What this delete says of the data.
#[derive(Clone, Debug, Default, PartialEq)]
struct Decision {
    /// When the server comes to its end.
    until: Option<Timestamp>,
    confirmed: Option<Confirmed>,
    /// Why what the annotation says doesn't count.
    doubt: Option<String>,
}

impl Decision {
    fn of(retention: &Result<Retention, String>, seen: &Seen<'_>) -> Self {
        match retention {
            // It may have been decided on late; a day is left all the same, to warn and to take it back.
            Ok(Retention::Days(days)) => Self {
                until: Some(days_after(seen.deleted, *days).max(days_after(seen.now, 1))),
                ..Self::default()
            },
            Ok(Retention::Destroy) => {
                let confirmation =
                    seen.database.annotations().get(CONFIRM_DESTROY).cloned().unwrap_or_default();
                let destroy_at = Time(seen.deleted.checked_add(seen.destroy_delay).unwrap_or(Timestamp::MAX));
                Self { confirmed: Some(Confirmed { confirmation, destroy_at }), ..Self::default() }
            }
            Ok(Retention::Retain) => Self::default(),
            Err(problems) => Self::in_doubt(Some(problems.clone())),
        }
    }

    /// The data are kept without an end.
    fn in_doubt(doubt: Option<String>) -> Self {
        Self { doubt, ..Self::default() }
    }

    fn end(&self) -> Option<Timestamp> {
        self.until.or_else(|| Some(self.confirmed.as_ref()?.destroy_at.0))
    }

    fn kept(self, server_name: &str, on: On, seen: &Seen<'_>) -> Kept {
        let note = self.note(server_name, seen.operator_namespace);
        let Self { until, confirmed, doubt: _ } = self;
        Kept { server_name: server_name.to_owned(), on, until, confirmed, note }
    }

    fn note(&self, server_name: &str, operator_namespace: &str) -> String {
        let end = match (&self.until, &self.confirmed) {
            (Some(until), _) => format!(" until {until}, and destroyed then"),
            (None, Some(confirmed)) => {
                format!(" until {}, and destroyed then, as was confirmed", confirmed.destroy_at.0)
            }
            (None, None) => String::new(),
        };
        let note = format!(
            "Server {server_name} and its data are kept{end}. Apply the same manifest again to get them back; the platform \
             team finds them as RetainedDatabase {operator_namespace}/{server_name}"
        );
        match &self.doubt {
            Some(doubt) => format!("{note}. What the annotation says doesn't count: {doubt}"),
            None => note,
        }
    }
}

#[cfg(test)]
mod tests;
