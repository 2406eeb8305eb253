//! What a spec means where a field is left out, or where Azure compares in its own way.

use api::{DatabaseSpec, HighAvailability};

pub(super) fn high_availability(spec: &DatabaseSpec) -> HighAvailability {
    spec.high_availability.unwrap_or(HighAvailability::Disabled)
}

pub(super) fn sku_in_lower_case(spec: &DatabaseSpec) -> Option<String> {
    spec.sku.as_ref().map(|sku| sku.to_ascii_lowercase())
}
