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

#[tokio::test]
async fn a_body_that_takes_many_times_its_length_when_parsed_is_refused() {
    let server = server().await;
    let body =
        format!("{{\"request\":{{\"userInfo\":{{\"extra\":{{\"a\":[{}\"\"]}}}}}}}}", "\"\",".repeat(100_000));
    let (status, _) = server.ask(b"h2", body.into_bytes()).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    server.shows("admission_requests_rejected_total{reason=\"too_heavy\"} 1").await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let server = server().await;
    let error = webhook::server::bind(server.address).await.unwrap_err().to_string();
    assert!(error.contains(&format!("can't listen on {}", server.address)), "{error}");
    assert!(error.contains("--listen"), "{error}");
}
