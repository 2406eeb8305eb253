//! The two servers, each in a process of its own: the webhook as it is, and a handler that answers a constant.

use std::{
    collections::BTreeMap,
    fs::File,
    hint::black_box,
    io::{self, BufRead, Read},
    net::SocketAddr,
    process,
    sync::Arc,
};

use api::Database;
use arc_swap::ArcSwap;
use axum::{Router, http::header::CONTENT_TYPE, routing::post};
use bytes::Bytes;
use exposition::Registry;
use futures::future::BoxFuture;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use policy::{PolicyState, document::Labels};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use webhook::{
    Cluster, Limits, Metrics, Server, State, Tls,
    cluster::{Facts, Kind, Objects, Servers},
    review::{Basis, Question, answer},
    server::bind,
};

use crate::reviews::{self, POLICY};

const POLICY_NAME: &str = "database-policy";

/// Reads the certificate and its key, says where it listens, and serves until its input ends.
pub fn run(name: &str) {
    let mut pem = String::new();
    let mut input = io::stdin().lock();
    while !pem.contains("END PRIVATE KEY") {
        assert!(input.read_line(&mut pem).unwrap() > 0, "the certificate and its key are missing");
    }
    drop(input);
    std::thread::spawn(|| {
        drop(io::stdin().read_to_end(&mut Vec::new()));
        process::exit(0);
    });
    // As the operator writes its logs: a denial is a line.
    let nowhere = Arc::new(File::create("/dev/null").unwrap());
    let logs = tracing_subscriber::fmt().with_env_filter("info").with_writer(nowhere);
    logs.json().flatten_event(true).with_current_span(false).with_span_list(false).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        println!("{}", listener.local_addr().unwrap().port());
        match name {
            "bare" => bare(listener, pem.as_bytes()).await,
            _ => ours(listener, pem.as_bytes()).await,
        }
    });
}

async fn ours(listener: TcpListener, pem: &[u8]) {
    let metrics = Metrics::new(&mut Registry::default());
    let state = State {
        policy: Arc::new(ArcSwap::from_pointee(policy())),
        policy_name: POLICY_NAME.into(),
        cluster: Arc::new(Empty),
        metrics: metrics.clone(),
    };
    let tls = Tls::for_everyone(Arc::new(Fixed(Arc::new(certified(pem))))).unwrap();
    let server = Server { router: webhook::router(state), tls, limits: Limits::default(), metrics };
    server.run(listener, CancellationToken::new()).await;
}

/// A review with its parts as they stand in the body: the least that a handler can know of it.
#[derive(Deserialize)]
struct Parts<'a> {
    #[serde(borrow)]
    request: PartsOfRequest<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PartsOfRequest<'a> {
    #[serde(borrow)]
    object: Option<&'a RawValue>,
    #[serde(borrow)]
    old_object: Option<&'a RawValue>,
}

/// What axum's own `serve` does, with TLS around it, and hyper's defaults. Each path has a constant: what the webhook
/// answers to that review. A large review is parsed first: reading it is most of the work.
async fn bare(listener: TcpListener, pem: &[u8]) {
    let mut router = Router::new();
    for (number, (review, constant)) in reviews::all().into_iter().zip(constants()).enumerate() {
        let handler = async move |body: Bytes| {
            if review.is_large {
                let parts: Parts<'_> = serde_json::from_slice(&body).unwrap();
                black_box((parts.request.object, parts.request.old_object));
            }
            ([(CONTENT_TYPE, "application/json")], constant)
        };
        router = router.route(&format!("/{number}"), post(handler));
    }
    let resolver = Arc::new(Fixed(Arc::new(certified(pem))));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_no_client_auth().with_cert_resolver(resolver);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (acceptor, service) = (acceptor.clone(), TowerToHyperService::new(router.clone()));
        tokio::spawn(async move {
            let Ok(tls) = acceptor.accept(stream).await else { return };
            drop(auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(tls), service).await);
        });
    }
}

fn constants() -> Vec<Bytes> {
    let state = policy();
    let facts = Facts { servers: Some(Servers::default()), ..Facts::default() };
    let basis = Basis { state: &state, policy_name: POLICY_NAME, now: Timestamp::now(), facts: &facts };
    let answers = reviews::all().into_iter().map(|review| {
        let answer = answer(&Question::read(review.hook, &review.body), &basis);
        let problems = answer.denial.as_ref().map_or(0, |denial| denial.problems.len());
        assert_eq!(problems, review.problems, "{review}: {:?}", answer.denial);
        Bytes::from(serde_json::to_vec(&answer.review).unwrap())
    });
    answers.collect()
}

fn policy() -> PolicyState {
    PolicyState::default().applied(Some(&[("policy.yaml".to_owned(), POLICY.to_owned())].into()))
}

fn certified(pem: &[u8]) -> CertifiedKey {
    let certificate = CertificateDer::from_pem_slice(pem).unwrap();
    let key = PrivateKeyDer::from_pem_slice(pem).unwrap();
    CertifiedKey::from_der(vec![certificate], key, &ring::default_provider()).unwrap()
}

#[derive(Debug)]
struct Fixed(Arc<CertifiedKey>);

impl ResolvesServerCert for Fixed {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

/// A cluster that holds nothing. The operator's own looks into its caches, which takes no request either.
#[derive(Debug)]
struct Empty;

impl Cluster for Empty {
    fn labels<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Option<Labels>> {
        Box::pin(async { Some(Labels::default()) })
    }

    fn servers<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Option<Servers>> {
        Box::pin(async { Some(Servers::default()) })
    }

    fn inside<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Option<Vec<ObjectMeta>>> {
        Box::pin(async { Some(Vec::new()) })
    }

    fn objects(&self, _: Kind) -> BoxFuture<'_, Option<Objects>> {
        Box::pin(async { Some(Objects::default()) })
    }

    fn kept<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Option<Objects>> {
        Box::pin(async { Some(Objects::default()) })
    }

    fn is_kept<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Option<bool>> {
        Box::pin(async { Some(false) })
    }

    fn databases(&self) -> Option<Vec<Arc<Database>>> {
        Some(Vec::new())
    }

    fn all_labels(&self) -> BTreeMap<String, Labels> {
        BTreeMap::new()
    }
}
