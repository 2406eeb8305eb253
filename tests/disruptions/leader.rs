//! Several controllers, of which one works.

use std::process::Command;

use sandbox::Options;

use crate::{
    certificate::{Cluster, Replica},
    common::{Story, audit_lines, eventually, writes_of_the_controller},
    rotation::free_address,
};

fn controller(cluster: &Cluster, name: &str, lease: &str) -> Replica {
    let admin = free_address().to_string();
    cluster.replica(name, &["--admin-listen", &admin, "--lease-duration", lease])
}

pub(crate) fn says(replica: &Replica, words: &str) {
    eventually(&format!("it says {words:?}"), || replica.log().contains(words).then_some(()));
}

pub(crate) fn signal(replica: &Replica, signal: &str) {
    let pid = replica.child.id().to_string();
    assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
}

#[test]
fn a_leader_that_stands_still_is_replaced_and_writes_nothing_when_it_goes_on() {
    let cluster = Cluster::without("controller", &Options::without_postgres());
    let mut first = controller(&cluster, "first", "4s");
    says(&first, "leading");
    let second = controller(&cluster, "second", "4s");
    says(&second, "waiting: ");
    let story = Story::new(&cluster.sandbox, "handed-over");
    story.database("main", "{}").succeeded();
    story.wait_ready("main");

    signal(&first, "-STOP");
    story.database("main", "{sku: Standard_B2s}").succeeded();
    story.wait_ready("main");
    says(&second, "leading");
    assert_eq!(story.server().body["sku"]["name"], "Standard_B2s");

    // Nobody leads, and there is something to do.
    drop(second);
    story.database("main", "{sku: Standard_B1ms}").succeeded();
    let start = audit_lines(&cluster.sandbox);
    signal(&first, "-CONT");
    let ended = eventually("the old leader ends", || first.child.try_wait().unwrap());
    assert!(!ended.success());
    assert!(first.log().contains("couldn't be renewed in time"), "{}", first.log());
    assert_eq!(writes_of_the_controller(&cluster.sandbox, start), Vec::<String>::new());

    let _third = controller(&cluster, "third", "4s");
    story.wait_ready("main");
    assert_eq!(story.server().body["sku"]["name"], "Standard_B1ms");
    story.data_is_kept();
}

#[test]
fn a_leader_that_is_told_to_end_hands_over_at_once() {
    let cluster =
        Cluster::without("controller", &Options { without_aso: true, ..Options::without_postgres() });
    // Far longer than anybody would wait for it to end by itself.
    let mut first = controller(&cluster, "first", "1h");
    says(&first, "leading");
    let second = controller(&cluster, "second", "1h");
    says(&second, "waiting: ");
    signal(&first, "-TERM");
    says(&second, "leading");
    assert!(eventually("the first ends", || first.child.try_wait().unwrap()).success());
}
