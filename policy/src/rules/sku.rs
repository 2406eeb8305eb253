//! `spec.sku`: a size that Azure offers and policy allows.

use api::{DatabaseSpec, HighAvailability};

use super::{Context, high_availability};
use crate::{
    Code, Problem,
    catalogue::{self, Size, Tier},
    quote::quote,
    suggest::{instead, nearest_sizes, sizes_like},
};

const FIELD: &str = "spec.sku";
/// Where the profile allows no size.
const ASK: &str = "ask the platform team";

/// As Azure compares it.
pub(super) fn lower_case(spec: &DatabaseSpec) -> Option<String> {
    spec.sku.as_ref().map(|sku| sku.to_ascii_lowercase())
}

fn changed(context: &Context<'_>) -> bool {
    context.changed(lower_case)
}

/// The sizes that the profile allows.
pub(super) fn usable(context: &Context<'_>) -> impl Iterator<Item = &'static Size> {
    catalogue::sizes().iter().filter(|size| context.profile.allow.sku(&size.name))
}

/// The sizes that would do beside the rest of the spec: a standby rules out the Burstable ones.
fn fitting(context: &Context<'_>) -> impl Iterator<Item = &'static Size> {
    let standby = high_availability::mode(context.new) != HighAvailability::Disabled;
    let fits = move |size: &&Size| !standby || size.tier != Tier::Burstable;
    let any = usable(context).any(|size| fits(&size));
    usable(context).filter(move |size| !any || fits(size))
}

/// A size is given, by the spec or by the profile.
pub(super) fn missing(context: &Context<'_>) -> Option<Problem> {
    context.new.sku.is_none().then(|| {
        let smallest = sizes_like("", fitting(context));
        Problem::new(
            Code::Missing,
            FIELD,
            &format!("is missing and has no default here; {}", instead(&smallest, ASK)),
        )
    })
}

/// The size exists.
pub(super) fn known(context: &Context<'_>) -> Option<Problem> {
    let sku = context.new.sku.as_deref()?;
    if !changed(context) || catalogue::size(sku).is_some() {
        return None;
    }
    let likely = sizes_like(sku, fitting(context));
    let text = format!("{} is no size that Azure offers; {}", quote(sku), instead(&likely, ASK));
    Some(Problem::new(Code::SkuUnknown, FIELD, &text))
}

/// The profile allows the size.
pub(super) fn allowed(context: &Context<'_>) -> Option<Problem> {
    let size = catalogue::size(context.new.sku.as_deref()?)?;
    if !changed(context) || context.profile.allow.sku(&size.name) {
        return None;
    }
    let nearest = nearest_sizes(size, fitting(context));
    let written = context.new.sku.as_deref().unwrap_or_default();
    let text = format!("{} is not allowed here; {}", quote(written), instead(&nearest, ASK));
    Some(Problem::new(Code::SkuNotAllowed, FIELD, &text))
}
