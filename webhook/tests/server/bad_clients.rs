//! Clients that are slow, silent, or many. Whatever they do, a sound review is answered.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use rstest::rstest;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt, DuplexStream, ReadBuf},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::client::TlsStream;
use webhook::{Limits, review};

use super::support::{PATIENCE, Server, json_of, quick, review_of, server, server_with};

const HEAD: &str = "POST /validate HTTP/1.1\r\nhost: x\r\ncontent-length: 6000000\r\n\r\n";

/// A body that grows as bytes are written into the pipe.
pub struct Piped(DuplexStream);

impl Piped {
    pub fn new(pipe: DuplexStream) -> Self {
        Self(pipe)
    }
}

impl Body for Piped {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::io::Result<Frame<Bytes>>>> {
        let mut bytes = [0; 1024];
        let mut buffer = ReadBuf::new(&mut bytes);
        ready!(Pin::new(&mut self.0).poll_read(cx, &mut buffer))?;
        let read = buffer.filled();
        Poll::Ready((!read.is_empty()).then(|| Ok(Frame::data(Bytes::copy_from_slice(read)))))
    }
}

/// A connection that has sent this much and goes no further.
async fn stuck(server: &Server, alpn: &[u8], sent: &[u8]) -> TlsStream<TcpStream> {
    let mut tls = server.connect(alpn).await;
    tls.write_all(sent).await.unwrap();
    tls.flush().await.unwrap();
    tls
}

/// Reads until the server closes, which it must.
async fn closed(mut tls: TlsStream<TcpStream>) -> String {
    let mut answer = Vec::new();
    // An end without a TLS goodbye is an end, too.
    drop(timeout(PATIENCE, tls.read_to_end(&mut answer)).await.unwrap());
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn two_hundred_silent_connections_hold_up_nobody() {
    let server = server().await;
    let mut silent = Vec::new();
    for _ in 0..200 {
        silent.push(TcpStream::connect(server.address).await.unwrap());
    }
    server.answers(b"http/1.1").await;
    server.answers(b"h2").await;
}

#[tokio::test]
async fn more_silent_connections_than_there_are_places_hold_up_nobody() {
    let server = server_with(Limits { connections: 8, ..quick() }, review::answer).await;
    let mut silent = Vec::new();
    for _ in 0..40 {
        silent.push(TcpStream::connect(server.address).await.unwrap());
    }
    server.answers(b"http/1.1").await;
    server.answers(b"h2").await;
    assert!(!server.metrics().contains("admission_connections_evicted_total 0\n"));
}

#[tokio::test]
async fn a_connection_with_work_is_not_closed_for_a_newcomer() {
    let server = server_with(Limits { connections: 2, ..quick() }, review::answer).await;
    let review = review_of("Standard_B1ms");
    let head = format!(
        "POST /validate HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        review.len()
    );
    let mut busy = stuck(&server, b"http/1.1", head.as_bytes()).await;
    server.shows("admission_requests_in_flight 1").await;
    for _ in 0..3 {
        server.answers(b"h2").await;
    }
    busy.write_all(&review).await.unwrap();
    let answer = closed(busy).await;
    assert!(answer.contains("\"allowed\":true"), "{answer}");
}

#[tokio::test]
async fn fifty_slow_bodies_hold_up_nobody() {
    let server = server().await;
    let mut slow = Vec::new();
    for number in 0..50 {
        let body = vec![b' '; if number < 10 { 100_000 } else { 10 }];
        slow.push(stuck(&server, b"http/1.1", &[HEAD.as_bytes(), &body].concat()).await);
    }
    server.answers(b"http/1.1").await;
    server.answers(b"h2").await;
}

#[tokio::test]
async fn ten_stuck_large_bodies_do_not_hold_up_a_large_review() {
    let server = server_with(Limits { body: PATIENCE * 2, ..quick() }, review::answer).await;
    let mut slow = Vec::new();
    for _ in 0..10 {
        slow.push(stuck(&server, b"http/1.1", &[HEAD.as_bytes(), &vec![b' '; 100_000]].concat()).await);
    }
    server.shows("admission_requests_in_flight 10").await;
    let mut review = review_of("Standard_B1ms");
    review.resize(100_000, b' ');
    let (_, body) = timeout(PATIENCE, server.ask(b"http/1.1", review)).await.unwrap();
    assert_eq!(json_of(&body)["response"]["allowed"], true);
    // It wasn't that they gave up.
    server.shows("admission_requests_in_flight 10").await;
}

#[tokio::test]
async fn more_slow_bodies_than_there_are_places_hold_up_nobody() {
    let server = server_with(Limits { bodies: 4, body: PATIENCE, ..quick() }, review::answer).await;
    let mut slow = Vec::new();
    for _ in 0..8 {
        slow.push(stuck(&server, b"http/1.1", HEAD.as_bytes()).await);
    }
    server.shows("admission_requests_in_flight 8").await;
    server.answers(b"http/1.1").await;
    // Four have made room for the other four.
    server.shows("admission_requests_rejected_total{reason=\"overload\"} 4").await;
}

#[tokio::test]
async fn a_body_has_to_come_in_time() {
    let server = server_with(Limits { body: Duration::from_millis(100), ..quick() }, review::answer).await;
    let answer = closed(stuck(&server, b"http/1.1", HEAD.as_bytes()).await).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    server.shows("admission_requests_rejected_total{reason=\"too_slow\"} 1").await;
    server.shows("admission_requests_in_flight 0").await;
}

#[rstest]
#[case::head(b"http/1.1", b"POST /validate HTTP/1.1\r\nx: ")]
#[case::nothing_of_http2(b"h2", b"")]
#[case::half_a_preface(b"h2", b"PRI * HTTP")]
#[tokio::test]
async fn a_head_has_to_come_in_time(#[case] alpn: &[u8], #[case] sent: &[u8]) {
    let server = server_with(Limits { head: Duration::from_millis(100), ..quick() }, review::answer).await;
    closed(stuck(&server, alpn, sent).await).await;
    server.shows("admission_connections 0").await;
}

#[rstest]
#[case::never_asked("")]
#[case::asked_before("POST /validate HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}")]
#[tokio::test]
async fn an_idle_connection_outlives_the_limit_of_a_head(#[case] sent: &str) {
    let limits = Limits { head: Duration::from_millis(20), idle: Duration::from_millis(400), ..quick() };
    let server = server_with(limits, review::answer).await;
    let started = std::time::Instant::now();
    closed(stuck(&server, b"http/1.1", sent.as_bytes()).await).await;
    assert!(started.elapsed() >= limits.idle, "closed after {:?}", started.elapsed());
}

#[tokio::test]
async fn a_connection_of_http2_that_answers_no_ping_ends() {
    let tick = Duration::from_millis(50);
    let server = server_with(Limits { ping_after: tick, ping: tick, ..quick() }, review::answer).await;
    let empty_settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    let sent = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &empty_settings].concat();
    closed(stuck(&server, b"h2", &sent).await).await;
    server.shows("admission_connections 0").await;
}

#[tokio::test]
async fn a_hundred_slow_heads_hold_up_nobody() {
    let server = server_with(Limits { connections: 64, ..quick() }, review::answer).await;
    let mut slow = Vec::new();
    for _ in 0..100 {
        slow.push(stuck(&server, b"http/1.1", b"POST /validate HTTP/1.1\r\nx: ").await);
    }
    server.answers(b"http/1.1").await;
    server.answers(b"h2").await;
}

#[tokio::test]
async fn a_head_that_never_ends_is_refused() {
    let server = server().await;
    let head = format!("POST /validate HTTP/1.1\r\nx: {}", "y".repeat(64 * 1024));
    let mut tls = server.connect(b"http/1.1").await;
    drop(tls.write_all(head.as_bytes()).await);
    closed(tls).await;
    server.shows("admission_connections 0").await;
}
