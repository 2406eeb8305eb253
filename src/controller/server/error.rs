//! Why a pass over a record failed.

use super::write;
use crate::{api_error, clock, controller::engine::backoff::LIMIT};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Apply(#[from] write::Error),
    #[error("{what} can't be {done}: {}", api_error::words(source))]
    Api { what: &'static str, done: &'static str, source: Box<kube::Error> },
    #[error(transparent)]
    Clock(#[from] clock::Error),
    #[error("no end after {} s; the API server may be unreachable", LIMIT.as_secs())]
    TooLong,
    #[error("no random bytes are to be had, so there is no new password")]
    NoPassword,
}

impl Error {
    /// The stage that failed: a bounded label.
    pub(crate) fn stage(&self) -> &'static str {
        match self {
            Self::Apply(_) => "apply",
            Self::Api { .. } => "api",
            Self::Clock(_) => "clock",
            Self::TooLong => "timeout",
            Self::NoPassword => "password",
        }
    }
}

pub(crate) fn failed(what: &'static str, done: &'static str) -> impl Fn(kube::Error) -> Error {
    move |source| Error::Api { what, done, source: Box::new(source) }
}
