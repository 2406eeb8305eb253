//! Reviews go on while the leaf and the CA are replaced and a replica restarts.

use std::{
    io::{self, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use api::Database;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::{
    Api, Client,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::{
    certificate::{Cluster, NAMESPACE, SECRET},
    common::{Story, api_server::client, eventually},
};

/// As many reviews as there must be at least.
const REVIEWS: usize = 1_000;
/// Clients that ask at the same time.
const CLIENTS: usize = 6;

/// Stands before the replicas as a Service does: a new connection goes to one that is ready, an old one stays where
/// it is.
struct Balancer {
    replicas: Vec<(SocketAddr, SocketAddr)>,
    next: AtomicUsize,
}

impl Balancer {
    fn listen(address: SocketAddr, replicas: Vec<(SocketAddr, SocketAddr)>) -> io::Result<()> {
        let listener = TcpListener::bind(address)?;
        let balancer = Arc::new(Self { replicas, next: AtomicUsize::new(0) });
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let balancer = balancer.clone();
                thread::spawn(move || balancer.forward(&client));
            }
        });
        Ok(())
    }

    fn forward(&self, client: &TcpStream) {
        let tries =
            std::iter::repeat_with(|| self.next.fetch_add(1, Ordering::Relaxed) % self.replicas.len());
        for (listen, admin) in tries.take(20).map(|index| self.replicas[index]) {
            if is_ready(admin)
                && let Ok(server) = TcpStream::connect(listen)
            {
                return join(client, &server);
            }
            // As long as no replica is ready, a Service has no endpoint either.
            thread::sleep(Duration::from_millis(50));
        }
    }
}

fn is_ready(admin: SocketAddr) -> bool {
    ask_admin(admin, "/readyz").is_ok_and(|answer| answer.starts_with("HTTP/1.0 200"))
}

fn ask_admin(admin: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&admin, Duration::from_secs(1))?;
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n")?;
    io::read_to_string(stream)
}

/// The sum of a metric over its labels.
fn metric(admin: SocketAddr, name: &str) -> u64 {
    let metrics = ask_admin(admin, "/metrics").unwrap();
    let values = metrics.lines().filter_map(|line| {
        let rest = line.strip_prefix("database_operator_")?.strip_prefix(name)?;
        let labels_and_value = rest.starts_with([' ', '{']).then_some(rest)?;
        labels_and_value.rsplit(' ').next()?.parse::<u64>().ok()
    });
    values.sum()
}

fn reviews(admin: SocketAddr) -> u64 {
    metric(admin, "admission_reviews_total")
}

/// When the leaf and the CA of it expire.
fn expiry(admin: SocketAddr) -> (u64, u64) {
    (metric(admin, "certificate_not_after_seconds"), metric(admin, "certificate_authority_not_after_seconds"))
}

fn join(one: &TcpStream, other: &TcpStream) {
    let copy = |mut from: &TcpStream, mut to: &TcpStream| {
        // A connection that breaks is the load's to notice.
        drop(io::copy(&mut from, &mut to));
        drop(to.shutdown(Shutdown::Write));
    };
    thread::scope(|scope| {
        scope.spawn(|| copy(one, other));
        copy(other, one);
    });
}

/// Has the API server speak HTTP/1.1, as it does to a Service, so that its requests are spread over the replicas: with one
/// connection of HTTP/2 one of them would answer all. It doesn't take 0.0.0.0 for a loopback address, and Linux does.
fn ask_as_a_service(cluster: &Cluster, address: SocketAddr) {
    for kind in ["validatingwebhookconfiguration", "mutatingwebhookconfiguration"] {
        let text = cluster.kubectl(&["get", kind, NAMESPACE, "--output=json"]);
        let webhooks = serde_json::from_str::<Value>(&text).unwrap()["webhooks"].take();
        let patch = webhooks.as_array().unwrap().iter().enumerate().map(|(index, webhook)| {
            let url = webhook["clientConfig"]["url"].as_str().unwrap();
            let url = url.replace(&address.to_string(), &format!("0.0.0.0:{}", address.port()));
            json!({"op": "replace", "path": format!("/webhooks/{index}/clientConfig/url"), "value": url})
        });
        let patch = patch.collect::<Value>().to_string();
        cluster.kubectl(&["patch", kind, NAMESPACE, "--type=json", "--patch", &patch]);
    }
}

pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// One review of each kind, each a server-side dry run; what came otherwise than it must is told.
async fn ask(client: &Client, namespace: &str, number: usize) -> Result<(), String> {
    let databases: Api<Database> = Api::namespaced(client.clone(), namespace);
    let apply = PatchParams { dry_run: true, ..PatchParams::apply("load").force() };
    let dry = DeleteParams { dry_run: true, ..DeleteParams::default() };
    let database = |name: &str, spec: Value| {
        json!({
            "apiVersion": "altinn.app/v1alpha1", "kind": "Database",
            "metadata": {"name": name, "namespace": namespace}, "spec": spec,
        })
    };
    let patched = async |name: &str, spec: Value| {
        databases.patch(name, &apply, &Patch::Apply(database(name, spec))).await
    };
    match number % 8 {
        // Without the mutating webhook there would be no size.
        0 => match patched(&format!("new-{number}"), json!({})).await {
            Ok(made) if made.spec.sku.as_deref() == Some("Standard_B1ms") => Ok(()),
            other => Err(format!("a creation: {other:?}")),
        },
        1 => {
            refused(patched(&format!("new-{number}"), json!({"sku": "banana", "version": 9})).await, "DB115")
        }
        2 => {
            patched("main", json!({"sku": "Standard_B2s"})).await.map(drop).map_err(|error| error.to_string())
        }
        3 => refused(patched("main", json!({"sku": "Standard_E64ds_v5"})).await, "DB101"),
        4 => databases.delete("kept", &dry).await.map(drop).map_err(|error| error.to_string()),
        // Nothing but the webhook refuses this one.
        5 => refused(databases.delete("later", &dry).await, "DB203"),
        // The API server would go without these two: then the answer would be another.
        6 => {
            let maps: Api<ConfigMap> = Api::namespaced(client.clone(), NAMESPACE);
            let broken = json!({
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "database-policy"},
                "data": {"policy.yaml": "azure: ["},
            });
            refused(maps.patch("database-policy", &apply, &Patch::Apply(broken)).await, "DB402")
        }
        _ => refused(Api::<Namespace>::all(client.clone()).delete(namespace, &dry).await, "DB301"),
    }
}

fn refused<T: std::fmt::Debug>(result: kube::Result<T>, code: &str) -> Result<(), String> {
    match result {
        Err(kube::Error::Api(status)) if status.code == 403 && status.message.contains(code) => Ok(()),
        other => Err(format!("not refused with {code}: {other:?}")),
    }
}

/// Ends when each replica shows the new leaf, and tells when it expires.
fn replace_leaf(cluster: &Cluster, places: &[(SocketAddr, SocketAddr)]) {
    let before = cluster.leaf();
    let expired: Vec<_> = places.iter().map(|(_, admin)| expiry(*admin)).collect();
    cluster.kubectl(&["annotate", "secret", SECRET, "altinn.app/rotate=leaf"]);
    eventually("the leaf is replaced", || (cluster.leaf() != before).then_some(()));
    for ((listen, admin), (leaf, authority)) in places.iter().zip(expired) {
        eventually("the new leaf is served", || (cluster.served(*listen) == cluster.leaf()).then_some(()));
        eventually("the metric has the new leaf's end", || (expiry(*admin).0 > leaf).then_some(()));
        assert_eq!(expiry(*admin).1, authority);
    }
}

#[test]
fn a_thousand_reviews_go_on_while_leaf_and_ca_are_replaced_and_a_replica_restarts() {
    let cluster = Cluster::start();
    let listen = cluster.arguments.iter().rposition(|argument| argument == "--listen").unwrap();
    let address: SocketAddr = cluster.arguments[listen + 1].parse().unwrap();
    let places = [(free_address(), free_address()), (free_address(), free_address())];
    let replica = |name: &str, (listen, admin): (SocketAddr, SocketAddr)| {
        cluster.replica(
            name,
            &[
                "--certificate-check=500ms",
                "--ca-settle=3s",
                "--ca-overlap=8s",
                "--tls-name=127.0.0.1",
                "--tls-name=0.0.0.0",
                "--settle=3s",
                &format!("--listen={listen}"),
                &format!("--admin-listen={admin}"),
            ],
        )
    };
    let mut one = replica("one", places[0]);
    let _two = replica("two", places[1]);
    Balancer::listen(address, places.to_vec()).unwrap();
    ask_as_a_service(&cluster, address);
    eventually("both replicas are ready", || places.iter().all(|(_, admin)| is_ready(*admin)).then_some(()));
    let story = Story::new(&cluster.sandbox, "steady");
    for name in ["main", "kept", "later"] {
        story.database(name, "{}").succeeded();
    }
    for (name, retention) in [("kept", "Retain"), ("later", "Destroy")] {
        let set = format!("altinn.app/retention={retention}");
        story.kubectl(&["annotate", "database", name, &set]).succeeded();
    }
    // The admission policy doesn't know what day it is.
    let expired = "altinn.app/confirm-destroy=steady/later@2026-01-01";
    story.kubectl(&["annotate", "database", "later", expired]).succeeded();

    let (count, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let failures: Arc<Mutex<Vec<String>>> = Arc::default();
    let load = {
        let (count, done, failures) = (count.clone(), done.clone(), failures.clone());
        let kubeconfig = cluster.sandbox.kubeconfig().to_owned();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let client = client(&kubeconfig).await;
                let clients = (0..CLIENTS).map(|_| async {
                    while !done.load(Ordering::Relaxed) {
                        let number = count.fetch_add(1, Ordering::Relaxed);
                        if let Err(failure) = ask(&client, "steady", number).await {
                            failures.lock().unwrap().push(failure);
                        }
                    }
                });
                futures::future::join_all(clients).await;
            });
        })
    };

    let admins = places.map(|(_, admin)| admin);
    eventually("both replicas answer", || admins.iter().all(|admin| reviews(*admin) > 0).then_some(()));
    let authority_end = expiry(admins[0]).1;
    replace_leaf(&cluster, &places);
    let authority = cluster.published();
    cluster.kubectl(&["annotate", "secret", SECRET, "altinn.app/rotate=ca"]);
    eventually("both CAs are published", || (cluster.published().len() == 2).then_some(()));

    // In the middle of it all a replica goes, as a rollout would have it, and comes again.
    let pid = one.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let answer = eventually("it is unready", || {
        let answer = ask_admin(admins[0], "/readyz").unwrap();
        answer.starts_with("HTTP/1.0 503").then_some(answer)
    });
    assert!(answer.ends_with("\r\n\r\nstopping\n"), "{answer}");
    // Who hasn't heard of it yet is served as before.
    assert!(!cluster.served(places[0].0).is_empty());
    let before = reviews(admins[1]);
    assert!(one.child.wait().unwrap().success());
    drop(one);
    let _one = replica("one-again", places[0]);
    eventually("the replica is ready again", || is_ready(admins[0]).then_some(()));
    eventually("both replicas answer again", || {
        (reviews(admins[0]) > 0 && reviews(admins[1]) > before).then_some(())
    });
    eventually("the new CA alone is published", || {
        let published = cluster.published();
        (published.len() == 1 && published != authority).then_some(())
    });
    for (listen, admin) in places {
        assert_eq!(cluster.served(listen), cluster.leaf());
        eventually("the metric has the new CA's end", || (expiry(admin).1 > authority_end).then_some(()));
    }
    eventually("there were enough reviews", || (count.load(Ordering::Relaxed) >= REVIEWS).then_some(()));
    done.store(true, Ordering::Relaxed);
    load.join().unwrap();

    let failures = failures.lock().unwrap();
    assert!(
        failures.is_empty(),
        "{} of {count:?} failed: {:#?}",
        failures.len(),
        &failures[..failures.len().min(5)]
    );
}
