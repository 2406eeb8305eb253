//! A `RetainedDatabase` that is created, changed or deleted.

use api::{DatabaseRef, RetainedDatabaseSpec, RetainedDatabaseStatus};
use policy::{
    Denial, PolicyState, Problem,
    deleting::Deletion,
    recovering::{self, RecoveryRequest},
    retained::{self, End, Identity},
};
use serde::Deserialize;

use super::{
    answer::Admitted,
    basis::{Basis, denial, profile, refusal},
    sent::{Raw, Request, Sent, Target},
};
use crate::cluster::Needs;

/// What of it is looked at.
#[derive(Debug)]
pub(super) struct Record {
    old: Option<RetainedDatabaseSpec>,
    new: Option<RetainedDatabaseSpec>,
    is_settled: bool,
}

impl Record {
    pub(super) fn read(sent: &Sent<'_>) -> Result<Self, String> {
        let status: Option<RetainedDatabaseStatus> = parse(sent.old_status)?;
        let is_settled = status.is_some_and(|status| status.is_settled());
        Ok(Self { old: parse(sent.old_spec)?, new: parse(sent.new_spec)?, is_settled })
    }

    /// Its `Database`, and how that is written.
    fn owner(&self) -> (DatabaseRef<'_>, &str) {
        let spec = self.old.as_ref().or(self.new.as_ref());
        let whole = spec.map_or("", |spec| &*spec.database);
        (read(whole), whole)
    }
}

/// One without a name where it can't be read.
fn read(database: &str) -> DatabaseRef<'_> {
    DatabaseRef::parse(database).unwrap_or(DatabaseRef::new("", ""))
}

fn parse<'a, T: Deserialize<'a>>(part: Raw<'a>) -> Result<Option<T>, String> {
    part.map(|part| serde_json::from_str(part.get())).transpose().map_err(|error| error.to_string())
}

pub(super) fn needs<'a>(record: &'a Record, state: &PolicyState) -> Needs<'a> {
    let looks = state.policy().is_some_and(|policy| policy.looks_at_labels());
    Needs { labels: looks.then(|| record.owner().0.namespace), ..Needs::default() }
}

pub(super) fn validate(request: &Request, record: &Record, basis: &Basis<'_>) -> Result<Admitted, Denial> {
    let (DatabaseRef { namespace, name }, whole) = record.owner();
    let Some(new) = &request.new else {
        if request.deletes() && !record.is_settled {
            return Err(denial(basis, retained::judge_delete(&policy::quote::clean(whole))));
        }
        return Ok(Admitted::default());
    };
    // Its namespace may be gone, whose labels would say it.
    let profile = profile(basis, namespace).or_else(|| {
        let name = record.old.as_ref().or(record.new.as_ref())?.profile.as_deref()?;
        basis.state.policy()?.profile_named(name)
    });
    let rules = profile.map(|profile| &profile.retention);
    let (old, stands) = match &request.old {
        Some(old) => ((old.retention(), old.confirmation()), record.old.as_ref()),
        // It may be from a backup.
        None => ((None, None), None),
    };
    let mut problems = Vec::new();
    match (stands, &record.new) {
        (Some(old), Some(new)) => {
            problems.extend(retained::judge_identity(&identity(old), &identity(new)).err());
        }
        (None, Some(spec)) if request.old.is_none() => {
            let name = Target::of(request).name;
            let judged = retained::judge_new(name, &identity(spec), new.retention(), basis.today());
            problems.extend(judged.err().into_iter().flatten());
            let end = End {
                since: spec.since.0,
                old: None,
                new: spec.until.as_ref().map(|until| until.0),
                today: basis.today(),
            };
            problems.extend(retained::judge_end(&end, rules).err());
        }
        _ => {}
    }
    let is_new = request.old.is_none();
    if let (Some(old), Some(new)) = (stands, &record.new) {
        let until = |spec: &RetainedDatabaseSpec| spec.until.as_ref().map(|until| until.0);
        // A later delete of the same name speaks for itself, and nobody gains days by an earlier one.
        let since = old.since.0.max(new.since.0);
        let end = End { since, old: until(old), new: until(new), today: basis.today() };
        problems.extend(retained::judge_end(&end, rules).err());
    }
    let deletion = Deletion {
        namespace,
        name,
        retention: new.retention(),
        confirmation: new.confirmation(),
        today: basis.today(),
    };
    if !is_new {
        problems.extend(retained::judge_annotations(old, &deletion, rules).err().into_iter().flatten());
    }
    problems.extend(given_to_another(record, basis)?);
    if problems.is_empty() {
        return Ok(Admitted::default());
    }
    Err(refusal(problems, profile, basis))
}

fn identity(spec: &RetainedDatabaseSpec) -> Identity<'_> {
    Identity {
        database: &spec.database,
        formerly: spec.formerly.as_deref(),
        namespace_uid: spec.namespace_uid.as_deref(),
        server: &spec.server.name,
        since: spec.since.0,
    }
}

/// What stands in the way of giving the data to another database; `None` when they stay with the one that they have.
fn given_to_another(record: &Record, basis: &Basis<'_>) -> Result<Option<Problem>, Denial> {
    let (Some(old), Some(new)) = (&record.old, &record.new) else { return Ok(None) };
    if new.database == old.database {
        return Ok(None);
    }
    // No policy allows what is not the name of a database.
    let database = read(&new.database);
    let policy = basis.state.require(basis.policy_name)?;
    let request = RecoveryRequest { database, from: &old.database, today: basis.today() };
    Ok(recovering::judge(&request, policy).err())
}
