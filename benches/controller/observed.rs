//! What was seen of each database and when: by this program's own clock, since objects carry whole seconds.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use futures::{StreamExt, TryStreamExt};
use kube::{
    Api, Client, ResourceExt,
    core::Object,
    runtime::{WatchStreamExt, watcher},
};
use serde::{Deserialize, de::IgnoredAny};
use tokio::sync::mpsc;

use crate::names::{number, resource};

/// Everything that was seen.
#[derive(Debug, Default)]
pub struct Observed {
    all: Mutex<All>,
}

#[derive(Debug, Default)]
struct All {
    databases: Vec<Seen>,
    ready: usize,
    answered: usize,
    /// When the last ASO object was answered.
    last_answer: Option<Instant>,
}

/// One database.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    sent: Option<Instant>,
    /// This program's own watch has told of it.
    told: Option<Instant>,
    child: Option<Instant>,
    ready: Option<Instant>,
}

/// A database that has just been made.
#[derive(Debug)]
pub struct Made {
    pub number: usize,
    pub uid: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub struct Status {
    #[serde(default)]
    pub conditions: Vec<Condition>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    pub r#type: String,
    pub status: String,
    #[serde(default)]
    pub observed_generation: i64,
}

/// Latencies from the request that applied a database, sorted.
#[derive(Debug, Default)]
pub struct Latencies(pub Vec<Duration>);

impl Observed {
    /// Starts a watch of the databases, and names each once.
    pub fn watch(self: &Arc<Self>, client: Client) -> mpsc::UnboundedReceiver<Made> {
        let (made, receiver) = mpsc::unbounded_channel();
        let observed = self.clone();
        let api: Api<Object<IgnoredAny, Status>> = Api::all_with(client, &resource());
        let mut events = watcher(api, watcher::Config::default()).default_backoff().applied_objects().boxed();
        tokio::spawn(async move {
            let mut known = std::collections::HashSet::new();
            loop {
                let Ok(Some(database)) = events.try_next().await else { continue };
                let now = Instant::now();
                let Some(number) = number(&database.name_any()) else { continue };
                let is_ready =
                    |condition: &Condition| condition.r#type == "Ready" && condition.status == "True";
                if database.status.as_ref().is_some_and(|status| status.conditions.iter().any(is_ready)) {
                    observed.ready(number, now);
                }
                if known.insert(number) {
                    observed.note(number, |seen| seen.told = Some(now));
                    // Who doesn't care has dropped the receiver.
                    drop(made.send(Made { number, uid: database.uid().unwrap_or_default() }));
                }
            }
        });
        receiver
    }

    pub fn sent(&self, number: usize, at: Instant) {
        self.note(number, |seen| seen.sent = Some(at));
    }

    /// An object of the database was seen.
    pub fn child(&self, number: usize, at: Instant) {
        self.note(number, |seen| {
            seen.child.get_or_insert(at);
        });
    }

    /// An object of ASO's was made ready.
    pub fn answered(&self) {
        let mut all = self.all.lock().unwrap();
        all.answered += 1;
        all.last_answer = Some(Instant::now());
    }

    fn ready(&self, number: usize, at: Instant) {
        let is_new = self.note(number, |seen| {
            let is_new = seen.ready.is_none();
            seen.ready.get_or_insert(at);
            is_new
        });
        // The first time counts.
        if is_new {
            self.all.lock().unwrap().ready += 1;
        }
    }

    fn note<T>(&self, number: usize, note: impl FnOnce(&mut Seen) -> T) -> T {
        let mut all = self.all.lock().unwrap();
        if all.databases.len() <= number {
            all.databases.resize(number + 1, Seen::default());
        }
        note(&mut all.databases[number])
    }

    /// How many databases are ready, and how many of ASO's objects.
    pub fn counts(&self) -> (usize, usize) {
        let all = self.all.lock().unwrap();
        (all.ready, all.answered)
    }

    /// From the first request to the last database that became ready or the last answer, whichever came later.
    pub fn took(&self) -> Duration {
        let all = self.all.lock().unwrap();
        let first = all.databases.iter().filter_map(|seen| seen.sent).min();
        let last = all.databases.iter().filter_map(|seen| seen.ready).chain(all.last_answer).max();
        last.zip(first).map_or(Duration::ZERO, |(last, first)| last.saturating_duration_since(first))
    }

    /// Of the databases from this number on: to this program's own watch of it, to the first object of each, and to its being ready.
    pub fn latencies(&self, from: usize) -> [Latencies; 3] {
        let all = self.all.lock().unwrap();
        [|seen: &Seen| seen.told, |seen: &Seen| seen.child, |seen: &Seen| seen.ready].map(|what| {
            let since = |seen: &Seen| Some(what(seen)?.saturating_duration_since(seen.sent?));
            let mut latencies: Vec<Duration> = all.databases.iter().skip(from).filter_map(since).collect();
            latencies.sort_unstable();
            Latencies(latencies)
        })
    }
}

impl Latencies {
    /// The latency that so many percent keep.
    pub fn percentile(&self, percent: usize) -> Duration {
        let last = self.0.len().saturating_sub(1);
        self.0.get((self.0.len() * percent / 100).min(last)).copied().unwrap_or_default()
    }
}
