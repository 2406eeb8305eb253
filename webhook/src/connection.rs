//! One connection, from its handshake to its end.

use std::{
    convert::Infallible,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    http::{HeaderValue, Request, Response, Version, header::CONNECTION},
};
use futures::{FutureExt, StreamExt, stream::FuturesUnordered};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::graceful::GracefulConnection,
};
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use crate::{Limits, Metrics, Tls, body::Turn, header_timeout::HeaderTimeout, slots::Slot};

/// The longest head. The API server's are a few hundred bytes.
const HEAD: u32 = 16 * 1024;
/// What an HTTP/2 client may send before it is read; times the connections that has to fit into memory.
const WINDOW: u32 = 64 * 1024;
/// Requests at once on a connection. An API server speaks HTTP/2 only to a webhook at a loopback address, and opens another
/// connection when it has more to ask; to a Service it speaks HTTP/1.1, so that its requests are spread over all replicas
/// (`k8s.io/apiserver/pkg/util/webhook/client.go`, <https://issue.k8s.io/75791>).
const STREAMS: u32 = 4;

/// What all connections share.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionHandler {
    pub(crate) router: Router,
    pub(crate) tls: Tls,
    pub(crate) limits: Limits,
    pub(crate) metrics: Metrics,
    /// The process was told to stop. A token would have a lock that each request takes.
    pub(crate) stopping: Arc<AtomicBool>,
    /// The server takes no new connections any more.
    pub(crate) closed: CancellationToken,
}

impl ConnectionHandler {
    pub(crate) async fn attend(self, stream: TcpStream, slot: Slot) {
        let slot = Arc::new(slot);
        let handshake = timeout(self.limits.handshake, self.tls.acceptor().accept(stream));
        let tls = tokio::select! {
            tls = handshake => tls,
            () = slot.told_to_leave() => {
                self.metrics.evicted.inc();
                return;
            }
        };
        match tls {
            Ok(Ok(tls)) => self.serve(tls, slot).await,
            Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
            Err(_) => tracing::debug!("TLS handshake took too long"),
        }
    }

    /// Which HTTP it is was agreed on in the handshake. Guessing it from the first bytes, as hyper-util's
    /// automatic builder does, waits for them without a limit.
    async fn serve(&self, tls: TlsStream<TcpStream>, slot: Arc<Slot>) {
        let http2 = tls.get_ref().1.alpn_protocol() == Some(b"h2");
        let io = TokioIo::new(HeaderTimeout::new(tls, http2, self.limits.head, slot.clone()));
        let service = self.service(slot.clone());
        if http2 {
            self.watch(self.http2().serve_connection(io, service), &slot, Duration::ZERO).await;
        } else {
            // The other half is for the last answers.
            let spare = self.limits.drain / 2;
            self.watch(self.http1().serve_connection(io, service), &slot, spare).await;
        }
    }

    fn http1(&self) -> http1::Builder {
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            // It runs between requests too, so it is the limit of idleness, and `HeaderTimeout` minds the head.
            .header_read_timeout(self.limits.idle)
            .max_buf_size(HEAD as usize);
        builder
    }

    /// Floods of resets are ended by hyper's own limits: 20 streams reset before they are seen, 1024 by our errors.
    fn http2(&self) -> http2::Builder<TokioExecutor> {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .keep_alive_interval(self.limits.ping_after)
            .keep_alive_timeout(self.limits.ping)
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(HEAD)
            .initial_connection_window_size(WINDOW)
            .initial_stream_window_size(WINDOW)
            .max_send_buf_size(WINDOW as usize);
        builder
    }

    fn service(
        &self,
        slot: Arc<Slot>,
    ) -> impl Service<
        Request<Incoming>,
        Response = Response<axum::body::Body>,
        Error = Infallible,
        Future: Send,
    > + use<> {
        let (router, stopping) = (self.router.clone(), self.stopping.clone());
        let turn = Turn::default();
        service_fn(move |mut request: Request<Incoming>| {
            let work = slot.work();
            // With HTTP/1.1 there is one at a time anyway.
            if request.version() == Version::HTTP_2 {
                request.extensions_mut().insert(turn.clone());
            }
            let (router, stopping, version) = (router.clone(), stopping.clone(), request.version());
            async move {
                let response = tower::ServiceExt::oneshot(router, request).await;
                let mut response = response.unwrap_or_else(|never| match never {});
                // An HTTP/1.1 client only learns with an answer that it should go elsewhere.
                if version < Version::HTTP_2 && stopping.load(Ordering::Relaxed) {
                    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                drop(work);
                Ok(response)
            }
        })
    }

    /// A connection is ended that long after the server takes no new ones. HTTP/2 has an end that loses no request, so
    /// it can be at once. HTTP/1.1 has none: hyper would close an idle connection under a request that is on its way,
    /// which Go's client doesn't repeat. Until then the next answer tells the client to close.
    async fn watch<C>(&self, connection: C, slot: &Slot, spare: Duration)
    where
        C: GracefulConnection,
        C::Error: std::fmt::Display,
    {
        // Polled when one of them has something to say, and not whenever the connection has: each looks under a lock that
        // all connections share.
        let mut signals = FuturesUnordered::new();
        signals.push(self.end(spare).boxed());
        signals.push(Signal::leave(slot).boxed());
        let mut connection = pin!(connection);
        loop {
            tokio::select! {
                result = &mut connection => {
                    if let Err(error) = result {
                        tracing::debug!(%error, "connection ended");
                    }
                    return;
                }
                Some(signal) = signals.next() => match signal {
                    Signal::Leave if slot.is_quiet() => {
                        self.metrics.evicted.inc();
                        return;
                    }
                    // It has got busy since.
                    Signal::Leave => signals.push(Signal::leave(slot).boxed()),
                    Signal::End => connection.as_mut().graceful_shutdown(),
                },
            }
        }
    }

    async fn end(&self, spare: Duration) -> Signal {
        self.closed.cancelled().await;
        sleep(spare).await;
        Signal::End
    }
}

/// What a connection is told.
enum Signal {
    /// A newcomer needs its place.
    Leave,
    /// The server takes no new connections any more.
    End,
}

impl Signal {
    async fn leave(slot: &Slot) -> Self {
        slot.told_to_leave().await;
        Self::Leave
    }
}
