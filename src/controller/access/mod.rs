//! Who gets in to a server by SQL: looked at and set up outside of the passes over objects, since a server that is far away,
//! full or stopped may take half a minute to say so.
//!
//! A pass says what it wants of a server and is told what was found ([`Accesses::look`]). Where that is old, or of another
//! wish, the [`worker`] looks anew, and has the `Database` looked at again when it is done. [`session`] is how it gets in.

mod metrics;
mod outcome;
mod session;
mod worker;

use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use api::Database;
use kube::runtime::reflector::ObjectRef;
use postgres::{Credential, Generation, Level, Login, RoleName, Verifier, verifier::VerifierError};
use tokio::sync::mpsc;

pub(crate) use metrics::AccessMetrics;
pub(crate) use outcome::Outcome;
pub(crate) use session::Sessions;
pub(crate) use worker::run;

/// What is settled is looked at again after this long: people may have changed it by SQL. A `Database` at rest is looked at
/// once an hour, jittered by a quarter.
const RESYNC: Duration = Duration::from_mins(40);
/// How long whatever isn't settled waits at first. It waits twice as long each time.
const FIRST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_mins(5);

/// What is wanted of a server.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Wish {
    /// Name under which the server is reached, and which its certificate must be for.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The role that the operator logs in as.
    pub(crate) administrator: String,
    pub(crate) desired: postgres::Desired,
    /// Logins with passwords, beside those in `desired`.
    pub(crate) passwords: Vec<PasswordLogin>,
    /// Whether Azure lets the extensions be created that are wanted: what was refused before is tried again at once.
    pub(crate) are_extensions_allowed: bool,
    /// Whether the app's former login is about to go: whatever it has made since the last look is handed on first.
    pub(crate) former_login_ends: bool,
}

/// A login with a password, which becomes a verifier when it is needed: that takes a millisecond.
#[derive(Clone, Eq, Hash, PartialEq)]
pub(crate) struct PasswordLogin {
    pub(crate) role: RoleName,
    pub(crate) text: String,
    pub(crate) generation: Generation,
    pub(crate) may_log_in: bool,
}

impl fmt::Debug for PasswordLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PasswordLogin({} {} {})", self.role, self.generation, self.may_log_in)
    }
}

impl PasswordLogin {
    fn login(&self) -> Result<Login, VerifierError> {
        Ok(Login {
            role: self.role.clone(),
            credential: Credential::Password {
                verifier: Verifier::new(&self.text)?,
                generation: self.generation.clone(),
            },
            level: Level::Owner,
            may_log_in: self.may_log_in,
        })
    }
}

impl Wish {
    /// All that is wanted.
    fn whole(&self) -> Result<postgres::Desired, VerifierError> {
        let mut desired = self.desired.clone();
        for password in &self.passwords {
            desired.logins.push(password.login()?);
        }
        Ok(desired)
    }
}

/// What is known of a server for one wish.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Look {
    /// What was found; `None` while nobody has looked with this wish.
    pub(crate) outcome: Option<Arc<Outcome>>,
    /// When to ask again.
    pub(crate) again: Duration,
}

/// A look that is to be taken.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) server_name: String,
    pub(crate) database: ObjectRef<Database>,
    pub(crate) wish: Wish,
    id: u64,
}

/// What was found on each server, and what is to be looked at.
#[derive(Debug)]
pub(crate) struct Accesses {
    of: Mutex<HashMap<Box<str>, Entry>>,
    /// Those of which nothing bad is known, and the others, which may be dead and keep everybody waiting.
    queues: [mpsc::UnboundedSender<Job>; 2],
}

/// What is to be looked at, for the worker: each by itself, so that dead servers hold up none that lives.
#[derive(Debug)]
pub(crate) struct Queues([mpsc::UnboundedReceiver<Job>; 2]);

#[cfg(test)]
impl Queues {
    /// The job that waits.
    pub(crate) fn next(&mut self) -> Option<Job> {
        self.0.iter_mut().find_map(|queue| queue.try_recv().ok())
    }
}

#[derive(Debug, Default)]
struct Entry {
    /// What was found last, by which wish and when.
    seen: Option<Seen>,
    is_under_way: bool,
}

#[derive(Debug)]
struct Seen {
    id: u64,
    outcome: Arc<Outcome>,
    at: Instant,
    /// How many looks in a row with this wish ended unsettled.
    failures: u32,
}

impl Seen {
    /// For how long it counts.
    fn holds_for(&self) -> Duration {
        match self.failures {
            0 => RESYNC,
            failures => FIRST.saturating_mul(2_u32.saturating_pow(failures - 1)).min(LONGEST),
        }
    }
}

impl Accesses {
    pub(crate) fn new() -> (Self, Queues) {
        let (healthy, healthy_jobs) = mpsc::unbounded_channel();
        let (troubled, troubled_jobs) = mpsc::unbounded_channel();
        let queues = Queues([healthy_jobs, troubled_jobs]);
        (Self { of: Mutex::default(), queues: [healthy, troubled] }, queues)
    }

    /// What is known of the server for this wish. It is looked at anew where that is nothing, or too old. `was_troubled` says
    /// whether a former process had trouble with it.
    pub(crate) fn look(
        &self,
        server_name: &str,
        database: ObjectRef<Database>,
        wish: &Wish,
        was_troubled: bool,
        now: Instant,
    ) -> Look {
        let id = id(wish);
        let mut all = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = all.entry(server_name.into()).or_default();
        let seen = entry.seen.as_ref().filter(|seen| seen.id == id);
        let left = seen.map_or(Duration::ZERO, |seen| {
            seen.holds_for().saturating_sub(now.saturating_duration_since(seen.at))
        });
        let outcome = seen.map(|seen| seen.outcome.clone());
        if !left.is_zero() {
            return Look { outcome, again: left };
        }
        // One look at a time. Who wants something else meanwhile asks again when it is over.
        if !entry.is_under_way {
            entry.is_under_way = true;
            let is_troubled = entry.seen.as_ref().map_or(was_troubled, |seen| seen.failures > 0);
            let job = Job { server_name: server_name.to_owned(), database, wish: wish.clone(), id };
            // Without a receiver the process is ending.
            let _ = self.queues[usize::from(is_troubled)].send(job);
        }
        // The worker has it looked at again.
        Look { outcome, again: LONGEST }
    }

    /// Whether the look before, by whatever wish, has shown that the app gets in.
    pub(crate) fn lets_app_in(&self, server_name: &str) -> bool {
        let all = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = all.get(server_name).and_then(|entry| entry.seen.as_ref());
        seen.is_some_and(|seen| seen.outcome.lets_app_in)
    }

    /// Takes note of what a job has found.
    pub(crate) fn found(&self, job: &Job, outcome: Outcome, now: Instant) {
        let mut all = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        // It may have been forgotten meanwhile.
        let Some(entry) = all.get_mut(&*job.server_name) else { return };
        entry.is_under_way = false;
        let before = entry.seen.take().filter(|seen| seen.id == job.id).map_or(0, |seen| seen.failures);
        let failures = if outcome.is_settled() { 0 } else { before.saturating_add(1) };
        entry.seen = Some(Seen { id: job.id, outcome: Arc::new(outcome), at: now, failures });
    }

    /// The server isn't a `Database`'s any more.
    pub(crate) fn forget(&self, server_name: &str) {
        self.of.lock().unwrap_or_else(PoisonError::into_inner).remove(server_name);
    }
}

/// Two wishes that differ have two of them, but for one of many billions.
fn id(wish: &Wish) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(wish)
}

#[cfg(test)]
mod tests;
