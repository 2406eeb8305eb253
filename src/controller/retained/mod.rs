//! Data whose `Database` is gone: kept, brought back, or brought to its end.
//!
//! [`reconcile`] is one pass over a `RetainedDatabase`: what was [`seen`] makes a [`plan`], and [`act`] does it. [`end`] says when
//! the server comes to its end, [`logins`] closes those that are open, [`told`] has the words for people, and [`status`] writes them. [`sweep`] finds servers that lost
//! their owner.

mod act;
pub(crate) mod end;
mod logins;
pub(crate) mod owner;
mod plan;
pub(crate) mod reconcile;
mod seen;
pub(crate) mod status;
pub(crate) mod sweep;
mod told;

use std::sync::Arc;

use api::{Database, RetainedDatabase};
use futures::{StreamExt, future};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{
    Api,
    core::DeserializeGuard,
    runtime::{
        Controller, WatchStreamExt, controller,
        reflector::{self, ObjectRef, Store},
        watcher,
    },
};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_stream::wrappers::UnboundedReceiverStream;

use crate::{
    cluster::readable::{Unreadable, readable},
    controller::{
        engine::{cache, concurrency::bounded},
        server::{context::Context, lists},
    },
};

/// Looks after everything that is kept, until it is dropped.
pub(crate) async fn run(
    context: Arc<Context>,
    writer: reflector::store::Writer<RetainedDatabase>,
    unreadable: Unreadable<impl Fn(&ObjectMeta, &str) + Send + 'static>,
    databases: Store<Database>,
    due: UnboundedReceiver<ObjectRef<RetainedDatabase>>,
) {
    let api: Api<DeserializeGuard<RetainedDatabase>> =
        Api::namespaced(context.client.clone(), &context.operator_namespace);
    let store = context.retained.clone();
    let stream = readable(watcher(api, cache::watch()).default_backoff(), unreadable)
        .modify(cache::prune)
        .reflect(writer)
        .touched_objects();
    let stream = lists::then(lists::all_but_records, context.clone(), stream);
    let records = Controller::for_stream(stream, store)
        .with_config(bounded())
        .reconcile_on(UnboundedReceiverStream::new(due))
        .run(reconcile::reconcile, reconcile::on_error, context.clone())
        .for_each(|result| async {
            match result {
                Ok(_)
                // Reported by `on_error`; or it is gone since it was queued.
                | Err(controller::Error::ReconcilerFailed(..) | controller::Error::ObjectNotFound(_)) => {}
                Err(error) => tracing::warn!(%error, "the watch of RetainedDatabases was interrupted"),
            }
        });
    future::join(records, sweep::run(&context, &databases)).await;
}
