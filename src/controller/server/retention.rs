//! What becomes of data by the annotations of what stands for them and by the policy of today.

use api::{
    DatabaseRef,
    annotations::{CONFIRM_DESTROY, RETENTION},
};
use jiff::{Timestamp, tz::TimeZone};
use kube::ResourceExt;
use policy::{
    Denial,
    deleting::{self, Deletion, Retention},
    document::{Namespace, Profile},
};

use super::context::Context;

/// What becomes of the data by the annotations of what stands for them, and a profile: its namespace's, or else the one of
/// this name. The inner error says why they don't count.
pub(crate) fn retention<K: ResourceExt>(
    object: &K,
    DatabaseRef { namespace, name }: DatabaseRef<'_>,
    profile: Option<&str>,
    day: Timestamp,
    context: &Context,
) -> Result<Result<Retention, String>, NotKnown> {
    let annotations = object.annotations();
    let deletion = Deletion {
        namespace,
        name,
        retention: annotations.get(RETENTION).map(String::as_str),
        confirmation: annotations.get(CONFIRM_DESTROY).map(String::as_str),
        today: day.to_zoned(TimeZone::UTC).date(),
    };
    let rules = self::profile(context, namespace, profile)?.map(|profile| profile.retention);
    Ok(deleting::judge(&deletion, rules.as_ref()).map_err(|problems| {
        Denial { problems, policy: context.policy_name.clone(), profile: None }.message()
    }))
}

/// The profile of a namespace. Where there is none, or the namespace is gone whose labels would tell, the one of this name.
pub(crate) fn profile(
    context: &Context,
    namespace: &str,
    name: Option<&str>,
) -> Result<Option<Profile>, NotKnown> {
    let state = context.policy.load();
    let Some(policy) = state.policy() else { return Ok(None) };
    // They decide on the profile.
    if policy.looks_at_labels() && !context.namespaces.are_listed() {
        return Err(NotKnown);
    }
    let labels = context.namespaces.labels(namespace);
    let of_namespace = policy.profile(Namespace { name: namespace, labels: labels.as_ref() });
    Ok(of_namespace.ok().or_else(|| policy.profile_named(name?)).cloned())
}

/// The fewest days that data are kept in this namespace; `None` when no profile tells.
pub(crate) fn minimum_days(
    namespace: &str,
    profile: Option<&str>,
    context: &Context,
) -> Result<Option<u16>, NotKnown> {
    Ok(self::profile(context, namespace, profile)?.map(|profile| profile.retention.minimum_days))
}

/// The caches don't tell yet.
#[derive(Debug)]
pub(crate) struct NotKnown;
