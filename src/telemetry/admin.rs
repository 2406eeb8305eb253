//! `/livez`, `/readyz` and `/metrics`, in plain HTTP on a port of their own.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{Router, http::StatusCode, routing::get};
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// What must be there before this process is ready; empty when it is.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    missing: Arc<Mutex<Vec<&'static str>>>,
}

impl Readiness {
    /// Not ready before each of these is done.
    pub fn waiting_for(what: &[&'static str]) -> Self {
        Self { missing: Arc::new(Mutex::new(what.to_vec())) }
    }

    /// Notes that it is done.
    pub fn done(&self, what: &'static str) {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner).retain(|missing| *missing != what);
    }

    /// Not ready again, for good: requests should go elsewhere.
    pub fn stopping(&self) {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner).push("stopping");
    }

    fn answer(&self) -> (StatusCode, String) {
        let missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        if missing.is_empty() {
            (StatusCode::OK, "ok\n".to_owned())
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, format!("waiting for {}\n", missing.join(", ")))
        }
    }
}

/// Why the port isn't served.
#[derive(Debug, thiserror::Error)]
#[error("can't listen on {address}: {source}; choose another address with --admin-listen")]
pub struct AdminError {
    address: SocketAddr,
    source: std::io::Error,
}

/// Binds the address at once and serves in the background until the token is cancelled.
pub async fn serve_admin(
    address: SocketAddr,
    registry: Registry,
    readiness: Readiness,
    stop: CancellationToken,
) -> Result<(), AdminError> {
    let listener = TcpListener::bind(address).await.map_err(|source| AdminError { address, source })?;
    let registry = Arc::new(registry);
    let router = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(move || async move { readiness.answer() }))
        .route("/metrics", get(move || async move { metrics(&registry) }));
    tokio::spawn(async move {
        let server =
            axum::serve(listener, router).with_graceful_shutdown(async move { stop.cancelled().await });
        if let Err(error) = server.await {
            tracing::error!(%error, "health and metrics are no longer served");
        }
    });
    Ok(())
}

fn metrics(registry: &Registry) -> (StatusCode, [(&'static str, &'static str); 1], String) {
    let mut text = String::new();
    let status = match prometheus_client::encoding::text::encode(&mut text, registry) {
        Ok(()) => StatusCode::OK,
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    (status, [("content-type", "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
}
