//! What is known of the cluster beside the databases at hand.
//!
//! - [`client`]: the way to the API server; [`pages`]: lists whose pages have a bounded size
//! - [`inventory`], [`namespaces`]: what the webhook and the controller look up
//! - [`issuer`]: whether apps can log in by what the policy says
//! - [`policy_watch`]: keeps the policy of the ConfigMap in force
//! - [`readable`]: watches that one broken object doesn't end; [`trim`]: drops what nobody reads of a `Database`

pub(crate) mod client;
pub(crate) mod inventory;
pub(crate) mod issuer;
pub(crate) mod namespaces;
mod pages;
pub(crate) mod policy_watch;
pub(crate) mod readable;
pub(crate) mod trim;
