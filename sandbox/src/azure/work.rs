//! What is to become of the PostgreSQL behind a server: asked for while the cloud is locked, done beside it.

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use super::arm::resource_id::Key;

/// A login with a password: the administrator's that came with the server.
#[derive(Clone, Eq, PartialEq)]
pub(super) struct PasswordLogin {
    pub(super) name: String,
    pub(super) password: String,
}

impl std::fmt::Debug for PasswordLogin {
    // The password stays out of logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PasswordLogin").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Where a new server has its data from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Source {
    pub(super) server: Key,
    /// By this Azure's clock; `None` for the last data there are.
    pub(super) moment: Option<Timestamp>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Work {
    Create {
        /// As Azure's API spells it.
        version: String,
        source: Option<Source>,
        login: Option<PasswordLogin>,
    },
    /// Another version, or another password.
    Update {
        version: Option<String>,
        login: Option<PasswordLogin>,
    },
    /// What it wrote is kept.
    Drop,
    /// Nothing is kept.
    Forget,
    Stop,
    Start,
    Restart,
    CreateDatabase {
        name: String,
        owner: String,
    },
    DropDatabase {
        name: String,
    },
    CreateAdministrator {
        name: String,
        object_id: String,
        /// `User`, `Group` or `ServicePrincipal`.
        principal_type: String,
    },
    DropAdministrator {
        object_id: String,
    },
    SetParameter {
        name: String,
        /// `None` for the default.
        value: Option<String>,
    },
    /// Whom the directory knows by name, as it is now.
    Learn,
    /// Nothing: done when all that was asked for before is.
    Wait,
}

impl Work {
    /// The server that a new one has its data from, if there is one.
    pub(super) const fn source(&self) -> Option<&Source> {
        match self {
            Self::Create { source, .. } => source.as_ref(),
            _ => None,
        }
    }
}

/// Who wants to know that a piece of work is done.
#[derive(Debug)]
pub(super) enum Asked {
    /// A long-running operation, by its id, which ends after it.
    Operation(String),
    Control(oneshot::Sender<()>),
    Nobody,
}

#[derive(Debug)]
pub(super) struct Job {
    pub(super) server: Key,
    pub(super) work: Work,
    pub(super) asked: Asked,
}

/// Where work is asked for; nowhere in a stand-in without PostgreSQL.
#[derive(Clone, Debug, Default)]
pub(super) struct Jobs(Option<mpsc::UnboundedSender<Job>>);

impl Jobs {
    pub(super) fn new() -> (Self, mpsc::UnboundedReceiver<Job>) {
        let (asked, received) = mpsc::unbounded_channel();
        (Self(Some(asked)), received)
    }

    /// Whether somebody will do it.
    pub(super) fn ask(&self, server: Key, work: Work, asked: Asked) -> bool {
        // Nobody receives any more once the stand-in stops.
        self.0.as_ref().is_some_and(|jobs| jobs.send(Job { server, work, asked }).is_ok())
    }
}
