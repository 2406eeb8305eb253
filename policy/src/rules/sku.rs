//! `spec.sku`: a size that is known, that the server can have where it is, and that policy allows.

use api::HighAvailability;

use super::{ASK, Context};
use crate::{
    Code, Problem,
    catalogue::{Region, Size, Tier},
    quote::quote,
    spec::{high_availability, sku_in_lower_case},
    suggest::{instead, nearest_sizes, sizes_like},
};

const FIELD: &str = "spec.sku";

fn changed(context: &Context<'_>) -> bool {
    context.changed(sku_in_lower_case)
}

/// Why a server can't have a size.
enum Obstacle<'a> {
    Region,
    Network,
    /// The size that it has.
    Scaling(&'a Size),
}

/// What stands in the way of a server of this size.
fn obstacle<'a>(context: &'a Context<'_>, region: &Region, size: &Size) -> Option<Obstacle<'a>> {
    // A server stays in its network, which isn't always that of the policy: only of a new one it is known.
    let is_private = context.recorded.is_none() && context.policy.azure.network.private.is_some();
    let running =
        context.recorded.and_then(|recorded| context.catalogue().size(recorded.running.sku.as_deref()?));
    let scaled = running.filter(|running| !running.scales_to(size));
    if !region.has(size) {
        Some(Obstacle::Region)
    } else if is_private && size.is_v6() {
        Some(Obstacle::Network)
    } else {
        scaled.map(Obstacle::Scaling)
    }
}

/// The sizes that the profile allows, and that a server can have.
pub(super) fn usable<'a>(context: &'a Context<'_>) -> impl Iterator<Item = &'a Size> {
    let allowed = context.catalogue().sizes().iter().filter(|size| context.profile.allow.sku(&size.name));
    let region = context.region();
    allowed.filter(move |size| obstacle(context, &region, size).is_none())
}

/// The sizes that would do beside the rest of the spec: a standby rules out the Burstable ones.
fn fitting<'a>(context: &'a Context<'_>) -> impl Iterator<Item = &'a Size> {
    let standby = high_availability(context.new) != HighAvailability::Disabled;
    let fits = move |size: &&Size| !standby || size.tier != Tier::Burstable;
    let any = usable(context).any(|size| fits(&size));
    usable(context).filter(move |size| !any || fits(size))
}

/// A size is given, by the spec or by the profile.
pub(super) fn missing(context: &Context<'_>) -> Option<Problem> {
    context.new.sku.is_none().then(|| {
        let smallest = sizes_like(context.catalogue(), "", fitting(context));
        Problem::new(
            Code::Missing,
            FIELD,
            &format!("is missing and has no default here; {}", instead(&smallest, ASK)),
        )
    })
}

/// The size is known.
pub(super) fn known(context: &Context<'_>) -> Option<Problem> {
    let sku = context.new.sku.as_deref()?;
    if !changed(context) || context.size().is_some() {
        return None;
    }
    let likely = sizes_like(context.catalogue(), sku, fitting(context));
    // One that is new is spelt like those that are known.
    let text = format!(
        "{} is not a size that this version of the operator knows; {}; if Azure has it, the platform team can add it under \
         catalogue.sizes",
        quote(sku),
        instead(&likely, ASK)
    );
    Some(Problem::new(Code::SkuUnknown, FIELD, &text))
}

/// The profile allows the size.
pub(super) fn allowed(context: &Context<'_>) -> Option<Problem> {
    let size = context.size()?;
    if !changed(context) || context.profile.allow.sku(&size.name) {
        return None;
    }
    let nearest = nearest_sizes(size, fitting(context));
    let written = context.new.sku.as_deref().unwrap_or_default();
    let text = format!("{} is not allowed here; {}", quote(written), instead(&nearest, ASK));
    Some(Problem::new(Code::SkuNotAllowed, FIELD, &text))
}

/// The region has the size, the network takes it, and the server can be scaled to it.
/// <https://learn.microsoft.com/azure/postgresql/overview#azure-regions>
pub(super) fn possible(context: &Context<'_>) -> Option<Problem> {
    let size = context.size()?;
    if !changed(context) {
        return None;
    }
    let advice = instead(&nearest_sizes(size, fitting(context)), ASK);
    let text = match obstacle(context, &context.region(), size)? {
        Obstacle::Region => format!(
            "{} is not a size that this version of the operator knows {} to have; {advice}; if Azure has it there, the \
             platform team can say so under catalogue.regions",
            size.name, context.location
        ),
        Obstacle::Network => {
            format!(
                "{} isn't available in a virtual network, where servers are made here; {advice}",
                size.name
            )
        }
        Obstacle::Scaling(running) => format!(
            "{} can't follow {}: Azure scales no server between Burstable and v6 sizes; {advice}",
            size.name, running.name
        ),
    };
    Some(Problem::new(Code::SkuImpossible, FIELD, &text))
}
