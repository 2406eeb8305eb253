//! `spec.storage.tier`: a performance tier that goes with the size of the disk, and that policy allows.

use api::{DatabaseSpec, StorageTier};

use super::Context;
use crate::{
    Code, Problem, catalogue,
    spec::{size_gib, tier},
    suggest::instead,
};

const FIELD: &str = "spec.storage.tier";

fn is_allowed(context: &Context<'_>, tier: StorageTier) -> bool {
    context.profile.allow.tiers.as_ref().is_none_or(|allowed| allowed.contains(&tier))
}

/// Tiers that are allowed and go with the size, if there is one, the nearest to the wanted one first.
fn usable(context: &Context<'_>, wanted: StorageTier) -> Vec<StorageTier> {
    let of_size = size_gib(context.new).map(|size| catalogue::tiers(size).collect());
    let mut usable: Vec<_> = of_size.unwrap_or_else(|| StorageTier::ALL.to_vec());
    usable.retain(|tier| is_allowed(context, *tier));
    usable.sort_by_key(|tier| catalogue::tier_distance(*tier, wanted));
    usable
}

/// What to write instead.
fn advice(context: &Context<'_>, wanted: StorageTier) -> String {
    // Leaving it out is no way around: then the size's own counts, and that isn't allowed either.
    let otherwise = if context.stored.is_some() {
        "leave spec.storage as it is, or ask the platform team"
    } else {
        "use another spec.storage.sizeGiB, or ask the platform team"
    };
    instead(&usable(context, wanted), otherwise)
}

/// Azure has disks of this size with this tier.
pub(super) fn fitting(context: &Context<'_>) -> Option<Problem> {
    let (tier_wanted, size) = (tier(context.new)?, size_gib(context.new)?);
    let is_judged = context.changed(tier) || context.changed(size_gib);
    // A size that doesn't exist has no tiers, and is a problem of its own.
    let exists = catalogue::tiers(size).next().is_some();
    if !is_judged || !exists || catalogue::tiers(size).any(|known| known == tier_wanted) {
        return None;
    }
    let text =
        format!("{tier_wanted} does not go with a disk of {size} GiB; {}", advice(context, tier_wanted));
    Some(Problem::new(Code::StorageTier, FIELD, &text))
}

/// As it is, written or not.
fn effective(spec: &DatabaseSpec) -> Option<StorageTier> {
    tier(spec).or_else(|| catalogue::own_tier(size_gib(spec)?))
}

/// The profile allows the tier, be it written or the size's own.
pub(super) fn allowed(context: &Context<'_>) -> Option<Problem> {
    let wanted = effective(context.new)?;
    if !context.changed(effective) || is_allowed(context, wanted) {
        return None;
    }
    let hint = if tier(context.new).is_none() { " (as it is when left out)" } else { "" };
    let text = format!("{wanted}{hint} is not allowed here; {}", advice(context, wanted));
    Some(Problem::new(Code::StorageTier, FIELD, &text))
}
