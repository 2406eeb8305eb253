//! The HTTP paths of the webhook.

use std::{sync::Arc, time::Instant};

use arc_swap::ArcSwap;
use axum::{
    Router, body::Bytes, extract::DefaultBodyLimit, http::StatusCode, response::IntoResponse, routing::post,
};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use policy::PolicyState;

use crate::{
    Metrics,
    metrics::ReviewLabels,
    review::{self, Answer, Basis, Hook},
};

/// The largest body: an object and its predecessor, 3 MiB each at most, and the review around them.
const BODY_LIMIT: usize = 7 * 1024 * 1024;

/// What the handlers share.
#[derive(Clone, Debug)]
pub struct State {
    /// The policy in force; swapped by whoever watches the ConfigMap.
    pub policy: Arc<ArcSwap<PolicyState>>,
    /// Name of the policy ConfigMap, for messages.
    pub policy_name: Arc<str>,
    pub metrics: Metrics,
}

/// `POST /mutate` and `POST /validate`.
pub fn router(state: State) -> Router {
    Router::new()
        .route(
            "/mutate",
            post(|axum::extract::State(state): axum::extract::State<State>, body: Bytes| async move {
                handle(&state, Hook::Mutate, &body)
            }),
        )
        .route(
            "/validate",
            post(|axum::extract::State(state): axum::extract::State<State>, body: Bytes| async move {
                handle(&state, Hook::Validate, &body)
            }),
        )
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(state)
}

/// The body is parsed here and not by an extractor: the API server takes any 4xx for a broken webhook, and a
/// review that can't be read deserves an answer that says so.
fn handle(state: &State, hook: Hook, body: &[u8]) -> axum::response::Response {
    let started = Instant::now();
    let policy = state.policy.load();
    let basis = Basis { state: &policy, policy_name: &state.policy_name, today: today() };
    let answer = review::answer(hook, body, &basis);
    state.metrics.duration.observe(started.elapsed().as_secs_f64());
    record(state, hook, &answer);
    match serde_json::to_vec(&answer.review) {
        Ok(json) => ([("content-type", "application/json")], json).into_response(),
        Err(error) => {
            tracing::error!(%error, "the answer can't be written as JSON");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn record(state: &State, hook: Hook, answer: &Answer) {
    let hook = match hook {
        Hook::Mutate => "mutate",
        Hook::Validate => "validate",
    };
    let codes = answer.denial.as_ref().map(policy::Denial::codes).unwrap_or_default();
    let labels = ReviewLabels {
        hook,
        operation: answer.operation,
        verdict: if answer.denial.is_some() { "denied" } else { "allowed" },
        code: codes.first().map(ToString::to_string).unwrap_or_default(),
    };
    state.metrics.reviews.get_or_create(&labels).inc();
    if answer.denial.is_some() {
        let subject = &answer.subject;
        let codes: Vec<String> = codes.iter().map(ToString::to_string).collect();
        tracing::info!(
            hook,
            operation = answer.operation,
            user = subject.user,
            namespace = subject.namespace,
            name = subject.name,
            dry_run = subject.dry_run,
            codes = codes.join(","),
            "denied"
        );
    }
}

fn today() -> Date {
    Timestamp::now().to_zoned(TimeZone::UTC).date()
}
