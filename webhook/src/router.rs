//! The HTTP paths of the webhook.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use axum::{
    Router,
    extract::Request,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use jiff::Timestamp;
use policy::PolicyState;
use tokio::{sync::Semaphore, time::timeout};

use crate::{
    Cluster, Limits, Metrics,
    body::{Bodies, Received, Refused},
    cluster::Facts,
    log_throttle::LogThrottle,
    metrics::{DenialLabels, Raised, RejectedLabels, ReviewLabels},
    review::{self, Answer, Basis, Envelope, Hook, Question},
};

/// Anyone who reaches the port can have requests refused, and must not fill the log with them.
const REFUSALS: Duration = Duration::from_secs(10);

/// What the answers to all paths share.
#[derive(Clone, Debug)]
pub struct State {
    /// The policy in force; swapped by whoever watches the ConfigMap.
    pub policy: Arc<ArcSwap<PolicyState>>,
    /// Name of the policy ConfigMap.
    pub policy_name: Arc<str>,
    /// Where facts are looked up.
    pub cluster: Arc<dyn Cluster>,
    pub metrics: Metrics,
}

/// From a question to its answer.
pub type Judge = fn(&Question, &Basis<'_>) -> Answer;

/// A `POST` for each hook.
pub fn router(state: State) -> Router {
    routes(state, review::answer, &Limits::default())
}

/// The same with another judge, or other limits.
pub fn routes(state: State, judge: Judge, limits: &Limits) -> Router {
    let handler = Arc::new(Handler {
        state,
        judge,
        bodies: Bodies::new(limits),
        policies: Arc::new(Semaphore::new(1)),
        patience: limits.policy,
        refusals: LogThrottle::new(REFUSALS),
    });
    let mut router = Router::new();
    for (path, hook) in Hook::ALL.iter().copied() {
        let answer =
            async move |axum::extract::State(handler): axum::extract::State<Arc<Handler>>,
                        request: Request| { handler.handle(hook, request).await };
        router = router.route(path, post(answer));
    }
    router.with_state(handler)
}

#[derive(Debug)]
struct Handler {
    state: State,
    judge: Judge,
    bodies: Bodies,
    /// For one policy at a time: judging one takes longer, and more memory, than all other reviews.
    policies: Arc<Semaphore>,
    patience: Duration,
    refusals: LogThrottle,
}

impl Handler {
    /// The body is parsed here and not by an extractor: the API server takes any 4xx for a broken webhook, and a
    /// review that can't be read deserves an answer that says so.
    async fn handle(&self, hook: Hook, mut request: Request) -> Response {
        let metrics = &self.state.metrics;
        let _in_flight = Raised::new(&metrics.in_flight);
        let turn = request.extensions_mut().remove().unwrap_or_default();
        let body = match self.bodies.read(request.into_body(), turn).await {
            Ok(body) => body,
            Err(refused) => return self.refuse(hook, refused),
        };
        let started = Instant::now();
        let answer = self.answer(hook, body).await;
        metrics.duration.observe(started.elapsed().as_secs_f64());
        let answer = match answer {
            Ok(answer) => answer,
            Err(refused) => return self.refuse(hook, refused),
        };
        record(&self.state, hook, &answer);
        match serde_json::to_vec(&answer.review) {
            Ok(json) => ([("content-type", "application/json")], json).into_response(),
            Err(error) => {
                tracing::error!(%error, "the answer can't be written as JSON");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }

    async fn answer(&self, hook: Hook, body: Received) -> Result<Answer, Refused> {
        let policy = self.state.policy.load_full();
        let question = catch_panic(&self.state.metrics, || Question::read(hook, &body.bytes));
        let answer = match question {
            Some(question) if question.is_about_policy(&self.state.policy_name) => {
                let uid = question.envelope();
                // Its text is in the question.
                drop(body);
                let answer = self.answer_about_policy(question, policy.clone()).await?;
                return Ok(answer.unwrap_or_else(|| self.mistaken(hook, &uid, &policy)));
            }
            Some(question) => {
                let facts = Facts::gather(question.needs(&policy), &*self.state.cluster).await;
                let basis = self.basis(&policy, &facts);
                catch_panic(&self.state.metrics, || (self.judge)(&question, &basis))
            }
            None => None,
        };
        Ok(answer.unwrap_or_else(|| self.mistaken(hook, &Envelope::read(&body.bytes), &policy)))
    }

    /// On a thread of its own, so that no other request waits for it, and one at a time. Who gives up leaves it to its end.
    async fn answer_about_policy(
        &self,
        question: Question,
        policy: Arc<PolicyState>,
    ) -> Result<Option<Answer>, Refused> {
        let judged = async {
            // It fails only for a semaphore that was closed, and nobody closes it.
            let place = self.policies.clone().acquire_owned().await.ok();
            let facts = Facts::gather(question.needs(&policy), &*self.state.cluster).await;
            let (judge, metrics) = (self.judge, self.state.metrics.clone());
            let policy_name = self.state.policy_name.clone();
            let work = tokio::task::spawn_blocking(move || {
                let _place = place;
                let basis =
                    Basis { state: &policy, policy_name: &policy_name, now: Timestamp::now(), facts: &facts };
                catch_panic(&metrics, || judge(&question, &basis))
            });
            work.await.unwrap_or_default()
        };
        timeout(self.patience, judged).await.map_err(|_| Refused::Overload)
    }

    fn basis<'a>(&'a self, state: &'a PolicyState, facts: &'a Facts) -> Basis<'a> {
        Basis { state, policy_name: &self.state.policy_name, now: Timestamp::now(), facts }
    }

    fn mistaken(&self, hook: Hook, asked: &Envelope, policy: &PolicyState) -> Answer {
        let answer = review::answer_mistake(hook, asked, &self.basis(policy, &Facts::default()));
        let subject = &answer.subject;
        tracing::error!(
            hook = hook.name(),
            user = short(&subject.user),
            namespace = short(&subject.namespace),
            name = short(&subject.name),
            "the review ended in a mistake of the webhook's own; this is a bug"
        );
        answer
    }

    fn refuse(&self, hook: Hook, refused: Refused) -> Response {
        let reason = refused.reason();
        self.state.metrics.rejected.get_or_create(&RejectedLabels { reason }).inc();
        if let Some(left_out) = self.refusals.now(reason) {
            tracing::warn!(hook = hook.name(), reason, left_out, "a request gets no review");
        }
        refused.status().into_response()
    }
}

/// `None` after a panic. One in a rule is a mistake of ours, and still gets a whole answer: a connection that just ends
/// tells the user nothing, and takes other reviews along.
fn catch_panic<T>(metrics: &Metrics, work: impl FnOnce() -> T) -> Option<T> {
    let result = catch_unwind(AssertUnwindSafe(work));
    if result.is_err() {
        metrics.panics.inc();
    }
    result.ok()
}

fn record(state: &State, hook: Hook, answer: &Answer) {
    let hook = hook.name();
    let codes = answer.denial.as_ref().map(policy::Denial::codes).unwrap_or_default();
    let labels = ReviewLabels {
        hook,
        operation: answer.operation,
        verdict: if answer.denial.is_some() { "denied" } else { "allowed" },
        code: codes.first().map(ToString::to_string).unwrap_or_default(),
    };
    state.metrics.reviews.get_or_create(&labels).inc();
    if let Some(denial) = &answer.denial {
        for problem in &denial.problems {
            let labels = DenialLabels { hook, code: problem.code.to_string() };
            state.metrics.denials.get_or_create(&labels).inc();
        }
        let subject = &answer.subject;
        let codes: Vec<String> = codes.iter().map(ToString::to_string).collect();
        tracing::info!(
            hook,
            operation = answer.operation,
            user = short(&subject.user),
            namespace = short(&subject.namespace),
            name = short(&subject.name),
            dry_run = subject.dry_run,
            codes = codes.join(","),
            "denied"
        );
    }
}

/// Whoever gets past the API server could fill the log with a name.
fn short(text: &str) -> &str {
    &text[..text.floor_char_boundary(256)]
}
