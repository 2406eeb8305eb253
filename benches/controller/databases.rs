//! The databases that are applied.

use std::time::Instant;

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
    core::{DynamicObject, PartialObjectMeta},
};
use serde_json::json;

use crate::{
    names::{PER_NAMESPACE, name, namespace, resource},
    observed::Observed,
};

/// Requests that are under way at the same time: as many as the controller has reconciles.
pub const TOGETHER: usize = 16;

/// An object of which nothing but the metadata is read.
pub type Plain = PartialObjectMeta<DynamicObject>;

/// The namespaces of so many databases.
pub async fn make_namespaces(client: &Client, count: usize) {
    let api: Api<Namespace> = Api::all(client.clone());
    for name in (0..count).step_by(PER_NAMESPACE).map(namespace) {
        let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        api.patch(&name, &PatchParams::apply("bench"), &Patch::Apply(body)).await.unwrap();
    }
}

/// Applies all of them, as fast as the API server takes them.
pub async fn apply_all(client: &Client, count: usize, observed: &Observed) {
    stream::iter(0..count).for_each_concurrent(TOGETHER, |number| apply(client, number, observed)).await;
}

pub async fn apply(client: &Client, number: usize, observed: &Observed) {
    let (namespace, name) = (namespace(number), name(number));
    let api: Api<Plain> = Api::namespaced_with(client.clone(), &namespace, &resource());
    let body = json!({
        "apiVersion": "altinn.app/v1alpha1", "kind": "Database", "metadata": {"name": name}, "spec": {},
    });
    observed.sent(number, Instant::now());
    api.patch(&name, &PatchParams::apply("bench"), &Patch::Apply(body)).await.unwrap();
}
