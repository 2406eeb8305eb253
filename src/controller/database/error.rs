//! Why a pass over a `Database` failed.

use kube::runtime::finalizer;

use crate::{
    api_error,
    controller::{
        engine::backoff::LIMIT,
        server::{error::Error as OfRecord, write},
    },
};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Apply(#[from] write::Error),
    #[error("the status can't be written: {}", api_error::words(.0))]
    Status(#[source] Box<kube::Error>),
    #[error("the finalizer can't be written: {}", api_error::of_finalizer(.0))]
    Finalizer(#[source] Box<finalizer::Error<Self>>),
    #[error(transparent)]
    Recover(#[from] OfRecord),
    #[error("no random bytes are to be had, so there is no password")]
    NoPassword,
    #[error("no end after {} s; the API server may be unreachable", LIMIT.as_secs())]
    TooLong,
}

impl Error {
    /// The stage that failed: a bounded label.
    pub(crate) fn stage(&self) -> &'static str {
        match self {
            Self::Apply(_) => "apply",
            Self::Status(_) => "status",
            Self::Finalizer(_) => "finalizer",
            Self::Recover(_) => "recover",
            Self::NoPassword => "password",
            Self::TooLong => "timeout",
        }
    }
}
