//! Both loops against an API server, Azure Service Operator and Azure in memory, step by step in a random order: crashes
//! between any two writes, caches that are behind, clocks that disagree, objects that people delete or that come back from the
//! past. After each step: data are gone only after an end that was confirmed, and nothing empty stands where they were.
//!
//! `MODEL_SEED` plays another run, and `MODEL_STEPS` says how long it is; `make model` plays many. A run that is played once more is
//! the same.

mod api_server;
mod azure;
mod each_write;
mod step;

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Arc, LazyLock},
};

use api::{Authentication, Database, DatabaseRef, RetainedDatabase, annotations::{FINALIZER, RECOVER_FROM}, reason::Reason};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
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
    golden::{EXAMPLE, context_of, held, in_force},
    retained,
};
use crate::{
    azure::{RECONCILE_POLICY, names},
    clock::Clock,
    cluster::namespaces::Namespaces,
    controller::{
        database::reconcile,
        engine::{cache::Health, in_flight::InFlight},
        server::{caches::Caches, context::Context},
    },
    monotonic,
};
use api_server::{ApiServer, Key};
use azure::{ANOTHER_CLUSTER, Azure, Happened, THIS_CLUSTER, is_of_azure};
use step::{Step, step};

const NAMESPACE: &str = "orders";
const OPERATOR_NAMESPACE: &str = "database-operator";
/// The last one has no server of its own: it is always applied to bring back that of the first.
const DATABASES: [&str; 3] = ["main", "other", MOVED];
const MOVED: &str = "moved";
const RETENTION: &str = "altinn.app/retention";
const CONFIRM: &str = "altinn.app/confirm-destroy";
/// More rounds than it takes until all that can be done is done.
const MOST_ROUNDS: usize = 30;
const ACCEPT_EMPTY: &str = "altinn.app/accept-empty";

/// The cluster, the process, and what people have said.
struct World {
    api_server: ApiServer,
    azure: Azure,
    /// `None` between two processes.
    process: Option<Context>,
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
    handed: BTreeMap<String, Vec<Value>>,
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

/// The example, by which the last of the databases may have the server of the first.
fn policy() -> PolicyState {
    static IN_FORCE: LazyLock<PolicyState> = LazyLock::new(|| {
        let recovery =
            format!("recoveries:\n  - {{from: {NAMESPACE}/{}, to: {NAMESPACE}/{MOVED}, until: 9999-01-01, reason: moved}}\n", DATABASES[0]);
        in_force(EXAMPLE.replace("recoveries:\n", &recovery))
    });
    IN_FORCE.clone()
}

fn read<K: DeserializeOwned>(object: &Value) -> K {
    serde_json::from_value(object.clone()).unwrap()
}

impl World {
    fn new() -> Self {
        Self {
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
            context_of(policy(), &objects, &Health::Synced, now, self.api_server.client())
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
        let before = {
            let mut store = self.api_server.store();
            store.writes_left = crash;
            store.writes
        };
        runtime.block_on(Box::pin(work(context.clone())));
        let (writes, has_crashed) = {
            let mut store = self.api_server.store();
            let has_crashed = store.writes_left == Some(0);
            store.writes_left = None;
            (store.writes - before, has_crashed)
        };
        // What a dead process knew is gone.
        self.process = if has_crashed { None } else { Arc::try_unwrap(context).ok() };
        for (name, was_ending) in DATABASES.into_iter().zip(was_ending) {
            let is_told = self.is_being_ended(name) && !was_ending;
            assert!(!is_told || !self.is_live(name) || !self.has_server(name), "{name} is live, and Azure is told to end it");
        }
        writes > 0
    }

    /// Whether the server that goes by its name is this `Database`'s, and not another one's that brought it back.
    fn has_server(&self, name: &str) -> bool {
        let label = |object: Value| object["metadata"]["labels"]["altinn.app/database-name"].as_str().map(str::to_owned);
        let whose = self.object(&record_key(name)).and_then(label).or_else(|| self.object(&server_key(name)).and_then(label));
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
            !server["metadata"]["deletionTimestamp"].is_null()
                && server["metadata"]["annotations"][RECONCILE_POLICY] == "manage"
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

    fn happened(&mut self, happened: &Happened) {
        match happened {
            Happened::Ended { server, data } => {
                self.note("data ended");
                let now = self.now();
                let end = self.ends.get(data).copied();
                assert!(
                    end.is_some_and(|end| end <= now),
                    "data {data} of {server} are gone at {now}; their end: {end:?}"
                );
            }
            Happened::TakenFromAnother { server } => panic!("{server} is another cluster's"),
            Happened::Made { server, data } => {
                self.note("server made");
                let lost = self.lost.remove(server);
                let is_over =
                    lost.is_none_or(|lost| self.ends.get(&lost).is_some_and(|end| *end <= self.now()));
                assert!(is_over, "{server} is made anew, and empty, as {data}; lost: {lost:?}");
                if let Some(end) = self.unmade.remove(server) {
                    self.ends.insert(*data, end);
                }
            }
        }
    }

    /// Tells whether it acted.
    fn take(&mut self, runtime: &Runtime, step: &Step, name: &str) -> bool {
        match step {
            Step::Reconcile { fresh, crash } => self.reconcile(runtime, name, *fresh, *crash),
            Step::ReconcileRecord { fresh, crash } => self.reconcile_record(runtime, name, *fresh, *crash),
            Step::Work { rounds } => (0..*rounds).fold(false, |acted, _| self.work(runtime) || acted),
            Step::Rest => self.come_to_rest(runtime),
            Step::Sweep { crash } => self.run(runtime, true, *crash, async |context| {
                retained::sweep::once(&context, &context.databases).await;
            }),
            Step::Attend { all, which } => self.attend((!*all).then_some(*which)),
            Step::CollectGarbage => {
                self.api_server.store().collect_garbage();
                true
            }
            Step::TimePasses { minutes } => {
                self.take_time(SignedDuration::from_mins(*minutes));
                true
            }
            Step::Restart => self.process.take().is_some(),
            Step::Skew { hours } => {
                self.skew = SignedDuration::from_hours(*hours);
                true
            }
            Step::Apply => self.apply(name),
            Step::Delete { word } => self.delete(name, *word),
            Step::Vanish => {
                self.unheard.remove(name);
                self.change(&database_key(name), |database| database["metadata"]["finalizers"] = json!([]));
                !self.api_server.store().delete(&database_key(name)).is_null()
            }
            Step::OnRecord { word } => self.on_record(name, word),
            Step::Until { days } => self.until(name, *days),
            Step::Unsay => self.unsay(name),
            Step::DropRecord => !self.api_server.store().delete(&record_key(name)).is_null(),
            Step::DropObject { which } => self.drop_object(*which),
            Step::AzureLoses => self.azure_loses(name),
            Step::AzureRemakes => self.azure_remakes(name),
            Step::ChangeHands { taken } => {
                let cluster = if *taken { ANOTHER_CLUSTER } else { THIS_CLUSTER };
                let changed = self.rests(name)
                    && !self.closes(name)
                    && self.azure.belongs_to(&server_name(name), cluster);
                if changed {
                    self.azure.attend(&mut self.api_server.store(), &server_key(name));
                }
                changed
            }
            Step::PutBack { which, with_status } => self.put_back(*which, *with_status),
            Step::AcceptEmpty => self.accept_empty(name),
        }
    }

    fn take_time(&mut self, time: SignedDuration) {
        let mut store = self.api_server.store();
        store.now = store.now.checked_add(time).unwrap();
        monotonic::advance(time.unsigned_abs());
    }

    /// A round in which everything goes as it should. Tells whether anything was changed.
    fn work(&mut self, runtime: &Runtime) -> bool {
        let before = self.api_server.store().version;
        for name in DATABASES {
            self.reconcile(runtime, name, true, None);
            self.reconcile_record(runtime, name, true, None);
        }
        self.attend(None);
        self.api_server.store().collect_garbage();
        self.api_server.store().version != before
    }

    /// After a while all that can be done is done: nothing is written any more, and nobody waits for nothing.
    fn come_to_rest(&mut self, runtime: &Runtime) -> bool {
        // By a clock that is wrong it may wait for long.
        if self.skew != SignedDuration::ZERO {
            return false;
        }
        let rests = (0..MOST_ROUNDS).any(|_| !self.work(runtime));
        assert!(rests, "after {MOST_ROUNDS} rounds it is still at work");
        self.is_closed();
        for name in DATABASES {
            for key in [database_key(name), record_key(name)] {
                let reason = self.reason(&key).and_then(|reason| Reason::parse(&reason));
                assert!(!reason.is_some_and(Reason::is_work), "{key:?} is still {reason:?}");
            }
            let waits = self.object(&database_key(name)).is_some_and(|database| {
                !database["metadata"]["deletionTimestamp"].is_null()
                    || self.reason(&database_key(name)).is_none()
            });
            assert!(!waits, "Database {name} neither goes nor comes");
        }
        true
    }

    fn objects_of_azure(&self) -> Vec<Key> {
        self.api_server.store().objects.keys().filter(|key| is_of_azure(&key.0)).cloned().collect()
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

    /// Where nothing tells that there were data, nobody can know.
    fn forget_what_nothing_tells(&mut self, name: &str) {
        let tells = |key: &Key, pointer: &str| {
            self.object(key).is_some_and(|object| object.pointer(pointer).is_some_and(Value::is_string))
        };
        if !sharing(name).any(|name| tells(&database_key(name), "/status/server/id"))
            && !tells(&record_key(name), "/spec/server/id")
            && !tells(&server_key(name), "/status/id")
        {
            self.lost.remove(&server_name(name));
        }
    }

    /// Whether nothing is being changed of a server: what was sent is carried out, whatever people do meanwhile, and nobody can
    /// see that coming.
    fn rests(&self, name: &str) -> bool {
        self.object(&server_key(name)).is_none_or(|object| {
            object["metadata"]["annotations"][RECONCILE_POLICY] == "skip"
                && object["metadata"]["deletionTimestamp"].is_null()
        })
    }

    /// Whether what is on a server is being ended in Azure.
    fn closes(&self, name: &str) -> bool {
        let server = server_name(name);
        self.objects_of_azure().iter().filter_map(|key| self.object(key)).any(|object| {
            object["spec"]["owner"]["name"] == server
                && object["metadata"]["annotations"][RECONCILE_POLICY] == "manage"
        })
    }

    fn until(&mut self, name: &str, days: i64) -> bool {
        let until = self.now().checked_add(SignedDuration::from_hours(24 * days)).unwrap();
        let mut is_said = false;
        let changed = self.change(&record_key(name), |record| {
            record["spec"]["until"] = json!(until.to_string());
            is_said = record["metadata"]["annotations"][RETENTION].is_string();
        });
        // What is said by an annotation counts more.
        if changed && !is_said {
            self.promise(name, Some(until));
        }
        changed
    }

    /// What was taken back by it stays so, as soon as the operator has seen it.
    fn unsay(&mut self, name: &str) -> bool {
        // What was said while its `Database` goes may never have been seen.
        if self.object(&database_key(name)).is_some() {
            return false;
        }
        let mut confirmed = None;
        let changed = self.change(&record_key(name), |record| {
            for key in [RETENTION, CONFIRM] {
                record["metadata"]["annotations"].as_object_mut().map(|annotations| annotations.remove(key));
            }
            record["spec"].as_object_mut().map(|spec| spec.remove("until"));
            let status = &record["status"];
            if status["uid"] == record["metadata"]["uid"] {
                confirmed = status.pointer("/confirmed/destroyAt").map(read::<Timestamp>);
            }
        });
        if changed {
            self.promise(name, confirmed);
        }
        changed
    }

    fn drop_object(&mut self, which: usize) -> bool {
        let keys = self.objects_of_azure();
        let Some(key) = keys.get(which % keys.len().max(1)) else { return false };
        // What lies in Azure is known to nobody then.
        self.left_open.extend(DATABASES.map(server_name));
        self.api_server.store().delete(key);
        true
    }

    fn azure_loses(&mut self, name: &str) -> bool {
        let server = server_name(name);
        let data = self.azure.servers.get(&server).map(|server| server.data);
        let Some(data) = data.filter(|_| self.rests(name)) else { return false };
        self.azure.lose(&server);
        // What was said before the loss counts, too, unless it has counted already.
        let is_accepted = sharing(name).filter(|name| self.has_server(name)).any(|name| {
            self.object(&database_key(name)).is_some_and(|database| {
                let said = &database["metadata"]["annotations"][ACCEPT_EMPTY];
                said.is_string() && *said != database["status"]["acceptedEmpty"]
            })
        });
        if !is_accepted {
            self.lost.insert(server, data);
        }
        self.azure.attend(&mut self.api_server.store(), &server_key(name));
        true
    }

    fn azure_remakes(&mut self, name: &str) -> bool {
        let server = server_name(name);
        let Some(record) = self.object(&record_key(name)).filter(|_| self.rests(name)) else { return false };
        // Azure tells two servers of a name apart by the second in which they were made.
        self.take_time(SignedDuration::from_secs(1));
        let Some(former) = self.azure.servers.get(&server).map(|server| server.data) else { return false };
        let Some(data) = self.azure.remake(&server, self.now()) else { return false };
        // Who has confirmed by hand that the server goes, has named it by its name.
        let is_approved = record["metadata"]["annotations"][RETENTION] == "Destroy";
        if let Some(end) = self.ends.get(&former).copied().filter(|_| is_approved) {
            self.ends.insert(data, end);
        }
        self.azure.attend(&mut self.api_server.store(), &server_key(name));
        true
    }

    fn put_back(&mut self, which: usize, with_status: bool) -> bool {
        let Some((key, mut object)) = self.past.get(which % self.past.len().max(1)).cloned() else {
            return false;
        };
        if self.object(&key).is_some() {
            return false;
        }
        if !with_status {
            object["status"] = Value::Null;
        }
        self.api_server.store().create(&key, object);
        true
    }

    fn accept_empty(&mut self, name: &str) -> bool {
        let day = self.now().to_zoned(TimeZone::UTC).date();
        let accepts = json!(format!("{}@{day}", server_name(name)));
        let changed = self.change(&database_key(name), |database| {
            database["metadata"]["annotations"][ACCEPT_EMPTY] = accepts;
        });
        if changed && self.has_server(name) {
            self.lost.remove(&server_name(name));
        }
        changed
    }

    /// After a while nobody gets in to what is kept.
    fn is_closed(&mut self) {
        for name in DATABASES {
            let server = server_name(name);
            if self.is_ready(name) {
                // Everything is there again, and known.
                self.left_open.remove(&server);
            }
            let is_kept = self.reason(&record_key(name)).is_some_and(|reason| reason.starts_with("Kept"));
            if is_kept && !sharing(name).any(|name| self.object(&database_key(name)).is_some()) && !self.left_open.contains(&server) {
                self.note("closed");
                assert_eq!(self.azure.ways_in(&server), 0, "ways in to {name}");
                let password = self.azure.servers.get(&server).and_then(|server| server.password.as_ref());
                let known = self.handed.get(&server).into_iter().flatten();
                assert!(!known.into_iter().any(|known| Some(known) == password), "the password of {name}");
            }
        }
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

    fn apply(&mut self, name: &str) -> bool {
        if let Some(there) = self.object(&database_key(name)) {
            return there["metadata"]["deletionTimestamp"].is_null();
        }
        let annotations =
            if name == MOVED { json!({RECOVER_FROM: format!("{NAMESPACE}/{}", DATABASES[0])}) } else { json!({}) };
        let database = json!({
            "apiVersion": "altinn.app/v1alpha1", "kind": "Database", "metadata": {"annotations": annotations},
            "spec": {"authentication": if name == DATABASES[0] { Authentication::Password } else { Authentication::Identity }},
        });
        self.api_server.store().create(&database_key(name), database);
        true
    }

    fn delete(&mut self, name: &str, word: Option<&'static str>) -> bool {
        let Some(database) = self.object(&database_key(name)) else { return false };
        if !database["metadata"]["deletionTimestamp"].is_null() {
            return false;
        }
        // A record tells two deletes apart by their second.
        self.take_time(SignedDuration::from_secs(1));
        let day = self.now().to_zoned(TimeZone::UTC).date();
        self.change(&database_key(name), |database| {
            database["metadata"]["annotations"][RETENTION] = json!(word);
            database["metadata"]["annotations"][CONFIRM] = json!(format!("{NAMESPACE}/{name}@{day}"));
            // What is null isn't stored.
            if word.is_none() {
                database["metadata"]["annotations"].as_object_mut().unwrap().remove(RETENTION);
            }
        });
        self.api_server.store().delete(&database_key(name));
        let is_seen = database["metadata"]["finalizers"]
            .as_array()
            .is_some_and(|all| all.iter().any(|finalizer| finalizer == FINALIZER));
        // One that goes before anybody has seen it says nothing.
        if is_seen && self.has_server(name) {
            let end = match word {
                Some("Destroy") => Some(SignedDuration::from_mins(15)),
                Some("8d") => Some(SignedDuration::from_hours(8 * 24)),
                _ => None,
            };
            let end = end.map(|after| self.now().checked_add(after).unwrap());
            if self.object(&record_key(name)).is_some() {
                let deleted =
                    self.object(&database_key(name)).unwrap()["metadata"]["deletionTimestamp"].take();
                self.unheard.insert(name.to_owned(), (deleted, end));
            } else {
                self.promise(name, end);
            }
        }
        true
    }

    fn on_record(&mut self, name: &str, word: &str) -> bool {
        let day = self.now().to_zoned(TimeZone::UTC).date();
        let number = self.acted.len() + self.log.len();
        let changed = self.change(&record_key(name), |record| {
            record["metadata"]["annotations"][RETENTION] = json!(word);
            // Days differ, so that each is a new one.
            let later = day.checked_add(jiff::Span::new().days(i64::try_from(number % 2).unwrap())).unwrap();
            let whose = record["spec"]["database"].as_str().unwrap_or_default();
            record["metadata"]["annotations"][CONFIRM] = json!(format!("{whose}@{later}"));
        });
        if changed && word == "Destroy" {
            self.promise(name, Some(self.now()));
        } else if changed {
            self.take_back(name);
        }
        changed
    }

    /// Who is ready has a password, or none, and is known in Azure for who has the server, once no record tells that any more.
    fn knows_its_server(&mut self, name: &str, has_no_record: bool) {
        let Some(server) = self.azure.servers.get(&server_name(name)).filter(|_| self.is_ready(name)) else { return };
        if let Some(password) = &server.password {
            let handed = self.handed.entry(server_name(name)).or_default();
            if !handed.contains(password) {
                handed.push(password.clone());
            }
        }
        if has_no_record {
            assert!(server.is_of(name), "{name} is ready, and the tags of its server are of another");
        }
    }

    /// After each step.
    fn look(&mut self) {
        for name in DATABASES {
            for key in [database_key(name), record_key(name)] {
                let Some(object) = self.object(&key) else { continue };
                if !self.past.iter().any(|(_, old)| {
                    old["metadata"]["uid"] == object["metadata"]["uid"]
                        && old["spec"] == object["spec"]
                        && old["metadata"]["annotations"] == object["metadata"]["annotations"]
                }) {
                    self.past.push((key, object));
                }
            }
            self.forget_what_nothing_tells(name);
            if !self.has_server(name) {
                continue;
            }
            // Who has it back has taken back whatever was said before; and once the record has heard of it, nothing but a new word
            // ends the data.
            let record = self.object(&record_key(name));
            self.knows_its_server(name, record.is_none());
            let is_back = self.is_ready(name) && record.is_none();
            let has_heard = record.as_ref().is_some_and(|record| {
                let (metadata, status) = (&record["metadata"], &record["status"]);
                status["uid"] == metadata["uid"]
                    && status["confirmed"].is_null()
                    && status["inheritedUntil"] == record["spec"]["until"]
                    && status["inheritedConfirmation"] == metadata["annotations"][CONFIRM]
            });
            if is_back || (self.is_live(name) && has_heard) {
                self.take_back(name);
            }
            let knows = |(deleted, _): &(Value, _)| {
                record.as_ref().is_none_or(|record| record["spec"]["since"] == *deleted)
            };
            if self.unheard.get(name).is_some_and(|unheard| has_heard || knows(unheard))
                && let Some((_, end)) = self.unheard.remove(name)
            {
                self.promise(name, end);
            }
            for (of, key) in [("Database", database_key(name)), ("record", record_key(name))] {
                if let Some(reason) = self.reason(&key) {
                    self.note(&format!("{of} {reason}"));
                }
            }
        }
        if self.past.len() > 60 {
            self.past.drain(..20);
        }
    }
}

fn runtime() -> Runtime {
    runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

/// Plays so many steps by this seed.
fn play(seed: i128, steps: usize) -> World {
    let bytes: Vec<u8> = seed.to_be_bytes().repeat(2);
    let config = Config { failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let runtime = runtime();
    let _entered = runtime.enter();
    monotonic::stand_still();
    let mut world = World::new();
    let strategy = (step(), select(&DATABASES[..]));
    let played = catch_unwind(AssertUnwindSafe(|| {
        for _ in 0..steps {
            let (step, name) = strategy.new_tree(&mut runner).unwrap().current();
            world.log.push(format!("{} {name}: {step:?}", world.now()));
            if world.take(&runtime, &step, name) {
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
        let last = world.log.len().saturating_sub(120);
        println!("{}\nMODEL_SEED={seed}", world.log[last..].join("\n"));
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
    "Restart",
    "Skew",
    "TimePasses",
    "Unsay",
    "Until",
    "Vanish",
    "Rest",
    "Work",
    "data ended",
    "server made",
    "Database Ready",
    "Database ServerGone",
    "record DestroyConfirmed",
    "record Kept",
    "record KeptUntil",
];

#[test]
fn a_run_that_is_played_once_more_is_the_same() {
    let (first, second) = (play(7, 300), play(7, 300));
    let differs = first.log.iter().zip(&second.log).position(|(one, other)| one != other);
    assert_eq!((differs, first.log.len()), (None, second.log.len()));
    assert_eq!(first.api_server.store().objects, second.api_server.store().objects);
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
