//! Fourth stage: writes what differs, and nothing else.

use api::{Database, DatabaseRef, annotations::PAUSED, reason::Reason};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Resource, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, Preconditions},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

use super::{
    account,
    build::{self, Desired},
    caches::{self, Cache},
    context::Context,
    in_flight::Written,
    notes::{Note, Seen},
    nudge, status,
    verdict::Blocked,
};
use crate::{
    api_error,
    azure::{
        self, AT_REST, AsoObject, DATABASE_NAME, DATABASE_NAMESPACE, DETACH_ON_DELETE, FlexibleServer,
        FlexibleServersAdministrator, FlexibleServersConfiguration, MANAGE, OPERATOR, Owner,
        RECONCILE_POLICY, SKIP, TRACKED, claim,
        condition::{self, Progress},
        is_tracked,
    },
};

/// How far each object has come, after everything that differed was written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Applied {
    pub(super) server: Progress,
    /// The others in Azure, each with a name for messages.
    pub(super) others: Vec<(String, Progress)>,
    /// The server's parameters, each with a name for messages.
    pub(super) parameters: Vec<(String, Progress)>,
    /// Whether what was written hasn't come back through the watch: the object may have been deleted in between, and nothing
    /// would tell.
    pub(super) unconfirmed: bool,
    /// Objects that somebody has told Azure Service Operator to leave alone.
    pub(super) left_alone: Vec<String>,
    /// An object that Azure Service Operator hasn't looked at since it was written, and since when that may be.
    pub(super) unseen: Option<(String, Timestamp)>,
    /// Whether the app's login is being replaced: until that is done, nobody can log in.
    pub(super) replaces_login: bool,
    /// The app's ServiceAccount logs in as somebody else.
    pub(super) account: Option<account::Trouble>,
}

/// Why it wasn't written.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("{kind} {name} can't be written: {}", api_error::words(source))]
    Api { kind: String, name: String, source: Box<kube::Error> },
    #[error("{}", .0.message)]
    Foreign(Blocked),
    #[error("the cache of Secrets is behind; trying again")]
    Behind,
}

/// What a pass may do beside writing what differs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mode {
    /// Nothing in Azure is touched.
    pub(super) is_paused: bool,
    /// An app logs in to the database as it is written: trouble is Azure's, and Azure Service Operator may be asked to try
    /// again.
    pub(super) serves: bool,
    /// There was a Secret once: it comes back whatever becomes of Azure.
    pub(super) had_secret: bool,
}

impl Mode {
    pub(super) fn of(database: &Database, is_paused: bool) -> Self {
        let had_secret = database.status.as_ref().is_some_and(|status| status.host.is_some());
        Self { is_paused, serves: status::is_current(database), had_secret }
    }
}

pub(super) async fn apply(
    context: &Context,
    database: &Database,
    desired: &Desired,
    mode: Mode,
) -> Result<Applied, Error> {
    let azure = &desired.azure;
    refuse_taken_names(context, database, desired).await?;
    let mut applied = if mode.is_paused {
        pause(context, azure).await?
    } else if make_anew(context, azure).await? {
        return Ok(Applied::new(Progress::Sent));
    } else if claim::only_looks(&azure.server) {
        let server = apply_server(context, azure).await?;
        let mut applied = Applied::new(server);
        applied.unseen = unseen(&context.caches.servers.cache, &azure.server);
        return Ok(applied);
    } else {
        apply_azure(context, desired, mode).await?
    };
    let is_connectable = applied.is_connectable();
    if let Some(service_account) = &desired.service_account {
        let done = account::apply(context, database, service_account).await?;
        applied.unconfirmed |= done.written == Written::InFlight;
        // Who has a password needs no client id.
        let by_token = azure.server.spec.administrator_login.is_none();
        applied.account = done.trouble.filter(|_| by_token);
    }
    // An app that finds the Secret can log in: it comes last, and then it stays.
    if let Some(secret) = &desired.secret
        && (is_connectable || mode.had_secret || bound(context, secret).is_some())
    {
        applied.unconfirmed |= apply_secret(context, database, secret).await? == Written::InFlight;
    }
    Ok(applied)
}

/// Everything in Azure.
async fn apply_azure(context: &Context, desired: &Desired, mode: Mode) -> Result<Applied, Error> {
    let (caches, azure) = (&context.caches, &desired.azure);
    // Azure Service Operator reads it when it makes the server.
    if let Some(secret) = &desired.admin_secret {
        apply_admin_secret(context, secret).await?;
    }
    let mut all = All { context, mode, is_free: false, lifts: true, applied: Applied::new(Progress::Sent) };
    // The login is made while Azure still works on the server: it takes seconds, and the server minutes.
    let identity = all.keep_up(&caches.identities, &azure.identity, |_| false).await?;
    let server = if look_first(context, &azure.server).await? {
        Progress::Sent
    } else {
        all.keep_up(&caches.servers.cache, &azure.server, claim::only_looks).await?
    };
    // Nobody would look at it for an hour, and see that it is up again.
    let name = azure.server.name_any();
    if let Some(found) = caches.servers.cache.get(&azure.server.namespace().unwrap_or_default(), &name)
        && status::lets_nobody_in(&found)
    {
        let trouble = Progress::Retrying { reason: String::new(), message: String::new() };
        nudge::nudge(context, &found, &trouble, true).await?;
    }
    let credential = all.keep_up(&caches.credentials, &azure.credential, |_| false).await?;
    all.is_free = server == Progress::Ready;
    all.lifts = all.is_free;
    all.applied.server = server;
    all.applied.others.push((condition::describe(&azure.identity), identity));
    all.applied.others.push((condition::describe(&azure.credential), credential));

    // The database belongs to who administers the server when it is made; before there is anybody, to Azure itself, and then
    // nobody can use it. <https://learn.microsoft.com/azure/postgresql/security/security-entra-configure>
    match azure.administrator.as_ref().and_then(|wanted| outdated(&caches.administrators, wanted)) {
        // Azure Service Operator takes no other name for an object, and PostgreSQL no second role of that name.
        Some(outdated) => {
            all.remove(&caches.administrators, &outdated).await?;
            all.applied.replaces_login = true;
        }
        None => all.one_by_one(&caches.administrators, azure.administrator.as_ref()).await?,
    }
    all.one_by_one(&caches.databases, Some(&azure.database)).await?;
    for rule in &azure.firewall_removed {
        all.remove(&caches.firewall_rules.cache, rule).await?;
    }
    for rule in &azure.firewall {
        all.one_by_one(&caches.firewall_rules.cache, Some(rule)).await?;
    }
    let is_connectable = all.applied.is_connectable();
    all.parameters(&azure.configurations, is_connectable).await?;
    Ok(all.applied)
}

/// Before a server at rest is changed, Azure is asked what it is: it may be gone since the last look, and a write would make
/// it anew and empty; or it has grown, and Azure would refuse the whole change. Tells whether that is under way.
async fn look_first(context: &Context, desired: &FlexibleServer) -> Result<bool, Error> {
    let (namespace, name) = (desired.namespace().unwrap_or_default(), desired.name_any());
    let Some(found) = context.caches.servers.cache.get(&namespace, &name) else { return Ok(false) };
    if !azure::is_at_rest(&found) || found.same_spec(desired) || !same_owner(&found, desired) {
        return Ok(false);
    }
    match context.looks.has_looked_again(&found) {
        Some(true) => {
            context.looks.used(&name);
            Ok(false)
        }
        Some(false) => Ok(true),
        None => {
            // Where it can't be asked, what it saw last must do.
            let generation = nudge::poke(context, &found).await?;
            if let Some(generation) = generation {
                context.looks.asked_again(&name, generation);
            }
            Ok(generation.is_some())
        }
    }
}

/// Takes away what was to be made where it doesn't belong any more, and tells whether it did: the policy has been mended since.
/// Azure Service Operator moves no object to another owner, and what Azure refused lies nowhere yet.
async fn make_anew(context: &Context, azure: &azure::Objects) -> Result<bool, Error> {
    async fn take<K: AsoObject>(
        context: &Context,
        cache: &Cache<K>,
        desired: &K,
        of: impl Fn(&K) -> (Owner, bool),
    ) -> Result<bool, Error> {
        let found = cache.get(&desired.namespace().unwrap_or_default(), &desired.name_any());
        let Some(found) = found.filter(|found| same_owner(found, desired)) else { return Ok(false) };
        let ((owner, is_made), progress) = (of(&found), condition::progress(&found));
        let was_refused = matches!(progress, Progress::GaveUp { .. }) || claim::is_absent(&progress);
        let stays_in_azure = azure::has_policy(&found, SKIP) || azure::has_policy(&found, DETACH_ON_DELETE);
        let only_looks = azure::has_policy(&found, SKIP);
        if owner == of(desired).0 || is_made || !stays_in_azure || !(was_refused || only_looks) {
            return Ok(false);
        }
        if found.meta().deletion_timestamp.is_none() {
            delete(context, &found).await?;
        }
        Ok(true)
    }
    let caches = &context.caches;
    let server = take(context, &caches.servers.cache, &azure.server, |server| {
        (server.spec.owner.clone(), server.made().is_some())
    });
    let identity = take(context, &caches.identities, &azure.identity, |identity| {
        let status = identity.status.as_ref();
        (identity.spec.owner.clone(), status.is_some_and(|status| status.principal_id.is_some()))
    });
    Ok(server.await? | identity.await?)
}

/// The administrator as it is, to go in Azure, too, if it is another identity than the one that is there now: one that was
/// made anew has the old name and another id.
fn outdated(
    cache: &Cache<FlexibleServersAdministrator>,
    wanted: &FlexibleServersAdministrator,
) -> Option<FlexibleServersAdministrator> {
    let found = cache.get(&wanted.namespace().unwrap_or_default(), &wanted.name_any())?;
    let is_other = same_owner(&found, wanted) && found.spec.azure_name != wanted.spec.azure_name;
    is_other.then(|| {
        let mut outdated = wanted.clone();
        outdated.spec = found.spec;
        outdated.annotations_mut().insert(RECONCILE_POLICY.to_owned(), MANAGE.to_owned());
        outdated
    })
}

/// Has everything that there is in Azure left alone, and tells how far it is from what is wanted. Azure Service Operator
/// would put back by the hour what somebody does by hand.
async fn pause(context: &Context, azure: &azure::Objects) -> Result<Applied, Error> {
    async fn leave<K: AsoObject>(
        context: &Context,
        cache: &Cache<K>,
        desired: &K,
    ) -> Result<(String, Progress), Error> {
        let found = cache.get(&desired.namespace().unwrap_or_default(), &desired.name_any());
        let found = found.filter(|found| same_owner(found, desired));
        if let Some(found) = &found
            && (!azure::has_policy(found, SKIP) || azure::is_at_rest(found))
            && found.meta().deletion_timestamp.is_none()
        {
            // What rested is written once after the pause, too: people may have changed it.
            let annotations = json!({RECONCILE_POLICY: SKIP, PAUSED: "true", AT_REST: null});
            amend(context, found, json!({"annotations": annotations})).await?;
        }
        let found = found.filter(|found| found.same_spec(desired));
        let progress = found.map_or(Progress::Sent, |found| condition::progress(&found));
        Ok((condition::describe(desired), progress))
    }
    let caches = &context.caches;
    let mut applied = Applied::new(leave(context, &caches.servers.cache, &azure.server).await?.1);
    applied.others.push(leave(context, &caches.identities, &azure.identity).await?);
    applied.others.push(leave(context, &caches.credentials, &azure.credential).await?);
    applied.others.push(leave(context, &caches.databases, &azure.database).await?);
    for rule in azure.firewall.iter().chain(&azure.firewall_removed) {
        applied.others.push(leave(context, &caches.firewall_rules.cache, rule).await?);
    }
    if let Some(administrator) = &azure.administrator {
        applied.others.push(leave(context, &caches.administrators, administrator).await?);
    }
    for parameter in &azure.configurations {
        applied.parameters.push(leave(context, &caches.configurations.cache, parameter).await?);
    }
    Ok(applied)
}

/// Whether an object is left alone for a pause of ours.
fn is_paused<K: Resource>(found: &K) -> bool {
    azure::has_policy(found, SKIP) && found.annotations().contains_key(PAUSED)
}

/// The server alone. ASO looks first whether Azure has such a server, and nothing else is written before that is known.
pub(super) async fn apply_server(context: &Context, azure: &azure::Objects) -> Result<Progress, Error> {
    let progress = aso(context, &context.caches.servers.cache, &azure.server).await?;
    Ok(match progress {
        progress if !claim::only_looks(&azure.server) => progress,
        // The cache may have moved since the claim was judged; the next pass takes what is free.
        progress if claim::is_absent(&progress) => Progress::Sent,
        // What keeps ASO from looking is worth telling.
        progress @ (Progress::GaveUp { .. } | Progress::Retrying { .. }) => progress,
        _ => Progress::Sent,
    })
}

/// What belongs to the server. Azure refuses a write while it works on another one of the same server
/// (`ServerIsBusy`), so a new object waits until those before it are ready; existing ones are kept up.
struct All<'a> {
    context: &'a Context,
    mode: Mode,
    is_free: bool,
    /// Whether a pause that is over may end for the next object.
    lifts: bool,
    applied: Applied,
}

impl All<'_> {
    /// Writes the object if it differs, unless somebody had it left alone, which is theirs to take back. Our own look at
    /// what there is, which is written in the same way, `is_ours`.
    async fn keep_up<K: AsoObject>(
        &mut self,
        cache: &Cache<K>,
        desired: &K,
        is_ours: impl Fn(&K) -> bool,
    ) -> Result<Progress, Error> {
        let found = cache.get(&desired.namespace().unwrap_or_default(), &desired.name_any());
        if let Some(found) = &found
            && azure::has_policy(found, SKIP)
            && !azure::has_policy(desired, SKIP)
            && same_owner(found, desired)
            && !is_ours(found)
            && (!azure::is_at_rest(found) || is_paused(found))
        {
            if is_paused(found) {
                // What lies on a server waits for what the server itself has to become again.
                if !self.lifts {
                    return Ok(Progress::Sent);
                }
                let annotations = json!({RECONCILE_POLICY: DETACH_ON_DELETE, PAUSED: null});
                amend(self.context, found, json!({"annotations": annotations})).await?;
                return Ok(Progress::Sent);
            }
            self.applied.left_alone.push(condition::describe(found));
            let is_same = found.same_spec(desired);
            return Ok(if is_same { condition::progress(found) } else { Progress::Sent });
        }
        let progress = aso(self.context, cache, desired).await?;
        if self.applied.unseen.is_none() && progress == Progress::Sent {
            self.applied.unseen = unseen(cache, desired);
        }
        match &found {
            Some(found) => nudge::nudge(self.context, found, &progress, self.mode.serves).await?,
            None => self.applied.unconfirmed = true,
        }
        Ok(progress)
    }

    /// The next object; `None` while what it is built from isn't known.
    async fn one_by_one<K: AsoObject>(&mut self, cache: &Cache<K>, desired: Option<&K>) -> Result<(), Error> {
        let Some(desired) = desired else {
            self.applied.others.push((K::kind(&()).into_owned(), Progress::Sent));
            self.is_free = false;
            return Ok(());
        };
        let exists = cache.contains(&desired.namespace().unwrap_or_default(), &desired.name_any());
        let progress = if self.is_free || exists {
            self.keep_up(cache, desired, |_| false).await?
        } else {
            Progress::Sent
        };
        self.is_free &= progress == Progress::Ready;
        self.applied.others.push((condition::describe(desired), progress));
        Ok(())
    }

    /// An object that is to go, in Azure too: it is given the reconcile policy for that, and deleted when it has it.
    async fn remove<K: AsoObject>(&mut self, cache: &Cache<K>, desired: &K) -> Result<(), Error> {
        let (namespace, name) = (desired.namespace().unwrap_or_default(), desired.name_any());
        let Some(found) = cache.get(&namespace, &name) else { return Ok(()) };
        let progress = if found.meta().deletion_timestamp.is_some() {
            // ASO tells of what keeps it from deleting.
            condition::progress(&found)
        } else {
            if has_marks(&found, desired) {
                delete(self.context, &found).await?;
            } else {
                aso(self.context, cache, desired).await?;
            }
            Progress::Sent
        };
        self.is_free = false;
        let progress = if progress == Progress::Ready { Progress::Working } else { progress };
        self.applied.others.push((condition::describe(desired), progress));
        Ok(())
    }

    /// Azure takes one change of a parameter at a time for each server. A parameter that Azure refuses doesn't hold up the
    /// others.
    async fn parameters(
        &mut self,
        desired: &[FlexibleServersConfiguration],
        mut is_free: bool,
    ) -> Result<(), Error> {
        let cache = &self.context.caches.configurations.cache;
        // One that is on its way already comes first, wherever it stands.
        for desired in desired {
            let found = cache.get(&desired.namespace().unwrap_or_default(), &desired.name_any());
            is_free &= found.is_none_or(|found| !condition::progress(&found).is_under_way());
        }
        for desired in desired {
            let found = cache.get(&desired.namespace().unwrap_or_default(), &desired.name_any());
            let is_same = found.is_some_and(|found| found.same_spec(desired));
            let progress = if is_free || is_same {
                self.keep_up(cache, desired, |_| false).await?
            } else {
                Progress::Sent
            };
            is_free &= !progress.is_under_way();
            self.applied.parameters.push((format!("parameter {}", desired.spec.azure_name), progress));
        }
        Ok(())
    }
}

/// The object, if it is as it should be and Azure Service Operator hasn't looked at it since, and since when that may be.
fn unseen<K: AsoObject>(cache: &Cache<K>, desired: &K) -> Option<(String, Timestamp)> {
    let found = cache.get(&desired.namespace().unwrap_or_default(), &desired.name_any())?;
    let is_unseen = condition::progress(&found) == Progress::Sent && found.same_spec(desired);
    let created = found.meta().creation_timestamp.as_ref().map(|created| created.0);
    let seen = found.conditions().iter().filter_map(|condition| condition.last_transition_time).max();
    Some((condition::describe(&found), created.max(seen)?)).filter(|_| is_unseen)
}

impl Applied {
    pub(super) fn new(server: Progress) -> Self {
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
    pub(super) fn is_ready(&self) -> bool {
        self.objects().all(|(_, progress)| *progress == Progress::Ready)
    }

    /// Whether an app can log in: only parameters may be missing.
    pub(super) fn is_connectable(&self) -> bool {
        self.server == Progress::Ready && self.others.iter().all(|(_, progress)| *progress == Progress::Ready)
    }

    /// Whether nothing was written lately, and ASO at the most compares with Azure.
    pub(super) fn is_at_rest(&self) -> bool {
        self.objects().all(|(_, progress)| matches!(progress, Progress::Ready | Progress::Working))
    }

    /// Every object in Azure; the server, which needs no name in a message, comes first.
    pub(super) fn objects(&self) -> impl Iterator<Item = (&str, &Progress)> {
        let others = self.others.iter().map(|(name, progress)| (name.as_str(), progress));
        let parameters = self.parameters.iter().map(|(name, progress)| (name.as_str(), progress));
        std::iter::once(("", &self.server)).chain(others).chain(parameters)
    }
}

/// Server-side apply of what differs, of an object that is nobody else's. One that is gone by now isn't made again by that: the
/// next pass looks first what there is.
pub(super) async fn aso<K: AsoObject>(
    context: &Context,
    cache: &Cache<K>,
    desired: &K,
) -> Result<Progress, Error> {
    let namespace = desired.namespace().unwrap_or_default();
    let found = cache.get(&namespace, &desired.name_any());
    if let Some(found) = &found {
        if !same_owner(found, desired) {
            return Err(foreign(desired, &namespace));
        }
        if found.same_spec(desired) && has_marks(found, desired) {
            if is_tracked(found) {
                // A label that somebody else has taken over as well stays when it is merely left out.
                amend(context, found, json!({"labels": {TRACKED: null}})).await?;
            }
            return Ok(condition::progress(found));
        }
    }
    let version = found.as_ref().and_then(ResourceExt::resource_version);
    let mut over = desired.clone();
    if let Some(found) = &found {
        over.meta_mut().uid = found.uid();
        // What was seen through an object that only looks holds for as long as that object is as it was.
        if azure::has_policy(found, SKIP) && !azure::has_policy(desired, SKIP) {
            over.meta_mut().resource_version.clone_from(&version);
        }
    }
    let way = if found.is_some() { Way::ForceOne } else { Way::Force };
    let written = write(context, &namespace, &over, version.as_deref(), way).await?;
    Ok(match found {
        // Marks alone are nothing that ASO would look at.
        Some(found) if written == Written::Settled || only_marks_differ(&found, desired) => {
            condition::progress(&found)
        }
        _ => Progress::Sent,
    })
}

/// Whether ASO is asked for nothing new: at rest it only looks.
fn only_marks_differ<K: AsoObject>(found: &K, desired: &K) -> bool {
    let policy = |object: &K| object.annotations().get(RECONCILE_POLICY).cloned();
    found.same_spec(desired) && (policy(found) == policy(desired) || azure::is_at_rest(desired))
}

/// Says so before a server is paid for if a name that is wanted later is somebody else's.
async fn refuse_taken_names(context: &Context, database: &Database, desired: &Desired) -> Result<(), Error> {
    let (caches, azure) = (&context.caches, &desired.azure);
    let (namespace, server) = (azure.server.namespace().unwrap_or_default(), azure.server.name_any());
    let is_new = !caches.servers.cache.contains(&namespace, &server);
    if !is_new && !claim::only_looks(&azure.server) {
        return Ok(());
    }
    refuse_taken(&caches.servers.cache, &azure.server)?;
    refuse_taken(&caches.identities, &azure.identity)?;
    refuse_taken(&caches.credentials, &azure.credential)?;
    refuse_taken(&caches.databases, &azure.database)?;
    for rule in &azure.firewall {
        refuse_taken(&caches.firewall_rules.cache, rule)?;
    }
    for configuration in &azure.configurations {
        refuse_taken(&caches.configurations.cache, configuration)?;
    }
    if let Some(administrator) = &azure.administrator {
        refuse_taken(&caches.administrators, administrator)?;
    }
    // The notes don't have what isn't labelled, so the API server is asked: once, in the first pass.
    if !is_new {
        return Ok(());
    }
    let (namespace, secret) =
        (database.namespace().unwrap_or_default(), build::secret_name(&database.name_any()));
    match found_secret(context, &namespace, &secret).await? {
        // What is left over from before is gone by the time that the name is needed.
        Some(found) if !found.is_owned_by(database) && !found.is_left_over_from(database) => {
            Err(taken("Secret", &namespace, &secret))
        }
        _ => Ok(()),
    }
}

fn refuse_taken<K: AsoObject>(cache: &Cache<K>, desired: &K) -> Result<(), Error> {
    let namespace = desired.namespace().unwrap_or_default();
    match cache.get(&namespace, &desired.name_any()) {
        Some(found) if !same_owner(&found, desired) => Err(foreign(desired, &namespace)),
        _ => Ok(()),
    }
}

/// How to write over fields that somebody else has written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Way {
    /// The object is ours, and nobody else is to write those fields.
    Force,
    /// The same, of the object whose uid is given, and no other of its name.
    ForceOne,
    /// The same, of an object that was looked at and is to be as it was then.
    ForceThis,
    /// What somebody else has written stays as it is.
    Yield,
}

/// What a write of an object is noted under.
pub(super) fn key<K: Resource<DynamicType = ()>>(namespace: &str, name: &str) -> String {
    format!("{}/{namespace}/{name}", K::kind(&()))
}

/// Server-side apply, unless the same was written over the same object already, which the caches show in this version.
pub(super) async fn write<K>(
    context: &Context,
    namespace: &str,
    desired: &K,
    version: Option<&str>,
    way: Way,
) -> Result<Written, Error>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + Serialize
        + DeserializeOwned
        + Clone
        + std::fmt::Debug,
{
    let (kind, name) = (K::kind(&()).into_owned(), desired.name_any());
    let key = key::<K>(namespace, &name);
    if let Some(written) = context.in_flight.holds(&key, desired, version) {
        return Ok(written);
    }
    let failed = |source| Error::Api { kind: kind.clone(), name: name.clone(), source: Box::new(source) };
    let mut body = serde_json::to_value(desired).map_err(|error| failed(kube::Error::SerdeError(error)))?;
    // Kubernetes' own kinds don't serialize these, and server-side apply insists on them.
    body["apiVersion"] = json!(K::api_version(&()));
    body["kind"] = json!(kind);
    if way == Way::ForceThis {
        body["metadata"]["resourceVersion"] = json!(version);
    }
    let api: Api<K> = Api::namespaced(context.client.clone(), namespace);
    let params = PatchParams { force: way != Way::Yield, ..PatchParams::apply(OPERATOR) };
    let answer = match api.patch(&name, &params, &Patch::Apply(&body)).await {
        Ok(answer) => answer,
        // Somebody else has written it meanwhile, or it is gone: the watch tells what stands there now.
        Err(kube::Error::Api(status)) if way != Way::Force && status.code == 409 => {
            tracing::info!(kind, namespace, name, "what has changed meanwhile is left alone");
            context.in_flight.note(key, desired, version, Written::InFlight);
            return Ok(Written::InFlight);
        }
        Err(error) => return Err(failed(error)),
    };
    // A key that others added to a map of ours stays, and is no reason to write again.
    let changed = version.is_none() || answer.resource_version().as_deref() != version;
    let written = if changed { Written::InFlight } else { Written::Settled };
    context.in_flight.note(key, desired, version, written);
    context.count_write(&kind);
    tracing::info!(kind, namespace, name, changed, "applied");
    Ok(written)
}

/// Merges this into the metadata of this very object as the cache shows it, and tells whether that was done: one that has
/// changed since is looked at again.
pub(super) async fn amend<K>(context: &Context, found: &K, metadata: serde_json::Value) -> Result<bool, Error>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + DeserializeOwned
        + Clone
        + std::fmt::Debug,
{
    let (kind, name) = (K::kind(&()).into_owned(), found.name_any());
    let mut body = json!({"metadata": metadata});
    body["metadata"]["uid"] = json!(found.uid());
    body["metadata"]["resourceVersion"] = json!(found.resource_version());
    let api: Api<K> = Api::namespaced(context.client.clone(), &found.namespace().unwrap_or_default());
    let params = PatchParams { field_manager: Some(OPERATOR.to_owned()), ..PatchParams::default() };
    match api.patch(&name, &params, &Patch::Merge(body)).await {
        Ok(_) => {}
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => return Ok(false),
        Err(source) => return Err(Error::Api { kind, name, source: Box::new(source) }),
    }
    context.count_write(&kind);
    Ok(true)
}

/// Deletes this very object, as it is in the cache, and tells whether it goes: a newer one may be wanted again.
pub(super) async fn delete<K>(context: &Context, found: &K) -> Result<bool, Error>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + DeserializeOwned
        + Clone
        + std::fmt::Debug,
{
    let (kind, name) = (K::kind(&()).into_owned(), found.name_any());
    let api: Api<K> = Api::namespaced(context.client.clone(), &found.namespace().unwrap_or_default());
    let preconditions = Preconditions { uid: found.uid(), resource_version: found.resource_version() };
    let parameters = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
    match api.delete(&name, &parameters).await {
        Ok(_) => {}
        Err(kube::Error::Api(status)) if status.code == 404 => return Ok(true),
        // It has changed: the next pass sees what it is now.
        Err(kube::Error::Api(status)) if status.code == 409 => return Ok(false),
        Err(source) => return Err(Error::Api { kind, name, source: Box::new(source) }),
    }
    tracing::info!(kind, name, "deleted");
    context.count_write(&kind);
    Ok(true)
}

async fn apply_secret(context: &Context, database: &Database, desired: &Secret) -> Result<Written, Error> {
    let (namespace, name) = (desired.namespace().unwrap_or_default(), desired.name_any());
    let noted = bound(context, desired);
    let found = match noted.clone() {
        Some(noted) => Some(noted),
        // The notes hold labelled Secrets only; one without our label may stand in the way.
        None => found_secret(context, &namespace, &name).await?,
    };
    if let Some(found) = &found {
        if found.is_left_over_from(database) {
            return Err(Error::Foreign(Blocked::by(
                Reason::SecretLeftOver,
                format!(
                    "Secret {namespace}/{name} belongs to the Database of this name that was there before; Kubernetes \
                     removes it, and this Database goes on by itself then"
                ),
            )));
        }
        if !found.is_owned_by(database) {
            return Err(taken("Secret", &namespace, &name));
        }
        let is_same = desired.data.as_ref().is_some_and(|data| found.holds(data));
        if is_same && found.has_labels(desired.labels()) {
            return Ok(Written::Settled);
        }
    }
    let version = noted.as_ref().map(|noted| &*noted.version);
    write(context, &namespace, desired, version, Way::Force).await
}

/// What is noted of the Secret that an app reads.
pub(super) fn bound(context: &Context, desired: &Secret) -> Option<Note> {
    context.caches.bindings.get(&desired.namespace().unwrap_or_default(), &desired.name_any())
}

/// The same, or what the API server has.
async fn found_secret(context: &Context, namespace: &str, name: &str) -> Result<Option<Note>, Error> {
    if let Some(noted) = context.caches.bindings.get(namespace, name) {
        return Ok(Some(noted));
    }
    Ok(live::<Seen<Secret>>(context, namespace, name).await?.map(|seen| seen.note))
}

pub(super) async fn apply_admin_secret(context: &Context, desired: &Secret) -> Result<(), Error> {
    let namespace = desired.namespace().unwrap_or_default();
    let found = cached_secret(context, desired);
    match &found {
        Some(found) if !same_owner(found, desired) => return Err(foreign(desired, &namespace)),
        Some(found) if found.data == desired.data && has_marks(found, desired) => return Ok(()),
        Some(_) => {}
        None => match live::<Secret>(context, &namespace, &desired.name_any()).await? {
            Some(live) if !same_owner(&live, desired) => return Err(foreign(desired, &namespace)),
            // The cache is behind, and will tell of it. Written over, a password that Azure has would be lost.
            Some(_) => return Err(Error::Behind),
            None => {}
        },
    }
    // The same goes for one that has changed since.
    let mut desired = desired.clone();
    let version = found.as_ref().and_then(ResourceExt::resource_version);
    desired.metadata.resource_version.clone_from(&version);
    write(context, &namespace, &desired, version.as_deref(), Way::Force).await.map(drop)
}

fn cached_secret(context: &Context, desired: &Secret) -> Option<Secret> {
    context.caches.secrets.get(&desired.namespace().unwrap_or_default(), &desired.name_any())
}

async fn live<K>(context: &Context, namespace: &str, name: &str) -> Result<Option<K>, Error>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + DeserializeOwned
        + Clone
        + std::fmt::Debug,
{
    let api: Api<K> = Api::namespaced(context.client.clone(), namespace);
    api.get_opt(name).await.map_err(|source| Error::Api {
        kind: K::kind(&()).into_owned(),
        name: name.to_owned(),
        source: Box::new(source),
    })
}

/// Whether an object stands for the same `Database` as ours, by its labels.
fn same_owner<K: Resource>(found: &K, desired: &K) -> bool {
    let label = |key| desired.labels().get(key).map(String::as_str).unwrap_or_default();
    caches::belongs_to(found, DatabaseRef::new(label(DATABASE_NAMESPACE), label(DATABASE_NAME)))
}

/// Whether everything that we mark an object with is there: labels and annotations.
fn has_marks<K: Resource>(found: &K, desired: &K) -> bool {
    desired.labels().iter().all(|(key, value)| found.labels().get(key) == Some(value))
        && desired.annotations().iter().all(|(key, value)| found.annotations().get(key) == Some(value))
}

fn foreign<K: Resource<DynamicType = ()>>(desired: &K, namespace: &str) -> Error {
    taken(&K::kind(&()), namespace, &desired.name_any())
}

fn taken(kind: &str, namespace: &str, name: &str) -> Error {
    Error::Foreign(Blocked::by(
        Reason::NameTaken,
        format!(
            "{kind} {namespace}/{name} exists and does not belong to this Database; it is left alone. Give it \
             another name, if it is yours, or give this Database another one, and it goes on by itself"
        ),
    ))
}
