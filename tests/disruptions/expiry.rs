//! Days that pass: data are kept until the promised time and not a moment less, through restarts.

use jiff::{Timestamp, ToSpan};

use crate::{
    certificate::{Cluster, Replica},
    common::{DATABASE, OPERATOR_NAMESPACE, SERVER, Story, eventually},
    killed::{cluster, free_the_lease},
    leader::{says, signal},
    rotation::free_address,
};

/// A controller whose clock, and whose API server's, are so many hours ahead.
fn controller(cluster: &Cluster, hours: u32) -> Replica {
    free_the_lease(cluster);
    let controller = cluster.replica("controller", &[&format!("--clock-ahead={hours}h")]);
    eventually("the controller works", || controller.log().contains("controller running").then_some(()));
    controller
}

fn until(story: &Story<'_>) -> Timestamp {
    story.record().unwrap()["spec"]["until"].as_str().unwrap().parse().unwrap()
}

/// Whether the record's status speaks of the record as it is.
fn has_looked(story: &Story<'_>) -> bool {
    let record = story.record().unwrap();
    record["status"]["observedGeneration"] == record["metadata"]["generation"]
}

#[test]
fn data_are_kept_for_the_days_that_were_promised_and_destroyed_after_them() {
    let cluster = cluster();
    let story = Story::new(&cluster.sandbox, "fortnight");
    let now = controller(&cluster, 0);
    story.database("main", "{}").succeeded();
    story.wait_ready("main");
    story.delete_with("14d");
    story.wait_record("KeptUntil");
    drop(now);

    // A day before the end people are warned.
    let warned = controller(&cluster, 14 * 24 - 23);
    story.wait_record("ExpiresSoon");
    let of_it = format!("reason=ExpiresSoon,type=Warning,involvedObject.name={}", story.server().name);
    eventually("one event warns", || {
        let events = story.events(OPERATOR_NAMESPACE, &of_it);
        assert!(events.len() <= 1, "{events:?}");
        (!events.is_empty()).then_some(())
    });
    drop(warned);
    let last_hour = controller(&cluster, 14 * 24 - 1);
    let later = until(&story).checked_add(1.minute()).unwrap().to_string();
    let change = format!(r#"{{"spec": {{"until": "{later}"}}}}"#);
    story.as_platform(&["patch", "rdb", &story.server().name, "--type=merge", "-p", &change]).succeeded();
    eventually("it has looked at the record", || has_looked(&story).then_some(()));
    story.data_is_kept();
    drop(last_hour);

    let _over = controller(&cluster, 14 * 24 + 1);
    eventually("the record has had its day", || story.record().is_none().then_some(()));
    assert_eq!((story.in_azure(SERVER).len(), story.in_azure(DATABASE).len()), (0, 0));
    eventually("nothing is left in the cluster", || story.azure_objects().is_empty().then_some(()));
}

/// One of several, of which one works.
fn one_of_several(cluster: &Cluster, name: &str, hours: u32) -> Replica {
    let admin = free_address().to_string();
    let clock = format!("--clock-ahead={hours}h");
    cluster.replica(name, &["--admin-listen", &admin, "--lease-duration=1h", &clock])
}

/// Hands over to the next one.
fn end(mut leader: Replica, next: &Replica) {
    signal(&leader, "-TERM");
    says(next, "controller running");
    assert!(eventually("it ends", || leader.child.try_wait().unwrap()).success());
}

#[test]
fn another_leader_meets_the_same_end_and_one_that_waits_ends_nothing() {
    let cluster = cluster();
    free_the_lease(&cluster);
    let first = one_of_several(&cluster, "first", 0);
    says(&first, "controller running");
    let story = Story::new(&cluster.sandbox, "fortnights").with_database("{}");
    let born = story.born();
    story.delete_with("14d");
    story.wait_record("KeptUntil");

    let second = one_of_several(&cluster, "second", 14 * 24 - 1);
    says(&second, "waiting: ");
    end(first, &second);
    // The second one has looked at it, for it warns.
    story.wait_record("ExpiresSoon");
    // By this one's clock it is over, a day after the warning, and it isn't its turn.
    let third = one_of_several(&cluster, "third", 15 * 24 + 1);
    says(&third, "waiting: ");
    let later = until(&story).checked_add(1.minute()).unwrap().to_string();
    let change = format!(r#"{{"spec": {{"until": "{later}"}}}}"#);
    story.as_platform(&["patch", "rdb", &story.server().name, "--type=merge", "-p", &change]).succeeded();
    eventually("the second one has looked again", || has_looked(&story).then_some(()));
    assert_eq!(story.born(), born);
    story.data_is_kept();

    end(second, &third);
    eventually("the record has had its day", || story.record().is_none().then_some(()));
    assert_eq!((story.in_azure(SERVER).len(), story.in_azure(DATABASE).len()), (0, 0));
}
