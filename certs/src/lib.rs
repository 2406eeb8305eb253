//! The serving certificate of the webhook.
//!
//! The operator is its own authority: it issues a CA and a leaf, keeps both in a Secret that all replicas
//! share, renews the leaf at two thirds of its life, and publishes the CA to the webhook configurations.
//! No manifest ever carries the `caBundle`, because GitOps tools would put an old one back.

pub mod bundle;
mod issue;
mod publish;
mod resolver;
mod store;

pub use bundle::Bundle;
pub use publish::{PublishError, publish};
pub use resolver::Resolver;
pub use store::{StoreError, ensure};
