//! One pass over one server: lock, look, decide, write, look again. What is still amiss then is reported.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{join, time::timeout};
use tokio_postgres::types::Type;

use crate::{
    connect::{Counts, Server, Session},
    desired::{Access, Desired},
    execute::{Fence, Outcome, Sessions, execute},
    failure::{Failure, LockedBy, Reason},
    finding::Finding,
    note::Note,
    observe::{self, Observed},
    plan::{At, POSTGRES, Plan, plan},
};

/// Of `pg_try_advisory_lock`: "dbop" and 1. Locks are a database's own, so that it is always taken in `postgres`.
const LOCK: (i32, i32) = (0x6462_6f70, 1);
/// How often a pass goes on with what it couldn't see at first, such as what was beyond a limit. Ten times a thousand tables are all that are looked at.
const ROUNDS: usize = 10;
const TRIES: usize = 4;
const TAKING_TURNS: &str = "taking turns with other passes";

/// What a pass has found and done.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Report {
    /// The server's major version.
    pub version: u32,
    /// What is amiss.
    pub findings: Vec<Finding>,
    /// What was done, such as "setting up the login orders-app", for events.
    pub done: Vec<String>,
    /// The extensions that are in the database, with their versions. Empty where it wasn't looked into.
    pub extensions: BTreeMap<String, String>,
    /// How many queries were sent.
    pub queries: u32,
    /// How many statements were sent that change something. A pass over a server that is as it is wanted sends none.
    pub statements: u32,
    pub sessions_ended: u64,
    pub duration: Duration,
}

impl Report {
    /// Whether all is as it is wanted.
    pub fn is_settled(&self) -> bool {
        self.findings.is_empty()
    }

    /// The reason of what is worst.
    pub fn reason(&self) -> Reason {
        const MILDEST: [Reason; 2] = [Reason::ExtensionRefused, Reason::Drifted];
        let severity =
            |reason: &Reason| MILDEST.iter().position(|mild| mild == reason).unwrap_or(MILDEST.len());
        self.findings.iter().map(Finding::reason).max_by_key(severity).unwrap_or(Reason::Settled)
    }
}

/// Makes a server as it is wanted, and reports what isn't.
///
/// It takes two connections, and no longer than [`crate::Limits::pass`]. The fence is asked before each statement that
/// changes something; where it says no, the pass ends there, and the server undoes what wasn't committed. A pass can
/// be dropped at any time in the same way.
///
/// # Errors
/// If nothing could be done, or not all that had to be. [`Failure`] says why.
pub async fn pass(server: &Server, desired: &Desired, fence: Fence<'_>) -> Result<Report, Failure> {
    let after = server.limits().pass;
    match timeout(after, Box::pin(in_time(server, desired, fence))).await {
        Ok(report) => report,
        Err(_) => Err(Failure::TimedOut { doing: "the whole pass".to_owned(), after }),
    }
}

async fn in_time(server: &Server, desired: &Desired, fence: Fence<'_>) -> Result<Report, Failure> {
    let started = Instant::now();
    let counts = Arc::new(Counts::default());
    let mut open = Open::connect(server, desired, &counts).await?;
    lock(&open.at_server).await?;
    let mut observed = open.look(desired).await?;
    let mut planned = plan(&observed, desired)?;
    let mut outcome = Outcome::default();
    for _ in 0..ROUNDS {
        if planned.is_empty() {
            break;
        }
        // A database that was taken back first is looked into only now.
        let is_new_inside = desired.access == Access::Open && observed.inside.is_none();
        let was_cut = !observed.too_many.is_empty() || is_new_inside;
        outcome.add(execute(&mut open, &planned, fence).await?);
        observed = open.look(desired).await?;
        planned = plan(&observed, desired)?;
        if !was_cut {
            break;
        }
    }
    unlock(&open.at_server).await;
    let version = open.at_server.version();
    open.close().await;
    let extensions = observed.inside.iter().flat_map(|inside| &inside.extensions);
    let extensions = extensions.map(|(name, extension)| (name.clone(), extension.version.clone())).collect();
    let (queries, statements) = counts.both();
    let (sessions_ended, done) = (outcome.sessions_ended, std::mem::take(&mut outcome.done));
    let findings = findings(&observed, desired, planned, outcome);
    let duration = started.elapsed();
    Ok(Report { version, findings, done, extensions, queries, statements, sessions_ended, duration })
}

/// What is still amiss. What failed is said once, and not again as something that had no effect.
fn findings(observed: &Observed, desired: &Desired, left: Plan, outcome: Outcome) -> Vec<Finding> {
    let mut findings = [left.findings, outcome.findings].concat();
    for (role, count) in &observed.sessions {
        let role_seen = observed.roles.get(role);
        let comment = role_seen.and_then(|role| role.comment.as_deref());
        let is_ours = comment.is_some_and(|comment| Note::read(&desired.mark, comment).is_some());
        if is_ours && role_seen.is_some_and(|role| !role.can_login) {
            findings.push(Finding::SessionsLeft { role: role.clone(), count: *count });
        }
    }
    let groups = left.groups.iter().filter(|group| !outcome.failed.contains(&group.doing));
    let statements = groups.flat_map(|group| &group.steps).flat_map(|step| &step.statements);
    let left: Vec<_> = statements.filter(|statement| !statement.counts_sessions).collect();
    if let Some(first) = left.first() {
        findings.push(Finding::NoEffect { count: left.len(), example: first.to_string() });
    }
    findings
}

/// The two connections of a pass.
struct Open<'a> {
    server: &'a Server,
    database: &'a str,
    counts: &'a Arc<Counts>,
    at_server: Session,
    inside: Option<Session>,
    /// Why there is no session in the database, where there should be one.
    refused: Option<Failure>,
}

impl<'a> Open<'a> {
    async fn connect(
        server: &'a Server,
        desired: &'a Desired,
        counts: &'a Arc<Counts>,
    ) -> Result<Self, Failure> {
        let database = desired.database.as_str();
        let inside = async {
            match desired.access {
                Access::Open => Some(server.connect(database).await),
                Access::Closed => None,
            }
        };
        let (at_server, inside) = join!(server.connect(POSTGRES), inside);
        let (inside, refused) = match inside {
            Some(Ok(session)) => (Some(session.counted_by(counts)), None),
            Some(Err(failure)) => (None, Some(failure)),
            None => (None, None),
        };
        Ok(Self { server, database, counts, at_server: at_server?.counted_by(counts), inside, refused })
    }

    async fn look(&mut self, desired: &Desired) -> Result<Observed, Failure> {
        let mut observed = observe::at_server(&self.at_server, desired).await?;
        if desired.access == Access::Closed {
            return Ok(observed);
        }
        if let Some(database) = observed.database.as_ref().filter(|_| self.inside.is_none()) {
            let is_new = matches!(self.refused, Some(Failure::DatabaseMissing { .. }) | None);
            match self.refused.take().filter(|_| !is_new) {
                Some(refused) if database.is_administered => return Err(refused),
                refused @ Some(_) => self.refused = refused,
                None => drop(self.session(At::Inside).await?),
            }
        }
        // Whose database isn't ours yet may not let us in: it is looked into once it is.
        if let Some(inside) = &self.inside {
            observe::look_inside(inside, &mut observed, desired).await?;
        }
        observe::look_for_extensions(&self.at_server, &mut observed, desired).await?;
        Ok(observed)
    }

    async fn close(self) {
        let Self { at_server, inside, .. } = self;
        let inside = async {
            if let Some(inside) = inside {
                inside.close().await;
            }
        };
        join!(at_server.close(), inside);
    }
}

impl Sessions for Open<'_> {
    async fn session(&mut self, at: At) -> Result<&Session, Failure> {
        if at == At::Server {
            return Ok(&self.at_server);
        }
        if self.inside.is_none() {
            self.inside = Some(self.server.connect(self.database).await?.counted_by(self.counts));
        }
        self.inside.as_ref().ok_or_else(|| Failure::DatabaseMissing { database: self.database.to_owned() })
    }
}

/// One pass at a time: two that grant at once fail with "tuple concurrently updated".
///
/// Whoever can connect to `postgres` can take the lock, too. A session that isn't of our own role is ended, so that no
/// app holds up what ends its access; so is one that waits for the lock.
async fn lock(session: &Session) -> Result<(), Failure> {
    const FOREIGN: &str = "SELECT count(pg_terminate_backend(l.pid, 1000)) FROM pg_locks l \
        JOIN pg_stat_activity a ON a.pid = l.pid WHERE l.locktype = 'advisory' AND l.classid = $1 AND l.objid = $2 \
        AND l.objsubid = 2 AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
        AND a.usename <> current_user";
    let (class, object) = (LOCK.0.cast_unsigned(), LOCK.1.cast_unsigned());
    for _ in 0..TRIES {
        if try_lock(session).await? {
            return Ok(());
        }
        let foreign =
            session.query(TAKING_TURNS, FOREIGN, &[(&class, Type::OID), (&object, Type::OID)]).await?;
        if foreign.first().and_then(|row| row.try_get::<_, i64>(0).ok()).unwrap_or_default() == 0 {
            break;
        }
    }
    Err(Failure::Locked { doing: TAKING_TURNS.to_owned(), by: LockedBy::OtherPass })
}

/// The server would do it, some time after the session has ended: the next pass needn't wait for that.
async fn unlock(session: &Session) {
    const UNLOCK: &str = "SELECT pg_advisory_unlock($1, $2)";
    session.query(TAKING_TURNS, UNLOCK, &[(&LOCK.0, Type::INT4), (&LOCK.1, Type::INT4)]).await.ok();
}

async fn try_lock(session: &Session) -> Result<bool, Failure> {
    const TRY: &str = "SELECT pg_try_advisory_lock($1, $2)";
    let rows = session.query(TAKING_TURNS, TRY, &[(&LOCK.0, Type::INT4), (&LOCK.1, Type::INT4)]).await?;
    Ok(rows.first().and_then(|row| row.try_get(0).ok()).unwrap_or_default())
}
