//! From what is seen and what is wanted to what is to be said to the server, in which order. A pure function.
//!
//! Access ends before it begins anew, roles are there before anything is given to them, and what depends on something
//! comes behind it in the same [`Group`]. Each group stands for itself: where one fails, the others go on, but for
//! those without which nothing else makes sense.

mod close;
mod database;
mod extensions;
mod handover;
mod inside;
mod ladder;
mod logins;
mod members;
mod unwanted;
mod view;

use std::fmt;

use crate::{
    desired::{Access, Desired},
    failure::Failure,
    finding::Finding,
    observe::Observed,
    statement::Statement,
};

pub(crate) use view::POSTGRES;
use view::View;

/// What is to be done, and what is amiss and can't be mended by that.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Plan {
    pub groups: Vec<Group>,
    pub findings: Vec<Finding>,
}

/// Steps, each of which needs the one before.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Group {
    /// What it is good for, as a message begins: "making the roles".
    pub doing: String,
    pub purpose: Purpose,
    pub steps: Vec<Step>,
}

/// What it means if a group fails.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Purpose {
    /// Nothing behind it can be done.
    Essential,
    /// The other groups can be done.
    Part,
    CreateExtension(String),
    UpdateExtension(String),
    DropExtension(String),
}

/// Statements in one database, as one transaction where PostgreSQL allows that.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Step {
    pub at: At,
    pub is_transaction: bool,
    pub statements: Vec<Statement>,
}

/// In which database.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum At {
    /// In `postgres`: Azure's functions for principals are there only.
    Server,
    /// In the app's database.
    Inside,
}

/// The parts of a plan, in their order.
const PARTS: [fn(&View<'_>, &mut Plan); 12] = [
    database::create,
    ladder::make,
    unwanted::end,
    unwanted::end_sessions_of_dropped_roles,
    logins::make,
    members::revoke_foreign,
    handover::hand_over,
    inside::grant,
    inside::grant_on_strays,
    inside::report_foreign_owners,
    extensions::settle,
    view::report_limits,
];

/// What is to be done so that the server is as it is wanted. An empty plan says that it is.
///
/// # Errors
/// If the database is missing where data are expected, if it or one of the roles belongs to somebody else.
pub fn plan(observed: &Observed, desired: &Desired) -> Result<Plan, Failure> {
    let view = View::new(observed, desired);
    let mut plan = Plan::default();
    if desired.access == Access::Closed {
        close::close(&view, &mut plan);
        return Ok(plan);
    }
    ladder::is_ours(&view)?;
    database::is_ours(&view)?;
    for part in PARTS {
        part(&view, &mut plan);
    }
    Ok(plan)
}

impl Step {
    fn transaction(at: At, statements: Vec<Statement>) -> Self {
        Self { at, is_transaction: true, statements }
    }

    fn single(at: At, statement: Statement) -> Self {
        Self { at, is_transaction: false, statements: vec![statement] }
    }
}

impl Plan {
    /// Adds a group, unless there is nothing in it to do.
    fn add(&mut self, doing: impl Into<String>, purpose: Purpose, steps: impl IntoIterator<Item = Step>) {
        let steps: Vec<Step> = steps.into_iter().filter(|step| !step.statements.is_empty()).collect();
        if !steps.is_empty() {
            self.groups.push(Group { doing: doing.into(), purpose, steps });
        }
    }

    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    pub fn statements(&self) -> impl Iterator<Item = &Statement> {
        self.groups.iter().flat_map(|group| &group.steps).flat_map(|step| &step.statements)
    }
}

/// As a script with comments, without secrets.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for group in &self.groups {
            writeln!(f, "-- {}", group.doing)?;
            for step in &group.steps {
                let at = if step.at == At::Server { "postgres" } else { "the database" };
                let how = if step.is_transaction { ", as one transaction" } else { "" };
                writeln!(f, "-- in {at}{how}")?;
                for statement in &step.statements {
                    writeln!(f, "{statement};")?;
                }
            }
        }
        for finding in &self.findings {
            writeln!(f, "-- found: {finding}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
