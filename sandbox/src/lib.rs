//! A real control plane, the real Azure Service Operator and a stand-in for Azure, on one machine, without Docker.
//!
//! The binary `database-sandbox` runs it for people: `database-sandbox up`, `status`, `down`. Tests start one of
//! their own with [`Sandbox::start`]. For development only.
//!
//! How it holds together:
//!
//! - `cli` and `detached` are the commands; `client` is what tests use;
//! - `supervisor` puts everything together and looks after it; `control` is how others ask it for something;
//! - `control_plane`, `aso` and `operator` say what is run, and with which rights; `azure` runs in the supervisor;
//! - `postgres` is what is behind the servers of `azure`, and `operator_identity` is who the operator is there;
//! - `flux` is Flux, off by default;
//! - `nodes` are real nodes for pods, off by default, in namespaces of the sandbox's own;
//! - `processes`, `process`, `probe` and `exec_child` run it, and see to it that nothing is left behind;
//! - `tools` finds or builds the programs, and `aso_manifests` makes ASO's CRDs fit for an ASO outside the cluster;
//! - `state` is the directory of a sandbox, and what it says about itself; `origin` is what it was made of.

mod app;
mod aso;
mod aso_manifests;
pub mod azure;
mod cache;
mod certificates;
pub mod cli;
mod client;
mod control;
mod control_plane;
mod detached;
mod exec_child;
mod flux;
mod http;
mod kubeconfig;
mod kubectl;
mod nodes;
mod operator;
mod operator_identity;
mod options;
mod origin;
mod place;
mod ports;
pub mod postgres;
mod probe;
mod process;
mod processes;
mod progress;
mod servers;
mod spawn;
mod state;
mod supervisor;
mod tools;

pub use client::{Error, Process, Sandbox};
pub use options::Options;
pub use origin::Origin;
pub use place::without_administrator;
pub use processes::Action;
pub use servers::{Error as ServersError, Servers};
pub use state::{State, Status};
