//! What an app finds inside its PostgreSQL server: the database, its roles, who may log in as what, and the extensions.
//!
//! [`pass()`] looks at a server, decides what differs from what is [`Desired`], writes that and looks again. What it
//! decides is a pure function, [`plan()`]; the rest is thin.
//!
//! - [`desired`]: what is wanted, and [`name`]: names that can be wanted
//! - [`connect`]: a session over TLS with a server whose name is verified
//! - [`mod@observe`]: what is there, as plain values
//! - [`plan()`]: from both to [`Statement`]s, none of which can drop a table, a schema or a database
//! - [`execute`]: the statements, each group in its transactions
//! - [`verifier`]: a password as PostgreSQL keeps it, and [`quote`]: names and texts as SQL writes them
//!
//! # Roles
//!
//! Of a database `orders`, the roles `orders_owner`, `orders_writer` and `orders_reader` can't log in. The owner inherits
//! from the writer, and the writer from the reader. All objects of the database belong to the owner role. Logins own
//! nothing and are members of one of them, so that each can be dropped and made anew. The database itself belongs to
//! the administrators: an app can't drop it.
//!
//! Roles that this crate has made bear a comment, the [`name::Mark`]. Others are never altered and never dropped.
//!
//! # What it can't do
//!
//! - It doesn't drop a role that still owns something, or to which somebody has given privileges by name: such a role
//!   can't log in any more, and is reported. `DROP OWNED` would end the privileges, and the tables with them.
//! - It looks at the newest 10,000 tables, views and sequences of a database. What is amiss with older ones is not seen.

#[cfg(test)]
extern crate self as postgres;

pub mod connect;
pub mod desired;
pub mod execute;
pub mod failure;
pub mod finding;
mod level;
pub mod name;
pub mod note;
pub mod observe;
pub mod pass;
pub mod plan;
pub mod quote;
// What always holds of names and comments, as the fuzzer checks it.
#[cfg(test)]
#[path = "../../fuzz/src/quoting.rs"]
mod quoting;
pub mod statement;
mod text;
pub mod verifier;

pub use connect::{Connections, Limits, Server, Session, Tls};
pub use desired::{Access, Create, Credential, Desired, ExtensionWish, Level, Login, PrincipalKind};
pub use failure::{Failure, Reason};
pub use finding::Finding;
pub use name::{DatabaseName, ExtensionName, Generation, Mark, NameError, RoleName, Turn};
pub use observe::{Observed, observe};
pub use pass::{Report, pass};
pub use plan::{Plan, plan};
pub use statement::Statement;
pub use verifier::Verifier;
