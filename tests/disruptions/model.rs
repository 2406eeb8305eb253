//! Whatever people do, in whatever order, and whatever breaks meanwhile: data are gone only after their end was confirmed.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use serde_json::{Value, json};

use crate::{
    certificate::{Cluster, Replica},
    common::{
        DATABASE, SERVER, Story, database_from, delete_in_azure, eventually, forget_dropped_servers,
        patch_azure, ready,
    },
    guard::{Away, CONFIGURATIONS, POLICIES},
    killed::{Killed, cluster, controller},
    past,
};

/// With it, data are destroyed, lost, kept, and given to others.
const SEED: i128 = 1_795_889_441_165_587_066;
/// Each takes seconds. `MODEL_SECONDS` has it go on for so long instead.
const STEPS: usize = 30;
const DATABASES: usize = 3;

/// What happens to one of the databases.
#[derive(Clone, Copy, Debug)]
enum Step {
    Apply,
    Resize,
    DeleteWithoutAWord,
    DeleteAndRetain,
    DeletePastAdmission,
    ForceTheFinalizerOff,
    DeleteAndDestroy,
    EndTheRecord,
    RecoverElsewhere,
    DeleteTheServersObject,
    KillTheController,
    /// The record of an earlier delete is put back.
    AnOldRecordReturns,
    /// `kubectl replace --force`, with a confirmed `Destroy` in the manifest.
    ReplaceByForce,
    /// Azure loses the server; people accept an empty one.
    AzureLosesTheServer,
    /// Another cluster of the same name says that the server is its own, and gives it back.
    AnotherClusterTakesIt,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Apply),
        2 => Just(Step::Resize),
        2 => Just(Step::DeleteWithoutAWord),
        3 => Just(Step::DeleteAndRetain),
        2 => Just(Step::DeletePastAdmission),
        2 => Just(Step::ForceTheFinalizerOff),
        1 => Just(Step::DeleteAndDestroy),
        1 => Just(Step::EndTheRecord),
        3 => Just(Step::RecoverElsewhere),
        2 => Just(Step::DeleteTheServersObject),
        2 => Just(Step::KillTheController),
        3 => Just(Step::AnOldRecordReturns),
        2 => Just(Step::ReplaceByForce),
        1 => Just(Step::AzureLosesTheServer),
        1 => Just(Step::AnotherClusterTakesIt),
    ]
}

/// What must be there. A server is known by when it was born.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Expected {
    Nothing,
    Live(String),
    Kept(String),
}

/// A database that has two places to be in.
struct Subject<'a> {
    places: [Story<'a>; 2],
    at: usize,
    /// The place that gave its server the name.
    named_at: usize,
    expected: Expected,
    /// Records of earlier deletes.
    old_records: Vec<Value>,
}

impl<'a> Subject<'a> {
    fn new(cluster: &'a Cluster, number: usize) -> Self {
        let places =
            ["", "-elsewhere"].map(|place| Story::new(&cluster.sandbox, &format!("model-{number}{place}")));
        let name = |place: usize| format!("{}/main", places[place].namespace);
        places[0].allow_recovery(&name(0), &name(1));
        places[0].allow_recovery(&name(1), &name(0));
        Self { places, at: 0, named_at: 0, expected: Expected::Nothing, old_records: Vec::new() }
    }

    fn story(&self) -> &Story<'a> {
        &self.places[self.at]
    }

    /// What Azure holds of it bears this one's name.
    fn in_azure(&self) -> &Story<'a> {
        &self.places[self.named_at]
    }

    fn has_server_object(&self) -> bool {
        !self.story().of_its_databases("flexibleservers").is_empty()
    }

    fn apply(&mut self, spec: &str) {
        if self.expected == Expected::Nothing {
            forget_dropped_servers(self.story().sandbox);
        }
        self.story().database("main", spec).succeeded();
        self.is_live();
    }

    fn recover_elsewhere(&mut self) {
        let from = format!("{}/main", self.story().namespace);
        self.at = 1 - self.at;
        self.story().apply(&database_from("main", &from, "{}")).succeeded();
        self.is_live();
    }

    fn is_live(&mut self) {
        let story = self.story();
        story.wait_ready("main");
        eventually("no record says that it is gone", || story.record().is_none().then_some(()));
        self.expected = match &self.expected {
            Expected::Nothing => Expected::Live(self.in_azure().born()),
            Expected::Live(born) | Expected::Kept(born) => Expected::Live(born.clone()),
        };
    }

    fn is_kept(&mut self) {
        let story = self.story();
        eventually("it is on record", || {
            (story.get("database", "main").is_none() && story.record().is_some()).then_some(())
        });
        self.old_records.extend(story.record());
        if let Expected::Live(born) = &self.expected {
            self.expected = Expected::Kept(born.clone());
        }
    }

    /// Azure Service Operator only looks at what holds data, and has nothing to write.
    fn rests(&self) {
        let server = self.in_azure().server().name;
        eventually("the server's object only looks", || {
            let object = self.story().of_platform("flexibleserver", &server)?;
            let policy = &object["metadata"]["annotations"]["serviceoperator.azure.com/reconcile-policy"];
            (policy == "skip").then_some(())
        });
    }

    fn is_gone(&mut self) {
        let story = self.story();
        eventually("nothing is left", || {
            (story.get("database", "main").is_none()
                && story.record().is_none()
                && story.azure_objects().is_empty())
            .then_some(())
        });
        assert_eq!(self.in_azure().in_azure(SERVER).len(), 0);
        (self.expected, self.named_at) = (Expected::Nothing, self.at);
    }

    /// What isn't expected to be gone is in Azure, and is what it was.
    fn holds(&self) {
        let story = self.in_azure();
        match &self.expected {
            Expected::Nothing => assert!(story.in_azure(SERVER).is_empty(), "{}", story.namespace),
            Expected::Live(born) | Expected::Kept(born) => {
                assert_eq!(story.born(), *born, "{}", story.namespace);
                assert_eq!(story.in_azure(DATABASE).len(), 1, "{}", story.namespace);
            }
        }
        let elsewhere = &self.places[1 - self.named_at];
        assert!(elsewhere.in_azure(SERVER).is_empty(), "{}", elsewhere.namespace);
    }
}

struct Model<'a> {
    cluster: &'a Cluster,
    controller: Option<Replica>,
    databases: Vec<Subject<'a>>,
}

impl Model<'_> {
    fn take(&mut self, step: Step, number: usize) {
        let subject = &mut self.databases[number];
        let story = subject.story();
        let is_live = matches!(subject.expected, Expected::Live(_));
        let is_kept = matches!(subject.expected, Expected::Kept(_));
        match step {
            Step::Apply => subject.apply("{}"),
            Step::Resize => subject.apply("{sku: Standard_B2s}"),
            Step::DeleteWithoutAWord if is_live => {
                let message = story.kubectl(&["delete", "database", "main"]).refused();
                assert!(message.contains("[DB201]"), "{message}");
            }
            Step::DeleteAndRetain if is_live => {
                story.delete_with("Retain");
                subject.is_kept();
            }
            Step::DeletePastAdmission if is_live => {
                let away = (
                    Away::take(&self.cluster.sandbox, CONFIGURATIONS),
                    Away::take(&self.cluster.sandbox, POLICIES),
                );
                // The API server takes a second to forget them.
                eventually("nobody refuses it", || {
                    (story.kubectl(&["delete", "database", "main"]).ok
                        || story.get("database", "main").is_none())
                    .then_some(())
                });
                drop(away);
                subject.is_kept();
            }
            Step::ForceTheFinalizerOff if is_live => {
                self.controller = None;
                story
                    .kubectl(&["annotate", "database", "main", "--overwrite", "altinn.app/retention=Retain"])
                    .succeeded();
                story.kubectl(&["delete", "database", "main", "--wait=false"]).succeeded();
                let off = r#"{"metadata": {"finalizers": null}}"#;
                story.kubectl(&["patch", "database", "main", "--type=merge", "-p", off]).succeeded();
                self.controller = Some(controller(self.cluster, &[]));
                subject.is_kept();
            }
            Step::DeleteAndDestroy if is_live => {
                story.confirm_destroy();
                story.kubectl(&["delete", "database", "main"]).succeeded();
                subject.is_gone();
            }
            Step::AnOldRecordReturns if !subject.old_records.is_empty() => {
                for record in &subject.old_records {
                    past::put_back(self.cluster, record, true);
                }
                if is_live {
                    eventually("it has had its day, once more", || story.record().is_none().then_some(()));
                    story.wait_ready("main");
                } else if is_kept {
                    eventually("what is kept is on record", || story.record());
                } else {
                    // It speaks of a server that is gone, and goes when that is confirmed.
                    eventually("it is judged", || {
                        (!ready(&story.record()?)["reason"].is_null()).then_some(())
                    });
                    let name = story.record().unwrap()["metadata"]["name"].as_str().unwrap().to_owned();
                    let again = story.confirmation();
                    for confirmation in ["altinn.app/confirm-destroy-", &again] {
                        let annotate = [
                            "annotate",
                            "rdb",
                            &name,
                            "--overwrite",
                            "altinn.app/retention=Destroy",
                            confirmation,
                        ];
                        story.as_platform(&annotate);
                    }
                    subject.is_gone();
                }
            }
            Step::ReplaceByForce if is_live => {
                story.confirm_destroy();
                let database = story.get("database", "main").unwrap();
                let annotations = &database["metadata"]["annotations"];
                let manifest = json!({
                    "apiVersion": "altinn.app/v1alpha1", "kind": "Database", "spec": {},
                    "metadata": {"name": "main", "annotations": {
                        "altinn.app/retention": "Destroy",
                        "altinn.app/confirm-destroy": annotations["altinn.app/confirm-destroy"],
                    }},
                });
                story.replace_by_force(&manifest.to_string()).succeeded();
                subject.is_live();
                let off =
                    ["annotate", "database", "main", "altinn.app/retention-", "altinn.app/confirm-destroy-"];
                subject.story().kubectl(&off).succeeded();
            }
            Step::AzureLosesTheServer if is_live && subject.at == subject.named_at => {
                subject.rests();
                let server = story.server();
                delete_in_azure(&self.cluster.sandbox, &server.id);
                forget_dropped_servers(&self.cluster.sandbox);
                drop(Killed::now(&self.cluster.sandbox, "aso"));
                story.wait_reason("main", "ServerGone");
                assert!(story.in_azure(SERVER).is_empty(), "{}", story.namespace);
                story.accept_empty(&server.name);
                story.wait_ready("main");
                subject.expected = Expected::Live(story.born());
                // What is written of the former one says nothing of this one.
                subject.old_records.clear();
                subject
                    .story()
                    .kubectl(&["annotate", "database", "main", "altinn.app/accept-empty-"])
                    .succeeded();
            }
            Step::AnotherClusterTakesIt if is_live => {
                subject.rests();
                let server = subject.in_azure().server();
                let uid = server.body["tags"]["database-operator-cluster-uid"].clone();
                let tag = |uid: &Value| {
                    let tags = json!({"tags": {"database-operator-cluster-uid": uid}});
                    patch_azure(&self.cluster.sandbox, &server.id, &tags);
                    drop(Killed::now(&self.cluster.sandbox, "aso"));
                };
                tag(&json!("00000000-0000-4000-8000-0000000000c2"));
                story.wait_reason("main", "ServerNotOurs");
                tag(&uid);
                story.wait_ready("main");
            }
            Step::EndTheRecord if is_kept => {
                story.end_record();
                subject.is_gone();
            }
            Step::RecoverElsewhere if is_kept => subject.recover_elsewhere(),
            Step::DeleteTheServersObject if subject.has_server_object() => {
                let name = subject.in_azure().server().name;
                story.as_platform(&["delete", "flexibleservers", &name, "--timeout=180s"]).succeeded();
                if is_live {
                    eventually("the server's object is back", || subject.has_server_object().then_some(()));
                    story.wait_ready("main");
                }
            }
            Step::KillTheController => {
                self.controller = None;
                self.controller = Some(controller(self.cluster, &[]));
            }
            // Nothing of what it takes is there.
            _ => {}
        }
        self.databases.iter().for_each(Subject::holds);
    }
}

#[test]
fn data_are_gone_only_after_their_end_was_confirmed() {
    let cluster = cluster();
    // The same steps each time, unless MODEL_SEED says otherwise: what looks for new ways plays both loops in memory.
    let seed = std::env::var("MODEL_SEED")
        .map_or(SEED, |seed| seed.parse().expect("MODEL_SEED is a number"))
        .to_be_bytes();
    println!("MODEL_SEED={}", i128::from_be_bytes(seed));
    let seed: Vec<u8> = seed.iter().chain(&seed).copied().collect();
    let config = Config { cases: 1, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let limit = std::env::var("MODEL_SECONDS")
        .ok()
        .map(|seconds| Duration::from_secs(seconds.parse().expect("MODEL_SECONDS is a number")));
    let started = Instant::now();
    let databases = (0..DATABASES).map(|number| Subject::new(&cluster, number)).collect();
    let mut model = Model { cluster: &cluster, controller: Some(controller(&cluster, &[])), databases };
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    for count in 0.. {
        if limit.map_or(count >= STEPS, |limit| started.elapsed() >= limit) {
            break;
        }
        let (step, number) = (step(), 0..DATABASES).new_tree(&mut runner).unwrap().current();
        println!("{count}: {step:?} of database {number}");
        *taken.entry(format!("{step:?}")).or_default() += 1;
        model.take(step, number);
    }
    println!("{taken:?}");
}
