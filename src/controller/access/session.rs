//! How the operator gets in to a server: by a token of its own identity.

use std::net::IpAddr;

use api::reason::Reason;
use postgres::{Server, Tls, connect::TlsError};
use rustls::pki_types::CertificateDer;

use super::{AccessMetrics, Job, Outcome};
use crate::{entra::Tokens, leader::Fence};

/// Gets in to servers.
#[derive(Debug)]
pub(crate) struct Sessions {
    /// `None` where the operator was given no identity.
    tokens: Option<Tokens>,
    tls: Tls,
    /// Under which all servers are reached, instead of the addresses that the DNS has.
    address: Option<IpAddr>,
    fence: Fence,
    metrics: AccessMetrics,
}

impl Sessions {
    pub(crate) fn new(
        tokens: Option<Tokens>,
        authorities: impl IntoIterator<Item = CertificateDer<'static>>,
        address: Option<IpAddr>,
        fence: Fence,
        metrics: AccessMetrics,
    ) -> Result<Self, TlsError> {
        Ok(Self { tokens, tls: Tls::new(authorities)?, address, fence, metrics })
    }

    pub(crate) fn metrics(&self) -> &AccessMetrics {
        &self.metrics
    }

    /// Makes the server as it is wanted, and tells what isn't.
    pub(crate) async fn look(&self, job: &Job) -> Outcome {
        let Some(tokens) = &self.tokens else {
            let message = "The operator has no identity in Azure: the platform team must give its ServiceAccount one, by the \
                           chart's value controller.workloadIdentity.clientId, and make it a member of azure.administrator";
            return Outcome::unseen(Reason::NoToken, message.to_owned());
        };
        let token = match tokens.token().await {
            Ok(token) => token,
            Err(error) => return Outcome::unseen(Reason::NoToken, error.to_string()),
        };
        let wish = &job.wish;
        let desired = match wish.whole() {
            Ok(desired) => desired,
            Err(error) => return Outcome::unseen(Reason::SqlFailed, error.to_string()),
        };
        let server = Server::new(&wish.host, wish.port, &wish.administrator, &*token, self.tls.clone());
        let server = server.at(self.address).counted_in(self.metrics.connections());
        let result = postgres::pass(&server, &desired, &|| self.fence.is_open()).await;
        match &result {
            Ok(report) => {
                self.metrics.sent(report.statements);
                if !report.done.is_empty() {
                    let (server, done) = (&job.server_name, report.done.join("; "));
                    tracing::info!(database = %job.database, server, done, "changed by SQL");
                }
            }
            Err(error) => {
                if error.reason() == postgres::Reason::LoginRefused {
                    tokens.was_refused(&token).await;
                }
                tracing::warn!(database = %job.database, server = job.server_name, %error, "not looked into by SQL");
            }
        }
        Outcome::of(result)
    }
}
