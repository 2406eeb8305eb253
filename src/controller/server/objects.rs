//! Everything of one server that the caches show, and the changes that are made to it by metadata alone.

use api::DatabaseRef;
use k8s_openapi::{NamespaceResourceScope, api::core::v1::Secret};
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

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
        FlexibleServersFirewallRule, MANAGE, Owner, RECONCILE_POLICY, SKIP, UserAssignedIdentity, names,
    },
    controller::engine::cache::{Cache, Indexed},
    labels::{TRACKED, is_tracked, owner_labels},
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
    /// Two of a server whose app administers it, or did: the app has another identity then.
    pub(crate) administrators: Vec<FlexibleServersAdministrator>,
    pub(crate) identities: Vec<UserAssignedIdentity>,
    pub(crate) credentials: Vec<FederatedIdentityCredential>,
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
            administrators: within.named(&caches.administrators, names::platform_administrator),
            identities: within.named(&caches.identities, names::app_identity),
            credentials: within.named(&caches.credentials, names::app_identity),
            secret: caches.secrets.own(
                operator_namespace,
                &password::secret_name(of.server_name),
                of.database,
            ),
            firewall_rules: within.all(&caches.firewall_rules, |rule| &rule.spec.owner),
            configurations: within.all(&caches.configurations, |configuration| &configuration.spec.owner),
        }
    }

    /// Those that there are. The server is last.
    pub(crate) fn parts(&self) -> Vec<Part> {
        let Self {
            server,
            database,
            administrators,
            identities,
            credentials,
            secret,
            firewall_rules,
            configurations,
        } = self;
        let mut parts = Vec::from_iter(database.as_ref().map(|_| Part::Database));
        parts.extend((0..administrators.len()).map(Part::Administrator));
        parts.extend((0..identities.len()).map(Part::Identity));
        parts.extend((0..credentials.len()).map(Part::Credential));
        parts.extend(secret.as_ref().map(|_| Part::Secret));
        parts.extend((0..firewall_rules.len()).map(Part::FirewallRule));
        parts.extend((0..configurations.len()).map(Part::Configuration));
        parts.extend(server.as_ref().map(|_| Part::Server));
        parts
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

    /// The one of the server's name, and the other.
    fn named<K: AsoObject>(&self, cache: &Cache<K>, other: fn(&str) -> String) -> Vec<K> {
        let ServerRef { database, server_name } = self.of;
        let other = cache.own(self.namespace, &other(server_name), database);
        self.one(cache).into_iter().chain(other).collect()
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
    Secret,
    /// By its place in the list.
    Administrator(usize),
    Identity(usize),
    Credential(usize),
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
pub(crate) enum Act<'a> {
    SetPolicy(Part, Policy),
    /// Labels it as another `Database`'s.
    SetOwner(Part, DatabaseRef<'a>),
    Delete(Part),
}

pub(crate) async fn act(context: &Context, objects: &Objects, acts: &[Act<'_>]) -> Result<(), Error> {
    for act in acts {
        let (Act::SetPolicy(part, _) | Act::SetOwner(part, _) | Act::Delete(part)) = *act;
        match part {
            Part::Server => one(context, objects.server.as_ref(), act).await,
            Part::Database => one(context, objects.database.as_ref(), act).await,
            Part::Administrator(place) => one(context, objects.administrators.get(place), act).await,
            Part::Identity(place) => one(context, objects.identities.get(place), act).await,
            Part::Credential(place) => one(context, objects.credentials.get(place), act).await,
            Part::Secret => one(context, objects.secret.as_ref(), act).await,
            Part::FirewallRule(place) => one(context, objects.firewall_rules.get(place), act).await,
            Part::Configuration(place) => one(context, objects.configurations.get(place), act).await,
        }?;
    }
    Ok(())
}

async fn one<K>(context: &Context, object: Option<&K>, act: &Act<'_>) -> Result<(), Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + DeserializeOwned
        + Clone
        + std::fmt::Debug,
{
    let Some(object) = object else { return Ok(()) };
    let (kind, name) = (K::kind(&()), object.name_any());
    match *act {
        Act::Delete(_) => drop(write::delete(context, object).await?),
        Act::SetPolicy(_, policy) => {
            // What rests is known by that.
            let rests = (policy == Policy::Skip).then_some("true");
            let policy = policy.as_str();
            let annotations = json!({RECONCILE_POLICY: policy, AT_REST: rests});
            if write::amend(context, object, json!({"annotations": annotations})).await? {
                tracing::info!(%kind, name, policy, "reconcile policy set");
            }
        }
        Act::SetOwner(_, to) => {
            let mut labels = json!(owner_labels(to));
            if is_tracked(object) {
                labels[TRACKED] = Value::Null;
            }
            if write::amend(context, object, json!({"labels": labels})).await? {
                tracing::info!(%kind, object = name, database = %to, "labelled as another Database's");
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::engine::cache::Health;

    const SERVER: ServerRef<'_> =
        ServerRef { database: DatabaseRef::new("orders", "main"), server_name: "srv" };

    /// An object that is labelled with orders/main.
    fn object(kind: &str, name: &str, spec: &Value) -> Value {
        let group = match kind {
            "UserAssignedIdentity" | "FederatedIdentityCredential" => {
                "managedidentity.azure.com/v1api20230131"
            }
            _ => "dbforpostgresql.azure.com/v20250801",
        };
        json!({
            "apiVersion": if kind == "Secret" { "v1" } else { group }, "kind": kind, "spec": spec,
            "metadata": {"name": name, "namespace": "ns", "labels": owner_labels(SERVER.database)},
        })
    }

    fn child(kind: &str, name: &str, server: &str) -> Value {
        let spec = json!({
            "azureName": name, "owner": {"name": server}, "startIpAddress": "1.1.1.1", "endIpAddress": "1.1.1.1",
            "issuer": "i", "subject": "s", "audiences": [], "principalName": "p", "principalType": "ServicePrincipal",
            "tenantId": "t", "location": "x",
        });
        object(kind, name, &spec)
    }

    fn parts(objects: &[Value]) -> Vec<Part> {
        Objects::of(&Caches::holding(objects, &Health::Synced), "ns", &SERVER).parts()
    }

    #[test]
    fn all_that_a_server_has_is_found_and_the_server_is_last() {
        let all = [
            object("FlexibleServer", "srv", &json!({"azureName": "srv", "owner": {}, "location": "x"})),
            child("FlexibleServersDatabase", "srv", "srv"),
            child("FlexibleServersAdministrator", "srv", "srv"),
            child("FlexibleServersAdministrator", "srv-platform", "srv"),
            child("UserAssignedIdentity", "srv", "srv"),
            child("UserAssignedIdentity", "srv-app", "srv"),
            child("FederatedIdentityCredential", "srv", "srv"),
            child("FederatedIdentityCredential", "srv-app", "srv-app"),
            object("Secret", &password::secret_name("srv"), &Value::Null),
            child("FlexibleServersFirewallRule", "srv-a", "srv"),
            child("FlexibleServersConfiguration", "srv-work-mem", "srv"),
        ];
        let expected = [
            Part::Database,
            Part::Administrator(0),
            Part::Administrator(1),
            Part::Identity(0),
            Part::Identity(1),
            Part::Credential(0),
            Part::Credential(1),
            Part::Secret,
            Part::FirewallRule(0),
            Part::Configuration(0),
            Part::Server,
        ];
        assert_eq!(parts(&all), expected);
        assert_eq!(parts(&[]), []);
    }

    /// Its ways in would be closed, though nobody has asked for that.
    #[test]
    fn what_another_server_of_the_same_database_has_is_left_out() {
        let others = [
            child("FlexibleServersFirewallRule", "other-a", "other"),
            child("FlexibleServersConfiguration", "other-work-mem", "other"),
            child("FlexibleServersDatabase", "other", "other"),
        ];
        assert_eq!(parts(&others), []);
    }

    #[test]
    fn what_is_labelled_with_another_database_is_left_out() {
        let mut rule = child("FlexibleServersFirewallRule", "srv-a", "srv");
        let mut server =
            object("FlexibleServer", "srv", &json!({"azureName": "srv", "owner": {}, "location": "x"}));
        for object in [&mut rule, &mut server] {
            object["metadata"]["labels"] = json!(owner_labels(DatabaseRef::new("orders", "other")));
        }
        assert_eq!(parts(&[rule, server]), []);
    }
}
