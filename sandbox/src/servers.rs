//! Servers of Azure's for tests of what logs in to them, without a cluster and without Azure Service Operator.
//!
//! ```no_run
//! use sandbox::Servers;
//! use sandbox::azure::client::TokenRequest;
//! use sandbox::postgres::Version;
//!
//! # async fn test() -> Result<(), Box<dyn std::error::Error>> {
//! let servers = Servers::start().await?;
//! // `orders.postgres.database.azure.com`, with the group `db-operators` as its administrator.
//! let server = servers.create("orders", Version::V17).await?;
//! // A password for that user, for an hour: of a member of the group.
//! let token = servers.azure().token(&TokenRequest::of(Servers::OPERATOR)).await?;
//! // PGHOSTADDR, and the root that servers' certificates are checked by.
//! let (address, root) = (servers.address(), servers.root_certificate());
//! # Ok(())
//! # }
//! ```
//!
//! Faults on the way, the firewall and the log of logins are those of [`azure::client::Client`].

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde_json::{Value, json};

use crate::azure::{self, Addresses, Azure, Certificate, Config, Postgres};
use crate::certificates::{self, Authority, Identity};
use crate::postgres::Version;

const SUBSCRIPTION: &str = "00000000-0000-4000-8000-000000000001";
const TENANT: &str = "00000000-0000-4000-8000-0000000000f1";
const GROUP: &str = "rg-databases";
const REGION: &str = "norwayeast";
/// From where the cluster comes, as servers see it.
const CLUSTER: Ipv4Addr = Ipv4Addr::new(20, 100, 0, 4);

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error(transparent)]
    Certificate(#[from] certificates::Error),
    #[error(transparent)]
    Start(#[from] azure::StartError),
    #[error(transparent)]
    Refused(#[from] azure::Refused),
    #[error("the stand-in for Azure has no gateway")]
    NoGateway,
}

/// A stand-in for Azure with real PostgreSQL servers. It ends when this is dropped.
#[derive(Debug)]
pub struct Servers {
    azure: Azure,
    gateway: SocketAddr,
    root: String,
}

impl Servers {
    /// The group that administers every server, by its object id; its role is called `db-operators`.
    pub const OPERATORS: &'static str = "11111111-1111-4111-8111-111111111111";
    /// A member of it.
    pub const OPERATOR: &'static str = "11111111-1111-4111-8111-1111111111aa";
    /// The role of the group.
    pub const ADMINISTRATOR: &'static str = "db-operators";
    /// The user with a password, and the password, of a server that takes passwords.
    pub const PASSWORD_LOGIN: (&'static str, &'static str) = ("dbadmin", "Correct-Horse-1");

    /// Without any server yet.
    pub async fn start() -> Result<Self, Error> {
        let authority = Authority::new()?;
        let arm = authority.server(&["127.0.0.1", "localhost", "login.microsoftonline.com"])?;
        let servers = authority.server(&["*.postgres.database.azure.com"])?;
        let postgres = Postgres { cert: certificate(servers), cluster_address: CLUSTER };
        let config = Config {
            delay: Duration::ZERO,
            arm_cert: certificate(arm),
            postgres: Some(postgres),
            addresses: Addresses::default(),
        };
        let azure = Azure::start(config).await?;
        azure.set_tenant(TENANT);
        azure.create_resource_group(SUBSCRIPTION, GROUP, REGION);
        azure.set_members(Self::OPERATORS, &[Self::OPERATOR]);
        let gateway = azure.gateway().ok_or(Error::NoGateway)?;
        Ok(Self { azure, gateway, root: authority.certificate().to_owned() })
    }

    /// A server that the cluster, which is any client on 127.0.0.1, reaches, and that takes tokens. Returns its host name.
    pub async fn create(&self, name: &str, version: Version) -> Result<String, Error> {
        self.create_with(name, version, json!({"passwordAuth": "Disabled"}), json!({})).await
    }

    /// One that takes passwords, too: that of [`Servers::PASSWORD_LOGIN`].
    pub async fn create_with_password(&self, name: &str, version: Version) -> Result<String, Error> {
        let (login, password) = Self::PASSWORD_LOGIN;
        let properties = json!({"administratorLogin": login, "administratorLoginPassword": password});
        self.create_with(name, version, json!({"passwordAuth": "Enabled"}), properties).await
    }

    async fn create_with(
        &self,
        name: &str,
        version: Version,
        methods: Value,
        properties: Value,
    ) -> Result<String, Error> {
        let mut server = json!({
            "location": REGION,
            "sku": {"name": "Standard_B1ms", "tier": "Burstable"},
            "properties": {
                "version": version.major(),
                "storage": {"storageSizeGB": 32},
                "authConfig": {"activeDirectoryAuth": "Enabled", "tenantId": TENANT},
            },
        });
        json_patch::merge(&mut server["properties"]["authConfig"], &methods);
        json_patch::merge(&mut server["properties"], &properties);
        let id = Self::id(name);
        self.azure.put(&id, &server).await?;
        let rule = json!({"properties": {"startIpAddress": CLUSTER, "endIpAddress": CLUSTER}});
        self.azure.put(&format!("{id}/firewallRules/cluster"), &rule).await?;
        let administrator = json!({"properties": {
            "principalName": Self::ADMINISTRATOR, "principalType": "Group", "tenantId": TENANT,
        }});
        self.azure.put(&format!("{id}/administrators/{}", Self::OPERATORS), &administrator).await?;
        Ok(format!("{name}.postgres.database.azure.com"))
    }

    /// The resource id of a server.
    pub fn id(name: &str) -> String {
        format!(
            "/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.DBforPostgreSQL/flexibleServers/{name}"
        )
    }

    /// Where every server's name should lead, on port 5432.
    pub const fn address(&self) -> IpAddr {
        self.gateway.ip()
    }

    /// The root that servers' certificates are checked by, PEM.
    pub fn root_certificate(&self) -> &str {
        &self.root
    }

    /// To stop and start servers, to inject faults, to get tokens and to see who logged in.
    pub fn azure(&self) -> azure::client::Client {
        azure::client::Client::new(self.azure.control())
    }

    /// Where Microsoft Entra ID answers, and Azure's API: `https://127.0.0.1:PORT`.
    pub fn authority(&self) -> String {
        self.azure.endpoint()
    }
}

fn certificate(identity: Identity) -> Certificate {
    Certificate { chain_pem: identity.certificate, key_pem: identity.key }
}
