//! Reviews that are asked for without a pause while something happens to the webhooks.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use axum::http::Request;
use sandbox::Sandbox;
use serde_json::{Value, json};
use tokio::runtime::Builder;

use crate::common::{PATIENCE, api_server};

/// Clients that ask for one review after the other.
pub(crate) const CLIENTS: usize = 4;
/// So many at least are asked for in each of the events.
pub(crate) const AT_LEAST: usize = 1000;
/// And so many after it is over.
const AFTER: usize = 200;
const PATH: &str = "/apis/altinn.app/v1alpha1/namespaces/orders/databases?dryRun=All";

/// One without a verdict: the API server refuses what it is about.
#[derive(Debug)]
pub(crate) struct Failure {
    /// After the beginning of the event.
    pub(crate) at: Duration,
    pub(crate) message: String,
}

/// What became of the reviews of one event.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) reviews: usize,
    pub(crate) failures: Vec<Failure>,
    /// Admitted, but nothing was filled in, as when only the webhook for defaults gives no answer.
    pub(crate) without_defaults: usize,
    pub(crate) longest: Duration,
    /// How long the event took.
    pub(crate) took: Duration,
}

struct Reviews {
    done: Arc<AtomicBool>,
    count: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<Vec<Review>>>,
}

struct Review {
    ended: Instant,
    took: Duration,
    failure: Option<String>,
    has_defaults: bool,
}

/// Has things reviewed during an event, and before and after it.
#[track_caller]
pub(crate) fn during(sandbox: &Sandbox, what: &str, event: impl FnOnce()) -> Outcome {
    let reviews = Reviews::start(sandbox);
    reviews.wait_for(AFTER);
    let begun = Instant::now();
    event();
    let took = begun.elapsed();
    reviews.wait_for(AT_LEAST.max(reviews.count() + AFTER));
    let reviews = reviews.end();
    let failures = reviews.iter().filter_map(|review| {
        let at = review.ended.saturating_duration_since(begun);
        Some(Failure { at, message: review.failure.clone()? })
    });
    let outcome = Outcome {
        reviews: reviews.len(),
        failures: failures.collect(),
        without_defaults: reviews.iter().filter(|one| one.failure.is_none() && !one.has_defaults).count(),
        longest: reviews.iter().map(|review| review.took).max().unwrap_or_default(),
        took,
    };
    println!(
        "{what}: {} reviews, {} failed, {} without defaults, the longest took {} ms, in {} s",
        outcome.reviews,
        outcome.failures.len(),
        outcome.without_defaults,
        outcome.longest.as_millis(),
        outcome.took.as_secs()
    );
    for failure in &outcome.failures {
        println!("  after {:.1} s: {}", failure.at.as_secs_f64(), failure.message);
    }
    outcome
}

impl Reviews {
    fn start(sandbox: &Sandbox) -> Self {
        let (done, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let client = |number| {
            let (done, count) = (done.clone(), count.clone());
            let kubeconfig = sandbox.kubeconfig().to_owned();
            thread::spawn(move || {
                let runtime = Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    let client = api_server::client(kubeconfig).await;
                    let mut reviews = Vec::new();
                    while !done.load(Ordering::Relaxed) {
                        reviews.push(review(&client, number, reviews.len()).await);
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                    reviews
                })
            })
        };
        let clients = (0..CLIENTS).map(client).collect();
        Self { done, count, clients }
    }

    fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    #[track_caller]
    fn wait_for(&self, count: usize) {
        let started = Instant::now();
        while self.count() < count {
            assert!(started.elapsed() < PATIENCE, "only {} of {count} reviews were answered", self.count());
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn end(self) -> Vec<Review> {
        self.done.store(true, Ordering::Relaxed);
        self.clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    }
}

/// Through both webhooks: what is left out is filled in, and the whole is judged.
async fn review(client: &kube::Client, number: usize, count: usize) -> Review {
    let manifest = json!({
        "apiVersion": "altinn.app/v1alpha1", "kind": "Database",
        "metadata": { "name": format!("review-{number}-{count}") }, "spec": {},
    });
    let request = Request::post(PATH).header("content-type", "application/json");
    let request = request.body(manifest.to_string().into_bytes()).unwrap();
    let begun = Instant::now();
    let answered = client.request::<Value>(request).await;
    let ended = Instant::now();
    let (failure, has_defaults) = match answered {
        Ok(database) => (None, !database["spec"]["version"].is_null()),
        Err(kube::Error::Api(status)) => (Some(status.message.clone()), false),
        Err(error) => (Some(error.to_string()), false),
    };
    Review { ended, took: ended - begun, failure, has_defaults }
}
