//! A client that writes what the controller writes, and nothing else: no caches, no comparing, no waiting for Azure.

use std::sync::Arc;

use futures::StreamExt;
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::{
    Api, Client,
    api::{ListParams, Patch, PatchParams},
    core::{ApiResource, DynamicObject},
};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;

use crate::{
    databases::{self, Plain, TOGETHER, name, namespace},
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
        let api: Api<DynamicObject> =
            Api::namespaced_with(client.clone(), &namespace(0), &databases::resource());
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

/// Writes the objects of each database that was made, of so many at the same time as the controller reconciles.
pub fn start(client: &Client, made: mpsc::UnboundedReceiver<Made>, template: Template) {
    let (client, template) = (client.clone(), Arc::new(template));
    tokio::spawn(UnboundedReceiverStream::new(made).for_each_concurrent(TOGETHER, move |made| {
        let (client, template) = (client.clone(), template.clone());
        async move {
            for (resource, object) in &template.objects {
                apply(&client, resource, &template.of(&made, object)).await;
            }
            let status = template.of(&made, &template.status);
            let databases: Api<Plain> =
                Api::namespaced_with(client, &namespace(made.number), &databases::resource());
            let body = json!({
                "apiVersion": "altinn.app/v1alpha1", "kind": "Database",
                "metadata": {"name": name(made.number)}, "status": status,
            });
            let parameters = PatchParams::apply("database-operator-status").force();
            databases.patch_status(&name(made.number), &parameters, &Patch::Apply(body)).await.unwrap();
        }
    }));
}

async fn apply(client: &Client, resource: &ApiResource, object: &Value) {
    let (namespace, name) = (&object["metadata"]["namespace"], &object["metadata"]["name"]);
    let (namespace, name) = (namespace.as_str().unwrap(), name.as_str().unwrap());
    let api: Api<Plain> = Api::namespaced_with(client.clone(), namespace, resource);
    let parameters = PatchParams::apply("database-operator").force();
    api.patch(name, &parameters, &Patch::Apply(object)).await.unwrap();
}
