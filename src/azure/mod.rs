//! Azure Service Operator's objects: the only place that knows their shapes.
//!
//! [`build()`] turns an effective spec into every object that we want; it is pure and can't fail. A second
//! provider would be a sibling of this module.

mod administrator;
pub mod adoption;
mod build;
pub mod condition;
mod data_protection;
mod database_for_postgresql;
mod managed_identity;
pub mod names;
pub mod parameters;
pub mod settings;
pub(crate) mod states;

pub use administrator::{Administrator, Principal, is_apps};
pub use adoption::Adoption;
pub use build::{
    Existing, Former, FormerObjects, Identity, Input, Objects, RestoreSource, annotations, build,
    vault_policy,
};
#[cfg(test)]
pub(crate) use data_protection::STATES as PROTECTION_STATES;
pub use data_protection::{BackupVaultsBackupInstance, Protection};
pub use database_for_postgresql::{
    FlexibleServer, FlexibleServersAdministrator, FlexibleServersConfiguration, FlexibleServersDatabase,
    FlexibleServersFirewallRule, SecretReference,
};
pub use managed_identity::{FederatedIdentityCredential, UserAssignedIdentity};

use condition::Condition;
use serde::{Deserialize, Serialize};

/// Keeps the resource in Azure when the Kubernetes object goes. Every object carries it, not the server
/// alone: Kubernetes' garbage collection deletes what the server owns, and a `FlexibleServersDatabase` that
/// is deleted without it takes the data along.
/// <https://azure.github.io/azure-service-operator/guide/annotations/>
pub const RECONCILE_POLICY: &str = "serviceoperator.azure.com/reconcile-policy";
/// The value of [`RECONCILE_POLICY`] that every object carries.
pub const DETACH_ON_DELETE: &str = "detach-on-delete";
/// The value of [`RECONCILE_POLICY`] with which ASO only reads what Azure has.
pub const SKIP: &str = "skip";
/// The value of [`RECONCILE_POLICY`] with which a resource in Azure is deleted with its object: for what holds no data.
pub const MANAGE: &str = "manage";

/// Annotation of an object with which ASO only reads because nothing new is wanted of it. One that somebody else has left alone lacks
/// it.
pub const AT_REST: &str = "altinn.app/at-rest";

/// Whether ASO only reads with an object because nothing new is wanted of it.
pub fn is_at_rest<K: kube::ResourceExt>(object: &K) -> bool {
    has_policy(object, SKIP) && object.annotations().contains_key(AT_REST)
}

/// Whether an object has this reconcile policy.
pub fn has_policy<K: kube::ResourceExt>(object: &K, policy: &str) -> bool {
    object.annotations().get(RECONCILE_POLICY).is_some_and(|has| has == policy)
}

/// Whether an object is going, and its resource in Azure with it.
pub fn is_being_ended<K: AsoObject>(object: &K) -> bool {
    object.meta().deletion_timestamp.is_some() && has_policy(object, MANAGE)
}

/// An object of Azure Service Operator.
pub trait AsoObject:
    kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
    + Clone
    + std::fmt::Debug
    + serde::de::DeserializeOwned
    + Serialize
    + Send
    + Sync
    + 'static
{
    /// Whether data are gone with what it stands for.
    const HOLDS_DATA: bool;
    /// What ASO reports.
    fn conditions(&self) -> &[Condition];
    /// Whether the part that we write is the same; what ASO and Azure add doesn't count.
    fn same_spec(&self, other: &Self) -> bool;
}

macro_rules! aso_object {
    (HOLDS_DATA = $holds_data:expr; $($kind:ty),+) => {$(
        impl $crate::azure::AsoObject for $kind {
            const HOLDS_DATA: bool = $holds_data;
            fn conditions(&self) -> &[$crate::azure::condition::Condition] {
                self.status.as_ref().map_or(&[], |status| &status.conditions)
            }
            fn same_spec(&self, other: &Self) -> bool {
                self.spec == other.spec
            }
        }
    )+};
}
pub(crate) use aso_object;

/// The resource that another one belongs to: an object of the same namespace, or a resource by its id.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Owner {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arm_id: Option<String>,
}

/// A status of which only the conditions matter.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct ConditionsOnly {
    #[serde(default)]
    pub conditions: Vec<Condition>,
}
