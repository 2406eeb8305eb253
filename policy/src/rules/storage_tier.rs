//! `spec.storage.tier`: a performance tier that goes with the size of the disk, and that policy allows.

use api::{DatabaseSpec, StorageTier};

use super::{Context, storage::size_gib};
use crate::{Code, Problem, catalogue, suggest::instead};

const FIELD: &str = "spec.storage.tier";

fn tier(spec: &DatabaseSpec) -> Option<StorageTier> {
    spec.storage.as_ref().and_then(|storage| storage.tier)
}

fn is_allowed(context: &Context<'_>, tier: StorageTier) -> bool {
    context.profile.allow.tiers.as_ref().is_none_or(|allowed| allowed.contains(&tier))
}

/// Tiers that go with the size and are allowed, the nearest to the wanted one first.
fn usable(context: &Context<'_>, size_gib: i32, wanted: StorageTier) -> Vec<StorageTier> {
    let mut usable: Vec<_> = catalogue::tiers(size_gib).filter(|tier| is_allowed(context, *tier)).collect();
    usable.sort_by_key(|tier| catalogue::tier_distance(*tier, wanted));
    usable
}

/// Azure has disks of this size with this tier.
pub(super) fn fitting(context: &Context<'_>) -> Option<Problem> {
    let (tier_wanted, size) = (tier(context.new)?, size_gib(context.new)?);
    let is_judged = context.changed(tier) || context.changed(size_gib);
    // A size that doesn't exist has no tiers, and is told by itself.
    let exists = catalogue::tiers(size).next().is_some();
    if !is_judged || !exists || catalogue::tiers(size).any(|known| known == tier_wanted) {
        return None;
    }
    let text = format!(
        "{tier_wanted} does not go with a disk of {size} GiB; {}",
        instead(&usable(context, size, tier_wanted), "leave it out")
    );
    Some(Problem::new(Code::StorageTier, FIELD, &text))
}

/// The profile allows the tier.
pub(super) fn allowed(context: &Context<'_>) -> Option<Problem> {
    let wanted = tier(context.new)?;
    if !context.changed(tier) || is_allowed(context, wanted) {
        return None;
    }
    let size = size_gib(context.new)?;
    let text =
        format!("{wanted} is not allowed here; {}", instead(&usable(context, size, wanted), "leave it out"));
    Some(Problem::new(Code::StorageTier, FIELD, &text))
}
