//! Why a pass came to nothing, each with a reason of its own and a message that says what to do.

use std::time::Duration;

use crate::text::{clean, quote};

/// Why nothing could be done, or nothing more.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Failure {
    #[error("the server {host} can't be reached: {cause}")]
    Unreachable { host: String, cause: Unreachable },
    /// SQLSTATE 28000 and 28P01, and whatever else a server says instead of letting us in.
    #[error("the server {host} doesn't let {} in: {}", quote(.user), clean(.message))]
    LoginRefused { host: String, user: String, message: String },
    /// SQLSTATE 53300.
    #[error(
        "all connections of the server are taken: {}. If this goes on, let the app's pool hold fewer, or take a larger size",
        clean(.message)
    )]
    TooManyConnections { message: String },
    #[error(
        "the database {} belongs to the role {}, which is neither an administrator's nor the app's: give it to the \
         administrators with ALTER DATABASE … OWNER TO, or take another name",
        quote(.database),
        quote(.owner)
    )]
    DatabaseNotOurs { database: String, owner: String },
    #[error(
        "the database {} is not on the server, where its data are expected: it isn't made anew, so that nobody takes an \
         empty one for it",
        quote(.database)
    )]
    DatabaseMissing { database: String },
    #[error(
        "the role {} is on the server already and is not the operator's: drop it, or take another database name",
        quote(.role)
    )]
    RoleTaken { role: String },
    /// PostgreSQL refused a statement.
    #[error("{doing}: PostgreSQL says {} ({state})", quote(.message))]
    SqlFailed { doing: String, state: String, message: String },
    /// Somebody holds a lock that is needed: another pass, or a migration of the app.
    #[error("{doing}: {by}. It is tried again")]
    Locked { doing: String, by: LockedBy },
    #[error("{doing}: no end after {} seconds. It is tried again", .after.as_secs())]
    TimedOut { doing: String, after: Duration },
    /// The caller's fence is closed.
    #[error("another process has taken over, so this one writes nothing more")]
    Fenced,
}

/// Why a server can't be reached.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unreachable {
    #[error(
        "its name is not known to the DNS. In a private network, link the DNS zone with the cluster's network"
    )]
    NameUnknown,
    #[error(
        "no answer in {} seconds. The policy's firewall must have the address under which the operator leaves the cluster",
        .after.as_secs()
    )]
    NoAnswer { after: Duration },
    #[error("it refuses the connection. It may be stopped, or just starting")]
    Refused,
    #[error("the connection broke off. It is tried again")]
    BrokenOff,
    #[error("it has no TLS, and without TLS nothing is sent")]
    NoTls,
    #[error("its certificate is not to be trusted: {0}")]
    Certificate(Certificate),
    /// SQLSTATE 57P03.
    #[error("it is starting or stopping: {}", clean(.message))]
    Starting { message: String },
    #[error("the network says {}", quote(.message))]
    Network { message: String },
}

/// What is wrong with a server's certificate.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Certificate {
    #[error("none of the given authorities has issued it")]
    UnknownIssuer,
    #[error("it was issued for another name")]
    OtherName,
    #[error("it has expired, or is not valid yet by this machine's clock")]
    OutOfDate,
    #[error("it can't be verified")]
    Invalid,
}

/// Who holds a lock.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LockedBy {
    #[error("another pass is at work on this server")]
    OtherPass,
    /// SQLSTATE 55P03.
    #[error("a transaction of the app holds a lock, as a migration does: {}", clean(.message))]
    App { message: String },
}

/// The reasons, for conditions and for labels of metrics.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Reason {
    /// All is as it is wanted.
    Settled,
    Unreachable,
    LoginRefused,
    TooManyConnections,
    DatabaseNotOurs,
    DatabaseMissing,
    /// A role of the name that is needed is there already, and isn't ours.
    RoleTaken,
    SqlFailed,
    Locked,
    TimedOut,
    Fenced,
    /// Something is not as it is wanted, and can't be mended by the operator.
    Drifted,
    /// An extension can't be created, updated or dropped.
    ExtensionRefused,
}

impl Reason {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Settled => "Settled",
            Self::Unreachable => "Unreachable",
            Self::LoginRefused => "LoginRefused",
            Self::TooManyConnections => "TooManyConnections",
            Self::DatabaseNotOurs => "DatabaseNotOurs",
            Self::DatabaseMissing => "DatabaseMissing",
            Self::RoleTaken => "RoleTaken",
            Self::SqlFailed => "SqlFailed",
            Self::Locked => "Locked",
            Self::TimedOut => "TimedOut",
            Self::Fenced => "Fenced",
            Self::Drifted => "Drifted",
            Self::ExtensionRefused => "ExtensionRefused",
        }
    }
}

impl Failure {
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Unreachable { .. } => Reason::Unreachable,
            Self::LoginRefused { .. } => Reason::LoginRefused,
            Self::TooManyConnections { .. } => Reason::TooManyConnections,
            Self::DatabaseNotOurs { .. } => Reason::DatabaseNotOurs,
            Self::DatabaseMissing { .. } => Reason::DatabaseMissing,
            Self::RoleTaken { .. } => Reason::RoleTaken,
            Self::SqlFailed { .. } => Reason::SqlFailed,
            Self::Locked { .. } => Reason::Locked,
            Self::TimedOut { .. } => Reason::TimedOut,
            Self::Fenced => Reason::Fenced,
        }
    }

    /// Whether a session can go on behind it.
    pub(crate) const fn leaves_session(&self) -> bool {
        matches!(self, Self::SqlFailed { .. } | Self::Locked { .. } | Self::TimedOut { .. })
    }

    /// Whether PostgreSQL itself says that the same transaction may go through at once: XX000 "tuple concurrently
    /// updated", 40001 and 40P01.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::SqlFailed { state, message, .. } => {
                ["40001", "40P01"].contains(&state.as_str())
                    || (state == "XX000" && message.contains("concurrently"))
            }
            _ => false,
        }
    }
}
