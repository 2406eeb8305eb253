//! The log of what ARM was asked, so that tests can count writes and see what was sent.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Enough for a run with thousands of databases; older entries make room for newer ones.
const KEPT: usize = 200_000;

/// One request to ARM and how it was answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// Counts from 1 for each stand-in, and goes on when the log is emptied.
    pub sequence: u64,
    /// RFC 3339, UTC.
    pub time: String,
    pub method: String,
    pub path: String,
    pub api_version: Option<String>,
    pub status: u16,
    /// What was sent, without passwords.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
}

#[derive(Default)]
pub(super) struct RequestLog {
    entries: VecDeque<Request>,
    seen: u64,
}

impl RequestLog {
    pub(super) fn record(&mut self, mut request: Request) {
        self.seen += 1;
        request.sequence = self.seen;
        request.body.as_mut().map(redact);
        if self.entries.len() == KEPT {
            self.entries.pop_front();
        }
        self.entries.push_back(request);
    }

    pub(super) fn entries(&self) -> &VecDeque<Request> {
        &self.entries
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }
}

fn redact(body: &mut Value) {
    if let Some(password) = body.pointer_mut("/properties/administratorLoginPassword") {
        *password = Value::from("(redacted)");
    }
}
