//! Last stage: what the `Database` says of itself, by the rules of kstatus.
//!
//! `Ready` always; `Reconciling` while work is under way; `Stalled` when a person must act; never the last
//! two together. Messages are stable and carry no time: at most three different ones come by in a creation.

mod access;
mod age;
mod vault;

use api::{
    BindingReference, Database, DatabaseStatus, PolicyStatus, ProvisioningState, RefusedChange, Restored,
    ServerStatus, reason::Reason,
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::ResourceExt;
use policy::{Effective, Problem, catalogue::Catalogue};

use super::pause::Pause;
use crate::{
    api_error::one_line,
    azure::condition::{self, Kind, Progress},
    controller::{
        engine::{
            conditions::{
                ACCESS_READY, CLIENT_ID_CONFLICT, LONGEST_MESSAGE, PAUSED, POLICY_COMPLIANT, READY,
                RECONCILING, RESTART_PENDING, STALLED, SYNCED, UP_TO_DATE, VAULT_BACKUP, Writer, find,
                is_current, is_work,
            },
            verdict::{Blocked, ToReady},
        },
        server::{
            applied::{Applied, Stage},
            binding::{PORT, secret_name},
            describe::Server,
            known::Known,
            refused,
        },
    },
};

/// What a reconcile came to.
pub(crate) enum Outcome<'a> {
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
        /// How long versions of PostgreSQL are supported.
        catalogue: &'a Catalogue,
    },
}

/// The new status. What the outcome says nothing about stays as it was.
pub(crate) fn report(database: &Database, outcome: &Outcome<'_>, now: Timestamp) -> DatabaseStatus {
    let old = database.status.clone().unwrap_or_default();
    let was_ready = old.host.is_some();
    let generation = database.metadata.generation;
    let mut status = DatabaseStatus { observed_generation: generation, ..old.clone() };
    let writer = Writer { old: &old.conditions, generation, now };
    let is_current = is_current(database);
    let mut synced = None;
    // Of a database that goes on as it is, only what lies beside the app is news.
    let verdict = match outcome {
        Outcome::Blocked(blocked) if blocked.to_ready != ToReady::Ends && is_current => {
            synced = match blocked.to_ready {
                ToReady::Told => Some(Said::of(blocked)),
                _ => out_of_sync(&old.conditions),
            };
            None
        }
        Outcome::Blocked(blocked) => Some(Verdict::blocked(blocked, was_ready)),
        Outcome::Applied { applied, known, effective, revision, refused, pause, .. } => {
            fill(&mut status, database, known, effective, revision);
            status.refused = refused.cloned();
            access::fill(&mut status, database, known, applied.access.as_deref());
            vault::fill(&mut status, &applied.vault);
            let seen = Seen { old: &old, generation, was_ready, now, applied, known, effective };
            // What the app doesn't feel is told beside `Ready`, whoever wants it: the policy, an annotation, or Azure.
            let serves = applied.is_ready() || (is_current && !applied.shuts_app_out);
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
        status.conditions = conditions(&writer, &verdict);
    } else {
        status.conditions.retain(|condition| !OF_THEIR_OWN.contains(&&*condition.type_));
    }
    let synced = synced.map(|said| writer.condition(SYNCED, "False", &said.reason, said.message));
    status.conditions.extend(synced);
    let version = status.server.as_ref().and_then(|server| server.version.as_deref());
    status.conditions.extend(beside(&writer, outcome, version).into_iter().flatten());
    status
}

/// The conditions that have nothing to do with whether it is ready.
fn beside(writer: &Writer<'_>, outcome: &Outcome<'_>, version: Option<&str>) -> [Option<Condition>; 7] {
    let stands = |type_: &str| find(writer.old, type_).cloned();
    match outcome {
        Outcome::Applied { applied, known, breaches, pause, catalogue, .. } => {
            let told: Vec<String> =
                breaches.iter().map(|problem| format!("{} [{}]", problem.text, problem.code)).collect();
            [
                access::ready(writer, known, applied),
                pause.map(|pause| pause.condition(writer)),
                Some(compliant(writer, &told.join("; "))),
                age::up_to_date(writer, version, catalogue),
                vault::condition(writer, &applied.vault),
                restart_pending(writer, known),
                client_id_conflict(writer, applied),
            ]
        }
        Outcome::Blocked(blocked) => {
            // Without a policy that could tell, the last word on it stands.
            let compliance = if blocked.out_of_policy {
                Some(compliant(writer, &blocked.message))
            } else {
                stands(POLICY_COMPLIANT)
            };
            [
                stands(ACCESS_READY),
                stands(PAUSED),
                compliance,
                stands(UP_TO_DATE),
                stands(VAULT_BACKUP),
                stands(RESTART_PENDING),
                stands(CLIENT_ID_CONFLICT),
            ]
        }
    }
}

/// What was said last of Azure not having what is wanted.
fn out_of_sync(old: &[Condition]) -> Option<Said> {
    find(old, SYNCED).map(|synced| Said { reason: synced.reason.clone(), message: synced.message.clone() })
}

fn restart_pending(writer: &Writer<'_>, known: &Known) -> Option<Condition> {
    let waiting = known.parameters_before_restart();
    let message = format!(
        "{} will be in effect after a restart of server {}, which the platform team can do in Azure",
        waiting.join(", "),
        known.server_name
    );
    let reason = Reason::ParameterChanged.as_str();
    (!waiting.is_empty()).then(|| writer.condition(RESTART_PENDING, "True", reason, message))
}

/// Conditions that stand beside those of kstatus.
const OF_THEIR_OWN: &[&str] = &[
    SYNCED,
    ACCESS_READY,
    PAUSED,
    POLICY_COMPLIANT,
    UP_TO_DATE,
    VAULT_BACKUP,
    RESTART_PENDING,
    CLIENT_ID_CONFLICT,
];

fn client_id_conflict(writer: &Writer<'_>, applied: &Applied) -> Option<Condition> {
    let conflict = applied.account.as_ref()?;
    let reason = conflict.reason.as_str();
    Some(writer.condition(CLIENT_ID_CONFLICT, "True", reason, conflict.message.clone()))
}

fn compliant(writer: &Writer<'_>, breaches: &str) -> Condition {
    let (status, reason, message) = if breaches.is_empty() {
        ("True", Reason::Compliant, "The policy allows this database as it is".to_owned())
    } else {
        ("False", Reason::OutOfPolicy, breaches.chars().take(LONGEST_MESSAGE).collect())
    };
    writer.condition(POLICY_COMPLIANT, status, reason.as_str(), message)
}

/// The server, as far as Azure tells, and the policy.
fn fill(
    status: &mut DatabaseStatus,
    database: &Database,
    known: &Known,
    effective: &Effective,
    revision: &str,
) {
    let observed = known.server.as_ref().map(Server::describe).unwrap_or_default();
    let before = status.server.take().unwrap_or_default();
    status.server = Some(ServerStatus {
        name: known.server_name.clone(),
        id: observed.id.or(before.id),
        created_at: observed.created_at.or(before.created_at),
        version: observed.version.or(before.version),
        minor_version: observed.minor_version.or(before.minor_version),
        sku: observed.sku.or(before.sku),
        size_gib: observed.size_gib.or(before.size_gib),
        location: known.recorded.as_ref().and_then(|server| server.location.clone()).or(before.location),
    });
    age::tell_of_server(status, known.server.as_ref().and_then(Server::earliest_restore));
    status.accepted_empty.clone_from(&known.accepted_empty);
    // A tag that somebody took away takes nothing back.
    if let Some((server, time)) =
        known.restored.clone().filter(|_| known.server.as_ref().is_some_and(Server::is_made))
    {
        status.restored = Some(Restored { server, time });
    }
    status.policy = Some(PolicyStatus {
        profile: effective.profile.clone(),
        revision: revision.to_owned(),
        defaulted: effective.defaulted.clone(),
    });
    // Until Azure has been asked for the server, its data may turn out to be under another name. Told once it is made, that takes
    // no write of its own.
    if known.server.as_ref().is_some_and(Server::is_made) {
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
    status.port = Some(PORT.into());
    status.binding = Some(BindingReference { name: secret_name(&database.name_any()) });
}

/// One line of judgement.
struct Verdict {
    state: ProvisioningState,
    ready: &'static str,
    said: Said,
    /// Whether a person must act; else, what isn't ready is being worked on.
    stalled: bool,
}

impl Verdict {
    fn blocked(blocked: &Blocked, was_ready: bool) -> Self {
        let stalled = blocked.cause.is_stalled();
        Self {
            state: match (stalled, was_ready) {
                (true, _) => ProvisioningState::Failed,
                (false, true) => ProvisioningState::Updating,
                (false, false) => ProvisioningState::Pending,
            },
            ready: "False",
            said: Said::of(blocked),
            stalled,
        }
    }

    fn ready() -> Self {
        Self {
            state: ProvisioningState::Ready,
            ready: "True",
            said: Said::by(Reason::Ready, "The database is ready for connections".to_owned()),
            stalled: false,
        }
    }

    fn under_way(was_ready: bool, said: Said) -> Self {
        Self { state: working(was_ready), ready: "Unknown", said, stalled: false }
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

/// What a condition says.
struct Said {
    reason: String,
    message: String,
}

impl Said {
    fn by(reason: Reason, message: String) -> Self {
        Self { reason: reason.as_str().to_owned(), message }
    }

    fn of(blocked: &Blocked) -> Self {
        Self { reason: blocked.cause.as_str().to_owned(), message: blocked.message.clone() }
    }
}

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
        match self.trouble().or_else(|| self.no_access()) {
            Some(why) => {
                let state =
                    if why.cause.is_stalled() { ProvisioningState::Failed } else { working(self.was_ready) };
                (Verdict { state, ..Verdict::blocked(&why, self.was_ready) }, None)
            }
            None => (Verdict::under_way(self.was_ready, self.progress()), None),
        }
    }

    /// Why Azure lets nobody log in.
    fn not_serving(&self) -> Option<Blocked> {
        let (reason, words) = self.known.server.as_ref()?.not_serving()?;
        let server = &self.known.server_name;
        Some(Blocked::by(reason, format!("Server {server} {words}")))
    }

    fn refused(&self, refused: &RefusedChange) -> Blocked {
        let is_upgrade = refused::is_upgrade(&refused.changes);
        let reason = if is_upgrade { Reason::UpgradeRefused } else { Reason::ChangeRefused };
        let (_, means) = condition::meaning(&refused.code, &refused.message);
        let means = if means.is_empty() { String::new() } else { format!("{means}. ") };
        let server = &self.known.server_name;
        let changes = refused::told(&refused.changes);
        Blocked::by(
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
            return self.left_alone().as_ref().map(Said::of);
        }
        let before = out_of_sync(&self.old.conditions);
        let is_trouble = |said: &Said| !is_work(&said.reason);
        if let Some(why) = self.trouble().or_else(|| self.left_alone()) {
            return Some(Said::of(&why));
        }
        match before {
            Some(said) if is_trouble(&said) || self.applied.is_at_rest() => Some(said),
            // Azure Service Operator compares with Azure now and then, and isn't Ready meanwhile.
            None if self.applied.is_at_rest() => None,
            _ => Some(self.progress()),
        }
    }

    /// Of objects that somebody has taken out of Azure Service Operator's hands.
    fn left_alone(&self) -> Option<Blocked> {
        let objects = &self.applied.left_alone;
        if objects.is_empty() {
            return None;
        }
        let message = format!(
            "{} has the annotation serviceoperator.azure.com/reconcile-policy: skip, set by somebody else, so nothing of it is \
             changed in Azure. Who set it must take it off; to have a database left alone, write altinn.app/paused on it",
            objects.join(", ")
        );
        Some(Blocked::by(Reason::LeftAlone, message))
    }

    /// What stands in the way of the objects in Azure: first what a person must mend.
    fn trouble(&self) -> Option<Blocked> {
        let told = |gave_up: bool| {
            self.applied.parts.iter().find_map(move |part| match &part.progress {
                Progress::GaveUp { reason, message } if gave_up => Some((&part.name, reason, message)),
                Progress::Retrying { reason, message } if !gave_up => Some((&part.name, reason, message)),
                _ => None,
            })
        };
        if let Some((object, reason, message)) = told(true) {
            let message = of_object(object, reason, message, false);
            return Some(Blocked::by_azure(camel_case(reason), true, message));
        }
        if let Some((object, reason, message)) = told(false) {
            let code = camel_case(reason);
            let lasts = condition::meaning(reason, message).0 == Kind::Unknown && self.lasts(&code);
            let message = of_object(object, reason, message, lasts);
            return Some(Blocked::by_azure(code, lasts, message));
        }
        self.left_alone().or_else(|| self.silence())
    }

    /// Why the app's login can't be set up, or used.
    fn no_access(&self) -> Option<Blocked> {
        let outcome = self.applied.access.as_ref()?;
        let is_told = !outcome.lets_app_in && (!self.was_ready || outcome.shuts_app_out());
        is_told.then(|| Blocked::by(outcome.reason, access::found(outcome, self.known)))
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
        before(STALLED).is_some() || before(READY).or_else(|| before(SYNCED)).is_some_and(is_old)
    }

    /// That nobody looks at an object that was written.
    fn silence(&self) -> Option<Blocked> {
        let (object, written) = self.applied.unseen.as_ref()?;
        let since = self.begun().max(*written);
        (self.now.duration_since(since) >= SILENCE).then(|| {
            Blocked::by(Reason::AzureServiceOperatorSilent,
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
        let working = find(conditions, RECONCILING).or_else(|| find(conditions, SYNCED));
        working
            .filter(|condition| condition.observed_generation == self.generation)
            .map_or(self.now, |condition| condition.last_transition_time.0)
    }

    /// Whether it takes longer than it should.
    fn is_slow(&self) -> bool {
        let server = self.known.server.as_ref().and_then(Server::object_created_at);
        let begun = self.begun();
        let since = server.map_or(begun, |created| begun.max(created));
        self.now.duration_since(since) >= LONG
    }

    fn restoring(&self) -> String {
        let server = &self.known.server_name;
        let restore = self.known.restore.as_ref();
        let from = restore.map(|restore| &restore.source);
        let (source, time) = from.map(|from| (from.name(), from.time.to_string())).unwrap_or_default();
        let other = if restore.is_some_and(|restore| restore.is_other) {
            ". spec.restoreFrom says something else since, which does nothing here: to have those data, write it on a Database of \
             another name"
        } else {
            ""
        };
        format!(
            "Azure is restoring server {server} with the data that {source} had at {time}; that takes minutes to hours, and Azure \
             doesn't tell how far it is{other}"
        )
    }

    /// What Azure does, in the first stage that isn't ready.
    fn progress(&self) -> Said {
        let (applied, server) = (self.applied, &self.known.server_name);
        // With the host it is there, whatever Azure Service Operator compares from then on.
        let is_there = self.known.host().is_some() || self.was_ready;
        let (reason, message) = match applied.stage() {
            _ if !is_there && self.known.restore.is_some() => (Reason::Restoring, self.restoring()),
            _ if !is_there => {
                let takes = if self.is_slow() { "" } else { "; that takes 5 to 15 minutes" };
                (Reason::Creating, format!("Azure is creating server {server}{takes}"))
            }
            Some(Stage::Server) if self.was_ready => change(self.known, self.effective),
            Some(Stage::Server | Stage::Access) => (
                Reason::Configuring,
                "The server is up; its database, firewall and login are being set up".to_owned(),
            ),
            Some(Stage::Parameters) | None => {
                let names = applied.parts_of(Stage::Parameters);
                let names: Vec<&str> = names.map(|part| part.name.trim_start_matches("parameter ")).collect();
                let names = names.join(", ");
                (Reason::Configuring, format!("Azure sets {names} of server {server}, one at a time"))
            }
        };
        let slow = if self.is_slow() {
            "; this takes longer than usual, and the platform team can see at the FlexibleServer of that name what Azure \
             Service Operator waits for"
        } else {
            ""
        };
        Said::by(reason, format!("{message}{slow}"))
    }
}

/// From what Azure has to what is wanted.
fn change(known: &Known, effective: &Effective) -> (Reason, String) {
    let server = &known.server_name;
    let changes = refused::differences(known, effective);
    let told = if changes.is_empty() { String::new() } else { format!(": {}", refused::told(&changes)) };
    if refused::is_upgrade(&changes) {
        let message = format!("Azure is upgrading server {server}{told}; it is not available meanwhile");
        return (Reason::Upgrading, message);
    }
    (Reason::Updating, format!("Azure is changing server {server}{told}"))
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

fn conditions(writer: &Writer<'_>, verdict: &Verdict) -> Vec<Condition> {
    let Said { reason, message } = &verdict.said;
    let condition = |type_: &str, status: &str| writer.condition(type_, status, reason, message.clone());
    let mut conditions = vec![condition(READY, verdict.ready)];
    if verdict.stalled {
        conditions.push(condition(STALLED, "True"));
    } else if verdict.ready != "True" {
        // It tells since when there has been work on this spec.
        let is_of_this = |before: &&Condition| before.observed_generation == writer.generation;
        let begun = find(writer.old, RECONCILING)
            .filter(is_of_this)
            .map(|before| before.last_transition_time.clone());
        let last_transition_time = begun.unwrap_or(Time(writer.now));
        conditions.push(Condition { last_transition_time, ..condition(RECONCILING, "True") });
    }
    conditions
}

/// Whether the new status says anything that the old one doesn't. A revision of the policy that changes nothing
/// for a database is no news: else a comment in the policy would write every status in the cluster.
pub(crate) fn is_news(old: Option<&DatabaseStatus>, new: &DatabaseStatus) -> bool {
    let Some(old) = old else { return true };
    let mut new = new.clone();
    if let (Some(new), Some(old)) = (&mut new.policy, &old.policy) {
        new.revision.clone_from(&old.revision);
    }
    new != *old
}

#[cfg(test)]
mod tests;
