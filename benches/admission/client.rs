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
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{net::TcpStream, task::JoinSet};
use tokio_rustls::TlsConnector;

/// How much is asked at once, one question on each connection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    pub connections: usize,
    pub version: Version,
}

/// Which HTTP is spoken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Version {
    Http1,
    Http2,
}

/// Open connections to one server, and what is asked on them.
#[derive(Debug)]
pub struct Clients {
    askers: Vec<Asker>,
    question: Question,
    /// Length of the one right answer.
    expected: usize,
}

/// One connection.
#[derive(Debug)]
enum Asker {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

#[derive(Clone, Debug)]
struct Question {
    uri: String,
    host: String,
    body: Bytes,
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
        tls: &ClientConfig,
        address: SocketAddr,
        path: &str,
        body: Bytes,
        load: Load,
    ) -> Self {
        let mut tls = tls.clone();
        tls.alpn_protocols = vec![load.version.alpn().to_vec()];
        let tls = TlsConnector::from(Arc::new(tls));
        let mut askers = Vec::new();
        for _ in 0..load.connections {
            let tcp = TcpStream::connect(address).await.unwrap();
            tcp.set_nodelay(true).unwrap();
            let name = ServerName::from(address.ip());
            let io = TokioIo::new(tls.connect(name, tcp).await.unwrap());
            askers.push(match load.version {
                Version::Http1 => {
                    let (asker, connection) = http1::handshake(io).await.unwrap();
                    tokio::spawn(connection);
                    Asker::Http1(asker)
                }
                Version::Http2 => {
                    let (asker, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
                    tokio::spawn(connection);
                    Asker::Http2(asker)
                }
            });
        }
        let question = Question { uri: format!("https://{address}{path}"), host: address.to_string(), body };
        let expected = askers[0].ask(&question).await;
        Self { askers, question, expected }
    }

    /// Asks for that long.
    pub async fn round(&mut self, length: Duration) -> Round {
        let start = Instant::now();
        let mut asking = JoinSet::new();
        for mut asker in self.askers.drain(..) {
            let (question, expected) = (self.question.clone(), self.expected);
            asking.spawn(async move {
                let mut latencies = Vec::with_capacity(1024);
                let mut now = Instant::now();
                while now.duration_since(start) < length {
                    assert_eq!(asker.ask(&question).await, expected, "{}: another answer", question.uri);
                    let then = Instant::now();
                    latencies.push(then.duration_since(now));
                    now = then;
                }
                (asker, latencies)
            });
        }
        let mut latencies = Vec::new();
        for (asker, those) in asking.join_all().await {
            self.askers.push(asker);
            latencies.extend(those);
        }
        let took = start.elapsed();
        latencies.sort_unstable();
        Round { latencies, took }
    }
}

impl Asker {
    /// Gives the length of the answer.
    async fn ask(&mut self, question: &Question) -> usize {
        let Question { uri, host, body } = question;
        let request = Request::post(uri).header("content-type", "application/json").header("host", host);
        let request = request.body(Full::new(body.clone())).unwrap();
        let response = match self {
            Self::Http1(asker) => {
                asker.ready().await.unwrap();
                asker.send_request(request).await.unwrap()
            }
            Self::Http2(asker) => asker.send_request(request).await.unwrap(),
        };
        assert!(response.status().is_success(), "{uri}: {}", response.status());
        response.into_body().collect().await.unwrap().to_bytes().len()
    }
}

impl Version {
    pub fn alpn(self) -> &'static [u8] {
        match self {
            Self::Http1 => b"http/1.1",
            Self::Http2 => b"h2",
        }
    }
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
