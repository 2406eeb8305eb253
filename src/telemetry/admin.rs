//! `/livez`, `/readyz` and `/metrics`, in plain HTTP on a port of their own.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{Router, http::StatusCode, routing::get};
use exposition::Registry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Whether requests should come to this process.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// What must be there first.
    missing: Vec<&'static str>,
    is_stopping: bool,
}

impl Readiness {
    /// Not ready before each of these is done.
    pub fn waiting_for(what: &[&'static str]) -> Self {
        Self(Arc::new(Mutex::new(State { missing: what.to_vec(), is_stopping: false })))
    }

    /// Notes that it is done.
    pub fn done(&self, what: &'static str) {
        self.state().missing.retain(|missing| *missing != what);
    }

    /// Not ready again, for good: requests should go elsewhere.
    pub fn stopping(&self) {
        self.state().is_stopping = true;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self) -> (StatusCode, String) {
        let state = self.state();
        if state.is_stopping {
            (StatusCode::SERVICE_UNAVAILABLE, "stopping\n".to_owned())
        } else if state.missing.is_empty() {
            (StatusCode::OK, "ok\n".to_owned())
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, format!("waiting for {}\n", state.missing.join(", ")))
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
    let (status, text) = match registry.text() {
        Ok(text) => (StatusCode::OK, text),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, String::new()),
    };
    (status, [("content-type", "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_is_waited_for_and_that_it_stops() {
        let readiness = Readiness::waiting_for(&["the policy to be read", "the certificate"]);
        let answer = || readiness.answer();
        let waiting = "waiting for the policy to be read, the certificate\n".to_owned();
        assert_eq!(answer(), (StatusCode::SERVICE_UNAVAILABLE, waiting));
        readiness.done("the policy to be read");
        readiness.done("the certificate");
        assert_eq!(answer(), (StatusCode::OK, "ok\n".to_owned()));
        readiness.stopping();
        assert_eq!(answer(), (StatusCode::SERVICE_UNAVAILABLE, "stopping\n".to_owned()));
    }
}
