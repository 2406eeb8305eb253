//! How far everything has come that a pass wants.

use jiff::Timestamp;

use super::account;
use crate::azure::condition::Progress;

/// How far each object has come, after everything that differed was written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Applied {
    pub(crate) server: Progress,
    /// The others in Azure, each with a name for messages.
    pub(crate) others: Vec<(String, Progress)>,
    /// The server's parameters, each with a name for messages.
    pub(crate) parameters: Vec<(String, Progress)>,
    /// Whether what was written hasn't come back through the watch: the object may have been deleted in between, and nothing
    /// would tell.
    pub(crate) unconfirmed: bool,
    /// Objects that somebody has told Azure Service Operator to leave alone.
    pub(crate) left_alone: Vec<String>,
    /// An object that Azure Service Operator hasn't looked at since it was written, and since when that may be.
    pub(crate) unseen: Option<(String, Timestamp)>,
    /// Whether the app's login is being replaced: until that is done, nobody can log in.
    pub(crate) replaces_login: bool,
    /// The app's ServiceAccount logs in as somebody else.
    pub(crate) account: Option<account::Trouble>,
}

impl Applied {
    pub(crate) fn new(server: Progress) -> Self {
        Self {
            server,
            others: Vec::new(),
            parameters: Vec::new(),
            unconfirmed: false,
            left_alone: Vec::new(),
            unseen: None,
            replaces_login: false,
            account: None,
        }
    }

    /// Whether everything in Azure is as wanted.
    pub(crate) fn is_ready(&self) -> bool {
        self.objects().all(|(_, progress)| *progress == Progress::Ready)
    }

    /// Whether an app can log in: only parameters may be missing.
    pub(crate) fn is_connectable(&self) -> bool {
        self.server == Progress::Ready && self.others.iter().all(|(_, progress)| *progress == Progress::Ready)
    }

    /// Whether nothing was written lately, and ASO at the most compares with Azure.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.objects().all(|(_, progress)| matches!(progress, Progress::Ready | Progress::Working))
    }

    /// Every object in Azure; the server, which needs no name in a message, comes first.
    pub(crate) fn objects(&self) -> impl Iterator<Item = (&str, &Progress)> {
        let others = self.others.iter().map(|(name, progress)| (name.as_str(), progress));
        let parameters = self.parameters.iter().map(|(name, progress)| (name.as_str(), progress));
        std::iter::once(("", &self.server)).chain(others).chain(parameters)
    }
}
