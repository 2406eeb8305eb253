//! An API server that takes every write and remembers it.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex},
};

use axum::{
    body::Bytes,
    http::{Method, Request, Response},
};
use http_body_util::{BodyExt, Full};
use kube::client::Body;
use serde_json::{Value, json};
use tower::service_fn;

use super::THE_ROOTS;
use crate::trust::ROOTS;

/// What it takes the time for: [`super::noon`].
const NOON: &str = "Tue, 24 Nov 2026 12:05:00 GMT";

/// What was asked of it, in order.
#[derive(Clone, Default)]
pub(super) struct ApiServer {
    cluster: Arc<Vec<Value>>,
    /// By a part of the path of a write.
    refuses: Arc<BTreeMap<String, Value>>,
    /// The write that is refused, by its place among all of them, and the code.
    refuses_one: Option<(usize, u16)>,
    /// Each write by its method and its kind, also those that were refused.
    asked: Arc<Mutex<Vec<String>>>,
    /// What was looked at, by its path.
    looked_at: Arc<Mutex<Vec<String>>>,
    writes: Arc<Mutex<Vec<Write>>>,
}

struct Write {
    method: Method,
    path: String,
    body: Value,
}

/// A client whose requests are answered in this process.
pub(crate) fn client_of<A>(answer: impl Fn(Request<Body>) -> A + Clone + Send + 'static) -> kube::Client
where
    A: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let service = service_fn(move |request| {
        let answered = answer(request);
        async move { Ok::<_, Infallible>(answered.await) }
    });
    kube::Client::new(service, "default")
}

/// A client of which nothing is asked.
pub(crate) fn unasked() -> kube::Client {
    client_of(|request| async move { panic!("nothing is asked for: {}", request.uri()) })
}

impl ApiServer {
    pub(super) fn holding(cluster: &[Value]) -> Self {
        Self::default().with(cluster)
    }

    /// The same, holding these objects.
    pub(super) fn with(self, cluster: &[Value]) -> Self {
        Self { cluster: Arc::new(cluster.to_vec()), ..self }
    }

    pub(super) fn refusing(self, refuses: &BTreeMap<String, Value>) -> Self {
        Self { refuses: Arc::new(refuses.clone()), ..self }
    }

    pub(super) fn refusing_one(self, place: usize, code: u16) -> Self {
        Self { refuses_one: Some((place, code)), ..self }
    }

    /// Each write by its method and its kind, also those that were refused.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    pub(super) fn client(&self) -> kube::Client {
        let server = self.clone();
        client_of(move |request| {
            let server = server.clone();
            async move { server.answer(request).await }
        })
    }

    pub(super) async fn answer(&self, request: Request<Body>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path().to_owned();
        let (code, answer) = if parts.method == Method::GET {
            self.looked_at.lock().unwrap().push(path.clone());
            match self.find(&path) {
                Some(found) => (200, found.clone()),
                None => {
                    (404, json!({"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404}))
                }
            }
        } else {
            let body = body.collect().await.unwrap().to_bytes();
            let body: Value = serde_json::from_slice(&body).unwrap_or_default();
            if let Some(refusal) = self.refusal(&parts.method, &path, &body) {
                let code = u16::try_from(refusal["code"].as_u64().unwrap()).unwrap();
                return Response::builder().status(code).body(Full::from(refusal.to_string())).unwrap();
            }
            let mut answer = self.written_over(&path, &body);
            if parts.method == Method::POST {
                answer["metadata"]["uid"] = json!("new");
                answer["metadata"]["generation"] = json!(1);
            }
            self.writes.lock().unwrap().push(Write { method: parts.method, path, body });
            (200, answer)
        };
        Response::builder().status(code).header("date", NOON).body(Full::from(answer.to_string())).unwrap()
    }

    /// Why this write, which is the next one, is refused.
    fn refusal(&self, method: &Method, path: &str, body: &Value) -> Option<Value> {
        let place = {
            let mut asked = self.asked.lock().unwrap();
            asked.push(format!("{method} {}", kind(method, path)));
            asked.len() - 1
        };
        if let Some((_, code)) = self.refuses_one.filter(|(refused, _)| *refused == place) {
            return Some(json!({"kind": "Status", "status": "Failure", "message": "refused", "code": code}));
        }
        if let Some((_, answer)) = self.refuses.iter().find(|(part, _)| path.contains(*part)) {
            return Some(answer.clone());
        }
        self.is_conflict(path, body)
            .then(|| json!({"kind": "Status", "status": "Failure", "reason": "Conflict", "code": 409}))
    }

    /// Whether it is to be written over another version than the one that is there.
    fn is_conflict(&self, path: &str, body: &Value) -> bool {
        let asked = &body["metadata"]["resourceVersion"];
        let found = self.find(path.trim_end_matches("/status"));
        !asked.is_null() && found.is_some_and(|found| found["metadata"]["resourceVersion"] != *asked)
    }

    fn find(&self, path: &str) -> Option<&Value> {
        let mut parts = path.rsplit('/');
        let (name, kinds, namespace) = (parts.next()?, parts.next()?, parts.next()?);
        self.cluster.iter().find(|object| {
            let kind = object["kind"].as_str().unwrap_or_default().to_lowercase();
            object["metadata"]["name"] == name
                && object["metadata"]["namespace"] == namespace
                && (kinds == format!("{kind}s")
                    || kind.strip_suffix('y').is_some_and(|stem| kinds == format!("{stem}ies")))
        })
    }

    /// What server-side apply answers: the object in a new version.
    fn written_over(&self, path: &str, body: &Value) -> Value {
        let object = path.trim_end_matches("/status");
        let before = self.find(object).cloned().or_else(|| self.made(object)).unwrap_or_default();
        let mut answer =
            if before.is_object() { before.clone() } else { json!({"metadata": {"name": "main"}}) };
        // A merge patch, and a delete, say nothing of the rest.
        if body.is_object() {
            merge(&mut answer, body);
        }
        answer["metadata"]["resourceVersion"] =
            json!(format!("{}1", before["metadata"]["resourceVersion"].as_str().unwrap_or_default()));
        if answer["spec"].is_null() {
            answer["spec"] = json!({});
        }
        answer
    }

    /// What was created under this path.
    fn made(&self, object: &str) -> Option<Value> {
        let (kinds, name) = object.rsplit_once('/')?;
        let writes = self.writes.lock().unwrap();
        let made = |write: &&Write| {
            write.method == Method::POST && write.path == kinds && write.body["metadata"]["name"] == name
        };
        let mut made = writes.iter().find(made)?.body.clone();
        made["metadata"]["uid"] = json!("new");
        made["metadata"]["generation"] = json!(1);
        Some(made)
    }

    fn select(&self, wanted: impl Fn(&Write) -> bool, show: impl Fn(&Write) -> String) -> String {
        let writes = self.writes.lock().unwrap();
        let shown: Vec<String> = writes.iter().filter(|write| wanted(write)).map(show).collect();
        if shown.is_empty() { "nothing".to_owned() } else { shown.join("\n") }
    }

    /// Every write but those of status and events.
    pub(super) fn written(&self) -> String {
        let is_other = |write: &Write| !write.path.ends_with("/status") && !write.path.contains("/events");
        self.select(is_other, |write| {
            let mut body = write.body.clone();
            mask(&mut body);
            format!("{} {}\n{}", write.method, write.path, yaml(&body))
        })
    }

    /// What was looked at beside the caches, a line each.
    pub(super) fn looked_at(&self) -> String {
        let paths = self.looked_at.lock().unwrap();
        paths.iter().flat_map(|path| ["looks at ", path, "\n"]).collect()
    }

    /// The last status that was written.
    pub(super) fn status_written(&self) -> Option<Value> {
        let writes = self.writes.lock().unwrap();
        writes
            .iter()
            .rev()
            .find(|write| write.path.ends_with("/status"))
            .map(|write| write.body["status"].clone())
    }

    pub(super) fn status(&self) -> String {
        self.select(
            |write| write.path.ends_with("/status"),
            |write| {
                let mut status = write.body["status"].clone();
                for condition in status["conditions"].as_array_mut().into_iter().flatten() {
                    condition.as_object_mut().unwrap().remove("lastTransitionTime");
                }
                yaml(&status)
            },
        )
    }

    pub(super) fn events(&self) -> String {
        self.select(
            |write| write.path.contains("/events"),
            |write| {
                let text = |key: &str| write.body[key].as_str().unwrap_or_default().to_owned();
                format!("{} {}: {}", text("type"), text("reason"), text("note"))
            },
        )
    }
}

/// `flexibleservers`, or `databases/status`, of a path.
fn kind(method: &Method, path: &str) -> String {
    let mut parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let part = parts.pop_if(|last| *last == "status").map(|part| format!("/{part}"));
    if method != Method::POST {
        // Its name.
        parts.pop();
    }
    format!("{}{}", parts.last().unwrap(), part.unwrap_or_default())
}

/// As a merge patch: what is null goes. <https://www.rfc-editor.org/rfc/rfc7396>
fn merge(old: &mut Value, new: &Value) {
    let Some(new) = new.as_object() else {
        *old = new.clone();
        return;
    };
    if !old.is_object() {
        *old = json!({});
    }
    for (key, value) in new {
        if value.is_null() {
            old.as_object_mut().unwrap().remove(key);
        } else {
            merge(&mut old[key], value);
        }
    }
}

/// Shows what a Secret holds, and of passwords, which are new each time, and their keys, only that they are there.
fn mask(body: &mut Value) {
    if let Some(labels) = body.pointer_mut("/metadata/labels") {
        let ours = serde_json::to_value(crate::labels::owner_labels(api::DatabaseRef::new("orders", "main")))
            .unwrap();
        if *labels == ours {
            *labels = json!("as all that stands for orders/main");
        }
    }
    let is_password = |key: &str| key.starts_with("password-");
    if let Some(data) = body.get_mut("data").and_then(Value::as_object_mut) {
        let shown = std::mem::take(data).into_iter().map(|(key, value)| {
            let bytes: k8s_openapi::ByteString = serde_json::from_value(value).unwrap();
            let text = String::from_utf8(bytes.0).unwrap();
            // A new one is as long as all new ones are.
            if is_password(&key) && text.len() == 40 {
                ("password-NEW".to_owned(), json!("a new one"))
            } else {
                (key, json!(text.replace(ROOTS, THE_ROOTS)))
            }
        });
        *data = shown.collect();
    }
    let key = body.pointer_mut("/spec/administratorLoginPassword/key");
    if let Some(key) = key.filter(|key| key.as_str().is_some_and(|key| !key.starts_with("password-2020"))) {
        *key = json!("password-NEW");
    }
}

fn yaml(value: &Value) -> String {
    serde_saphyr::to_string(value).unwrap().trim_end().to_owned()
}
