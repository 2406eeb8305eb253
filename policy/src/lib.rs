//! What is allowed, what is filled in, and what may be deleted.
//!
//! Everything here is pure: values in, values out; no client, no clock, no async. The webhook, the
//! controller and the command line ask the same functions, so they can't disagree.
//!
//! - [`document`]: the policy as platform engineers write it, and its errors
//! - [`catalogue`]: what Azure offers, apart from what a platform allows
//! - [`field`]: the fields of a spec, a row for each
//! - [`defaults`]: which fields are filled in
//! - [`rules`]: a file for each field that can be refused
//! - [`deleting`]: what may be deleted
//! - [`retained`]: what may become of data that are kept
//! - [`pausing`]: what has everything in Azure left alone for a while
//! - [`recovering`]: which kept data may come back under another name
//! - [`restoring`]: whether a new database may begin with the data of another one
//! - [`accepting`]: whether an empty server will do where there was one with data
//! - [`resolve`]: spec and policy become what is built
//! - [`quota`]: how many servers a namespace may have, and which databases wait
//! - [`metadata`]: what Kubernetes takes in the metadata of any object
//! - [`message`]: the one generator of what people read

pub mod accepting;
pub mod catalogue;
pub mod code;
mod day;
pub mod defaults;
pub mod deleting;
pub mod document;
pub mod field;
pub mod message;
pub mod metadata;
mod origin;
pub mod outdated;
pub mod pausing;
pub mod quota;
pub mod quote;
pub mod recorded;
pub mod recovering;
pub mod resolve;
pub mod resource_id;
pub mod restoring;
pub mod retained;
pub mod rules;
mod spec;
pub mod state;
pub mod suggest;
pub mod updating;
pub mod warning;

pub use code::Code;
pub use document::{Policy, PolicyError};
pub use message::{Denial, Problem};
pub use recorded::Recorded;
pub use resolve::Effective;
pub use rules::{Request, Verdict};
pub use state::PolicyState;
