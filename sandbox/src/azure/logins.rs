//! The log of who logged in to which server as what, so that tests can see who got in and who didn't.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// Older entries make room for newer ones.
const KEPT: usize = 20_000;

/// One connection to a server, up to the moment when it was let in or not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoginAttempt {
    /// Counts from 1 for each stand-in, and goes on when the log is emptied.
    pub sequence: u64,
    /// RFC 3339, UTC, by Azure's clock.
    pub time: String,
    /// The server's name, as the client sent it with TLS.
    pub server: String,
    /// The client's address, as the server's firewall sees it.
    pub client: String,
    pub user: String,
    pub database: String,
    /// `token` or `password`; empty if it didn't come that far.
    pub method: String,
    /// The principal whose token was presented.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_id: Option<String>,
    /// `accepted`, or why not: `firewall`, `stopped`, a fault, or what PostgreSQL answered, as in
    /// `28P01: password authentication failed for user "app"`.
    pub outcome: String,
    /// What a refused client isn't told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl LoginAttempt {
    pub fn was_accepted(&self) -> bool {
        self.outcome == "accepted"
    }
}

#[derive(Default)]
pub(super) struct LoginLog {
    entries: VecDeque<LoginAttempt>,
    seen: u64,
}

impl LoginLog {
    pub(super) fn record(&mut self, mut attempt: LoginAttempt) {
        self.seen += 1;
        attempt.sequence = self.seen;
        if self.entries.len() == KEPT {
            self.entries.pop_front();
        }
        self.entries.push_back(attempt);
    }

    pub(super) fn entries(&self) -> &VecDeque<LoginAttempt> {
        &self.entries
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }
}
