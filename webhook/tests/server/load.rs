//! Many who ask for much at once. Whatever they do, other reviews are answered soon, and little memory is taken.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use hyper::{StatusCode, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use policy::document::LARGEST;
use serde_json::json;
use tokio::{io::AsyncWriteExt, time::timeout};
use webhook::{Limits, review};

use super::{
    bad_clients::Piped,
    fuzz::slow::POLICIES,
    support::{PATIENCE, Server, json_of, quick, review_of, server, server_with},
};

/// The API server gives up on a review after five seconds.
const SOON: Duration = Duration::from_secs(3);

/// One review after the other, on a connection of its own each, until the work is done; each is answered soon.
async fn answered_meanwhile(server: &Server, work: impl Future<Output = ()>) -> usize {
    let done = AtomicBool::new(false);
    let work = async {
        work.await;
        done.store(true, Ordering::Release);
    };
    let reviews = async {
        let mut answered = 0;
        while !done.load(Ordering::Acquire) || answered == 0 {
            let alpn: &[u8] = if answered % 2 == 0 { b"http/1.1" } else { b"h2" };
            let started = Instant::now();
            server.answers(alpn).await;
            assert!(started.elapsed() < SOON, "after {:?}", started.elapsed());
            answered += 1;
        }
        answered
    };
    tokio::join!(work, reviews).1
}

fn review_of_policy(yaml: &str) -> Vec<u8> {
    let review = json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "1", "kind": {"group": "", "version": "v1", "kind": "ConfigMap"},
            "name": "database-policy", "namespace": "database-operator", "operation": "CREATE", "userInfo": {},
            "object": {"metadata": {"name": "database-policy"}, "data": {"policy.yaml": yaml}},
        },
    });
    review.to_string().into_bytes()
}

/// On more connections than there are threads, and each as slow as a policy can be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_bad_policies_are_posted_other_reviews_are_answered() {
    let server = Arc::new(server().await);
    let mut posted = Vec::new();
    for (_, text) in POLICIES {
        let (server, body) = (server.clone(), review_of_policy(&text(LARGEST - 4000)));
        posted.push(tokio::spawn(async move {
            let tls = server.connect(b"http/1.1").await;
            let (status, body) = server.ask_on(b"http/1.1", tls, "/validate/policy", body).await.unwrap();
            assert!(body.len() < 64 * 1024, "an answer of {} bytes", body.len());
            status
        }));
    }
    let work = async {
        for posted in posted {
            let status = timeout(PATIENCE, posted).await.unwrap().unwrap();
            // Who had to wait for too long, because of the others, is told so.
            assert!([StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE].contains(&status), "{status}");
        }
    };
    answered_meanwhile(&server, work).await;
    let (_, body) = {
        let tls = server.connect(b"http/1.1").await;
        let body = review_of_policy("azure: [");
        timeout(PATIENCE, server.ask_on(b"http/1.1", tls, "/validate/policy", body)).await.unwrap().unwrap()
    };
    assert_eq!(json_of(&body)["response"]["allowed"], false, "policies are judged again");
}

/// A judge that never ends with a policy holds up no other review, and the next policy is sent away in time.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_policy_that_takes_for_ever_holds_up_nobody() {
    fn slow(question: &review::Question, basis: &review::Basis<'_>) -> review::Answer {
        let answer = review::answer(question, basis);
        if serde_json::to_value(&answer.review).unwrap().to_string().contains("ConfigMap") {
            std::thread::sleep(Duration::from_secs(2));
        }
        answer
    }
    let server = server_with(Limits { policy: Duration::from_millis(100), ..quick() }, slow).await;
    for _ in 0..2 {
        let tls = server.connect(b"http/1.1").await;
        let asked = server.ask_on(b"http/1.1", tls, "/validate/policy", review_of_policy("azure: ["));
        let (status, _) = timeout(SOON, asked).await.unwrap().unwrap();
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        let started = Instant::now();
        server.answers(b"h2").await;
        assert!(started.elapsed() < Duration::from_secs(1), "after {:?}", started.elapsed());
    }
    server.shows("admission_requests_rejected_total{reason=\"overload\"} 2").await;
}

/// A hundred requests on each of twenty connections of HTTP/2, and of each body one byte.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_streams_that_send_a_byte_hold_up_nobody() {
    let server = server().await;
    let mut pipes = Vec::new();
    for _ in 0..20 {
        let io = TokioIo::new(server.connect(b"h2").await);
        let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        for _ in 0..100 {
            let (mut body, sent) = tokio::io::duplex(16);
            body.write_all(b"{").await.unwrap();
            pipes.push(body);
            let request = hyper::Request::post(format!("https://{}/validate", server.address));
            let request = request.header("host", "x").body(Piped::new(sent)).unwrap();
            tokio::spawn(sender.clone().send_request(request));
        }
    }
    let taken = async {
        while !server.metrics().lines().any(|line| {
            let count = line.strip_prefix("admission_requests_in_flight ");
            count.and_then(|count| count.parse::<u32>().ok()).is_some_and(|count| count >= 80)
        }) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, taken).await.unwrap();
    answered_meanwhile(&server, tokio::time::sleep(Duration::from_secs(3))).await;
    drop(pipes);
}

/// The answer grows with nothing that is sent.
#[tokio::test]
async fn an_answer_is_short_whatever_was_asked() {
    let server = server().await;
    let mut bodies = vec![review_of("Standard_B1ms"); 3];
    for (body, field) in bodies.iter_mut().zip(["uid", "name", "namespace"]) {
        let mut review = json_of(body);
        review["request"][field] = json!("x".repeat(1_000_000));
        *body = review.to_string().into_bytes();
    }
    let mut kind = json_of(&review_of("Standard_B1ms"));
    kind["kind"] = json!("x".repeat(1_000_000));
    bodies.push(kind.to_string().into_bytes());
    let mut parameters = json_of(&review_of("Standard_B1ms"));
    let names = (0..256).map(|at| (format!("{}{at}", "x".repeat(1000)), json!("1")));
    parameters["request"]["object"]["spec"]["parameters"] = names.collect::<serde_json::Map<_, _>>().into();
    bodies.push(parameters.to_string().into_bytes());
    for body in bodies {
        let (status, answer) = server.ask(b"http/1.1", body).await;
        assert_eq!(status, StatusCode::OK);
        assert!(answer.len() < 16 * 1024, "{} bytes", answer.len());
        assert_eq!(json_of(&answer)["response"]["allowed"], false);
    }
}
