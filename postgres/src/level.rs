//! What a level means: which roles a login is a member of, and what its sessions begin with.

use crate::{desired::Level, name::Ladder};

/// Sees what other sessions do. <https://www.postgresql.org/docs/current/predefined-roles.html>
pub(crate) const MONITOR: &str = "pg_monitor";
/// What a session acts as.
const ROLE: &str = "role";
/// How many sessions somebody has who looks for a fault.
const DEBUG_CONNECTIONS: i32 = 3;
const NO_LIMIT: i32 = -1;

/// Settings that hold back somebody who looks for a fault. Each session can change them: they prevent slips.
const DEBUG: [(&str, &str); 3] = [
    ("default_transaction_read_only", "on"),
    ("statement_timeout", "5min"),
    ("idle_in_transaction_session_timeout", "1min"),
];

/// The settings that are ours to set.
pub(crate) const MANAGED_SETTINGS: [&str; 4] = [ROLE, DEBUG[0].0, DEBUG[1].0, DEBUG[2].0];

impl Level {
    pub(crate) fn memberships(self, ladder: &Ladder) -> Vec<&str> {
        match self {
            Self::Owner => vec![ladder.owner.as_str()],
            Self::Writer => vec![ladder.writer.as_str()],
            Self::Reader => vec![ladder.reader.as_str()],
            Self::Debug => vec![ladder.reader.as_str(), MONITOR],
        }
    }

    pub(crate) const fn connection_limit(self) -> i32 {
        if matches!(self, Self::Debug) { DEBUG_CONNECTIONS } else { NO_LIMIT }
    }

    /// Whoever has the owner's rights acts as the owner role from the start, so that what it makes belongs to that.
    /// PostgreSQL brings the setting back after `RESET ALL`, `RESET ROLE` and `DISCARD ALL`, as poolers send them.
    pub(crate) fn settings(self, ladder: &Ladder) -> Vec<(&'static str, &str)> {
        match self {
            Self::Owner => vec![(ROLE, ladder.owner.as_str())],
            Self::Debug => DEBUG.to_vec(),
            Self::Writer | Self::Reader => Vec::new(),
        }
    }

    /// Whether a setting is one that another level would have: the same name with another value is the app's own.
    pub(crate) fn is_of_another(name: &str, value: &str) -> bool {
        name == ROLE || DEBUG.contains(&(name, value))
    }
}
