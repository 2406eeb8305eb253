//! Takes the looks that are asked for: a few at a time, each server once.

use std::{sync::Arc, time::Instant};

use api::Database;
use futures::{StreamExt, future};
use kube::runtime::reflector::ObjectRef;
use tokio::sync::mpsc::UnboundedSender;
use tokio_stream::wrappers::UnboundedReceiverStream;

use super::{AccessMetrics, Accesses, Job, Outcome, Queues};

/// How many are looked at together of those of which nothing bad is known, and of the others: 16 in all. A server that is dead
/// keeps its place for 5 seconds.
const TOGETHER: [usize; 2] = [12, 4];

/// Looks until nobody asks any more. `due` takes the `Database` of each that was looked at.
pub(crate) async fn run<F>(
    queues: Queues,
    accesses: Arc<Accesses>,
    metrics: &AccessMetrics,
    due: UnboundedSender<ObjectRef<Database>>,
    look: impl Fn(Arc<Job>) -> F,
) where
    F: Future<Output = Outcome>,
{
    let take = async |job: Job| {
        let job = Arc::new(job);
        let started = Instant::now();
        metrics.begins();
        let outcome = look(job.clone()).await;
        metrics.ends(outcome.reason, started.elapsed());
        accesses.found(&job, outcome, Instant::now());
        // Without a receiver the process is ending.
        let _ = due.send(job.database.clone());
    };
    let [healthy, troubled] = queues.0.map(UnboundedReceiverStream::new);
    let [at_once, of_troubled] = TOGETHER;
    future::join(
        healthy.for_each_concurrent(at_once, &take),
        troubled.for_each_concurrent(of_troubled, &take),
    )
    .await;
}
