//! Reads of the API server from within this process. Who waits looks many times, and each kubectl is a process of its own that
//! takes the CPU from what is waited for.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{LazyLock, Mutex, PoisonError},
};

use axum::http::Request;
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use sandbox::Sandbox;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

/// Group with version, plural, and whether it lies in a namespace, by each of the names that stories use.
fn resource(kind: &str) -> (&'static str, &'static str, bool) {
    const AZURE: &str = "apis/dbforpostgresql.azure.com/v20250801";
    const IDENTITY: &str = "apis/managedidentity.azure.com/v1api20230131";
    match kind {
        "database" | "databases" => ("apis/altinn.app/v1alpha1", "databases", true),
        "retaineddatabases" | "rdb" => ("apis/altinn.app/v1alpha1", "retaineddatabases", true),
        "flexibleserver" | "flexibleservers" => (AZURE, "flexibleservers", true),
        "flexibleserversdatabase" | "flexibleserversdatabases" => (AZURE, "flexibleserversdatabases", true),
        "flexibleserversadministrators" => (AZURE, "flexibleserversadministrators", true),
        "flexibleserversfirewallrules" => (AZURE, "flexibleserversfirewallrules", true),
        "flexibleserversconfigurations" => (AZURE, "flexibleserversconfigurations", true),
        "userassignedidentity" | "userassignedidentities" => (IDENTITY, "userassignedidentities", true),
        "federatedidentitycredential" | "federatedidentitycredentials" => {
            (IDENTITY, "federatedidentitycredentials", true)
        }
        "backupvaultsbackupinstance" | "backupvaultsbackupinstances" => {
            ("apis/dataprotection.azure.com/v1api20231101", "backupvaultsbackupinstances", true)
        }
        "gitrepository" => ("apis/source.toolkit.fluxcd.io/v1", "gitrepositories", true),
        "kustomization" => ("apis/kustomize.toolkit.fluxcd.io/v1", "kustomizations", true),
        "configmap" => ("api/v1", "configmaps", true),
        "event" => ("api/v1", "events", true),
        "secret" | "secrets" => ("api/v1", "secrets", true),
        "serviceaccount" => ("api/v1", "serviceaccounts", true),
        "namespace" => ("api/v1", "namespaces", false),
        "clusterrole" => ("apis/rbac.authorization.k8s.io/v1", "clusterroles", false),
        "customresourcedefinition" => ("apis/apiextensions.k8s.io/v1", "customresourcedefinitions", false),
        _ => panic!("where is the kind {kind}?"),
    }
}

fn path(kind: &str, namespace: &str) -> String {
    let (group, plural, is_namespaced) = resource(kind);
    if is_namespaced {
        format!("/{group}/namespaces/{namespace}/{plural}")
    } else {
        format!("/{group}/{plural}")
    }
}

/// The object; `None` when it doesn't exist.
#[track_caller]
pub fn object(sandbox: &Sandbox, kind: &str, namespace: &str, name: &str) -> Option<Value> {
    read(sandbox, &format!("{}/{name}", path(kind, namespace)))
}

/// Objects of a kind, by a query as `labelSelector=...`.
#[track_caller]
pub fn objects(sandbox: &Sandbox, kind: &str, namespace: &str, query: &str) -> Vec<Value> {
    let list = read(sandbox, &format!("{}?{query}", path(kind, namespace)));
    match list.map(|mut list| list["items"].take()) {
        Some(Value::Array(items)) => items,
        other => panic!("no list of {kind}: {other:?}"),
    }
}

#[track_caller]
fn read(sandbox: &Sandbox, path: &str) -> Option<Value> {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
        Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
    });
    static CLIENTS: LazyLock<Mutex<HashMap<PathBuf, Client>>> = LazyLock::new(Mutex::default);
    let client = CLIENTS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .entry(sandbox.kubeconfig().to_owned())
        .or_insert_with_key(|kubeconfig| RUNTIME.block_on(client(kubeconfig)))
        .clone();
    let request = Request::get(path).body(Vec::new()).expect("a path");
    match RUNTIME.block_on(client.request::<Value>(request)) {
        Ok(found) => Some(found),
        // That of a kind which isn't there has no reason.
        Err(kube::Error::Api(status)) if status.reason == "NotFound" => None,
        Err(error) => panic!("{path} can't be read: {error}"),
    }
}

/// A client of whoever the kubeconfig is for.
pub async fn client(kubeconfig: impl AsRef<Path>) -> Client {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).expect("a kubeconfig");
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    Client::try_from(config.expect("a kubeconfig")).expect("a client")
}
