//! `spec.storage.sizeGiB`: a disk size of Azure's, within the profile's limit, and never smaller than before.

use super::Context;
use crate::{Code, Problem, catalogue::DISK_SIZES_GIB, spec::size_gib, suggest::instead};

const FIELD: &str = "spec.storage.sizeGiB";
/// Where the profile allows no size that the disk can have.
const ASK: &str = "leave it as it is, or ask the platform team";

fn within_limit(context: &Context<'_>, size: i32) -> bool {
    context.profile.allow.max_gib.is_none_or(|max| size <= max)
}

/// The size that the disk of a server has at least; a growth that Azure hasn't fulfilled can be taken back.
fn floor(context: &Context<'_>) -> Option<i32> {
    let stored = size_gib(context.stored?)?;
    // A disk that Azure has grown may stay written smaller than it is.
    Some(context.recorded?.size_gib().unwrap_or(stored).min(stored))
}

/// Allowed sizes that the disk can have, the nearest to `wanted` first.
fn usable(context: &Context<'_>, wanted: i32) -> Vec<i32> {
    let floor = floor(context).unwrap_or(0);
    let mut sizes: Vec<i32> = DISK_SIZES_GIB
        .iter()
        .copied()
        .filter(|size| *size >= floor && within_limit(context, *size))
        .collect();
    sizes.sort_by_key(|size| size.abs_diff(wanted));
    sizes
}

/// A size is given, by the spec or by the profile.
pub(super) fn missing(context: &Context<'_>) -> Option<Problem> {
    size_gib(context.new).is_none().then(|| {
        let text = format!("is missing and has no default here; {}", instead(&usable(context, 0), ASK));
        Problem::new(Code::Missing, FIELD, &text)
    })
}

/// Azure has disks of this size.
pub(super) fn size(context: &Context<'_>) -> Option<Problem> {
    let wanted = size_gib(context.new)?;
    if !context.changed(size_gib) || DISK_SIZES_GIB.contains(&wanted) {
        return None;
    }
    let text =
        format!("{wanted} is not a disk size that Azure offers; {}", instead(&usable(context, wanted), ASK));
    Some(Problem::new(Code::StorageSize, FIELD, &text))
}

/// The profile allows a disk of this size.
pub(super) fn limit(context: &Context<'_>) -> Option<Problem> {
    let wanted = size_gib(context.new)?;
    let max = context.profile.allow.max_gib?;
    if !context.changed(size_gib) || wanted <= max || !DISK_SIZES_GIB.contains(&wanted) {
        return None;
    }
    let text =
        format!("{wanted} is more than the {max} allowed here; {}", instead(&usable(context, wanted), ASK));
    Some(Problem::new(Code::StorageLimit, FIELD, &text))
}

/// The disk doesn't shrink: Azure can only grow one.
pub(super) fn growing(context: &Context<'_>) -> Option<Problem> {
    let wanted = size_gib(context.new)?;
    let before = floor(context)?;
    (wanted < before).then(|| {
        let text = format!(
            "{wanted} is less than {before}, and a disk in Azure can't shrink; write {before} or more"
        );
        Problem::new(Code::StorageShrink, FIELD, &text)
    })
}
