//! What comes back from the past, and what Azure has no more: nothing is destroyed for it, and nothing empty is made in the
//! place of data.

use serde_json::{Value, json};

use crate::{
    certificate::Cluster,
    common::{
        ASO_KINDS, CREDENTIAL, DATABASE, FIREWALL_RULE, OPERATOR_NAMESPACE, SERVER, Story, azure_requests,
        database, delete_in_azure, eventually, forget_dropped_servers, patch_azure, ready, resources, run,
    },
    guard::{Away, CONFIGURATIONS, POLICIES},
    killed::{Killed, cluster, controller},
    policy::{GOOD, Restored, apply_policy},
};

pub(crate) use crate::common::rests;

/// A database at work that has come to rest.
fn at_rest<'a>(cluster: &'a Cluster, namespace: &str, spec: &str) -> Story<'a> {
    let story = Story::new(&cluster.sandbox, namespace).with_database(spec);
    rests(&story);
    story
}

/// Has Azure Service Operator compare, as it does by itself within the hour.
fn compare(cluster: &Cluster) {
    drop(Killed::now(&cluster.sandbox, "aso"));
}

fn message(object: &Value) -> String {
    ready(object)["message"].as_str().unwrap().to_owned()
}

#[test]
fn a_live_server_that_is_deleted_in_azure_is_told_and_not_made_anew() {
    let cluster = cluster();
    let _controller = controller(&cluster, &[]);
    let story = at_rest(&cluster, "vanished", "{}");
    let (server, born) = (story.server(), story.born());
    delete_in_azure(&cluster.sandbox, &server.id);
    forget_dropped_servers(&cluster.sandbox);
    compare(&cluster);
    let told = message(&story.wait_reason("main", "ServerGone"));
    assert!(told.contains("restore it in Azure") && told.contains("altinn.app/accept-empty"), "{told}");
    assert!(story.get("secret", "main-db-credentials").is_some(), "the app's Secret stays");

    // Neither a wish nor an object that is deleted by hand makes an empty one.
    story.database("main", "{sku: Standard_B2s}").succeeded();
    story.as_platform(&["delete", "flexibleserver", &server.name, "--timeout=180s"]).succeeded();
    eventually("it is looked for again", || story.of_platform("flexibleserver", &server.name));
    story.wait_reason("main", "ServerGone");
    assert_eq!(story.in_azure(SERVER).len(), 0);

    story.accept_empty(&server.name);
    story.wait_ready("main");
    assert_ne!(story.born(), born);
    assert_eq!((story.in_azure(SERVER).len(), story.in_azure(DATABASE).len()), (1, 1));
}

#[test]
fn a_database_that_is_dropped_in_azure_is_told_and_not_made_anew() {
    let cluster = cluster();
    let _controller = controller(&cluster, &[]);
    let story = at_rest(&cluster, "dropped", "{}");
    delete_in_azure(&cluster.sandbox, &story.in_azure(DATABASE)[0].id);
    compare(&cluster);
    let told = message(&story.wait_reason("main", "DatabaseGone"));
    assert!(told.contains("has no database main any more"), "{told}");
    let server = story.server().name;
    story.as_platform(&["delete", "flexibleserversdatabase", &server, "--timeout=180s"]).succeeded();
    eventually("it is looked for again", || story.of_platform("flexibleserversdatabase", &server));
    story.wait_reason("main", "DatabaseGone");
    assert_eq!(story.in_azure(DATABASE).len(), 0);

    story.accept_empty(&server);
    story.wait_ready("main");
    assert_eq!(story.in_azure(DATABASE).len(), 1);
}

#[test]
fn a_server_that_was_made_later_is_not_taken_for_the_one_that_was_there() {
    let cluster = cluster();
    let _controller = controller(&cluster, &[]);
    let story = at_rest(&cluster, "another", "{}");
    let server = story.server();
    let later = json!({"systemData": {"createdAt": "2091-01-01T00:00:00Z"}});
    patch_azure(&cluster.sandbox, &server.id, &later);
    compare(&cluster);
    let told = message(&story.wait_reason("main", "ServerRecreated"));
    assert!(told.contains("is not the one that this Database had"), "{told}");
    story.accept_empty(&server.name);
    story.wait_ready("main");
    let database = story.get("database", "main").unwrap();
    assert_eq!(database["status"]["server"]["createdAt"], "2091-01-01T00:00:00Z");
    story.data_is_kept();
}

#[test]
fn the_name_of_the_database_is_not_forgotten() {
    let cluster = cluster();
    let working = controller(&cluster, &[]);
    let story = at_rest(&cluster, "named", "{databaseName: ledger}");
    let server = story.server().name;
    let is_as_before = || {
        let databases = story.in_azure(DATABASE);
        assert_eq!(databases.len(), 1, "{databases:?}");
        assert!(databases[0].id.ends_with("/databases/ledger"), "{databases:?}");
        let told =
            ["get", "secret", "main-db-credentials", "-o=go-template={{.data.database | base64decode}}"];
        eventually("the Secret names it", || (story.kubectl(&told).stdout == "ledger").then_some(()));
    };
    // Kept, and nothing but the record tells its name.
    story.delete_with("Retain");
    story.wait_record("Kept");
    story.as_platform(&["delete", "flexibleserversdatabase", &server, "--timeout=180s"]).succeeded();
    story.database("main", "{}").succeeded();
    story.wait_ready("main");
    is_as_before();
    eventually("the record has had its day", || story.record().is_none().then_some(()));
    rests(&story);

    // Nothing is left but the server with its tags.
    drop(working);
    let away = forget_everything(&cluster, &story);
    drop(away);
    let _working = controller(&cluster, &[]);
    story.database("main", "{}").succeeded();
    story.wait_ready("main");
    is_as_before();
    story.data_is_kept();
}

/// Takes every object of a namespace's database away, past admission and while no controller works. Gives what is put back
/// when it is dropped: what guards them.
fn forget_everything<'a>(cluster: &'a Cluster, story: &Story<'_>) -> (Away<'a>, Away<'a>) {
    let away = (Away::take(&cluster.sandbox, CONFIGURATIONS), Away::take(&cluster.sandbox, POLICIES));
    drop_objects(story);
    story.data_is_kept();
    away
}

#[test]
fn a_record_that_comes_back_ends_nothing() {
    let cluster = cluster();
    let now = controller(&cluster, &[]);
    let story = at_rest(&cluster, "revenant", "{}");
    let born = story.born();
    story.delete_with("14d");
    let record = story.wait_record("KeptUntil");
    story.database("main", "{}").succeeded();
    story.wait_ready("main");
    eventually("the record has had its day", || story.record().is_none().then_some(()));
    rests(&story);
    drop(now);
    // The Database is away for a moment, and the record of then is put back.
    let away = (Away::take(&cluster.sandbox, CONFIGURATIONS), Away::take(&cluster.sandbox, POLICIES));
    drop_database(&story);
    drop(away);
    put_back(&cluster, &record, false);

    // Its end is over by now.
    let later = controller(&cluster, &["--clock-ahead=480h"]);
    let told = message(&story.wait_record("RecordOutdated"));
    assert!(told.contains("it is from the past, and ends nothing"), "{told}");
    assert_eq!(story.born(), born);
    story.data_is_kept();
    assert_eq!(
        (story.in_azure(CREDENTIAL).len(), story.in_azure(FIREWALL_RULE).len()),
        (1, 1),
        "the app goes on"
    );
    drop(later);

    let _controller = controller(&cluster, &[]);
    story.database("main", "{}").succeeded();
    story.wait_ready("main");
    eventually("the record has had its day", || story.record().is_none().then_some(()));
    assert_eq!(story.born(), born);
    story.data_is_kept();
}

/// Creates an object as it was then, as tools for backups do; with its status, if that is asked for.
pub(crate) fn put_back(cluster: &Cluster, object: &Value, with_status: bool) {
    let mut object = object.clone();
    let metadata = object["metadata"].as_object_mut().unwrap();
    for key in
        ["resourceVersion", "uid", "creationTimestamp", "generation", "managedFields", "ownerReferences"]
    {
        metadata.remove(key);
    }
    let text = object.to_string();
    let created = run(cluster.sandbox.kubectl(&["create", "-f", "-"]), &text);
    // The operator, or Azure Service Operator, may have been quicker.
    assert!(created.ok || created.stderr.contains("AlreadyExists"), "{created:?}");
    if with_status && created.ok && !object["status"].is_null() {
        // By now it may be newer, or gone.
        run(cluster.sandbox.kubectl(&["replace", "--subresource=status", "-f", "-"]), &text);
    }
}

/// Every object that stands for a namespace's database, as it is now, by what it is: the Database, the record, and what stands
/// for Azure.
fn backup(story: &Story<'_>) -> [Vec<Value>; 3] {
    let all = |kinds: &[&str]| kinds.iter().flat_map(|kind| story.of_its_databases(kind)).collect();
    [story.get("database", "main").into_iter().collect(), all(&["retaineddatabases"]), all(&ASO_KINDS)]
}

/// In every order of three.
const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

#[test]
fn the_cluster_comes_back_from_a_backup() {
    let cluster = cluster();
    let working = controller(&cluster, &[]);
    // Each order of kinds, with and without statuses, from a backup of when it was live, and of when it was kept.
    let mut subjects = Vec::new();
    for (number, order) in ORDERS.into_iter().enumerate() {
        for was_kept in [false, true] {
            let name = format!("backup-{number}-{}", if was_kept { "kept" } else { "live" });
            let story = Story::new(&cluster.sandbox, &name);
            story.database("main", "{}").succeeded();
            subjects.push((story, order, was_kept, number % 2 == 0));
        }
    }
    let mut saved = Vec::new();
    for (story, ..) in &subjects {
        story.wait_ready("main");
        rests(story);
        saved.push(backup(story));
    }
    for (story, _, was_kept, _) in &subjects {
        if *was_kept {
            story.delete_with("14d");
        }
    }
    for ((story, _, was_kept, _), saved) in subjects.iter().zip(&mut saved) {
        if *was_kept {
            story.wait_record("KeptUntil");
            eventually("the ways in are closed", || story.in_azure(CREDENTIAL).is_empty().then_some(()));
            *saved = backup(story);
            assert_eq!((saved[0].len(), saved[1].len()), (0, 1), "{}", story.namespace);
        }
        // Time goes on: it is live, and has changed.
        story.database("main", "{sku: Standard_B2s}").succeeded();
    }
    let mut born = Vec::new();
    for (story, ..) in &subjects {
        story.wait_ready("main");
        eventually("no record says that it is gone", || story.record().is_none().then_some(()));
        rests(story);
        born.push(story.born());
    }
    drop(working);
    let away = (Away::take(&cluster.sandbox, CONFIGURATIONS), Away::take(&cluster.sandbox, POLICIES));
    for (story, ..) in &subjects {
        drop_objects(story);
    }
    drop(away);

    // A fortnight later by every clock: the records' ends are over.
    let later = controller(&cluster, &["--clock-ahead=480h"]);
    for ((story, order, _, with_status), saved) in subjects.iter().zip(&saved) {
        for kind in order {
            for object in &saved[*kind] {
                put_back(&cluster, object, *with_status);
            }
        }
        story.data_is_unharmed();
    }
    // Whatever it makes of it, it has looked at everything, and this long.
    for (story, _, was_kept, _) in &subjects {
        if *was_kept {
            eventually("the record is judged", || {
                let record = story.record()?;
                ready(&record)["reason"].as_str().map(str::to_owned)
            });
        } else {
            story.wait_ready("main");
        }
    }
    drop(later);
    let _working = controller(&cluster, &[]);
    for ((story, order, was_kept, with_status), born) in subjects.iter().zip(&born) {
        println!("{}: {order:?}, kept: {was_kept}, with statuses: {with_status}", story.namespace);
        assert_eq!(story.born(), *born);
        story.data_is_kept();
        // And it can be acted on.
        story.database("main", "{sku: Standard_B2s}").succeeded();
        story.wait_ready("main");
        eventually("no record says that it is gone", || story.record().is_none().then_some(()));
        assert_eq!(story.born(), *born);
        story.data_is_kept();
    }
}

/// Deletes a namespace's database, while nobody guards it and no controller works.
fn drop_database(story: &Story<'_>) {
    let off = r#"{"metadata": {"finalizers": null}}"#;
    eventually("the Database is gone", || {
        story.kubectl(&["delete", "database", "main", "--wait=false", "--ignore-not-found"]);
        story.kubectl(&["patch", "database", "main", "--type=merge", "-p", off]);
        story.get("database", "main").is_none().then_some(())
    });
}

/// And everything else that stands for it.
fn drop_objects(story: &Story<'_>) {
    drop_database(story);
    let selector = format!("altinn.app/database-namespace={}", story.namespace);
    for kinds in ["retaineddatabases", &ASO_KINDS.join(",")] {
        eventually("the objects in the operator's namespace are gone", || {
            let delete = ["delete", kinds, "-l", &selector, "--timeout=60s", "--ignore-not-found"];
            story.as_platform(&delete).ok.then_some(())
        });
    }
}

#[test]
fn what_deletes_to_make_anew_takes_no_data_along() {
    let cluster = cluster();
    let _controller = controller(&cluster, &["--destroy-delay=1h"]);
    let story = at_rest(&cluster, "forced", "{}");
    let born = story.born();
    story.confirm_destroy();
    let annotations = story.get("database", "main").unwrap()["metadata"]["annotations"].clone();
    let manifest = |label: &str| {
        json!({
            "apiVersion": "altinn.app/v1alpha1", "kind": "Database", "spec": {},
            "metadata": {"name": "main", "labels": {"team": label}, "annotations": {
                "altinn.app/retention": "Destroy",
                "altinn.app/confirm-destroy": annotations["altinn.app/confirm-destroy"],
            }},
        })
        .to_string()
    };
    let is_back = || {
        story.wait_ready("main");
        eventually("the record has had its day", || story.record().is_none().then_some(()));
        assert_eq!(story.born(), born);
        story.data_is_kept();
    };
    // The API server refuses such a label with 422, which kubectl takes for a reason to delete and make anew; and what it
    // can't make, it makes as it was.
    let refused = story.apply_with(&["--force", "--timeout=180s"], &manifest("a b"));
    assert!(!refused.ok && refused.stderr.contains("a b"), "{refused:?}");
    is_back();
    story.replace_by_force(&manifest("ab")).succeeded();
    is_back();
}

#[test]
fn two_clusters_of_one_name_do_not_share_a_server() {
    let cluster = cluster();
    let _controller = controller(&cluster, &[]);
    let story = at_rest(&cluster, "twin", "{}");
    let (server, born) = (story.server(), story.born());
    let mine = server.body["tags"]["database-operator-cluster-uid"].clone();
    assert!(mine.is_string(), "{:?}", server.body);
    let other = "00000000-0000-4000-8000-0000000000c2";
    patch_azure(&cluster.sandbox, &server.id, &json!({"tags": {"database-operator-cluster-uid": other}}));
    compare(&cluster);
    let told = message(&story.wait_reason("main", "ServerNotOurs"));
    assert!(told.contains(other) && told.contains("azure.takeOverFrom"), "{told}");
    // Nothing of it is changed, and nothing ends.
    story.database("main", "{sku: Standard_B2s}").succeeded();
    story.delete_with("Retain");
    eventually("it is let go", || story.get("database", "main").is_none().then_some(()));
    assert_eq!(story.server().body["sku"]["name"], "Standard_B1ms");
    assert_eq!(story.server().body["tags"]["database-operator-cluster-uid"], other);
    story.data_is_kept();

    let _restored = Restored(&cluster.sandbox);
    let takes_over = GOOD.replacen("\nazure:\n", &format!("\nazure:\n  takeOverFrom: [{other}]\n"), 1);
    assert_ne!(takes_over, *GOOD);
    apply_policy(&cluster.sandbox, &takes_over);
    story.database("main", "{sku: Standard_B2s}").succeeded();
    story.wait_ready("main");
    eventually("it is this cluster's", || {
        (story.server().body["tags"]["database-operator-cluster-uid"] == mine).then_some(())
    });
    assert_eq!(story.born(), born);
    story.data_is_kept();
}

#[test]
fn a_namespace_that_was_made_again_has_no_data_of_the_former_one() {
    let cluster = cluster();
    let _controller = controller(&cluster, &[]);
    let story = at_rest(&cluster, "reused", "{}");
    let born = story.born();
    story.delete_with("Retain");
    story.wait_record("Kept");
    run(cluster.sandbox.kubectl(&["delete", "namespace", "reused", "--timeout=120s"]), "").succeeded();
    // Somebody else gets the name.
    let story = Story::new(&cluster.sandbox, "reused");
    story.database("main", "{}").succeeded();
    let told = message(&story.wait_reason("main", "NamespaceRecreated"));
    assert!(told.contains("{from: reused/main, to: reused/main,"), "{told}");
    assert!(story.get("secret", "main-db-credentials").is_none());
    assert_eq!(story.in_azure(CREDENTIAL).len(), 0);

    let _restored = Restored(&cluster.sandbox);
    story.allow_recovery("reused/main", "reused/main");
    story.wait_ready("main");
    assert_eq!(story.born(), born);
    story.data_is_kept();
}

#[test]
fn a_record_about_the_server_of_a_live_database_goes() {
    let cluster = cluster();
    let _controller = controller(&cluster, &[]);
    let story = at_rest(&cluster, "mistaken", "{}");
    let (server, born) = (story.server().name, story.born());
    let record = json!({
        "apiVersion": "altinn.app/v1alpha1", "kind": "RetainedDatabase",
        "metadata": {"name": server, "namespace": OPERATOR_NAMESPACE},
        "spec": {
            "database": "sales/main", "server": {"name": server}, "reason": "OwnerLost", "since": "2026-11-27T12:00:00Z",
        },
    });
    run(cluster.sandbox.kubectl(&["create", "-f", "-"]), &record.to_string()).succeeded();
    eventually("it has gone", || story.of_platform("retaineddatabases", &server).is_none().then_some(()));
    story.database("main", "{sku: Standard_B2s}").succeeded();
    eventually("the Database goes on", || {
        (story.server().body["sku"]["name"] == "Standard_B2s").then_some(())
    });
    story.wait_ready("main");
    assert_eq!(story.born(), born);
    story.data_is_kept();
}

#[test]
fn what_is_created_from_a_backup_is_judged() {
    let cluster = cluster();
    let record = |name: &str, spec: Value, annotations: Value| {
        let mut whole = json!({
            "database": "nobody/main", "server": {"name": "srv-judged"}, "reason": "Deleted", "since": "2026-11-01T12:00:00Z",
        });
        whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        let record = json!({
            "apiVersion": "altinn.app/v1alpha1", "kind": "RetainedDatabase", "spec": whole,
            "metadata": {"name": name, "namespace": OPERATOR_NAMESPACE, "annotations": annotations},
        });
        run(cluster.sandbox.kubectl(&["create", "--dry-run=server", "-f", "-"]), &record.to_string())
    };
    let none = || json!({});
    let ended = json!({"until": "2026-11-02T12:00:00Z"});
    assert!(record("srv-judged", ended.clone(), none()).refused().contains("[DB211]"));
    let destroy =
        json!({"altinn.app/retention": "Destroy", "altinn.app/confirm-destroy": "nobody/main@2026-11-02"});
    let asks = |(): ()| {
        vec![
            record("another", none(), none()),
            record("srv-judged", json!({"database": "main"}), none()),
            record("srv-judged", json!({"formerly": "theirs/main"}), none()),
            record("srv-judged", none(), destroy.clone()),
        ]
    };
    for refused in asks(()) {
        let told = refused.refused();
        assert!(told.contains("[DB214]"), "{told}");
    }
    // Each layer says so by itself; the end alone is left to the webhook, and to the controller's own proofs.
    for kinds in [CONFIGURATIONS, POLICIES] {
        let away = Away::take(&cluster.sandbox, kinds);
        eventually("the API server has heard of it", || {
            let told = record("srv-judged", json!({"formerly": "theirs/main"}), none()).stderr;
            (told.contains("ValidatingAdmissionPolicy") != (kinds == POLICIES)).then_some(())
        });
        for refused in asks(()) {
            let told = refused.refused();
            assert!(told.contains("[DB214]"), "{told}");
        }
        drop(away);
    }
    record("srv-judged", none(), none()).succeeded();
}

#[test]
fn the_database_is_made_once_somebody_administers_its_server() {
    let cluster = cluster();
    let _controller = controller(&cluster, &[]);
    let story = at_rest(&cluster, "orderly", "{}");
    let server = story.server().id;
    let first = |part: &str| {
        let path = format!("{server}/{part}/");
        azure_requests(&cluster.sandbox)
            .iter()
            .position(|request| request.method == "PUT" && request.path.starts_with(&path))
            .unwrap()
    };
    assert!(first("administrators") < first("databases"));
    let is_there = resources(&cluster.sandbox).iter().any(|resource| resource.id.starts_with(&server));
    assert!(is_there);
}

#[test]
fn a_server_that_lost_its_tags_is_asked_back_and_never_given_up() {
    let cluster = cluster();
    let working = controller(&cluster, &[]);
    let story = at_rest(&cluster, "untagged", "{databaseName: orders}");
    let server = story.server();
    drop(working);
    drop(forget_everything(&cluster, &story));
    let tags = server.body["tags"].as_object().unwrap();
    let none: Value =
        tags.keys().map(|key| (key.clone(), Value::Null)).collect::<serde_json::Map<_, _>>().into();
    patch_azure(&cluster.sandbox, &server.id, &json!({"tags": none}));
    let _working = controller(&cluster, &[]);
    run(cluster.sandbox.kubectl(&["--namespace=untagged", "apply", "-f", "-"]), &database("main", "{}"))
        .succeeded();
    let told = message(&story.wait_reason("main", "ServerNotOurs"));
    assert!(told.contains("managed-by=database-operator, database-operator-cluster="), "{told}");
    assert!(!told.contains("remove"), "{told}");
    story.data_is_kept();

    let back: Value =
        ["managed-by", "database-operator-cluster", "database-operator-namespace", "database-operator-name"]
            .iter()
            .map(|key| ((*key).to_owned(), tags[*key].clone()))
            .collect::<serde_json::Map<_, _>>()
            .into();
    patch_azure(&cluster.sandbox, &server.id, &json!({"tags": back}));
    compare(&cluster);
    // Without its tag, nothing tells what the database is called.
    story.wait_reason("main", "DatabaseNameUnknown");
    assert_eq!(story.in_azure(DATABASE).len(), 1);
    story.database("main", "{databaseName: orders}").succeeded();
    story.wait_ready("main");
    assert_eq!(story.in_azure(DATABASE).len(), 1);
    story.data_is_kept();
}
