//! Second stage: the policy turns the spec into the effective one.

use std::sync::Arc;

use api::{Database, DatabaseRef, annotations::DEFAULTED, reason::Reason};
use jiff::civil::Date;
use kube::ResourceExt;
use policy::{Code, Denial, Effective, Policy, Problem, Request, defaults, document::Labels};

use super::known::Known;
use crate::controller::engine::verdict::{Blocked, ToReady};

pub(crate) fn resolve(
    database: &Database,
    known: &Known,
    policy: &Arc<Policy>,
    policy_name: &str,
    labels: Option<&Labels>,
    today: Date,
) -> Result<Resolved, Blocked> {
    let noted =
        database.annotations().get(DEFAULTED).map(|text| defaults::from_annotation(text)).unwrap_or_default();
    let request = Request {
        labels,
        defaulted: &noted,
        source: known.restore.as_ref().and_then(|restore| restore.known.as_ref()),
        ..Request::new(policy_name, DatabaseRef::of(database), &database.spec, today)
    };
    let recorded = known.recorded.as_ref();
    let effective = policy.resolve(&request, recorded).map_err(|denial| denied(&denial))?;
    // As it was resolved, since defaults that no webhook filled in are a part of it.
    let spec = effective.to_spec(&database.spec);
    let breaches = policy.breaches(&Request { new: &spec, ..request }, recorded);
    let breaches = breaches.into_iter().map(|(_, problem)| problem).collect();
    Ok(Resolved { effective, breaches })
}

/// What the policy makes of a `Database`.
pub(crate) struct Resolved {
    pub(crate) effective: Effective,
    /// What it wouldn't let pass today.
    pub(crate) breaches: Vec<Problem>,
}

/// The policy has judged, and wouldn't let it be made today.
fn denied(denial: &Denial) -> Blocked {
    let why = blocked(denial);
    Blocked { out_of_policy: why.cause.is_stalled(), ..why }
}

/// A policy that refuses what is stored: a person must change the spec or the policy. Losing the policy, or making it
/// stricter, changes nothing for a database that is ready.
pub(crate) fn blocked(denial: &Denial) -> Blocked {
    if denial.codes() == [Code::LabelsUnknown] {
        return Blocked {
            to_ready: ToReady::Nothing,
            ..Blocked::by(Reason::NamespaceUnknown, denial.message())
        };
    }
    Blocked { to_ready: ToReady::Nothing, ..Blocked::by(Reason::PolicyDenied, denial.message()) }
}
