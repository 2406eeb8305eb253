//! Lets no write pass from a process that doesn't lead.

use std::{
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Instant,
};

use axum::http::{Method, Request};
use futures::future::{self, Either};
use tower::{BoxError, Layer, Service};

/// Until when this process leads, by a clock that goes on while the process is stopped.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fence {
    until: Arc<Mutex<Option<Instant>>>,
}

/// Why a write wasn't sent.
#[derive(Debug, thiserror::Error)]
#[error("this process doesn't lead any more, so nothing is written")]
pub(crate) struct NotLeading;

impl Fence {
    /// This process leads until then; `None` if it doesn't lead.
    pub(crate) fn set(&self, until: Option<Instant>) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }

    /// Whether this process leads.
    pub(crate) fn is_open(&self) -> bool {
        let until = *self.until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }
}

impl<S> Layer<S> for Fence {
    type Service = Fenced<S>;

    fn layer(&self, inner: S) -> Fenced<S> {
        Fenced { inner, fence: self.clone() }
    }
}

/// A client of the API server that asks the fence before each write.
#[derive(Clone, Debug)]
pub(crate) struct Fenced<S> {
    inner: S,
    fence: Fence,
}

impl<S, B> Service<Request<B>> for Fenced<S>
where
    S: Service<Request<B>, Error: Into<BoxError>>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Either<
        futures::future::MapErr<S::Future, fn(S::Error) -> BoxError>,
        future::Ready<Result<S::Response, BoxError>>,
    >;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        use futures::TryFutureExt;

        if request.method() != Method::GET && !self.fence.is_open() {
            return Either::Right(future::ready(Err(NotLeading.into())));
        }
        Either::Left(self.inner.call(request).map_err(Into::into as fn(S::Error) -> BoxError))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tower::{ServiceExt, service_fn};

    use super::*;

    async fn sent(fence: &Fence, method: Method) -> bool {
        let inner = service_fn(async |_: Request<()>| Ok::<_, BoxError>(()));
        let request = Request::builder().method(method).body(()).unwrap();
        fence.layer(inner).oneshot(request).await.is_ok()
    }

    #[tokio::test]
    async fn only_a_leader_writes_and_everybody_reads() {
        let fence = Fence::default();
        let later = Instant::now() + Duration::from_mins(1);
        for (until, writes) in [(None, false), (Some(later), true), (Some(Instant::now()), false)] {
            fence.set(until);
            assert!(sent(&fence, Method::GET).await);
            for method in [Method::PATCH, Method::POST, Method::PUT, Method::DELETE] {
                assert_eq!(sent(&fence, method).await, writes, "{until:?}");
            }
        }
    }
}
