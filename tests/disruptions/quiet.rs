//! What changes nothing writes nothing.

use std::sync::{Mutex, MutexGuard, OnceLock};

use sandbox::{Options, Sandbox};

use crate::{
    common::{
        Story, audit_lines, azure_requests, eventually, lists_of_the_controller, patch_azure, reconciles,
        reconciles_of_records, run, writes_of_the_controller,
    },
    past::rests,
    shared,
};

/// A sandbox of its own for what must be quiet. Azure Service Operator looks at Azure every few seconds here: with the
/// databases of many stories it would do nothing else.
fn sandbox() -> MutexGuard<'static, Sandbox> {
    static SANDBOX: OnceLock<Mutex<Sandbox>> = OnceLock::new();
    shared(&SANDBOX, &Options { aso_sync_seconds: 5, ..Options::without_postgres() })
}

#[test]
fn a_creation_writes_each_child_once_and_the_status_three_times_at_most() {
    let sandbox = sandbox();
    let start = audit_lines(&sandbox);
    let story = Story::new(&sandbox, "counted");
    story.database("main", "{}").succeeded();
    story.wait_settled("main");

    // The namespace is a part of the names of objects in the operator's namespace.
    let mut writes = writes_of_the_controller(&sandbox, start);
    writes.retain(|write| write.contains("counted"));
    let count = |needle: &str| writes.iter().filter(|write| write.contains(needle)).count();
    // To look whether Azure has such a server, to make it, and to come to rest.
    assert_eq!(count("/flexibleservers/"), 3, "{writes:#?}");
    assert_eq!(count("/flexibleserversdatabases/"), 2, "{writes:#?}");
    for kind in [
        "/flexibleserversfirewallrules/",
        "/flexibleserversadministrators/",
        "/userassignedidentities/",
        "/federatedidentitycredentials/",
        "/secrets/",
        "/serviceaccounts/",
    ] {
        assert_eq!(count(kind), 1, "{kind} in {writes:#?}");
    }
    assert!(count("/databases/main/status") <= 3, "{writes:#?}");
    // The finalizer is the only other write of the Database.
    assert_eq!(count("/databases/main?"), 1, "{writes:#?}");
}

#[test]
fn a_restart_of_the_controller_writes_nothing() {
    let sandbox = sandbox();
    let story = Story::new(&sandbox, "restarted");
    for name in ["one", "two"] {
        story.database(name, "{}").succeeded();
    }
    story.wait_settled("one");
    story.wait_settled("two");
    let _kept = kept(&sandbox, "kept-restarted");

    settle(&sandbox);
    let records = run(sandbox.kubectl(&["get", "rdb", "-A", "--no-headers"]), "").succeeded().lines().count();
    let (start, databases) = (audit_lines(&sandbox), databases(&sandbox));
    sandbox.process("controller").restart().unwrap();
    eventually("the new controller has looked at every database, and at every record", || {
        let of_records = usize::try_from(reconciles_of_records(&sandbox)).unwrap();
        (reconciles(&sandbox) >= databases && records > 0 && of_records >= records).then_some(())
    });
    assert_eq!(writes_of_the_controller(&sandbox, start), Vec::<String>::new());
    // Whatever is listed later would ask for another pass of each database that it touches.
    let lists = lists_of_the_controller(&sandbox, start);
    assert_eq!(lists.iter().position(|kind| kind == "databases"), Some(lists.len() - 1), "{lists:?}");
    assert!(lists.iter().any(|kind| kind == "retaineddatabases") && lists.len() > 10, "{lists:?}");
}

#[test]
fn a_resync_of_azure_service_operator_makes_the_controller_write_nothing() {
    let sandbox = sandbox();
    let story = Story::new(&sandbox, "resynced");
    story.database("main", "{}").succeeded();
    story.wait_settled("main");
    let kept = kept(&sandbox, "kept-resynced");

    let servers = [&story, &kept].map(|story| story.server().id);
    let looks = || {
        let requests = azure_requests(&sandbox);
        let of = |server: &String| {
            requests.iter().filter(|request| request.path.eq_ignore_ascii_case(server)).count()
        };
        servers.each_ref().map(of)
    };
    settle(&sandbox);
    let (start, before) = (audit_lines(&sandbox), looks());
    eventually("Azure Service Operator has looked at each server twice", || {
        looks().iter().zip(before).all(|(now, before)| *now >= before + 2).then_some(())
    });
    assert_eq!(writes_of_the_controller(&sandbox, start), Vec::<String>::new());
}

#[test]
fn a_policy_that_changes_nothing_for_a_database_writes_nothing() {
    let sandbox = sandbox();
    let story = Story::new(&sandbox, "repoliced");
    story.database("main", "{}").succeeded();
    story.wait_settled("main");
    settle(&sandbox);
    let (start, before, databases) = (audit_lines(&sandbox), reconciles(&sandbox), databases(&sandbox));

    let policy = &*super::policy::GOOD;
    super::policy::apply_policy(&sandbox, &format!("{policy}\n# a comment\n"));
    eventually("the controller has looked at every database", || {
        (reconciles(&sandbox) >= before + databases).then_some(())
    });
    assert_eq!(writes_of_the_controller(&sandbox, start), Vec::<String>::new());
}

#[test]
fn a_resize_by_others_is_told_and_stays_until_something_is_changed() {
    let sandbox = sandbox();
    let story = Story::new(&sandbox, "resized");
    story.database("main", "{}").succeeded();
    story.wait_settled("main");
    let start = audit_lines(&sandbox);
    let resized = serde_json::json!({"sku": {"name": "Standard_B2s", "tier": "Burstable"}});
    patch_azure(&sandbox, &story.server().id, &resized);
    eventually("the status tells the size that there is", || {
        (story.get("database", "main")?["status"]["server"]["sku"] == "Standard_B2s").then_some(())
    });
    let mut writes = writes_of_the_controller(&sandbox, start);
    writes.retain(|write| write.contains("resized") && write.contains("azure.com"));
    assert_eq!(writes, Vec::<String>::new());
    story.database("main", "{storage: {sizeGiB: 64}}").succeeded();
    eventually("with a change the size is as it is written again", || {
        (story.server().body["sku"]["name"] == "Standard_B1ms").then_some(())
    });
}

/// A database whose data are kept, with all ways in closed: its password was changed, and the old one is forgotten.
fn kept<'a>(sandbox: &'a Sandbox, namespace: &str) -> Story<'a> {
    let story = Story::new(sandbox, namespace).with_database("{authentication: Password}");
    let secret = format!("{}-admin", story.server().name);
    let keys = || -> Vec<String> {
        let secret = story.of_platform("secret", &secret).unwrap();
        secret["data"].as_object().unwrap().keys().cloned().collect()
    };
    let before = keys();
    story.delete_with("Retain");
    story.wait_record("Kept");
    eventually("the ways in are closed", || {
        let is_closed = ["federatedidentitycredentials", "flexibleserversfirewallrules"]
            .iter()
            .all(|kind| story.of_its_databases(kind).is_empty());
        let now = keys();
        (is_closed && now != before && now.len() == 1).then_some(())
    });
    rests(&story);
    story
}

/// Waits until no database is being worked on, also none that another story left behind.
fn settle(sandbox: &Sandbox) {
    let all = ["wait", "--for=condition=Ready", "databases", "--all", "--all-namespaces", "--timeout=180s"];
    run(sandbox.kubectl(&all), "").succeeded();
}

/// How many databases there are.
fn databases(sandbox: &Sandbox) -> u64 {
    let list = run(sandbox.kubectl(&["get", "databases", "-A", "--no-headers"]), "").succeeded();
    u64::try_from(list.lines().count()).unwrap()
}
