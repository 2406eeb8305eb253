//! An API server in memory: as much of one as the two loops can tell from a real one. It can be cut off after any write.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    body::Bytes,
    http::{Method, Request, Response},
};
use http_body_util::{BodyExt, Full};
use jiff::{Timestamp, fmt::rfc2822};
use kube::client::Body;
use serde_json::{Value, json};

use crate::controller::golden::client_of;

/// What is worth telling of a write.
const POLICY: &str = "/metadata/annotations/serviceoperator.azure.com~1reconcile-policy";
const REASON: &str = "/status/conditions/0/reason";

/// Plural of the kind, namespace and name.
pub(super) type Key = (String, String, String);

/// What etcd holds, and the clock beside it.
pub(super) struct Store {
    pub(super) objects: BTreeMap<Key, Value>,
    /// The annotations of each object that were written by server-side apply: those that are left out of the next one go.
    applied: BTreeMap<Key, BTreeSet<String>>,
    /// Of the last change.
    pub(super) version: u64,
    pub(super) now: Timestamp,
    /// So many writes are taken before the connection is lost.
    pub(super) writes_left: Option<usize>,
    pub(super) writes: usize,
    /// What was written since somebody looked.
    pub(super) told: Vec<String>,
}

/// Shared with the client of a process.
#[derive(Clone)]
pub(super) struct ApiServer(Arc<Mutex<Store>>);

impl ApiServer {
    pub(super) fn new(now: Timestamp) -> Self {
        let (objects, applied) = (BTreeMap::new(), BTreeMap::new());
        Self(Arc::new(Mutex::new(Store {
            objects,
            applied,
            version: 0,
            now,
            writes_left: None,
            writes: 0,
            told: Vec::new(),
        })))
    }

    pub(super) fn store(&self) -> MutexGuard<'_, Store> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn client(&self) -> kube::Client {
        let server = self.clone();
        client_of(move |request| {
            let server = server.clone();
            async move { server.answer(request).await }
        })
    }

    async fn answer(&self, request: Request<Body>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let path = parts.uri.path().to_owned();
        let mut store = self.store();
        let (code, answer) = if parts.method == Method::GET {
            store.read(&path)
        } else if path.contains("/events") {
            (201, json!({"metadata": {}}))
        } else if store.writes_left == Some(0) {
            (503, json!({}))
        } else {
            let query = parts.uri.query().unwrap_or_default();
            let content_type = parts.headers.get("content-type").and_then(|value| value.to_str().ok());
            let body: Value = serde_json::from_slice(&body).unwrap_or_default();
            let says = [POLICY, REASON]
                .map(|pointer| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned());
            let answer = store.write(&parts.method, &path, query, content_type.unwrap_or_default(), body);
            if answer.0 < 300 {
                store.writes += 1;
                store.told.push(format!("  {} {path} {}", parts.method, says.join(" ")));
                store.writes_left = store.writes_left.map(|left| left - 1);
            }
            answer
        };
        let now = rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&store.now).unwrap();
        let answer = if code < 300 { answer } else { failure(code) };
        Response::builder().status(code).header("date", now).body(Full::from(answer.to_string())).unwrap()
    }
}

fn failure(code: u16) -> Value {
    let reason = match code {
        404 => "NotFound",
        409 => "Conflict",
        _ => "ServiceUnavailable",
    };
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": reason, "code": code})
}

/// The key of a path, and whether it ends in `/status`. That of a list has no name.
fn key(path: &str) -> Option<(Key, bool)> {
    let mut parts = path.split('/').skip_while(|part| *part != "namespaces").skip(1);
    let (namespace, kind) = (parts.next()?, parts.next()?);
    let name = parts.next().unwrap_or_default();
    Some(((kind.to_owned(), namespace.to_owned(), name.to_owned()), parts.next() == Some("status")))
}

/// An empty list isn't stored.
fn drop_empty_finalizers(object: &mut Value) {
    if object["metadata"]["finalizers"].as_array().is_none_or(Vec::is_empty) {
        object["metadata"].as_object_mut().map(|metadata| metadata.remove("finalizers"));
    }
}

impl Store {
    fn read(&self, path: &str) -> (u16, Value) {
        if path == "/version" {
            return (200, json!({}));
        }
        match key(path).and_then(|(key, _)| self.objects.get(&key)) {
            Some(found) => (200, found.clone()),
            None => (404, Value::Null),
        }
    }

    fn write(
        &mut self,
        method: &Method,
        path: &str,
        query: &str,
        content_type: &str,
        body: Value,
    ) -> (u16, Value) {
        let Some((mut key, is_status)) = key(path) else { return (404, Value::Null) };
        if *method == Method::POST {
            key.2 = body["metadata"]["name"].as_str().unwrap().to_owned();
            return if self.objects.contains_key(&key) {
                (409, Value::Null)
            } else {
                (201, self.create(&key, body))
            };
        }
        let old = self.objects.get(&key).cloned();
        let conditions = if *method == Method::DELETE { &body["preconditions"] } else { &body["metadata"] };
        let is_apply = content_type.contains("apply");
        let asked = ["uid", "resourceVersion"].into_iter().filter(|field| !conditions[field].is_null());
        let Some(old) = old else {
            // Of a version alone, the API server asks nothing where there is no object, and makes one.
            return match &conditions["uid"] {
                _ if !is_apply || is_status => (404, Value::Null),
                Value::Null => (201, self.create_applied(&key, body)),
                _ => (409, Value::Null),
            };
        };
        if asked.into_iter().any(|field| conditions[field] != old["metadata"][field]) {
            return (409, Value::Null);
        }
        if *method == Method::DELETE {
            return (200, self.delete(&key));
        }
        let mut new = old.clone();
        if content_type.contains("json-patch") {
            // What isn't there is as good as null for an API server's test of it.
            let metadata = new["metadata"].as_object_mut().unwrap();
            metadata.entry("finalizers").or_insert(Value::Null);
            let operations: json_patch::Patch = serde_json::from_value(body).unwrap();
            if json_patch::patch(&mut new, &operations).is_err() {
                return (422, Value::Null);
            }
        } else if is_status {
            let recovered = new["status"]["recovered"].take();
            if query.contains("recovery") {
                new["status"]["recovered"] = body["status"]["recovered"].clone();
            } else {
                new["status"] = body["status"].clone();
                if !recovered.is_null() {
                    new["status"]["recovered"] = recovered;
                }
            }
        } else if is_apply {
            self.apply(&key, &mut new, &body);
        } else {
            let mut body = body;
            body["metadata"].as_object_mut().map(|metadata| metadata.remove("uid"));
            body["metadata"].as_object_mut().map(|metadata| metadata.remove("resourceVersion"));
            json_patch::merge(&mut new, &body);
        }
        (200, self.replace(&key, new))
    }

    /// Server-side apply: everything of ours that is left out goes.
    fn apply(&mut self, key: &Key, new: &mut Value, body: &Value) {
        let poked = new["spec"]["operatorSpec"].take();
        for field in ["spec", "data", "stringData"] {
            if !body[field].is_null() {
                new[field] = body[field].clone();
            }
        }
        if !poked.is_null() {
            new["spec"]["operatorSpec"] = poked;
        }
        let annotations = body["metadata"]["annotations"].as_object().cloned().unwrap_or_default();
        let before = self.applied.insert(key.clone(), annotations.keys().cloned().collect());
        for gone in before.unwrap_or_default().iter().filter(|key| !annotations.contains_key(*key)) {
            new["metadata"]["annotations"].as_object_mut().map(|all| all.remove(gone));
        }
        for part in ["annotations", "labels"] {
            if let Some(wanted) = body["metadata"][part].as_object() {
                json_patch::merge(&mut new["metadata"][part], &json!(wanted));
            }
        }
        if !body["metadata"]["ownerReferences"].is_null() {
            new["metadata"]["ownerReferences"] = body["metadata"]["ownerReferences"].clone();
        }
    }

    fn create_applied(&mut self, key: &Key, body: Value) -> Value {
        let annotations = body["metadata"]["annotations"].as_object().cloned().unwrap_or_default();
        self.applied.insert(key.clone(), annotations.keys().cloned().collect());
        self.create(key, body)
    }

    /// Stores a new object, under a uid of its own.
    pub(super) fn create(&mut self, key: &Key, mut object: Value) -> Value {
        self.version += 1;
        let metadata = object["metadata"].as_object_mut().unwrap();
        metadata.insert("namespace".to_owned(), json!(key.1));
        metadata.insert("name".to_owned(), json!(key.2));
        metadata.insert("uid".to_owned(), json!(format!("uid-{}", self.version)));
        metadata.insert("generation".to_owned(), json!(1));
        let created = Timestamp::from_second(self.now.as_second()).unwrap();
        metadata.insert("creationTimestamp".to_owned(), json!(created.to_string()));
        // What comes back from the past is new.
        metadata.remove("deletionTimestamp");
        drop_empty_finalizers(&mut object);
        let metadata = object["metadata"].as_object_mut().unwrap();
        metadata.insert("resourceVersion".to_owned(), json!(self.version.to_string()));
        self.objects.insert(key.clone(), object.clone());
        object
    }

    /// Stores a changed object; one that was only waited for goes.
    pub(super) fn replace(&mut self, key: &Key, mut new: Value) -> Value {
        let Some(old) = self.objects.get(key) else { return new };
        drop_empty_finalizers(&mut new);
        if *old == new {
            return new;
        }
        if old["spec"] != new["spec"] {
            new["metadata"]["generation"] =
                json!(old["metadata"]["generation"].as_u64().unwrap_or_default() + 1);
        }
        self.version += 1;
        new["metadata"]["resourceVersion"] = json!(self.version.to_string());
        let holds = new["metadata"]["finalizers"].as_array().is_some_and(|all| !all.is_empty());
        if !new["metadata"]["deletionTimestamp"].is_null() && !holds {
            self.objects.remove(key);
            self.applied.remove(key);
        } else {
            self.objects.insert(key.clone(), new.clone());
        }
        new
    }

    /// Deletes an object, or marks it as one that goes while somebody's finalizer holds it.
    pub(super) fn delete(&mut self, key: &Key) -> Value {
        let Some(mut object) = self.objects.get(key).cloned() else { return Value::Null };
        if object["metadata"]["deletionTimestamp"].is_null() {
            let now = Timestamp::from_second(self.now.as_second()).unwrap();
            object["metadata"]["deletionTimestamp"] = json!(now.to_string());
        }
        self.replace(key, object)
    }

    /// What Kubernetes' garbage collector does: what belongs to something that is gone goes.
    pub(super) fn collect_garbage(&mut self) {
        let uids: BTreeSet<String> = self
            .objects
            .values()
            .filter_map(|object| object["metadata"]["uid"].as_str())
            .map(str::to_owned)
            .collect();
        let is_orphan = |object: &Value| {
            object["metadata"]["ownerReferences"].as_array().is_some_and(|owners| {
                !owners.is_empty()
                    && owners.iter().all(|owner| !uids.contains(owner["uid"].as_str().unwrap()))
            })
        };
        let orphans: Vec<Key> =
            self.objects.iter().filter(|(_, object)| is_orphan(object)).map(|(key, _)| key.clone()).collect();
        for orphan in orphans {
            self.delete(&orphan);
        }
    }
}
