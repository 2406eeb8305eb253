//! Whatever people do, in whatever order, and whatever breaks meanwhile: data are gone only after their end was confirmed.

use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};

use crate::{
    certificate::{Cluster, Replica},
    common::{SERVER, Story, eventually, forget_dropped_servers, run},
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

struct Model<'a> {
    cluster: &'a Cluster,
    controller: Option<Replica>,
    databases: Vec<(Story<'a>, Expected)>,
}

impl Model<'_> {
    fn take(&mut self, step: Step, number: usize) {
        let (story, expected) = &mut self.databases[number];
        let is_live = matches!(expected, Expected::Live(_));
        match step {
            Step::Apply => apply(story, expected, "{}"),
            Step::Resize => apply(story, expected, "{sku: Standard_B2s}"),
            Step::DeleteWithoutAWord if is_live => {
                let message = story.kubectl(&["delete", "database", "main"]).refused();
                assert!(message.contains("[DB201]"), "{message}");
            }
            Step::DeleteAndRetain if is_live => {
                story.delete_with("Retain");
                is_kept(story, expected);
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
                is_kept(story, expected);
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
                is_kept(story, expected);
            }
            Step::DeleteAndDestroy if is_live => {
                story.confirm_destroy();
                story.kubectl(&["delete", "database", "main"]).succeeded();
                is_gone(story, expected);
            }
            Step::EndTheRecord if matches!(expected, Expected::Kept(_)) && has_server_object(story) => {
                story.end_record();
                is_gone(story, expected);
            }
            Step::DeleteTheServersObject if has_server_object(story) => {
                let name = story.server().name;
                let arguments =
                    ["-n", "database-operator", "delete", "flexibleservers", &name, "--timeout=60s"];
                run(story.sandbox.kubectl(&arguments), "").succeeded();
                if is_live {
                    eventually("the server's object is back", || has_server_object(story).then_some(()));
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
        self.holds();
    }

    /// What isn't expected to be gone is in Azure, and is what it was.
    fn holds(&self) {
        for (story, expected) in &self.databases {
            match expected {
                Expected::Nothing => assert!(story.in_azure(SERVER).is_empty(), "{}", story.namespace),
                Expected::Live(born) | Expected::Kept(born) => {
                    assert_eq!(story.born(), *born, "{}", story.namespace);
                    assert_eq!(story.in_azure(crate::common::DATABASE).len(), 1, "{}", story.namespace);
                }
            }
        }
    }
}

fn has_server_object(story: &Story<'_>) -> bool {
    story.azure_objects().lines().any(|object| object.starts_with("flexibleserver.dbforpostgresql"))
}

fn apply(story: &Story<'_>, expected: &mut Expected, spec: &str) {
    if *expected == Expected::Nothing {
        forget_dropped_servers(story.sandbox);
    }
    story.database("main", spec).succeeded();
    story.wait_ready("main");
    eventually("no record says that it is gone", || story.record().is_none().then_some(()));
    *expected = match expected {
        Expected::Nothing => Expected::Live(story.born()),
        Expected::Live(born) | Expected::Kept(born) => Expected::Live(born.clone()),
    };
}

fn is_kept(story: &Story<'_>, expected: &mut Expected) {
    eventually("it is on record", || {
        (story.get("database", "main").is_none() && story.record().is_some()).then_some(())
    });
    if let Expected::Live(born) = expected {
        *expected = Expected::Kept(born.clone());
    }
}

fn is_gone(story: &Story<'_>, expected: &mut Expected) {
    eventually("nothing is left", || {
        (story.get("database", "main").is_none()
            && story.record().is_none()
            && story.azure_objects().is_empty())
        .then_some(())
    });
    *expected = Expected::Nothing;
}

#[test]
fn data_are_gone_only_after_their_end_was_confirmed() {
    let cluster = cluster();
    let mut runner = TestRunner::new(Config { cases: 1, failure_persistence: None, ..Config::default() });
    let steps = prop::collection::vec((step(), 0..DATABASES), STEPS).new_tree(&mut runner).unwrap().current();
    let databases = (0..DATABASES)
        .map(|number| (Story::new(&cluster.sandbox, &format!("model-{number}")), Expected::Nothing))
        .collect();
    let mut model = Model { cluster: &cluster, controller: Some(controller(&cluster, &[])), databases };
    for (count, (step, number)) in steps.into_iter().enumerate() {
        // Shown when it fails: these steps in this order.
        println!("{count}: {step:?} of database {number}");
        model.take(step, number);
    }
}
