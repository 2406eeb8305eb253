//! The time of day. It ends what is kept, so it is never taken from one clock alone.

use axum::http::{self, Request};
use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use kube::{Client, client::Body};

use crate::api_error;

/// The clock of this machine, and that of the API server's beside it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    /// So far both are ahead: tests see in seconds what takes weeks.
    ahead: SignedDuration,
    /// The one moment that a clock knows which stands still.
    still: Option<Timestamp>,
}

/// Why the API server's time isn't known.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the API server doesn't answer: {}", api_error::words(.0))]
    Api(#[source] Box<kube::Error>),
    #[error("the API server's answer has no time")]
    NoDate,
}

impl Clock {
    /// A clock that is so far ahead of all others.
    pub fn ahead(ahead: SignedDuration) -> Self {
        Self { ahead, still: None }
    }

    /// A clock that stands still.
    #[cfg(test)]
    pub(crate) fn still(at: Timestamp) -> Self {
        Self { still: Some(at), ..Self::default() }
    }

    /// The time by this machine's clock.
    pub fn now(self) -> Timestamp {
        self.still.unwrap_or_else(|| self.moved(Timestamp::now()))
    }

    /// The earlier one of this machine's time and the API server's: a clock that was set wrong ends nothing early.
    ///
    /// # Errors
    ///
    /// When the API server sends no time.
    pub async fn earliest(self, client: &Client) -> Result<Timestamp, Error> {
        let request = Request::get("/version").body(Body::empty());
        let request = request.map_err(|error| Error::Api(Box::new(kube::Error::HttpError(error))))?;
        let answer = client.send(request).await.map_err(|error| Error::Api(Box::new(error)))?;
        let date = answer.headers().get(http::header::DATE).and_then(|date| date.to_str().ok());
        let sent = date.and_then(http_date).ok_or(Error::NoDate)?;
        Ok(self.moved(sent.min(self.still.unwrap_or_else(Timestamp::now))))
    }

    fn moved(self, time: Timestamp) -> Timestamp {
        time.checked_add(self.ahead).unwrap_or(Timestamp::MAX)
    }
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`: <https://www.rfc-editor.org/rfc/rfc9110#name-date-time-formats>
fn http_date(text: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests {
    use axum::{Router, http::HeaderMap, routing::get};

    use super::*;

    fn telling(date: &'static str) -> Client {
        let answer = move || async move {
            let mut headers = HeaderMap::new();
            if !date.is_empty() {
                headers.insert("date", date.parse().unwrap());
            }
            (headers, "{}")
        };
        Client::new(Router::new().route("/version", get(answer)), "default")
    }

    #[tokio::test]
    async fn a_clock_of_this_machine_that_is_ahead_ends_nothing_early() {
        let earliest = Clock::default().earliest(&telling("Sun, 06 Nov 1994 08:49:37 GMT")).await.unwrap();
        assert_eq!(earliest, "1994-11-06T08:49:37Z".parse().unwrap());
    }

    #[tokio::test]
    async fn a_clock_of_the_api_server_that_is_ahead_ends_nothing_early_either() {
        let before = Timestamp::now();
        let earliest = Clock::default().earliest(&telling("Tue, 06 Nov 2091 08:49:37 GMT")).await.unwrap();
        assert!(before <= earliest && earliest <= Timestamp::now(), "{earliest}");
    }

    #[tokio::test]
    async fn without_a_time_nothing_is_believed() {
        for date in ["", "yesterday"] {
            let error = Clock::default().earliest(&telling(date)).await.unwrap_err();
            assert_eq!(error.to_string(), "the API server's answer has no time");
        }
    }

    #[test]
    fn a_clock_can_be_ahead() {
        let ahead = Clock::ahead(SignedDuration::from_hours(24)).now();
        assert!(ahead > Timestamp::now() + SignedDuration::from_hours(23));
    }
}
