//! What stands in the way of an object, and why: ground words of every loop.

use api::reason::{Reason, Stance};

/// The reason of a condition: one of ours, or a code of Azure's.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Cause {
    Ours(Reason),
    Azure {
        code: String,
        /// Whether a person must act; else it is tried again.
        is_final: bool,
    },
}

impl Cause {
    /// As it stands in a condition.
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Ours(reason) => reason.as_str(),
            Self::Azure { code, .. } => code,
        }
    }

    /// Whether nothing goes on before a person has done something.
    pub(crate) fn is_stalled(&self) -> bool {
        match self {
            Self::Ours(reason) => reason.stance() == Stance::Stalled,
            Self::Azure { is_final, .. } => *is_final,
        }
    }
}

/// Something stands in the way.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Blocked {
    pub(crate) cause: Cause,
    pub(crate) message: String,
    /// What it is to a database that is ready as it is written.
    pub(crate) to_ready: ToReady,
    /// Whether it is the policy's judgement on this database.
    pub(crate) out_of_policy: bool,
}

/// What stands in the way of a database that an app can log in to all the same, or not.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum ToReady {
    /// It is ready no longer.
    #[default]
    Ends,
    /// It stays ready, and `Synced` tells of it.
    Told,
    /// It stays ready, and only `PolicyCompliant` may tell of it.
    Nothing,
}

impl Blocked {
    pub(crate) fn by(reason: Reason, message: String) -> Self {
        Self::of(Cause::Ours(reason), message)
    }

    /// By a code of Azure's.
    pub(crate) fn by_azure(code: String, is_final: bool, message: String) -> Self {
        Self::of(Cause::Azure { code, is_final }, message)
    }

    fn of(cause: Cause, message: String) -> Self {
        Self { cause, message, to_ready: ToReady::Ends, out_of_policy: false }
    }

    /// Apps log in all the same.
    pub(crate) fn beside_the_app(self) -> Self {
        Self { to_ready: ToReady::Told, ..self }
    }

    /// Whether this is why.
    pub(crate) fn is_by(&self, reason: Reason) -> bool {
        self.cause == Cause::Ours(reason)
    }
}
