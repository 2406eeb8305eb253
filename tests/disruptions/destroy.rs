//! `Destroy` that Azure refuses, and `Destroy` that is taken back while nobody has told Azure.

use sandbox::azure::{Fault, Phase};

use crate::{
    common::{
        OPERATOR_NAMESPACE, SERVER, Story, clear_faults_of, delete_in_azure, eventually,
        forget_dropped_servers, inject, ready,
    },
    each_write::{Gate, is_destroyed, is_kept},
    killed::{Killed, cluster, controller, free_the_lease},
};

fn destroy(story: &Story<'_>) {
    story.confirm_destroy();
    story.kubectl(&["delete", "database", "main", "--wait=false"]).succeeded();
}

#[test]
fn a_lock_in_azure_keeps_the_server_and_is_told_word_for_word() {
    let cluster = cluster();
    let _controller = controller(&cluster, &[]);
    let story = Story::new(&cluster.sandbox, "locked").with_database("{}");
    let (id, born) = (story.server().id, story.born());
    let message = format!(
        "The scope '{id}' cannot perform delete operation because following scope(s) are locked: '{id}'. Please remove the \
         lock and try again."
    );
    let lock = Fault {
        method: Some("DELETE".to_owned()),
        path: id.clone(),
        status: 409,
        code: "ScopeLocked".to_owned(),
        message: message.clone(),
        retry_after_seconds: None,
        times: u32::MAX,
        phase: Phase::Request,
    };
    inject(&cluster.sandbox, &lock);
    destroy(&story);
    let record = story.wait_record("DestroyRefused");
    let told = ready(&record)["message"].as_str().unwrap().to_owned();
    assert!(told.ends_with(&format!("ScopeLocked: {message}")), "{told}");
    let events = || story.events(OPERATOR_NAMESPACE, "reason=DestroyRefused,type=Warning");
    eventually("an event tells, too", || (!events().is_empty()).then_some(()));
    assert_eq!((story.in_azure(SERVER).len(), story.born()), (1, born));

    clear_faults_of(&cluster.sandbox, &id);
    // Else it tries again as seldom as it compares with Azure at all.
    drop(Killed::now(&cluster.sandbox, "aso"));
    eventually("without the lock it goes", || is_destroyed(&story).then_some(()));
    assert_eq!(story.in_azure(SERVER).len(), 0);
}

#[test]
fn destroy_is_taken_back_at_each_write_until_azure_is_told() {
    let cluster = cluster();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let stories: Vec<Story<'_>> =
        (0..16).map(|number| Story::new(&cluster.sandbox, &format!("taken-back-{number:02}"))).collect();
    let prepared = controller(&cluster, &[]);
    for story in &stories {
        story.database("main", "{}").succeeded();
    }
    for story in &stories {
        story.wait_settled("main");
        story.delete_with("Retain");
    }
    for story in &stories {
        eventually("it is kept", || is_kept(story).then_some(()));
    }
    drop(prepared);

    for (pass, story) in stories.iter().enumerate() {
        let (born, server) = (story.born(), story.server().name);
        story.end_record();
        let (gate, kubeconfig) = Gate::open(&runtime, &cluster, &story.namespace, pass);
        free_the_lease(&cluster);
        let mut victim = cluster.replica_with("victim", &kubeconfig);
        eventually("the controller is at that write", || gate.has_struck().then_some(()));
        victim.child.kill().unwrap();
        victim.child.wait().unwrap();
        let was_told = match story.of_platform("flexibleserver", &server) {
            Some(object) => {
                let metadata = &object["metadata"];
                let policy = &metadata["annotations"]["serviceoperator.azure.com/reconcile-policy"];
                policy == "manage" && !metadata["deletionTimestamp"].is_null()
            }
            // Azure has done it already, or the controller is about to look for the server anew.
            None => story.in_azure(SERVER).is_empty(),
        };
        let retain = ["annotate", "rdb", &server, "--overwrite", "altinn.app/retention=Retain"];
        story.as_platform(&retain).succeeded();
        let _survivor = controller(&cluster, &[]);
        if was_told {
            eventually("what was told can't be taken back", || is_destroyed(story).then_some(()));
            assert!(pass >= 4, "it was taken back {pass} times");
            return;
        }
        eventually("it is kept, and at rest", || {
            let object = story.of_platform("flexibleserver", &server)?;
            let policy = &object["metadata"]["annotations"]["serviceoperator.azure.com/reconcile-policy"];
            (is_kept(story) && policy == "skip" && object["spec"]["tags"]["managed-by"].is_string())
                .then_some(())
        });
        assert_eq!(story.born(), born);
        story.data_is_kept();
    }
    panic!("Azure was never told");
}

#[test]
fn a_kept_server_that_azure_made_anew_is_not_taken_for_the_data() {
    let cluster = cluster();
    let _controller = controller(&cluster, &[]);
    let story = Story::new(&cluster.sandbox, "made-anew").with_database("{}");
    let (server, born) = (story.server(), story.born());
    story.delete_with("Retain");
    story.wait_record("Kept");
    eventually("its object only looks", || {
        let object = story.of_platform("flexibleserver", &server.name)?;
        (object["metadata"]["annotations"]["serviceoperator.azure.com/reconcile-policy"] == "skip")
            .then_some(())
    });
    // Somebody deletes it in the portal. Azure Service Operator compares, and makes nothing.
    delete_in_azure(&cluster.sandbox, &server.id);
    forget_dropped_servers(&cluster.sandbox);
    drop(Killed::now(&cluster.sandbox, "aso"));
    story.wait_record("ServerGone");
    assert_eq!(story.in_azure(SERVER).len(), 0);

    // Nor does whoever applies the manifest get an empty one for it.
    story.database("main", "{}").succeeded();
    story.wait_reason("main", "ServerGone");
    assert_eq!(story.in_azure(SERVER).len(), 0);
    story.accept_empty(&server.name);
    eventually("the record has had its day", || story.record().is_none().then_some(()));
    story.wait_ready("main");
    assert_ne!(story.born(), born);
    assert!(story.get("database", "main").unwrap()["status"]["recovered"].is_null());
    assert!(!story.has_event("reason=Recovered"));
}
