//! What is known of a `Database` after the first stage.

use k8s_openapi::api::core::v1::Secret;
use policy::Recorded;

use super::{describe::Server, password, point_in_time::Restore, vault};
#[cfg(test)]
use crate::azure::FlexibleServer;
use crate::azure::{
    Administrator, Adoption, FederatedIdentityCredential, FlexibleServersAdministrator,
    FlexibleServersConfiguration, FlexibleServersDatabase, FlexibleServersFirewallRule, Identity, adoption,
    condition::{self, Progress},
};

/// What is known.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// Name of the server in Azure: recorded, found, or derived for the first time.
    pub(crate) server_name: String,
    pub(crate) server: Option<Server>,
    /// The object of the database in it.
    pub(crate) inner: Option<FlexibleServersDatabase>,
    /// Whether Azure made that database once.
    pub(crate) database_was_made: bool,
    /// Where its data come from, if it is yet to be made with those of another server.
    pub(crate) restore: Option<Restore>,
    /// The server whose data it began with, and their moment, as its tag says.
    pub(crate) restored: Option<(String, String)>,
    /// Roles that owned these data on a server that no `Database` has.
    pub(crate) owners: Vec<String>,
    /// Whether somebody said that an empty server or database may be made where there was one.
    pub(crate) accepts_empty: bool,
    /// What was said of an empty one, and has counted.
    pub(crate) accepted_empty: Option<String>,
    /// Uid of the namespace of the `Database`; `None` while it isn't known.
    pub(crate) namespace_uid: Option<String>,
    /// Uid of this cluster's namespace `kube-system`.
    pub(crate) cluster_uid: String,
    /// Azure's id of the server, as it was recorded.
    pub(crate) id: Option<String>,
    /// Whether the server may be written.
    pub(crate) adoption: Adoption,
    /// What the existing server is; `None` before it exists.
    pub(crate) recorded: Option<Recorded>,
    pub(crate) identity: Option<Identity>,
    /// Who administers it, or will.
    pub(crate) administrator: Administrator,
    /// What the app logged in by, or does still, where it administered the server before.
    pub(crate) former: Option<FormerLogin>,
    /// The objects of the server's parameters.
    pub(crate) configurations: Vec<FlexibleServersConfiguration>,
    /// The objects of the rules of its firewall.
    pub(crate) firewall_rules: Vec<FlexibleServersFirewallRule>,
    /// What has a vault make copies.
    pub(crate) backup_instance: vault::Existing,
    /// The Secret with the administrator's passwords.
    pub(crate) admin_secret: Option<Secret>,
}

/// What an app logs in by that administers its server, beside what it is given instead.
#[derive(Clone, Debug, Default)]
pub(crate) struct FormerLogin {
    /// `None` once it is gone.
    pub(crate) administrator: Option<FlexibleServersAdministrator>,
    pub(crate) credential: Option<FederatedIdentityCredential>,
    pub(crate) identity: Option<Identity>,
}

#[cfg(test)]
impl Known {
    /// Nothing but the server's object.
    pub(crate) fn of(server: FlexibleServer) -> Self {
        Self {
            server_name: server.spec.azure_name.clone(),
            server: Some(server.into()),
            inner: None,
            database_was_made: false,
            restore: None,
            restored: None,
            owners: Vec::new(),
            accepts_empty: false,
            accepted_empty: None,
            namespace_uid: None,
            cluster_uid: String::new(),
            id: None,
            recorded: None,
            adoption: Adoption::Manage,
            identity: None,
            administrator: Administrator::App,
            former: None,
            configurations: Vec::new(),
            firewall_rules: Vec::new(),
            backup_instance: vault::Existing { instance: None, unreadable: None },
            admin_secret: None,
        }
    }
}

impl Known {
    /// What Azure was told of passwords.
    pub(crate) fn sent_password(&self) -> password::Sent<'_> {
        let server = self.server.as_ref().map(Server::object).filter(|server| !adoption::is_probe(server));
        password::Sent {
            key: server
                .and_then(|server| server.spec.administrator_login_password.as_ref())
                .map(|password| password.key.as_str()),
            accepted: server.is_some_and(|server| condition::progress(server) == Progress::Ready),
        }
    }

    /// Parameters that Azure has taken, and that the server works by after a restart only, by their names in order.
    pub(crate) fn parameters_before_restart(&self) -> Vec<&str> {
        let waiting = self.configurations.iter().filter(|object| {
            object.status.as_ref().is_some_and(|status| status.is_config_pending_restart == Some(true))
        });
        let mut waiting: Vec<&str> = waiting.map(|object| object.spec.azure_name.as_str()).collect();
        waiting.sort_unstable();
        waiting
    }

    /// Host name of the server, which Azure tells when it has made it. Of a server that was only looked at, nobody has
    /// set up a login.
    pub(crate) fn host(&self) -> Option<&str> {
        self.server
            .as_ref()
            .map(Server::object)
            .filter(|server| !adoption::is_probe(server))?
            .status
            .as_ref()?
            .fully_qualified_domain_name
            .as_deref()
    }
}
