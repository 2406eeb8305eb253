//! Fourth stage: writes what differs, and nothing else.

use std::{sync::Arc, time::Instant};

use api::{Database, DatabaseRef, annotations::PAUSED, reason::Reason};
use jiff::Timestamp;
use kube::{Resource, ResourceExt, runtime::reflector::ObjectRef};
use serde_json::json;

use super::{
    account,
    applied::{Applied, Stage},
    binding,
    build::Desired,
    context::Context,
    inside::Inside,
    look_first::look_first,
    nudge, secrets, vault,
    write::{Error, amend, aso, delete, foreign, has_our_metadata, same_owner, taken},
};
use crate::{
    azure::{
        self, AT_REST, AsoObject, DETACH_ON_DELETE, FlexibleServersAdministrator,
        FlexibleServersConfiguration, MANAGE, Owner, RECONCILE_POLICY, SKIP, adoption,
        condition::{self, Progress},
        states,
    },
    controller::{
        access::Outcome,
        engine::{
            cache::Cache,
            conditions::{self, ACCESS_READY},
            in_flight::Written,
        },
    },
};

/// What a pass may do beside writing what differs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mode {
    /// Nothing in Azure is touched.
    pub(crate) is_paused: bool,
    /// An app logs in to the database as it is written: trouble is Azure's, and Azure Service Operator may be asked to try
    /// again.
    pub(crate) serves: bool,
    /// There was a Secret once: it comes back whatever becomes of Azure.
    pub(crate) had_secret: bool,
}

impl Mode {
    pub(crate) fn of(database: &Database, is_paused: bool) -> Self {
        let had_secret = database.status.as_ref().is_some_and(|status| status.host.is_some());
        Self { is_paused, serves: conditions::is_current(database), had_secret }
    }
}

pub(crate) async fn apply(
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
    } else if adoption::is_probe(&azure.server) {
        let server = apply_server(context, azure).await?;
        let mut applied = Applied::new(server);
        applied.unseen = unseen(&context.caches.servers.cache, &azure.server);
        return Ok(applied);
    } else {
        apply_azure(context, database, desired, mode).await?
    };
    let server_is_ready = applied.server_is_ready();
    let whose = DatabaseRef::of(database);
    let done =
        Box::pin(vault::keep_up(context, whose, &desired.vault, mode.is_paused, server_is_ready)).await;
    applied.vault = done.told;
    applied.again = done.again.into_iter().chain(applied.again).min();
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
        && (is_connectable || mode.had_secret || secrets::bound(context, secret).is_some())
    {
        applied.unconfirmed |= secrets::apply_secret(context, database, secret).await? == Written::InFlight;
    }
    Ok(applied)
}

/// Everything in Azure.
async fn apply_azure(
    context: &Context,
    database: &Database,
    desired: &Desired,
    mode: Mode,
) -> Result<Applied, Error> {
    let (caches, azure) = (&context.caches, &desired.azure);
    // Azure Service Operator reads it when it makes the server.
    if let Some(secret) = &desired.admin_secret {
        secrets::apply_admin_secret(context, secret).await?;
    }
    let mut all = All { context, mode, is_free: false, lifts: true, applied: Applied::new(Progress::Sent) };
    // The login is made while Azure still works on the server: it takes seconds, and the server minutes.
    let identity = all.keep_up(&caches.identities, &azure.identity, |_| false).await?;
    let server = all.keep_up(&caches.servers.cache, &azure.server, adoption::is_probe).await?;
    // Nobody would look at it for an hour, and see that it is up again.
    let name = azure.server.name_any();
    if let Some(found) = caches.servers.cache.get(&azure.server.namespace().unwrap_or_default(), &name)
        && states::lets_nobody_in(&found)
    {
        let trouble = Progress::Retrying { reason: String::new(), message: String::new() };
        nudge::nudge(context, &found, &trouble, true).await?;
    }
    let credential = all.keep_up(&caches.credentials, &azure.credential, |_| false).await?;
    all.is_free = server == Progress::Ready;
    all.lifts = all.is_free;
    all.applied.set_server(server);
    all.applied.push(Stage::Access, condition::describe(&azure.identity), identity);
    all.applied.push(Stage::Access, condition::describe(&azure.credential), credential);
    if let Some(credential) = azure.former.credential.as_ref().filter(|_| !azure.former.ends) {
        let progress = all.keep_up(&caches.credentials, credential, |_| false).await?;
        all.applied.push(Stage::Access, condition::describe(credential), progress);
    }

    // The database belongs to who administers the server when it is made; before there is anybody, to Azure itself, and then
    // nobody can use it. <https://learn.microsoft.com/azure/postgresql/security/security-entra-configure>
    match azure.administrator.as_ref().and_then(|wanted| outdated(&caches.administrators, wanted)) {
        // Azure Service Operator takes no other name for an object, and PostgreSQL no second role of that name.
        Some(outdated) => {
            all.remove(&caches.administrators, &outdated).await?;
            all.applied.shuts_app_out = true;
        }
        None => all.one_by_one(&caches.administrators, azure.administrator.as_ref()).await?,
    }
    if let Some(database) = &azure.database {
        all.one_by_one(&caches.databases, Some(database)).await?;
    }
    for rule in &azure.firewall_removed {
        all.remove(&caches.firewall_rules.cache, rule).await?;
    }
    for rule in &azure.firewall {
        all.one_by_one(&caches.firewall_rules.cache, Some(rule)).await?;
    }
    all.look_inside(database, &name, desired);
    // From now on it is handed out, whatever becomes of this process.
    if let (Some(outcome), Some(secret)) = (&all.applied.access, &desired.admin_secret_then)
        && outcome.lets_app_in
    {
        secrets::apply_admin_secret(context, secret).await?;
        all.applied.unconfirmed = true;
    }
    let is_connectable = all.applied.is_connectable();
    all.parameters(&azure.configurations, is_connectable).await?;
    all.former_login(&azure.former).await?;
    Ok(all.applied)
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
        let was_refused = matches!(progress, Progress::GaveUp { .. }) || adoption::is_absent(&progress);
        let skips = azure::has_policy(&found, SKIP);
        let stays_in_azure = skips || azure::has_policy(&found, DETACH_ON_DELETE);
        if owner == of(desired).0 || is_made || !stays_in_azure || !(was_refused || skips) {
            return Ok(false);
        }
        if found.meta().deletion_timestamp.is_none() {
            delete(context, &found).await?;
        }
        Ok(true)
    }
    let caches = &context.caches;
    let server = take(context, &caches.servers.cache, &azure.server, |server| {
        (server.spec.owner.clone(), server.created_status().is_some())
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
    ) -> Result<Progress, Error> {
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
        Ok(found.map_or(Progress::Sent, |found| condition::progress(&found)))
    }
    async fn part<K: AsoObject>(
        applied: &mut Applied,
        stage: Stage,
        context: &Context,
        cache: &Cache<K>,
        desired: &K,
    ) -> Result<(), Error> {
        let progress = leave(context, cache, desired).await?;
        applied.push(stage, condition::describe(desired), progress);
        Ok(())
    }
    let caches = &context.caches;
    let mut applied = Applied::new(leave(context, &caches.servers.cache, &azure.server).await?);
    let all = &mut applied;
    part(all, Stage::Access, context, &caches.identities, &azure.identity).await?;
    part(all, Stage::Access, context, &caches.credentials, &azure.credential).await?;
    if let Some(database) = &azure.database {
        part(all, Stage::Access, context, &caches.databases, database).await?;
    }
    for rule in azure.firewall.iter().chain(&azure.firewall_removed) {
        part(all, Stage::Access, context, &caches.firewall_rules.cache, rule).await?;
    }
    for administrator in azure.administrator.iter().chain(&azure.former.administrator) {
        part(all, Stage::Access, context, &caches.administrators, administrator).await?;
    }
    if let Some(credential) = &azure.former.credential {
        part(all, Stage::Access, context, &caches.credentials, credential).await?;
    }
    for parameter in &azure.configurations {
        part(all, Stage::Parameters, context, &caches.configurations.cache, parameter).await?;
    }
    Ok(applied)
}

/// Whether an object is left alone for a pause of ours.
fn is_paused<K: Resource>(found: &K) -> bool {
    azure::has_policy(found, SKIP) && found.annotations().contains_key(PAUSED)
}

/// The server alone. ASO looks first whether Azure has such a server, and nothing else is written before that is known.
pub(crate) async fn apply_server(context: &Context, azure: &azure::Objects) -> Result<Progress, Error> {
    let progress = aso(context, &context.caches.servers.cache, &azure.server).await?;
    Ok(match progress {
        progress if !adoption::is_probe(&azure.server) => progress,
        // The cache may have moved since the adoption was judged; the next pass takes what is free.
        progress if adoption::is_absent(&progress) => Progress::Sent,
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
        // What Azure Service Operator only looks at, and is to write.
        if let Some(found) = &found
            && azure::has_policy(found, SKIP)
            && !azure::has_policy(desired, SKIP)
            && same_owner(found, desired)
        {
            let is_pause_over = is_paused(found);
            if !is_pause_over && !azure::is_at_rest(found) && !is_ours(found) {
                self.applied.left_alone.push(condition::describe(found));
                let is_same = found.same_spec(desired);
                return Ok(if is_same { condition::progress(found) } else { Progress::Sent });
            }
            // What lies on a server waits for what the server itself has to become again.
            if is_pause_over && !self.lifts {
                return Ok(Progress::Sent);
            }
            if K::HOLDS_DATA {
                // What is wanted was decided by what it was then.
                if found.resource_version() != desired.meta().resource_version {
                    return Ok(Progress::Sent);
                }
                if let Some(progress) = look_first(self.context, found).await? {
                    return Ok(progress);
                }
            }
            if is_pause_over {
                let annotations = json!({RECONCILE_POLICY: DETACH_ON_DELETE, PAUSED: null});
                amend(self.context, found, json!({"annotations": annotations})).await?;
                return Ok(Progress::Sent);
            }
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
            self.applied.push(Stage::Access, K::kind(&()).into_owned(), Progress::Sent);
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
        self.applied.push(Stage::Access, condition::describe(desired), progress);
        Ok(())
    }

    /// The login, which the operator sets up by SQL once the server can be reached. Of a server that an app has logged in to, what is
    /// amiss is told beside it, unless that shuts the app out.
    fn look_inside(&mut self, database: &Database, server_name: &str, desired: &Desired) {
        let access = match &desired.inside {
            Inside::Apps => return,
            Inside::Wanted(wish) if self.is_free => {
                let had_trouble =
                    conditions::find_in(database, ACCESS_READY).is_some_and(|it| it.status != "True");
                let (of, now) = (ObjectRef::from_obj(database), Instant::now());
                let look = self.context.accesses.look(server_name, of, wish, had_trouble, now);
                self.applied.again = Some(look.again);
                look.outcome
            }
            Inside::NotYet | Inside::Wanted(_) => None,
            Inside::Impossible(error) => {
                Some(Arc::new(Outcome::unseen(Reason::SqlFailed, error.to_string())))
            }
        };
        let lets_in = access.as_ref().is_some_and(|outcome| outcome.lets_app_in);
        let shuts_out = access.as_ref().is_some_and(|outcome| outcome.shuts_app_out());
        // By its former login it gets in.
        let shuts_out = shuts_out && !desired.handover.gives_former();
        self.applied.shuts_app_out |= shuts_out;
        // A password is handed out by the pass after the one that saw it work.
        let is_ready = (lets_in && desired.secret.is_some()) || (self.mode.had_secret && !shuts_out);
        self.applied.push(
            Stage::Access,
            "login".to_owned(),
            if is_ready { Progress::Ready } else { Progress::Sent },
        );
        self.applied.access = access;
        self.applied.handover = desired.handover;
    }

    /// What the app logged in by before: it goes once a last look has handed on all that it owned, since Azure deletes no
    /// administrator that owns something. While Azure works on something else, it waits.
    async fn former_login(&mut self, former: &azure::FormerObjects) -> Result<(), Error> {
        let caches = &self.context.caches;
        let is_handed_on = self.applied.access.as_ref().is_some_and(|outcome| outcome.lets_app_in);
        if !former.ends || !self.is_free || !is_handed_on || !self.applied.is_ready() {
            return Ok(());
        }
        if let Some(administrator) = &former.administrator {
            return self.remove(&caches.administrators, administrator).await;
        }
        match &former.credential {
            Some(credential) => self.remove(&caches.credentials, credential).await,
            None => Ok(()),
        }
    }

    /// An object that is to go, in Azure too: it is given the reconcile policy for that, and deleted when it has it.
    async fn remove<K: AsoObject>(&mut self, cache: &Cache<K>, desired: &K) -> Result<(), Error> {
        let (namespace, name) = (desired.namespace().unwrap_or_default(), desired.name_any());
        let Some(found) = cache.get(&namespace, &name) else { return Ok(()) };
        let progress = if found.meta().deletion_timestamp.is_some() {
            // ASO tells of what keeps it from deleting.
            condition::progress(&found)
        } else {
            if has_our_metadata(&found, desired) {
                delete(self.context, &found).await?;
            } else {
                aso(self.context, cache, desired).await?;
            }
            Progress::Sent
        };
        self.is_free = false;
        let progress = if progress == Progress::Ready { Progress::Working } else { progress };
        self.applied.push(Stage::Access, condition::describe(desired), progress);
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
            let name = format!("parameter {}", desired.spec.azure_name);
            self.applied.push(Stage::Parameters, name, progress);
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

/// Says so before a server is paid for if a name that is wanted later is somebody else's.
async fn refuse_taken_names(context: &Context, database: &Database, desired: &Desired) -> Result<(), Error> {
    let (caches, azure) = (&context.caches, &desired.azure);
    let (namespace, server) = (azure.server.namespace().unwrap_or_default(), azure.server.name_any());
    let is_new = !caches.servers.cache.contains(&namespace, &server);
    if !is_new && !adoption::is_probe(&azure.server) {
        return Ok(());
    }
    refuse_taken(&caches.servers.cache, &azure.server)?;
    refuse_taken(&caches.identities, &azure.identity)?;
    refuse_taken(&caches.credentials, &azure.credential)?;
    if let Some(database) = &azure.database {
        refuse_taken(&caches.databases, database)?;
    }
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
        (database.namespace().unwrap_or_default(), binding::secret_name(&database.name_any()));
    match secrets::found_secret(context, &namespace, &secret).await? {
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
