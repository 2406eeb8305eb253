//! How far everything has come that a pass wants.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{account, handover::Handover, vault::Vault};
use crate::{azure::condition::Progress, controller::access::Outcome};

/// What a `Database` waits for, in this order: each stage needs those before it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Stage {
    /// The server itself.
    Server,
    /// What an app needs to log in: the database, the firewall, the login.
    Access,
    /// An app can log in without them.
    Parameters,
}

/// One object in Azure.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Part {
    pub(crate) stage: Stage,
    /// For messages. The server needs none.
    pub(crate) name: String,
    pub(crate) progress: Progress,
}

/// How far each object has come, after everything that differed was written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Applied {
    /// In the order in which they are written; the server is the first one.
    pub(crate) parts: Vec<Part>,
    /// Whether what was written hasn't come back through the watch: the object may have been deleted in between, and nothing
    /// would tell.
    pub(crate) unconfirmed: bool,
    /// Objects that somebody has told Azure Service Operator to leave alone.
    pub(crate) left_alone: Vec<String>,
    /// An object that Azure Service Operator hasn't looked at since it was written, and since when that may be.
    pub(crate) unseen: Option<(String, Timestamp)>,
    /// Whether the app can't log in, as while its login is being replaced.
    pub(crate) shuts_app_out: bool,
    /// The app's ServiceAccount logs in as somebody else.
    pub(crate) account: Option<account::Trouble>,
    /// What was found inside of the server, where the operator sets it up; `None` while nobody has looked since it was wanted so, or the
    /// time for that hasn't come.
    pub(crate) access: Option<Arc<Outcome>>,
    /// The copies in the vault. An app can log in without them.
    pub(crate) vault: Vault,
    /// How far an app is that administered its server.
    pub(crate) handover: Handover,
    /// When to look again for what no watch tells of.
    pub(crate) again: Option<Duration>,
}

impl Applied {
    pub(crate) fn new(server: Progress) -> Self {
        Self {
            parts: vec![Part { stage: Stage::Server, name: String::new(), progress: server }],
            unconfirmed: false,
            left_alone: Vec::new(),
            unseen: None,
            shuts_app_out: false,
            account: None,
            access: None,
            vault: Vault::default(),
            handover: Handover::None,
            again: None,
        }
    }

    pub(crate) fn set_server(&mut self, progress: Progress) {
        if let Some(server) = self.parts.iter_mut().find(|part| part.stage == Stage::Server) {
            server.progress = progress;
        }
    }

    pub(crate) fn server_is_ready(&self) -> bool {
        self.parts_of(Stage::Server).all(|server| server.progress == Progress::Ready)
    }

    pub(crate) fn push(&mut self, stage: Stage, name: String, progress: Progress) {
        self.parts.push(Part { stage, name, progress });
    }

    /// The first stage in which something isn't as wanted; `None` when everything in Azure is.
    pub(crate) fn stage(&self) -> Option<Stage> {
        self.parts.iter().filter(|part| part.progress != Progress::Ready).map(|part| part.stage).min()
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.stage().is_none()
    }

    /// Whether an app can log in: only parameters may be missing.
    pub(crate) fn is_connectable(&self) -> bool {
        self.stage().is_none_or(|stage| stage > Stage::Access)
    }

    /// Whether nothing was written lately, and Azure Service Operator at the most compares with Azure.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.parts.iter().all(|part| matches!(part.progress, Progress::Ready | Progress::Working))
    }

    /// Those of one stage.
    pub(crate) fn parts_of(&self, stage: Stage) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(move |part| part.stage == stage)
    }
}
