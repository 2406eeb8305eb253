//! The controller is killed at each write of the longest ways that data take: when a `Database` goes, when it comes back, and
//! when another one begins with its data. Enumerated, not sampled. The next start ends in the right state.
//! `controller::model::each_write` walks the others in memory.

use std::{
    fs,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::Method,
    response::Response,
};
use kube::Client;
use sandbox::Options;
use serde_json::Value;

use crate::{
    certificate::Cluster,
    common::{
        CREDENTIAL, FIREWALL_RULE, IDENTITY, SERVER, Story, api_server, azure_requests, back_up_at_once,
        database, database_from, eventually, ready,
    },
    killed::{cluster, controller, free_the_lease},
};

/// Stands between a controller and the API server. It lets so many writes pass that tell of a namespace; of the one after
/// them the controller never hears an answer, and no later one gets through.
pub(crate) struct Gate {
    api_server: Client,
    namespace: String,
    pass: usize,
    writes: AtomicUsize,
    has_struck: AtomicBool,
}

impl Gate {
    /// Opens it, and writes the kubeconfig of who goes through it. It ends with the runtime.
    pub(crate) fn open(
        runtime: &tokio::runtime::Runtime,
        cluster: &Cluster,
        namespace: &str,
        pass: usize,
    ) -> (Arc<Self>, PathBuf) {
        runtime.block_on(async {
            let gate = Arc::new(Self {
                api_server: api_server::client(cluster.kubeconfig()).await,
                namespace: namespace.to_owned(),
                pass,
                writes: AtomicUsize::new(0),
                has_struck: AtomicBool::new(false),
            });
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let path = cluster.sandbox.directory().join("gate.kubeconfig");
            fs::write(&path, kubeconfig_of(listener.local_addr().unwrap())).unwrap();
            let router = Router::new().fallback(forward).with_state(gate.clone());
            tokio::spawn(async move { axum::serve(listener, router).await });
            (gate, path)
        })
    }

    /// Whether the controller is at that write.
    pub(crate) fn has_struck(&self) -> bool {
        self.has_struck.load(Ordering::SeqCst)
    }

    /// The number of this write, if it is one that counts: the Lease and events hold no data.
    fn number(&self, request: &Request) -> Option<usize> {
        let path = request.uri().path();
        let counts = request.method() != Method::GET
            // A record's name stands in what is created.
            && (path.contains(&self.namespace) || path.ends_with("/retaineddatabases"))
            && !path.contains("/leases/")
            && !path.contains("/events");
        counts.then(|| self.writes.fetch_add(1, Ordering::SeqCst))
    }
}

fn kubeconfig_of(address: SocketAddr) -> String {
    format!(
        "{{apiVersion: v1, kind: Config, current-context: gate, contexts: [{{name: gate, context: {{cluster: gate, user: \
         gate}}}}], clusters: [{{name: gate, cluster: {{server: \"http://{address}\"}}}}], users: [{{name: gate, user: {{}}}}]}}"
    )
}

async fn forward(State(gate): State<Arc<Gate>>, request: Request) -> Response {
    let number = gate.number(&request);
    if number.is_some_and(|number| number > gate.pass) {
        return std::future::pending().await;
    }
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let mut asked = axum::http::Request::builder().method(parts.method).uri(parts.uri);
    for name in ["accept", "content-type"] {
        if let Some(value) = parts.headers.get(name) {
            asked = asked.header(name, value);
        }
    }
    let asked = asked.body(kube::client::Body::from(body.to_vec())).unwrap();
    let answer = gate.api_server.send(asked).await.unwrap();
    if number == Some(gate.pass) {
        gate.has_struck.store(true, Ordering::SeqCst);
        return std::future::pending().await;
    }
    answer.map(Body::new)
}

/// A way, in a namespace of its own for each write.
struct Way<'a, T> {
    name: &'static str,
    /// More writes than it has.
    many: usize,
    /// What is there before it begins.
    first: fn(&Story<'_>),
    /// With a controller at work, before it begins. Gives what is to be compared afterwards.
    before: &'a dyn Fn(&Story<'_>) -> T,
    /// What people do, while no controller is there.
    begin: &'a dyn Fn(&Story<'_>),
    /// Whether it has come to its end.
    is_over: fn(&Story<'_>) -> bool,
    /// What must hold then, with what was given before.
    holds: &'a dyn Fn(&Story<'_>, T),
}

/// A database that is ready comes first.
fn has_a_database(story: &Story<'_>) {
    story.database("main", "{}").succeeded();
}

/// Gives the number of writes that it has.
fn walk<T>(cluster: &Cluster, way: &Way<'_, T>) -> usize {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let new = |number| Story::new(&cluster.sandbox, &format!("{}-{number:02}", way.name));
    let stories: Vec<Story<'_>> = (0..way.many).map(new).collect();
    stories.iter().for_each(way.first);
    let prepared = controller(cluster, &[]);
    let before: Vec<T> = stories.iter().map(way.before).collect();
    drop(prepared);

    for (pass, (story, before)) in stories.iter().zip(before).enumerate() {
        (way.begin)(story);
        let (gate, kubeconfig) = Gate::open(&runtime, cluster, &story.namespace, pass);
        free_the_lease(cluster);
        let mut victim = cluster.replica_with("victim", &kubeconfig);
        eventually("the controller is at that write, or at the end", || {
            (gate.has_struck() || (way.is_over)(story)).then_some(())
        });
        let has_struck = gate.has_struck();
        victim.child.kill().unwrap();
        victim.child.wait().unwrap();
        let survivor = controller(cluster, &[]);
        eventually(&format!("write {pass} of {}: the next start brings it to its end", way.name), || {
            (way.is_over)(story).then_some(())
        });
        (way.holds)(story, before);
        drop(survivor);
        if !has_struck {
            println!("{} has {pass} writes, and was killed at each", way.name);
            return pass;
        }
    }
    panic!("{} has {} writes or more", way.name, way.many);
}

fn retain(story: &Story<'_>) {
    story.kubectl(&["annotate", "database", "main", "altinn.app/retention=Retain"]).succeeded();
    story.kubectl(&["delete", "database", "main", "--wait=false"]).succeeded();
}

pub(crate) fn is_kept(story: &Story<'_>) -> bool {
    story.get("database", "main").is_none()
        && story.record().is_some_and(|record| ready(&record)["reason"] == "Kept")
        && story.in_azure(CREDENTIAL).is_empty()
        && story.in_azure(FIREWALL_RULE).is_empty()
}

fn be_kept(story: &Story<'_>) {
    retain(story);
    eventually("it is kept", || is_kept(story).then_some(()));
}

pub(crate) fn is_destroyed(story: &Story<'_>) -> bool {
    story.get("database", "main").is_none() && story.record().is_none() && story.azure_objects().is_empty()
}

#[test]
fn killed_at_each_write_of_destroying() {
    let way = Way {
        name: "destroying",
        many: 24,
        first: has_a_database,
        before: &|story| {
            story.wait_settled("main");
            story.confirm_destroy();
        },
        begin: &|story| {
            story.kubectl(&["delete", "database", "main", "--wait=false"]).succeeded();
        },
        is_over: is_destroyed,
        holds: &|story, ()| {
            assert_eq!((story.in_azure(SERVER).len(), story.in_azure(IDENTITY).len()), (0, 0));
        },
    };
    let writes = walk(&cluster(), &way);
    assert!(writes >= 15, "{writes}");
}

/// The other Database is ready, on the server that was kept.
fn is_back_as_other(story: &Story<'_>) -> bool {
    let is_back = story.get("database", "other").is_some_and(|database| {
        ready(&database)["status"] == "True" && database["status"]["recovered"]["from"].is_string()
    });
    is_back && story.record().is_none()
}

#[test]
fn killed_at_each_write_of_recovering_as_another_database() {
    let way = Way {
        name: "elsewhere",
        many: 26,
        first: has_a_database,
        before: &|story| {
            story.wait_settled("main");
            let (born, namespace) = (story.born(), &story.namespace);
            story.allow_recovery(&format!("{namespace}/main"), &format!("{namespace}/other"));
            be_kept(story);
            born
        },
        begin: &|story| {
            let manifest = database_from("other", &format!("{}/main", story.namespace), "{}");
            eventually("the policy allows it", || story.apply(&manifest).ok.then_some(()));
        },
        is_over: is_back_as_other,
        holds: &|story, born| {
            story.data_is_kept();
            assert_eq!(story.born(), born);
            assert_eq!((story.in_azure(CREDENTIAL).len(), story.in_azure(FIREWALL_RULE).len()), (1, 1));
        },
    };
    let writes = walk(&cluster(), &way);
    assert!(writes >= 10, "{writes}");
}

/// A restore needs a platform that administers its servers. So this one has a sandbox with PostgreSQL.
fn cluster_with_postgres() -> Cluster {
    let cluster = Cluster::without("controller", &Options::default());
    back_up_at_once(&cluster.sandbox);
    cluster
}

fn is_restored(story: &Story<'_>) -> bool {
    story.get("database", "main").is_some_and(|database| {
        ready(&database)["status"] == "True" && database["status"]["restored"]["server"].is_string()
    })
}

#[test]
fn killed_at_each_write_of_restoring() {
    let cluster = cluster_with_postgres();
    let source = {
        let _prepared = controller(&cluster, &[]);
        Story::new(&cluster.sandbox, "source").with_database("{}")
    };
    let (server, born) = (source.server(), source.born());
    let way = Way {
        name: "restoring",
        many: 26,
        first: |_| {},
        before: &|story| {
            let copy = format!(
                "{{from: source/main, to: {}/main, until: UNTIL, reason: \"a story\"}}",
                story.namespace
            );
            story.allow("copies", &copy);
        },
        begin: &|story| {
            let manifest = database("main", "{restoreFrom: {database: source/main}}");
            eventually("the policy allows it", || story.apply(&manifest).ok.then_some(()));
        },
        is_over: is_restored,
        holds: &|story, ()| {
            let copy = story.server();
            let told = story.get("database", "main").unwrap()["status"]["restored"]["server"].clone();
            assert_eq!(told, server.name);
            assert_eq!((story.in_azure(CREDENTIAL).len(), story.in_azure(FIREWALL_RULE).len()), (1, 1));
            let sent = azure_requests(&cluster.sandbox).into_iter().filter_map(|request| {
                let is_taken = request.path.ends_with(&copy.name) && request.status < 300;
                request.body.filter(|body| is_taken && !body["properties"]["createMode"].is_null())
            });
            let restores: Vec<Value> = sent.collect();
            assert_eq!(restores.len(), 1, "{restores:?}");
            assert_eq!(restores[0]["properties"]["sourceServerResourceId"], server.id);
            assert_eq!(source.born(), born);
            story.data_is_unharmed();
            source.data_is_unharmed();
        },
    };
    let writes = walk(&cluster, &way);
    assert!(writes >= 15, "{writes}");
}
