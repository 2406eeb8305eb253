//! Clients that ask one question after the other.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request,
    client::conn::http2::{self, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{net::TcpStream, task::JoinSet};
use tokio_rustls::TlsConnector;

/// How much is asked at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    pub connections: usize,
    /// Questions at once on each connection.
    pub streams: usize,
}

/// Open connections to one server, and what is asked on them.
#[derive(Debug)]
pub struct Clients {
    askers: Vec<SendRequest<Full<Bytes>>>,
    uri: String,
    body: Bytes,
    /// Length of the one right answer.
    expected: usize,
}

/// What a round gave.
#[derive(Debug)]
pub struct Round {
    /// From a request to the end of its answer, sorted.
    pub latencies: Vec<Duration>,
    pub took: Duration,
}

impl Clients {
    pub async fn connect(
        tls: Arc<ClientConfig>,
        address: SocketAddr,
        path: &str,
        body: Bytes,
        load: Load,
    ) -> Self {
        let mut askers = Vec::new();
        for _ in 0..load.connections {
            let tcp = TcpStream::connect(address).await.unwrap();
            tcp.set_nodelay(true).unwrap();
            let name = ServerName::from(address.ip());
            let io = TokioIo::new(TlsConnector::from(tls.clone()).connect(name, tcp).await.unwrap());
            let (asker, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
            tokio::spawn(connection);
            askers.extend(std::iter::repeat_n(asker, load.streams));
        }
        let mut clients = Self { askers, uri: format!("https://{address}{path}"), body, expected: 0 };
        clients.expected = ask(&mut clients.askers[0], &clients.uri, &clients.body).await;
        clients
    }

    /// Asks for that long.
    pub async fn round(&self, length: Duration) -> Round {
        let start = Instant::now();
        let mut asking = JoinSet::new();
        for asker in &self.askers {
            let (mut asker, uri, body) = (asker.clone(), self.uri.clone(), self.body.clone());
            let expected = self.expected;
            asking.spawn(async move {
                let mut latencies = Vec::with_capacity(1024);
                let mut now = Instant::now();
                while now.duration_since(start) < length {
                    assert_eq!(ask(&mut asker, &uri, &body).await, expected, "{uri}: another answer");
                    let then = Instant::now();
                    latencies.push(then.duration_since(now));
                    now = then;
                }
                latencies
            });
        }
        let mut latencies = asking.join_all().await.concat();
        let took = start.elapsed();
        latencies.sort_unstable();
        Round { latencies, took }
    }
}

async fn ask(asker: &mut SendRequest<Full<Bytes>>, uri: &str, body: &Bytes) -> usize {
    let request = Request::post(uri).header("content-type", "application/json");
    let response = asker.send_request(request.body(Full::new(body.clone())).unwrap()).await.unwrap();
    assert!(response.status().is_success(), "{uri}: {}", response.status());
    response.into_body().collect().await.unwrap().to_bytes().len()
}

impl Round {
    pub fn per_second(&self) -> f64 {
        f64::from(u32::try_from(self.latencies.len()).unwrap_or(u32::MAX)) / self.took.as_secs_f64()
    }

    /// The latency that so many percent of the answers keep.
    pub fn percentile(&self, percent: usize) -> Duration {
        self.latencies[(self.latencies.len() * percent / 100).min(self.latencies.len() - 1)]
    }
}
