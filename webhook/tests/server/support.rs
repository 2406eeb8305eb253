//! A server with the example policy on a free port, and clients of all manners.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use api::Database;
use bytes::Bytes;
use exposition::Registry;
use futures::future::BoxFuture;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, StatusCode, body::Incoming, client::conn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use policy::{PolicyState, document::Labels};
use rcgen::CertifiedKey as Issued;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::sync::CancellationToken;
use webhook::{
    Cluster, Limits, Metrics, State, Tls,
    cluster::{Kind, Objects, Servers},
    review,
    router::Judge,
};

/// Far longer than anything here takes.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Limits that let a test end soon.
pub fn quick() -> Limits {
    Limits { settle: Duration::from_millis(1), ..Limits::default() }
}

#[derive(Debug)]
struct Fixed(Arc<CertifiedKey>);

impl ResolvesServerCert for Fixed {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

pub struct Server {
    pub address: SocketAddr,
    pub stop: CancellationToken,
    pub running: JoinHandle<()>,
    pub tls: Tls,
    pub trust: RootCertStore,
    registry: Registry,
}

/// A client's certificates and their key.
pub type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

pub async fn server() -> Server {
    server_with(quick(), review::answer).await
}

pub async fn server_with(limits: Limits, judge: Judge) -> Server {
    drop(ring::default_provider().install_default());
    let Issued { cert, signing_key } = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let served = CertifiedKey::from_der(vec![cert.der().clone()], key, &ring::default_provider()).unwrap();
    let mut trust = RootCertStore::empty();
    trust.add(cert.der().clone()).unwrap();

    let policy = include_str!("../../../examples/policy.yaml");
    let data = [("policy.yaml".to_owned(), policy.to_owned())].into();
    let mut registry = Registry::default();
    let metrics = Metrics::new(&mut registry);
    let state = State {
        cluster: Arc::new(Empty),
        policy: Arc::new(arc_swap::ArcSwap::from_pointee(PolicyState::default().applied(Some(&data)))),
        policy_name: "database-policy".into(),
        metrics: metrics.clone(),
    };
    let router = webhook::router::routes(state, judge, &limits);
    let tls = Tls::for_everyone(Arc::new(Fixed(Arc::new(served)))).unwrap();
    let listener = webhook::server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let whole = webhook::Server { router, tls: tls.clone(), limits, metrics };
    let running = tokio::spawn(whole.run(listener, stop.clone()));
    Server { address, stop, running, tls, trust, registry }
}

impl Server {
    pub async fn connect(&self, alpn: &[u8]) -> TlsStream<TcpStream> {
        self.connect_as(alpn, None).await.unwrap()
    }

    pub async fn connect_as(
        &self,
        alpn: &[u8],
        identity: Option<Identity>,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let config = ClientConfig::builder().with_root_certificates(self.trust.clone());
        let mut config = match identity {
            Some((chain, key)) => config.with_client_auth_cert(chain, key).unwrap(),
            None => config.with_no_client_auth(),
        };
        config.alpn_protocols = vec![alpn.to_vec()];
        let tcp = TcpStream::connect(self.address).await?;
        TlsConnector::from(Arc::new(config)).connect(ServerName::from(self.address.ip()), tcp).await
    }

    pub fn request(&self, path: &str, body: Vec<u8>) -> Request<Full<Bytes>> {
        Request::post(format!("https://{}{path}", self.address))
            .header("host", self.address.to_string())
            .body(Full::new(Bytes::from(body)))
            .unwrap()
    }

    /// Sends a body to `/validate` on a connection of its own and gives what comes back.
    pub async fn ask(&self, alpn: &[u8], body: Vec<u8>) -> (StatusCode, Bytes) {
        self.ask_on(alpn, self.connect(alpn).await, "/validate", body).await.unwrap()
    }

    pub async fn ask_on(
        &self,
        alpn: &[u8],
        tls: TlsStream<TcpStream>,
        path: &str,
        body: Vec<u8>,
    ) -> hyper::Result<(StatusCode, Bytes)> {
        let request = self.request(path, body);
        let response = if alpn == b"h2" {
            let (mut sender, connection) =
                conn::http2::handshake(TokioExecutor::new(), TokioIo::new(tls)).await?;
            tokio::spawn(connection);
            sender.send_request(request).await?
        } else {
            let (mut sender, connection) = conn::http1::handshake(TokioIo::new(tls)).await?;
            tokio::spawn(connection);
            sender.send_request(request).await?
        };
        let status = response.status();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }

    /// A sound review is answered, whatever else goes on.
    pub async fn answers(&self, alpn: &[u8]) {
        let (status, body) = timeout(PATIENCE, self.ask(alpn, review_of("Standard_B1ms"))).await.unwrap();
        assert_eq!(status, StatusCode::OK);
        assert_eq!(json_of(&body)["response"]["allowed"], true);
    }

    pub fn metrics(&self) -> String {
        self.registry.text().unwrap()
    }

    /// Waits until the metrics hold the line.
    pub async fn shows(&self, line: &str) {
        let shown = async {
            while !self.metrics().lines().any(|shown| shown == line) {
                sleep(Duration::from_millis(5)).await;
            }
        };
        assert!(timeout(PATIENCE, shown).await.is_ok(), "no {line} in\n{}", self.metrics());
    }

    /// The server has ended by itself.
    pub async fn ended(self) {
        timeout(PATIENCE, self.running).await.unwrap().unwrap();
        assert!(TcpStream::connect(self.address).await.is_err(), "it still listens");
    }
}

pub fn review_of(sku: &str) -> Vec<u8> {
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

pub fn json_of(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap()
}

pub async fn whole(response: Response<Incoming>) -> Value {
    json_of(&response.into_body().collect().await.unwrap().to_bytes())
}

/// A cluster that holds nothing.
#[derive(Debug)]
pub struct Empty;

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
