//! Where a `Database` is looked at, and by whom.

use api::RetainedDatabase;
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use kube::runtime::reflector::Store;
use policy::Policy;

use super::{caches::Caches, context::Context};
use crate::azure::adoption;

/// Everything around it.
#[derive(Clone, Copy)]
pub(crate) struct Surroundings<'a> {
    pub(crate) caches: &'a Caches,
    pub(crate) records: &'a Store<RetainedDatabase>,
    pub(crate) operator_namespace: &'a str,
    pub(crate) policy: &'a Policy,
    pub(crate) policy_name: &'a str,
    /// Uid of this cluster's namespace `kube-system`.
    pub(crate) cluster_uid: &'a str,
    /// Uid of the namespace of the `Database`; `None` while it isn't known.
    pub(crate) namespace_uid: Option<&'a str>,
    pub(crate) now: Timestamp,
    /// The current day in UTC.
    pub(crate) today: Date,
}

impl<'a> Surroundings<'a> {
    pub(crate) fn of(context: &'a Context, policy: &'a Policy, namespace_uid: Option<&'a str>) -> Self {
        let now = context.now();
        Self {
            caches: &context.caches,
            records: &context.retained,
            operator_namespace: &context.operator_namespace,
            policy,
            policy_name: &context.policy_name,
            cluster_uid: &context.cluster_uid,
            namespace_uid,
            now,
            today: now.to_zoned(TimeZone::UTC).date(),
        }
    }

    pub(crate) fn here(&self) -> adoption::Here<'a> {
        adoption::Here { now: self.now, uid: self.cluster_uid, takes_over: &self.policy.azure.take_over_from }
    }
}
