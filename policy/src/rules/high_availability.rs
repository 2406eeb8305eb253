//! `spec.highAvailability`: a standby that the size and the region can have, and that policy allows.

use api::HighAvailability;

use super::{Context, sku};
use crate::{
    Code, Problem,
    catalogue::{Tier, Zones},
    spec::{high_availability as mode, sku_in_lower_case},
    suggest::{alternatives, instead, nearest_sizes},
};

const FIELD: &str = "spec.highAvailability";
/// Where size, region and profile have nothing in common.
const ASK: &str = "use another spec.sku, or ask the platform team";

fn is_allowed(context: &Context<'_>, mode: HighAvailability) -> bool {
    context.profile.allow.high_availability.as_ref().is_none_or(|allowed| allowed.contains(&mode))
}

/// Modes that size, region and profile all have.
fn usable(context: &Context<'_>) -> Vec<HighAvailability> {
    let is_burstable = context.size().is_some_and(|size| size.tier == Tier::Burstable);
    let has_zones = context.region().zones != Zones::None;
    [HighAvailability::ZoneRedundant, HighAvailability::SameZone, HighAvailability::Disabled]
        .into_iter()
        .filter(|mode| *mode != HighAvailability::ZoneRedundant || has_zones)
        .filter(|mode| *mode == HighAvailability::Disabled || !is_burstable)
        .filter(|mode| is_allowed(context, *mode))
        .collect()
}

/// Burstable sizes have no standby, and a standby in another zone needs zones.
/// <https://learn.microsoft.com/azure/postgresql/high-availability/concepts-high-availability#limitations>
pub(super) fn possible(context: &Context<'_>) -> Option<Problem> {
    let wanted = mode(context.new);
    if wanted == HighAvailability::Disabled || !(context.changed(mode) || context.changed(sku_in_lower_case))
    {
        return None;
    }
    if let Some(size) = context.size().filter(|size| size.tier == Tier::Burstable) {
        let others = nearest_sizes(size, sku::usable(context).filter(|size| size.tier != Tier::Burstable));
        let disabled = is_allowed(context, HighAvailability::Disabled).then(|| "Disabled".to_owned());
        // A size that isn't allowed is a problem of its own, among the others.
        let sized = (!others.is_empty()).then(|| {
            if context.profile.allow.sku(&size.name) {
                format!("for spec.sku {}", alternatives(&others))
            } else {
                "another spec.sku".to_owned()
            }
        });
        let instead: Vec<String> = disabled.into_iter().chain(sized).collect();
        let instead = if instead.is_empty() { "another spec.sku".to_owned() } else { instead.join(", or ") };
        let text = format!("{wanted} isn't available with the Burstable size {}; use {instead}", size.name);
        return Some(Problem::new(Code::HighAvailability, FIELD, &text));
    }
    if wanted == HighAvailability::ZoneRedundant && context.region().zones == Zones::None {
        let text = format!(
            "ZoneRedundant needs a region with zones, and {} has none; {}",
            context.location,
            instead(&usable(context), ASK)
        );
        return Some(Problem::new(Code::HighAvailability, FIELD, &text));
    }
    None
}

/// The profile allows the mode.
pub(super) fn allowed(context: &Context<'_>) -> Option<Problem> {
    let wanted = mode(context.new);
    if !context.changed(mode) || is_allowed(context, wanted) {
        return None;
    }
    let hint = if context.new.high_availability.is_none() { " (as it is when left out)" } else { "" };
    let text = format!("{wanted}{hint} is not allowed here; {}", instead(&usable(context), ASK));
    Some(Problem::new(Code::HighAvailability, FIELD, &text))
}
