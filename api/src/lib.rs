//! The API of the operator: the custom resources `Database` and `RetainedDatabase`, their status, and the annotations
//! that people write on them. Types and their schema, no behaviour: what is allowed is the `policy` crate's.

pub mod annotations;
pub mod crd;
pub mod database;
pub mod database_ref;
pub mod reason;
pub mod retained;
pub mod status;
pub mod version;
pub mod written;

pub use database::{
    Authentication, Backup, Database, DatabaseSpec, Day, HighAvailability, MaintenanceWindow, RestoreFrom,
    Storage, StorageTier,
};
pub use database_ref::DatabaseRef;
pub use retained::{
    Confirmed, Destroy, RetainedDatabase, RetainedDatabaseSpec, RetainedDatabaseStatus, RetainedReason,
    RetainedServer, Settled,
};
pub use status::{
    ACCESS_READY, BackupsStatus, BindingReference, DatabaseStatus, DefaultedField, ExtensionStatus,
    PolicyStatus, ProvisioningState, Recovered, RefusedChange, RefusedField, Restored, ServerStatus,
    VaultStatus,
};

/// The API group of every kind here.
pub const GROUP: &str = "altinn.app";
