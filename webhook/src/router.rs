//! The HTTP paths of the webhook.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use axum::{
    Router,
    body::Body,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use policy::PolicyState;

use crate::{
    Cluster, Limits, Metrics,
    body::{Bodies, Refused},
    cluster::Facts,
    metrics::{DenialLabels, Raised, RejectedLabels, ReviewLabels},
    review::{self, Answer, Basis, Hook, Question},
    seldom::Seldom,
};

/// Anyone who reaches the port can have requests refused, and must not fill the log with them.
const REFUSALS: Duration = Duration::from_secs(10);

/// What the handlers share.
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
    let desk = Arc::new(Desk { state, judge, bodies: Bodies::new(limits), refusals: Seldom::new(REFUSALS) });
    let mut router = Router::new();
    for (path, hook) in Hook::ALL.iter().copied() {
        let handler = async move |axum::extract::State(desk): axum::extract::State<Arc<Desk>>, body: Body| {
            desk.handle(hook, body).await
        };
        router = router.route(path, post(handler));
    }
    router.with_state(desk)
}

#[derive(Debug)]
struct Desk {
    state: State,
    judge: Judge,
    bodies: Bodies,
    refusals: Seldom,
}

impl Desk {
    /// The body is parsed here and not by an extractor: the API server takes any 4xx for a broken webhook, and a
    /// review that can't be read deserves an answer that says so.
    async fn handle(&self, hook: Hook, body: Body) -> Response {
        let metrics = &self.state.metrics;
        let _in_flight = Raised::new(&metrics.in_flight);
        let body = match self.bodies.read(body).await {
            Ok(body) => body,
            Err(refused) => return self.refuse(hook, refused),
        };
        let answer = self.answer(hook, &body.bytes).await;
        record(&self.state, hook, &answer);
        match serde_json::to_vec(&answer.review) {
            Ok(json) => ([("content-type", "application/json")], json).into_response(),
            Err(error) => {
                tracing::error!(%error, "the answer can't be written as JSON");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }

    async fn answer(&self, hook: Hook, body: &[u8]) -> Answer {
        let started = Instant::now();
        let policy = self.state.policy.load_full();
        let mut basis = Basis {
            state: &policy,
            policy_name: &self.state.policy_name,
            today: today(),
            facts: &Facts::default(),
        };
        let question = self.sound(|| Question::read(hook, body));
        let facts = match &question {
            Some(question) => Facts::gather(question.needs(&policy), &*self.state.cluster).await,
            None => Facts::default(),
        };
        basis.facts = &facts;
        let answer = question.and_then(|question| self.sound(|| (self.judge)(&question, &basis)));
        let answer = answer.unwrap_or_else(|| mistaken(hook, body, &basis));
        self.state.metrics.duration.observe(started.elapsed().as_secs_f64());
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

    /// `None` after a panic. One in a rule is a mistake of ours, and still gets a whole answer: a connection that just
    /// ends tells the user nothing, and takes other reviews along.
    fn sound<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        let result = catch_unwind(AssertUnwindSafe(work));
        if result.is_err() {
            self.state.metrics.panics.inc();
        }
        result.ok()
    }
}

fn mistaken(hook: Hook, body: &[u8], basis: &Basis<'_>) -> Answer {
    let answer = review::answer_mistake(hook, body, basis);
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

fn today() -> Date {
    Timestamp::now().to_zoned(TimeZone::UTC).date()
}
