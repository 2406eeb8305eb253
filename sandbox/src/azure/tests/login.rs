//! Logging in as the Azure SDK does.

use axum::http::{Request, StatusCode, header};
use bytes::Bytes;
use http_body_util::Empty;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::support::{Answer, GROUP, Setup, TENANT, address, exchange};

/// Asks the proxy for a tunnel, and returns it with the head of the proxy's answer.
async fn tunnel(setup: &Setup, host: &str) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(address(&setup.azure.proxy())).await.expect("a connection");
    let request = format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("a request");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("an answer"));
    }
    (stream, String::from_utf8(head).expect("text"))
}

async fn get(setup: &Setup, path: &str) -> Answer {
    let request = Request::get(path).header(header::HOST, "127.0.0.1").body(Empty::<Bytes>::new());
    exchange(setup.connect("127.0.0.1").await, request.expect("a request")).await
}

#[tokio::test]
async fn the_login_chain_leads_from_the_proxy_to_a_token() {
    let setup = Setup::start().await;
    let endpoint = setup.azure.endpoint();

    let (stream, head) = tunnel(&setup, "login.microsoftonline.com:443").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let stream = setup.secure(stream, "login.microsoftonline.com").await;
    let path = format!(
        "/common/discovery/instance?api-version=1.1&authorization_endpoint={endpoint}/{TENANT}/oauth2/v2.0/authorize"
    );
    let request =
        Request::get(path).header(header::HOST, "login.microsoftonline.com").body(Empty::<Bytes>::new());
    let discovered = exchange(stream, request.expect("a request")).await.body;

    let configuration = discovered["tenant_discovery_endpoint"].as_str().expect("a URL");
    let configuration = get(&setup, configuration.strip_prefix(&endpoint).expect("a URL of ours")).await.body;
    assert_eq!(configuration["issuer"], format!("{endpoint}/{TENANT}/v2.0"));
    assert_eq!(configuration["token_endpoint"], format!("{endpoint}/{TENANT}/oauth2/v2.0/token"));

    // `Setup` has traded a secret for a token there, and uses it here.
    assert_eq!(setup.get(GROUP).await.status, StatusCode::OK);
    setup.azure.stop().await;
}

#[tokio::test]
async fn the_proxy_knows_no_host_but_azures() {
    let setup = Setup::start().await;
    for host in ["example.org:443", "login.microsoftonline.com:80", "127.0.0.1:443"] {
        let (_, head) = tunnel(&setup, host).await;
        assert!(head.starts_with("HTTP/1.1 403"), "{host}: {head}");
    }
}

#[tokio::test]
async fn an_authority_elsewhere_is_not_vouched_for() {
    let setup = Setup::start().await;
    let path =
        "/common/discovery/instance?authorization_endpoint=https://evil.example/t/oauth2/v2.0/authorize";
    let answer = get(&setup, path).await;
    assert_eq!(
        (answer.status, &answer.body["error"]),
        (StatusCode::BAD_REQUEST, &Value::from("invalid_instance"))
    );
}

#[tokio::test]
async fn nobody_gets_in_without_a_token() {
    let setup = Setup::start().await;
    let path = format!("{GROUP}?api-version=2020-06-01");
    let anonymous = get(&setup, &path).await;
    assert_eq!((anonymous.status, anonymous.code()), (StatusCode::UNAUTHORIZED, "AuthenticationFailed"));

    let forged = Request::get(&path)
        .header(header::HOST, "127.0.0.1")
        .header(header::AUTHORIZATION, "Bearer forged")
        .body(Empty::<Bytes>::new());
    let forged = exchange(setup.connect("127.0.0.1").await, forged.expect("a request")).await;
    assert_eq!((forged.status, forged.code()), (StatusCode::UNAUTHORIZED, "InvalidAuthenticationToken"));
}

#[tokio::test]
async fn http2_is_spoken_too() {
    let setup = Setup::start().await;
    let stream = TokioIo::new(setup.connect("localhost").await);
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), stream).await.expect("a handshake");
    tokio::spawn(connection);
    let url = format!("https://localhost/{TENANT}/v2.0/.well-known/openid-configuration");
    let request = Request::get(url).body(Empty::<Bytes>::new()).expect("a request");
    assert_eq!(sender.send_request(request).await.expect("an answer").status(), StatusCode::OK);
}
