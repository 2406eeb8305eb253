//! The operator's binary, as a library so that its parts can be tested.
//!
//! - [`cli`]: a file for each subcommand
//! - [`azure`]: pure builders of Azure Service Operator's objects
//! - [`controller`]: the reconcile loops
//! - [`clock`]: when retention periods expire; `monotonic`: how long ago something was
//! - `cluster`: what is known of the cluster beside the databases at hand
//! - `entra`: tokens of the operator's own identity; `trust`: which authorities are trusted
//! - `labels`: which `Database` an object stands for
//! - `leader`: which of several controllers works
//! - `certificate`: keeps the webhook's certificate
//! - [`telemetry`]: logs, metrics, health

mod api_error;
pub mod azure;
mod certificate;
pub mod cli;
pub mod clock;
mod cluster;
pub mod controller;
mod entra;
mod labels;
mod leader;
mod monotonic;
pub mod telemetry;
mod trust;
