//! `altinn.app/paused`: somebody wants everything in Azure left alone for a while.

use api::{Database, annotations::PAUSED};
use jiff::{Timestamp, civil::Date};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::ResourceExt;
use policy::pausing::{self, Ignored};

use super::status::{self, Blocked};

/// What the annotation comes to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Pause {
    InForce(pausing::Pause),
    /// It does nothing, and why.
    Ignored(String),
}

/// What the annotation of this `Database` comes to on this day; nothing once it is over.
pub(super) fn of(database: &Database, today: Date) -> Option<Pause> {
    match pausing::judge(database.annotations().get(PAUSED)?, today) {
        Ok(pause) => Some(Pause::InForce(pause)),
        Err(Ignored::Wrong(why)) => Some(Pause::Ignored(why)),
        Err(Ignored::Over) => None,
    }
}

impl Pause {
    pub(super) fn is_in_force(&self) -> bool {
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
    pub(super) fn blocked(&self) -> Blocked {
        let message =
            format!("{}. What is written is not done meanwhile; take {PAUSED} off to go on", self.message());
        Blocked::working("Paused", message)
    }

    pub(super) fn condition(
        &self,
        before: Option<&Condition>,
        generation: Option<i64>,
        now: Timestamp,
    ) -> Condition {
        let (status, reason) = if self.is_in_force() { ("True", "Paused") } else { ("False", "Malformed") };
        let since = before.filter(|before| before.status == status);
        Condition {
            type_: status::PAUSED.to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            message: self.message(),
            observed_generation: generation,
            last_transition_time: since.map_or(Time(now), |before| before.last_transition_time.clone()),
        }
    }
}
