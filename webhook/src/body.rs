//! Reading a body, without giving a sender more memory or time than it needs.

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes, HttpBody},
    http::StatusCode,
};
use futures::FutureExt;
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
const SMALL: usize = 32 * 1024;
/// What large bodies have together for all that goes beyond that. Small ones never wait for it.
const ROOM: usize = 2 * 1024 * 1024;
/// A sender that pauses for that long makes room for others, when all places or all the room is taken.
const GRACE: Duration = Duration::from_secs(1);

/// What the bodies on one connection share: those that don't come whole are read one after the other, so that nobody takes
/// more places than connections.
#[derive(Clone, Debug)]
pub(crate) struct Turn(Arc<Semaphore>);

impl Default for Turn {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

/// Bounds what all the bodies together take.
#[derive(Clone, Debug)]
pub(crate) struct Bodies {
    /// For those that come whole. They are gone in a moment, so it never takes long to get one of these.
    whole: Arc<Semaphore>,
    /// For those that have to be waited for.
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
    _place: Place,
}

#[derive(Debug)]
enum Place {
    /// Of a body that nothing had to be waited for.
    Passed(#[expect(dead_code, reason = "it is held until it is dropped")] Option<OwnedSemaphorePermit>),
    Settled(#[expect(dead_code, reason = "it is held until it is dropped")] Work),
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
            whole: Arc::new(Semaphore::new(limits.bodies)),
            places: Slots::new(limits.bodies, GRACE),
            room: Arc::new(Semaphore::new(ROOM)),
            beyond: Arc::new(Semaphore::new(1)),
            limit: limits.body,
        }
    }

    pub(crate) async fn read(&self, mut body: Body, turn: Turn) -> Result<Received, Refused> {
        if body.size_hint().lower() > LARGEST as u64 {
            return Err(Refused::TooLarge);
        }
        let mut bytes = Vec::new();
        let mut next = None;
        // Most reviews have come whole by now.
        let permit = self.whole.clone().try_acquire_owned().ok();
        if permit.is_some() {
            match at_once(&mut body, &mut bytes)? {
                Come::Whole => {
                    return Ok(Received { bytes, _taken: Taken::default(), _place: Place::Passed(permit) });
                }
                Come::Piece(piece) => next = Some(piece),
                Come::Late => {}
            }
        }
        drop(permit);
        timeout(self.limit, async {
            // Each fails only for a semaphore that was closed, and nobody closes it.
            let _turn = turn.0.acquire_owned().await.ok();
            let slot = Arc::new(self.places.enter().await);
            tokio::select! {
                received = self.collect(body, bytes, next, &slot) => received,
                () = slot.told_to_leave() => Err(Refused::Overload),
            }
        })
        .await
        .unwrap_or(Err(Refused::TooSlow))
    }

    /// Grows with what came and not with what was announced, since an announcement costs a sender nothing.
    async fn collect(
        &self,
        mut body: Body,
        mut bytes: Vec<u8>,
        mut next: Option<Bytes>,
        slot: &Arc<Slot>,
    ) -> Result<Received, Refused> {
        let mut taken = Taken::default();
        loop {
            let data = match next.take() {
                Some(data) => data,
                None => match body.frame().await {
                    None => {
                        return Ok(Received { bytes, _taken: taken, _place: Place::Settled(slot.work()) });
                    }
                    Some(frame) => frame.map_err(|_| Refused::Broken)?.into_data().unwrap_or_default(),
                },
            };
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

/// How much of a body is there.
enum Come {
    Whole,
    /// With this piece it is more than a small one.
    Piece(Bytes),
    /// The rest has to be waited for.
    Late,
}

/// Takes what is there of a small body.
fn at_once(body: &mut Body, bytes: &mut Vec<u8>) -> Result<Come, Refused> {
    while let Some(come) = body.frame().now_or_never() {
        let Some(frame) = come else { return Ok(Come::Whole) };
        let data = frame.map_err(|_| Refused::Broken)?.into_data().unwrap_or_default();
        if bytes.len() + data.len() > SMALL {
            return Ok(Come::Piece(data));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Come::Late)
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
        let whole = |_| bodies.read(Body::from_stream(pieces(6_000_000)), Turn::default());
        for received in join_all((0..10).map(whole).map(async |read| read.await.map(drop))).await {
            received.unwrap();
        }
    }

    #[tokio::test]
    async fn what_has_come_whole_has_a_place_until_it_is_answered() {
        let bodies = Bodies::new(&Limits { bodies: 1, body: Duration::from_millis(50), ..Limits::default() });
        let first = bodies.read(Body::from("{}"), Turn::default()).await.unwrap();
        // Of the places for those that have to be waited for.
        let _second = bodies.read(Body::from("{}"), Turn::default()).await.unwrap();
        assert_eq!(bodies.read(Body::from("{}"), Turn::default()).await.unwrap_err(), Refused::TooSlow);
        drop(first);
        bodies.read(Body::from("{}"), Turn::default()).await.unwrap();
    }

    #[tokio::test]
    async fn who_fills_the_room_and_stops_makes_room_for_others() {
        let bodies = bodies();
        for _ in 0..3 {
            let (bodies, body) = (bodies.clone(), pieces(3_000_000).chain(stream::pending()));
            tokio::spawn(async move { bodies.read(Body::from_stream(body), Turn::default()).await });
        }
        while bodies.room.available_permits() > 16_384 || bodies.beyond.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        bodies.read(Body::from_stream(pieces(200_000)), Turn::default()).await.unwrap();
    }
}
