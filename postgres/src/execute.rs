//! A plan, carried out: group by group, each step in its database and in a transaction of its own.

use std::collections::BTreeSet;

use crate::{
    connect::Session,
    failure::Failure,
    finding::Finding,
    plan::{At, Group, Plan, Purpose, Step},
};

/// SQLSTATE of what can't be dropped because something depends on it.
const DEPENDENT_OBJECTS: &str = "2BP01";

/// Asked before each statement that changes something. False: somebody else does this now, and we don't go on.
pub type Fence<'a> = &'a (dyn Fn() -> bool + Sync);

/// Where the statements go.
pub(crate) trait Sessions {
    /// The session in one of the two databases, which may have to be opened first.
    async fn session(&mut self, at: At) -> Result<&Session, Failure>;
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub findings: Vec<Finding>,
    /// What the groups were doing that went through.
    pub done: Vec<String>,
    /// What the groups that failed were doing.
    pub failed: BTreeSet<String>,
    pub sessions_ended: u64,
}

impl Outcome {
    /// What came of the next round. What failed again is found once.
    pub(crate) fn add(&mut self, next: Self) {
        self.findings = next.findings;
        self.failed = next.failed;
        self.done.extend(next.done);
        self.sessions_ended += next.sessions_ended;
    }
}

/// Carries out a plan. A group that fails is found, and the others go on.
///
/// # Errors
/// If the server is lost, if the fence is closed, or if a group fails without which the others make no sense.
pub(crate) async fn execute(
    sessions: &mut impl Sessions,
    plan: &Plan,
    fence: Fence<'_>,
) -> Result<Outcome, Failure> {
    let mut outcome = Outcome::default();
    for group in &plan.groups {
        match run(sessions, group, fence, &mut outcome.sessions_ended).await {
            Ok(()) => {
                tracing::info!(doing = group.doing, "carried out");
                outcome.done.push(group.doing.clone());
            }
            Err(failure) if group.purpose == Purpose::Essential || !failure.leaves_session() => {
                return Err(failure);
            }
            Err(failure) => {
                tracing::warn!(doing = group.doing, %failure, "failed");
                outcome.failed.insert(group.doing.clone());
                outcome.findings.push(found(&group.purpose, failure));
            }
        }
    }
    Ok(outcome)
}

async fn run(
    sessions: &mut impl Sessions,
    group: &Group,
    fence: Fence<'_>,
    ended: &mut u64,
) -> Result<(), Failure> {
    for step in &group.steps {
        let session = sessions.session(step.at).await?;
        let first = take(session, step, &group.doing, fence, ended).await;
        if first.as_ref().is_err_and(Failure::is_transient) {
            take(session, step, &group.doing, fence, ended).await?;
        } else {
            first?;
        }
    }
    Ok(())
}

async fn take(
    session: &Session,
    step: &Step,
    doing: &str,
    fence: Fence<'_>,
    ended: &mut u64,
) -> Result<(), Failure> {
    if !step.is_transaction {
        return send(session, step, doing, fence, ended).await;
    }
    session.send(doing, "BEGIN").await?;
    let sent = send(session, step, doing, fence, ended).await;
    match sent {
        Ok(()) => {
            holds(fence)?;
            session.send(doing, "COMMIT").await.map(|_| ())
        }
        // Without an answer the session is lost, and the server undoes the transaction with it.
        Err(failure) if failure.leaves_session() => {
            session.send(doing, "ROLLBACK").await?;
            Err(failure)
        }
        Err(failure) => Err(failure),
    }
}

async fn send(
    session: &Session,
    step: &Step,
    doing: &str,
    fence: Fence<'_>,
    ended: &mut u64,
) -> Result<(), Failure> {
    for statement in &step.statements {
        holds(fence)?;
        let answer = session.execute(doing, statement.sql()).await?;
        if statement.counts_sessions {
            *ended += answer.and_then(|count| count.parse::<u64>().ok()).unwrap_or_default();
        }
    }
    Ok(())
}

fn holds(fence: Fence<'_>) -> Result<(), Failure> {
    if fence() { Ok(()) } else { Err(Failure::Fenced) }
}

fn found(purpose: &Purpose, failure: Failure) -> Finding {
    let Failure::SqlFailed { state, message, .. } = &failure else { return Finding::Failed(failure) };
    let (state, message) = (state.clone(), message.clone());
    match purpose {
        Purpose::CreateExtension(name) => Finding::ExtensionNotCreated { name: name.clone(), state, message },
        Purpose::UpdateExtension(name) => Finding::ExtensionNotUpdated { name: name.clone(), state, message },
        Purpose::DropExtension(name) if state == DEPENDENT_OBJECTS => {
            Finding::ExtensionInUse { name: name.clone(), message }
        }
        Purpose::DropExtension(name) => Finding::ExtensionNotDropped { name: name.clone(), state, message },
        Purpose::Essential | Purpose::Part => Finding::Failed(failure),
    }
}
