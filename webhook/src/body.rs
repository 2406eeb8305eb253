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
    slots::{Slot, Slots},
    weight,
};

/// The largest body: an object and its predecessor, 3 MiB each at most, and the review around them.
const LARGEST: usize = 7 * 1024 * 1024;
/// What a review of a Database fits into, several times over.
const SMALL: usize = 64 * 1024;
/// Bodies above that at once. They wait for each other, and small ones never wait for them.
const LARGE_AT_ONCE: usize = 1;
/// What the parts of a review may weigh; those of a Database are a tenth of it.
const HEAVIEST: usize = 8 * 1024 * 1024;
/// A body that isn't there after that long makes room for others, when all places are taken.
const GRACE: Duration = Duration::from_secs(1);

/// Bounds what all the bodies together take.
#[derive(Clone, Debug)]
pub(crate) struct Bodies {
    places: Arc<Slots>,
    large: Arc<Semaphore>,
    limit: Duration,
}

/// Why a body isn't read. All of them are a failed call to the API server, for which the webhook configuration
/// says what becomes of the request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Refused {
    TooLarge,
    TooHeavy,
    TooSlow,
    Overload,
    Broken,
}

impl Refused {
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::TooHeavy => "too_heavy",
            Self::TooSlow => "too_slow",
            Self::Overload => "overload",
            Self::Broken => "broken",
        }
    }

    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::TooLarge | Self::TooHeavy => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Overload => StatusCode::SERVICE_UNAVAILABLE,
            Self::Broken => StatusCode::BAD_REQUEST,
        }
    }
}

/// A whole body. Its place is taken until it is dropped.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) bytes: Vec<u8>,
    _large: Option<OwnedSemaphorePermit>,
    _slot: Slot,
}

impl Bodies {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            places: Slots::new(limits.bodies, GRACE),
            large: Arc::new(Semaphore::new(LARGE_AT_ONCE)),
            limit: limits.body,
        }
    }

    pub(crate) async fn read(&self, body: Body) -> Result<Received, Refused> {
        if body.size_hint().lower() > LARGEST as u64 {
            return Err(Refused::TooLarge);
        }
        timeout(self.limit, async {
            let slot = self.places.enter().await;
            let (bytes, large) = tokio::select! {
                collected = self.collect(body) => collected?,
                () = slot.told_to_leave() => return Err(Refused::Overload),
            };
            Ok(Received { bytes, _large: large, _slot: slot })
        })
        .await
        .unwrap_or(Err(Refused::TooSlow))
    }

    /// Grows with what came and not with what was announced, since an announcement costs a sender nothing.
    async fn collect(&self, mut body: Body) -> Result<(Vec<u8>, Option<OwnedSemaphorePermit>), Refused> {
        let mut bytes = Vec::new();
        let mut large = None;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Refused::Broken)?;
            let Ok(data) = frame.into_data() else { continue };
            let length = bytes.len() + data.len();
            if length > LARGEST {
                return Err(Refused::TooLarge);
            }
            if length > SMALL && large.is_none() {
                large = self.large.clone().acquire_owned().await.ok();
                // All at once: growing by doubling takes up to three times as much for a moment.
                bytes.reserve_exact(LARGEST - bytes.len());
            }
            bytes.extend_from_slice(&data);
        }
        if weight::of(&bytes) > HEAVIEST {
            return Err(Refused::TooHeavy);
        }
        Ok((bytes, large))
    }
}
