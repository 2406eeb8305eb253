//! Something that the operator stands on is killed, restarted or stands still while it works; and the operator itself.

use std::{
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use sandbox::{Options, Sandbox};
use serde_json::{Value, json};

use crate::{
    certificate::{Cluster, Replica},
    common::{
        DATABASE, SERVER, Story, azure_requests, condition, eventually, lets_in, ready, set_azure_delay,
        writes_of_the_controller,
    },
};

/// A sandbox for these stories, one at a time. Azure Service Operator compares nothing here without a reason: what it
/// writes for that keeps servers busy, and the stories waiting.
pub(crate) fn cluster() -> MutexGuard<'static, Cluster> {
    static CLUSTER: OnceLock<Mutex<Cluster>> = OnceLock::new();
    CLUSTER
        .get_or_init(|| Mutex::new(Cluster::without("controller", &Options::without_postgres())))
        .lock()
        // A story that failed has said so itself.
        .unwrap_or_else(PoisonError::into_inner)
}

/// Takes the Lease from a controller that is dead for certain, so that the next one need not wait for its end.
pub(crate) fn free_the_lease(cluster: &Cluster) {
    let free = r#"{"spec": {"holderIdentity": null}}"#;
    cluster.kubectl(&["patch", "lease", "database-operator-controller", "--type=merge", "-p", free]);
}

/// A controller at work.
pub(crate) fn controller(cluster: &Cluster, flags: &[&str]) -> Replica {
    free_the_lease(cluster);
    let mut controller = cluster.replica("controller", flags);
    eventually("the controller works", || {
        still_runs(&mut controller);
        controller.log().contains("controller running").then_some(())
    });
    controller
}

/// One whose Lease outlasts all trouble: it must come through by itself, with the watches that it has.
fn steady_controller(cluster: &Cluster) -> Replica {
    controller(cluster, &["--lease-duration=5m"])
}

#[track_caller]
fn still_runs(controller: &mut Replica) {
    assert_eq!(controller.child.try_wait().unwrap(), None, "{}", controller.log());
}

/// Azure takes its time, until the end of a story, also of one that failed.
struct Slow<'a>(&'a Sandbox);

impl<'a> Slow<'a> {
    fn for_each_operation(sandbox: &'a Sandbox, delay: Duration) -> Self {
        set_azure_delay(sandbox, delay);
        Self(sandbox)
    }
}

impl Drop for Slow<'_> {
    fn drop(&mut self) {
        set_azure_delay(self.0, Duration::ZERO);
    }
}

/// A process that stands still until the end of a story, also of one that failed.
struct Paused<'a>(&'a Sandbox, &'a str);

impl<'a> Paused<'a> {
    fn now(sandbox: &'a Sandbox, process: &'a str) -> Self {
        sandbox.process(process).pause().unwrap();
        Self(sandbox, process)
    }
}

impl Drop for Paused<'_> {
    fn drop(&mut self) {
        self.0.process(self.1).resume().unwrap();
    }
}

/// A process that is dead until the end of a story, also of one that failed.
pub(crate) struct Killed<'a>(&'a Sandbox, &'a str);

impl<'a> Killed<'a> {
    pub(crate) fn now(sandbox: &'a Sandbox, process: &'a str) -> Self {
        sandbox.process(process).kill().unwrap();
        Self(sandbox, process)
    }
}

impl Drop for Killed<'_> {
    fn drop(&mut self) {
        self.0.process(self.1).start().unwrap();
    }
}

/// A database that Azure is making right now.
fn in_the_making<'a>(sandbox: &'a Sandbox, namespace: &str) -> Story<'a> {
    let story = Story::new(sandbox, namespace);
    story.database("main", "{parameters: {work_mem: \"8192\"}}").succeeded();
    eventually("Azure is making the server", || {
        let servers = story.in_azure(SERVER);
        servers.iter().any(|server| server.body["properties"]["state"] == "Provisioning").then_some(())
    });
    story
}

/// The size that a story changes to is there, on the same server as before.
fn is_resized(story: &Story<'_>, born: &str) {
    story.wait_ready("main");
    assert_eq!(story.server().body["sku"]["name"], "Standard_B2s");
    assert_eq!(story.born(), born);
    story.data_is_kept();
}

const RESIZED: &str = "{sku: Standard_B2s, parameters: {work_mem: \"8192\"}}";

#[test]
fn azure_service_operator_is_killed_while_it_makes_a_server_and_goes_on() {
    let cluster = cluster();
    let sandbox = &cluster.sandbox;
    let mut controller = steady_controller(&cluster);
    let slow = Slow::for_each_operation(sandbox, Duration::from_secs(3));
    let story = in_the_making(sandbox, "aso-killed");
    let born = story.born();
    let killed = Killed::now(sandbox, "aso");
    drop(slow);
    // Its webhooks are away, too: nothing of its kinds can be written, and nothing read that is not cached.
    story.database("main", RESIZED).succeeded();
    let told = ready(&story.wait_reason("main", "ApplyFailed"))["message"].to_string();
    drop(killed);
    assert!(told.contains("connection refused"), "{told}");
    is_resized(&story, &born);
    still_runs(&mut controller);
}

#[test]
fn the_api_server_is_killed_while_a_database_is_made_and_every_watch_goes_on() {
    let cluster = cluster();
    let sandbox = &cluster.sandbox;
    let mut controller = steady_controller(&cluster);
    let slow = Slow::for_each_operation(sandbox, Duration::from_secs(3));
    let story = in_the_making(sandbox, "api-killed");
    let born = story.born();
    drop(Killed::now(sandbox, "kube-apiserver"));
    drop(slow);
    story.wait_ready("main");
    story.database("main", RESIZED).succeeded();
    is_resized(&story, &born);
    still_runs(&mut controller);
}

#[test]
fn etcd_stands_still_for_ten_seconds_while_a_database_is_made() {
    let cluster = cluster();
    let sandbox = &cluster.sandbox;
    let mut controller = steady_controller(&cluster);
    let slow = Slow::for_each_operation(sandbox, Duration::from_secs(3));
    let story = in_the_making(sandbox, "etcd-paused");
    let born = story.born();
    let paused = Paused::now(sandbox, "etcd");
    let until = Instant::now() + Duration::from_secs(10);
    eventually("the API server can't answer", || {
        (!story.kubectl(&["get", "database", "main", "--request-timeout=1s"]).ok).then_some(())
    });
    eventually("the ten seconds are over", || (Instant::now() >= until).then_some(()));
    drop((paused, slow));
    eventually("the API server answers again", || story.database("main", RESIZED).ok.then_some(()));
    is_resized(&story, &born);
    still_runs(&mut controller);
}

#[test]
fn an_operation_of_somebody_else_on_the_server_is_waited_for() {
    let cluster = cluster();
    let sandbox = &cluster.sandbox;
    let mut controller = steady_controller(&cluster);
    let story = Story::new(sandbox, "occupied");
    story.database("main", "{}").succeeded();
    story.wait_settled("main");
    let (born, server) = (story.born(), story.server());

    let slow = Slow::for_each_operation(sandbox, Duration::from_secs(6));
    let theirs = json!({
        "apiVersion": "dbforpostgresql.azure.com/v20250801", "kind": "FlexibleServersDatabase",
        "metadata": {
            "name": "theirs",
            "annotations": {"serviceoperator.azure.com/reconcile-policy": "detach-on-delete"},
        },
        "spec": {"azureName": "theirs", "owner": {"armId": server.id}},
    });
    story.apply(&theirs.to_string()).succeeded();
    eventually("Azure is at work on it", || {
        let requests = azure_requests(sandbox);
        let is_theirs = |path: &str| path.contains(&server.name) && path.ends_with("/databases/theirs");
        requests.iter().any(|request| request.method == "PUT" && is_theirs(&request.path)).then_some(())
    });
    drop(slow);
    let tries = || {
        let requests = azure_requests(sandbox);
        let is_try = |body: Option<&Value>| body.is_some_and(|body| body["sku"]["name"] == "Standard_B2s");
        let tries = requests.iter().filter(|request| request.path.eq_ignore_ascii_case(&server.id));
        tries.filter(|request| request.method == "PUT" && is_try(request.body.as_ref())).count()
    };
    story.database("main", "{sku: Standard_B2s}").succeeded();
    eventually("Azure has refused once", || (tries() > 1).then_some(()));
    assert_eq!(condition(&story.get("database", "main").unwrap(), "Stalled"), None);
    story.wait_ready("main");
    assert_eq!(story.server().body["sku"]["name"], "Standard_B2s");
    assert_eq!(story.born(), born);
    assert_eq!(story.in_azure(DATABASE).len(), 2);
    story.data_is_unharmed();
    still_runs(&mut controller);
}

/// Databases that are made and changed while the controller is killed and killed again.
const DATABASES: usize = 20;
const KILLS: usize = 100;
/// Within this time after it began to work, the controller is killed.
const LIFE_MILLISECONDS: u64 = 800;

/// A sequence that can be had again by its seed.
struct Random(u64);

impl Random {
    /// By the algorithm `SplitMix64`.
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

fn name(number: usize) -> String {
    format!("number-{number}")
}

/// Every fifth one has passwords.
fn authentication(number: usize) -> &'static str {
    if number.is_multiple_of(5) { "Password" } else { "Identity" }
}

fn first(number: usize) -> String {
    format!("{{authentication: {}}}", authentication(number))
}

fn last(number: usize) -> String {
    let (authentication, memory) = (authentication(number), 4096 + number);
    format!(
        "{{authentication: {authentication}, sku: Standard_B2s, storage: {{sizeGiB: 64}}, parameters: {{work_mem: \
         \"{memory}\"}}}}"
    )
}

#[test]
fn the_controller_is_killed_a_hundred_times_and_nothing_is_lost_or_doubled() {
    let seed = std::env::var("KILLS_SEED")
        .map_or_else(|_| u64::from(std::process::id()), |seed| seed.parse().unwrap());
    println!("the moments of this run again: KILLS_SEED={seed}");
    let mut random = Random(seed);
    let cluster = Cluster::without("controller", &Options::without_postgres());
    let story = Story::new(&cluster.sandbox, "killed");
    for kill in 0..KILLS {
        // Made during the first half, and changed during the second.
        match kill {
            0..40 if kill.is_multiple_of(2) => story.database(&name(kill / 2), &first(kill / 2)).succeeded(),
            40.. if kill % 3 == 1 => {
                story.database(&name((kill - 40) / 3), &last((kill - 40) / 3)).succeeded()
            }
            _ => String::new(),
        };
        let mut controller = controller(&cluster, &[]);
        std::thread::sleep(Duration::from_millis(random.below(LIFE_MILLISECONDS)));
        controller.child.kill().unwrap();
        assert_eq!(controller.child.wait().unwrap().code(), None, "it didn't end by itself");
    }
    let writes = || writes_of_the_controller(&cluster.sandbox, 0).len();
    let by_the_killed = writes();
    let _survivor = controller(&cluster, &[]);
    (0..DATABASES).for_each(|number| story.wait_ready(&name(number)));
    is_whole(&story);
    assert!(by_the_killed > writes() / 2, "they were killed at work: {by_the_killed} of {}", writes());
}

/// Every database is as its spec says, once, and nobody else's objects are left over.
fn is_whole(story: &Story<'_>) {
    let servers = story.in_azure(SERVER);
    assert_eq!(servers.len(), DATABASES);
    assert_eq!(story.in_azure(DATABASE).len(), DATABASES);
    for number in 0..DATABASES {
        let database = story.get("database", &name(number)).unwrap();
        assert_eq!(ready(&database)["observedGeneration"], database["metadata"]["generation"]);
        let known = &database["status"]["server"];
        let server = servers.iter().find(|server| server.name == known["name"].as_str().unwrap()).unwrap();
        assert_eq!(known["id"].as_str().unwrap().to_lowercase(), server.id.to_lowercase());
        assert_eq!(server.body["sku"]["name"], "Standard_B2s");
        assert_eq!(server.body["properties"]["storage"]["storageSizeGB"], 64);
        assert_eq!(server.body["tags"]["database-operator-name"], name(number).as_str());
        let parameters = story.in_azure(crate::common::CONFIGURATION);
        let work_mem = format!("{}/configurations/work_mem", server.id).to_lowercase();
        let set = parameters.iter().find(|parameter| parameter.id.to_lowercase() == work_mem).unwrap();
        assert_eq!(set.body["properties"]["value"], (4096 + number).to_string());
        assert_eq!(logs_in(story, number, &server.id), authentication(number) == "Password", "by a password");
    }
    for kind in [
        "flexibleservers",
        "flexibleserversdatabases",
        "flexibleserversfirewallrules",
        "flexibleserversadministrators",
        "flexibleserversconfigurations",
        "userassignedidentities",
        "federatedidentitycredentials",
    ] {
        let mut names: Vec<String> = story
            .of_its_databases(kind)
            .iter()
            .map(|object| {
                object["metadata"]["labels"]["altinn.app/database-name"].as_str().unwrap().to_owned()
            })
            .collect();
        names.sort();
        let mut expected: Vec<String> = (0..DATABASES).map(name).collect();
        expected.sort();
        assert_eq!(names, expected, "{kind}");
    }
    assert_eq!(story.of_its_databases("secrets").len(), DATABASES / 5, "of administrators");
    // To make it, and to change it: what is sent twice is the same.
    let requests = azure_requests(story.sandbox);
    for server in servers {
        let sent = requests.iter().filter(|request| request.path.eq_ignore_ascii_case(&server.id));
        let mut sent: Vec<_> =
            sent.filter(|request| request.method == "PUT").map(|request| &request.body).collect();
        sent.dedup();
        // Where the change came before Azure was told anything, it is made so at once.
        assert!((1..=2).contains(&sent.len()), "{sent:#?}");
    }
    story.data_is_unharmed();
}

/// Whether the app's Secret holds a password that Azure knows.
fn logs_in(story: &Story<'_>, number: usize, server: &str) -> bool {
    let secret = format!("{}-db-credentials", name(number));
    let field = |field: &str| {
        let template =
            format!("-o=go-template={{{{with .data.{field}}}}}{{{{. | base64decode}}}}{{{{end}}}}");
        story.kubectl(&["get", "secret", &secret, &template]).succeeded()
    };
    let password = field("password");
    !password.is_empty() && lets_in(story.sandbox, server, &field("username"), &password)
}
