//! What a denial leaves in the log.

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use axum::{body::Body, http::Request};
use exposition::Registry;
use rstest::rstest;
use serde_json::{Value, json};
use tower::ServiceExt;
use webhook::{Metrics, State};

use super::support::{Empty, json_of, review_of};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The lines that reviews leave behind, without a policy, and the metrics.
async fn asked(bodies: Vec<Vec<u8>>) -> (Vec<Value>, String) {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber =
        tracing_subscriber::fmt().json().flatten_event(true).with_writer(move || writer.clone()).finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let mut registry = Registry::default();
    let state = State {
        cluster: Arc::new(Empty),
        policy: Arc::default(),
        policy_name: "database-policy".into(),
        metrics: Metrics::new(&mut registry),
    };
    let router = webhook::router(state);
    for body in bodies {
        let request = Request::post("/validate").body(Body::from(body)).unwrap();
        router.clone().oneshot(request).await.unwrap();
    }
    drop(guard);
    let text = lines.0.lock().unwrap().clone();
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(json_of).collect();
    (lines, registry.text().unwrap())
}

async fn logged(body: Vec<u8>) -> Vec<Value> {
    asked(vec![body]).await.0
}

fn review() -> Value {
    let mut review = json_of(&review_of("Standard_SECRET"));
    review["request"]["userInfo"]["username"] = json!("flux");
    review["request"]["dryRun"] = json!(true);
    review
}

fn unreadable() -> Value {
    let mut review = review();
    review["request"]["object"]["metadata"]["annotations"] =
        json!({"altinn.app/retention": ["Standard_SECRET"]});
    review
}

#[rstest]
#[case::denied(review(), "CREATE", "DB401")]
#[case::unreadable(unreadable(), "unreadable", "DB501")]
#[tokio::test]
async fn a_denial_is_one_line_of_who_wanted_what_and_why_not(
    #[case] review: Value,
    #[case] operation: &str,
    #[case] code: &str,
) {
    let lines = logged(review.to_string().into_bytes()).await;
    let [line] = &lines[..] else { panic!("{lines:?}") };
    let expected = json!({
        "level": "INFO", "message": "denied", "hook": "validate", "operation": operation, "user": "flux",
        "namespace": "orders", "name": "main", "dry_run": true, "codes": code,
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&line[key], value, "{line}");
    }
    assert!(!line.to_string().contains("SECRET"), "{line}");
}

#[tokio::test]
async fn a_name_of_any_length_makes_a_short_line() {
    let mut review = review();
    review["request"]["userInfo"]["username"] = json!("ø".repeat(100_000));
    let lines = logged(review.to_string().into_bytes()).await;
    assert!(lines[0].to_string().len() < 1000);
}

/// Whoever reaches the port could fill the log.
#[tokio::test]
async fn a_flood_of_requests_that_get_no_review_is_one_line() {
    let (lines, metrics) = asked(vec![vec![b' '; 8 * 1024 * 1024]; 20]).await;
    let [line] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!((&line["level"], &line["reason"]), (&json!("WARN"), &json!("too_large")));
    assert!(metrics.contains("admission_requests_rejected_total{reason=\"too_large\"} 20\n"), "{metrics}");
}
