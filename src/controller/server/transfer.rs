//! Marks everything of a kept server as another `Database`'s. A record says whose it was, so that whoever starts anew goes
//! on where it was left.

use api::DatabaseRef;
use k8s_openapi::NamespaceResourceScope;
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
    azure::{FlexibleServersConfiguration, FlexibleServersFirewallRule},
    controller::engine::cache::{Cache, Indexed},
    labels::{TRACKED, is_tracked, owner_labels},
};

/// Whether something of this server still bears the marks of who had it before, as far as the caches show.
pub(crate) fn is_due(
    caches: &Caches,
    operator_namespace: &str,
    server_name: &str,
    formerly: DatabaseRef<'_>,
) -> bool {
    let named = Named { operator_namespace, server_name, formerly };
    named.of(&caches.servers.cache).is_some()
        || named.of(&caches.databases).is_some()
        || named.of(&caches.administrators).is_some()
        || named.of(&caches.identities).is_some()
        || named.of(&caches.credentials).is_some()
        || named.secret(caches).is_some()
        || !named.rules(caches).is_empty()
        || !named.configurations(caches).is_empty()
}

/// Gives everything of a server that bears the marks of `formerly` those of another `Database`.
pub(crate) async fn transfer(
    context: &Context,
    server_name: &str,
    formerly: DatabaseRef<'_>,
    to: DatabaseRef<'_>,
) -> Result<(), Error> {
    let caches = &context.caches;
    let named = Named { operator_namespace: &context.operator_namespace, server_name, formerly };
    mark(context, named.of(&caches.databases), to).await?;
    mark(context, named.of(&caches.administrators), to).await?;
    mark(context, named.of(&caches.identities), to).await?;
    mark(context, named.of(&caches.credentials), to).await?;
    mark(context, named.secret(caches), to).await?;
    mark(context, named.rules(caches), to).await?;
    mark(context, named.configurations(caches), to).await?;
    mark(context, named.of(&caches.servers.cache), to).await
}

/// What there is of a server and its former `Database`.
struct Named<'a> {
    operator_namespace: &'a str,
    server_name: &'a str,
    formerly: DatabaseRef<'a>,
}

impl Named<'_> {
    fn of<K: Resource<DynamicType = ()> + DeserializeOwned>(&self, cache: &Cache<K>) -> Option<K> {
        self.get(cache, self.server_name)
    }

    fn secret(&self, caches: &Caches) -> Option<k8s_openapi::api::core::v1::Secret> {
        self.get(&caches.secrets, &password::secret_name(self.server_name))
    }

    fn get<K: Resource<DynamicType = ()> + DeserializeOwned>(
        &self,
        cache: &Cache<K>,
        name: &str,
    ) -> Option<K> {
        cache.own(self.operator_namespace, name, self.formerly)
    }

    fn rules(&self, caches: &Caches) -> Vec<FlexibleServersFirewallRule> {
        self.all(&caches.firewall_rules, |rule| rule.spec.owner.name.as_deref())
    }

    fn configurations(&self, caches: &Caches) -> Vec<FlexibleServersConfiguration> {
        self.all(&caches.configurations, |configuration| configuration.spec.owner.name.as_deref())
    }

    fn all<K: Resource<DynamicType = ()> + DeserializeOwned>(
        &self,
        cache: &Indexed<K>,
        server: impl Fn(&K) -> Option<&str>,
    ) -> Vec<K> {
        let mut all = cache.of(self.operator_namespace, self.formerly);
        all.retain(|object| server(object) == Some(self.server_name));
        all
    }
}

async fn mark<K>(
    context: &Context,
    found: impl IntoIterator<Item = K>,
    to: DatabaseRef<'_>,
) -> Result<(), Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug,
{
    for found in found {
        let mut labels = json!(owner_labels(to));
        if is_tracked(&found) {
            labels[TRACKED] = Value::Null;
        }
        if write::amend(context, &found, json!({"labels": labels})).await? {
            let (kind, object) = (K::kind(&()), found.name_any());
            tracing::info!(%kind, object, database = %to, "marked as another Database's");
        }
    }
    Ok(())
}
