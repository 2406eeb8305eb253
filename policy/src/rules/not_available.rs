//! Fields of the API that have no effect yet. They are refused rather than ignored: who asks for a standby
//! must not believe that there is one.

use api::{Authentication, HighAvailability};

use super::Context;
use crate::{Code, Problem};

/// No field without effect is set to anything but what happens anyway.
pub(super) fn fields(context: &Context<'_>) -> Option<Problem> {
    let spec = context.new;
    let storage = spec.storage.clone().unwrap_or_default();
    let backup = spec.backup.clone().unwrap_or_default();
    let set = [
        ("spec.storage.tier", storage.tier.is_some()),
        ("spec.storage.autoGrow", storage.auto_grow.is_some_and(|grow| grow)),
        (
            "spec.highAvailability",
            spec.high_availability.is_some_and(|mode| mode != HighAvailability::Disabled),
        ),
        // Seven days is what Azure does by itself.
        ("spec.backup.retentionDays", backup.retention_days.is_some_and(|days| days != 7)),
        ("spec.backup.geoRedundant", backup.geo_redundant.is_some_and(|geo| geo)),
        ("spec.maintenanceWindow", spec.maintenance_window.is_some()),
        ("spec.extensions", spec.extensions.as_ref().is_some_and(|extensions| !extensions.is_empty())),
        ("spec.parameters", spec.parameters.as_ref().is_some_and(|parameters| !parameters.is_empty())),
        ("spec.authentication", spec.authentication == Some(Authentication::Password)),
        (
            "spec.serviceAccountName",
            spec.service_account_name.as_deref().is_some_and(|name| name != context.request.name),
        ),
    ];
    let fields: Vec<&str> = set.iter().filter(|(_, is_set)| *is_set).map(|(field, _)| *field).collect();
    let (first, rest) = fields.split_first()?;
    let others = if rest.is_empty() { String::new() } else { format!("and {} ", rest.join(", ")) };
    let verb = if rest.is_empty() { "is" } else { "are" };
    Some(Problem::new(
        Code::NotAvailable,
        first,
        &format!("{others}{verb} not available in this version of the operator; leave it out"),
    ))
}
