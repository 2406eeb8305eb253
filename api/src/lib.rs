//! The API of the operator: the custom resource `Database`, its status, and the annotations that
//! people write on it. Types and their schema, no behaviour: what is allowed is the `policy` crate's.

pub mod annotations;
pub mod crd;
pub mod database;
pub mod status;
pub mod version;

pub use database::{
    Authentication, Backup, Database, DatabaseSpec, Day, HighAvailability, MaintenanceWindow, Storage,
    StorageTier,
};
pub use status::{
    BindingReference, DatabaseStatus, DefaultedField, PolicyStatus, ProvisioningState, ServerStatus,
};

/// The API group of every kind here.
pub const GROUP: &str = "altinn.app";
