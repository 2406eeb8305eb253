//! The server as the API server meets it: TLS, both versions of HTTP, bad clients, and its end.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod bad_clients;
mod client_certificates;
mod log;
mod mistakes;
mod stopping;
mod support;

use hyper::StatusCode;
use rstest::rstest;
use serde_json::json;
use support::{json_of, review_of, server};

#[rstest]
#[case::http1(b"http/1.1")]
#[case::http2(b"h2")]
#[tokio::test]
async fn both_versions_of_http_are_answered(#[case] alpn: &[u8]) {
    let server = server().await;
    for (sku, allowed) in [("Standard_B1ms", true), ("banana", false)] {
        let (status, body) = server.ask(alpn, review_of(sku)).await;
        let answer = json_of(&body);
        assert_eq!(status, StatusCode::OK);
        assert_eq!(answer["response"]["allowed"], allowed, "{answer}");
    }
}

#[rstest]
#[case::http1(b"http/1.1")]
#[case::http2(b"h2")]
#[tokio::test]
async fn a_large_body_is_read(#[case] alpn: &[u8]) {
    let server = server().await;
    let (status, body) = server.ask(alpn, vec![b' '; 6 * 1024 * 1024]).await;
    assert_eq!(status, StatusCode::OK);
    assert!(String::from_utf8_lossy(&body).contains("DB501"));
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused() {
    let server = server().await;
    let (status, _) = server.ask(b"h2", vec![b' '; 8 * 1024 * 1024]).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    server.shows("admission_requests_rejected_total{reason=\"too_large\"} 1").await;
}

/// The parts that fit into a CREATE fit twice into each later UPDATE: whoever may create an object may change it, and
/// take its finalizers away.
#[rstest]
#[case::create("CREATE", 3000, None, true)]
#[case::create_of_more_than_an_update_takes_twice("CREATE", 4500, None, false)]
#[case::update("UPDATE", 3000, Some(3000), true)]
#[case::update_that_grows("UPDATE", 4500, Some(3000), false)]
#[case::update_that_shrinks("UPDATE", 3000, Some(4500), true)]
#[case::update_that_leaves_it_as_it_is("UPDATE", 4500, Some(4500), true)]
#[case::update_of_more_than_a_review_takes("UPDATE", 9000, Some(9000), false)]
#[tokio::test]
async fn an_object_has_a_bounded_number_of_parts(
    #[case] operation: &str,
    #[case] new: usize,
    #[case] old: Option<usize>,
    #[case] allowed: bool,
) {
    let mut review = json_of(&review_of("Standard_B1ms"));
    let object = review["request"]["object"].take();
    let of_parts = |count: usize| {
        let mut object = object.clone();
        object["metadata"]["managedFields"] = json!([{"fieldsV1": vec![json!({}); count]}]);
        object
    };
    review["request"]["operation"] = json!(operation);
    review["request"]["object"] = of_parts(new);
    review["request"]["oldObject"] = old.map(of_parts).unwrap_or_default();
    let server = server().await;
    let (status, body) = server.ask(b"http/1.1", review.to_string().into_bytes()).await;
    let answer = json_of(&body);
    assert_eq!(status, StatusCode::OK);
    assert_eq!((&answer["response"]["uid"], &answer["response"]["allowed"]), (&json!("1"), &json!(allowed)));
    assert_eq!(answer.to_string().contains("DB501"), !allowed, "{answer}");
}

#[tokio::test]
async fn a_body_that_takes_many_times_its_length_when_parsed_is_denied() {
    let server = server().await;
    let mut review = json_of(&review_of("Standard_B1ms"));
    review["request"]["userInfo"]["extra"] = json!({"a": vec![json!({"": 0}); 100_000]});
    let (status, body) = server.ask(b"h2", review.to_string().into_bytes()).await;
    let answer = json_of(&body);
    assert_eq!(status, StatusCode::OK);
    assert_eq!((&answer["response"]["uid"], &answer["response"]["allowed"]), (&json!("1"), &json!(false)));
    assert!(answer.to_string().contains("DB501"), "{answer}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let server = server().await;
    let error = webhook::server::bind(server.address).await.unwrap_err().to_string();
    assert!(error.contains(&format!("can't listen on {}", server.address)), "{error}");
    assert!(error.contains("--listen"), "{error}");
}
