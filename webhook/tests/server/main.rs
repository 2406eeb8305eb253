//! The server as the API server meets it: TLS, both versions of HTTP, bad clients, and its end.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod bad_clients;
mod client_certificates;
#[allow(dead_code, reason = "the families alone are of use here")]
#[path = "../../../fuzz/src/lib.rs"]
mod fuzz;
mod load;
mod log;
mod mistakes;
mod stopping;
mod support;

use hyper::{
    StatusCode,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rstest::rstest;
use serde_json::{Map, Value, json};
use std::{
    error::Error,
    io::{self, ErrorKind},
};
use support::{PATIENCE, json_of, quick, review_of, server, server_with};
use tokio::{io::AsyncWriteExt, time::timeout};
use webhook::{Limits, review};

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
    // Built without optimizing, on a machine with other work, it may take longer than the API server waits.
    let server = server_with(Limits { body: PATIENCE, ..quick() }, review::answer).await;
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

/// Nothing announces its length. HTTP/1 has no word that stops a sender, only the end of the connection: whoever is in
/// the middle of a write then may see that end before the answer.
#[rstest]
#[case::http1(b"http/1.1")]
#[case::http2(b"h2")]
#[tokio::test]
async fn a_body_that_grows_beyond_the_limit_is_refused(#[case] alpn: &[u8]) {
    let server = server().await;
    let (mut body, sent) = tokio::io::duplex(64 * 1024);
    let request = hyper::Request::post(format!("https://{}/validate", server.address))
        .header("host", "x")
        .body(bad_clients::Piped::new(sent))
        .unwrap();
    let io = TokioIo::new(server.connect(alpn).await);
    tokio::spawn(async move {
        let piece = vec![b' '; 64 * 1024];
        // It ends early where the server takes no more.
        while body.write_all(&piece).await.is_ok() {}
    });
    let response = if alpn == b"h2" {
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        timeout(PATIENCE, sender.send_request(request)).await
    } else {
        let (mut sender, connection) = http1::handshake(io).await.unwrap();
        tokio::spawn(connection);
        timeout(PATIENCE, sender.send_request(request)).await
    };
    match response.expect("an answer, or the end of the connection") {
        Ok(response) => assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE),
        Err(error) => {
            let ended =
                error.source().and_then(|source| source.downcast_ref::<io::Error>()).map(io::Error::kind);
            assert!(matches!(ended, Some(ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)), "{error:?}");
            assert_eq!(alpn, b"http/1.1");
        }
    }
    server.shows("admission_requests_rejected_total{reason=\"too_large\"} 1").await;
}

/// Who owns which field is a list that grows with everybody who writes, and nobody here looks at it: it must not keep
/// anyone from taking a finalizer away.
#[rstest]
#[case::create("CREATE")]
#[case::update("UPDATE")]
#[case::delete("DELETE")]
#[tokio::test]
async fn an_object_may_have_any_number_of_parts_that_nobody_looks_at(#[case] operation: &str) {
    let mut review = json_of(&review_of("Standard_B1ms"));
    let mut object = review["request"]["object"].take();
    object["metadata"]["annotations"] = json!({"altinn.app/retention": "Retain"});
    object["metadata"]["managedFields"] = json!([{"fieldsV1": vec![json!({"": 0}); 100_000]}]);
    review["request"]["operation"] = json!(operation);
    review["request"]["userInfo"]["extra"] = json!({"a": vec![json!({"": 0}); 100_000]});
    review["request"]["object"] = if operation == "DELETE" { Value::Null } else { object.clone() };
    review["request"]["oldObject"] = if operation == "CREATE" { Value::Null } else { object };
    let server = server().await;
    let (status, body) = server.ask(b"http/1.1", review.to_string().into_bytes()).await;
    let answer = json_of(&body);
    assert_eq!(status, StatusCode::OK);
    assert_eq!((&answer["response"]["uid"], &answer["response"]["allowed"]), (&json!("1"), &json!(true)));
}

/// As a tree they take many times what they take as text.
#[rstest]
#[case::extensions("extensions", json!(vec![""; 100_000]), "has 100000 items, and 64 are the most")]
#[case::parameters("parameters", (0..100_000).map(|n| (n.to_string(), "".into())).collect::<Map<_, _>>().into(), "has 100000 entries, and 256 are the most")]
#[tokio::test]
async fn a_spec_of_more_parts_than_are_read_is_never_built(
    #[case] field: &str,
    #[case] parts: Value,
    #[case] told: &str,
) {
    let mut review = json_of(&review_of("Standard_B1ms"));
    review["request"]["object"]["spec"][field] = parts;
    let server = server().await;
    let (_, body) = server.ask(b"h2", review.to_string().into_bytes()).await;
    let message = json_of(&body)["response"]["status"]["message"].to_string();
    assert!(message.contains(told), "{message}");
}

#[tokio::test]
async fn each_problem_of_a_denial_is_counted() {
    let server = server().await;
    let mut review = json_of(&review_of("banana"));
    review["request"]["object"]["spec"]["version"] = json!(9);
    server.ask(b"h2", review.to_string().into_bytes()).await;
    for code in ["DB103", "DB115"] {
        server.shows(&format!("admission_denials_total{{hook=\"validate\",code=\"{code}\"}} 1")).await;
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let server = server().await;
    let error = webhook::server::bind(server.address).await.unwrap_err().to_string();
    assert!(error.contains(&format!("can't listen on {}", server.address)), "{error}");
    assert!(error.contains("--listen"), "{error}");
}
