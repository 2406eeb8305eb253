//! Holds back the youngest databases of a namespace beyond its quota, before anything is made for them: admission can't,
//! since many that come at once all see the same.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use api::{Database, DatabaseRef, RetainedDatabase, reason::Reason};
use kube::{
    ResourceExt,
    runtime::reflector::{ObjectRef, Store},
};
use policy::{
    Code,
    quota::{self, Claimant, Used},
};
use tokio::sync::mpsc::UnboundedSender;

use super::verdict::Blocked;
use crate::controller::engine::cache::hash;

/// Who waits, and whose server is being made.
#[derive(Debug)]
pub(crate) struct Quotas {
    state: Mutex<State>,
    /// Takes the namespaces in which somebody waits and somebody else went.
    freed: UnboundedSender<String>,
}

#[derive(Debug, Default)]
struct State {
    /// The uid of each database whose server may be made, by a hash of its name, until its status tells of the server:
    /// passes of one namespace run side by side, and none of them sees what another one has just written.
    granted: HashMap<u64, String>,
    /// Who waits, by namespace.
    waiting: HashMap<String, HashSet<u64>>,
}

/// What there is beside a database.
pub(crate) struct Beside<'a> {
    pub(crate) databases: &'a Store<Database>,
    pub(crate) records: &'a Store<RetainedDatabase>,
}

impl Quotas {
    pub(crate) fn new(freed: UnboundedSender<String>) -> Self {
        Self { state: Mutex::default(), freed }
    }

    /// Why nothing may be made for this database yet; `most` are the servers that its namespace may have.
    pub(crate) fn held_back(
        &self,
        database: &Database,
        has_server: bool,
        most: Option<u32>,
        beside: &Beside<'_>,
    ) -> Option<Blocked> {
        let (namespace, name) = (database.namespace().unwrap_or_default(), database.name_any());
        let (key, is_told) = (hash(&namespace, &name), tells_of_server(database));
        let mut state = self.lock();
        let Some(most) = most.filter(|_| !has_server && !is_told) else {
            state.settled(&namespace, key);
            if !is_told {
                // Its server's object is there before the watch tells of its status, by which the others count it.
                state.granted.insert(key, database.uid().unwrap_or_default());
            }
            return None;
        };
        let siblings =
            beside.databases.state_filter(|other| other.namespace().as_deref() == Some(&namespace));
        let kept = beside.records.state_filter(|record| {
            DatabaseRef::parse(&record.spec.database).is_some_and(|kept| {
                let is_live =
                    || beside.databases.get(&ObjectRef::new(kept.name).within(kept.namespace)).is_some();
                kept.namespace == namespace && kept.name != name && !is_live()
            })
        });
        let others = siblings.iter().filter(|other| other.name_any() != name);
        let others = others.map(|other| state.claimant(other));
        let held = quota::held_back(
            &state.claimant(database),
            others,
            u32::try_from(kept.len()).unwrap_or(u32::MAX),
            most,
        );
        let Some(used) = held else {
            state.settled(&namespace, key);
            state.granted.insert(key, database.uid().unwrap_or_default());
            return None;
        };
        state.granted.remove(&key);
        state.waiting.entry(namespace.clone()).or_default().insert(key);
        Some(blocked(&namespace, used, most))
    }

    /// It is gone, and another one may have its turn.
    pub(crate) fn forget(&self, namespace: &str, name: &str) {
        let mut state = self.lock();
        state.settled(namespace, hash(namespace, name));
        if state.waiting.contains_key(namespace) {
            // Without a receiver the process is ending.
            let _ = self.freed.send(namespace.to_owned());
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Nobody waits under this name any more, and nothing that isn't told elsewhere is known of it.
    fn settled(&mut self, namespace: &str, key: u64) {
        self.granted.remove(&key);
        if let Some(waiting) = self.waiting.get_mut(namespace) {
            waiting.remove(&key);
            if waiting.is_empty() {
                self.waiting.remove(namespace);
            }
        }
    }

    fn claimant<'a>(&self, database: &'a Database) -> Claimant<'a> {
        let metadata = &database.metadata;
        let uid = metadata.uid.as_deref().unwrap_or_default();
        let key = hash(
            metadata.namespace.as_deref().unwrap_or_default(),
            metadata.name.as_deref().unwrap_or_default(),
        );
        Claimant {
            created: metadata.creation_timestamp.as_ref().map(|created| created.0),
            uid,
            has_server: tells_of_server(database)
                || self.granted.get(&key).is_some_and(|granted| granted == uid),
        }
    }
}

/// The first pass that makes something writes its name.
fn tells_of_server(database: &Database) -> bool {
    database.status.as_ref().is_some_and(|status| status.server.is_some())
}

fn blocked(namespace: &str, used: Used, most: u32) -> Blocked {
    let text = quota::text(namespace, used, most);
    let message = format!("Nothing is made yet: {text} [{}]", Code::DatabasesPerNamespace);
    Blocked { out_of_policy: true, ..Blocked::by(Reason::TooManyDatabases, message) }
}

#[cfg(test)]
mod tests {
    use kube::runtime::{reflector, watcher::Event};
    use serde_json::{Value, json};
    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

    use super::super::quota::*;

    fn database(name: &str, second: u32, status: &Value) -> Database {
        serde_json::from_value(json!({
            "metadata": {
                "name": name, "namespace": "orders", "uid": format!("uid-{name}"),
                "creationTimestamp": format!("2026-11-28T12:00:{second:02}Z"),
            },
            "spec": {}, "status": status,
        }))
        .unwrap()
    }

    fn record(database: &str) -> RetainedDatabase {
        let server = format!("prod-1-{}", database.replace('/', "-"));
        serde_json::from_value(json!({
            "metadata": {"name": server, "namespace": "database-operator"},
            "spec": {"database": database, "server": {"name": server}, "reason": "Deleted", "since": "2026-11-01T12:00:00Z"},
        }))
        .unwrap()
    }

    struct There {
        databases: Store<Database>,
        records: Store<RetainedDatabase>,
        quotas: Quotas,
        freed: UnboundedReceiver<String>,
    }

    impl There {
        fn new(databases: &[Database], records: &[RetainedDatabase]) -> Self {
            let (databases_store, mut writer) = reflector::store();
            for database in databases {
                writer.apply_watcher_event(&Event::Apply(database.clone()));
            }
            let (records_store, mut writer) = reflector::store();
            for record in records {
                writer.apply_watcher_event(&Event::Apply(record.clone()));
            }
            let (sender, freed) = unbounded_channel();
            Self { databases: databases_store, records: records_store, quotas: Quotas::new(sender), freed }
        }

        fn held(&self, database: &Database, has_server: bool, most: Option<u32>) -> Option<String> {
            let beside = Beside { databases: &self.databases, records: &self.records };
            self.quotas.held_back(database, has_server, most, &beside).map(|blocked| {
                assert!(blocked.is_by(Reason::TooManyDatabases) && blocked.out_of_policy, "{blocked:?}");
                blocked.message
            })
        }
    }

    /// No status is written in between, as when their passes run side by side.
    #[test]
    fn of_those_that_come_at_once_no_more_are_made_than_may_be() {
        let all: Vec<_> = (0..40).map(|at| database(&format!("d{}", at * 7 % 40), 0, &Value::Null)).collect();
        let there = There::new(&all, &[]);
        let made = all.iter().filter(|database| there.held(database, false, Some(5)).is_none()).count();
        assert!(made <= 5, "{made}");
        let again = all.iter().filter(|database| there.held(database, false, Some(5)).is_none()).count();
        assert_eq!(again, 5, "whoever looks a second time");
    }

    /// Its server's object is there, and the watch hasn't told of its status yet.
    #[test]
    fn who_has_just_got_a_server_counts_also_before_its_status_tells_of_it() {
        let (old, young) = (database("old", 1, &Value::Null), database("young", 2, &Value::Null));
        let mut there = There::new(std::slice::from_ref(&young), &[]);
        assert_eq!(there.held(&young, false, Some(1)), None, "the other one isn't there yet");
        there.databases = There::new(&[old.clone(), young.clone()], &[]).databases;
        assert_eq!(there.held(&young, true, Some(1)), None);
        assert!(there.held(&old, false, Some(1)).is_some());
        let told = database("young", 2, &json!({"server": {"name": "prod-1-orders-young"}}));
        there.databases = There::new(&[old.clone(), told.clone()], &[]).databases;
        assert_eq!(there.held(&told, true, Some(1)), None);
        assert!(there.quotas.lock().granted.is_empty(), "nothing is left of it");
        assert!(there.held(&old, false, Some(1)).is_some());
    }

    #[test]
    fn what_is_kept_counts_and_the_message_says_so() {
        let live = database("live", 1, &json!({"server": {"name": "prod-1-orders-live"}}));
        let new = database("new", 2, &Value::Null);
        let records = ["orders/old", "orders/live", "payments/old"].map(record);
        let there = There::new(&[live.clone(), new.clone()], &records);
        insta::assert_snapshot!(there.held(&new, false, Some(2)).unwrap(), @r#"Nothing is made yet: "orders" has 2 databases and may have 2, and what is kept after a delete counts (1 of them); bring one back by its name, or ask the platform team to end one or to allow more [DB116]"#);
        assert_eq!(there.held(&new, false, Some(3)), None);
        assert_eq!(there.held(&live, false, Some(1)), None, "it has a server");
        assert_eq!(there.held(&new, true, Some(1)), None, "one was kept for it");
        assert_eq!(there.held(&new, false, None), None, "no quota");
    }

    #[test]
    fn who_waits_has_a_turn_when_another_one_goes() {
        let (first, second) = (database("first", 1, &Value::Null), database("second", 2, &Value::Null));
        let mut there = There::new(&[first.clone(), second.clone()], &[]);
        assert_eq!(there.held(&first, false, Some(1)), None);
        assert!(there.held(&second, false, Some(1)).is_some());
        there.quotas.forget("payments", "main");
        assert!(there.freed.try_recv().is_err(), "nobody waits there");
        there.quotas.forget("orders", "first");
        assert_eq!(there.freed.try_recv().as_deref(), Ok("orders"));
        there.databases = There::new(std::slice::from_ref(&second), &[]).databases;
        assert_eq!(there.held(&second, false, Some(1)), None);
    }
}
