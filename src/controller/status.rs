//! Last stage: what the `Database` says of itself, by the rules of kstatus.
//!
//! `Ready` always; `Reconciling` while work is under way; `Stalled` when a person must act; never the last
//! two together. Messages are stable and carry no time: at most three different ones come by in a creation.

use api::{
    BindingReference, Database, DatabaseStatus, PolicyStatus, ProvisioningState, RefusedChange, ServerStatus,
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::ResourceExt;
use policy::{Effective, Problem};

use super::{
    apply::Applied,
    build::{PORT, secret_name},
    dereference::Known,
    pause::Pause,
    refused,
};
use crate::{
    api_error::one_line,
    azure::{
        FlexibleServer, claim,
        condition::{self, Kind, Progress},
    },
};

/// Something stands in the way.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Blocked {
    pub(super) reason: String,
    pub(super) message: String,
    /// Whether a person must act; else it is tried again.
    pub(super) stalled: bool,
    /// What it is to a database that is ready as it is written.
    pub(super) to_ready: ToReady,
    /// Whether it is the policy's judgement on this database.
    pub(super) out_of_policy: bool,
}

/// What stands in the way of a database that an app can log in to all the same, or not.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum ToReady {
    /// It is ready no longer.
    #[default]
    Ends,
    /// It stays ready, and `Synced` tells of it.
    Told,
    /// It stays ready, and only `PolicyCompliant` may tell of it.
    Nothing,
}

impl Blocked {
    pub(super) fn stalled(reason: &str, message: String) -> Self {
        let (stalled, to_ready) = (true, ToReady::Ends);
        Self { reason: reason.to_owned(), message, stalled, to_ready, out_of_policy: false }
    }

    pub(super) fn working(reason: &str, message: String) -> Self {
        Self { stalled: false, ..Self::stalled(reason, message) }
    }

    /// Apps log in all the same.
    pub(super) fn beside_the_app(self) -> Self {
        Self { to_ready: ToReady::Told, ..self }
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
        /// The change that Azure refused, and that isn't sent again.
        refused: Option<&'a RefusedChange>,
        /// Why nothing in Azure is written.
        pause: Option<&'a Pause>,
    },
}

/// The new status. What the outcome says nothing about stays as it was.
pub(super) fn report(database: &Database, outcome: &Outcome<'_>, now: Timestamp) -> DatabaseStatus {
    let old = database.status.clone().unwrap_or_default();
    let was_ready = old.host.is_some();
    let generation = database.metadata.generation;
    let mut status = DatabaseStatus { observed_generation: generation, ..old.clone() };
    let is_current = is_current(database);
    let mut synced = None;
    // Of a database that goes on as it is, only what lies beside the app is news.
    let verdict = match outcome {
        Outcome::Blocked(blocked) if blocked.to_ready != ToReady::Ends && is_current => {
            synced = match blocked.to_ready {
                ToReady::Told => Some((blocked.reason.clone(), blocked.message.clone())),
                _ => out_of_sync(&old.conditions),
            };
            None
        }
        Outcome::Blocked(blocked) => Some(Verdict::blocked(blocked, was_ready)),
        Outcome::Applied { applied, known, effective, revision, refused, pause, .. } => {
            fill(&mut status, database, known, effective, revision);
            status.refused = refused.cloned();
            let seen = Seen { old: &old, generation, was_ready, now, applied, known, effective };
            // What the app doesn't feel is told beside `Ready`, whoever wants it: the policy, an annotation, or Azure.
            let serves = applied.is_ready() || (is_current && !applied.replaces_login);
            let pause = pause.filter(|pause| pause.is_in_force());
            let (verdict, beside) = seen.judge(serves, *refused, pause);
            synced = beside;
            if verdict.ready == "True" {
                connect(&mut status, database, known);
            }
            Some(verdict)
        }
    };
    if let Some(verdict) = verdict {
        let is_going = database.metadata.deletion_timestamp.is_some() && !verdict.stalled;
        status.provisioning_state = Some(if is_going { ProvisioningState::Deleting } else { verdict.state });
        status.conditions = conditions(&old.conditions, &verdict, generation, now);
    } else {
        status.conditions.retain(|condition| !OF_THEIR_OWN.contains(&&*condition.type_));
    }
    status.conditions.extend(synced.map(|(reason, message)| Condition {
        type_: SYNCED.to_owned(),
        status: "False".to_owned(),
        reason,
        message,
        observed_generation: generation,
        last_transition_time: since(&old.conditions, SYNCED, "False", now),
    }));
    status.conditions.extend(match outcome {
        Outcome::Applied { pause, .. } => {
            pause.map(|pause| pause.condition(find(&old.conditions, PAUSED), generation, now))
        }
        Outcome::Blocked(_) => find(&old.conditions, PAUSED).cloned(),
    });
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

/// Whether Azure has what is wanted. It is told of a database that is ready, and only while it isn't so.
pub(super) const SYNCED: &str = "Synced";
/// That nothing in Azure is written.
pub(super) const PAUSED: &str = "Paused";

/// What was said last of Azure not having what is wanted.
fn out_of_sync(old: &[Condition]) -> Option<(String, String)> {
    find(old, SYNCED).map(|synced| (synced.reason.clone(), synced.message.clone()))
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
const OF_THEIR_OWN: &[&str] = &[SYNCED, PAUSED, POLICY_COMPLIANT, RESTART_PENDING, CLIENT_ID_CONFLICT];

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
        created_at: known.server.as_ref().and_then(FlexibleServer::born).map(Time).or(before.created_at),
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
    // Until Azure has been asked for the server, its data may turn out to be under another name.
    if known.server.as_ref().is_some_and(|server| !claim::only_looks(server)) {
        status.database_name = Some(effective.database_name.clone());
    }
    // Known from the start, so that a Deployment can be written before the server is up.
    status.service_account_name = Some(effective.service_account_name.clone());
    status.secret_name = Some(secret_name(&database.name_any()));
}

/// Everything that an app needs is in place.
fn connect(status: &mut DatabaseStatus, database: &Database, known: &Known) {
    // An answer of Azure's that lacks it tells of no other host.
    status.host = known.host().map(str::to_owned).or_else(|| status.host.take());
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

    fn ready() -> Self {
        Self {
            state: ProvisioningState::Ready,
            ready: "True",
            reason: "Ready".to_owned(),
            message: "The database is ready for connections".to_owned(),
            reconciling: false,
            stalled: false,
        }
    }

    fn under_way(was_ready: bool, (reason, message): (String, String)) -> Self {
        Self {
            state: working(was_ready),
            ready: "Unknown",
            reason,
            message,
            reconciling: true,
            stalled: false,
        }
    }
}

/// How long nobody may have looked at an object before that is told: Azure Service Operator looks within seconds, and within
/// a minute while Azure works on the object.
const SILENCE: SignedDuration = SignedDuration::from_mins(10);
/// How long it takes at the most what is told to take a quarter of an hour.
const LONG: SignedDuration = SignedDuration::from_mins(20);
/// How long an answer of Azure's that nobody here knows is taken for trouble that passes.
const PASSES: SignedDuration = SignedDuration::from_mins(10);

/// Everything that the judgement on a pass goes by.
struct Seen<'a> {
    old: &'a DatabaseStatus,
    generation: Option<i64>,
    was_ready: bool,
    now: Timestamp,
    applied: &'a Applied,
    known: &'a Known,
    effective: &'a Effective,
}

/// Reason and message.
type Said = (String, String);

impl Seen<'_> {
    /// The judgement, and what is to be told beside a database that is ready.
    fn judge(
        &self,
        serves: bool,
        refused: Option<&RefusedChange>,
        pause: Option<&Pause>,
    ) -> (Verdict, Option<Said>) {
        let blocked = |why: &Blocked| (Verdict::blocked(why, self.was_ready), None);
        if let Some(why) = self.not_serving() {
            return blocked(&why);
        }
        if let Some(refused) = refused {
            return blocked(&self.refused(refused));
        }
        if serves {
            return (Verdict::ready(), self.beside_ready(pause));
        }
        if let Some(pause) = pause {
            return blocked(&pause.blocked());
        }
        match self.trouble() {
            Some(why) => {
                let state = if why.stalled { ProvisioningState::Failed } else { working(self.was_ready) };
                (Verdict { state, ..Verdict::blocked(&why, self.was_ready) }, None)
            }
            None => (Verdict::under_way(self.was_ready, self.progress()), None),
        }
    }

    /// Why Azure lets nobody log in.
    fn not_serving(&self) -> Option<Blocked> {
        let (_, reason, words) = not_serving(self.known.server.as_ref()?)?;
        let server = &self.known.server_name;
        Some(Blocked::stalled(reason, format!("Server {server} {words}")))
    }

    fn refused(&self, refused: &RefusedChange) -> Blocked {
        let is_upgrade = refused::is_upgrade(&refused.changes);
        let reason = if is_upgrade { UPGRADE_REFUSED } else { CHANGE_REFUSED };
        let (_, means) = condition::meaning(&refused.code, &refused.message);
        let means = if means.is_empty() { String::new() } else { format!("{means}. ") };
        let server = &self.known.server_name;
        let changes = refused::told(&refused.changes);
        Blocked::stalled(
            reason,
            format!(
                "Azure refused to change server {server}: {changes}. It goes on as it was, and Azure is asked again when the \
                 spec changes. {means}Azure's words: {}: {}",
                refused.code, refused.message
            ),
        )
    }

    /// What Azure has otherwise than wanted, or can't be told of, of a database that is ready. What was said stands until all is
    /// well: each try in between looks like work.
    fn beside_ready(&self, pause: Option<&Pause>) -> Option<Said> {
        if self.applied.is_ready() || pause.is_some() {
            return self.left_alone();
        }
        let before = out_of_sync(&self.old.conditions);
        let is_trouble = |(reason, _): &Said| !is_in_the_course_of_work(reason);
        if let Some(why) = self.trouble() {
            return Some((why.reason, why.message));
        }
        if let Some(said) = self.left_alone() {
            return Some(said);
        }
        match before {
            Some(said) if is_trouble(&said) || self.applied.is_at_rest() => Some(said),
            // Azure Service Operator compares with Azure now and then, and isn't Ready meanwhile.
            None if self.applied.is_at_rest() => None,
            _ => Some(self.progress()),
        }
    }

    /// Of objects that somebody has taken out of Azure Service Operator's hands.
    fn left_alone(&self) -> Option<Said> {
        let objects = &self.applied.left_alone;
        if objects.is_empty() {
            return None;
        }
        let message = format!(
            "{} has the annotation serviceoperator.azure.com/reconcile-policy: skip, set by somebody else, so nothing of it is \
             changed in Azure. Who set it must take it off; to have a database left alone, write altinn.app/paused on it",
            objects.join(", ")
        );
        Some((LEFT_ALONE.to_owned(), message))
    }

    /// What stands in the way of the objects in Azure: first what a person must mend.
    fn trouble(&self) -> Option<Blocked> {
        let told = |gave_up: bool| {
            self.applied.objects().find_map(move |(object, progress)| match progress {
                Progress::GaveUp { reason, message } if gave_up => Some((object, reason, message)),
                Progress::Retrying { reason, message } if !gave_up => Some((object, reason, message)),
                _ => None,
            })
        };
        if let Some((object, reason, message)) = told(true) {
            return Some(Blocked::stalled(&camel_case(reason), of_object(object, reason, message, false)));
        }
        if let Some((object, reason, message)) = told(false) {
            let code = camel_case(reason);
            let lasts = condition::meaning(reason, message).0 == Kind::Unknown && self.lasts(&code);
            let message = of_object(object, reason, message, lasts);
            return Some(if lasts {
                Blocked::stalled(&code, message)
            } else {
                Blocked::working(&code, message)
            });
        }
        let left_alone = self.left_alone().map(|(reason, message)| Blocked::stalled(&reason, message));
        left_alone.or_else(|| self.silence())
    }

    /// Whether this has been said of the same spec for so long that it won't pass by itself; once it was said so, it stays.
    fn lasts(&self, reason: &str) -> bool {
        let before = |type_: &str| {
            find(&self.old.conditions, type_).filter(|condition| {
                condition.reason == reason && condition.observed_generation == self.generation
            })
        };
        let is_old = |condition: &Condition| {
            condition.status == "False" && self.now.duration_since(condition.last_transition_time.0) >= PASSES
        };
        before("Stalled").is_some() || before("Ready").or_else(|| before(SYNCED)).is_some_and(is_old)
    }

    /// That nobody looks at an object that was written.
    fn silence(&self) -> Option<Blocked> {
        let (object, written) = self.applied.unseen.as_ref()?;
        let since = self.begun().max(*written);
        (self.now.duration_since(since) >= SILENCE).then(|| {
            Blocked::working(
                "AzureServiceOperatorSilent",
                format!(
                    "Nobody has looked at {object} for some time: the platform team must see whether Azure Service Operator runs \
                     and is told to act in the operator's namespace; this Database goes on by itself then"
                ),
            )
        })
    }

    /// Since when there has been work on this spec.
    fn begun(&self) -> Timestamp {
        let conditions = &self.old.conditions;
        let working = find(conditions, "Reconciling").or_else(|| find(conditions, SYNCED));
        working
            .filter(|condition| condition.observed_generation == self.generation)
            .map_or(self.now, |condition| condition.last_transition_time.0)
    }

    /// Whether it takes longer than it should.
    fn is_slow(&self) -> bool {
        let server =
            self.known.server.as_ref().and_then(|server| server.metadata.creation_timestamp.as_ref());
        let begun = self.begun();
        let since = server.map_or(begun, |created| begun.max(created.0));
        self.now.duration_since(since) >= LONG
    }

    /// What Azure does.
    fn progress(&self) -> Said {
        let (applied, server) = (self.applied, &self.known.server_name);
        let (reason, message) = if self.known.host().is_none() && !self.was_ready {
            let takes = if self.is_slow() { "" } else { "; that takes 5 to 15 minutes" };
            (CREATING, format!("Azure is creating server {server}{takes}"))
        } else if self.was_ready && applied.server != Progress::Ready {
            change(self.known, self.effective)
        } else if applied.is_connectable() {
            let names = applied.parameters.iter().map(|(name, _)| name.trim_start_matches("parameter "));
            let names = names.collect::<Vec<_>>().join(", ");
            (CONFIGURING, format!("Azure sets {names} of server {server}, one at a time"))
        } else {
            // With the host it is there, whatever ASO compares from then on.
            (CONFIGURING, "The server is up; its database, firewall and login are being set up".to_owned())
        };
        let slow = if self.is_slow() {
            "; this takes longer than usual, and the platform team can see at the FlexibleServer of that name what Azure \
             Service Operator waits for"
        } else {
            ""
        };
        (reason.to_owned(), format!("{message}{slow}"))
    }
}

/// The state of a server in which nobody can log in, if it is in one.
fn not_serving(server: &FlexibleServer) -> Option<&'static (&'static str, &'static str, &'static str)> {
    let state = server.status.as_ref()?.state.as_deref()?;
    NOT_SERVING.iter().find(|(known, ..)| *known == state)
}

/// Whether Azure lets nobody log in to a server, whatever is wanted of it.
pub(super) fn lets_nobody_in(server: &FlexibleServer) -> bool {
    not_serving(server).is_some()
}

/// States of a server in which nobody can log in, and who ends them.
/// <https://learn.microsoft.com/azure/postgresql/configure-maintain/concepts-servers>
const NOT_SERVING: &[(&str, &str, &str)] = &[
    (
        "Stopped",
        SERVER_STOPPED,
        "is stopped in Azure, so no app can log in. Who stopped it must start it there; after seven days Azure starts it by \
         itself. This Database goes on by itself then",
    ),
    (
        "Stopping",
        SERVER_STOPPED,
        "is being stopped in Azure, so no app can log in. Who stops it must start it there again; this Database goes on by \
         itself then",
    ),
    (
        "Disabled",
        SERVER_DISABLED,
        "is disabled by Azure, so no app can log in. The platform team must see in Azure why; this Database goes on by itself \
         then",
    ),
    (
        "Inaccessible",
        SERVER_INACCESSIBLE,
        "can't be reached in Azure, mostly because the key that its disk is encrypted with can't be read. The platform team \
         must give it back; this Database goes on by itself then",
    ),
];

const SERVER_STOPPED: &str = "ServerStopped";
const SERVER_DISABLED: &str = "ServerDisabled";
const SERVER_INACCESSIBLE: &str = "ServerInaccessible";
const UPGRADE_REFUSED: &str = "UpgradeRefused";
const CHANGE_REFUSED: &str = "ChangeRefused";
const LEFT_ALONE: &str = "LeftAlone";
const CREATING: &str = "Creating";
const CONFIGURING: &str = "Configuring";
/// Whether a reason is one of work that is under way, and no trouble.
pub(super) fn is_in_the_course_of_work(reason: &str) -> bool {
    [CREATING, CONFIGURING, UPDATING, UPGRADING].contains(&reason)
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
    let changes = refused::differences(known, effective);
    let told = if changes.is_empty() { String::new() } else { format!(": {}", refused::told(&changes)) };
    if refused::is_upgrade(&changes) {
        let message = format!("Azure is upgrading server {server}{told}; it is not available meanwhile");
        return (UPGRADING, message);
    }
    (UPDATING, format!("Azure is changing server {server}{told}"))
}

fn working(was_ready: bool) -> ProvisioningState {
    if was_ready { ProvisioningState::Updating } else { ProvisioningState::Creating }
}

/// What it means and who must do what, as far as that is known; Azure's and ASO's own words, once; and the object where it
/// isn't the server.
fn of_object(object: &str, reason: &str, message: &str, lasts: bool) -> String {
    let own = one_line(message);
    let told = match condition::meaning(reason, message).1 {
        "" if lasts => {
            format!("This does not pass by itself, so a person must look at it. Azure's words: {own}")
        }
        "" => own,
        means => format!("{means}. Azure's words: {own}"),
    };
    if object.is_empty() { told } else { format!("{object}: {told}") }
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
        // It tells since when there has been work on this spec.
        let is_of_this = |before: &&Condition| before.observed_generation == generation;
        let begun =
            find(old, "Reconciling").filter(is_of_this).map(|before| before.last_transition_time.clone());
        let last_transition_time = begun.unwrap_or(Time(now));
        conditions.push(Condition { last_transition_time, ..condition("Reconciling", "True") });
    }
    if verdict.stalled {
        conditions.push(condition("Stalled", "True"));
    }
    conditions
}

/// Whether the `Database` is ready as it is written now: apps log in, whatever becomes of it in Azure.
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
