//! Keeps the webhook's certificate: looks at it again and again, and tells of it in metrics, readiness and log.

use std::time::Duration;

use certs::{FilesError, KeepError, Served};
use jiff::Timestamp;
use prometheus_client::{
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};

/// A connection that died in silence must not keep a certificate from being renewed.
const LIMIT: Duration = Duration::from_secs(30);
/// How soon to look again when something is wrong.
const RETRY: Duration = Duration::from_secs(1);

/// Where the certificate comes from.
#[derive(Debug)]
pub(crate) enum Source {
    /// Issued by ourselves.
    Secret(certs::Keeper),
    /// Issued by others.
    Files(certs::Files),
}

#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Secret(#[from] KeepError),
    #[error(transparent)]
    Files(#[from] FilesError),
    #[error("the API server doesn't answer")]
    NoAnswer,
}

impl Source {
    async fn pass(&mut self) -> Result<(), Trouble> {
        match self {
            Self::Secret(keeper) => Ok(tokio::time::timeout(LIMIT, keeper.pass(Timestamp::now()))
                .await
                .map_err(|_| Trouble::NoAnswer)??),
            Self::Files(files) => Ok(files.pass(Timestamp::now())?),
        }
    }

    fn served(&self) -> Option<&Served> {
        match self {
            Self::Secret(keeper) => keeper.served(),
            Self::Files(files) => files.served(),
        }
    }
}

/// Looks at the certificate every so often; `ready` is called each time that all is well. Trouble is logged
/// once and tried again: the certificate that is served at present goes on.
pub(crate) async fn keep(mut source: Source, check: Duration, expiry: &Expiry, ready: impl Fn()) {
    let mut known = String::new();
    loop {
        let pass = source.pass().await;
        // Also after trouble: a certificate may have been renewed before it came.
        expiry.set(source.served());
        let wait = match pass {
            Ok(()) => {
                known.clear();
                ready();
                check
            }
            Err(trouble) => {
                let text = trouble.to_string();
                if text != known {
                    tracing::error!("{text}; trying again every second");
                    known = text;
                }
                RETRY
            }
        };
        tokio::time::sleep(wait).await;
    }
}

/// A gauge that isn't there before it has a value: an alert on a date must not see 1970.
type Date = Family<Vec<(String, String)>, Gauge>;

/// The metrics of what is served.
#[derive(Debug)]
pub(crate) struct Expiry {
    leaf: Date,
    authority: Date,
}

impl Expiry {
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let (leaf, authority) = (Date::default(), Date::default());
        registry.register(
            "certificate_not_after_seconds",
            "When the webhook's certificate expires, in seconds since 1970",
            leaf.clone(),
        );
        registry.register(
            "certificate_authority_not_after_seconds",
            "When the CA of the webhook's certificate expires, in seconds since 1970",
            authority.clone(),
        );
        Self { leaf, authority }
    }

    fn set(&self, served: Option<&Served>) {
        for (date, seconds) in [
            (&self.leaf, served.and_then(Served::not_after)),
            (&self.authority, served.and_then(Served::authority_not_after)),
        ] {
            if let Some(seconds) = seconds {
                date.get_or_create(&Vec::new()).set(seconds);
            }
        }
    }
}
