//! An app that Flux applies: its repository, and what Flux has to know.

use serde_json::{Value, json};

use crate::{
    common::{Story, eventually, ready},
    repository::Repository,
    turn::Turn,
};

/// The app, in a namespace of its own, which is also where its `GitRepository` and its `Kustomization` are, and how they are
/// called.
pub(crate) struct App<'a> {
    pub(crate) story: Story<'a>,
    pub(crate) repository: Repository,
    _turn: Turn,
}

/// What people write into `spec` of their `Kustomization`, for a database.
pub(crate) fn settings() -> Value {
    json!({
        "interval": "1h", "retryInterval": "2s", "timeout": "45m", "prune": true, "wait": true,
    })
}

impl<'a> App<'a> {
    /// Nothing is committed yet.
    pub(crate) fn new(story: Story<'a>) -> Self {
        Self::at(story, Turn::beside_others())
    }

    /// Of a story that breaks something for everybody.
    pub(crate) fn alone(story: Story<'a>) -> Self {
        Self::at(story, Turn::alone())
    }

    fn at(story: Story<'a>, turn: Turn) -> Self {
        let repository = Repository::new(&story.namespace);
        Self { story, repository, _turn: turn }
    }

    /// How its `Kustomization` is called.
    pub(crate) fn name(&self) -> &str {
        &self.story.namespace
    }

    /// With these manifests, which Flux has applied.
    #[track_caller]
    pub(crate) fn with(self, files: &[(&str, Option<&str>)]) -> Self {
        self.with_settings(files, &settings())
    }

    /// The same, by a `Kustomization` with these settings.
    #[track_caller]
    pub(crate) fn with_settings(self, files: &[(&str, Option<&str>)], settings: &Value) -> Self {
        self.commit("Add the app", files);
        self.follow(settings);
        self.applied();
        self
    }

    /// Has Flux follow the repository from now on.
    pub(crate) fn follow(&self, settings: &Value) {
        let name = json!({ "name": self.name(), "namespace": self.story.namespace });
        let source = json!({
            "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository", "metadata": name,
            "spec": { "interval": "1h", "url": self.repository.url(), "ref": { "branch": "main" } },
        });
        let mut kustomization = json!({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization", "metadata": name,
            "spec": {
                "sourceRef": { "kind": "GitRepository", "name": self.name() }, "path": "./",
                "targetNamespace": self.story.namespace,
            },
        });
        for (key, value) in settings.as_object().unwrap() {
            kustomization["spec"][key] = value.clone();
        }
        self.story.apply(&source.to_string()).succeeded();
        self.story.apply(&kustomization.to_string()).succeeded();
    }

    /// Commits and pushes; Flux isn't told yet.
    pub(crate) fn commit(&self, message: &str, files: &[(&str, Option<&str>)]) -> String {
        let commit = self.repository.commit(message, files);
        self.repository.push();
        commit
    }

    /// Commits and pushes, and has Flux fetch it, as its webhook receiver or `flux reconcile source git` does.
    pub(crate) fn push(&self, message: &str, files: &[(&str, Option<&str>)]) -> String {
        let commit = self.commit(message, files);
        self.reconcile("gitrepository");
        commit
    }

    /// As `flux reconcile`, without waiting. Returns what the object says once that has been done.
    pub(crate) fn reconcile(&self, kind: &str) -> String {
        let now = jiff::Timestamp::now().to_string();
        let requested = format!("reconcile.fluxcd.io/requestedAt={now}");
        self.story.kubectl(&["annotate", "--overwrite", kind, self.name(), &requested]).succeeded();
        now
    }

    /// As `flux suspend kustomization` and `flux resume kustomization`.
    pub(crate) fn suspend(&self, suspended: bool) {
        let change = json!({ "spec": { "suspend": suspended } }).to_string();
        self.story
            .kubectl(&["patch", "kustomization", self.name(), "--type=merge", "-p", &change])
            .succeeded();
    }

    /// Waits until the newest commit is there to be applied.
    #[track_caller]
    pub(crate) fn fetched(&self) {
        let revision = self.revision();
        eventually(&format!("Flux has fetched {revision}"), || {
            let source = self.story.get("gitrepository", self.name())?;
            (source["status"]["artifact"]["revision"] == revision.as_str()).then_some(())
        });
    }

    pub(crate) fn kustomization(&self) -> Value {
        self.story.get("kustomization", self.name()).expect("a Kustomization")
    }

    /// The revision that the newest commit has for Flux.
    fn revision(&self) -> String {
        let commit = self.repository.head();
        format!("main@sha1:{commit}")
    }

    /// Waits until Flux has tried the newest commit, and says what came of it: the condition `Ready`, either `True` or
    /// `False`.
    #[track_caller]
    pub(crate) fn outcome(&self) -> Value {
        let revision = self.revision();
        eventually(&format!("Flux has tried {revision}"), || {
            let kustomization = self.kustomization();
            let ready = ready(&kustomization);
            let status = &kustomization["status"];
            let is_over = ready["status"] == "True" || ready["status"] == "False";
            let is_newest = status["lastAttemptedRevision"] == revision.as_str()
                && ready["observedGeneration"] == kustomization["metadata"]["generation"];
            (is_newest && is_over).then_some(ready)
        })
    }

    /// Waits until Flux has applied the newest commit.
    #[track_caller]
    pub(crate) fn applied(&self) {
        let revision = self.revision();
        eventually(&format!("Flux has applied {revision}"), || {
            let kustomization = self.kustomization();
            let ready = ready(&kustomization);
            let is_applied = ready["status"] == "True"
                && ready["message"] == format!("Applied revision: {revision}")
                && kustomization["status"]["observedGeneration"] == kustomization["metadata"]["generation"];
            is_applied.then_some(())
        });
    }

    /// What Flux says when it can't apply the newest commit, with its reason.
    #[track_caller]
    pub(crate) fn refused(&self, reason: &str) -> String {
        let outcome = self.outcome();
        assert_eq!((&outcome["status"], &outcome["reason"]), (&json!("False"), &json!(reason)), "{outcome}");
        // A line break at the end belongs to a list of changes, which is empty.
        outcome["message"].as_str().unwrap().trim_end().to_owned()
    }
}
