//! Listening: accept loops that end when the stand-in stops, over TLS and over plain HTTP.

use std::{sync::Arc, time::Duration};

use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::{Certificate, StartError};

/// Accepting can fail for a moment, for example for want of file descriptors; without a pause it would spin.
const PAUSE_AFTER_FAILED_ACCEPT: Duration = Duration::from_millis(50);

/// With HTTP's protocols.
pub(super) fn tls_acceptor(certificate: &Certificate) -> Result<TlsAcceptor, StartError> {
    let mut config = tls_config(certificate)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

pub(super) fn tls_config(certificate: &Certificate) -> Result<ServerConfig, StartError> {
    let chain = CertificateDer::pem_slice_iter(certificate.chain_pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(StartError::Pem)?;
    let key = PrivateKeyDer::from_pem_slice(certificate.key_pem.as_bytes()).map_err(StartError::Pem)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(StartError::Certificate)
}

pub(super) async fn https(
    listener: Arc<TcpListener>,
    tls: TlsAcceptor,
    app: Router,
    stopping: CancellationToken,
) {
    accept(&listener, &stopping, |stream| {
        let (tls, app) = (tls.clone(), app.clone());
        async move {
            match tls.accept(stream).await {
                Ok(stream) => connection(stream, app).await,
                Err(error) => debug!(%error, "TLS handshake failed"),
            }
        }
    })
    .await;
}

pub(super) async fn http(listener: Arc<TcpListener>, app: Router, stopping: CancellationToken) {
    accept(&listener, &stopping, |stream| connection(stream, app.clone())).await;
}

/// Hands each connection to `handle`, in a task of its own that ends with the stand-in.
pub(super) async fn accept<H, F>(listener: &TcpListener, stopping: &CancellationToken, handle: H)
where
    H: Fn(TcpStream) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    while let Some(accepted) = stopping.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, _)) => {
                // Answers are small and a client waits for each: never hold one back to fill a packet.
                drop(stream.set_nodelay(true));
                let handled = handle(stream);
                let stopping = stopping.clone();
                tokio::spawn(async move { stopping.run_until_cancelled(handled).await });
            }
            Err(error) => {
                debug!(%error, "accepting a connection failed");
                tokio::time::sleep(PAUSE_AFTER_FAILED_ACCEPT).await;
            }
        }
    }
}

async fn connection(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, app: Router) {
    let service = TowerToHyperService::new(app);
    let builder = auto::Builder::new(TokioExecutor::new());
    // Clients close connections as they like, which is no news here.
    if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
        debug!(%error, "a connection ended early");
    }
}
