//! What app teams do with Git where Argo CD applies it: by its own engine, as `argocd app sync` tries once.

use std::process::Command;

use sandbox::Sandbox;
use serde_json::{Value, json};

use crate::{
    common::{Story, eventually, run},
    manifests::{MAIN, SETTINGS, config, database, kept},
    repository::Repository,
    sandbox,
    sandbox_programs::program,
    turn::Turn,
};

struct Application {
    story: Story<'static>,
    repository: Repository,
    _turn: Turn,
}

impl Application {
    fn new(sandbox: &'static Sandbox) -> Self {
        let story = Story::anywhere(sandbox);
        let repository = Repository::new(&story.namespace);
        Self { story, repository, _turn: Turn::beside_others() }
    }

    fn run(&self, flags: &[&str]) -> Value {
        let mut command = Command::new(program("argo-cd-engine"));
        command.arg("-kubeconfig").arg(self.story.sandbox.kubeconfig());
        command.args(["-application=app", "-namespace", &self.story.namespace]);
        command.arg("-manifests").arg(self.repository.files()).args(flags);
        serde_json::from_str(&run(command, "").succeeded()).unwrap()
    }

    /// What is `Synced` and what is `OutOfSync`, each as `Kind/name`.
    fn compare(&self, flags: &[&str]) -> Vec<(String, String)> {
        let report = self.run(&[&["-only-compare"], flags].concat());
        pairs(&report["resources"])
    }

    fn sync(&self, flags: &[&str]) -> Outcome {
        let report = self.run(flags);
        Outcome {
            phase: text(&report["phase"]),
            message: text(&report["message"]),
            results: report["results"].clone(),
        }
    }
}

struct Outcome {
    phase: String,
    message: String,
    results: Value,
}

impl Outcome {
    /// What became of an object: the status of its sync, and the message.
    #[track_caller]
    fn of(&self, kind: &str) -> (&str, &str) {
        let mut all = self.results.as_array().unwrap().iter();
        let found = all.find(|result| result["kind"] == kind);
        let found = found.unwrap_or_else(|| panic!("nothing of a {kind}: {}", self.results));
        (found["status"].as_str().unwrap(), found["message"].as_str().unwrap())
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn pairs(resources: &Value) -> Vec<(String, String)> {
    let all = resources.as_array().into_iter().flatten();
    all.map(|each| (format!("{}/{}", text(&each["kind"]), text(&each["name"])), text(&each["status"])))
        .collect()
}

fn all_synced() -> Vec<(String, String)> {
    ["ConfigMap/settings", "Database/main"].map(|name| (name.to_owned(), "Synced".to_owned())).into()
}

/// With a database that is ready.
fn with_data() -> Application {
    let app = Application::new(sandbox());
    app.repository.commit("Add the app", &[(MAIN, Some(&database("{}"))), (SETTINGS, Some(&config("1")))]);
    let outcome = app.sync(&[]);
    assert_eq!(outcome.phase, "Succeeded", "{}", outcome.message);
    app.story.wait_settled("main");
    app
}

fn value(app: &Application) -> Value {
    app.story.get("configmap", "settings").unwrap_or_default()["data"]["value"].take()
}

#[test]
#[ignore = "it needs Argo CD's engine: make gitops"]
fn argo_cd_finds_nothing_out_of_sync_at_rest() {
    let app = with_data();
    let before = app.story.get("database", "main").unwrap();
    assert_eq!(app.compare(&[]), all_synced());
    assert_eq!(app.compare(&["-server-side-diff"]), all_synced());
    let outcome = app.sync(&[]);
    assert_eq!(outcome.of("Database"), ("Synced", "database.altinn.app/main unchanged"));
    let after = app.story.get("database", "main").unwrap();
    assert_eq!(after["metadata"]["resourceVersion"], before["metadata"]["resourceVersion"]);

    // What the operator makes for it isn't the app's, and isn't pruned.
    for kind in ["secret", "serviceaccount"] {
        let name = if kind == "secret" { "main-db-credentials" } else { "main" };
        assert!(app.story.get(kind, name).is_some(), "{kind}");
    }
}

#[test]
#[ignore = "it needs Argo CD's engine: make gitops"]
fn argo_cd_prunes_nothing_without_a_word_and_two_commits_do() {
    let app = with_data();
    app.repository.commit("Remove the database main", &[(MAIN, None), (SETTINGS, Some(&config("2")))]);
    let outcome = app.sync(&[]);
    assert_eq!(outcome.phase, "Failed");
    let (status, message) = outcome.of("Database");
    assert_eq!(status, "SyncFailed");
    assert!(
        message.contains("databases.altinn.app \"main\" is forbidden: ValidatingAdmissionPolicy"),
        "{message}"
    );
    assert!(message.ends_with("[DB201]. Policy database-policy."), "{message}");
    // The page has these words in what it shows of Argo CD.
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (_, page) = include_str!("../../docs/deleting.md").split_once("### With Argo CD").unwrap();
    assert!(words(page).contains(&words(message)), "{message}");
    assert!(outcome.message.contains(message), "{}", outcome.message);
    assert_eq!(value(&app), "1", "pruning comes first, and the rest waits");
    assert!(app.compare(&[]).contains(&("Database/main".to_owned(), "OutOfSync".to_owned())));
    app.story.data_is_kept();

    assert_eq!(app.sync(&["-prune-last"]).phase, "Failed");
    assert_eq!(value(&app), "2", "PruneLast");

    app.repository.commit("Keep the data of the database main", &[(MAIN, Some(&kept("{}")))]);
    assert_eq!(app.sync(&[]).phase, "Succeeded");
    app.repository.commit("Remove the database main", &[(MAIN, None)]);
    let outcome = app.sync(&[]);
    assert_eq!((outcome.phase.as_str(), outcome.of("Database")), ("Succeeded", ("Pruned", "pruned")));
    eventually("the Database is gone", || app.story.get("database", "main").is_none().then_some(()));
    app.story.wait_record("Kept");
    app.story.data_is_kept();
}

#[test]
#[ignore = "it needs Argo CD's engine: make gitops"]
fn argo_cd_tells_a_refusal_until_the_commit_that_mends_it() {
    let app = with_data();
    app.repository.commit("Take a large size", &[(MAIN, Some(&database("{sku: Standard_E64ds_v5}")))]);
    for flags in [&[][..], &["-server-side-apply"]] {
        let outcome = app.sync(flags);
        assert_eq!(outcome.phase, "Failed", "{flags:?}");
        let (status, message) = outcome.of("Database");
        assert_eq!(status, "SyncFailed");
        assert!(message.contains("spec.sku \"Standard_E64ds_v5\" is not allowed here"), "{message}");
        assert!(message.contains("[DB101]"), "{message}");
        assert!(outcome.message.contains(message), "{}", outcome.message);
    }
    // Where the server compares, there is no comparison, and nothing is tried.
    let report = app.run(&["-server-side-diff"]);
    let error = report["comparisonError"].as_str().unwrap();
    assert!(error.contains("[DB101]") && report["phase"].is_null(), "{report}");
    assert_eq!(app.story.get("database", "main").unwrap()["spec"]["sku"], json!("Standard_B1ms"));

    app.repository.commit("Take a size that is allowed", &[(MAIN, Some(&database("{sku: Standard_B2s}")))]);
    assert_eq!(app.sync(&[]).phase, "Succeeded");
    app.story.wait_settled("main");
    assert_eq!(app.compare(&[]), all_synced());
    app.story.data_is_kept();
}
