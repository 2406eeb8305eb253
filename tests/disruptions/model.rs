//! Whatever people do, in whatever order, and whatever breaks meanwhile: data are gone only after their end was confirmed.

use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};

use crate::{
    certificate::{Cluster, Replica},
    common::{DATABASE, SERVER, Story, database_from, eventually, forget_dropped_servers},
    guard::{Away, CONFIGURATIONS, POLICIES},
    killed::{cluster, controller},
};

/// Each takes seconds.
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
}

impl<'a> Subject<'a> {
    fn new(cluster: &'a Cluster, number: usize) -> Self {
        let places =
            ["", "-elsewhere"].map(|place| Story::new(&cluster.sandbox, &format!("model-{number}{place}")));
        let name = |place: usize| format!("{}/main", places[place].namespace);
        places[0].allow_recovery(&name(0), &name(1));
        places[0].allow_recovery(&name(1), &name(0));
        Self { places, at: 0, named_at: 0, expected: Expected::Nothing }
    }

    fn story(&self) -> &Story<'a> {
        &self.places[self.at]
    }

    /// What Azure holds of it bears this one's name.
    fn in_azure(&self) -> &Story<'a> {
        &self.places[self.named_at]
    }

    fn has_server_object(&self) -> bool {
        let objects = self.story().azure_objects();
        objects.lines().any(|object| object.starts_with("flexibleserver.dbforpostgresql"))
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
        if let Expected::Live(born) = &self.expected {
            self.expected = Expected::Kept(born.clone());
        }
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
            Step::EndTheRecord if is_kept => {
                story.end_record();
                subject.is_gone();
            }
            Step::RecoverElsewhere if is_kept => subject.recover_elsewhere(),
            Step::DeleteTheServersObject if subject.has_server_object() => {
                let name = subject.in_azure().server().name;
                story.as_platform(&["delete", "flexibleservers", &name, "--timeout=60s"]).succeeded();
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
    let mut runner = TestRunner::new(Config { cases: 1, failure_persistence: None, ..Config::default() });
    let steps = prop::collection::vec((step(), 0..DATABASES), STEPS).new_tree(&mut runner).unwrap().current();
    let databases = (0..DATABASES).map(|number| Subject::new(&cluster, number)).collect();
    let mut model = Model { cluster: &cluster, controller: Some(controller(&cluster, &[])), databases };
    for (count, (step, number)) in steps.into_iter().enumerate() {
        // Shown when it fails: these steps in this order.
        println!("{count}: {step:?} of database {number}");
        model.take(step, number);
    }
}
