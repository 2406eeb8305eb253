//! What the databases of a measurement are called: numbered, a hundred in each namespace.

use kube::core::{ApiResource, GroupVersionKind};

pub const PER_NAMESPACE: usize = 100;

pub fn resource() -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("altinn.app", "v1alpha1", "Database"))
}

pub fn namespace(number: usize) -> String {
    format!("bench-{:03}", number / PER_NAMESPACE)
}

pub fn name(number: usize) -> String {
    format!("db-{number:05}")
}

/// Its number, by its name.
pub fn number(name: &str) -> Option<usize> {
    name.strip_prefix("db-")?.parse().ok()
}
