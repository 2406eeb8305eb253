//! Where in Azure the sandbox's databases are: what the policy says, so that ASO and the stand-in agree with it.

use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::options::Options;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("can't read the policy {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("the policy {} doesn't say where in Azure its databases are: {message}", path.display())]
    Parse { path: PathBuf, message: String },
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Place {
    pub(crate) subscription_id: String,
    pub(crate) tenant_id: String,
    pub(crate) resource_group: String,
    pub(crate) location: String,
    #[serde(default)]
    network: Network,
    workload_identity: Option<WorkloadIdentity>,
    administrator: Option<Administrator>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Administrator {
    object_id: String,
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
struct Network {
    #[serde(default)]
    firewall: Vec<FirewallRule>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct FirewallRule {
    start: Ipv4Addr,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct WorkloadIdentity {
    issuer: String,
}

impl Place {
    /// Under which address the cluster leaves: the first that the firewall lets in. A cluster of private servers needs none.
    pub(crate) fn cluster_address(&self) -> Ipv4Addr {
        self.network.firewall.first().map_or(Ipv4Addr::LOCALHOST, |rule| rule.start)
    }

    /// The object id of the administrator of all servers, if the policy names one, and whether it is a group.
    pub(crate) fn administrator(&self) -> Option<(&str, bool)> {
        let administrator = self.administrator.as_ref()?;
        Some((&administrator.object_id, administrator.kind.as_deref().is_none_or(|kind| kind == "Group")))
    }

    /// Who issues the tokens of ServiceAccounts.
    pub(crate) fn issuer(&self) -> Option<&str> {
        self.workload_identity.as_ref().map(|identity| identity.issuer.as_str())
    }
}

/// What is read of a policy here; all the rest is the operator's to judge.
#[derive(Debug, Deserialize)]
struct Policy {
    azure: Place,
}

/// A policy file, and where its databases are.
#[derive(Debug, Clone)]
pub(crate) struct PolicyFile {
    pub(crate) text: String,
    pub(crate) place: Place,
}

/// A policy of the form of examples/policy.yaml, with an empty line in the place of `administrator`: each app administers its own
/// server.
pub fn without_administrator(policy: &str) -> String {
    let lines = policy.lines().map(|line| if line.starts_with("  administrator:") { "" } else { line });
    lines.flat_map(|line| [line, "\n"]).collect()
}

impl PolicyFile {
    /// The one that a sandbox begins with. Where nothing stands behind the servers, nobody could log in to set them up, so that
    /// the default policy doesn't ask for that.
    pub(crate) fn of(options: &Options) -> Result<Self, Error> {
        let path = options.policy_path();
        let read = Self::read(&path)?;
        if options.policy.is_none() && options.without_postgres {
            return Self::parse(&path, without_administrator(&read.text));
        }
        Ok(read)
    }

    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let text =
            fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        Self::parse(path, text)
    }

    fn parse(path: &Path, text: String) -> Result<Self, Error> {
        let policy: Policy = serde_saphyr::from_str(&text)
            .map_err(|error| Error::Parse { path: path.to_owned(), message: error.to_string() })?;
        Ok(Self { text, place: policy.azure })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_administers_servers_can_be_left_out() {
        let policy = include_str!("../../examples/policy.yaml");
        let without: Policy = serde_saphyr::from_str(&without_administrator(policy)).unwrap();
        let with: Policy = serde_saphyr::from_str(policy).unwrap();
        assert_eq!((with.azure.administrator().is_some(), without.azure.administrator()), (true, None));
        assert_eq!(without.azure, super::Place { administrator: None, ..with.azure });
    }

    #[test]
    fn an_administrator_is_a_group_unless_the_policy_says_otherwise() {
        let policy = |administrator: &str| {
            let text = format!(
                "azure: {{subscriptionId: s, tenantId: t, resourceGroup: g, location: l, administrator: {administrator}}}"
            );
            serde_saphyr::from_str::<Policy>(&text).unwrap().azure
        };
        assert_eq!(policy("{name: n, objectId: a}").administrator(), Some(("a", true)));
        assert_eq!(policy("{name: n, objectId: a, type: Group}").administrator(), Some(("a", true)));
        assert_eq!(
            policy("{name: n, objectId: a, type: ServicePrincipal}").administrator(),
            Some(("a", false))
        );
        assert_eq!(policy("null").administrator(), None);
    }

    #[test]
    fn the_example_policy_says_where_its_databases_are() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/policy.yaml");
        let policy = PolicyFile::read(&path).unwrap();
        assert_eq!(policy.place.resource_group, "rg-databases");
        assert_eq!(policy.place.cluster_address(), Ipv4Addr::new(20, 100, 0, 4));
        assert_eq!(policy.place.issuer(), Some("https://oidc.example/prod-1"));
    }
}
