//! What was found inside the server, by SQL.

use std::fmt::Write as _;

use api::{Database, DatabaseStatus, ExtensionStatus, annotations::ACCEPT_EMPTY, reason::Reason};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;

use crate::{
    azure::Administrator,
    controller::{
        access::Outcome,
        engine::conditions::{ACCESS_READY, LONGEST_MESSAGE, Writer, find},
        server::{applied::Applied, evidence, handover::Handover, known::Known},
    },
};

/// What lies in the database, and what was said of an empty one and has counted.
pub(super) fn fill(
    status: &mut DatabaseStatus,
    database: &Database,
    known: &Known,
    access: Option<&Outcome>,
) {
    // A database that is made by SQL is seen by SQL.
    if known.inner.is_none()
        && let Some(said) = database.annotations().get(ACCEPT_EMPTY)
        && access.is_some_and(|outcome| outcome.lets_app_in)
    {
        status.accepted_empty = Some(said.clone());
    }
    if known.administrator == Administrator::App {
        status.extensions = Vec::new();
    } else if let Some(extensions) = access.and_then(|outcome| outcome.extensions.as_ref()) {
        let extension = |(name, version): (&String, &String)| ExtensionStatus {
            name: name.clone(),
            version: version.clone(),
        };
        status.extensions = extensions.iter().map(extension).collect();
    }
}

/// What was found inside the server. What was found before stands until somebody has looked anew, as after a restart.
pub(super) fn ready(writer: &Writer<'_>, known: &Known, applied: &Applied) -> Option<Condition> {
    if known.administrator == Administrator::App {
        return None;
    }
    let Some(outcome) = applied.access.as_deref() else {
        return Some(find(writer.old, ACCESS_READY).cloned().unwrap_or_else(|| {
            let message = "The operator sets up the app's login as soon as the server can be reached";
            writer.condition(ACCESS_READY, "Unknown", Reason::Connecting.as_str(), message.to_owned())
        }));
    };
    let (status, reason) = match (outcome.reason, former_login(applied.handover)) {
        (Reason::Settled, Some(message)) => {
            let reason = Reason::FormerLogin.as_str();
            return Some(writer.condition(ACCESS_READY, "True", reason, message.to_owned()));
        }
        (Reason::Settled, None) => ("True", Reason::Settled),
        (reason, _) if outcome.is_unknown() => ("Unknown", reason),
        (reason, _) => ("False", reason),
    };
    let message = found(outcome, known);
    Some(writer.condition(ACCESS_READY, status, reason.as_str(), message))
}

/// What remains to be done where all is as it should be, but for the login by which the app administered its server.
fn former_login(handover: Handover) -> Option<&'static str> {
    match handover {
        Handover::None => None,
        Handover::Prepares | Handover::Begins | Handover::Overlaps { .. } => Some(
            "The app has a login of its own: restart its pods, so that they use it. Its former login, which administers the \
             server, works for as long as a password that was replaced",
        ),
        Handover::Ends { .. } => Some(
            "The app has a login of its own. Its former login, which administers the server, is being removed",
        ),
    }
}

/// What was found by SQL, and what somebody may do about it.
pub(super) fn found(outcome: &Outcome, known: &Known) -> String {
    let mut message: String = outcome.message.chars().take(LONGEST_MESSAGE).collect();
    if outcome.reason == Reason::DatabaseMissing {
        let how = evidence::how_to_accept(known.accepted_empty.as_deref());
        let _ = write!(
            message,
            ". The platform team can restore the server to a moment before that, as another server. To go on with an empty \
             database, annotate this Database with {ACCEPT_EMPTY}: {}@{how}",
            known.server_name
        );
    }
    message
}
