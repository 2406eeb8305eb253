//! Both loops against an API server, Azure Service Operator and Azure in memory, step by step in a random order: crashes
//! between any two writes, caches that are behind, clocks that disagree, objects that people delete or that come back from the
//! past, servers that change hands. `rules` has what must hold after each step: data are gone only after an end that was confirmed,
//! nothing empty stands where they were, nobody has a way in to what is kept, and nothing of another cluster is touched.
//!
//! `MODEL_SEED` plays another run, and `MODEL_STEPS` says how long it is; `make model` plays many. A run that is played once more is
//! the same.

mod api_server;
mod azure;
mod each_write;
mod people;
mod rules;
mod step;

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Arc, LazyLock},
};

use api::{Database, DatabaseRef, RetainedDatabase};
use jiff::{SignedDuration, Timestamp};
use kube::core::PartialObjectMeta;
use policy::PolicyState;
use proptest::{
    sample::select,
    strategy::{Strategy as _, ValueTree},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::runtime::{self, Runtime};

use super::{
    golden::{context_of, example_with_recovery, held, in_force},
    retained,
};
use crate::{
    azure::{MANAGE, RECONCILE_POLICY, names},
    clock::Clock,
    cluster::namespaces::Namespaces,
    controller::{
        access::{Accesses, Outcome, Queues},
        database::reconcile,
        engine::{cache::Health, in_flight::InFlight},
        server::{caches::Caches, context::Context},
    },
    labels::DATABASE_NAME,
    monotonic,
};
use api_server::{ApiServer, Key};
use azure::{Azure, Password, is_of_azure};
use step::{Step, step};

const NAMESPACE: &str = "orders";
const OPERATOR_NAMESPACE: &str = "database-operator";
const DATABASES: [&str; 4] = ["main", "other", MOVED, COPY];
/// It has no server of its own: it is always applied to bring back that of the first.
const MOVED: &str = "moved";
/// It is always applied to begin with the data of the first.
const COPY: &str = "copy";
/// So many steps does a world last.
const STEPS_OF_A_WORLD: usize = 400;
/// More rounds than it takes until all that can be done is done.
const MOST_ROUNDS: usize = 30;

/// Who administers the servers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Administers {
    Apps,
    /// The operator sets up each login by SQL, and finds what it has set up. Data are restored here alone.
    Platform,
}

/// The cluster, the process, and what people have said.
struct World {
    administers: Administers,
    api_server: ApiServer,
    azure: Azure,
    /// `None` between two processes.
    process: Option<Context>,
    /// What it wants to look at by SQL.
    queues: Option<Queues>,
    /// Whether it has found something by SQL that the next pass goes by.
    has_found: bool,
    /// What its watches have told so far.
    seen: BTreeMap<Key, Value>,
    skew: SignedDuration,
    /// From when the data may be destroyed, by their number.
    ends: BTreeMap<u64, Timestamp>,
    /// The same, of servers that Azure has yet to make: theirs counts as soon as there are some.
    unmade: BTreeMap<String, Timestamp>,
    /// What was said at a delete beside a record of an earlier one, by the `Database`: it counts as soon as the operator knows of it.
    unheard: BTreeMap<String, (Value, Option<Timestamp>)>,
    /// Servers that Azure has lost, and the number of their data, as nobody has accepted yet.
    lost: BTreeMap<String, u64>,
    /// The passwords of each server that an app had.
    handed: BTreeMap<String, Vec<Password>>,
    /// Servers whose record gives them to another `Database`.
    given: BTreeSet<String>,
    /// Servers to which somebody may have left a way in that nobody knows of.
    left_open: BTreeSet<String>,
    past: Vec<(Key, Value)>,
    acted: BTreeMap<String, usize>,
    log: Vec<String>,
}

fn server_name(database: &str) -> String {
    let whose = if database == MOVED { DATABASES[0] } else { database };
    names::server("prod-1", DatabaseRef::new(NAMESPACE, whose))
}

/// The databases that go by the same server.
fn sharing(name: &str) -> impl Iterator<Item = &'static str> {
    let server = server_name(name);
    DATABASES.into_iter().filter(move |other| server_name(other) == server)
}

fn key(kind: &str, namespace: &str, name: &str) -> Key {
    (kind.to_owned(), namespace.to_owned(), name.to_owned())
}

fn database_key(name: &str) -> Key {
    key("databases", NAMESPACE, name)
}

fn server_key(name: &str) -> Key {
    key("flexibleservers", OPERATOR_NAMESPACE, &server_name(name))
}

fn record_key(name: &str) -> Key {
    key("retaineddatabases", OPERATOR_NAMESPACE, &server_name(name))
}

/// The example, by which one of the databases may have the server of the first.
fn policy(administers: Administers) -> PolicyState {
    static IN_FORCE: LazyLock<[PolicyState; 2]> = LazyLock::new(|| {
        let apps = example_with_recovery(&format!(
            "{{from: {NAMESPACE}/{}, to: {NAMESPACE}/{MOVED}, until: 9999-01-01, reason: moved}}",
            DATABASES[0]
        ));
        let administrator =
            "  administrator: {name: admins, objectId: 00000000-0000-4000-8000-0000000000d0}\n";
        let key = "  workloadIdentity:";
        let platform = apps.replace(key, &format!("{administrator}{key}"));
        [apps, platform].map(in_force)
    });
    IN_FORCE[usize::from(administers == Administers::Platform)].clone()
}

/// Whether what an object stands for ends with it.
fn ends_in_azure(object: &Value) -> bool {
    object["metadata"]["annotations"][RECONCILE_POLICY] == MANAGE
}

fn read<K: DeserializeOwned>(object: &Value) -> K {
    serde_json::from_value(object.clone()).unwrap()
}

impl World {
    fn new(administers: Administers) -> Self {
        Self {
            administers,
            queues: None,
            has_found: false,
            api_server: ApiServer::new("2026-11-24T12:00:00Z".parse().unwrap()),
            azure: Azure::default(),
            process: None,
            seen: BTreeMap::new(),
            skew: SignedDuration::ZERO,
            ends: BTreeMap::new(),
            unmade: BTreeMap::new(),
            unheard: BTreeMap::new(),
            lost: BTreeMap::new(),
            handed: BTreeMap::new(),
            given: BTreeSet::new(),
            left_open: BTreeSet::new(),
            past: Vec::new(),
            acted: BTreeMap::new(),
            log: Vec::new(),
        }
    }

    fn now(&self) -> Timestamp {
        self.api_server.store().now
    }

    fn object(&self, key: &Key) -> Option<Value> {
        self.api_server.store().objects.get(key).cloned()
    }

    /// The process that works, or a new one, which has listed everything.
    fn process(&mut self, fresh: bool) -> Arc<Context> {
        let now = self.now().checked_add(self.skew).unwrap();
        let is_new = self.process.is_none();
        if fresh || is_new {
            self.seen = self.api_server.store().objects.clone();
        }
        let objects: Vec<Value> = self.seen.values().cloned().collect();
        let namespace: PartialObjectMeta<_> =
            read(&json!({"metadata": {"name": NAMESPACE, "uid": "namespace-1"}}));
        let before = self.process.take().unwrap_or_else(|| {
            let (accesses, queues) = Accesses::new();
            self.queues = Some(queues);
            let policy = policy(self.administers);
            let context = context_of(policy, &objects, &Health::Synced, now, self.api_server.client());
            Context { accesses: Arc::new(accesses), ..context }
        });
        Arc::new(Context {
            caches: Caches::holding(&objects, &Health::Synced),
            // Caches of now show all that was written.
            in_flight: if fresh { InFlight::default() } else { before.in_flight },
            databases: held(&objects),
            retained: held(&objects),
            clock: Clock::still(now),
            namespaces: Namespaces::holding([namespace]),
            ..before
        })
    }

    /// Has the process do something, which may crash after so many writes. Tells whether anything was written.
    fn run<T>(
        &mut self,
        runtime: &Runtime,
        fresh: bool,
        crash: Option<usize>,
        work: impl AsyncFnOnce(Arc<Context>) -> T,
    ) -> bool {
        let context = self.process(fresh);
        let was_ending = DATABASES.map(|name| self.is_being_ended(name));
        let was_needed = DATABASES.map(|name| fresh && self.is_being_copied(name));
        let was_closing = DATABASES.map(|name| (fresh && self.is_anothers(name)).then(|| self.closes(name)));
        let before = {
            let mut store = self.api_server.store();
            store.writes_left = crash;
            store.writes
        };
        runtime.block_on(Box::pin(work(context.clone())));
        while let Some(job) = self.queues.as_mut().and_then(Queues::next) {
            self.has_found = true;
            context.accesses.found(&job, Outcome::settled(BTreeMap::default()), monotonic::now());
        }
        let (writes, has_crashed) = {
            let mut store = self.api_server.store();
            let has_crashed = store.writes_left == Some(0);
            store.writes_left = None;
            (store.writes - before, has_crashed)
        };
        // What a dead process knew is gone.
        self.process = if has_crashed { None } else { Arc::try_unwrap(context).ok() };
        let before = was_ending.into_iter().zip(was_closing).zip(was_needed);
        for (name, ((was_ending, was_closing), was_needed)) in DATABASES.into_iter().zip(before) {
            let closes_anothers = was_closing.is_some_and(|before| self.closes(name) > before);
            assert!(!closes_anothers, "the ways in to {name} are another cluster's");
            let is_told = self.is_being_ended(name) && !was_ending;
            assert!(
                !is_told || !self.is_live(name) || !self.has_server(name),
                "{name} is live, and Azure is told to end it"
            );
            assert!(!is_told || !was_needed, "{name} is being copied, and Azure is told to end it");
            self.is_known_for(name);
        }
        writes > 0
    }

    /// Whether Azure is making a server with the data of this one, as can be seen here.
    fn is_being_copied(&self, name: &str) -> bool {
        self.object(&server_key(COPY)).is_some_and(|copy| {
            let source = copy["spec"]["sourceServerResourceReference"]["armId"].as_str().unwrap_or_default();
            let ready = &copy["status"]["conditions"][0];
            source.ends_with(&format!("/{}", server_name(name)))
                && copy["status"]["id"].is_null()
                && (ready["severity"] == "Info"
                    || ready["observedGeneration"] != copy["metadata"]["generation"])
        })
    }

    /// Whether the server that goes by its name is this `Database`'s, and not another one's that brought it back.
    fn has_server(&self, name: &str) -> bool {
        let label = |key| Some(self.object(&key)?["metadata"]["labels"][DATABASE_NAME].as_str()?.to_owned());
        let tag = || Some(self.azure.servers.get(&server_name(name))?.database()?.to_owned());
        let whose = label(record_key(name)).or_else(|| label(server_key(name))).or_else(tag);
        whose.map_or(name != MOVED, |whose| whose == name)
    }

    /// From when the data that this `Database` has may go.
    fn promise(&mut self, name: &str, end: Option<Timestamp>) {
        self.unheard.remove(name);
        if self.is_being_ended(name) {
            return;
        }
        match (self.data_of(name), end) {
            (Some(data), Some(end)) => drop(self.ends.insert(data, end)),
            (Some(data), None) => drop(self.ends.remove(&data)),
            (None, Some(end)) => drop(self.unmade.insert(server_name(name), end)),
            (None, None) => drop(self.unmade.remove(&server_name(name))),
        }
    }

    /// The number of the data that people think of.
    fn data_of(&self, name: &str) -> Option<u64> {
        let server = self.azure.servers.get(&server_name(name)).map(|server| server.data);
        server.or_else(|| self.lost.get(&server_name(name)).copied())
    }

    /// Whether Azure has been told to end the server, which nobody can take back: its object is on its way, or has gone since
    /// that was written down.
    fn is_being_ended(&self, name: &str) -> bool {
        let is_written = self.object(&record_key(name)).is_some_and(|record| {
            let (status, metadata) = (&record["status"], &record["metadata"]);
            status["uid"] == metadata["uid"]
                && (!status["destroy"].is_null() || status["settled"] == "Destroyed")
        });
        // What Azure has lost before can't be told any more, and is gone.
        if is_written && self.lost.contains_key(&server_name(name)) {
            return true;
        }
        self.object(&server_key(name)).map_or(is_written, |server| {
            !server["metadata"]["deletionTimestamp"].is_null() && ends_in_azure(&server)
        })
    }

    /// The reason of its condition `Ready`.
    fn reason(&self, key: &Key) -> Option<String> {
        Some(self.object(key)?["status"]["conditions"][0]["reason"].as_str()?.to_owned())
    }

    /// Whether it says that it is ready.
    fn is_ready(&self, name: &str) -> bool {
        self.object(&database_key(name)).is_some_and(|database| {
            database["metadata"]["deletionTimestamp"].is_null()
                && database["status"]["conditions"][0]["status"] == "True"
        })
    }

    fn is_live(&self, name: &str) -> bool {
        self.object(&database_key(name))
            .is_some_and(|database| database["metadata"]["deletionTimestamp"].is_null())
    }

    /// Who takes an end back in time is heard.
    fn take_back(&mut self, name: &str) {
        self.promise(name, None);
    }

    fn note(&mut self, what: &str) {
        *self.acted.entry(what.to_owned()).or_default() += 1;
    }

    fn take_time(&mut self, time: SignedDuration) {
        let mut store = self.api_server.store();
        store.now = store.now.checked_add(time).unwrap();
        monotonic::advance(time.unsigned_abs());
    }

    /// A round in which everything goes as it should. Tells whether anything was changed, or found.
    fn work(&mut self, runtime: &Runtime, fresh: bool) -> bool {
        let before = self.api_server.store().version;
        self.has_found = false;
        if !fresh {
            let context = self.process(true);
            self.process = Arc::try_unwrap(context).ok();
        }
        for name in DATABASES {
            self.reconcile(runtime, name, fresh, None);
            self.reconcile_record(runtime, name, fresh, None);
        }
        self.attend(None);
        self.api_server.store().collect_garbage();
        self.api_server.store().version != before || self.has_found
    }

    fn objects_of_azure(&self) -> Vec<Key> {
        self.api_server.store().objects.keys().filter(|key| is_of_azure(&key.0)).cloned().collect()
    }

    /// How much of what goes by a server's name is being ended in Azure.
    fn closes(&self, name: &str) -> usize {
        let server = server_name(name);
        let store = self.api_server.store();
        let objects =
            store.objects.iter().filter(|(key, _)| is_of_azure(&key.0) && key.2.starts_with(&server));
        objects.filter(|(_, object)| ends_in_azure(object)).count()
    }

    /// Whether another cluster has the server, as can be seen here.
    fn is_anothers(&self, name: &str) -> bool {
        self.azure.is_taken(&server_name(name), self.object(&server_key(name)).as_ref())
    }

    fn attend(&mut self, which: Option<usize>) -> bool {
        let mut keys = self.objects_of_azure();
        if let Some(which) = which.filter(|_| !keys.is_empty()) {
            keys = vec![keys.swap_remove(which % keys.len())];
        }
        for key in &keys {
            for name in DATABASES {
                self.forget_what_nothing_tells(name);
            }
            let happened = self.azure.attend(&mut self.api_server.store(), key);
            if let Some(happened) = happened {
                self.happened(&happened);
            }
        }
        !keys.is_empty()
    }

    /// What the process sees of an object: as it is now, or as it was when the process looked last.
    fn sees(&mut self, key: &Key, fresh: bool) -> Option<Value> {
        if fresh || self.process.is_none() { self.object(key) } else { self.seen.get(key).cloned() }
    }

    fn reconcile(&mut self, runtime: &Runtime, name: &str, fresh: bool, crash: Option<usize>) -> bool {
        let Some(database) = self.sees(&database_key(name), fresh) else { return false };
        self.run(runtime, fresh, crash, async |context| {
            drop(reconcile::reconcile(Arc::new(read::<Database>(&database)), context).await);
        })
    }

    fn reconcile_record(&mut self, runtime: &Runtime, name: &str, fresh: bool, crash: Option<usize>) -> bool {
        let Some(record) = self.sees(&record_key(name), fresh) else { return false };
        self.run(runtime, fresh, crash, async |context| {
            drop(retained::reconcile::reconcile(Arc::new(read::<RetainedDatabase>(&record)), context).await);
        })
    }

    fn change(&mut self, key: &Key, change: impl FnOnce(&mut Value)) -> bool {
        let mut store = self.api_server.store();
        let Some(mut object) = store.objects.get(key).cloned() else { return false };
        change(&mut object);
        store.replace(key, object);
        true
    }
}

fn runtime() -> Runtime {
    runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

/// What was played: how often each kind of step acted, and how the last world ended.
struct Played {
    acted: BTreeMap<String, usize>,
    last: World,
}

/// Plays so many steps by this seed, in worlds that begin with nothing: in an old one much is stuck, as nobody mends there what
/// people have broken.
fn play(seed: i128, steps: usize) -> Played {
    let bytes: Vec<u8> = seed.to_be_bytes().repeat(2);
    let config = Config { failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let runtime = runtime();
    let _entered = runtime.enter();
    monotonic::stand_still();
    let mut acted = BTreeMap::new();
    let mut left = steps;
    let mut administers = Administers::Apps;
    loop {
        let now = left.min(STEPS_OF_A_WORLD);
        let last = play_world(&mut runner, &runtime, seed, now, administers);
        administers = match administers {
            Administers::Apps => Administers::Platform,
            Administers::Platform => Administers::Apps,
        };
        for (what, times) in &last.acted {
            *acted.entry(what.clone()).or_default() += times;
        }
        left -= now;
        if left == 0 {
            return Played { acted, last };
        }
    }
}

fn play_world(
    runner: &mut TestRunner,
    runtime: &Runtime,
    seed: i128,
    steps: usize,
    administers: Administers,
) -> World {
    let mut world = World::new(administers);
    let strategy = (step(), select(&DATABASES[..]));
    let played = catch_unwind(AssertUnwindSafe(|| {
        for _ in 0..steps {
            let (step, name) = strategy.new_tree(runner).unwrap().current();
            world.log.push(format!("{} {name}: {step:?}", world.now()));
            if world.take(runtime, &step, name) {
                let kind = format!("{step:?}");
                let kind = kind.split([' ', '{']).next().unwrap_or_default().to_owned();
                *world.acted.entry(kind).or_default() += 1;
            }
            world.look();
            let told = std::mem::take(&mut world.api_server.store().told);
            world.log.extend(told);
        }
    }));
    if let Err(panic) = played {
        let told = std::mem::take(&mut world.api_server.store().told);
        world.log.extend(told);
        println!("{}\nMODEL_SEED={seed}", world.log.join("\n"));
        for name in DATABASES {
            for key in [database_key(name), record_key(name), server_key(name)] {
                println!("{key:?}: {}", world.object(&key).unwrap_or_default());
            }
        }
        resume_unwind(panic);
    }
    world
}

fn number(variable: &str) -> Option<i128> {
    Some(std::env::var(variable).ok()?.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}

/// Each run of all tests plays the same, so that what it finds was broken by the change at hand; `make model` looks for more.
const SEED: i128 = 1;

/// What each run comes to: a step that never acts, or an end that never comes, shows nothing.
const ALL: &[&str] = &[
    "AcceptEmpty",
    "Apply",
    "Attend",
    "AzureIsAway",
    "AzureLoses",
    "AzureRemakes",
    "ChangeHands",
    "CollectGarbage",
    "Delete",
    "DropObject",
    "DropRecord",
    "OnRecord",
    "PutBack",
    "Reconcile",
    "ReconcileRecord",
    "Resize",
    "Restart",
    "Skew",
    "TimePasses",
    "Unsay",
    "Until",
    "Vanish",
    "Rest",
    "Work",
    "copied",
    "data ended",
    "taken over",
    "server made",
    "Database Ready",
    "Database Restoring",
    "Database RestoreSourceUnknown",
    "Database ServerGone",
    "record DestroyConfirmed",
    "record Kept",
    "record KeptUntil",
];

impl World {
    /// Passwords are random in each run.
    fn objects_but_passwords(&self) -> BTreeMap<Key, Value> {
        let mut objects = self.api_server.store().objects.clone();
        let secrets = objects.iter_mut().filter(|((kind, ..), _)| kind == "secrets");
        for data in secrets.filter_map(|(_, secret)| secret["data"].as_object_mut()) {
            data.values_mut().for_each(|password| *password = Value::Null);
        }
        objects
    }
}

#[test]
fn a_run_that_is_played_once_more_is_the_same() {
    let (first, second) = (play(7, 300).last, play(7, 300).last);
    let differs = first.log.iter().zip(&second.log).position(|(one, other)| one != other);
    assert_eq!((differs, first.log.len()), (None, second.log.len()));
    assert_eq!(first.objects_but_passwords(), second.objects_but_passwords());
}

#[test]
fn data_are_gone_only_after_an_end_that_was_confirmed() {
    let seed = number("MODEL_SEED").unwrap_or(SEED);
    let steps = number("MODEL_STEPS").map_or(4000, |steps| usize::try_from(steps).unwrap());
    println!("MODEL_SEED={seed}");
    let acted = play(seed, steps).acted;
    println!("{acted:?}");
    let never: Vec<&&str> = ALL.iter().filter(|what| !acted.contains_key(**what)).collect();
    assert!(steps < 4000 || never.is_empty(), "{never:?}");
}
