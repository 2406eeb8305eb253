//! Azure Service Operator and Azure, as far as the two loops can tell: an object is looked at, made, or ended by its policy.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use policy::resource_id;
use serde_json::{Value, json};

use super::api_server::{Key, Store};
use crate::azure::{DETACH_ON_DELETE, MANAGE, RECONCILE_POLICY, SKIP};

const NAME: &str = "database-operator-name";
const CLUSTER_UID: &str = "database-operator-cluster-uid";
pub(super) const THIS_CLUSTER: &str = "00000000-0000-4000-8000-0000000000c1";
pub(super) const ANOTHER_CLUSTER: &str = "00000000-0000-4000-8000-0000000000c2";
const POINT_IN_TIME_RESTORE: &str = "PointInTimeRestore";
const FINALIZER: &str = "serviceoperator.azure.com/finalizer";
const SERVERS: &str = "flexibleservers";
const IDENTITIES: &str = "userassignedidentities";
/// The kinds that lie on a server, or on an identity.
const CHILDREN: [&str; 5] = [
    "flexibleserversdatabases",
    "flexibleserversfirewallrules",
    "flexibleserversadministrators",
    "flexibleserversconfigurations",
    "federatedidentitycredentials",
];

pub(super) fn is_of_azure(kind: &str) -> bool {
    kind == SERVERS || kind == IDENTITIES || CHILDREN.contains(&kind)
}

fn namespace(object: &Value) -> String {
    object["metadata"]["namespace"].as_str().unwrap().to_owned()
}

fn to_the_second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap()
}

/// A server, and what it holds.
#[derive(Clone, Debug)]
pub(super) struct Server {
    /// Of no other server.
    pub(super) data: u64,
    /// The data with which it began.
    pub(super) copied_from: Option<u64>,
    created_at: Timestamp,
    spec: Value,
    /// The password of its administrator, as it was told last.
    pub(super) password: Option<Password>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Password {
    /// It tells when the password was made, by the clock of who made it.
    pub(super) key: String,
    value: Value,
}

impl Server {
    /// Name of the `Database` that its tags tell.
    pub(super) fn database(&self) -> Option<&str> {
        self.spec["tags"][NAME].as_str()
    }
}

/// A restore that Azure is at.
#[derive(Clone, Debug)]
struct Restoring {
    /// Name of the server whose data they are.
    source: String,
    tags: Value,
    /// How often somebody has looked since.
    looks: usize,
}

/// It takes so many looks.
const LOOKS_OF_A_RESTORE: usize = 3;

/// What came of a write to Azure.
#[derive(Clone, Debug, PartialEq)]
enum Asked {
    Nothing,
    UnderWay,
    /// By this code.
    Refused(&'static str),
    Happened(Happened),
}

/// What there is in Azure.
#[derive(Debug, Default)]
pub(super) struct Azure {
    pub(super) servers: BTreeMap<String, Server>,
    /// Servers that are being made with the data of another one.
    restoring: BTreeMap<String, Restoring>,
    /// Principals by the name of the identity.
    identities: BTreeMap<String, u64>,
    /// Kind, name of the owner and name.
    children: BTreeSet<(String, String, String)>,
    counter: u64,
    /// Whether nobody gets an answer.
    pub(super) is_away: bool,
}

/// What happened to data.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Happened {
    /// A server was made under this name, with other data or without any.
    Made {
        server: String,
        data: u64,
        from: Option<u64>,
    },
    Ended {
        server: String,
        data: u64,
    },
    /// A server was written or ended that another cluster has, as Azure Service Operator had seen.
    TakenFromAnother {
        server: String,
    },
}

impl Azure {
    /// Another cluster takes the server, or gives it back. Tells whether there is such a server.
    pub(super) fn belongs_to(&mut self, name: &str, cluster: &str) -> bool {
        let Some(server) = self.servers.get_mut(name) else { return false };
        server.spec["tags"][CLUSTER_UID] = json!(cluster);
        true
    }

    /// Whether a server is another cluster's, as can be seen here.
    pub(super) fn is_taken(&self, name: &str, object: Option<&Value>) -> bool {
        let another = json!(ANOTHER_CLUSTER);
        self.servers.get(name).is_some_and(|server| server.spec["tags"][CLUSTER_UID] == another)
            && object.is_some_and(|object| object["status"]["tags"][CLUSTER_UID] == another)
    }

    /// The server is deleted, by whoever may do so in Azure.
    pub(super) fn lose(&mut self, name: &str) -> Option<Server> {
        self.children.retain(|(kind, owner, _)| kind == "federatedidentitycredentials" || owner != name);
        self.servers.remove(name)
    }

    /// Another server stands under this name, by whoever may do so in Azure. Gives the number of its data.
    pub(super) fn remake(&mut self, name: &str, now: Timestamp) -> Option<u64> {
        let former = self.lose(name)?;
        self.counter += 1;
        let server = Server { data: self.counter, created_at: to_the_second(now), ..former };
        self.servers.insert(name.to_owned(), server);
        Some(self.counter)
    }

    /// Azure Service Operator has one look at an object, and does what it says.
    pub(super) fn attend(&mut self, store: &mut Store, key: &Key) -> Option<Happened> {
        let mut object = store.objects.get(key)?.clone();
        let policy =
            object["metadata"]["annotations"][RECONCILE_POLICY].as_str().unwrap_or(MANAGE).to_owned();
        if !object["metadata"]["deletionTimestamp"].is_null() {
            if self.is_away && policy == MANAGE {
                return None;
            }
            let happened = (policy == MANAGE).then(|| self.end(&key.0, &object)).flatten();
            object["metadata"]["finalizers"] = json!([]);
            store.replace(key, object);
            return happened;
        }
        let holds = |finalizers: &Vec<Value>| finalizers.iter().any(|finalizer| finalizer == FINALIZER);
        if !object["metadata"]["finalizers"].as_array().is_some_and(holds) {
            object["metadata"]["finalizers"] = json!([FINALIZER]);
        }
        if let Some(owner) = object["spec"]["owner"]["name"].as_str() {
            let kind = if key.0 == "federatedidentitycredentials" { IDENTITIES } else { SERVERS };
            if let Some(owner) = store.objects.get(&(kind.to_owned(), key.1.clone(), owner.to_owned())) {
                object["metadata"]["ownerReferences"] = json!([{"uid": owner["metadata"]["uid"]}]);
            }
        }
        let writes = policy == MANAGE || policy == DETACH_ON_DELETE;
        assert!(writes || policy == SKIP, "{policy}");
        let restored = (key.0 == SERVERS && !self.is_away).then(|| self.go_on(store, &key.2)).flatten();
        let asked = if writes && !self.is_away { self.make(store, &key.0, &object) } else { Asked::Nothing };
        let refused = if let Asked::Refused(code) = asked { Some(code) } else { None };
        let found = if self.is_away || refused.is_some() { None } else { self.find(&key.0, &object) };
        let (status, severity, reason) = match &found {
            _ if self.is_away => ("False", "Warning", "Failed"),
            _ if asked == Asked::UnderWay => ("False", "Info", "Reconciling"),
            _ if refused.is_some() => ("False", "Warning", refused.unwrap_or_default()),
            Some(_) => ("True", "", "Succeeded"),
            None if writes => ("False", "Warning", "ServerIsBusy"),
            None => ("False", "Warning", "AzureResourceNotFound"),
        };
        let before = object["status"].take();
        // What was seen once is told as long as nothing else is seen.
        object["status"] = found.unwrap_or(before);
        if !object["status"].is_object() {
            object["status"] = json!({});
        }
        object["status"]["conditions"] = json!([{
            "type": "Ready", "status": status, "severity": severity, "reason": reason, "message": reason,
            "observedGeneration": object["metadata"]["generation"],
        }]);
        store.replace(key, object);
        match asked {
            Asked::Happened(happened) => Some(happened),
            _ => restored,
        }
    }

    fn name(object: &Value) -> String {
        let name = object["spec"]["azureName"].as_str().filter(|name| !name.is_empty());
        name.or_else(|| object["metadata"]["name"].as_str()).unwrap().to_owned()
    }

    fn child(kind: &str, object: &Value) -> (String, String, String) {
        let owner = object["spec"]["owner"]["name"].as_str().unwrap_or_default();
        (kind.to_owned(), owner.to_owned(), Self::name(object))
    }

    fn make(&mut self, store: &Store, kind: &str, object: &Value) -> Asked {
        let name = Self::name(object);
        self.counter += 1;
        let number = self.counter;
        if kind == SERVERS {
            if self.is_taken(&name, Some(object)) {
                return Asked::Happened(Happened::TakenFromAnother { server: name });
            }
            if object["spec"]["createMode"] == POINT_IN_TIME_RESTORE {
                return self.restore(&name, object);
            }
            if self.restoring.contains_key(&name) {
                return Asked::Refused("ServerIsBusy");
            }
            let is_new = !self.servers.contains_key(&name);
            let server = self.servers.entry(name.clone()).or_insert_with(|| Server {
                data: number,
                copied_from: None,
                created_at: to_the_second(store.now),
                spec: Value::Null,
                password: None,
            });
            server.spec = object["spec"].clone();
            let told = &object["spec"]["administratorLoginPassword"];
            if let (Some(secret), Some(key)) = (told["name"].as_str(), told["key"].as_str()) {
                let secret = store.objects.get(&("secrets".to_owned(), namespace(object), secret.to_owned()));
                server.password =
                    secret.map(|secret| Password { key: key.to_owned(), value: secret["data"][key].clone() });
            }
            let made = Happened::Made { server: name, data: number, from: None };
            return if is_new { Asked::Happened(made) } else { Asked::Nothing };
        }
        if kind == IDENTITIES {
            self.identities.entry(name).or_insert(number);
            return Asked::Nothing;
        }
        let child = Self::child(kind, object);
        let has_owner = if kind == "federatedidentitycredentials" {
            self.identities.contains_key(&child.1)
        } else {
            self.servers.contains_key(&child.1)
        };
        if has_owner {
            self.children.insert(child);
        }
        Asked::Nothing
    }

    /// Azure makes no server anew, and Azure Service Operator asks once, and then for how far it is.
    fn restore(&mut self, name: &str, object: &Value) -> Asked {
        if self.restoring.contains_key(name) {
            return Asked::UnderWay;
        }
        if self.servers.contains_key(name) {
            let has_asked = object["status"]["id"].is_string()
                || object["status"]["conditions"][0]["reason"] == "Reconciling";
            return if has_asked { Asked::Nothing } else { Asked::Refused("ServerNameAlreadyExists") };
        }
        let source = object["spec"]["sourceServerResourceReference"]["armId"].as_str().unwrap_or_default();
        let source = resource_id::name(source).to_owned();
        if !self.servers.contains_key(&source) {
            return Asked::Refused("ResourceNotFound");
        }
        let tags = object["spec"]["tags"].clone();
        self.restoring.insert(name.to_owned(), Restoring { source, tags, looks: 0 });
        Asked::UnderWay
    }

    /// Azure goes on restoring, whoever looks.
    fn go_on(&mut self, store: &Store, name: &str) -> Option<Happened> {
        let restoring = self.restoring.get_mut(name)?;
        restoring.looks += 1;
        if restoring.looks < LOOKS_OF_A_RESTORE {
            return None;
        }
        let Restoring { source, tags, .. } = self.restoring.remove(name)?;
        // Without it the restore fails.
        let Server { data: from, mut spec, .. } = self.servers.get(&source)?.clone();
        spec["tags"] = tags;
        self.counter += 1;
        let (data, created_at) = (self.counter, to_the_second(store.now));
        let server = Server { data, copied_from: Some(from), created_at, spec, password: None };
        self.servers.insert(name.to_owned(), server);
        Some(Happened::Made { server: name.to_owned(), data: self.counter, from: Some(from) })
    }

    fn find(&self, kind: &str, object: &Value) -> Option<Value> {
        let name = Self::name(object);
        if kind == SERVERS {
            let Server { created_at, spec, .. } = self.servers.get(&name)?;
            return Some(json!({
                "id": format!("/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg-databases/providers/\
                    Microsoft.DBforPostgreSQL/flexibleServers/{name}"),
                "fullyQualifiedDomainName": format!("{name}.postgres.database.azure.com"),
                "version": spec["version"], "sku": spec["sku"], "storage": spec["storage"], "tags": spec["tags"],
                "location": spec["location"], "network": spec["network"], "state": "Ready",
                "systemData": {"createdAt": created_at.to_string()},
            }));
        }
        if kind == IDENTITIES {
            let principal = self.identities.get(&name)?;
            return Some(
                json!({"clientId": format!("client-{principal}"), "principalId": format!("principal-{principal}")}),
            );
        }
        self.children.contains(&Self::child(kind, object)).then(|| json!({}))
    }

    fn end(&mut self, kind: &str, object: &Value) -> Option<Happened> {
        let name = Self::name(object);
        if kind == SERVERS {
            if self.is_taken(&name, Some(object)) {
                return Some(Happened::TakenFromAnother { server: name });
            }
            let Server { data, .. } = self.lose(&name)?;
            return Some(Happened::Ended { server: name, data });
        }
        if kind == IDENTITIES {
            self.identities.remove(&name);
            self.children.retain(|(kind, owner, _)| kind != "federatedidentitycredentials" || *owner != name);
            return None;
        }
        self.children.remove(&Self::child(kind, object));
        None
    }

    /// Whether anybody gets in to a server by what was left open.
    pub(super) fn ways_in(&self, server: &str) -> usize {
        let is_way =
            |kind: &str| ["flexibleserversfirewallrules", "federatedidentitycredentials"].contains(&kind);
        self.children.iter().filter(|(kind, owner, _)| is_way(kind) && owner == server).count()
    }
}
