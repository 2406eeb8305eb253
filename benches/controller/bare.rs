//! A client that writes what the controller writes, and does nothing else: no caches, no comparing, no waiting for Azure.

use std::sync::Arc;

use api::annotations::FINALIZER;
use futures::StreamExt;
use k8s_openapi::api::core::v1::{ObjectReference, Secret, ServiceAccount};
use kube::{
    Api, Client,
    api::{ListParams, Patch, PatchParams},
    core::{ApiResource, DynamicObject},
    runtime::events::{Event, EventType, Recorder, Reporter},
};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;

use crate::{
    databases::{Plain, TOGETHER},
    names::{self, name, namespace},
    observed::Made,
    responder::{KINDS, OPERATOR_NAMESPACE, resource},
};

/// What a database came to, as the controller left it: the objects in their order, and the status.
#[derive(Clone, Debug)]
pub struct Template {
    objects: Vec<(ApiResource, Value)>,
    status: Value,
    uid: String,
}

impl Template {
    /// Of the first database.
    pub async fn read(client: &Client) -> Self {
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &namespace(0), &names::resource());
        let database = api.get(&name(0)).await.unwrap();
        let labels = format!("altinn.app/database-name={}", name(0));
        let mut objects = Vec::new();
        let own = [ApiResource::erase::<ServiceAccount>(&()), ApiResource::erase::<Secret>(&())];
        for resource in KINDS.map(resource).into_iter().chain(own) {
            let is_core = resource.group.is_empty();
            let of = if is_core { namespace(0) } else { OPERATOR_NAMESPACE.to_owned() };
            let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &of, &resource);
            for object in api.list(&ListParams::default().labels(&labels)).await.unwrap() {
                objects.push((resource.clone(), written(&resource, &object)));
            }
        }
        Self { objects, status: database.data["status"].clone(), uid: database.metadata.uid.unwrap() }
    }

    /// The same for another database.
    fn of(&self, made: &Made, value: &Value) -> Value {
        let inner = |number| name(number).replace('-', "_");
        let text = value
            .to_string()
            .replace(&self.uid, &made.uid)
            .replace(&namespace(0), &namespace(made.number))
            .replace(&name(0), &name(made.number))
            .replace(&inner(0), &inner(made.number));
        serde_json::from_str(&text).unwrap()
    }
}

/// The part of an object that the controller writes.
fn written(resource: &ApiResource, object: &DynamicObject) -> Value {
    let metadata = &object.metadata;
    let mut written = object.data.clone();
    written.as_object_mut().unwrap().remove("status");
    written["apiVersion"] = json!(resource.api_version);
    written["kind"] = json!(resource.kind);
    written["metadata"] = json!({
        "name": metadata.name, "namespace": metadata.namespace, "labels": metadata.labels,
    });
    if let Some(annotations) = &metadata.annotations {
        written["metadata"]["annotations"] = json!(annotations);
    }
    if let Some(owners) = &metadata.owner_references {
        written["metadata"]["ownerReferences"] = json!(owners);
    }
    written
}

/// Objects that are written once more when they are ready, so that Azure Service Operator leaves them as they are.
const RESTING: [&str; 2] = ["FlexibleServer", "FlexibleServersDatabase"];

/// How much is written for each database.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Amount {
    /// Each object, and one status.
    Once,
    /// As many requests of each sort as the controller makes.
    Alike,
}

/// Writes the objects of each database that was made, of so many at the same time as the controller reconciles.
pub fn start(client: &Client, made: mpsc::UnboundedReceiver<Made>, template: Template, amount: Amount) {
    let writer = Arc::new(Writer { client: client.clone(), template, amount });
    tokio::spawn(UnboundedReceiverStream::new(made).for_each_concurrent(TOGETHER, move |made| {
        let writer = writer.clone();
        async move { writer.write(&made).await }
    }));
}

struct Writer {
    client: Client,
    template: Template,
    amount: Amount,
}

impl Writer {
    async fn write(&self, made: &Made) {
        let alike = self.amount == Amount::Alike;
        if alike {
            let finalizer = json!({"metadata": {"finalizers": [FINALIZER]}});
            let parameters = PatchParams::default();
            self.databases(made)
                .patch(&name(made.number), &parameters, &Patch::Merge(finalizer))
                .await
                .unwrap();
        }
        let objects: Vec<_> = self
            .template
            .objects
            .iter()
            .map(|(resource, object)| (resource, self.template.of(made, object)))
            .collect();
        for (resource, object) in &objects {
            if alike && resource.kind == "FlexibleServer" {
                let mut looking = object.clone();
                looking["spec"]["tags"] = json!({});
                self.apply(resource, &looking).await;
                self.report(made, "Unknown", "Creating").await;
            }
            if alike && resource.kind == "Secret" {
                self.plain(resource, object).get_opt(&text(object, "name")).await.unwrap();
            }
            if alike && RESTING.contains(&&*resource.kind) {
                let mut managed = object.clone();
                managed["metadata"]["annotations"]["serviceoperator.azure.com/reconcile-policy"] =
                    json!("manage");
                self.apply(resource, &managed).await;
            } else {
                self.apply(resource, object).await;
            }
        }
        if alike {
            self.report(made, "Unknown", "Configuring").await;
            for (resource, object) in objects.iter().filter(|(of, _)| RESTING.contains(&&*of.kind)) {
                self.apply(resource, object).await;
            }
        }
        self.report(made, "True", "Ready").await;
        if alike {
            self.announce(made).await;
        }
    }

    async fn apply(&self, resource: &ApiResource, object: &Value) {
        let parameters = PatchParams::apply("database-operator").force();
        let api = self.plain(resource, object);
        api.patch(&text(object, "name"), &parameters, &Patch::Apply(object)).await.unwrap();
    }

    async fn report(&self, made: &Made, ready: &str, reason: &str) {
        let mut status = self.template.of(made, &self.template.status);
        status["conditions"][0]["status"] = json!(ready);
        status["conditions"][0]["reason"] = json!(reason);
        let body = json!({
            "apiVersion": "altinn.app/v1alpha1", "kind": "Database",
            "metadata": {"name": name(made.number)}, "status": status,
        });
        let parameters = PatchParams::apply("database-operator-status").force();
        let databases = self.databases(made);
        databases.patch_status(&name(made.number), &parameters, &Patch::Apply(body)).await.unwrap();
    }

    async fn announce(&self, made: &Made) {
        let reporter = Reporter { controller: "bench".into(), instance: None };
        let event = Event {
            type_: EventType::Normal,
            reason: "Ready".to_owned(),
            note: Some("The database is ready for connections".to_owned()),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        let reference = ObjectReference {
            api_version: Some("altinn.app/v1alpha1".to_owned()),
            kind: Some("Database".to_owned()),
            name: Some(name(made.number)),
            namespace: Some(namespace(made.number)),
            uid: Some(made.uid.clone()),
            ..ObjectReference::default()
        };
        Recorder::new(self.client.clone(), reporter).publish(&event, &reference).await.unwrap();
    }

    fn databases(&self, made: &Made) -> Api<Plain> {
        Api::namespaced_with(self.client.clone(), &namespace(made.number), &names::resource())
    }

    fn plain(&self, resource: &ApiResource, object: &Value) -> Api<Plain> {
        Api::namespaced_with(self.client.clone(), &text(object, "namespace"), resource)
    }
}

fn text(object: &Value, field: &str) -> String {
    object["metadata"][field].as_str().unwrap_or_default().to_owned()
}
