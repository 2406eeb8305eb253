//! One controller works at a time: who holds the Lease.
//!
//! Its holder renews it, and stops by its own clock before anyone else may take it. Each write asks the [`Fence`] first, so
//! that a process which was stopped and goes on writes nothing on top of the next leader's work.

mod election;
mod fence;

use std::time::{Duration, Instant};

use exposition::{Registry, Who};
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, Client, ResourceExt, api::PostParams};
use prometheus_client::metrics::gauge::Gauge;

use election::{Candidate, Decision, Observed};
pub(crate) use fence::Fence;

/// Name of the Lease in the operator's namespace.
const NAME: &str = "database-operator-controller";

/// A Lease that was given back is to be taken soon, however long it would have lasted.
const LONGEST_PACE: Duration = Duration::from_secs(2);

/// Why this process must end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Lost {
    #[error("another process leads now: {0}")]
    Taken(String),
    #[error("the Lease {NAME} couldn't be renewed in time: {0}")]
    NotRenewed(String),
}

/// This process, as it stands for election.
pub(crate) struct Leader {
    api: Api<Lease>,
    candidate: Candidate,
    observed: Option<Observed>,
    fence: Fence,
    gauge: Gauge,
}

impl std::fmt::Debug for Leader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Leader").field("candidate", &self.candidate).finish_non_exhaustive()
    }
}

enum Round {
    Leads,
    Waits(String),
}

/// The metric that a [`Leader`] keeps.
pub(crate) fn gauge(registry: &mut Registry) -> Gauge {
    let gauge = Gauge::default();
    registry.register("leader", "Whether this process is the one that works", Who::OnCall, gauge.clone());
    gauge
}

impl Leader {
    /// Leads nothing yet. The client must not be one that asks the fence.
    pub(crate) fn new(
        client: Client,
        namespace: &str,
        duration: Duration,
        fence: Fence,
        gauge: Gauge,
    ) -> Self {
        let candidate = Candidate { name: name(), duration };
        Self { api: Api::namespaced(client, namespace), candidate, observed: None, fence, gauge }
    }

    /// How long to lead without a renewal: short of the duration, so that a write that is under way ends in time.
    fn deadline(&self) -> Duration {
        self.candidate.duration * 2 / 3
    }

    /// How often to look at the Lease.
    fn pace(&self) -> Duration {
        (self.candidate.duration * 2 / 15).min(LONGEST_PACE)
    }

    /// Waits until this process leads.
    pub(crate) async fn elected(&mut self) {
        let mut said = String::new();
        loop {
            let message = match self.round().await {
                Ok(Round::Leads) => {
                    tracing::info!(name = self.candidate.name, "leading");
                    self.gauge.set(1);
                    return;
                }
                Ok(Round::Waits(holder)) => format!("waiting: {holder} leads"),
                Err(error) => format!("the Lease {NAME} can't be acquired, trying again: {error}"),
            };
            if message != said {
                tracing::info!("{message}");
                said = message;
            }
            tokio::time::sleep(self.pace()).await;
        }
    }

    /// Renews the Lease for as long as that works.
    pub(crate) async fn lead(&mut self) -> Lost {
        let mut trouble = "the process was stopped".to_owned();
        loop {
            tokio::time::sleep(self.pace()).await;
            // By the time that has passed, not by what is known of the Lease.
            if !self.fence.is_open() {
                return self.lost(Lost::NotRenewed(trouble));
            }
            match self.round().await {
                Ok(Round::Leads) => "the process was stopped".clone_into(&mut trouble),
                Ok(Round::Waits(holder)) => return self.lost(Lost::Taken(holder)),
                Err(error) => trouble = error.to_string(),
            }
        }
    }

    fn lost(&self, lost: Lost) -> Lost {
        self.fence.set(None);
        self.gauge.set(0);
        lost
    }

    /// Gives the Lease back, so that the next one need not wait for its end. Nothing is written from here on.
    pub(crate) async fn release(&mut self) {
        self.fence.set(None);
        self.gauge.set(0);
        let given_back = async {
            let found = self.api.get(NAME).await?;
            if let Some(free) = self.candidate.release(found) {
                self.api.replace(NAME, &PostParams::default(), &free).await?;
            }
            Ok::<_, kube::Error>(())
        };
        match tokio::time::timeout(self.pace(), given_back).await {
            Ok(Ok(())) => tracing::info!("the Lease is given back"),
            Ok(Err(error)) => {
                tracing::warn!(%error, "the Lease can't be given back; the next leader waits for its end");
            }
            Err(_) => {
                tracing::warn!("the Lease can't be given back in time; the next leader waits for its end");
            }
        }
    }

    /// Looks at the Lease once, and writes it if it is ours or free.
    async fn round(&mut self) -> Result<Round, kube::Error> {
        // From before the request: the others count from when they see it, which is later.
        let started = Instant::now();
        let limit = self.pace().max(Duration::from_secs(1));
        let found = within(limit, self.api.get_opt(NAME)).await?;
        let decision = self.candidate.decide(found.as_ref(), &mut self.observed, Timestamp::now(), started);
        let mut lease = match decision {
            Decision::Wait { holder } => return Ok(Round::Waits(holder)),
            Decision::Write(lease) => *lease,
        };
        lease.metadata.name = Some(NAME.to_owned());
        let write = async {
            if found.is_some() {
                self.api.replace(NAME, &PostParams::default(), &lease).await
            } else {
                self.api.create(&PostParams::default(), &lease).await
            }
        };
        let written = within(limit, write).await?;
        tracing::debug!(version = written.resource_version(), "the Lease is renewed");
        self.fence.set(Some(started + self.deadline()));
        Ok(Round::Leads)
    }
}

async fn within<T>(
    limit: Duration,
    request: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, kube::Error> {
    let no_answer = |_| Err(kube::Error::Service("no answer in time".into()));
    tokio::time::timeout(limit, request).await.unwrap_or_else(no_answer)
}

/// The pod's name, and what distinguishes its containers, one after another.
fn name() -> String {
    let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "controller".to_owned());
    format!("{host}_{}_{}", std::process::id(), Timestamp::now().as_millisecond())
}
