//! Labels everything of a kept server as another `Database`'s. A record says whose it was, so that whoever starts anew goes
//! on where it was left.

use api::DatabaseRef;
use k8s_openapi::NamespaceResourceScope;
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{
    caches::Caches,
    context::Context,
    objects::{Objects, ServerRef},
    write::{self, Error},
};
use crate::labels::{TRACKED, is_tracked, owner_labels};

/// Whether something of this server is still labelled with who had it before, as far as the caches show.
pub(crate) fn is_due(
    caches: &Caches,
    operator_namespace: &str,
    server_name: &str,
    formerly: DatabaseRef<'_>,
) -> bool {
    let former = ServerRef { database: formerly, server_name };
    !Objects::of(caches, operator_namespace, &former).is_empty()
}

/// Labels everything of a server that is labelled with `formerly` with another `Database`. The server is last.
pub(crate) async fn transfer(
    context: &Context,
    server_name: &str,
    formerly: DatabaseRef<'_>,
    to: DatabaseRef<'_>,
) -> Result<(), Error> {
    let former = ServerRef { database: formerly, server_name };
    let Objects {
        server,
        database,
        administrator,
        identity,
        credential,
        secret,
        firewall_rules,
        configurations,
    } = Objects::of(&context.caches, &context.operator_namespace, &former);
    set_owner_labels(context, database, to).await?;
    set_owner_labels(context, administrator, to).await?;
    set_owner_labels(context, identity, to).await?;
    set_owner_labels(context, credential, to).await?;
    set_owner_labels(context, secret, to).await?;
    set_owner_labels(context, firewall_rules, to).await?;
    set_owner_labels(context, configurations, to).await?;
    set_owner_labels(context, server, to).await
}

async fn set_owner_labels<K>(
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
            tracing::info!(%kind, object, database = %to, "labelled as another Database's");
        }
    }
    Ok(())
}
