//! The end: what was asked is answered, and nothing waits for a client that says nothing.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{client::conn, header::CONNECTION};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rstest::rstest;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use webhook::{Limits, review};

use super::support::{PATIENCE, json_of, quick, review_of, server, server_with, whole};

/// What ends in time ends for another reason than that the server waits for nobody any longer.
fn patient() -> Limits {
    Limits { drain: PATIENCE * 10, ..quick() }
}

#[tokio::test]
async fn it_ends_although_an_http2_connection_is_open() {
    let server = server_with(patient(), review::answer).await;
    let io = TokioIo::new(server.connect(b"h2").await);
    let (_sender, connection) =
        conn::http2::handshake::<_, _, Full<Bytes>>(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    server.stop.cancel();
    server.ended().await;
}

#[tokio::test]
async fn it_ends_although_an_http1_connection_is_kept_alive() {
    let limits = Limits { drain: Duration::from_millis(200), ..quick() };
    let server = server_with(limits, review::answer).await;
    let io = TokioIo::new(server.connect(b"http/1.1").await);
    let (mut sender, connection) = conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    let response = sender.send_request(server.request("/validate", review_of("banana"))).await.unwrap();
    assert_eq!(whole(response).await["response"]["allowed"], false);
    server.stop.cancel();
    server.ended().await;
}

#[tokio::test]
async fn it_ends_although_a_client_never_shakes_hands() {
    let limits = Limits { handshake: Duration::from_millis(100), ..patient() };
    let server = server_with(limits, review::answer).await;
    let _silent = TcpStream::connect(server.address).await.unwrap();
    server.shows("admission_connections 1").await;
    server.stop.cancel();
    server.ended().await;
}

#[tokio::test]
async fn it_ends_although_a_connection_has_not_seen_a_request() {
    let limits = Limits { drain: Duration::from_millis(200), ..quick() };
    let server = server_with(limits, review::answer).await;
    let _spare = server.connect(b"http/1.1").await;
    server.stop.cancel();
    server.ended().await;
}

#[tokio::test]
async fn the_first_request_of_a_new_connection_is_answered() {
    let server = server().await;
    let tls = server.connect(b"http/1.1").await;
    server.stop.cancel();
    timeout(PATIENCE, async { while TcpStream::connect(server.address).await.is_ok() {} }).await.unwrap();
    let (_, body) = server.ask_on(b"http/1.1", tls, "/validate", review_of("Standard_B1ms")).await.unwrap();
    assert_eq!(json_of(&body)["response"]["allowed"], true);
    server.ended().await;
}

/// Go's client doesn't repeat a POST that crosses the end of its connection.
#[tokio::test]
async fn the_next_request_of_a_kept_connection_is_answered() {
    let server = server().await;
    let io = TokioIo::new(server.connect(b"http/1.1").await);
    let (mut sender, connection) = conn::http1::handshake(io).await.unwrap();
    let connection = tokio::spawn(connection);
    whole(sender.send_request(server.request("/validate", review_of("banana"))).await.unwrap()).await;
    server.stop.cancel();
    timeout(PATIENCE, async { while TcpStream::connect(server.address).await.is_ok() {} }).await.unwrap();
    sender.ready().await.unwrap();
    let last = sender.send_request(server.request("/validate", review_of("banana"))).await.unwrap();
    assert_eq!(last.headers()[CONNECTION], "close");
    assert_eq!(whole(last).await["response"]["allowed"], false);
    timeout(PATIENCE, connection).await.unwrap().unwrap().unwrap();
    server.ended().await;
}

#[tokio::test]
async fn it_ends_although_a_request_never_does() {
    let limits = Limits { drain: Duration::from_millis(100), ..quick() };
    let server = server_with(limits, review::answer).await;
    let mut slow = server.connect(b"http/1.1").await;
    slow.write_all(b"POST /validate HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n").await.unwrap();
    server.shows("admission_requests_in_flight 1").await;
    server.stop.cancel();
    server.ended().await;
}

#[rstest]
#[case::http1(b"http/1.1")]
#[case::http2(b"h2")]
#[tokio::test]
async fn what_is_in_flight_is_answered(#[case] alpn: &[u8]) {
    let server = server().await;
    let (mut body, sent) = tokio::io::duplex(64 * 1024);
    let review = review_of("Standard_B1ms");
    let request = hyper::Request::post(format!("https://{}/validate", server.address))
        .header("host", "x")
        .body(super::bad_clients::Piped::new(sent))
        .unwrap();
    let io = TokioIo::new(server.connect(alpn).await);
    let answer = if alpn == b"h2" {
        let (mut sender, connection) = conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        tokio::spawn(async move { sender.send_request(request).await.unwrap() })
    } else {
        let (mut sender, connection) = conn::http1::handshake(io).await.unwrap();
        tokio::spawn(connection);
        tokio::spawn(async move { sender.send_request(request).await.unwrap() })
    };
    body.write_all(&review[..10]).await.unwrap();
    server.shows("admission_requests_in_flight 1").await;
    server.stop.cancel();
    // It listens no more, and the rest of the body comes.
    timeout(PATIENCE, async { while TcpStream::connect(server.address).await.is_ok() {} }).await.unwrap();
    body.write_all(&review[10..]).await.unwrap();
    drop(body);
    let answer = timeout(PATIENCE, answer).await.unwrap().unwrap();
    assert_eq!(whole(answer).await["response"]["allowed"], true);
    server.ended().await;
}

#[tokio::test]
async fn an_http1_client_is_told_to_go_elsewhere_while_it_is_still_answered() {
    let server = server_with(Limits { settle: PATIENCE, ..quick() }, review::answer).await;
    let io = TokioIo::new(server.connect(b"http/1.1").await);
    let (mut sender, connection) = conn::http1::handshake(io).await.unwrap();
    let connection = tokio::spawn(connection);
    let first = sender.send_request(server.request("/validate", review_of("banana"))).await.unwrap();
    assert_eq!(first.headers().get(CONNECTION), None);
    whole(first).await;
    server.stop.cancel();
    sender.ready().await.unwrap();
    let last = sender.send_request(server.request("/validate", review_of("banana"))).await.unwrap();
    assert_eq!(last.headers()[CONNECTION], "close");
    whole(last).await;
    timeout(PATIENCE, connection).await.unwrap().unwrap().unwrap();
    // Who comes now is still served.
    server.answers(b"http/1.1").await;
    server.answers(b"h2").await;
}

#[rstest]
#[case::http1(b"http/1.1")]
#[case::http2(b"h2")]
#[tokio::test]
async fn who_is_in_the_middle_of_the_handshake_is_answered(#[case] alpn: &[u8]) {
    let server = server().await;
    let (inner, outer) = tokio::io::duplex(64 * 1024);
    // Bytes of the client stop here until they are let through.
    let tcp = TcpStream::connect(server.address).await.unwrap();
    server.shows("admission_connections 1").await;
    server.stop.cancel();
    timeout(PATIENCE, async { while TcpStream::connect(server.address).await.is_ok() {} }).await.unwrap();
    tokio::spawn(async move {
        let (mut outer, mut tcp) = (outer, tcp);
        drop(tokio::io::copy_bidirectional(&mut outer, &mut tcp).await);
    });
    let mut config =
        rustls::ClientConfig::builder().with_root_certificates(server.trust.clone()).with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    let name = rustls::pki_types::ServerName::from(server.address.ip());
    let mut tls =
        tokio_rustls::TlsConnector::from(std::sync::Arc::new(config)).connect(name, inner).await.unwrap();
    if alpn == b"h2" {
        let (mut sender, connection) =
            conn::http2::handshake(TokioExecutor::new(), TokioIo::new(tls)).await.unwrap();
        tokio::spawn(connection);
        let answer = sender.send_request(server.request("/validate", review_of("banana"))).await.unwrap();
        assert_eq!(whole(answer).await["response"]["allowed"], false);
    } else {
        let review = review_of("banana");
        let head = format!("POST /validate HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", review.len());
        tls.write_all(head.as_bytes()).await.unwrap();
        tls.write_all(&review).await.unwrap();
        let mut answer = Vec::new();
        timeout(PATIENCE, tls.read_to_end(&mut answer)).await.unwrap().unwrap();
        let body = answer.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
        assert_eq!(json_of(&answer[body..])["response"]["allowed"], false);
    }
    server.ended().await;
}
