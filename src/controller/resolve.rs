//! Second stage: the policy turns the spec into the effective one.

use std::sync::Arc;

use api::{Database, annotations::DEFAULTED};
use jiff::civil::Date;
use kube::ResourceExt;
use policy::{Denial, Effective, Policy, Request, defaults};

use super::{dereference::Known, status::Blocked};

pub(super) fn resolve(
    database: &Database,
    known: &Known,
    policy: &Arc<Policy>,
    policy_name: &str,
    today: Date,
) -> Result<Effective, Blocked> {
    let (namespace, name) = (database.namespace().unwrap_or_default(), database.name_any());
    let request =
        Request { policy_name, namespace: &namespace, name: &name, new: &database.spec, old: None, today };
    let noted =
        database.annotations().get(DEFAULTED).map(|text| defaults::from_annotation(text)).unwrap_or_default();
    policy.resolve(&request, known.recorded.as_ref(), &noted).map_err(|denial| blocked(&denial))
}

/// A policy that refuses what is stored: a person must change the spec or the policy. Losing the policy, or making it
/// stricter, changes nothing for a database that is ready.
pub(super) fn blocked(denial: &Denial) -> Blocked {
    Blocked { spares_ready: true, ..Blocked::stalled("PolicyDenied", denial.message()) }
}
