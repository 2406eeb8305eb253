//! Last stage: what the `Database` says of itself, by the rules of kstatus.
//!
//! `Ready` always; `Reconciling` while work is under way; `Stalled` when a person must act; never the last
//! two together. Messages are stable and carry no time: at most three different ones come by in a creation.

use api::{BindingReference, Database, DatabaseStatus, PolicyStatus, ProvisioningState, ServerStatus};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::ResourceExt;
use policy::{Effective, Problem};

use super::{
    apply::Applied,
    build::{PORT, secret_name},
    dereference::Known,
};
use crate::azure::condition::Progress;

/// Something stands in the way.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Blocked {
    pub(super) reason: String,
    pub(super) message: String,
    /// Whether a person must act; else it is tried again.
    pub(super) stalled: bool,
    /// Whether it changes nothing for a database that is ready as it is written.
    pub(super) spares_ready: bool,
    /// Whether it is the policy's judgement on this database.
    pub(super) out_of_policy: bool,
}

impl Blocked {
    pub(super) fn stalled(reason: &str, message: String) -> Self {
        let stalled = true;
        Self { reason: reason.to_owned(), message, stalled, spares_ready: false, out_of_policy: false }
    }

    pub(super) fn working(reason: &str, message: String) -> Self {
        Self { stalled: false, ..Self::stalled(reason, message) }
    }
}

/// What a reconcile came to.
pub(super) enum Outcome<'a> {
    Blocked(&'a Blocked),
    Applied {
        applied: &'a Applied,
        known: &'a Known,
        effective: &'a Effective,
        /// What the policy wouldn't let pass today.
        breaches: &'a [Problem],
        revision: &'a str,
    },
}

/// The new status. What the outcome says nothing about stays as it was.
pub(super) fn report(database: &Database, outcome: &Outcome<'_>, now: Timestamp) -> DatabaseStatus {
    let old = database.status.clone().unwrap_or_default();
    let was_ready = old.host.is_some();
    let generation = database.metadata.generation;
    let mut status = DatabaseStatus { observed_generation: generation, ..old.clone() };
    // Of a database that goes on as it is, only compliance is news.
    let verdict = match outcome {
        Outcome::Blocked(blocked) if blocked.spares_ready && is_current(database) => None,
        Outcome::Blocked(blocked) => Some(Verdict::blocked(blocked, was_ready)),
        Outcome::Applied { applied, known, effective, revision, .. } => {
            fill(&mut status, database, known, effective, revision);
            // Azure Service Operator compares with Azure now and then, and isn't Ready meanwhile. A database that
            // was ready, and of which nothing new is wanted, stays so.
            let ready = applied.is_ready() || (applied.is_at_rest() && is_current(database));
            if ready {
                connect(&mut status, database, known);
            }
            Some(Verdict::of(applied, known, effective, ready, was_ready))
        }
    };
    if let Some(verdict) = verdict {
        let is_going = database.metadata.deletion_timestamp.is_some() && !verdict.stalled;
        status.provisioning_state = Some(if is_going { ProvisioningState::Deleting } else { verdict.state });
        status.conditions = conditions(&old.conditions, &verdict, generation, now);
    } else {
        status.conditions.retain(|condition| !OF_THEIR_OWN.contains(&&*condition.type_));
    }
    let compliance = match outcome {
        Outcome::Applied { breaches, .. } => {
            let told: Vec<String> =
                breaches.iter().map(|problem| format!("{} [{}]", problem.text, problem.code)).collect();
            Some(compliant(&old.conditions, &told.join("; "), generation, now))
        }
        Outcome::Blocked(blocked) if blocked.out_of_policy => {
            Some(compliant(&old.conditions, &blocked.message, generation, now))
        }
        // Without a policy that could tell, the last word on it stands.
        Outcome::Blocked(_) => find(&old.conditions, POLICY_COMPLIANT).cloned(),
    };
    status.conditions.extend(compliance);
    status.conditions.extend(match outcome {
        Outcome::Applied { known, .. } => restart_pending(&old.conditions, known, generation, now),
        Outcome::Blocked(_) => find(&old.conditions, RESTART_PENDING).cloned(),
    });
    status.conditions.extend(match outcome {
        Outcome::Applied { applied, .. } => client_id_conflict(&old.conditions, applied, generation, now),
        Outcome::Blocked(_) => find(&old.conditions, CLIENT_ID_CONFLICT).cloned(),
    });
    status
}

/// Parameters that count only after a restart, which nobody but a person should choose the time of.
const RESTART_PENDING: &str = "RestartPending";

fn restart_pending(
    old: &[Condition],
    known: &Known,
    generation: Option<i64>,
    now: Timestamp,
) -> Option<Condition> {
    let waiting = known.configurations.iter().filter(|object| {
        object.status.as_ref().is_some_and(|status| status.is_config_pending_restart == Some(true))
    });
    let mut waiting: Vec<&str> = waiting.map(|object| object.spec.azure_name.as_str()).collect();
    waiting.sort_unstable();
    (!waiting.is_empty()).then(|| Condition {
        type_: RESTART_PENDING.to_owned(),
        status: "True".to_owned(),
        reason: "ParameterChanged".to_owned(),
        message: format!(
            "{} will be in effect after a restart of server {}, which the platform team can do in Azure",
            waiting.join(", "),
            known.server_name
        ),
        observed_generation: generation,
        last_transition_time: since(old, RESTART_PENDING, "True", now),
    })
}

/// The ServiceAccount of the app logs in as somebody else. What is to be done about it is the app team's choice; all that
/// the database needs is there.
pub(super) const CLIENT_ID_CONFLICT: &str = "ClientIdConflict";

/// Conditions that stand beside those of kstatus.
const OF_THEIR_OWN: &[&str] = &[POLICY_COMPLIANT, RESTART_PENDING, CLIENT_ID_CONFLICT];

fn client_id_conflict(
    old: &[Condition],
    applied: &Applied,
    generation: Option<i64>,
    now: Timestamp,
) -> Option<Condition> {
    let trouble = applied.account.as_ref()?;
    Some(Condition {
        type_: CLIENT_ID_CONFLICT.to_owned(),
        status: "True".to_owned(),
        reason: trouble.reason.to_owned(),
        message: trouble.message.clone(),
        observed_generation: generation,
        last_transition_time: since(old, CLIENT_ID_CONFLICT, "True", now),
    })
}

/// Whether the policy would let this `Database` be made today. It changes nothing for one that is there.
const POLICY_COMPLIANT: &str = "PolicyCompliant";
/// The longest message of a condition, by the API's own rule, is far longer; people read one line.
const LONGEST: usize = 1000;

fn compliant(old: &[Condition], breaches: &str, generation: Option<i64>, now: Timestamp) -> Condition {
    let (status, reason, message) = if breaches.is_empty() {
        ("True", "Compliant", "The policy allows this database as it is".to_owned())
    } else {
        ("False", "OutOfPolicy", breaches.chars().take(LONGEST).collect())
    };
    Condition {
        type_: POLICY_COMPLIANT.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message,
        observed_generation: generation,
        last_transition_time: since(old, POLICY_COMPLIANT, status, now),
    }
}

pub(super) fn find<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == type_)
}

/// When the condition got this status.
fn since(old: &[Condition], type_: &str, status: &str, now: Timestamp) -> Time {
    find(old, type_)
        .filter(|before| before.status == status)
        .map_or(Time(now), |before| before.last_transition_time.clone())
}

/// The server, as far as Azure tells, and the policy.
fn fill(
    status: &mut DatabaseStatus,
    database: &Database,
    known: &Known,
    effective: &Effective,
    revision: &str,
) {
    let observed = known.server.as_ref().and_then(|server| server.status.as_ref());
    let before = status.server.take().unwrap_or_default();
    status.server = Some(ServerStatus {
        name: known.server_name.clone(),
        id: observed.and_then(|status| status.id.clone()).or(before.id),
        version: observed.and_then(|status| status.version.clone()).or(before.version),
        sku: observed.and_then(|status| Some(status.sku.as_ref()?.name.clone())).or(before.sku),
        size_gib: observed.and_then(|status| status.storage.as_ref()?.size_gib).or(before.size_gib),
        location: known.recorded.as_ref().and_then(|server| server.location.clone()).or(before.location),
    });
    status.policy = Some(PolicyStatus {
        profile: effective.profile.clone(),
        revision: revision.to_owned(),
        defaulted: effective.defaulted.clone(),
    });
    status.database_name = Some(effective.database_name.clone());
    // Known from the start, so that a Deployment can be written before the server is up.
    status.service_account_name = Some(effective.service_account_name.clone());
    status.secret_name = Some(secret_name(&database.name_any()));
}

/// Everything that an app needs is in place.
fn connect(status: &mut DatabaseStatus, database: &Database, known: &Known) {
    status.host = known.host().map(str::to_owned);
    status.port = Some(PORT);
    status.binding = Some(BindingReference { name: secret_name(&database.name_any()) });
}

/// One line of judgement.
struct Verdict {
    state: ProvisioningState,
    ready: &'static str,
    reason: String,
    message: String,
    reconciling: bool,
    stalled: bool,
}

impl Verdict {
    fn blocked(blocked: &Blocked, was_ready: bool) -> Self {
        Self {
            state: match (blocked.stalled, was_ready) {
                (true, _) => ProvisioningState::Failed,
                (false, true) => ProvisioningState::Updating,
                (false, false) => ProvisioningState::Pending,
            },
            ready: "False",
            reason: blocked.reason.clone(),
            message: blocked.message.clone(),
            reconciling: !blocked.stalled,
            stalled: blocked.stalled,
        }
    }

    fn of(applied: &Applied, known: &Known, effective: &Effective, is_ready: bool, was_ready: bool) -> Self {
        let gave_up = applied.objects().find_map(|(object, progress)| match progress {
            Progress::GaveUp { reason, message } => Some((object, reason, message)),
            _ => None,
        });
        if let Some((object, reason, message)) = gave_up {
            return Self::blocked(
                &Blocked::stalled(&camel_case(reason), of_object(object, message)),
                was_ready,
            );
        }
        let retrying = applied.objects().find_map(|(object, progress)| match progress {
            Progress::Retrying { reason, message } => Some((object, reason, message)),
            _ => None,
        });
        let (state, ready, reason, message) = if let Some((object, reason, message)) = retrying {
            (working(was_ready), "False", camel_case(reason), of_object(object, message))
        } else if is_ready {
            (
                ProvisioningState::Ready,
                "True",
                "Ready".to_owned(),
                "The database is ready for connections".to_owned(),
            )
        } else if known.host().is_none() {
            let message =
                format!("Azure is creating server {}; that takes 5 to 15 minutes", known.server_name);
            (working(false), "Unknown", "Creating".to_owned(), message)
        } else if was_ready && applied.server != Progress::Ready {
            let (reason, message) = change(known, effective);
            (working(true), "Unknown", reason.to_owned(), message)
        } else if applied.is_connectable() {
            let names = applied.parameters.iter().map(|(name, _)| name.trim_start_matches("parameter "));
            let names = names.collect::<Vec<_>>().join(", ");
            let message = format!("Azure sets {names} of server {}, one at a time", known.server_name);
            (working(was_ready), "Unknown", "Configuring".to_owned(), message)
        } else {
            // With the host it is there, whatever ASO compares from then on.
            let message = "The server is up; its database, firewall and login are being set up".to_owned();
            (working(was_ready), "Unknown", "Configuring".to_owned(), message)
        };
        let reconciling = ready != "True";
        Self { state, ready, reason, message, reconciling, stalled: false }
    }
}

const UPDATING: &str = "Updating";
const UPGRADING: &str = "Upgrading";

/// Whether a reason is that of a change, whose message tells from what to what.
pub(super) fn is_change(reason: &str) -> bool {
    [UPDATING, UPGRADING].contains(&reason)
}

/// From what Azure has to what is wanted.
fn change(known: &Known, effective: &Effective) -> (&'static str, String) {
    let server = &known.server_name;
    let Some(status) = known.server.as_ref().and_then(|server| server.status.as_ref()) else {
        return (UPDATING, format!("Azure is changing server {server}"));
    };
    let mut changes = Vec::new();
    let mut compare = |what: &str, actual: Option<String>, wanted: Option<String>, unit: &str| {
        let is_other =
            |(actual, wanted): &(String, String)| !actual.is_empty() && !actual.eq_ignore_ascii_case(wanted);
        if let Some((actual, wanted)) = actual.zip(wanted).filter(is_other) {
            changes.push(format!("{what} from {actual} to {wanted}{unit}"));
        }
    };
    let version = status.version.clone();
    let upgrades = version.as_ref().is_some_and(|version| *version != effective.version.to_string());
    compare("version", version, Some(effective.version.to_string()), "");
    let (sku, storage) = (status.sku.as_ref(), status.storage.as_ref());
    compare("sku", sku.map(|sku| sku.name.clone()), Some(effective.size.name.clone()), "");
    let gib = storage.and_then(|storage| storage.size_gib);
    compare("storage", gib.map(|gib| gib.to_string()), Some(effective.size_gib.to_string()), " GiB");
    let settings = &effective.settings;
    let tier = storage.and_then(|storage| storage.tier.clone());
    compare("storage tier", tier, settings.storage_tier.map(|tier| tier.to_string()), "");
    let mode = status.high_availability.as_ref().and_then(|standby| standby.mode.clone());
    compare("high availability", mode, settings.high_availability.map(|mode| mode.to_string()), "");
    let days = status.backup.as_ref().and_then(|backup| backup.retention_days);
    let wanted_days = settings.backup.retention_days;
    compare("backups", days.map(|days| days.to_string()), wanted_days.map(|days| days.to_string()), " days");
    let told = if changes.is_empty() { String::new() } else { format!(": {}", changes.join(", ")) };
    if upgrades {
        let message = format!("Azure is upgrading server {server}{told}; it is not available meanwhile");
        return (UPGRADING, message);
    }
    (UPDATING, format!("Azure is changing server {server}{told}"))
}

fn working(was_ready: bool) -> ProvisioningState {
    if was_ready { ProvisioningState::Updating } else { ProvisioningState::Creating }
}

/// Azure's and ASO's own words, with the object where it isn't the server.
fn of_object(object: &str, message: &str) -> String {
    if object.is_empty() { message.to_owned() } else { format!("{object}: {message}") }
}

/// A condition's reason must be of this form, and Azure's codes mostly are.
fn camel_case(reason: &str) -> String {
    let clean: String = reason.chars().filter(char::is_ascii_alphanumeric).collect();
    if clean.starts_with(|c: char| c.is_ascii_alphabetic()) { clean } else { "AzureError".to_owned() }
}

fn conditions(
    old: &[Condition],
    verdict: &Verdict,
    generation: Option<i64>,
    now: Timestamp,
) -> Vec<Condition> {
    let condition = |type_: &str, status: &str| Condition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        reason: verdict.reason.clone(),
        message: verdict.message.clone(),
        observed_generation: generation,
        last_transition_time: since(old, type_, status, now),
    };
    let mut conditions = vec![condition("Ready", verdict.ready)];
    if verdict.reconciling {
        conditions.push(condition("Reconciling", "True"));
    }
    if verdict.stalled {
        conditions.push(condition("Stalled", "True"));
    }
    conditions
}

/// Whether the `Database` is ready as it is written now.
pub(super) fn is_current(database: &Database) -> bool {
    ready(database.status.as_ref()).is_some_and(|ready| {
        ready.status == "True" && ready.observed_generation == database.metadata.generation
    })
}

/// Whether the new status says anything that the old one doesn't. A revision of the policy that changes nothing
/// for a database is no news: else a comment in the policy would write every status in the cluster.
pub(super) fn is_news(old: Option<&DatabaseStatus>, new: &DatabaseStatus) -> bool {
    let Some(old) = old else { return true };
    let mut new = new.clone();
    if let (Some(new), Some(old)) = (&mut new.policy, &old.policy) {
        new.revision.clone_from(&old.revision);
    }
    new != *old
}

/// The condition `Ready`.
pub(super) fn ready(status: Option<&DatabaseStatus>) -> Option<&Condition> {
    find(&status?.conditions, "Ready")
}

#[cfg(test)]
mod tests;
