//! Conditions: their types, how one is found, and how one is written, for every loop.

pub(crate) use api::ACCESS_READY;
use api::{
    Database, DatabaseStatus,
    reason::{Reason, Stance},
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::runtime::events::EventType;

pub(crate) const READY: &str = "Ready";
/// Work is under way, or something is tried again.
pub(crate) const RECONCILING: &str = "Reconciling";
/// Nothing will change before a person acts.
pub(crate) const STALLED: &str = "Stalled";
/// Whether Azure has what is wanted. It is told of a database that is ready, and only while it isn't so.
pub(crate) const SYNCED: &str = "Synced";
/// That nothing in Azure is written.
pub(crate) const PAUSED: &str = "Paused";
/// Parameters that count only after a restart, which nobody but a person should choose the time of.
pub(crate) const RESTART_PENDING: &str = "RestartPending";
/// The ServiceAccount of the app logs in as somebody else. What is to be done about it is the app team's choice; all that
/// the database needs is there.
pub(crate) const CLIENT_ID_CONFLICT: &str = "ClientIdConflict";
/// Whether the policy would let this `Database` be made today. It changes nothing for one that is there.
pub(crate) const POLICY_COMPLIANT: &str = "PolicyCompliant";
/// Whether Azure supports the version of PostgreSQL for long enough.
pub(crate) const UP_TO_DATE: &str = "UpToDate";

/// Whether a vault makes copies, where there are to be some.
pub(crate) const VAULT_BACKUP: &str = "VaultBackup";

/// The longest message of a condition, by the API's own rule, is far longer; people read one line.
pub(crate) const LONGEST_MESSAGE: usize = 1000;

/// Writes the conditions of one object in one pass: what goes on as it was keeps its time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Writer<'a> {
    pub(crate) old: &'a [Condition],
    pub(crate) generation: Option<i64>,
    pub(crate) now: Timestamp,
}

impl Writer<'_> {
    pub(crate) fn condition(&self, type_: &str, status: &str, reason: &str, message: String) -> Condition {
        Condition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            message,
            observed_generation: self.generation,
            last_transition_time: self.since(type_, status),
        }
    }

    /// When the condition got this status.
    fn since(&self, type_: &str, status: &str) -> Time {
        find(self.old, type_)
            .filter(|before| before.status == status)
            .map_or(Time(self.now), |before| before.last_transition_time.clone())
    }
}

pub(crate) fn find<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == type_)
}

/// A condition of a `Database`.
pub(crate) fn find_in<'a>(database: &'a Database, type_: &str) -> Option<&'a Condition> {
    find(&database.status.as_ref()?.conditions, type_)
}

/// The condition `Ready`.
pub(crate) fn ready(status: Option<&DatabaseStatus>) -> Option<&Condition> {
    find(&status?.conditions, READY)
}

/// Whether a reason is one of work that is under way, and no trouble.
pub(crate) fn is_work(reason: &str) -> bool {
    Reason::parse(reason).is_some_and(Reason::is_work)
}

/// Whether a reason is that of a change in Azure, whose message tells from what to what.
pub(crate) fn is_change(reason: &str) -> bool {
    Reason::parse(reason).is_some_and(Reason::is_change)
}

/// How loud an event of this reason is. Azure's own codes tell of trouble.
pub(crate) fn event_type(reason: &str) -> EventType {
    match Reason::parse(reason).map(Reason::stance) {
        Some(Stance::Calm | Stance::Working) => EventType::Normal,
        Some(Stance::Warning | Stance::Stalled) | None => EventType::Warning,
    }
}

/// Whether the `Database` is ready as it is written now: apps log in, whatever becomes of it in Azure.
pub(crate) fn is_current(database: &Database) -> bool {
    ready(database.status.as_ref()).is_some_and(|ready| {
        ready.status == "True" && ready.observed_generation == database.metadata.generation
    })
}
