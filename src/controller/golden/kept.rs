//! One pass over one `RetainedDatabase`, told as directories, as those over a `Database` are: `kept/<case>/there.yaml` has the
//! record and what differs from a server at work. What needs more than one pass, or caches that are behind, is in `records.rs`.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
    time::Instant,
};

use api::RetainedDatabase;
use kube::runtime::controller::Action;
use rstest::rstest;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Inside, Policy, There, api_server::ApiServer, context, snapshots_beside, told};
use crate::controller::{
    access::Accesses,
    engine::cache::Health,
    retained::reconcile::reconcile,
    server::{caches::Caches, context::Context, error::Error},
};

pub(super) const SERVER: &str = "prod-1-orders-main-fa6e2486";

pub(super) fn there() -> There {
    static READY: LazyLock<There> = LazyLock::new(|| {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/controller/golden/cases/ready/there.yaml");
        There::read(path.as_ref())
    });
    READY.clone()
}

/// All that stands for orders/main, at work, with this change to its server's metadata.
pub(super) fn at_work(metadata: &Value) -> Vec<Value> {
    let mut cluster = there().cluster;
    let server = cluster.iter_mut().find(|object| object["kind"] == "FlexibleServer").unwrap();
    server["metadata"].as_object_mut().unwrap().extend(metadata.as_object().unwrap().clone());
    cluster
}

pub(super) fn record(reason: &str, annotations: &Value) -> Value {
    let destroy = (reason == "Destroying").then(|| json!({"requestedAt": "2026-11-24T12:00:00Z"}));
    json!({
        "apiVersion": "altinn.app/v1alpha1", "kind": "RetainedDatabase",
        "metadata": {
            "name": SERVER, "namespace": "database-operator", "generation": 1, "resourceVersion": "9",
            "uid": "r", "creationTimestamp": "2026-11-24T12:00:00Z", "annotations": annotations,
        },
        "spec": {
            "database": "orders/main", "server": {"name": SERVER}, "reason": "Deleted",
            "since": "2026-11-24T12:00:00Z",
        },
        "status": {"uid": "r", "destroy": destroy, "conditions": [{
            "type": "Ready", "status": "False", "reason": reason, "message": "",
            "lastTransitionTime": "2026-11-24T12:00:00Z",
        }]},
    })
}

/// The annotations with which its end is asked for.
pub(super) fn destroy() -> Value {
    json!({"altinn.app/retention": "Destroy", "altinn.app/confirm-destroy": "orders/main@2026-11-25"})
}

/// Whether the server was looked for anew, before the pass.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Look {
    Old,
    Fresh,
}

pub(super) async fn pass_with(record: &Value, cluster: &[Value], caches: Caches, look: Look) -> ApiServer {
    let (server, outcome) = pass_at(
        Arc::new(Accesses::new().0),
        ApiServer::default(),
        there().policy,
        record,
        cluster,
        caches,
        look,
    )
    .await;
    outcome.unwrap();
    server
}

/// A pass over the record at an API server that holds it beside the others, with what is known of the server inside.
async fn pass_at(
    accesses: Arc<Accesses>,
    server: ApiServer,
    policy: Option<Policy>,
    record: &Value,
    cluster: &[Value],
    caches: Caches,
    look: Look,
) -> (ApiServer, Result<Action, Error>) {
    let all = [cluster.to_vec(), vec![record.clone()]].concat();
    let server = server.with(&all);
    let there = There { cluster: all, policy, ..there() };
    let context = Context { caches, accesses, ..context(&there, server.client()) };
    if look == Look::Fresh {
        context.looks.asked(SERVER, Some("an older object".to_owned()));
    }
    let record: RetainedDatabase = serde_json::from_value(record.clone()).unwrap();
    let outcome = Box::pin(reconcile(Arc::new(record), Arc::new(context))).await;
    (server, outcome)
}

pub(super) async fn pass(record: &Value, cluster: &[Value]) -> ApiServer {
    pass_with(record, cluster, Caches::holding(cluster, &Health::Synced), Look::Old).await
}

pub(super) async fn pass_after_a_look(record: &Value, cluster: &[Value]) -> ApiServer {
    pass_with(record, cluster, Caches::holding(cluster, &Health::Synced), Look::Fresh).await
}

/// What there is before the pass.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    /// What the case is about, for who reads it.
    #[allow(dead_code, reason = "people read it")]
    about: String,
    /// What the record has otherwise than one that is kept for ever.
    #[serde(default)]
    pub(super) record: serde_json::Map<String, Value>,
    /// What the objects of the server have otherwise than those of one at work, by their kind; `null` for one that isn't there.
    #[serde(default)]
    changes: serde_json::Map<String, Value>,
    /// What else there is.
    #[serde(default)]
    beside: Vec<Value>,
    /// Whether Azure was asked a moment ago what there is.
    #[serde(default)]
    looked: bool,
    #[serde(default)]
    without_aso: bool,
    /// What was found inside of the server a moment ago.
    #[serde(default)]
    inside: Option<Inside>,
    /// Instead of the example, as in the cases of a `Database`.
    #[serde(default)]
    policy: Option<Policy>,
}

impl Kept {
    pub(super) fn read(path: &Path) -> Self {
        serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    /// A pass over the record of this case.
    pub(super) async fn pass(self, server: ApiServer) -> (ApiServer, Result<Action, Error>) {
        let mut record = record("Kept", &json!({}));
        json_patch::merge(&mut record, &Value::Object(self.record.clone()));
        let cluster = self.cluster();
        let health = if self.without_aso { Health::UnknownKind } else { Health::Synced };
        let look = if self.looked { Look::Fresh } else { Look::Old };
        let caches = || Caches::holding(&cluster, &health);
        let (accesses, mut queues) = Accesses::new();
        let accesses = Arc::new(accesses);
        if let Some(inside) = &self.inside {
            let (other, policy) = (ApiServer::default(), self.policy.clone());
            let asks = pass_at(accesses.clone(), other, policy, &record, &cluster, caches(), look);
            asks.await.1.unwrap();
            let job = queues.next().expect("a pass asks for a look");
            accesses.found(&job, inside.outcome(), Instant::now());
        }
        pass_at(accesses, server, self.policy, &record, &cluster, caches(), look).await
    }

    pub(super) fn cluster(&self) -> Vec<Value> {
        let mut cluster = there().cluster;
        for (kind, change) in &self.changes {
            let is_of_kind = |object: &Value| object["kind"] == kind.as_str();
            assert!(cluster.iter().any(is_of_kind), "there is no {kind}");
            if change.is_null() {
                cluster.retain(|object| !is_of_kind(object));
            }
            for object in cluster.iter_mut().filter(|object| is_of_kind(object)) {
                json_patch::merge(object, change);
            }
        }
        [cluster, self.beside.clone()].concat()
    }
}

#[rstest]
#[tokio::test]
async fn a_pass_over_a_record_writes_what_differs_and_tells_the_truth(
    #[files("src/controller/golden/kept/*/there.yaml")] path: PathBuf,
) {
    let (server, outcome) = Kept::read(&path).pass(ApiServer::default()).await;
    let again = told(&outcome.unwrap());

    snapshots_beside(&path).bind(|| {
        insta::assert_snapshot!("written", format!("{}{}\n{again}", server.looked_at(), server.written()));
        insta::assert_snapshot!("status", server.status());
        insta::assert_snapshot!("events", server.events());
    });
}
