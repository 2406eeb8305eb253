//! Ways to lose a database, each with its way back.

use std::{
    process::Command,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

use sandbox::{Options, Sandbox};
use serde_json::{Value, json};

use crate::{
    common::{
        IDENTITY, OPERATOR_NAMESPACE, Output, Story, database, database_from, eventually, lets_in, run,
    },
    guard::{CONFIGURATIONS, POLICIES},
    policy::{GOOD, apply_policy},
};

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/database-operator");
/// Of the Helm release.
const RELEASE: &str = "database-operator";
const OURS: &str = "app.kubernetes.io/name=database-operator";
/// What Azure Service Operator's CRDs are known by.
const ASO: &str = "app.kubernetes.io/name=azure-service-operator";

/// A cluster of which the platform team loses one part after another.
struct Platform {
    sandbox: Sandbox,
    /// With which the chart was installed.
    values: String,
}

/// For one story at a time.
fn platform() -> MutexGuard<'static, Platform> {
    static PLATFORM: OnceLock<Mutex<Platform>> = OnceLock::new();
    PLATFORM
        .get_or_init(|| {
            let sandbox =
                Sandbox::start(&Options::without_postgres()).unwrap_or_else(|error| panic!("{error}"));
            let values = helm(&sandbox, &["get", "values", RELEASE, "--output=json"], "").succeeded();
            Mutex::new(Platform { sandbox, values })
        })
        .lock()
        // A story that failed has said so itself.
        .unwrap_or_else(PoisonError::into_inner)
}

fn helm(sandbox: &Sandbox, arguments: &[&str], input: &str) -> Output {
    let home = sandbox.directory().join("helm");
    let mut command = Command::new(sandbox.state().unwrap().helm);
    command
        .args(arguments)
        .args(["--namespace", OPERATOR_NAMESPACE])
        .env("KUBECONFIG", sandbox.kubeconfig())
        // Neither repositories nor plugins of the user's.
        .env("HELM_CACHE_HOME", home.join("cache"))
        .env("HELM_CONFIG_HOME", home.join("config"))
        .env("HELM_DATA_HOME", home.join("data"));
    run(command, input)
}

impl Platform {
    fn kubectl(&self, arguments: &[&str]) -> Output {
        run(self.sandbox.kubectl(arguments), "")
    }

    fn install_aso(&self) {
        self.sandbox.install_aso().unwrap();
        // It looks for its CRDs when it starts.
        self.sandbox.process("aso").restart().unwrap();
    }

    /// Puts everything of ours where the platform team had it. What is there already stays as it is.
    fn install_operator(&self) {
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": OPERATOR_NAMESPACE}});
        run(self.sandbox.kubectl(&["apply", "-f", "-"]), &namespace.to_string()).succeeded();
        apply_policy(&self.sandbox, &GOOD);
        let upgrade = ["upgrade", "--install", RELEASE, CHART, "--values", "-"];
        helm(&self.sandbox, &upgrade, &self.values).succeeded();
        for process in ["webhook", "controller"] {
            self.start_anew(process);
        }
        let manifest = database("main", "{}");
        eventually("databases are judged again", || {
            let apply = ["apply", "--namespace=default", "--dry-run=server", "-f", "-"];
            run(self.sandbox.kubectl(&apply), &manifest).ok.then_some(())
        });
    }

    /// As a new pod: the token of the old one ended with its ServiceAccount.
    fn start_anew(&self, process: &str) {
        let account = format!("{RELEASE}-{process}");
        let create = ["create", "token", &account, "--namespace", OPERATOR_NAMESPACE, "--duration=24h"];
        let token = self.kubectl(&create).succeeded();
        let file = self.sandbox.directory().join(format!("{process}.kubeconfig"));
        let (file, token) = (file.display().to_string(), format!("--token={}", token.trim()));
        let set = ["config", "set-credentials", "sandbox", "--kubeconfig", &file, &token];
        self.kubectl(&set).succeeded();
        self.sandbox.process(process).restart().unwrap();
    }

    fn take_away(&self, kinds: &str) {
        self.kubectl(&["delete", kinds, "--selector", OURS]).succeeded();
    }
}

/// Whatever is taken away is put back at the end of a story, also of one that failed.
struct PutBack<'a>(&'a Platform, fn(&Platform));

impl Drop for PutBack<'_> {
    fn drop(&mut self) {
        self.1(self.0);
    }
}

/// A database as it was before its story began.
struct Owned<'a> {
    story: Story<'a>,
    born: String,
    server: String,
    principals: Vec<Value>,
    objects: Vec<String>,
}

/// A database at work.
fn at_work<'a>(platform: &'a Platform, namespace: &str) -> Owned<'a> {
    let story = Story::new(&platform.sandbox, namespace);
    story.database("main", "{}").succeeded();
    Owned::now(story)
}

/// A database that was deleted, and whose data are kept.
fn kept<'a>(platform: &'a Platform, namespace: &str) -> Owned<'a> {
    let owned = at_work(platform, namespace);
    owned.story.delete_with("Retain");
    owned.story.wait_record("Kept");
    owned
}

/// A database at work on the server that another one had.
fn recovered<'a>(platform: &'a Platform, namespace: &str) -> Owned<'a> {
    let story = Story::new(&platform.sandbox, namespace);
    let from = format!("{namespace}/former");
    story.allow_recovery(&from, &format!("{namespace}/main"));
    story.database("former", "{}").succeeded();
    story.wait_settled("former");
    story.kubectl(&["annotate", "database", "former", "altinn.app/retention=Retain"]).succeeded();
    story.kubectl(&["delete", "database", "former"]).succeeded();
    let manifest = database_from("main", &from, "{}");
    eventually("the policy allows it", || story.apply(&manifest).ok.then_some(()));
    eventually("the record has had its day", || story.record().is_none().then_some(()));
    Owned::now(story)
}

/// Whom the server lets in as its app: made again, it would be somebody else, and own nothing. An app with a password
/// needs nobody.
fn principals(story: &Story<'_>) -> Vec<Value> {
    let identities = story.in_azure(IDENTITY);
    identities.iter().map(|identity| identity.body["properties"]["principalId"].clone()).collect()
}

/// Whether the app's Secret holds a password that Azure knows.
fn logs_in(story: &Story<'_>) -> bool {
    let field = |field: &str| {
        let template = format!("-o=go-template={{{{.data.{field} | base64decode}}}}");
        story.kubectl(&["get", "secret", "main-db-credentials", &template]).succeeded()
    };
    lets_in(story.sandbox, &story.server().id, &field("username"), &field("password"))
}

impl<'a> Owned<'a> {
    /// Waits until it is at work.
    fn now(story: Story<'a>) -> Self {
        story.wait_settled("main");
        let (born, server) = (story.born(), story.server().name);
        let (principals, objects) = (principals(&story), story.azure_objects());
        Self { story, born, server, principals, objects }
    }

    /// One apply, and everything is as before.
    #[track_caller]
    fn comes_back_by_one_apply(&self) {
        self.story.database("main", "{}").succeeded();
        self.is_as_before();
    }

    /// The same server with the same data and the same identity, and nobody's record of it.
    #[track_caller]
    fn is_as_before(&self) {
        let story = &self.story;
        eventually("every object in the operator's namespace is there", || {
            (story.azure_objects() == self.objects).then_some(())
        });
        let selector = format!("altinn.app/database-namespace={}", story.namespace);
        let kinds = "flexibleservers,flexibleserversdatabases";
        let wait = ["wait", "--for=condition=Ready", kinds, "--selector", &selector, "--timeout=180s"];
        story.as_platform(&wait).succeeded();
        story.wait_ready("main");
        eventually("the record has had its day", || story.record().is_none().then_some(()));
        assert_eq!((story.born(), story.server().name), (self.born.clone(), self.server.clone()));
        assert_eq!(principals(story), self.principals);
        story.data_is_kept();
    }
}

#[test]
fn the_crds_of_azure_service_operator_are_deleted_and_come_back() {
    let platform = platform();
    let (lost, kept) = (at_work(&platform, "unserved"), kept(&platform, "kept-unserved"));
    let recovered = recovered(&platform, "moved-unserved");
    let record = kept.story.record().unwrap();
    let put_back = PutBack(&platform, Platform::install_aso);
    platform.kubectl(&["delete", "crd", "--selector", ASO, "--timeout=120s"]).succeeded();
    lost.story.data_is_kept();
    kept.story.data_is_kept();
    let message = lost.story.wait_out_of_sync("main", "AzureServiceOperatorMissing");
    assert!(
        message.contains("The platform team must install it; then everything goes on without another step"),
        "{message}"
    );

    drop(put_back);
    lost.is_as_before();
    // Its name doesn't give the server's, and nothing is left that says whose it is.
    recovered.story.wait_reason("main", "ServerNameUnknown");
    let record_of_it = json!({
        "apiVersion": "altinn.app/v1alpha1", "kind": "RetainedDatabase", "metadata": {"name": recovered.server},
        "spec": {
            "database": "moved-unserved/main", "server": {"name": recovered.server}, "reason": "OwnerLost",
            "since": "2026-11-27T12:00:00Z",
        },
    });
    let apply = ["apply", "--namespace", OPERATOR_NAMESPACE, "-f", "-"];
    run(platform.sandbox.kubectl(&apply), &record_of_it.to_string()).succeeded();
    recovered.is_as_before();
    assert_eq!(kept.story.record().unwrap()["spec"], record["spec"]);
    kept.comes_back_by_one_apply();
}

#[test]
fn the_operator_is_uninstalled_and_installed_again() {
    let platform = platform();
    let [lost, deleted] = ["uninstalled", "left-behind"].map(|namespace| at_work(&platform, namespace));
    let kept = kept(&platform, "kept-uninstalled");
    let record = kept.story.record().unwrap();
    let put_back = PutBack(&platform, Platform::install_operator);
    helm(&platform.sandbox, &["uninstall", RELEASE, "--wait"], "").succeeded();
    for process in ["controller", "webhook"] {
        platform.sandbox.process(process).stop().unwrap();
    }
    let release = ["get", "deployment,serviceaccount", "--selector", OURS, "--output=name"];
    assert_eq!(lost.story.as_platform(&release).succeeded(), "");
    // Nobody judges, and nobody lets go.
    eventually("nobody refuses a delete that says nothing", || {
        deleted.story.kubectl(&["delete", "database", "main", "--dry-run=server"]).ok.then_some(())
    });
    deleted.story.kubectl(&["delete", "database", "main", "--wait=false"]).succeeded();
    lost.story.database("main", "{sku: Standard_B2s}").succeeded();
    for owned in [&lost, &deleted, &kept] {
        owned.story.data_is_kept();
    }
    assert!(!deleted.story.get("database", "main").unwrap()["metadata"]["deletionTimestamp"].is_null());

    drop(put_back);
    eventually("what was changed meanwhile is made", || {
        (lost.story.server().body["sku"]["name"] == "Standard_B2s").then_some(())
    });
    lost.is_as_before();
    deleted.story.wait_record("Kept");
    eventually("the controller has let go", || deleted.story.get("database", "main").is_none().then_some(()));
    deleted.comes_back_by_one_apply();
    assert_eq!(kept.story.record().unwrap()["spec"], record["spec"]);
    kept.comes_back_by_one_apply();
}

#[test]
fn the_operators_namespace_is_deleted_and_made_again() {
    let platform = platform();
    let (lost, kept) = (at_work(&platform, "homeless"), kept(&platform, "kept-homeless"));
    let secret = Story::new(&platform.sandbox, "secret-homeless");
    secret.database("main", "{authentication: Password}").succeeded();
    let secret = Owned::now(secret);
    assert!(logs_in(&secret.story));
    for arguments in [
        &["delete", "namespace", OPERATOR_NAMESPACE][..],
        &["delete", "namespace", OPERATOR_NAMESPACE, "--force", "--grace-period=0"],
    ] {
        let message = platform.kubectl(arguments).refused();
        assert!(
            message.contains("holds the records of data that are kept") && message.contains("[DB301]"),
            "{message}"
        );
    }
    assert!(kept.story.record().unwrap()["metadata"]["deletionTimestamp"].is_null());

    let put_back = PutBack(&platform, Platform::install_operator);
    // What docs/deleting.md says, and no more.
    platform.kubectl(&["delete", CONFIGURATIONS, "database-operator"]).succeeded();
    // The operator is at work until the end: its pods go in no order with the rest.
    platform.kubectl(&["delete", "namespace", OPERATOR_NAMESPACE, "--wait=false"]).succeeded();
    let failure = "--for=condition=NamespaceDeletionContentFailure";
    platform.kubectl(&["wait", failure, "namespace", OPERATOR_NAMESPACE, "--timeout=120s"]).succeeded();
    // The namespace holds on to what is kept, until the guard goes, too.
    assert!(kept.story.record().unwrap()["metadata"]["deletionTimestamp"].is_null());
    platform.kubectl(&["delete", "validatingadmissionpolicybinding", "database-retained"]).succeeded();
    platform
        .kubectl(&["wait", "--for=delete", "namespace", OPERATOR_NAMESPACE, "--timeout=180s"])
        .succeeded();
    for process in ["controller", "webhook"] {
        platform.sandbox.process(process).stop().unwrap();
    }
    for owned in [&lost, &kept, &secret] {
        owned.story.data_is_kept();
    }
    assert!(logs_in(&secret.story), "the app goes on");

    drop(put_back);
    lost.is_as_before();
    // The administrator's password is lost with the namespace, so there is another.
    secret.is_as_before();
    eventually("the app has a password that Azure knows", || logs_in(&secret.story).then_some(()));
    kept.comes_back_by_one_apply();
}

/// What somebody applies as one, with a `Database` of these annotations or without any.
fn set(annotations: Option<&Value>) -> String {
    let labels = json!({"example.com/set": "pruned"});
    // Something else of it stays: what to prune is looked for where something is applied.
    let mut items = vec![json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "labels": labels},
    })];
    items.extend(annotations.map(|annotations| {
        json!({
            "apiVersion": "altinn.app/v1alpha1", "kind": "Database", "spec": {},
            "metadata": {"name": "main", "labels": labels, "annotations": annotations},
        })
    }));
    json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
}

/// Deletes what is of the set and no longer in it.
fn apply_and_prune(story: &Story<'_>, set: &str) -> Output {
    let flags = [
        "--prune",
        "--selector=example.com/set=pruned",
        "--prune-allowlist=core/v1/ConfigMap",
        "--prune-allowlist=altinn.app/v1alpha1/Database",
    ];
    story.apply_with(&flags, set)
}

#[test]
fn whoever_prunes_is_refused_until_the_manifest_says_what_becomes_of_the_data() {
    let platform = platform();
    let story = Story::new(&platform.sandbox, "pruned");
    apply_and_prune(&story, &set(Some(&json!({})))).succeeded();
    let owned = Owned::now(story);
    let story = &owned.story;
    // Who was refused tries again, and has not forgotten the object.
    for _ in 0..2 {
        let message = apply_and_prune(story, &set(None)).refused();
        assert!(message.contains("databases.altinn.app \"main\" is forbidden"), "{message}");
        assert!(message.contains("[DB201]"), "{message}");
        assert!(story.get("database", "main").unwrap()["metadata"]["deletionTimestamp"].is_null());
    }
    owned.is_as_before();

    apply_and_prune(story, &set(Some(&json!({"altinn.app/retention": "Retain"})))).succeeded();
    let pruned = apply_and_prune(story, &set(None)).succeeded();
    assert!(pruned.contains("database.altinn.app/main pruned"), "{pruned}");
    eventually("it is gone", || story.get("database", "main").is_none().then_some(()));
    story.wait_record("Kept");
    story.data_is_kept();

    apply_and_prune(story, &set(Some(&json!({})))).succeeded();
    owned.is_as_before();
}

/// Takes the finalizers from every `Database` of the cluster.
fn force_off_finalizers(platform: &Platform) {
    let names = "--output=jsonpath={range .items[*]}{.metadata.namespace} {.metadata.name}{\"\\n\"}{end}";
    // There is none to be had once the CRD is gone.
    let all = platform.kubectl(&["get", "databases", "--all-namespaces", names]).stdout;
    for (namespace, name) in all.lines().filter_map(|line| line.split_once(' ')) {
        let none = r#"{"metadata": {"finalizers": null}}"#;
        // It may be gone by now.
        platform.kubectl(&["patch", "database", name, "--namespace", namespace, "--type=merge", "-p", none]);
    }
}

#[test]
fn everything_is_lost_at_once_and_the_manifest_finds_its_server() {
    let platform = platform();
    let (lost, kept) = (at_work(&platform, "bereft"), kept(&platform, "kept-bereft"));
    let put_back = PutBack(&platform, Platform::install_operator);
    platform.take_away(&format!("{CONFIGURATIONS},{POLICIES}"));
    platform.sandbox.process("controller").kill().unwrap();
    let crds = ["databases.altinn.app", "retaineddatabases.altinn.app"];
    platform.kubectl(&[&["delete", "crd", "--wait=false"][..], &crds].concat()).succeeded();
    eventually("our CRDs are gone with all objects", || {
        force_off_finalizers(&platform);
        let left =
            platform.kubectl(&[&["get", "crd", "--ignore-not-found", "-o", "name"][..], &crds].concat());
        left.succeeded().is_empty().then_some(())
    });
    for owned in [&lost, &kept] {
        let selector = format!("altinn.app/database-namespace={}", owned.story.namespace);
        for kind in ["flexibleserversdatabases", "flexibleservers"] {
            let delete = ["delete", kind, "--selector", &selector, "--timeout=180s"];
            assert_ne!(owned.story.as_platform(&delete).succeeded(), "");
        }
        owned.story.data_is_kept();
    }

    drop(put_back);
    lost.comes_back_by_one_apply();
    kept.comes_back_by_one_apply();
}
