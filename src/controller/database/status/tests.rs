#![allow(clippy::needless_pass_by_value, reason = "values written in place read best")]

use api::DatabaseRef;
use policy::{Policy, Request};
use rstest::rstest;
use serde_json::json;

use super::*;
use crate::{
    azure::FlexibleServer,
    controller::engine::conditions::{self, ready},
};

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn database(status: serde_json::Value) -> Database {
    serde_json::from_value(json!({
        "apiVersion": "altinn.app/v1alpha1", "kind": "Database",
        "metadata": {"name": "main", "namespace": "orders", "generation": 3}, "spec": {}, "status": status,
    }))
    .unwrap()
}

fn effective() -> Effective {
    let policy = Policy::parse(include_str!("../../../../examples/policy.yaml")).unwrap();
    let spec = api::DatabaseSpec::default();
    let whose = DatabaseRef::new("orders", "main");
    let request = Request::new("database-policy", whose, &spec, jiff::civil::date(2026, 11, 22));
    policy.resolve(&request, None).unwrap()
}

fn known(server_status: serde_json::Value) -> Known {
    let server: FlexibleServer = serde_json::from_value(json!({
        "apiVersion": "dbforpostgresql.azure.com/v20250801", "kind": "FlexibleServer",
        "metadata": {"name": "prod-1-orders-main"},
        "spec": {"azureName": "prod-1-orders-main", "owner": {}, "location": "norwayeast"}, "status": server_status,
    }))
    .unwrap();
    Known::of(server)
}

fn up() -> serde_json::Value {
    json!({
        "id": "/subscriptions/s/flexibleServers/prod-1-orders-main", "version": "17",
        "fullyQualifiedDomainName": "prod-1-orders-main.postgres.database.azure.com",
        "sku": {"name": "Standard_B1ms", "tier": "Burstable"}, "storage": {"storageSizeGB": 32},
    })
}

fn words(reason: &str) -> (String, String) {
    (reason.to_owned(), "Azure's own words".to_owned())
}

fn gave_up() -> Progress {
    let (reason, message) = words("SkuNotAvailable");
    Progress::GaveUp { reason, message }
}

fn retrying_for(reason: &str) -> Progress {
    let (reason, message) = words(reason);
    Progress::Retrying { reason, message }
}

fn retrying() -> Progress {
    retrying_for("InternalServerError")
}

/// A server, and one object of it.
fn with(server: Progress, stage: Stage, name: &str, other: Progress) -> Applied {
    let mut applied = Applied::new(server);
    applied.push(stage, name.to_owned(), other);
    applied
}

/// Ready, Reconciling, Stalled, reason and state.
fn judged(
    server: Progress,
    other: Progress,
    was_ready: bool,
) -> (String, bool, bool, String, ProvisioningState) {
    let database = database(if was_ready { json!({"host": "h"}) } else { json!({"observedGeneration": -1}) });
    // Azure tells of a server when it has made it.
    let known = known(if server == Progress::Ready || was_ready { up() } else { json!({}) });
    let applied = with(server, Stage::Access, "FlexibleServersDatabase x", other);
    let outcome = Outcome::Applied {
        applied: &applied,
        known: &known,
        effective: &effective(),
        breaches: &[],
        revision: "r1",
        refused: None,
        pause: None,
        catalogue: Catalogue::known(),
    };
    let status = report(&database, &outcome, now());
    let has = |type_: &str| {
        status.conditions.iter().any(|condition| condition.type_ == type_ && condition.status == "True")
    };
    let ready = ready(Some(&status)).unwrap();
    (
        ready.status.clone(),
        has("Reconciling"),
        has("Stalled"),
        ready.reason.clone(),
        status.provisioning_state.unwrap(),
    )
}

#[rstest]
#[case::created(Progress::Working, Progress::Working, false, ("Unknown", true, false, "Creating", ProvisioningState::Creating))]
#[case::configured(Progress::Ready, Progress::Working, false, ("Unknown", true, false, "Configuring", ProvisioningState::Creating))]
#[case::ready(Progress::Ready, Progress::Ready, false, ("True", false, false, "Ready", ProvisioningState::Ready))]
#[case::sent(Progress::Sent, Progress::Ready, true, ("Unknown", true, false, "Updating", ProvisioningState::Updating))]
#[case::changed(Progress::Working, Progress::Ready, true, ("Unknown", true, false, "Updating", ProvisioningState::Updating))]
#[case::retried(retrying(), Progress::Working, false, ("False", true, false, "InternalServerError", ProvisioningState::Creating))]
#[case::gave_up(gave_up(), Progress::Working, false, ("False", false, true, "SkuNotAvailable", ProvisioningState::Failed))]
#[case::child_gave_up(Progress::Ready, gave_up(), true, ("False", false, true, "SkuNotAvailable", ProvisioningState::Failed))]
#[case::giving_up_outweighs_retrying(retrying(), gave_up(), false, ("False", false, true, "SkuNotAvailable", ProvisioningState::Failed))]
fn the_conditions_follow_kstatus(
    #[case] server: Progress,
    #[case] other: Progress,
    #[case] was_ready: bool,
    #[case] expected: (&str, bool, bool, &str, ProvisioningState),
) {
    let (ready, reconciling, stalled, reason, state) = expected;
    assert_eq!(
        judged(server, other, was_ready),
        (ready.to_owned(), reconciling, stalled, reason.to_owned(), state)
    );
}

#[rstest]
#[case(true)]
#[case(false)]
fn every_pass_reports_the_generation_that_it_saw_failures_too(#[case] stalled: bool) {
    let reason = if stalled { Reason::PolicyDenied } else { Reason::NamespaceUnknown };
    let why = Blocked::by(reason, "no".into());
    let status = report(&database(json!({"observedGeneration": 2})), &Outcome::Blocked(&why), now());
    assert_eq!(status.observed_generation, Some(3));
    assert!(status.conditions.iter().all(|condition| condition.observed_generation == Some(3)));
    let names: Vec<_> = status.conditions.iter().map(|condition| condition.type_.as_str()).collect();
    assert_eq!(names, ["Ready", if stalled { "Stalled" } else { "Reconciling" }]);
}

#[test]
fn azures_words_are_passed_on_with_the_object_they_are_about() {
    let applied = with(Progress::Ready, Stage::Access, "FlexibleServersDatabase x", gave_up());
    let outcome = Outcome::Applied {
        applied: &applied,
        known: &known(up()),
        effective: &effective(),
        breaches: &[],
        revision: "r1",
        refused: None,
        pause: None,
        catalogue: Catalogue::known(),
    };
    let status = report(&database(json!({})), &outcome, now());
    assert_eq!(
        ready(Some(&status)).unwrap().message,
        "FlexibleServersDatabase x: Azure has no such size for this subscription in this region now: write another spec.sku, \
         or ask the platform team. Azure's words: Azure's own words"
    );
}

#[test]
fn a_ready_database_tells_all_that_an_app_needs() {
    let applied = Applied::new(Progress::Ready);
    let outcome = Outcome::Applied {
        applied: &applied,
        known: &known(up()),
        effective: &effective(),
        breaches: &[],
        revision: "r1",
        refused: None,
        pause: None,
        catalogue: Catalogue::known(),
    };
    let status = report(&database(json!({})), &outcome, now());
    insta::assert_snapshot!(serde_json::to_string_pretty(&status).unwrap());
}

#[test]
fn a_transition_keeps_its_time_until_the_status_changes() {
    let applied = Applied::new(Progress::Ready);
    let outcome = Outcome::Applied {
        applied: &applied,
        known: &known(up()),
        effective: &effective(),
        breaches: &[],
        revision: "r1",
        refused: None,
        pause: None,
        catalogue: Catalogue::known(),
    };
    let first = report(&database(json!({})), &outcome, now());
    let later = now() + jiff::SignedDuration::from_hours(1);
    let again = report(&database(serde_json::to_value(&first).unwrap()), &outcome, later);
    assert_eq!(again, first);
}

/// The status after a pass that found this, at this moment.
fn told(before: &DatabaseStatus, applied: &Applied, known: &Known, now: Timestamp) -> DatabaseStatus {
    let effective = effective();
    let outcome = Outcome::Applied {
        applied,
        known,
        effective: &effective,
        breaches: &[],
        revision: "r1",
        refused: None,
        pause: None,
        catalogue: Catalogue::known(),
    };
    report(&database(serde_json::to_value(before).unwrap()), &outcome, now)
}

/// Ready, and what `Synced` says if it says something.
fn ready_and_synced(status: &DatabaseStatus) -> (&str, Option<&str>) {
    let synced = find(&status.conditions, SYNCED);
    assert!(synced.is_none_or(|synced| synced.status == "False"));
    (&ready(Some(status)).unwrap().status, synced.map(|synced| synced.reason.as_str()))
}

#[rstest]
#[case::asos_own_comparison(Progress::Working, None)]
#[case::a_write_of_ours(Progress::Sent, Some("Updating"))]
#[case::trouble_that_passes(retrying(), Some("InternalServerError"))]
#[case::trouble_that_stays(gave_up(), Some("SkuNotAvailable"))]
fn a_database_that_serves_stays_ready_whatever_becomes_of_azure(
    #[case] server: Progress,
    #[case] synced: Option<&str>,
) {
    let known = known(up());
    let first = told(&DatabaseStatus::default(), &Applied::new(Progress::Ready), &known, now());
    let later = told(&first, &Applied::new(server), &known, now());
    assert_eq!(ready_and_synced(&later), ("True", synced));
    assert_eq!(is_news(Some(&first), &later), synced.is_some());
    // Each try looks like work in between, and nobody is told of that.
    let between = told(&later, &Applied::new(Progress::Working), &known, now());
    assert_eq!(ready_and_synced(&between), ("True", synced));
    let well = told(&between, &Applied::new(Progress::Ready), &known, now());
    assert_eq!(well, first);
}

#[test]
fn a_wish_that_azure_does_not_take_ends_ready() {
    let known = known(up());
    let mut before = told(&DatabaseStatus::default(), &Applied::new(Progress::Ready), &known, now());
    // The status is of an older spec.
    find_mut(&mut before, "Ready").observed_generation = Some(2);
    let later = told(&before, &Applied::new(gave_up()), &known, now());
    assert_eq!(ready_and_synced(&later), ("False", None));
}

#[test]
fn a_login_that_is_being_replaced_ends_ready() {
    let known = known(up());
    let first = told(&DatabaseStatus::default(), &Applied::new(Progress::Ready), &known, now());
    let replacing = with(Progress::Ready, Stage::Access, "FlexibleServersAdministrator x", Progress::Sent);
    let replacing = Applied { shuts_app_out: true, ..replacing };
    assert_eq!(ready_and_synced(&told(&first, &replacing, &known, now())), ("Unknown", None));
}

fn find_mut<'a>(status: &'a mut DatabaseStatus, type_: &str) -> &'a mut Condition {
    status.conditions.iter_mut().find(|condition| condition.type_ == type_).unwrap()
}

#[rstest]
#[case("Stopped", Some("ServerStopped"))]
#[case("Stopping", Some("ServerStopped"))]
#[case("Disabled", Some("ServerDisabled"))]
#[case("Inaccessible", Some("ServerInaccessible"))]
#[case("Ready", None)]
#[case("Updating", None)]
#[case("Restarting", None)]
fn a_server_that_lets_nobody_in_is_told_as_what_it_is(#[case] state: &str, #[case] reason: Option<&str>) {
    let mut server = up();
    let first =
        told(&DatabaseStatus::default(), &Applied::new(Progress::Ready), &known(server.clone()), now());
    server["state"] = json!(state);
    // What Azure answers to a write of its administrator says less.
    let conflict = retrying_for("Conflict");
    let applied = with(Progress::Working, Stage::Access, "FlexibleServersAdministrator x", conflict);
    let status = told(&first, &applied, &known(server), now());
    let ready = ready(Some(&status)).unwrap();
    assert_eq!((ready.status == "False").then_some(ready.reason.as_str()), reason);
    assert_eq!(find(&status.conditions, "Stalled").is_some(), reason.is_some());
}

#[test]
fn a_host_that_one_answer_lacks_is_still_the_host() {
    let known_before = known(up());
    let first = told(&DatabaseStatus::default(), &Applied::new(Progress::Ready), &known_before, now());
    let mut without = up();
    without.as_object_mut().unwrap().remove("fullyQualifiedDomainName");
    let later = told(&first, &Applied::new(Progress::Ready), &known(without), now());
    assert_eq!(later.host.as_deref(), Some("prod-1-orders-main.postgres.database.azure.com"));
}

#[test]
fn an_answer_that_nobody_knows_is_taken_for_passing_trouble_at_first_and_not_for_ever() {
    let known = known(json!({}));
    let unknown = Applied::new(retrying_for("NeverHeardOf"));
    let first = told(&DatabaseStatus::default(), &unknown, &known, now());
    let is_stalled = |status: &DatabaseStatus| find(&status.conditions, "Stalled").is_some();
    assert!(!is_stalled(&first));
    let before = told(&first, &unknown, &known, now() + PASSES - SignedDuration::from_secs(1));
    assert!(!is_stalled(&before));
    let lasting = told(&before, &unknown, &known, now() + PASSES);
    assert!(is_stalled(&lasting));
    assert!(is_stalled(&told(&lasting, &unknown, &known, now() + PASSES)), "once it was said, it stays");
    // What was said of another spec says nothing of this one.
    let mut older = first.clone();
    for condition in &mut older.conditions {
        condition.observed_generation = Some(2);
    }
    assert!(!is_stalled(&told(&older, &unknown, &known, now() + PASSES)));
    let another = Applied::new(retrying_for("NorOfThis"));
    assert!(
        is_stalled(&told(&lasting, &unknown, &known, now()))
            && !is_stalled(&told(&first, &another, &known, now()))
    );
    // What is known to pass does so however long it takes.
    let passing = told(&DatabaseStatus::default(), &Applied::new(retrying()), &known, now());
    assert!(!is_stalled(&told(&passing, &Applied::new(retrying()), &known, now() + PASSES * 100)));
}

#[test]
fn what_takes_a_quarter_of_an_hour_is_not_said_to_when_it_takes_longer() {
    let known = known(json!({}));
    let message = |status: &DatabaseStatus| ready(Some(status)).unwrap().message.clone();
    let first = told(&DatabaseStatus::default(), &Applied::new(Progress::Working), &known, now());
    assert_eq!(message(&first), "Azure is creating server prod-1-orders-main; that takes 5 to 15 minutes");
    let later = told(&first, &Applied::new(Progress::Working), &known, now() + LONG);
    assert!(
        message(&later)
            .starts_with("Azure is creating server prod-1-orders-main; this takes longer than usual")
    );
    let again = told(&later, &Applied::new(Progress::Working), &known, now() + LONG * 2);
    assert_eq!(again, later, "it is said once");
}

#[test]
fn that_nobody_works_on_it_is_told_after_a_while() {
    let known = known(json!({}));
    let unseen = Applied { unseen: Some(("FlexibleServer x".into(), now())), ..Applied::new(Progress::Sent) };
    let reason = |status: &DatabaseStatus| ready(Some(status)).unwrap().reason.clone();
    let first = told(&DatabaseStatus::default(), &unseen, &known, now());
    assert_eq!(reason(&first), "Creating");
    assert_eq!(
        reason(&told(&first, &unseen, &known, now() + SILENCE - SignedDuration::from_secs(1))),
        "Creating"
    );
    let silent = told(&first, &unseen, &known, now() + SILENCE);
    assert_eq!(reason(&silent), "AzureServiceOperatorSilent");
    // One that was written only now isn't late, however long the others took.
    let just = Applied { unseen: Some(("FlexibleServer x".into(), now() + SILENCE)), ..unseen.clone() };
    assert_eq!(reason(&told(&first, &just, &known, now() + SILENCE)), "Creating");
    // Nor is it for a spec that has just changed, by which the work begins anew.
    let mut older = first.clone();
    find_mut(&mut older, "Reconciling").observed_generation = Some(2);
    let mut anew = told(&older, &unseen, &known, now() + SILENCE);
    assert_eq!(reason(&anew), "Creating");
    assert_eq!(find_mut(&mut anew, "Reconciling").last_transition_time.0, now() + SILENCE);
}

#[test]
fn a_revision_alone_is_no_news() {
    let applied = Applied::new(Progress::Ready);
    let (known, effective) = (known(up()), effective());
    let with = |revision| {
        let outcome = Outcome::Applied {
            applied: &applied,
            known: &known,
            effective: &effective,
            breaches: &[],
            revision,
            refused: None,
            pause: None,
            catalogue: Catalogue::known(),
        };
        report(&database(json!({})), &outcome, now())
    };
    assert!(!is_news(Some(&with("r1")), &with("r2")));
    assert!(is_news(None, &with("r1")));
}

#[test]
fn what_was_known_before_survives_a_failure() {
    let applied = Applied::new(Progress::Ready);
    let outcome = Outcome::Applied {
        applied: &applied,
        known: &known(up()),
        effective: &effective(),
        breaches: &[],
        revision: "r1",
        refused: None,
        pause: None,
        catalogue: Catalogue::known(),
    };
    let ready = report(&database(json!({})), &outcome, now());
    let why = Blocked::by(Reason::ApplyFailed, "the API server is away".into());
    let failed = report(&database(serde_json::to_value(&ready).unwrap()), &Outcome::Blocked(&why), now());
    assert_eq!(failed.server, ready.server);
    assert_eq!(failed.host, ready.host);
}

#[rstest]
#[case("SkuNotAvailable", "SkuNotAvailable")]
#[case("Some.Code-With_Marks", "SomeCodeWithMarks")]
#[case("", "AzureError")]
#[case("429", "AzureError")]
fn a_reason_is_one_that_kubernetes_takes(#[case] reason: &str, #[case] expected: &str) {
    assert_eq!(camel_case(reason), expected);
}

#[test]
fn what_the_policy_would_not_let_pass_today_is_a_condition_of_its_own() {
    let problem = |text: &str| policy::Problem {
        code: policy::Code::SkuNotAllowed,
        field: "spec.sku".to_owned(),
        text: text.to_owned(),
    };
    let breaches = [problem("spec.sku is not allowed here"), problem("spec.version is not allowed here")];
    let applied = Applied::new(Progress::Ready);
    let known = known(up());
    let effective = effective();
    let outcome = |breaches| Outcome::Applied {
        applied: &applied,
        known: &known,
        effective: &effective,
        breaches,
        revision: "r1",
        refused: None,
        pause: None,
        catalogue: Catalogue::known(),
    };
    let mut database = database(json!({}));
    let told = report(&database, &outcome(&breaches), now());
    let compliant = find(&told.conditions, POLICY_COMPLIANT).unwrap().clone();
    assert_eq!((compliant.status.as_str(), compliant.reason.as_str()), ("False", "OutOfPolicy"));
    assert_eq!(
        compliant.message,
        "spec.sku is not allowed here [DB101]; spec.version is not allowed here [DB101]"
    );
    // What stands in the way of a pass says nothing of the policy: the last word stands.
    database.status = Some(told);
    let blocked =
        report(&database, &Outcome::Blocked(&Blocked::by(Reason::ApplyFailed, String::new())), now());
    assert_eq!(find(&blocked.conditions, POLICY_COMPLIANT), Some(&compliant));
    let mended = report(&database, &outcome(&[]), now());
    assert_eq!(find(&mended.conditions, POLICY_COMPLIANT).unwrap().status, "True");
}

#[test]
fn a_ready_database_that_no_profile_is_for_any_more_stays_ready_and_says_so() {
    let ready = json!({
        "observedGeneration": 3, "host": "h", "provisioningState": "Ready",
        "conditions": [
            {"type": "Ready", "status": "True", "reason": "Ready", "message": "", "observedGeneration": 3,
             "lastTransitionTime": "2026-11-22T12:00:00Z"},
            {"type": "PolicyCompliant", "status": "True", "reason": "Compliant", "message": "",
             "observedGeneration": 3, "lastTransitionTime": "2026-11-22T12:00:00Z"},
        ],
    });
    let mut database = database(ready);
    database.metadata.generation = Some(3);
    let lost = Blocked {
        to_ready: ToReady::Nothing,
        ..Blocked::by(Reason::PolicyDenied, "no profile [DB409]".into())
    };
    let report = |why| report(&database, &Outcome::Blocked(why), now());
    assert!(!is_news(database.status.as_ref(), &report(&lost)), "a policy that is gone judges nothing");

    let denied = report(&Blocked { out_of_policy: true, ..lost.clone() });
    assert!(is_current(&Database { status: Some(denied.clone()), ..database.clone() }));
    let compliant = find(&denied.conditions, POLICY_COMPLIANT).unwrap();
    assert_eq!((compliant.status.as_str(), compliant.message.as_str()), ("False", "no profile [DB409]"));
    assert_eq!(denied.conditions.len(), 2);
}

#[test]
fn a_parameter_that_waits_for_a_restart_is_named_until_it_is_in_effect() {
    let parameter = |name: &str, pending: bool| {
        serde_json::from_value(json!({
            "apiVersion": "dbforpostgresql.azure.com/v20250801", "kind": "FlexibleServersConfiguration",
            "metadata": {"name": name}, "spec": {"azureName": name, "owner": {}, "source": "user-override", "value": "1"},
            "status": {"isConfigPendingRestart": pending},
        }))
        .unwrap()
    };
    let ready = Applied::new(Progress::Ready);
    let told = |known: &Known| {
        let effective = effective();
        let outcome = Outcome::Applied {
            applied: &ready,
            known,
            effective: &effective,
            breaches: &[],
            revision: "r1",
            refused: None,
            pause: None,
            catalogue: Catalogue::known(),
        };
        let status = report(&database(json!({})), &outcome, now());
        assert_eq!(conditions::ready(Some(&status)).unwrap().status, "True");
        find(&status.conditions, RESTART_PENDING).map(|condition| condition.message.clone())
    };
    let mut known = known(up());
    known.configurations = vec![
        parameter("shared_preload_libraries", true),
        parameter("max_connections", true),
        parameter("work_mem", false),
    ];
    assert_eq!(
        told(&known).unwrap(),
        "max_connections, shared_preload_libraries will be in effect after a restart of server prod-1-orders-main, \
         which the platform team can do in Azure"
    );
    known.configurations = vec![parameter("max_connections", false)];
    assert_eq!(told(&known), None);
}
