//! AdmissionReview in, verdict out, over TLS.
//!
//! - [`cluster`]: what reviews need to know of the cluster
//! - [`review`]: the pure part, bytes to answer; the rules are the `policy` crate's
//! - [`mod@router`]: the HTTP paths, which can be tested without a socket
//! - [`server`]: connections, TLS and an end without loss; [`limits`]: how much and how long
//! - [`metrics`]: what is counted

mod body;
pub mod cluster;
mod connection;
mod header_timeout;
pub mod limits;
mod log_throttle;
pub mod metrics;
pub mod review;
pub mod router;
pub mod server;
mod slots;
pub mod tls;

pub use cluster::Cluster;
pub use limits::Limits;
pub use metrics::Metrics;
pub use router::{State, router};
pub use server::{ServeError, Server};
pub use tls::{Tls, TlsError};
