//! Listening, and an end that lets running reviews finish.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::Router;
use tokio::{
    net::TcpListener,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{Limits, Metrics, Tls, connection::ConnectionHandler, metrics::Raised, slots::Slots};

/// Who connected more recently than that isn't sent away for a newcomer: its request is on its way, or its
/// last answer.
const GRACE: Duration = Duration::from_millis(100);

/// Why the server doesn't run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("can't listen on {address}: {source}; choose another address with --listen")]
    Listen { address: SocketAddr, source: std::io::Error },
}

/// Binds the address, so that a port that is taken is told at once.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|source| ServeError::Listen { address, source })
}

/// What is served, to whom, and how much of it.
#[derive(Clone, Debug)]
pub struct Server {
    pub router: Router,
    pub tls: Tls,
    pub limits: Limits,
    pub metrics: Metrics,
}

impl Server {
    /// Serves until the token is cancelled, goes on for a while, and lets running requests finish.
    pub async fn run(self, listener: TcpListener, stop: CancellationToken) {
        let Self { router, tls, limits, metrics } = self;
        let closed = CancellationToken::new();
        let stopping = Arc::new(AtomicBool::new(false));
        let handler = ConnectionHandler {
            router,
            tls,
            limits,
            metrics,
            stopping: stopping.clone(),
            closed: closed.clone(),
        };
        let connections = TaskTracker::new();
        let settled = async {
            stop.cancelled().await;
            stopping.store(true, Ordering::Relaxed);
            sleep(limits.settle).await;
        };
        tokio::select! {
            never = accept(&listener, &handler, &connections) => match never {},
            () = settled => {}
        }
        closed.cancel();
        drop(listener);
        connections.close();
        if timeout(limits.drain, connections.wait()).await.is_err() {
            tracing::warn!("some connections did not end in time");
        }
    }
}

async fn accept(
    listener: &TcpListener,
    handler: &ConnectionHandler,
    connections: &TaskTracker,
) -> std::convert::Infallible {
    let slots = Slots::new(handler.limits.connections, GRACE);
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors, for one: taking a breath lets others end.
                tracing::warn!(%error, "a connection can't be accepted");
                sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        drop(stream.set_nodelay(true));
        let slot = slots.enter().await;
        let handler = handler.clone();
        connections.spawn(async move {
            let _open = Raised::new(&handler.metrics.connections);
            handler.attend(stream, slot).await;
        });
    }
}
