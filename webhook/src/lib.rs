//! AdmissionReview in, verdict out, over TLS.
//!
//! - [`review`]: the pure part, bytes to answer; the rules are the `policy` crate's
//! - [`router`]: the HTTP paths, which can be tested without a socket
//! - [`server`]: connections, TLS and time limits
//! - [`metrics`]: what is counted

pub mod metrics;
pub mod review;
pub mod router;
pub mod server;

pub use metrics::Metrics;
pub use router::{State, router};
pub use server::{ServeError, serve};
