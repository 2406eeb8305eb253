//! The verbs on a server: what is known of it ([`observe`]), whose it is ([`ownership`]), what it is to be ([`build`]), and what
//! writes that: [`apply`], [`revoke`], [`transfer`], [`restore`], [`destroy`]. The loops above know no kind of Azure Service Operator.

pub(crate) mod account;
pub(crate) mod app_password;
pub(crate) mod applied;
pub(crate) mod apply;
pub(crate) mod binding;
pub(crate) mod build;
pub(crate) mod caches;
pub(crate) mod context;
pub(crate) mod describe;
pub(crate) mod destroy;
pub(crate) mod error;
pub(crate) mod evidence;
pub(crate) mod guards;
pub(crate) mod handover;
pub(crate) mod inside;
pub(crate) mod known;
pub(crate) mod lists;
pub(crate) mod look_first;
pub(crate) mod looks;
pub(crate) mod notes;
pub(crate) mod nudge;
pub(crate) mod objects;
pub(crate) mod observe;
pub(crate) mod ownership;
pub(crate) mod password;
pub(crate) mod record;
pub(crate) mod refused;
pub(crate) mod resolve;
pub(crate) mod restore;
pub(crate) mod retention;
pub(crate) mod revoke;
pub(crate) mod secrets;
pub(crate) mod surroundings;
pub(crate) mod transfer;
pub(crate) mod write;
