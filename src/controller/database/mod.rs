//! The loop over `Database` objects.
//!
//! [`reconcile`] is one pass. [`finalize`] settles what becomes of the data before a `Database` goes, [`recover`] gives it the
//! kept server of another one, and [`status`] says how everything is.

pub(crate) mod error;
pub(crate) mod finalize;
pub(crate) mod pause;
pub(crate) mod reconcile;
pub(crate) mod recover;
pub(crate) mod report;
pub(crate) mod status;

use std::sync::Arc;

use api::{Database, DatabaseRef};
use futures::{Stream, StreamExt, future};
use kube::runtime::{
    Controller, controller,
    reflector::{ObjectRef, Store},
    watcher,
};
use tokio_util::sync::CancellationToken;

use crate::controller::{
    engine::concurrency::bounded,
    server::{context::Context, ownership},
};

/// Looks after every `Database`, until the token is cancelled. `triggers` tell of one, and `all` of something that may change
/// every one.
pub(crate) async fn run(
    context: Arc<Context>,
    stream: impl Stream<Item = Result<Database, watcher::Error>> + Send + 'static,
    store: Store<Database>,
    triggers: impl Stream<Item = ObjectRef<Database>> + Send + 'static,
    all: impl Stream<Item = ()> + Send + Sync + 'static,
    stop: CancellationToken,
) {
    let gone = context.clone();
    Controller::for_stream(stream, store)
        .with_config(bounded())
        .reconcile_on(triggers)
        .reconcile_all_on(all)
        .graceful_shutdown_on(async move { stop.cancelled().await })
        .run(reconcile::reconcile, reconcile::on_error, context)
        .for_each(|result| {
            if let Err(error) = result {
                after_failure(&error, &gone);
            }
            future::ready(())
        })
        .await;
}

/// What isn't told by the pass itself.
fn after_failure(error: &controller::Error<error::Error, watcher::Error>, context: &Context) {
    match error {
        // Reported by `on_error`, with the object and its delay.
        controller::Error::ReconcilerFailed(..) => {}
        // It is gone since it was queued, perhaps without our finalizer.
        controller::Error::ObjectNotFound(gone) => {
            let gone = DatabaseRef::new(gone.namespace.as_deref().unwrap_or_default(), &gone.name);
            context.forget(gone);
            // Something of a server that is kept has changed.
            if let Some(record) = ownership::kept(&context.retained, gone) {
                context.look_at_record(&record.spec.server.name);
            }
        }
        error => tracing::warn!(%error, "a watch was interrupted"),
    }
}
