//! Azure Resource Manager and the resource providers behind it.

pub(super) mod api_versions;
pub(super) mod backup_vault;
mod call;
mod child;
pub(super) mod configuration;
pub(super) mod errors;
mod existence;
pub(super) mod federated_credential;
pub(super) mod flexible_server;
pub(super) mod identity;
mod inheritance;
pub(super) mod operations;
mod reply;
pub(super) mod resource_group;
pub(super) mod resource_id;
mod router;
pub(super) mod server;
pub(super) mod server_body;
mod tag_change;
pub(super) mod throttle;

pub(super) use router::{put, router};
