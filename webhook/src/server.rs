//! Connections: TLS, HTTP/1.1 and HTTP/2, time limits, and an end that lets running reviews finish.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use rustls::{ServerConfig, server::ResolvesServerCert};
use tokio::{net::TcpListener, time::timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// The API server gives up after ten seconds at the most; whoever takes longer is not it.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// How long a client may take to send its headers.
const HEADER_LIMIT: Duration = Duration::from_secs(5);
/// How long running reviews may take after the signal to stop.
const DRAIN_LIMIT: Duration = Duration::from_secs(10);

/// Why the server doesn't run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("can't listen on {address}: {source}; choose another address with --listen")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error("TLS can't be set up: {0}")]
    Tls(#[from] rustls::Error),
}

/// Binds the address, so that a port that is taken is told at once.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|source| ServeError::Listen { address, source })
}

/// Serves until the token is cancelled, then lets running requests finish.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    certificate: Arc<dyn ResolvesServerCert>,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let mut config = ServerConfig::builder().with_no_client_auth().with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let graceful = GracefulShutdown::new();

    loop {
        let connection = tokio::select! {
            connection = listener.accept() => connection,
            () = stop.cancelled() => break,
        };
        let stream = match connection {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors, for one: taking a breath lets others end.
                tracing::warn!(%error, "a connection can't be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let (acceptor, router, watcher) = (acceptor.clone(), router.clone(), graceful.watcher());
        tokio::spawn(async move {
            let tls = match timeout(HANDSHAKE_LIMIT, acceptor.accept(stream)).await {
                Ok(Ok(tls)) => tls,
                Ok(Err(error)) => return tracing::debug!(%error, "TLS handshake failed"),
                Err(_) => return tracing::debug!("TLS handshake took too long"),
            };
            let mut builder = Builder::new(TokioExecutor::new());
            builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_LIMIT);
            builder.http2().timer(TokioTimer::new()).keep_alive_interval(Duration::from_secs(30));
            let service = TowerToHyperService::new(tower::service_fn(move |request: hyper::Request<_>| {
                let router = router.clone();
                async move {
                    let response = tower::ServiceExt::oneshot(router, request).await;
                    Ok::<_, Infallible>(response.unwrap_or_else(|never| match never {}))
                }
            }));
            let connection = builder.serve_connection(TokioIo::new(tls), service).into_owned();
            if let Err(error) = watcher.watch(connection).await {
                tracing::debug!(%error, "connection ended");
            }
        });
    }

    drop(listener);
    if timeout(DRAIN_LIMIT, graceful.shutdown()).await.is_err() {
        tracing::warn!("some connections did not end in time");
    }
    Ok(())
}
