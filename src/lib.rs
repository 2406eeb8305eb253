//! The operator's binary, as a library so that its parts can be tested.
//!
//! - [`cli`]: a file for each subcommand
//! - [`azure`]: pure builders of Azure Service Operator's objects
//! - [`controller`]: the reconcile loop
//! - [`clock`]: by which what is kept comes to its end; `monotonic`: how long ago something was
//! - `inventory`, `namespaces`: what is known of the cluster beside the databases at hand
//! - `issuer`: whether apps can log in by what the policy says
//! - `leader`: which of several controllers works
//! - `pages`: lists whose pages have a bounded size
//! - [`policy_watch`]: keeps the policy of the ConfigMap in force
//! - `certificate`: keeps the webhook's certificate
//! - `readable`: watches that one broken object doesn't end
//! - `trim`: drops what nobody reads of a `Database`
//! - [`telemetry`]: logs, metrics, health

mod api_error;
pub mod azure;
mod certificate;
pub mod cli;
pub mod clock;
mod cluster;
pub mod controller;
mod inventory;
mod issuer;
mod leader;
mod monotonic;
mod namespaces;
mod pages;
pub mod policy_watch;
mod readable;
pub mod telemetry;
mod trim;
