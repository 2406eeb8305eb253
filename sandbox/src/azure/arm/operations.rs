//! Long-running operations: what they will change, when they end, and how they are asked about.
//! <https://learn.microsoft.com/azure/azure-resource-manager/management/async-operations>

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use axum::http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    errors::ArmError,
    reply::Reply,
    resource_id::{Key, ResourceId},
};
use crate::azure::{rules::restore, work::Work};

/// An operation ends at the first poll after its time is up, so that with no delay at all a server is still
/// busy between a write and its poll, as in Azure. One that nobody polls ends after this long.
const UNPOLLED: Duration = Duration::from_secs(1);

/// What an operation does to a resource when it ends.
#[derive(Clone, Debug)]
pub(in crate::azure) struct Change {
    pub(in crate::azure) id: ResourceId,
    pub(in crate::azure) effect: Effect,
    /// What is busy while the operation runs: a server, whose every write waits for it.
    pub(in crate::azure) occupies: Option<Key>,
    /// After how many seconds Azure wants to be asked how it goes (recorded with API version 2025-08-01). An operation
    /// that ends sooner says so.
    pub(in crate::azure) poll_after: u64,
    /// What becomes of the PostgreSQL behind the server; the operation ends after it, and fails if it fails.
    pub(in crate::azure) work: Option<Work>,
}

#[derive(Clone, Debug)]
pub(in crate::azure) enum Effect {
    /// For an operation that was refused after it had been accepted.
    Nothing,
    /// `after` when it succeeds, `before` when it fails; `None` for no resource at all.
    Becomes { before: Option<Value>, after: Option<Value> },
}

#[derive(Clone, Debug)]
enum State {
    InProgress,
    Succeeded,
    Failed(ArmError),
    Canceled,
}

#[derive(Debug)]
pub(in crate::azure) struct Operation {
    id: String,
    change: Change,
    begun: Instant,
    due: Instant,
    started: Timestamp,
    polled: bool,
    /// For PostgreSQL.
    waits: bool,
    fails_with: Option<ArmError>,
    state: State,
}

/// An operation that has just ended, for its effect.
pub(in crate::azure) struct Ended {
    pub(in crate::azure) change: Change,
    pub(in crate::azure) succeeded: bool,
}

impl Operation {
    pub(in crate::azure) fn begin(
        id: String,
        change: Change,
        due: Instant,
        fails_with: Option<ArmError>,
    ) -> Self {
        Self {
            id,
            change,
            begun: Instant::now(),
            due,
            started: Timestamp::now(),
            polled: false,
            waits: false,
            fails_with,
            state: State::InProgress,
        }
    }

    const fn running(&self) -> bool {
        matches!(self.state, State::InProgress)
    }

    fn ends(&self, now: Instant) -> bool {
        self.running() && !self.waits && now >= self.due && (self.polled || now >= self.begun + UNPOLLED)
    }

    /// Doesn't end before its work is done.
    pub(in crate::azure) fn waiting(mut self, waits: bool) -> Self {
        self.waits = waits;
        self
    }

    /// Rounded to the nearest second.
    fn poll_after(&self) -> u64 {
        let left = self.due.saturating_duration_since(Instant::now());
        (left + Duration::from_millis(500)).as_secs().min(self.change.poll_after)
    }
}

#[derive(Default)]
pub(in crate::azure) struct Operations(BTreeMap<String, Operation>);

impl Operations {
    pub(in crate::azure) fn insert(&mut self, operation: Operation) {
        self.0.insert(operation.id.clone(), operation);
    }

    /// Ends every operation whose time has come, and returns them for their effect, oldest first.
    pub(in crate::azure) fn end_due(&mut self, now: Instant) -> Vec<Ended> {
        let mut due: Vec<&mut Operation> =
            self.0.values_mut().filter(|operation| operation.ends(now)).collect();
        due.sort_by_key(|operation| operation.begun);
        due.into_iter()
            .map(|operation| {
                let failure = operation.fails_with.take();
                let succeeded = failure.is_none();
                operation.state = failure.map_or(State::Succeeded, State::Failed);
                Ended { change: operation.change.clone(), succeeded }
            })
            .collect()
    }

    /// The work that an operation waited for is done, or failed.
    pub(in crate::azure) fn work_is_done(&mut self, id: &str, failure: Option<ArmError>) {
        if let Some(operation) = self.0.get_mut(id) {
            operation.waits = false;
            operation.fails_with = operation.fails_with.take().or(failure);
        }
    }

    /// A server goes: what is to have its data fails, as soon as PostgreSQL is done with it.
    pub(in crate::azure) fn source_goes(&mut self, gone: &Key) {
        for operation in self.0.values_mut().filter(|operation| operation.running()) {
            let source = operation.change.work.as_ref().and_then(Work::source);
            if source.is_some_and(|source| source.server == *gone) {
                operation.fails_with = Some(restore::source_is_gone());
                operation.due = Instant::now();
            }
        }
    }

    /// Marks an operation as polled, which lets it end once its time is up.
    pub(in crate::azure) fn poll(&mut self, id: &str) {
        if let Some(operation) = self.0.get_mut(id) {
            operation.polled = true;
        }
    }

    /// Whether an operation runs that `key` must wait for.
    pub(in crate::azure) fn occupied(&self, key: &Key) -> bool {
        self.0
            .values()
            .any(|operation| operation.running() && operation.change.occupies.as_ref() == Some(key))
    }

    /// How many operations there have been on a server; `None` while one runs.
    pub(in crate::azure) fn so_far(&self, server: &Key) -> Option<usize> {
        let occupying =
            self.0.values().filter(|operation| operation.change.occupies.as_ref() == Some(server));
        let (running, ended): (Vec<_>, Vec<_>) = occupying.partition(|operation| operation.running());
        running.is_empty().then_some(ended.len())
    }

    /// The operation on a resource that began last, by its id.
    pub(super) fn last_on(&self, key: &Key) -> Option<String> {
        let on_it = self.0.values().filter(|operation| operation.change.id.key() == *key);
        on_it.max_by_key(|operation| operation.begun).map(|operation| operation.id.clone())
    }

    /// How an operation ended; `None` while it runs.
    pub(super) fn outcome(&self, id: &str) -> Option<Result<(), ArmError>> {
        match &self.0.get(id)?.state {
            State::InProgress => None,
            State::Succeeded | State::Canceled => Some(Ok(())),
            State::Failed(error) => Some(Err(error.clone())),
        }
    }

    /// Ends what runs on a resource that goes away, and on all below it, also on what was yet to be created.
    pub(in crate::azure) fn cancel(&mut self, gone: &Key) {
        let below = format!("{gone}/");
        for operation in self.0.values_mut() {
            let key = operation.change.id.key();
            if operation.running() && (key == *gone || key.starts_with(&below)) {
                operation.state = State::Canceled;
            }
        }
    }

    /// Lets a test change a resource while an operation runs on it, without the operation undoing it.
    pub(in crate::azure) fn amend(&mut self, key: &Key, mut amend: impl FnMut(&mut Value)) {
        for operation in self.0.values_mut() {
            if operation.running()
                && operation.change.id.key() == *key
                && let Effect::Becomes { before, after } = &mut operation.change.effect
            {
                before.iter_mut().for_each(&mut amend);
                after.iter_mut().for_each(&mut amend);
            }
        }
    }

    pub(in crate::azure) fn poll_after(&self, id: &str) -> u64 {
        self.0.get(id).map_or(0, Operation::poll_after)
    }

    /// The answer of an `Azure-AsyncOperation` URL.
    pub(super) fn status(&self, id: &str) -> Result<Reply, ArmError> {
        let operation = self.0.get(id).ok_or_else(|| unknown(id))?;
        let mut body = json!({"name": id, "startTime": operation.started.to_string()});
        body["status"] = Value::from(match &operation.state {
            State::InProgress => "InProgress",
            State::Succeeded => "Succeeded",
            State::Failed(_) => "Failed",
            State::Canceled => "Canceled",
        });
        match &operation.state {
            State::Failed(error) => body["error"] = error.as_json(),
            State::Canceled => {
                body["error"] = json!({
                    "code": "OperationCancelled",
                    "message": "The operation has been cancelled by user.",
                });
            }
            State::InProgress | State::Succeeded => {}
        }
        Ok(Reply::ok(body).retry_after(operation.poll_after()))
    }

    /// The answer of a `Location` URL: 202 while it runs, then the outcome.
    pub(super) fn result(&self, id: &str, location: &str) -> Result<Reply, ArmError> {
        let operation = self.0.get(id).ok_or_else(|| unknown(id))?;
        match &operation.state {
            State::InProgress => Ok(Reply::empty(StatusCode::ACCEPTED)
                .with(axum::http::header::LOCATION, location)
                .retry_after(operation.poll_after())),
            State::Succeeded => Ok(match &operation.change.effect {
                Effect::Becomes { after: Some(after), .. } => Reply::ok(after.clone()),
                _ => Reply::empty(StatusCode::OK),
            }),
            State::Failed(error) => Err(error.clone()),
            State::Canceled => {
                Err(ArmError::conflict("OperationCancelled", "The operation has been cancelled by user."))
            }
        }
    }
}

fn unknown(id: &str) -> ArmError {
    ArmError::not_found("ResourceNotFound", format!("The requested operation '{id}' was not found."))
}
