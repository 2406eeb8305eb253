//! The server as the API server meets it: TLS, both versions of HTTP, bad clients, and its end.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, StatusCode, client::conn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use policy::PolicyState;
use prometheus_client::registry::Registry;
use rstest::rstest;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{PrivateKeyDer, ServerName},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use serde_json::{Value, json};
use tokio::{net::TcpStream, task::JoinHandle, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::sync::CancellationToken;
use webhook::{Metrics, ServeError, State};

/// Far longer than anything here takes, and shorter than the server's own limits.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug)]
struct Fixed(Arc<CertifiedKey>);

impl ResolvesServerCert for Fixed {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

struct Server {
    address: SocketAddr,
    trust: RootCertStore,
    stop: CancellationToken,
    running: JoinHandle<Result<(), ServeError>>,
}

/// A server with the example policy on a free port.
async fn server() -> Server {
    drop(ring::default_provider().install_default());
    let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let chain = vec![certified.cert.der().clone()];
    let served = CertifiedKey::from_der(chain, key, &ring::default_provider()).unwrap();
    let mut trust = RootCertStore::empty();
    trust.add(certified.cert.der().clone()).unwrap();

    let policy = include_str!("../../examples/policy.yaml");
    let data = [("policy.yaml".to_owned(), policy.to_owned())].into();
    let state = State {
        policy: Arc::new(arc_swap::ArcSwap::from_pointee(PolicyState::default().applied(Some(&data)))),
        policy_name: "database-policy".into(),
        metrics: Metrics::new(&mut Registry::default()),
    };
    let listener = webhook::server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let serving =
        webhook::serve(listener, webhook::router(state), Arc::new(Fixed(Arc::new(served))), stop.clone());
    Server { address, trust, stop, running: tokio::spawn(serving) }
}

impl Server {
    async fn connect(&self, alpn: &[u8]) -> TlsStream<TcpStream> {
        let mut config =
            ClientConfig::builder().with_root_certificates(self.trust.clone()).with_no_client_auth();
        config.alpn_protocols = vec![alpn.to_vec()];
        let tcp = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::from(self.address.ip());
        TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap()
    }

    /// Sends a body to `/validate` and gives what comes back.
    async fn ask(&self, alpn: &[u8], body: Vec<u8>) -> (StatusCode, Bytes) {
        let io = TokioIo::new(self.connect(alpn).await);
        let request = Request::post(format!("https://{}/validate", self.address))
            .header("host", self.address.to_string())
            .body(Full::new(Bytes::from(body)))
            .unwrap();
        let response = if alpn == b"h2" {
            let (mut sender, connection) = conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
            tokio::spawn(connection);
            sender.send_request(request).await.unwrap()
        } else {
            let (mut sender, connection) = conn::http1::handshake(io).await.unwrap();
            tokio::spawn(connection);
            sender.send_request(request).await.unwrap()
        };
        (response.status(), response.into_body().collect().await.unwrap().to_bytes())
    }
}

fn review(sku: &str) -> Vec<u8> {
    let review = json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "1", "kind": {"group": "altinn.app", "version": "v1alpha1", "kind": "Database"},
            "resource": {"group": "altinn.app", "version": "v1alpha1", "resource": "databases"},
            "name": "main", "namespace": "orders", "operation": "CREATE", "userInfo": {}, "dryRun": false,
            "object": {
                "apiVersion": "altinn.app/v1alpha1", "kind": "Database",
                "metadata": {"name": "main", "namespace": "orders"}, "spec": {"sku": sku},
            },
        },
    });
    review.to_string().into_bytes()
}

#[rstest]
#[case::http1(b"http/1.1")]
#[case::http2(b"h2")]
#[tokio::test]
async fn both_versions_of_http_are_answered(#[case] alpn: &[u8]) {
    let server = server().await;
    for (sku, allowed) in [("Standard_B1ms", true), ("banana", false)] {
        let (status, body) = server.ask(alpn, review(sku)).await;
        let answer: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(status, StatusCode::OK);
        assert_eq!(answer["response"]["allowed"], allowed, "{answer}");
    }
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused() {
    let server = server().await;
    let (status, _) = server.ask(b"h2", vec![b' '; 8 * 1024 * 1024]).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    let (status, body) = server.ask(b"h2", vec![b' '; 6 * 1024 * 1024]).await;
    assert_eq!(status, StatusCode::OK);
    assert!(String::from_utf8_lossy(&body).contains("DB501"));
}

#[tokio::test]
async fn a_client_that_never_shakes_hands_holds_up_nobody() {
    let server = server().await;
    let _silent = TcpStream::connect(server.address).await.unwrap();
    let (status, _) = timeout(PATIENCE, server.ask(b"h2", review("Standard_B1ms"))).await.unwrap();
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn it_ends_when_told_although_a_connection_is_open() {
    let server = server().await;
    let io = TokioIo::new(server.connect(b"h2").await);
    let (_sender, connection) =
        conn::http2::handshake::<_, _, Full<Bytes>>(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    server.stop.cancel();
    timeout(PATIENCE, server.running).await.unwrap().unwrap().unwrap();
    assert!(TcpStream::connect(server.address).await.is_err(), "it still listens");
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let server = server().await;
    let error = webhook::server::bind(server.address).await.unwrap_err().to_string();
    assert!(error.contains(&format!("can't listen on {}", server.address)), "{error}");
    assert!(error.contains("--listen"), "{error}");
}
