//! What the network, PostgreSQL and the library say, as reasons. Nothing of the library's own wording is shown.

use std::{io, time::Duration};

use tokio_postgres::{
    Error,
    error::{DbError, SqlState},
};

use super::Server;
use crate::failure::{Failure, LockedBy, Unreachable};

pub(super) fn of_network(error: &io::Error) -> Unreachable {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::ConnectionRefused => Unreachable::Refused,
        Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe | Kind::UnexpectedEof => {
            Unreachable::BrokenOff
        }
        // The system's own words, such as "No route to host".
        _ => Unreachable::Network { message: error.to_string() },
    }
}

/// Of a login that didn't come to its end.
pub(super) fn of_login(server: &Server, database: &str, error: &Error) -> Failure {
    let unreachable = |cause| Failure::Unreachable { host: server.host.clone(), cause };
    let refused = |message: &str| Failure::LoginRefused {
        host: server.host.clone(),
        user: server.user.clone(),
        message: message.to_owned(),
    };
    if let Some(said) = error.as_db_error() {
        let message = said.message().to_owned();
        return match *said.code() {
            SqlState::TOO_MANY_CONNECTIONS => Failure::TooManyConnections { message },
            SqlState::CANNOT_CONNECT_NOW => unreachable(Unreachable::Starting { message }),
            SqlState::INVALID_CATALOG_NAME => Failure::DatabaseMissing { database: database.to_owned() },
            _ => refused(&message),
        };
    }
    match broken(error) {
        Some(cause) => unreachable(cause),
        None => refused(
            "it asks for a way to log in that the operator doesn't have, or can't prove that it knows the password",
        ),
    }
}

/// Of a statement.
pub(super) fn of_statement(host: &str, doing: &str, wait: Duration, error: &Error) -> Failure {
    match (error.as_db_error(), broken(error)) {
        (Some(said), _) => of_sql(host, doing, wait, said),
        (None, Some(cause)) => Failure::Unreachable { host: host.to_owned(), cause },
        // A value with NUL, or an answer of another shape than PostgreSQL's.
        (None, None) => Failure::SqlFailed {
            doing: doing.to_owned(),
            state: SqlState::PROTOCOL_VIOLATION.code().to_owned(),
            message: "the statement can't be sent, or its answer can't be read".to_owned(),
        },
    }
}

fn of_sql(host: &str, doing: &str, after: Duration, said: &DbError) -> Failure {
    let message = said.message().to_owned();
    match said.code() {
        &SqlState::LOCK_NOT_AVAILABLE => {
            Failure::Locked { doing: doing.to_owned(), by: LockedBy::App { message } }
        }
        &SqlState::QUERY_CANCELED => Failure::TimedOut { doing: doing.to_owned(), after },
        // Somebody has ended the session, or the server stops.
        &SqlState::ADMIN_SHUTDOWN
        | &SqlState::CRASH_SHUTDOWN
        | &SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT => {
            Failure::Unreachable { host: host.to_owned(), cause: Unreachable::BrokenOff }
        }
        state => {
            // Why an extension can't be dropped, or a role, is in the detail.
            let message =
                said.detail().map_or_else(|| message.clone(), |detail| format!("{message}: {detail}"));
            Failure::SqlFailed { doing: doing.to_owned(), state: state.code().to_owned(), message }
        }
    }
}

fn broken(error: &Error) -> Option<Unreachable> {
    if error.is_closed() {
        return Some(Unreachable::BrokenOff);
    }
    let source = std::error::Error::source(error)?;
    source.downcast_ref::<io::Error>().map(of_network)
}
