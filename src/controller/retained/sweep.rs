//! Servers of ours that have neither a `Database` nor a record: their owner was lost. The CRD was deleted and made again, a
//! finalizer was forced off, the cluster was brought back from an old backup.

use std::{collections::HashSet, time::Duration};

use api::{Database, DatabaseRef, reason::Reason};
use kube::{
    Api, Resource,
    api::{ObjectMeta, PostParams},
    runtime::reflector::Store,
};

use super::owner::is_released;
use crate::{
    api_error,
    controller::{
        engine::cache,
        server::{context::Context, describe::Server, destroy, record, write},
    },
};

/// How often to look. Nothing is lost meanwhile: what stands in Azure stays there.
const EVERY: Duration = Duration::from_secs(30);

/// Goes on until it is dropped.
pub(super) async fn run(context: &Context, databases: &Store<Database>) {
    // What isn't listed yet isn't lost.
    if databases.wait_until_ready().await.is_err() || context.retained.wait_until_ready().await.is_err() {
        return;
    }
    loop {
        once(context, databases).await;
        tokio::time::sleep(EVERY).await;
    }
}

/// Every server that lost its owner gets a record.
pub(crate) async fn once(context: &Context, databases: &Store<Database>) {
    for server in orphans(context, databases) {
        let name = server.name();
        if let Err(error) = adopt(context, &server).await {
            tracing::warn!(server = name, %error, "a server without a Database gets no record; trying again");
        }
    }
}

/// As far as the caches tell.
fn orphans(context: &Context, databases: &Store<Database>) -> Vec<Server> {
    if context.caches.servers.cache.check().is_err() {
        return Vec::new();
    }
    let hash = |metadata: &ObjectMeta| {
        cache::hash(
            metadata.namespace.as_deref().unwrap_or_default(),
            metadata.name.as_deref().unwrap_or_default(),
        )
    };
    let owned: HashSet<u64> = databases
        .state()
        .iter()
        .filter(|database| !is_released(&database.metadata))
        .map(|database| hash(&database.metadata))
        .collect();
    let unowned = context.caches.servers.names_except(&owned);
    unowned
        .iter()
        .filter(|name| context.record_of(name).is_none())
        .filter_map(|name| context.server(name))
        // One that was given to another `Database` is noted for the former one, too.
        .filter(|server| {
            let labelled = server.labelled();
            labelled
                .is_some_and(|DatabaseRef { namespace, name }| !owned.contains(&cache::hash(namespace, name)))
        })
        .collect()
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Apply(#[from] write::Error),
    #[error("{}", api_error::words(.0))]
    Api(#[from] Box<kube::Error>),
}

/// The API server has the last word on whether there is a `Database`.
async fn adopt(context: &Context, server: &Server) -> Result<(), Error> {
    let Some(database) = server.labelled() else { return Ok(()) };
    if !server.belongs_to(database) || server.is_going() {
        return Ok(());
    }
    let databases: Api<Database> = Api::namespaced(context.client.clone(), database.namespace);
    let there = databases.get_metadata_opt(database.name).await.map_err(Box::new)?;
    if there.is_some_and(|database| !is_released(&database.metadata)) {
        return Ok(());
    }
    if server.is_probe() {
        // It was never ours: the object goes, and nothing in Azure.
        destroy::delete_object(context, server).await?;
        return Ok(());
    }
    let record = record::of_orphan(server, database, &context.operator_namespace, context.now());
    match context.records().create(&PostParams::default(), &record).await {
        Ok(record) => {
            let note = format!(
                "Database {database} is gone, and nobody has decided what becomes of its data. Server {} is kept; apply the \
                 manifest again to bring it back",
                server.name()
            );
            context.count_write("RetainedDatabase");
            context.events.publish_of(&record.object_ref(&()), Reason::OwnerLost.as_str(), &note).await;
            tracing::warn!(
                %database,
                server = server.name(),
                "its Database is gone; the server is kept"
            );
            Ok(())
        }
        // It is there already.
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
        Err(error) => Err(Box::new(error).into()),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{Method, Response};
    use http_body_util::Full;
    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::{
        azure::FlexibleServer,
        controller::{
            engine::cache::Health,
            golden::{client_of, in_an_empty_cluster},
        },
    };

    #[rstest]
    #[case::is_there_already(409, true)]
    #[case::is_not_allowed(403, false)]
    #[case::trouble(500, false)]
    #[tokio::test]
    async fn a_record_that_somebody_else_has_written_will_do(#[case] code: u16, #[case] expected: bool) {
        let client = client_of(move |request| async move {
            let code = if *request.method() == Method::GET { 404 } else { code };
            let reason = if code == 404 { "NotFound" } else { "" };
            let status = json!({"kind": "Status", "status": "Failure", "reason": reason, "code": code});
            Response::builder().status(code).body(Full::from(status.to_string())).unwrap()
        });
        let context = in_an_empty_cluster(&Health::Synced, client);
        let server: FlexibleServer = serde_json::from_value(json!({
            "apiVersion": "dbforpostgresql.azure.com/v20250801", "kind": "FlexibleServer",
            "metadata": {"name": "srv", "labels": {
                "app.kubernetes.io/managed-by": "database-operator",
                "altinn.app/database-namespace": "orders", "altinn.app/database-name": "main",
            }},
            "spec": {"azureName": "srv", "owner": {}, "location": "x", "tags": {"managed-by": "database-operator"}},
        }))
        .unwrap();
        assert_eq!(adopt(&context, &server.into()).await.is_ok(), expected);
    }
}
