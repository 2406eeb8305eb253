//! `altinn.app/paused`: somebody wants everything in Azure left alone for a while.

use api::{Database, annotations::PAUSED, reason::Reason};
use jiff::civil::Date;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use policy::pausing::{self, Ignored};

use crate::controller::engine::{
    conditions::{self, Writer},
    verdict::Blocked,
};

/// What the annotation comes to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Pause {
    InForce(pausing::Pause),
    /// It does nothing, and why.
    Ignored(String),
}

/// What the annotation of this `Database` comes to on this day; nothing once it is over.
pub(crate) fn of(database: &Database, today: Date) -> Option<Pause> {
    match pausing::judge(database.annotations().get(PAUSED)?, today) {
        Ok(pause) => Some(Pause::InForce(pause)),
        Err(Ignored::Wrong(why)) => Some(Pause::Ignored(why)),
        Err(Ignored::Over) => None,
    }
}

impl Pause {
    pub(crate) fn is_in_force(&self) -> bool {
        matches!(self, Self::InForce(_))
    }

    fn message(&self) -> String {
        match self {
            Self::InForce(pause) => {
                format!("Until {} nothing in Azure is changed: {}", pause.until, pause.why)
            }
            Self::Ignored(why) => format!("{PAUSED} does nothing: {why}"),
        }
    }

    /// For a database that isn't as it is written.
    pub(crate) fn blocked(&self) -> Blocked {
        let message =
            format!("{}. What is written is not done meanwhile; take {PAUSED} off to go on", self.message());
        Blocked::by(Reason::Paused, message)
    }

    pub(crate) fn condition(&self, writer: &Writer<'_>) -> Condition {
        let (status, reason) =
            if self.is_in_force() { ("True", Reason::Paused) } else { ("False", Reason::Malformed) };
        writer.condition(conditions::PAUSED, status, reason.as_str(), self.message())
    }
}
