//! The serving certificate of the webhook.
//!
//! The operator is its own authority: it issues a CA and a leaf, keeps both in a Secret that all replicas
//! share, renews them at two thirds of their lives, and publishes the CA to the webhook configurations.
//! No manifest ever carries the `caBundle`, because GitOps tools would put an old one back.
//!
//! Where others issue the certificate, it is read from mounted files, and nothing is published.

mod files;
mod issue;
mod keeper;
mod pair;
mod publish;
mod resolver;
mod rotation;
mod state;

pub use files::{Files, FilesError};
pub use keeper::{Config, KeepError, Keeper};
pub use pair::{Invalid, Pair};
pub use publish::PublishError;
pub use resolver::{Resolver, Served};
pub use rotation::Timing;
