//! Reading a body, without giving a sender more memory or time than it needs.

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, HttpBody},
    http::StatusCode,
};
use http_body_util::BodyExt;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use crate::{
    Limits,
    slots::{Slot, Slots, Work},
};

/// The largest body: an object and its predecessor, 3 MiB each at most, and the review around them.
const LARGEST: usize = 7 * 1024 * 1024;
/// What a review of a Database fits into, several times over.
const SMALL: usize = 64 * 1024;
/// What large bodies have together for all that goes beyond that. Small ones never wait for it.
const ROOM: usize = 2 * 1024 * 1024;
/// A sender that pauses for that long makes room for others, when all places or all the room is taken.
const GRACE: Duration = Duration::from_secs(1);

/// Bounds what all the bodies together take.
#[derive(Clone, Debug)]
pub(crate) struct Bodies {
    places: Arc<Slots>,
    room: Arc<Semaphore>,
    /// For one body at a time, which may take more than there is room for: without it, several that share the room
    /// could all wait for the rest of it.
    beyond: Arc<Semaphore>,
    limit: Duration,
}

/// Why a body isn't read. All of them are a failed call to the API server, for which the webhook configuration
/// says what becomes of the request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Refused {
    TooLarge,
    TooSlow,
    Overload,
    Broken,
}

impl Refused {
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::TooSlow => "too_slow",
            Self::Overload => "overload",
            Self::Broken => "broken",
        }
    }

    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Overload => StatusCode::SERVICE_UNAVAILABLE,
            Self::Broken => StatusCode::BAD_REQUEST,
        }
    }
}

/// A whole body. Its place and its room are taken until it is dropped.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) bytes: Vec<u8>,
    _taken: Taken,
    _work: Work,
}

/// What a large body has taken for itself.
#[derive(Debug, Default)]
struct Taken {
    room: Vec<OwnedSemaphorePermit>,
    beyond: Option<OwnedSemaphorePermit>,
}

impl Bodies {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            places: Slots::new(limits.bodies, GRACE),
            room: Arc::new(Semaphore::new(ROOM)),
            beyond: Arc::new(Semaphore::new(1)),
            limit: limits.body,
        }
    }

    pub(crate) async fn read(&self, body: Body) -> Result<Received, Refused> {
        if body.size_hint().lower() > LARGEST as u64 {
            return Err(Refused::TooLarge);
        }
        timeout(self.limit, async {
            let slot = Arc::new(self.places.enter().await);
            tokio::select! {
                received = self.collect(body, &slot) => received,
                () = slot.told_to_leave() => Err(Refused::Overload),
            }
        })
        .await
        .unwrap_or(Err(Refused::TooSlow))
    }

    /// Grows with what came and not with what was announced, since an announcement costs a sender nothing.
    async fn collect(&self, mut body: Body, slot: &Arc<Slot>) -> Result<Received, Refused> {
        let mut bytes = Vec::new();
        let mut taken = Taken::default();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Refused::Broken)?;
            let Ok(data) = frame.into_data() else { continue };
            let length = bytes.len() + data.len();
            if length > LARGEST {
                return Err(Refused::TooLarge);
            }
            if length > SMALL {
                // Who waits for us is not told to leave.
                let _work = slot.work();
                self.take(&mut taken, data.len()).await;
                // All at once: growing by doubling takes up to three times as much for a moment.
                let rest = body.size_hint().upper().and_then(|rest| usize::try_from(rest).ok());
                bytes.reserve_exact(data.len() + rest.unwrap_or(LARGEST).min(LARGEST - length));
            }
            bytes.extend_from_slice(&data);
        }
        Ok(Received { bytes, _taken: taken, _work: slot.work() })
    }

    /// Waits until a large body may have so much more.
    async fn take(&self, taken: &mut Taken, length: usize) {
        if taken.beyond.is_some() {
            return;
        }
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        let either = async {
            tokio::select! {
                biased;
                room = self.room.clone().acquire_many_owned(length) => taken.room.extend(room),
                beyond = self.beyond.clone().acquire_owned() => taken.beyond = beyond.ok(),
            }
        };
        self.places.making_room(either).await;
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::{StreamExt, future::join_all, stream};

    use super::*;

    /// Far longer than anything here takes.
    const PATIENCE: Duration = Duration::from_secs(20);

    fn bodies() -> Bodies {
        Bodies::new(&Limits { body: PATIENCE, ..Limits::default() })
    }

    /// In pieces, as it comes from a connection.
    fn pieces(length: usize) -> impl futures::Stream<Item = Result<Vec<u8>, Infallible>> + Send {
        stream::iter(0..length / 16_384).then(async |_| {
            tokio::task::yield_now().await;
            Ok(vec![b' '; 16_384])
        })
    }

    #[tokio::test]
    async fn large_bodies_that_come_at_once_are_all_read() {
        let bodies = bodies();
        let whole = |_| bodies.read(Body::from_stream(pieces(6_000_000)));
        for received in join_all((0..10).map(whole).map(async |read| read.await.map(drop))).await {
            received.unwrap();
        }
    }

    #[tokio::test]
    async fn who_fills_the_room_and_stops_makes_room_for_others() {
        let bodies = bodies();
        for _ in 0..3 {
            let (bodies, body) = (bodies.clone(), pieces(3_000_000).chain(stream::pending()));
            tokio::spawn(async move { bodies.read(Body::from_stream(body)).await });
        }
        while bodies.room.available_permits() > 16_384 || bodies.beyond.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        bodies.read(Body::from_stream(pieces(200_000))).await.unwrap();
    }
}
