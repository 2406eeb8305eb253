//! Everything of one server that the caches show, and the changes that are made to it by metadata alone.

use api::DatabaseRef;
use k8s_openapi::{NamespaceResourceScope, api::core::v1::Secret};
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{
    caches::Caches,
    context::Context,
    password,
    write::{self, Error},
};
use crate::{
    azure::{
        AT_REST, AsoObject, DETACH_ON_DELETE, FederatedIdentityCredential, FlexibleServer,
        FlexibleServersAdministrator, FlexibleServersConfiguration, FlexibleServersDatabase,
        FlexibleServersFirewallRule, MANAGE, Owner, RECONCILE_POLICY, SKIP, UserAssignedIdentity,
    },
    controller::engine::cache::{Cache, Indexed},
};

/// A server, and the `Database` that its objects are labelled with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServerRef<'a> {
    pub(crate) database: DatabaseRef<'a>,
    pub(crate) server_name: &'a str,
}

/// The objects that are labelled with the `Database`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Objects {
    pub(crate) server: Option<FlexibleServer>,
    pub(crate) database: Option<FlexibleServersDatabase>,
    pub(crate) administrator: Option<FlexibleServersAdministrator>,
    pub(crate) identity: Option<UserAssignedIdentity>,
    pub(crate) credential: Option<FederatedIdentityCredential>,
    /// With the administrator's passwords.
    pub(crate) secret: Option<Secret>,
    pub(crate) firewall_rules: Vec<FlexibleServersFirewallRule>,
    pub(crate) configurations: Vec<FlexibleServersConfiguration>,
}

impl Objects {
    pub(crate) fn of(caches: &Caches, operator_namespace: &str, of: &ServerRef<'_>) -> Self {
        let within = Within { namespace: operator_namespace, of: *of };
        Self {
            server: within.one(&caches.servers.cache),
            database: within.one(&caches.databases),
            administrator: within.one(&caches.administrators),
            identity: within.one(&caches.identities),
            credential: within.one(&caches.credentials),
            secret: caches.secrets.own(
                operator_namespace,
                &password::secret_name(of.server_name),
                of.database,
            ),
            firewall_rules: within.all(&caches.firewall_rules, |rule| &rule.spec.owner),
            configurations: within.all(&caches.configurations, |configuration| &configuration.spec.owner),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        let Self {
            server,
            database,
            administrator,
            identity,
            credential,
            secret,
            firewall_rules,
            configurations,
        } = self;
        server.is_none()
            && database.is_none()
            && administrator.is_none()
            && identity.is_none()
            && credential.is_none()
            && secret.is_none()
            && firewall_rules.is_empty()
            && configurations.is_empty()
    }
}

/// Where they are looked for.
struct Within<'a> {
    namespace: &'a str,
    of: ServerRef<'a>,
}

impl Within<'_> {
    fn one<K: AsoObject>(&self, cache: &Cache<K>) -> Option<K> {
        cache.own(self.namespace, self.of.server_name, self.of.database)
    }

    /// Those of this server: a `Database` may have another one, whose objects are labelled in the same way.
    fn all<K: AsoObject>(&self, cache: &Indexed<K>, owner: impl Fn(&K) -> &Owner) -> Vec<K> {
        let mut all = cache.of(self.namespace, self.of.database);
        all.retain(|object| owner(object).name.as_deref() == Some(self.of.server_name));
        all
    }
}

/// One of the objects.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Part {
    Server,
    Database,
    Administrator,
    Identity,
    Credential,
    Secret,
    /// By its place in the list.
    FirewallRule(usize),
    Configuration(usize),
}

/// What Azure Service Operator is to do with a resource in Azure.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Policy {
    /// It is kept up, and deleted with its object.
    Manage,
    /// It is kept up, and stays when its object is deleted.
    DetachOnDelete,
    /// It is looked at, and stays as it is.
    Skip,
}

impl Policy {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Manage => MANAGE,
            Self::DetachOnDelete => DETACH_ON_DELETE,
            Self::Skip => SKIP,
        }
    }
}

/// A write to one of the objects, as it was seen: one that has changed since is left as it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Act {
    SetPolicy(Part, Policy),
    Delete(Part),
}

pub(crate) async fn act(context: &Context, objects: &Objects, acts: &[Act]) -> Result<(), Error> {
    for act in acts {
        let (part, act) = match act {
            Act::SetPolicy(part, policy) => (*part, Some(*policy)),
            Act::Delete(part) => (*part, None),
        };
        match part {
            Part::Server => one(context, objects.server.as_ref(), act).await,
            Part::Database => one(context, objects.database.as_ref(), act).await,
            Part::Administrator => one(context, objects.administrator.as_ref(), act).await,
            Part::Identity => one(context, objects.identity.as_ref(), act).await,
            Part::Credential => one(context, objects.credential.as_ref(), act).await,
            Part::Secret => one(context, objects.secret.as_ref(), act).await,
            Part::FirewallRule(place) => one(context, objects.firewall_rules.get(place), act).await,
            Part::Configuration(place) => one(context, objects.configurations.get(place), act).await,
        }?;
    }
    Ok(())
}

/// Sets the reconcile policy of an object, or deletes it where none is given.
async fn one<K>(context: &Context, object: Option<&K>, policy: Option<Policy>) -> Result<(), Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + DeserializeOwned
        + Clone
        + std::fmt::Debug,
{
    let Some(object) = object else { return Ok(()) };
    let Some(policy) = policy else { return write::delete(context, object).await.map(drop) };
    // What rests is known by that.
    let rests = (policy == Policy::Skip).then_some("true");
    let annotations = json!({RECONCILE_POLICY: policy.as_str(), AT_REST: rests});
    if write::amend(context, object, json!({"annotations": annotations})).await? {
        tracing::info!(kind = %K::kind(&()), name = object.name_any(), policy = policy.as_str(), "reconcile policy set");
    }
    Ok(())
}
