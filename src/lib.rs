//! The operator's binary, as a library so that its parts can be tested.
//!
//! - [`cli`]: a file for each subcommand
//! - [`azure`]: pure builders of Azure Service Operator's objects
//! - [`controller`]: the reconcile loop
//! - [`policy_watch`]: keeps the policy of the ConfigMap in force
//! - [`telemetry`]: logs, metrics, health

pub mod azure;
pub mod cli;
mod cluster;
pub mod controller;
pub mod policy_watch;
pub mod telemetry;
