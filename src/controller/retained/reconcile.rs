//! One pass over one `RetainedDatabase`: what there is is seen, then it is planned what to do, and then that is done.

use std::{sync::Arc, time::Instant};

use api::{DatabaseRef, RetainedDatabase};
use kube::{
    ResourceExt,
    runtime::{controller::Action, reflector::ObjectRef},
};

use super::{
    act::{act, soon},
    plan,
    seen::see,
    status::{Told, tell},
    told,
};
use crate::controller::{
    engine::backoff::LIMIT,
    server::{
        context::Context,
        error::Error,
        objects::ServerRef,
        observe,
        restore::{Restored, restore},
        transfer,
    },
};

pub(crate) async fn reconcile(record: Arc<RetainedDatabase>, context: Arc<Context>) -> Result<Action, Error> {
    let started = Instant::now();
    let passed = tokio::time::timeout(LIMIT, Box::pin(pass(&record, &context))).await;
    let result = passed.map_err(|_| Error::TooLong).flatten();
    if result.is_ok() {
        context.retained_backoff.succeeded(&ObjectRef::from_obj(&*record));
    }
    let metrics = &context.metrics.passes_of_records;
    metrics.count(result.as_ref().map_or_else(Error::stage, |_| "ok"));
    metrics.took(started);
    result
}

async fn pass(record: &RetainedDatabase, context: &Context) -> Result<Action, Error> {
    if record.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let Some(database) = DatabaseRef::parse(&record.spec.database) else {
        tell(record, context, &Told::trouble(record, told::unreadable(record))).await?;
        return Ok(Action::await_change());
    };
    let kept = ServerRef { database, server_name: &record.spec.server.name };
    // What isn't known yet would be taken for gone: a way in that is open for closed.
    match observe::check(&context.caches) {
        Ok(()) => {}
        // What is written down tells whether Azure was told.
        Err(observe::Error::Blocked(why)) if !record.is_being_destroyed() => {
            tell(record, context, &Told::trouble(record, why)).await?;
            return Ok(soon());
        }
        Err(_) => return Ok(soon()),
    }
    if let Some(formerly) = record.spec.formerly.as_deref().and_then(DatabaseRef::parse)
        && transfer::is_due(&context.caches, &context.operator_namespace, kept.server_name, formerly)
    {
        transfer::transfer(context, kept.server_name, formerly, database).await?;
        return Ok(soon());
    }
    let seen = see(record, kept, context).await?;
    let plan = match plan::first(&seen) {
        Some(plan) => plan,
        None if seen.deletion_is_requested() => plan::then(&seen, Restored::There),
        None => plan::then(&seen, restore(record, &seen.kept, context).await?),
    };
    act(plan, &seen, context).await
}

#[allow(clippy::needless_pass_by_value, reason = "the signature is kube's")]
pub(super) fn on_error(record: Arc<RetainedDatabase>, error: &Error, context: Arc<Context>) -> Action {
    let delay = context.retained_backoff.failed(&ObjectRef::from_obj(&*record), record.metadata.generation);
    tracing::warn!(name = record.name_any(), %error, again_in_seconds = delay.as_secs(), "a RetainedDatabase failed");
    Action::requeue(delay)
}
