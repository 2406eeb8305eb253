//! What has to hold, whatever happens: after each step, at each pass, and once nothing is left to be done.

use api::{
    annotations::{ACCEPT_EMPTY, CONFIRM_DESTROY},
    reason::Reason,
};
use jiff::SignedDuration;
use serde_json::Value;
use tokio::runtime::Runtime;

use super::{
    Administers, COPY, DATABASES, MOST_ROUNDS, World, api_server::Key, azure::Happened, database_key,
    record_key, server_key, server_name, sharing,
};

impl World {
    pub(super) fn happened(&mut self, happened: &Happened) {
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
            Happened::Made { server, data, from } => {
                self.note(if from.is_some() { "copied" } else { "server made" });
                let is_copy = *server == server_name(COPY);
                assert!(
                    !is_copy || from.is_some() || self.will_do(server),
                    "{server} is made empty, and was to have data"
                );
                assert!(is_copy || from.is_none(), "{server} is made with the data of {from:?}");
                let lost = self.lost.remove(server);
                let is_over =
                    lost.is_none_or(|lost| self.ends.get(&lost).is_some_and(|end| *end <= self.now()));
                assert!(
                    is_over || self.will_do(server),
                    "{server} is made anew, and empty, as {data}; lost: {lost:?}"
                );
                if let Some(end) = self.unmade.remove(server) {
                    self.ends.insert(*data, end);
                }
            }
        }
    }

    /// Whether who has this server said that an empty one will do. Who gets one that is lost may have said so before.
    fn will_do(&self, server: &str) -> bool {
        DATABASES.into_iter().any(|name| {
            server_name(name) == server && self.has_server(name) && self.says_that_empty_will_do(name)
        })
    }

    /// After a while all that can be done is done: nothing is written any more, and nobody waits for nothing.
    pub(super) fn come_to_rest(&mut self, runtime: &Runtime) -> bool {
        // By a clock that is wrong it may wait for long.
        if self.skew != SignedDuration::ZERO {
            return false;
        }
        self.azure.is_away = false;
        let rests = (0..MOST_ROUNDS).any(|_| !self.work(runtime, true));
        assert!(rests, "after {MOST_ROUNDS} rounds it is still at work");
        self.is_closed();
        for name in DATABASES {
            for key in [database_key(name), record_key(name)] {
                let reason = self.reason(&key).and_then(|reason| Reason::parse(&reason));
                assert!(!reason.is_some_and(Reason::is_work), "{key:?} is still {reason:?}");
            }
            let reason = self.reason(&database_key(name));
            // Where nothing tells of its server, a person must.
            let is_told = reason.as_deref() != Some(Reason::ServerNameUnknown.as_str());
            let waits = self.object(&database_key(name)).is_some_and(|database| {
                let goes = !database["metadata"]["deletionTimestamp"].is_null();
                (goes && is_told) || reason.is_none()
            });
            assert!(!waits, "Database {name} neither goes nor comes");
        }
        true
    }

    /// Where nothing tells that there were data, nobody can know.
    pub(super) fn forget_what_nothing_tells(&mut self, name: &str) {
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

    /// Whether an empty server will do, by what is written on a `Database`, and has not counted yet.
    pub(super) fn says_that_empty_will_do(&self, name: &str) -> bool {
        self.object(&database_key(name)).is_some_and(|database| {
            let said = &database["metadata"]["annotations"][ACCEPT_EMPTY];
            said.is_string() && *said != database["status"]["acceptedEmpty"]
        })
    }

    /// After a while nobody gets in to what is kept.
    pub(super) fn is_closed(&mut self) {
        for name in DATABASES {
            let server = server_name(name);
            if self.is_ready(name) {
                // Everything is there again, and known.
                self.left_open.remove(&server);
            }
            let is_kept = self.reason(&record_key(name)).is_some_and(|reason| reason.starts_with("Kept"));
            if is_kept
                && !sharing(name).any(|name| self.object(&database_key(name)).is_some())
                && !self.left_open.contains(&server)
            {
                self.note("closed");
                assert_eq!(self.azure.ways_in(&server), 0, "ways in to {name}");
                let password = self.azure.servers.get(&server).and_then(|server| server.password.as_ref());
                let known = self.handed.get(&server).into_iter().flatten();
                assert!(!known.into_iter().any(|known| Some(known) == password), "the password of {name}");
            }
        }
    }

    /// Who is ready has the password that the server has. One that was made by a clock that was ahead counts for newer than it
    /// is, until that time has come.
    pub(super) fn hand_out(&mut self, name: &str) {
        let server = server_name(name);
        // Where the platform administers it, no app is given that.
        if self.administers == Administers::Apps
            && let Some(password) = self.azure.servers.get(&server).and_then(|server| server.password.clone())
            && self.is_ready(name)
            && password.key <= self.now().strftime("password-%Y%m%dT%H%M%SZ").to_string()
            && !self.handed.get(&server).is_some_and(|handed| handed.contains(&password))
        {
            self.handed.entry(server).or_default().push(password);
        }
    }

    /// A record that gives a server to another `Database` goes only when Azure tells whose it is.
    pub(super) fn is_known_for(&mut self, name: &str) {
        if !self.has_server(name) {
            return;
        }
        let server = server_name(name);
        match self.object(&record_key(name)) {
            Some(record) if record["spec"]["formerly"].is_string() => {
                self.given.insert(server);
            }
            Some(_) => {
                self.given.remove(&server);
            }
            None if self.given.remove(&server) && self.is_live(name) => {
                self.note("taken over");
                let server = self.azure.servers.get(&server);
                assert!(
                    server.is_none_or(|server| server.database() == Some(name)),
                    "who has {name} is told by nothing"
                );
            }
            None => {}
        }
    }

    /// After each step.
    pub(super) fn look(&mut self) {
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
            // What is decided stays so, however long Azure is away.
            if !self.rests(name) && self.will_do(&server_name(name)) {
                self.lost.remove(&server_name(name));
            }
            if !self.has_server(name) {
                continue;
            }
            // Who has it back has taken back whatever was said before; and once the record has heard of it, nothing but a new word
            // ends the data.
            let record = self.object(&record_key(name));
            self.hand_out(name);
            let is_back = self.is_ready(name) && record.is_none();
            let has_heard = record.as_ref().is_some_and(|record| {
                let (metadata, status) = (&record["metadata"], &record["status"]);
                status["uid"] == metadata["uid"]
                    && status["confirmed"].is_null()
                    && status["inheritedUntil"] == record["spec"]["until"]
                    && status["inheritedConfirmation"] == metadata["annotations"][CONFIRM_DESTROY]
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
