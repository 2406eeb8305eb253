//! Days that pass: data are kept until the promised time and not a moment less, through restarts.

use jiff::{Timestamp, ToSpan};

use crate::{
    certificate::{Cluster, Replica},
    common::{DATABASE, SERVER, Story, eventually, ready},
    killed::{cluster, free_the_lease},
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
    let events = story.as_platform(&[
        "get",
        "events",
        "--field-selector=reason=ExpiresSoon,type=Warning",
        "-o",
        "name",
    ]);
    assert_eq!(events.succeeded().lines().count(), 1);
    drop(warned);
    let last_hour = controller(&cluster, 14 * 24 - 1);
    let later = until(&story).checked_add(1.minute()).unwrap().to_string();
    let change = format!(r#"{{"spec": {{"until": "{later}"}}}}"#);
    story.as_platform(&["patch", "rdb", &story.server().name, "--type=merge", "-p", &change]).succeeded();
    eventually("it has looked at the record", || {
        ready(&story.record()?)["message"].as_str()?.contains(&later).then_some(())
    });
    story.data_is_kept();
    drop(last_hour);

    let _over = controller(&cluster, 14 * 24 + 1);
    eventually("the record has had its day", || story.record().is_none().then_some(()));
    assert_eq!((story.in_azure(SERVER).len(), story.in_azure(DATABASE).len()), (0, 0));
    eventually("nothing is left in the cluster", || story.azure_objects().is_empty().then_some(()));
}
