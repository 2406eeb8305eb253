//! A stand-in for Azure that the real Azure Service Operator can't distinguish from the real one.
//!
//! It answers three parties, each on a free loopback port:
//!
//! - **ARM and the login authority** over HTTPS: [`arm`] and [`login`];
//! - **a CONNECT proxy**: [`proxy`]. The Azure SDK insists on asking `login.microsoftonline.com` whether an
//!   authority can be trusted; the proxy leads that one call here, and no other call anywhere;
//! - **tests**: [`control`], with [`client::Client`] as its typed client.
//!
//! It is strict where Azure is. What Azure refuses is refused by a rule in [`rules`], which are pure functions;
//! what Azure offers is data in [`catalogue`]. Everything that exists lives in one [`cloud::Cloud`], in memory.
//! The shapes of answers follow what Azure answered when ASO's maintainers recorded their tests against it
//! (API version 2025-08-01).

mod arm;
mod catalogue;
mod circumstances;
pub mod client;
mod cloud;
mod control;
mod faults;
mod guid;
mod login;
mod proxy;
mod requests;
mod rules;
mod serve;
#[cfg(test)]
mod tests;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::cloud::Shared;
pub use self::{
    circumstances::{Closed, Lock, Ownership, Region},
    control::{Existing, Login, Settings},
    faults::{Fault, Phase},
    requests::Request,
};

/// How a stand-in is started.
#[derive(Clone, Debug)]
pub struct Config {
    /// How long each long-running operation takes. Zero: done when it is asked about.
    pub delay: Duration,
    /// What the HTTPS port shows. Must be valid for `127.0.0.1`, `localhost` and `login.microsoftonline.com`.
    pub arm_cert: Certificate,
}

/// A certificate with its chain, and its private key, both PEM.
#[derive(Clone)]
pub struct Certificate {
    pub chain_pem: String,
    pub key_pem: String,
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate").finish_non_exhaustive()
    }
}

/// Why a stand-in could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    #[error("the stand-in for Azure found no free port on the loopback interface")]
    Bind(#[source] io::Error),
    #[error("the certificate for the stand-in for Azure can't be read")]
    Pem(#[source] rustls::pki_types::pem::Error),
    #[error("the certificate for the stand-in for Azure can't be used")]
    Certificate(#[source] rustls::Error),
}

/// A running stand-in. Dropping it stops it at once; [`Azure::stop`] also waits until its ports are closed.
pub struct Azure {
    arm: SocketAddr,
    proxy: SocketAddr,
    control: SocketAddr,
    shared: Shared,
    stopping: CancellationToken,
    tasks: TaskTracker,
}

impl Azure {
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let tls = serve::tls_acceptor(&config.arm_cert)?;
        let (arm_listener, arm) = bind().await?;
        let (proxy_listener, proxy) = bind().await?;
        let (control_listener, control) = bind().await?;

        let shared = Shared::new(config.delay, format!("https://{arm}"));
        let stopping = CancellationToken::new();
        let tasks = TaskTracker::new();
        let azure = login::router(&shared).fallback_service(arm::router(shared.clone()));
        tasks.spawn(serve::https(arm_listener, tls, azure, stopping.clone()));
        tasks.spawn(proxy::serve(proxy_listener, arm, stopping.clone()));
        tasks.spawn(serve::http(control_listener, control::router(shared.clone()), stopping.clone()));
        tasks.close();
        Ok(Self { arm, proxy, control, shared, stopping, tasks })
    }

    /// Where ARM and the login authority answer: `https://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> String {
        format!("https://{}", self.arm)
    }

    /// The CONNECT proxy, for `HTTPS_PROXY`: `http://127.0.0.1:PORT`.
    pub fn proxy(&self) -> String {
        format!("http://{}", self.proxy)
    }

    /// What tests ask: `http://127.0.0.1:PORT`.
    pub fn control(&self) -> String {
        format!("http://{}", self.control)
    }

    /// A resource group that is there from the start. It isn't in the log of requests: nobody asked for it.
    pub fn create_resource_group(&self, subscription: &str, name: &str, location: &str) {
        arm::resource_group::create(&mut self.shared.lock(), subscription, name, location);
    }

    pub async fn stop(self) {
        self.stopping.cancel();
        self.tasks.wait().await;
    }
}

impl std::fmt::Debug for Azure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Azure")
            .field("arm", &self.arm)
            .field("control", &self.control)
            .finish_non_exhaustive()
    }
}

impl Drop for Azure {
    fn drop(&mut self) {
        self.stopping.cancel();
    }
}

async fn bind() -> Result<(Arc<TcpListener>, SocketAddr), StartError> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(StartError::Bind)?;
    let address = listener.local_addr().map_err(StartError::Bind)?;
    Ok((Arc::new(listener), address))
}
