//! Everything that exists in this Azure, in memory, behind one lock.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet, btree_map::Entry},
    net::Ipv4Addr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::sync::oneshot;

use super::{
    arm::{
        errors::ArmError,
        operations::{Change, Effect, Operation, Operations},
        resource_id::{Key, Kind, ResourceId},
        server::Server,
        server_body,
        throttle::Throttle,
    },
    circumstances::{Lock, Ownership, Region},
    clock::Clock,
    directory::DirectoryEntry,
    endpoints::{Endpoints, RealServer},
    faults::Faults,
    gateway_faults::GatewayFaults,
    guid,
    jwt::{Keys, Signer},
    logins::LoginLog,
    requests::RequestLog,
    rules::owner,
    work::{Asked, Jobs, Source, Work},
};

/// How long Azure keeps a dropped server, and its name with it.
/// <https://learn.microsoft.com/azure/postgresql/backup-restore/how-to-restore-dropped-server>
const DROPPED_SERVERS_ARE_KEPT: SignedDuration = SignedDuration::from_hours(5 * 24);

/// How long a server stays stopped before Azure starts it.
/// <https://learn.microsoft.com/azure/postgresql/configure-maintain/how-to-stop-server>
const STOPPED_SERVERS_REST: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A handle on the one [`Cloud`]. The lock is never held across an await.
#[derive(Clone)]
pub(super) struct Shared {
    cloud: Arc<Mutex<Cloud>>,
    /// Where this Azure can be reached: the base of every URL it hands out.
    pub(super) endpoint: Arc<str>,
    pub(super) endpoints: Endpoints,
    /// Of the tokens that this directory issues.
    pub(super) signer: Arc<Signer>,
}

impl Shared {
    pub(super) fn new(delay: Duration, endpoint: String, jobs: Jobs, signer: Signer) -> Self {
        Self {
            cloud: Arc::new(Mutex::new(Cloud::new(delay, jobs))),
            endpoint: endpoint.into(),
            endpoints: Endpoints::default(),
            signer: signer.into(),
        }
    }

    /// A panic elsewhere must not make every later request panic too: what it left behind is used as it is.
    pub(super) fn lock(&self) -> MutexGuard<'_, Cloud> {
        self.cloud.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Resource {
    pub(super) id: ResourceId,
    /// What a GET shows.
    pub(super) body: Value,
    /// What it was when it was created; some defaults follow from it for good.
    pub(super) at_birth: Value,
}

/// What a server made from another one has from it, as the API shows it.
#[derive(Clone, Debug)]
pub(super) struct Remains {
    pub(super) server: Resource,
    /// Databases and administrators.
    below: Vec<(Resource, Option<Ownership>)>,
    password: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Dropped {
    pub(super) remains: Remains,
    pub(super) at: Timestamp,
}

pub(super) struct Cloud {
    pub(super) delay: Duration,
    pub(super) clock: Clock,
    pub(super) throttle: Throttle,
    /// The tenant that last logged in, which is the one that everything here belongs to.
    pub(super) tenant: Option<String>,
    pub(super) resources: BTreeMap<Key, Resource>,
    pub(super) operations: Operations,
    /// By name. Azure keeps a dropped server for five days, and its name with it.
    pub(super) dropped_servers: BTreeMap<String, Dropped>,
    /// When the performance tier of a server's disk last changed; Azure takes one change in twelve hours.
    pub(super) tier_changes: BTreeMap<Key, Timestamp>,
    /// Whether Azure's list of administrators has those that a restored server has from its source.
    pub(super) restores_administrators: bool,
    /// How long after it was made a server has its first backup.
    pub(super) first_backup: SignedDuration,
    /// By server, object ids of administrators who are in PostgreSQL and not in Azure's list.
    pub(super) left_out: BTreeMap<Key, BTreeSet<String>>,
    /// Since when servers are stopped.
    stopped: BTreeMap<Key, (ResourceId, Timestamp)>,
    /// Whom databases belong to, which nothing shows but the database itself.
    pub(super) owners: BTreeMap<Key, Ownership>,
    /// By short name, those that don't give all they have.
    pub(super) regions: BTreeMap<String, Region>,
    /// Backup instances that somebody had deleted, by their ids: what each had copied is lost.
    pub(super) lost_recovery_points: Vec<String>,
    pub(super) locks: BTreeMap<Key, (ResourceId, Lock)>,
    /// The administrator's password of a server, which nothing shows.
    passwords: BTreeMap<Key, String>,
    /// The one that is sent with the operation under way: a server has one at a time.
    pub(super) passwords_sent: BTreeMap<Key, String>,
    pub(super) faults: Faults,
    pub(super) requests: RequestLog,
    /// Identities whose federated credentials are being written at this moment.
    pub(super) federating: HashSet<Key>,
    tokens: HashSet<String>,
    /// Who issues the tokens of ServiceAccounts, with the keys by which they are verified.
    pub(super) issuers: BTreeMap<String, Keys>,
    /// Members of each group, by object ids.
    pub(super) groups: BTreeMap<String, Vec<String>>,
    /// By name.
    pub(super) directory: BTreeMap<String, DirectoryEntry>,
    pub(super) logins: LoginLog,
    pub(super) gateway_faults: GatewayFaults,
    /// The address under which clients on 127.0.0.1 leave, which servers' firewalls judge; they are the cluster.
    pub(super) cluster_address: Ipv4Addr,
    made_up: u64,
    /// Where what becomes of PostgreSQL is asked for.
    jobs: Jobs,
    /// The PostgreSQL behind each server that has one.
    pub(super) real_servers: BTreeMap<Key, RealServer>,
}

impl Cloud {
    fn new(delay: Duration, jobs: Jobs) -> Self {
        Self {
            delay,
            clock: Clock::default(),
            throttle: Throttle::default(),
            tenant: None,
            resources: BTreeMap::new(),
            operations: Operations::default(),
            dropped_servers: BTreeMap::new(),
            tier_changes: BTreeMap::new(),
            restores_administrators: false,
            first_backup: server_body::FIRST_BACKUP,
            left_out: BTreeMap::new(),
            stopped: BTreeMap::new(),
            owners: BTreeMap::new(),
            regions: BTreeMap::new(),
            lost_recovery_points: Vec::new(),
            locks: BTreeMap::new(),
            passwords: BTreeMap::new(),
            passwords_sent: BTreeMap::new(),
            faults: Faults::default(),
            requests: RequestLog::default(),
            federating: HashSet::new(),
            tokens: HashSet::new(),
            issuers: BTreeMap::new(),
            groups: BTreeMap::new(),
            directory: BTreeMap::new(),
            logins: LoginLog::default(),
            gateway_faults: GatewayFaults::default(),
            cluster_address: Ipv4Addr::LOCALHOST,
            made_up: 0,
            jobs,
            real_servers: BTreeMap::new(),
        }
    }

    /// The time that this Azure uses.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The tenant of everything in this Azure.
    pub(super) fn tenant(&self) -> String {
        self.tenant.clone().unwrap_or_else(|| guid::from_text("tenant"))
    }

    /// A GUID that this Azure has not handed out before.
    pub(super) fn fresh_guid(&mut self) -> String {
        self.made_up += 1;
        guid::from_text(&format!("{}/{}", Timestamp::now(), self.made_up))
    }

    pub(super) fn issue_token(&mut self, tenant: &str) -> String {
        self.tenant = Some(tenant.to_owned());
        let token = self.fresh_guid();
        self.tokens.insert(token.clone());
        token
    }

    /// Lets a token in at ARM.
    pub(super) fn accept_token(&mut self, token: &str) {
        self.tokens.insert(token.to_owned());
    }

    /// The managed identity with this client id.
    pub(super) fn identity(&self, client: &str) -> Option<&Resource> {
        self.resources.values().find(|resource| {
            resource.id.kind == Kind::UserAssignedIdentity
                && resource.body["properties"]["clientId"] == client
        })
    }

    /// The groups that a principal is a member of.
    pub(super) fn groups_of(&self, object_id: &str) -> Vec<&str> {
        let has = |members: &Vec<String>| members.iter().any(|member| member.eq_ignore_ascii_case(object_id));
        self.groups.iter().filter(|(_, members)| has(members)).map(|(group, _)| group.as_str()).collect()
    }

    pub(super) fn accepts_token(&self, token: &str) -> bool {
        self.tokens.contains(token)
    }

    /// Whether an administrator with this password is let in.
    pub(super) fn lets_in(&self, id: &ResourceId, login: &str, password: &str) -> bool {
        let property = |pointer| self.get(id).and_then(|server| server.body.pointer(pointer)?.as_str());
        property("/properties/authConfig/passwordAuth") == Some("Enabled")
            && property("/properties/administratorLogin") == Some(login)
            && self.passwords.get(&id.key()).is_some_and(|known| known == password)
    }

    pub(super) fn get(&self, id: &ResourceId) -> Option<&Resource> {
        self.resources.get(&id.key())
    }

    /// What a GET shows of a resource: of a server, also how far back its backups go by now.
    pub(super) fn shown(&self, resource: &Resource) -> Value {
        let mut body = resource.body.clone();
        if resource.id.kind == Kind::FlexibleServer {
            server_body::backups_age(&mut body, self.now());
        }
        body
    }

    pub(super) fn put(&mut self, id: &ResourceId, body: Value) {
        match self.resources.entry(id.key()) {
            Entry::Occupied(mut existing) => existing.get_mut().body = body,
            Entry::Vacant(vacant) => {
                vacant.insert(Resource { id: id.clone(), at_birth: body.clone(), body });
            }
        }
        self.note_state(id);
    }

    /// Notes since when a server is stopped. Called whenever its state may have changed.
    pub(super) fn note_state(&mut self, id: &ResourceId) {
        let state = self.get(id).and_then(|server| server.body.pointer("/properties/state")?.as_str());
        if id.kind == Kind::FlexibleServer && state == Some("Stopped") {
            let now = self.now();
            self.stopped.entry(id.key()).or_insert_with(|| (id.clone(), now));
        } else {
            self.stopped.remove(&id.key());
        }
    }

    /// Stops a server at once.
    pub(super) fn stop(&mut self, id: &ResourceId) {
        self.set_state(id, "Stopped");
        self.jobs.ask(id.key(), Work::Stop, Asked::Nobody);
    }

    /// Starts a server at once.
    pub(super) fn start(&mut self, id: &ResourceId) {
        self.set_state(id, "Ready");
        self.jobs.ask(id.key(), Work::Start, Asked::Nobody);
        server_restarted(self, id);
    }

    fn set_state(&mut self, id: &ResourceId, state: &str) {
        if let Some(server) = self.resources.get_mut(&id.key()) {
            server.body["properties"]["state"] = Value::from(state);
        }
        self.operations.amend(&id.key(), |body| body["properties"]["state"] = Value::from(state));
        self.note_state(id);
    }

    /// The resources of `kind` below `key`, which can be a subscription.
    pub(super) fn below(&self, key: &Key, kind: Kind) -> impl Iterator<Item = &Resource> {
        let below = format!("{key}/");
        self.resources
            .range(below.clone()..)
            .take_while(move |(key, _)| key.starts_with(&below))
            .map(|(_, resource)| resource)
            .filter(move |resource| resource.id.kind == kind)
    }

    /// Removes `id` and what is below it, and remembers the names of the servers that went with it.
    pub(super) fn remove(&mut self, id: &ResourceId) {
        let key = id.key();
        let below = format!("{key}/");
        let now = self.now();
        self.operations.cancel(&key);
        let gone: Vec<Key> = self
            .resources
            .keys()
            .filter(|candidate| **candidate == key || candidate.starts_with(&below))
            .cloned()
            .collect();
        let servers: Vec<Remains> = gone.iter().filter_map(|key| self.remains(key)).collect();
        for remains in servers {
            let name = remains.server.id.name().to_lowercase();
            self.dropped_servers.insert(name, Dropped { remains, at: now });
        }
        for key in gone {
            self.tier_changes.remove(&key);
            self.passwords.remove(&key);
            self.owners.remove(&key);
            self.stopped.remove(&key);
            self.locks.remove(&key);
            self.left_out.remove(&key);
            if let Some(resource) = self.resources.remove(&key)
                && resource.id.kind == Kind::FlexibleServer
            {
                self.operations.source_goes(&key);
                self.jobs.ask(key, Work::Drop, Asked::Nobody);
            }
        }
    }

    /// Starts a long-running operation, which ends after the configured delay, and returns its id.
    pub(super) fn begin(&mut self, change: Change, fails_with: Option<ArmError>) -> String {
        let id = self.fresh_guid();
        let due = Instant::now() + self.delay;
        let work = change.work.clone().filter(|_| fails_with.is_none());
        let waits = work
            .zip(change.occupies.clone())
            .is_some_and(|(work, server)| self.jobs.ask(server, work, Asked::Operation(id.clone())));
        let operation = Operation::begin(id.clone(), change, due, fails_with);
        self.operations.insert(operation.waiting(waits));
        id
    }

    /// Completes when all that PostgreSQL was asked for so far is done; at once where there is none.
    pub(super) fn done_so_far(&self, server: Key) -> Option<oneshot::Receiver<()>> {
        self.ask(server, Work::Wait)
    }

    /// Something to be done at once; completes when it is.
    pub(super) fn ask(&self, server: Key, work: Work) -> Option<oneshot::Receiver<()>> {
        let (done, completed) = oneshot::channel();
        self.jobs.ask(server, work, Asked::Control(done)).then_some(completed)
    }

    /// Somebody deletes it in the portal: what is in PostgreSQL goes, too.
    pub(super) fn delete(&mut self, id: &ResourceId) {
        let name = id.name().to_owned();
        let work = match id.kind {
            Kind::Database => Some(Work::DropDatabase { name }),
            Kind::Administrator => Some(Work::DropAdministrator { object_id: name }),
            _ => None,
        };
        if let Some((work, server)) = work.zip(id.parent()) {
            self.jobs.ask(server.key(), work, Asked::Nobody);
        }
        self.remove(id);
    }

    /// A new database belongs to whoever is there at this moment.
    fn give_to_an_owner(&mut self, database: &ResourceId) {
        let Some(server) = database.parent() else { return };
        let Some(Ok(body)) = self.get(&server).map(|server| Server::read(&server.body)) else { return };
        let key = server.key();
        let administrators = self.below(&key, Kind::Administrator).map(|resource| &resource.body);
        let ownership = owner::of_new_database(&body, administrators, self.now());
        self.owners.insert(database.key(), ownership);
    }

    fn restarts(&self, id: &ResourceId) -> bool {
        let state = self.get(id).and_then(|resource| resource.body.pointer("/properties/state"));
        let state = state.and_then(Value::as_str);
        id.kind == Kind::FlexibleServer && matches!(state, Some("Restarting" | "Starting"))
    }

    /// Lets every operation whose time has come take effect. Called before anything is looked at.
    pub(super) fn settle(&mut self) {
        let now = self.now();
        self.forget_dropped_servers(|dropped| now.duration_since(dropped.at) >= DROPPED_SERVERS_ARE_KEPT);
        let rested =
            |(_, since): &&(ResourceId, Timestamp)| now.duration_since(*since) >= STOPPED_SERVERS_REST;
        let rested: Vec<ResourceId> =
            self.stopped.values().filter(rested).map(|(id, _)| id.clone()).collect();
        for id in rested {
            self.start(&id);
        }
        for ended in self.operations.end_due(Instant::now()) {
            let Effect::Becomes { before, after } = ended.change.effect else { continue };
            let id = ended.change.id;
            if let Some(password) = self.passwords_sent.remove(&id.key())
                && ended.succeeded
            {
                self.passwords.insert(id.key(), password);
            }
            if ended.succeeded && changes_tier(before.as_ref(), after.as_ref()) {
                self.tier_changes.insert(id.key(), now);
            }
            if ended.succeeded && self.restarts(&id) {
                server_restarted(self, &id);
            }
            if ended.succeeded && id.kind == Kind::Database && before.is_none() && after.is_some() {
                self.give_to_an_owner(&id);
            }
            match if ended.succeeded { after } else { before } {
                Some(body) => self.put(&id, body),
                None if ended.succeeded => self.remove(&id),
                None => self.never_was(&id),
            }
            if let Some(source) =
                ended.change.work.as_ref().and_then(Work::source).filter(|_| ended.succeeded)
            {
                self.take_along(source, &id);
            }
        }
    }

    /// A server whose creation failed: its name is free at once.
    fn never_was(&mut self, id: &ResourceId) {
        self.resources.remove(&id.key());
        if id.kind == Kind::FlexibleServer {
            // PostgreSQL may have been faster than what made it fail.
            self.jobs.ask(id.key(), Work::Forget, Asked::Nobody);
        }
    }

    /// What a restored server has from its source, as the API shows it: databases that were there at that moment, and the
    /// administrator's password. What PostgreSQL knows better, the mirror mends.
    fn take_along(&mut self, source: &Source, id: &ResourceId) {
        let dropped = || self.dropped(&source.server).map(|dropped| dropped.remains.clone());
        let Some(remains) = self.remains(&source.server).or_else(dropped) else { return };
        if let Some(password) = remains.password {
            self.passwords.entry(id.key()).or_insert(password);
        }
        for (child, ownership) in remains.below {
            let made = ownership.as_ref().map(|ownership| ownership.made_at);
            let is_later = made.zip(source.moment).is_some_and(|(made, moment)| made > moment);
            let is_left_out = child.id.kind == Kind::Administrator && !self.restores_administrators;
            if is_later || is_left_out {
                continue;
            }
            let copy = id.child(child.id.kind, child.id.name());
            if let Some(ownership) = ownership {
                self.owners.insert(copy.key(), ownership);
            }
            self.put(&copy, copy.body(&child.body["properties"]));
        }
    }

    /// `None` for what isn't a server.
    fn remains(&self, server: &Key) -> Option<Remains> {
        let found = self.resources.get(server).filter(|found| found.id.kind == Kind::FlexibleServer)?;
        let databases = self.below(server, Kind::Database);
        let below = databases.chain(self.below(server, Kind::Administrator));
        let below = below.map(|child| (child.clone(), self.owners.get(&child.id.key()).cloned())).collect();
        Some(Remains { server: found.clone(), below, password: self.passwords.get(server).cloned() })
    }

    /// A dropped server that Azure still keeps, by the id that it had.
    pub(super) fn dropped(&self, server: &Key) -> Option<&Dropped> {
        self.dropped_servers.values().find(|dropped| dropped.remains.server.id.key() == *server)
    }

    /// Frees their names, and deletes what was kept of them.
    pub(super) fn forget_dropped_servers(&mut self, is_over: impl Fn(&Dropped) -> bool) {
        let jobs = &self.jobs;
        self.dropped_servers.retain(|_, dropped| {
            let is_over = is_over(dropped);
            if is_over {
                jobs.ask(dropped.remains.server.id.key(), Work::Forget, Asked::Nobody);
            }
            !is_over
        });
    }
}

/// Whether an existing server's disk gets another performance tier; nothing else has one.
fn changes_tier(before: Option<&Value>, after: Option<&Value>) -> bool {
    let tier = |body: &Value| body.pointer("/properties/storage/tier").cloned();
    matches!((before.and_then(tier), after.and_then(tier)), (Some(before), Some(after)) if before != after)
}

/// Where a parameter says that it counts only after a restart.
pub(in crate::azure) const PENDING_RESTART: &str = "/properties/isConfigPendingRestart";

/// After a restart every parameter is in effect.
fn server_restarted(cloud: &mut Cloud, server: &ResourceId) {
    let key = format!("{}/", server.key());
    for (_, resource) in
        cloud.resources.range_mut(key.clone()..).take_while(|(other, _)| other.starts_with(&key))
    {
        if let Some(pending) = resource.body.pointer_mut(PENDING_RESTART) {
            *pending = Value::Bool(false);
        }
    }
}
