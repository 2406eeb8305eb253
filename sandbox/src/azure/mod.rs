//! A stand-in for Azure that the real Azure Service Operator can't distinguish from the real one.
//!
//! It answers these parties, each on a free loopback port:
//!
//! - **ARM and the login authority** over HTTPS: [`arm`] and [`login`];
//! - **a CONNECT proxy**: [`proxy`]. The Azure SDK insists on asking `login.microsoftonline.com` whether an
//!   authority can be trusted; the proxy leads that one call here, and no other call anywhere;
//! - **tests**: [`control`], with [`client::Client`] as its typed client;
//! - **clients of PostgreSQL**, unless it is left out: [`gateway`], by the servers' own names. Behind each server is a real
//!   PostgreSQL, see [`servers`].
//!
//! It is strict where Azure is. What Azure refuses is refused by a rule in [`rules`], which are pure functions;
//! what Azure offers is data in [`catalogue`]. Everything that exists lives in one [`cloud::Cloud`], in memory.
//! The shapes of answers follow what Azure answered when ASO's maintainers recorded their tests against it
//! (API version 2025-08-01).

mod arm;
mod catalogue;
mod circumstances;
pub mod client;
mod clock;
mod cloud;
mod control;
mod directory;
mod endpoints;
mod faults;
mod gateway;
mod gateway_faults;
mod guid;
mod jwt;
mod login;
mod logins;
mod proxy;
mod requests;
mod rules;
mod serve;
mod servers;
#[cfg(test)]
mod tests;
mod work;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::{
    arm::identity::{TOKEN_EXCHANGE, WorkloadIdentity},
    circumstances::{Closed, Lock, Ownership, Region},
    control::{Existing, Login, Settings, TokenRequest},
    directory::DirectoryEntry,
    endpoints::RealServer,
    faults::{Fault, Phase},
    gateway_faults::{GatewayFault, GatewayFaultKind},
    logins::LoginAttempt,
    requests::Request,
};
use self::{
    arm::{errors, resource_id::ResourceId},
    cloud::Shared,
    jwt::{Keys, Signer},
    work::Jobs,
};

/// How a stand-in is started.
#[derive(Clone, Debug)]
pub struct Config {
    /// How long each long-running operation takes. Zero: done when it is asked about.
    pub delay: Duration,
    /// What the HTTPS port shows. Must be valid for `127.0.0.1`, `localhost` and `login.microsoftonline.com`.
    pub arm_cert: Certificate,
    /// A real PostgreSQL behind each server; `None` for a stand-in that only plays Azure's API.
    pub postgres: Option<Postgres>,
    pub addresses: Addresses,
}

/// Where a stand-in listens. By default its ports are free ones of the loopback address.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// ARM and the login authority.
    pub arm: SocketAddr,
    pub control: SocketAddr,
    /// Of the servers; `None` for a loopback address that no other stand-in has.
    pub gateway: Option<SocketAddr>,
}

impl Default for Addresses {
    fn default() -> Self {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self { arm: any, control: any, gateway: None }
    }
}

/// What it takes to reach the PostgreSQL behind each server.
#[derive(Clone, Debug)]
pub struct Postgres {
    /// What servers show. Must be valid for `*.postgres.database.azure.com`.
    pub cert: Certificate,
    /// Under which address clients on 127.0.0.1 and those with private addresses leave, which servers' firewalls judge: they
    /// are the cluster.
    pub cluster_address: Ipv4Addr,
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
    #[error("the stand-in for Azure can't make a key for its tokens")]
    Key,
    #[error("no loopback address has its port 5432 free for the stand-in's servers: {0}")]
    Gateway(#[source] io::Error),
}

/// Why a resource is not there: code and message of Azure's answer.
#[derive(Debug, thiserror::Error)]
#[error("the stand-in for Azure refused: {0}")]
pub struct Refused(String);

/// A running stand-in. Dropping it stops it at once; [`Azure::stop`] also waits until its ports are closed.
pub struct Azure {
    arm: SocketAddr,
    proxy: SocketAddr,
    control: SocketAddr,
    gateway: Option<SocketAddr>,
    shared: Shared,
    stopping: CancellationToken,
    tasks: TaskTracker,
}

impl Azure {
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let tls = serve::tls_acceptor(&config.arm_cert)?;
        let addresses = config.addresses;
        let (arm_listener, arm) = bind(addresses.arm).await?;
        let (proxy_listener, proxy) = bind(Addresses::default().arm).await?;
        let (control_listener, control) = bind(addresses.control).await?;

        let signer = Signer::new().map_err(|_| StartError::Key)?;
        let (jobs, received) = if config.postgres.is_some() {
            let (jobs, received) = Jobs::new();
            (jobs, Some(received))
        } else {
            (Jobs::default(), None)
        };
        let shared = Shared::new(config.delay, format!("https://{arm}"), jobs, signer);
        let stopping = CancellationToken::new();
        let tasks = TaskTracker::new();
        let azure = login::router(&shared).fallback_service(arm::router(shared.clone()));
        tasks.spawn(serve::https(arm_listener, tls, azure, stopping.clone()));
        tasks.spawn(proxy::serve(proxy_listener, arm, stopping.clone()));
        tasks.spawn(serve::http(control_listener, control::router(shared.clone()), stopping.clone()));
        if let Some(received) = received {
            tasks.spawn(servers::serve(shared.clone(), received, stopping.clone()));
        }
        let gateway = match config.postgres {
            Some(postgres) => {
                Some(open_gateway(addresses.gateway, &postgres, &shared, &tasks, &stopping).await?)
            }
            None => None,
        };
        tasks.close();
        Ok(Self { arm, proxy, control, gateway, shared, stopping, tasks })
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

    /// Where the servers' names should lead, each on port 5432; `None` without PostgreSQL.
    pub const fn gateway(&self) -> Option<SocketAddr> {
        self.gateway
    }

    /// Takes the tokens of a cluster's ServiceAccounts, which `issuer` issues, if a federated credential names them.
    /// `keys` is its JSON Web Key Set; says whether it is one.
    pub fn trust_issuer(&self, issuer: &str, keys: &serde_json::Value) -> bool {
        let Some(keys) = Keys::read(keys) else { return false };
        self.shared.lock().issuers.insert(issuer.to_owned(), keys);
        true
    }

    /// The tenant of everything in this Azure, until somebody logs in to another with a secret.
    pub fn set_tenant(&self, tenant: &str) {
        self.shared.lock().tenant = Some(tenant.to_owned());
    }

    /// An identity that is there from the start, in a group that is, with a ServiceAccount that may act as it. Returns its
    /// client id.
    pub fn create_identity(
        &self,
        subscription: &str,
        group: &str,
        location: &str,
        identity: &WorkloadIdentity<'_>,
    ) -> String {
        let group = ResourceId::group(subscription, group);
        arm::identity::create(&mut self.shared.lock(), &group, identity, location)
    }

    /// Who is in a group, by object ids.
    pub fn set_members(&self, group: &str, members: &[&str]) {
        let members = members.iter().map(|&member| member.to_owned()).collect();
        self.shared.lock().groups.insert(group.to_owned(), members);
    }

    /// A resource that is there from the start, written by the same rules as by a request: a server, or what lies on one.
    /// Returns once PostgreSQL has what it takes. It isn't in the log of requests: nobody asked for it.
    pub async fn put(&self, id: &str, body: &serde_json::Value) -> Result<(), Refused> {
        let refused = |error: errors::ArmError| Refused(error.to_string());
        let id = ResourceId::parse(id).ok_or_else(|| Refused(format!("{id} is not the id of a resource")))?;
        arm::put(&self.shared, &id, body).await.map_err(refused)
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

/// A loopback address that no stand-in of this machine has, with the port of PostgreSQL.
pub(crate) async fn free_gateway() -> io::Result<TcpListener> {
    gateway::bind().await
}

async fn open_gateway(
    address: Option<SocketAddr>,
    postgres: &Postgres,
    shared: &Shared,
    tasks: &TaskTracker,
    stopping: &CancellationToken,
) -> Result<SocketAddr, StartError> {
    let tls = serve::tls_config(&postgres.cert)?;
    let listener = match address {
        Some(address) => TcpListener::bind(address).await,
        None => gateway::bind().await,
    };
    let listener = Arc::new(listener.map_err(StartError::Gateway)?);
    let address = listener.local_addr().map_err(StartError::Gateway)?;
    shared.lock().cluster_address = postgres.cluster_address;
    tasks.spawn(gateway::serve(shared.clone(), listener, tls, stopping.clone()));
    Ok(address)
}

/// Also says where this machine finds it.
async fn bind(address: SocketAddr) -> Result<(Arc<TcpListener>, SocketAddr), StartError> {
    let listener = TcpListener::bind(address).await.map_err(StartError::Bind)?;
    let mut address = listener.local_addr().map_err(StartError::Bind)?;
    if address.ip().is_unspecified() {
        address.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    Ok((Arc::new(listener), address))
}
