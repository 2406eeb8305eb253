//! What people do, and what happens to them in Azure.

use api::{
    Authentication,
    annotations::{ACCEPT_EMPTY, CONFIRM_DESTROY, FINALIZER, RECOVER_FROM, RETENTION},
};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::{
    COPY, DATABASES, MOVED, NAMESPACE, World,
    azure::{ANOTHER_CLUSTER, THIS_CLUSTER},
    database_key, ends_in_azure, read, record_key, server_key, server_name, sharing,
    step::Step,
};
use crate::{azure::RECONCILE_POLICY, controller::retained};

impl World {
    /// Tells whether it acted.
    pub(super) fn take(&mut self, runtime: &Runtime, step: &Step, name: &str) -> bool {
        match step {
            Step::Reconcile { fresh, crash } => self.reconcile(runtime, name, *fresh, *crash),
            Step::ReconcileRecord { fresh, crash } => self.reconcile_record(runtime, name, *fresh, *crash),
            Step::Work { rounds, fresh } => {
                (0..*rounds).fold(false, |acted, _| self.work(runtime, *fresh) || acted)
            }
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
            Step::Resize => self.resize(name),
            Step::Delete { word } => self.delete(name, *word),
            Step::Vanish => {
                self.unheard.remove(name);
                // A password that is as old as the record is a new one.
                self.take_time(SignedDuration::from_secs(1));
                self.change(&database_key(name), |database| database["metadata"]["finalizers"] = json!([]));
                !self.api_server.store().delete(&database_key(name)).is_null()
            }
            Step::OnRecord { word } => self.on_record(name, word),
            Step::Until { days } => self.until(name, *days),
            Step::Unsay => self.unsay(name),
            Step::DropRecord => {
                self.given.remove(&server_name(name));
                !self.api_server.store().delete(&record_key(name)).is_null()
            }
            Step::DropObject { which } => self.drop_object(*which),
            Step::AzureLoses { unseen } => self.azure_loses(name, *unseen),
            Step::AzureIsAway { away } => {
                self.azure.is_away = *away;
                true
            }
            Step::AzureRemakes => self.azure_remakes(name),
            Step::ChangeHands { taken } => {
                let cluster = if *taken { ANOTHER_CLUSTER } else { THIS_CLUSTER };
                let changed = self.rests(name) && self.azure.belongs_to(&server_name(name), cluster);
                if changed {
                    self.azure.attend(&mut self.api_server.store(), &server_key(name));
                }
                changed
            }
            Step::PutBack { which, with_status } => self.put_back(*which, *with_status),
            Step::AcceptEmpty => self.accept_empty(name),
        }
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
        if sharing(name).any(|name| self.object(&database_key(name)).is_some()) {
            return false;
        }
        let mut confirmed = None;
        let changed = self.change(&record_key(name), |record| {
            for key in [RETENTION, CONFIRM_DESTROY] {
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

    fn on_record(&mut self, name: &str, word: &str) -> bool {
        let day = self.now().to_zoned(TimeZone::UTC).date();
        let number = self.acted.len() + self.log.len();
        let changed = self.change(&record_key(name), |record| {
            record["metadata"]["annotations"][RETENTION] = json!(word);
            // Days differ, so that each is a new one.
            let later = day.checked_add(jiff::Span::new().days(i64::try_from(number % 2).unwrap())).unwrap();
            let whose = record["spec"]["database"].as_str().unwrap_or_default();
            record["metadata"]["annotations"][CONFIRM_DESTROY] = json!(format!("{whose}@{later}"));
        });
        if changed && word == "Destroy" {
            self.promise(name, Some(self.now()));
        } else if changed {
            self.take_back(name);
        }
        changed
    }

    fn drop_object(&mut self, which: usize) -> bool {
        let keys = self.objects_of_azure();
        let Some(key) = keys.get(which % keys.len().max(1)) else { return false };
        // Who deletes by hand what is about to be deleted with its server means it.
        if key.0 == "flexibleservers"
            && self.object(key).as_ref().is_some_and(ends_in_azure)
            && let Some(server) = self.azure.servers.get(&key.2)
        {
            let (data, now) = (server.data, self.now());
            self.ends.insert(data, now);
        }
        // What lies in Azure is known to nobody then.
        self.left_open.extend(DATABASES.map(server_name));
        self.api_server.store().delete(key);
        true
    }

    fn azure_loses(&mut self, name: &str, unseen: bool) -> bool {
        let server = server_name(name);
        let data = self.azure.servers.get(&server).map(|server| server.data);
        let Some(data) = data.filter(|_| self.rests(name)) else { return false };
        self.azure.lose(&server);
        // What was said before the loss counts, too, unless it has counted already.
        let is_accepted = |name: &str| self.has_server(name) && self.says_that_empty_will_do(name);
        if !sharing(name).any(is_accepted) {
            self.lost.insert(server, data);
        }
        if unseen {
            // Between a look and the write that it allows nobody can see it coming.
            self.process = None;
        } else {
            self.azure.attend(&mut self.api_server.store(), &server_key(name));
        }
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
        // And of one that was deleted before Azure told of its server, nobody knows which one it was.
        let is_deleted_early = |name: &str| {
            self.object(&database_key(name)).is_some_and(|database| {
                !database["metadata"]["deletionTimestamp"].is_null()
                    && database["status"]["server"]["id"].is_null()
            })
        };
        let is_unknown = record["spec"]["server"]["id"].is_null() || sharing(name).any(is_deleted_early);
        if let Some(end) = self.ends.get(&former).copied().filter(|_| is_approved || is_unknown) {
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

    fn apply(&mut self, name: &str) -> bool {
        if let Some(there) = self.object(&database_key(name)) {
            return there["metadata"]["deletionTimestamp"].is_null();
        }
        let annotations = if name == MOVED {
            json!({RECOVER_FROM: format!("{NAMESPACE}/{}", DATABASES[0])})
        } else {
            json!({})
        };
        let mut database = json!({
            "apiVersion": "altinn.app/v1alpha1", "kind": "Database", "metadata": {"annotations": annotations},
            "spec": {"authentication": if name == DATABASES[1] { Authentication::Identity } else { Authentication::Password }},
        });
        if name == COPY {
            database["spec"]["restoreFrom"] = json!({"database": DATABASES[0]});
        }
        self.api_server.store().create(&database_key(name), database);
        true
    }

    fn resize(&mut self, name: &str) -> bool {
        self.change(&database_key(name), |database| {
            let sku = &mut database["spec"]["sku"];
            *sku = json!(if *sku == "Standard_B2s" { "Standard_B1ms" } else { "Standard_B2s" });
        })
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
            database["metadata"]["annotations"][CONFIRM_DESTROY] = json!(format!("{NAMESPACE}/{name}@{day}"));
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

    /// Whether nothing is being changed of a server: what was sent is carried out, whatever people do meanwhile, and nobody can
    /// see that coming.
    pub(super) fn rests(&self, name: &str) -> bool {
        self.object(&server_key(name)).is_none_or(|object| {
            object["metadata"]["annotations"][RECONCILE_POLICY] == "skip"
                && object["metadata"]["deletionTimestamp"].is_null()
        })
    }
}
