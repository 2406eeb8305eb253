//! What a review is judged by, and the refusals that are made of it.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use policy::{
    Denial, PolicyState, Problem,
    document::{Labels, Namespace, Profile},
};

use crate::cluster::Facts;

/// What a review is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Basis<'a> {
    pub state: &'a PolicyState,
    /// Name of the policy ConfigMap.
    pub policy_name: &'a str,
    pub now: Timestamp,
    /// What is known of the cluster.
    pub facts: &'a Facts,
}

impl Basis<'_> {
    /// The current day in UTC.
    pub(super) fn today(&self) -> Date {
        self.now.to_zoned(TimeZone::UTC).date()
    }
}

/// Labels of a namespace, as far as they are known.
pub(super) fn labels<'a>(basis: &Basis<'a>, namespace: &str) -> Option<&'a Labels> {
    basis.facts.labels.get(namespace)
}

/// The profile in force for a namespace, if there is one and it is known.
pub(super) fn profile<'a>(basis: &Basis<'a>, namespace: &str) -> Option<&'a Profile> {
    let namespace = Namespace { name: namespace, labels: labels(basis, namespace) };
    basis.state.policy()?.profile(namespace).ok()
}

/// For this reason, before a profile was asked.
pub(super) fn denial(basis: &Basis<'_>, problem: Problem) -> Denial {
    refusal(vec![problem], None, basis)
}

/// For these reasons, by this profile, if it came so far.
pub(super) fn refusal(problems: Vec<Problem>, profile: Option<&Profile>, basis: &Basis<'_>) -> Denial {
    Denial {
        problems,
        policy: basis.policy_name.to_owned(),
        profile: profile.map(|profile| profile.name.clone()),
    }
}
