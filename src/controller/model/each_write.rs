//! The process ends at each write of the ways that data take when a `Database` goes and comes back: enumerated, not drawn. The
//! next one brings it to its end.

use jiff::SignedDuration;
use rstest::rstest;
use tokio::runtime::Runtime;

use super::{Administers, COPY, DATABASES, Step, World, database_key, record_key, runtime, server_name};
use crate::monotonic;

const NAME: &str = DATABASES[0];
/// More rounds than any way takes.
const ROUNDS: usize = 60;
/// So much time passes in each.
const ROUND: SignedDuration = SignedDuration::from_mins(1);

fn is_kept(world: &World) -> bool {
    let is_closed = world.azure.ways_in(&server_name(NAME)) == 0;
    world.object(&database_key(NAME)).is_none()
        && world.reason(&record_key(NAME)).as_deref() == Some("Kept")
        && is_closed
}

fn is_destroyed(world: &World) -> bool {
    let is_gone = |key| world.object(&key).is_none();
    is_gone(database_key(NAME)) && is_gone(record_key(NAME)) && world.objects_of_azure().is_empty()
}

fn is_back(world: &World) -> bool {
    world.is_ready(NAME) && world.object(&record_key(NAME)).is_none()
}

fn data(world: &World) -> Option<u64> {
    world.azure.servers.get(&server_name(NAME)).map(|server| server.data)
}

impl World {
    /// A round in which everything goes as it should, but for a process that ends after so many more writes. Tells how many are
    /// left, and `None` once it has ended.
    fn round(&mut self, runtime: &Runtime, left: Option<usize>) -> Option<usize> {
        let mut left = left;
        let both = |name| [(name, false), (name, true)];
        for (name, is_record) in [NAME, COPY].into_iter().flat_map(both) {
            let before = self.api_server.store().writes;
            if is_record {
                self.reconcile_record(runtime, name, true, left);
            } else {
                self.reconcile(runtime, name, true, left);
            }
            let writes = self.api_server.store().writes - before;
            left = left.map(|left| left - writes).filter(|left| *left > 0);
        }
        self.attend(None);
        self.api_server.store().collect_garbage();
        self.take_time(ROUND);
        self.look();
        left
    }

    fn work_until(&mut self, runtime: &Runtime, what: &str, is_over: fn(&Self) -> bool) {
        for _ in 0..ROUNDS {
            if is_over(self) {
                return;
            }
            self.round(runtime, None);
        }
        let there = [database_key(NAME), record_key(NAME)].map(|key| self.reason(&key));
        let written = self.api_server.store().told.join("\n");
        panic!("{what}, never: {there:?}, {:?}\n{written}", self.objects_of_azure());
    }
}

/// The process ends after one write of a way, after two, and so on to its last: more than `least`. `begins` makes the world at
/// the beginning of the way, and `judge` looks at it at the end, with the data that were there before.
fn cut_off_at_each_write(
    what: &str,
    least: usize,
    begins: impl Fn(&Runtime) -> World,
    is_over: fn(&World) -> bool,
    judge: impl Fn(&World, Option<u64>, &str),
) {
    monotonic::stand_still();
    let runtime = runtime();
    let _entered = runtime.enter();
    for writes in 1.. {
        let mut world = begins(&runtime);
        let had = data(&world);
        assert!(had.is_some());
        let mut left = Some(writes);
        for _ in 0..ROUNDS {
            if is_over(&world) || left.is_none() {
                break;
            }
            left = world.round(&runtime, left);
        }
        world.process = None;
        let when = format!("after {writes} writes of {what}");
        world.work_until(&runtime, &when, is_over);
        judge(&world, had, &when);
        if left.is_some() {
            println!("{what} has fewer than {writes} writes");
            assert!(writes > least, "{writes}");
            return;
        }
    }
}

#[rstest]
#[case::keeping(&[], Step::Delete { word: Some("Retain") }, is_kept, true, 6)]
#[case::destroying(&[], Step::Delete { word: Some("Destroy") }, is_destroyed, false, 15)]
#[case::ending_what_is_kept(
    &[Step::Delete { word: Some("Retain") }], Step::OnRecord { word: "Destroy" }, is_destroyed, false, 7
)]
#[case::recovering(&[Step::Delete { word: Some("Retain") }], Step::Apply, is_back, true, 6)]
fn whoever_comes_next_brings_it_to_its_end(
    #[case] before: &[Step],
    #[case] begin: Step,
    #[case] is_over: fn(&World) -> bool,
    #[case] keeps: bool,
    #[case] least: usize,
) {
    let what = format!("{begin:?}");
    let ready = |runtime: &Runtime| {
        let mut world = World::new(Administers::Apps);
        world.take(runtime, &Step::Apply, NAME);
        world.work_until(runtime, "it is ready", is_back);
        for step in before {
            world.take(runtime, step, NAME);
            world.work_until(runtime, "it is kept", is_kept);
        }
        world.take(runtime, &begin, NAME);
        world
    };
    cut_off_at_each_write(&what, least, ready, is_over, |world, had, when| {
        assert_eq!(data(world), had.filter(|_| keeps), "{when}");
    });
}

/// A world in which the source is ready, and its copy is asked for.
fn before_a_restore(runtime: &Runtime) -> World {
    let mut world = World::new(Administers::Platform);
    world.take(runtime, &Step::Apply, NAME);
    world.work_until(runtime, "the source is ready", is_back);
    world.take(runtime, &Step::Apply, COPY);
    world
}

fn is_copied(world: &World) -> bool {
    world.is_ready(NAME) && world.is_ready(COPY)
}

/// The copy has what the source had, was made once, and has nothing that would have Azure make it again.
#[track_caller]
fn is_copied_once(world: &World, source: Option<u64>, when: &str) {
    assert_eq!(world.azure.servers[&server_name(COPY)].copied_from, source, "{when}");
    assert_eq!(data(world), source, "{when}");
    assert_eq!(world.acted.get("copied"), Some(&1), "{when}");
    let server = world.object(&super::server_key(COPY)).unwrap();
    assert!(server["spec"]["createMode"].is_null(), "{when}: {}", server["spec"]);
}

#[test]
fn a_restore_that_is_cut_off_at_any_write_is_done_once() {
    cut_off_at_each_write("a restore", 8, before_a_restore, is_copied, is_copied_once);
}

/// And all of it is applied again from Git.
#[test]
fn a_restore_during_which_all_of_kubernetes_is_lost_is_done_once() {
    monotonic::stand_still();
    let runtime = runtime();
    let _entered = runtime.enter();
    for rounds in 0.. {
        let mut world = before_a_restore(&runtime);
        let source = data(&world);
        for _ in 0..rounds {
            world.round(&runtime, None);
        }
        let was_over = is_copied(&world);
        world.api_server.store().objects.clear();
        world.process = None;
        for name in [COPY, NAME] {
            world.take(&runtime, &Step::Apply, name);
        }
        let when = format!("lost after {rounds} rounds");
        world.work_until(&runtime, &when, is_copied);
        is_copied_once(&world, source, &when);
        if was_over {
            assert!(rounds > 4, "{rounds}");
            return;
        }
    }
}

/// However long Azure takes for it.
#[test]
fn a_source_is_not_destroyed_before_its_copy_is_made() {
    monotonic::stand_still();
    let runtime = runtime();
    let _entered = runtime.enter();
    let mut world = before_a_restore(&runtime);
    world.work_until(&runtime, "Azure is at it", |world| {
        let reason = world.reason(&database_key(COPY));
        reason.as_deref() == Some("Restoring") && world.is_being_copied(NAME)
    });
    world.take(&runtime, &Step::Delete { word: Some("Destroy") }, NAME);
    // Azure says nothing of the copy meanwhile.
    let copy = super::server_key(COPY);
    for _ in 0..ROUNDS {
        for name in [NAME, COPY] {
            world.reconcile(&runtime, name, true, None);
            world.reconcile_record(&runtime, name, true, None);
        }
        for key in world.objects_of_azure().into_iter().filter(|key| *key != copy) {
            let happened = world.azure.attend(&mut world.api_server.store(), &key);
            assert_eq!(happened, None);
        }
        world.take_time(ROUND);
        world.look();
    }
    assert_eq!(world.reason(&record_key(NAME)).as_deref(), Some("DestroyWaits"));
    assert!(data(&world).is_some());

    world.work_until(&runtime, "the copy is made, and its source goes", |world| {
        world.is_ready(COPY) && is_destroyed_but_for_the_copy(world)
    });
    assert_eq!(data(&world), None);
}

fn is_destroyed_but_for_the_copy(world: &World) -> bool {
    let is_gone = |key| world.object(&key).is_none();
    is_gone(database_key(NAME)) && is_gone(record_key(NAME)) && is_gone(super::server_key(NAME))
}
