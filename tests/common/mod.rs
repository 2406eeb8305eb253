//! What the stories share: a sandbox, and the ways in which people look at it.

#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

pub mod api_server;
pub mod programs;

use std::{
    io::Write,
    net::TcpStream,
    process::{Command, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use jiff::ToSpan;
use sandbox::{
    Sandbox,
    azure::{Existing, Fault, Login, Request, Settings, client::Client},
};
use serde_json::{Value, json};

/// Long enough for a busy machine with two cores; a story that works is done long before.
pub const PATIENCE: Duration = Duration::from_mins(6);

/// What a command printed.
#[derive(Debug)]
pub struct Output {
    pub ok: bool,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    /// Fails the test if the command failed.
    #[track_caller]
    pub fn succeeded(self) -> String {
        assert!(self.ok, "the command failed: {}{}", self.stdout, self.stderr);
        self.stdout
    }

    /// What a refused command said; fails the test if it was not refused.
    #[track_caller]
    pub fn refused(self) -> String {
        assert!(!self.ok, "this was not refused: {}", self.stdout);
        self.stderr.trim().to_owned()
    }
}

/// Runs a command with this standard input.
pub fn run(mut command: Command, input: &str) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    child.stdin.take().unwrap().write_all(input.as_bytes()).expect("the command reads its input");
    let output = child.wait_with_output().expect("the command ends");
    Output {
        ok: output.status.success(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Waits until the condition gives something; fails the test, with `what`, if it never does.
#[track_caller]
pub fn eventually<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    eventually_or(what, || condition().ok_or_else(String::new))
}

/// The same, and the failure tells what there was instead.
#[track_caller]
fn eventually_or<T>(what: &str, mut condition: impl FnMut() -> Result<T, String>) -> T {
    let started = Instant::now();
    loop {
        match condition() {
            Ok(value) => return value,
            Err(instead) => {
                assert!(
                    started.elapsed() < PATIENCE,
                    "after {} s still not: {what} {instead}",
                    PATIENCE.as_secs()
                );
            }
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Waits until the condition `Ready` has this reason.
#[track_caller]
fn eventually_reason(what: &str, reason: &str, mut find: impl FnMut() -> Option<Value>) -> Value {
    eventually_or(&format!("{what} has the reason {reason}"), || match find() {
        Some(object) if ready(&object)["reason"] == reason => Ok(object),
        Some(object) => Err(ready(&object).to_string()),
        None => Err("it doesn't exist".to_owned()),
    })
}

/// A namespace of its own in a sandbox.
pub struct Story<'a> {
    pub sandbox: &'a Sandbox,
    pub namespace: String,
}

impl<'a> Story<'a> {
    pub fn new(sandbox: &'a Sandbox, namespace: &str) -> Self {
        run(sandbox.kubectl(&["create", "namespace", namespace]), "").succeeded();
        Self { sandbox, namespace: namespace.to_owned() }
    }

    /// A namespace with a name that no other story of this binary has.
    pub fn anywhere(sandbox: &'a Sandbox) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        Self::new(sandbox, &format!("team-{}", NEXT.fetch_add(1, Ordering::Relaxed)))
    }

    /// kubectl in the namespace.
    pub fn kubectl(&self, arguments: &[&str]) -> Output {
        self.kubectl_with(arguments, "")
    }

    fn kubectl_with(&self, arguments: &[&str], input: &str) -> Output {
        let mut all = vec!["--namespace", &self.namespace];
        all.extend(arguments);
        if arguments.first() == Some(&"delete") {
            // By itself kubectl waits a week for an object to go.
            all.push("--timeout=180s");
        }
        run(self.sandbox.kubectl(&all), input)
    }

    pub fn apply(&self, manifest: &str) -> Output {
        self.kubectl_with(&["apply", "-f", "-"], manifest)
    }

    pub fn apply_with(&self, flags: &[&str], manifest: &str) -> Output {
        self.kubectl_with(&[&["apply", "-f", "-"], flags].concat(), manifest)
    }

    pub fn create(&self, manifest: &str) -> Output {
        self.kubectl_with(&["create", "-f", "-"], manifest)
    }

    pub fn replace(&self, manifest: &str) -> Output {
        self.kubectl_with(&["replace", "-f", "-"], manifest)
    }

    /// Deletes and makes anew.
    pub fn replace_by_force(&self, manifest: &str) -> Output {
        self.kubectl_with(&["replace", "--force", "--timeout=180s", "-f", "-"], manifest)
    }

    /// `kubectl edit` by somebody whose editor runs this script of sed on what it shows of the spec.
    pub fn edit(&self, kind: &str, name: &str, script: &str) -> Output {
        let mut command = self.sandbox.kubectl(&["--namespace", &self.namespace, "edit", kind, name]);
        command.env("KUBE_EDITOR", format!("sed -i '/^spec:/,/^status:/{{{script}}}'"));
        run(command, "")
    }

    /// A request of its own to the API server, as `kubectl delete --raw` sends it.
    pub fn delete_collection(&self, resource: &str) -> Output {
        let path = format!("/apis/altinn.app/v1alpha1/namespaces/{}/{resource}", self.namespace);
        run(self.sandbox.kubectl(&["delete", "--raw", &path]), "")
    }

    /// The data of the namespace's one database: the server and the database in it, where Azure keeps them.
    #[track_caller]
    pub fn data_is_kept(&self) {
        assert_eq!(self.in_azure(SERVER).len(), 1, "servers of {}", self.namespace);
        assert_eq!(self.in_azure(DATABASE).len(), 1, "databases of {}", self.namespace);
        self.data_is_unharmed();
    }

    /// Nobody asked Azure to delete a server or a database of the namespace.
    #[track_caller]
    pub fn data_is_unharmed(&self) {
        let marker = self.marker();
        let mut deletes = azure_requests(self.sandbox);
        deletes.retain(|request| request.method == "DELETE" && request.path.contains(&marker));
        // Ways in hold no data.
        deletes.retain(|request| {
            !request.path.contains("/firewallRules/")
                && !request.path.contains("/federatedIdentityCredentials/")
                && !request.path.contains("/administrators/")
        });
        assert!(deletes.is_empty(), "{deletes:?}");
    }

    /// A `Database` with this spec, applied.
    pub fn database(&self, name: &str, spec: &str) -> Output {
        self.apply(&database(name, spec))
    }

    /// With a database of this spec that is ready.
    pub fn with_database(self, spec: &str) -> Self {
        self.database("main", spec).succeeded();
        self.wait_ready("main");
        self
    }

    /// As `kubectl wait` does: what was true of an older generation doesn't count.
    #[track_caller]
    pub fn wait_ready(&self, name: &str) {
        eventually_or(&format!("Database {name} is ready"), || {
            let database = self.get("database", name).ok_or("it doesn't exist")?;
            let ready = ready(&database);
            let is_of_today =
                ready["observedGeneration"].as_i64() >= database["metadata"]["generation"].as_i64();
            if ready["status"] == "True" && is_of_today { Ok(()) } else { Err(ready.to_string()) }
        });
    }

    /// Waits until nothing is left to be written: the event comes after the status.
    #[track_caller]
    pub fn wait_settled(&self, name: &str) {
        self.wait_ready(name);
        eventually("the event tells that the database is ready", || {
            self.has_event(&format!("involvedObject.name={name},reason=Ready")).then_some(())
        });
    }

    /// Whether the namespace has an event with these fields, as in `reason=Ready,type=Normal`.
    #[track_caller]
    pub fn has_event(&self, fields: &str) -> bool {
        !self.events(&self.namespace, fields).is_empty()
    }

    /// Events of a namespace with these fields.
    #[track_caller]
    pub fn events(&self, namespace: &str, fields: &str) -> Vec<Value> {
        let query = format!("fieldSelector={}", fields.replace('=', "%3D").replace(',', "%2C"));
        api_server::objects(self.sandbox, "event", namespace, &query)
    }

    /// The object; `None` when it doesn't exist.
    pub fn get(&self, kind: &str, name: &str) -> Option<Value> {
        api_server::object(self.sandbox, kind, &self.namespace, name)
    }

    /// The record of the namespace's one server, if it is kept without a `Database`.
    pub fn record(&self) -> Option<Value> {
        self.of_its_databases("retaineddatabases").into_iter().next()
    }

    /// Objects of this kind in the operator's namespace that stand for the namespace's databases.
    #[track_caller]
    pub fn of_its_databases(&self, kind: &str) -> Vec<Value> {
        let query = format!("labelSelector=altinn.app/database-namespace%3D{}", self.namespace);
        api_server::objects(self.sandbox, kind, OPERATOR_NAMESPACE, &query)
    }

    /// An object in the operator's namespace; `None` when it doesn't exist.
    #[track_caller]
    pub fn of_platform(&self, kind: &str, name: &str) -> Option<Value> {
        api_server::object(self.sandbox, kind, OPERATOR_NAMESPACE, name)
    }

    /// Waits until there is a record with this reason of `Ready`.
    #[track_caller]
    pub fn wait_record(&self, reason: &str) -> Value {
        eventually_reason("the record", reason, || self.record())
    }

    /// kubectl in the operator's namespace.
    pub fn as_platform(&self, arguments: &[&str]) -> Output {
        self.as_platform_with(arguments, "")
    }

    /// The same, with this on its standard input.
    pub fn as_platform_with(&self, arguments: &[&str], input: &str) -> Output {
        let mut all = vec!["--namespace", OPERATOR_NAMESPACE];
        all.extend(arguments);
        run(self.sandbox.kubectl(&all), input)
    }

    /// Deletes the namespace's one database, with this word on its data.
    #[track_caller]
    pub fn delete_with(&self, retention: &str) {
        let set = format!("altinn.app/retention={retention}");
        self.kubectl(&["annotate", "database", "main", "--overwrite", &set]).succeeded();
        self.kubectl(&["delete", "database", "main"]).succeeded();
    }

    /// Has the policy let the kept server of one database come back as another, each given as `<namespace>/<name>`.
    #[track_caller]
    pub fn allow_recovery(&self, from: &str, to: &str) {
        self.allow("recoveries", &format!("{{from: {from}, to: {to}, until: UNTIL, reason: \"a story\"}}"));
    }

    /// Adds an entry to a list of the policy. `UNTIL` stands for a day in two months.
    #[track_caller]
    pub fn allow(&self, list: &str, entry: &str) {
        let until = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date().saturating_add(60.days());
        let entry = entry.replace("UNTIL", &until.to_string());
        let list = format!("\n{list}:\n");
        self.change_policy(&list, &format!("{list}  - {entry}\n"));
    }

    /// Writes this in the policy in the place of that.
    #[track_caller]
    pub fn change_policy(&self, that: &str, this: &str) {
        // Stories that go at the same time would undo each other's.
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let policy: Value =
            serde_json::from_str(&self.as_platform(&["get", "cm", "database-policy", "-o=json"]).succeeded())
                .unwrap();
        let yaml = policy["data"]["policy.yaml"].as_str().unwrap();
        assert!(yaml.contains(that), "{yaml}");
        let change = json!({"data": {"policy.yaml": yaml.replacen(that, this, 1)}}).to_string();
        self.as_platform(&["patch", "cm", "database-policy", "--type=merge", "-p", &change]).succeeded();
    }

    /// The annotation that allows, until tomorrow, that the data be destroyed.
    pub fn confirmation(&self) -> String {
        let tomorrow = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date().tomorrow().unwrap();
        format!("altinn.app/confirm-destroy={}/main@{tomorrow}", self.namespace)
    }

    /// Allows, until tomorrow, that an empty server or database be made where there was one with data.
    #[track_caller]
    pub fn accept_empty(&self, server: &str) {
        let tomorrow = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date().tomorrow().unwrap();
        let accept = format!("altinn.app/accept-empty={server}@{tomorrow}");
        self.kubectl(&["annotate", "database", "main", "--overwrite", &accept]).succeeded();
    }

    /// Allows, on its record, that the data that are kept be destroyed.
    #[track_caller]
    pub fn end_record(&self) {
        let record = self.record().unwrap();
        let name = record["metadata"]["name"].as_str().unwrap();
        let annotate = ["annotate", "rdb", name, "altinn.app/retention=Destroy", &self.confirmation()];
        self.as_platform(&annotate).succeeded();
    }

    /// Allows that the data be destroyed.
    #[track_caller]
    pub fn confirm_destroy(&self) {
        let confirm = self.confirmation();
        let annotate =
            ["annotate", "database", "main", "--overwrite", "altinn.app/retention=Destroy", &confirm];
        self.kubectl(&annotate).succeeded();
    }

    /// Objects of Azure Service Operator that stand for the namespace.
    pub fn azure_objects(&self) -> Vec<String> {
        let named = |kind: &&str| {
            self.of_its_databases(kind)
                .into_iter()
                .map(|object| format!("{kind}/{}", object["metadata"]["name"].as_str().unwrap()))
                .collect::<Vec<_>>()
        };
        ASO_KINDS.iter().chain(&["secrets"]).flat_map(named).collect()
    }

    /// Waits until the condition `Ready` has this reason, and gives the whole object.
    #[track_caller]
    pub fn wait_reason(&self, name: &str, reason: &str) -> Value {
        eventually_reason(&format!("Database {name}"), reason, || self.get("database", name))
    }

    /// Waits until this stands in the way of a database that serves all the same, and gives its message.
    #[track_caller]
    pub fn wait_out_of_sync(&self, name: &str, reason: &str) -> String {
        let object = eventually(&format!("Database {name} is out of sync for the reason {reason}"), || {
            let object = self.get("database", name)?;
            (condition(&object, "Synced")?["reason"] == reason).then_some(object)
        });
        assert_eq!(ready(&object)["status"], "True", "an app goes on");
        condition(&object, "Synced").unwrap()["message"].as_str().unwrap().to_owned()
    }

    /// What Azure holds for the namespace, by type.
    pub fn in_azure(&self, resource_type: &str) -> Vec<Existing> {
        let marker = self.marker();
        resources(self.sandbox)
            .into_iter()
            .filter(|resource| resource.resource_type.eq_ignore_ascii_case(resource_type))
            .filter(|resource| resource.id.contains(&marker))
            .collect()
    }

    /// How the names of all the namespace's resources begin in Azure: with the cluster's name in the policy.
    fn marker(&self) -> String {
        format!("/prod-1-{}-", self.namespace)
    }

    /// When Azure made the namespace's one server: made again, it would be another one of the same name, and empty.
    #[track_caller]
    pub fn born(&self) -> String {
        self.server().body["systemData"]["createdAt"].as_str().unwrap().to_owned()
    }

    /// The one server of the namespace.
    #[track_caller]
    pub fn server(&self) -> Existing {
        let mut servers = self.in_azure(SERVER);
        assert_eq!(servers.len(), 1, "servers of {}: {servers:?}", self.namespace);
        servers.remove(0)
    }
}

pub const OPERATOR_NAMESPACE: &str = "database-operator";

/// What stands for a database's resources in Azure.
pub const ASO_KINDS: [&str; 8] = [
    "flexibleservers",
    "flexibleserversdatabases",
    "flexibleserversadministrators",
    "flexibleserversfirewallrules",
    "flexibleserversconfigurations",
    "userassignedidentities",
    "federatedidentitycredentials",
    "backupvaultsbackupinstances",
];

pub const SERVER: &str = "Microsoft.DBforPostgreSQL/flexibleServers";
pub const DATABASE: &str = "Microsoft.DBforPostgreSQL/flexibleServers/databases";
pub const FIREWALL_RULE: &str = "Microsoft.DBforPostgreSQL/flexibleServers/firewallRules";
pub const ADMINISTRATOR: &str = "Microsoft.DBforPostgreSQL/flexibleServers/administrators";
pub const CONFIGURATION: &str = "Microsoft.DBforPostgreSQL/flexibleServers/configurations";
pub const CREDENTIAL: &str = "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials";
pub const IDENTITY: &str = "Microsoft.ManagedIdentity/userAssignedIdentities";

/// The manifest of a `Database` that is to have the kept server of another one.
pub fn database_from(name: &str, from: &str, spec: &str) -> String {
    json!({
        "apiVersion": "altinn.app/v1alpha1", "kind": "Database",
        "metadata": {"name": name, "annotations": {"altinn.app/recover-from": from}},
        "spec": serde_json::from_str::<Value>(spec).unwrap(),
    })
    .to_string()
}

/// The manifest of a `Database`.
pub fn database(name: &str, spec: &str) -> String {
    format!("{{apiVersion: altinn.app/v1alpha1, kind: Database, metadata: {{name: {name}}}, spec: {spec}}}")
}

/// The condition `Ready` of an object.
pub fn ready(object: &Value) -> Value {
    condition(object, "Ready").unwrap_or_default()
}

/// A condition of an object.
pub fn condition(object: &Value, kind: &str) -> Option<Value> {
    let conditions = object["status"]["conditions"].as_array()?;
    conditions.iter().find(|condition| condition["type"] == kind).cloned()
}

/// Waits for an answer of the stand-in for Azure, as in `ask(sandbox.azure().stop_server(id))`.
pub fn ask<T>(question: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(question)
}

/// Waits until what holds data is only looked at. Where the operator makes the database by SQL, Azure isn't asked for it.
#[track_caller]
pub fn rests(story: &Story<'_>) {
    let server = story.server().name;
    let kinds = if story.sandbox.gateway().is_some() {
        &["flexibleserver"][..]
    } else {
        &["flexibleserver", "flexibleserversdatabase"]
    };
    for kind in kinds {
        eventually(&format!("the {kind} only looks"), || {
            let object = story.of_platform(kind, &server)?;
            let policy = &object["metadata"]["annotations"]["serviceoperator.azure.com/reconcile-policy"];
            (policy == "skip").then_some(())
        });
    }
}

/// Everything that Azure holds.
pub fn resources(sandbox: &Sandbox) -> Vec<Existing> {
    ask(Client::new(sandbox.azure_control()).resources()).unwrap()
}

/// Everything that Azure was asked.
pub fn azure_requests(sandbox: &Sandbox) -> Vec<Request> {
    ask(Client::new(sandbox.azure_control()).requests()).unwrap()
}

/// Plays Azure's own doing: merges a change into a resource.
pub fn patch_azure(sandbox: &Sandbox, id: &str, change: &Value) {
    ask(Client::new(sandbox.azure_control()).patch_resource(id, change)).unwrap();
}

/// Plays somebody who deletes a resource in Azure's portal.
pub fn delete_in_azure(sandbox: &Sandbox, id: &str) {
    ask(Client::new(sandbox.azure_control()).delete_resource(id)).unwrap();
}

/// Whether a server lets an administrator with this password in.
pub fn lets_in(sandbox: &Sandbox, server: &str, user: &str, password: &str) -> bool {
    let login = Login { server: server.to_owned(), user: user.to_owned(), password: password.to_owned() };
    ask(Client::new(sandbox.azure_control()).login(&login)).unwrap()
}

/// Has Azure make the first backup of each server when the server is made, so that nobody waits for it.
pub fn back_up_at_once(sandbox: &Sandbox) {
    let settings = Settings { first_backup_seconds: Some(0), ..Settings::default() };
    ask(sandbox.azure().change(&settings)).unwrap();
}

/// Has Azure answer the next requests like this.
pub fn inject(sandbox: &Sandbox, fault: &Fault) {
    ask(Client::new(sandbox.azure_control()).inject(fault)).unwrap();
}

/// Plays the days after which Azure gives the names of dropped servers free.
pub fn forget_dropped_servers(sandbox: &Sandbox) {
    ask(Client::new(sandbox.azure_control()).forget_dropped_servers()).unwrap();
}

/// Faults that have not struck as often as they will.
pub fn faults(sandbox: &Sandbox) -> Vec<Fault> {
    ask(Client::new(sandbox.azure_control()).faults()).unwrap()
}

/// Forgets the faults that were injected for this path.
pub fn clear_faults_of(sandbox: &Sandbox, path: &str) {
    ask(Client::new(sandbox.azure_control()).clear_faults_of(path)).unwrap();
}

/// How long each of Azure's long-running operations takes from now on.
pub fn set_azure_delay(sandbox: &Sandbox, delay: Duration) {
    ask(Client::new(sandbox.azure_control()).set_delay(delay)).unwrap();
}

/// The writes of the controller that the API server's audit log has from this line on.
pub fn writes_of_the_controller(sandbox: &Sandbox, from_line: usize) -> Vec<String> {
    requests_of_the_controller(sandbox, from_line)
        .into_iter()
        // Its sign of life.
        .filter(|event| event["objectRef"]["resource"] != "leases")
        .filter(|event| !["get", "list", "watch"].contains(&event["verb"].as_str().unwrap_or_default()))
        .map(|event| format!("{} {}", event["verb"], event["requestURI"]))
        .collect()
}

/// What the controller lists whole, kind by kind, in the order in which it was answered.
pub fn lists_of_the_controller(sandbox: &Sandbox, from_line: usize) -> Vec<String> {
    let lists = requests_of_the_controller(sandbox, from_line).into_iter().filter(|event| {
        event["verb"] == "list" && event["requestURI"].as_str().unwrap_or_default().contains("limit=100")
    });
    lists.map(|event| event["objectRef"]["resource"].as_str().unwrap_or_default().to_owned()).collect()
}

fn requests_of_the_controller(sandbox: &Sandbox, from_line: usize) -> Vec<Value> {
    audit(sandbox)
        .lines()
        .skip(from_line)
        // The last line may be half written.
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|event| event["stage"] == "ResponseComplete")
        .filter(|event| {
            event["user"]["username"]
                == "system:serviceaccount:database-operator:database-operator-controller"
        })
        .collect()
}

/// How many lines the audit log has.
pub fn audit_lines(sandbox: &Sandbox) -> usize {
    audit(sandbox).lines().count()
}

pub fn audit(sandbox: &Sandbox) -> String {
    std::fs::read_to_string(sandbox.audit_log()).unwrap()
}

/// Reconciles of a `Database` that the running controller has finished without an error.
pub fn reconciles(sandbox: &Sandbox) -> u64 {
    ended_well(sandbox, "database_operator_reconciles_total")
}

/// The same, of a `RetainedDatabase`.
pub fn reconciles_of_records(sandbox: &Sandbox) -> u64 {
    ended_well(sandbox, "database_operator_retaineddatabase_reconciles_total")
}

fn ended_well(sandbox: &Sandbox, counter: &str) -> u64 {
    let metrics = http_get(admin_port(sandbox, "controller"), "/metrics");
    let count =
        metrics.lines().find_map(|line| line.strip_prefix(counter)?.strip_prefix("{outcome=\"ok\"} "));
    count.map_or(0, |count| count.parse().unwrap())
}

/// A metric without labels of a running process.
pub fn metric(sandbox: &Sandbox, process: &str, name: &str) -> Option<f64> {
    let metrics = http_get(admin_port(sandbox, process), "/metrics");
    metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

/// The port of health and metrics of a process, by its command line.
fn admin_port(sandbox: &Sandbox, process: &str) -> u16 {
    let pid = sandbox.state().unwrap().processes[process].pid.expect("the process runs");
    let command = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
    let arguments: Vec<&str> = command.split('\0').collect();
    let address = arguments.iter().rposition(|argument| *argument == "--admin-listen").unwrap() + 1;
    arguments[address].rsplit(':').next().unwrap().parse().unwrap()
}

fn http_get(port: u16, path: &str) -> String {
    use std::io::Read;

    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
