//! What tests ask and do beside ARM.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::support::{GROUP, Setup, plain_server, server_path};
use crate::azure::client::{Closed, Error, Fault, Lock, Phase, Region, Settings};

const VERSION: &str = "2025-08-01";
const DAY: Duration = Duration::from_hours(24);

fn fault(path: &str, phase: Phase) -> Fault {
    Fault {
        method: Some("PUT".to_owned()),
        path: path.to_owned(),
        status: 429,
        code: "TooManyRequests".to_owned(),
        message: "slow down".to_owned(),
        retry_after_seconds: Some(7),
        times: 1,
        phase,
    }
}

#[tokio::test]
async fn a_fault_strikes_as_often_as_it_was_told_to() {
    let setup = Setup::start().await;
    setup.control.inject(&fault("flexibleServers/orders", Phase::Request)).await.expect("injected");
    let struck = setup.put(&server_path("orders"), VERSION, plain_server()).await;
    assert_eq!(
        (struck.status.as_u16(), struck.code(), struck.header("retry-after")),
        (429, "TooManyRequests", "7")
    );
    assert!(setup.control.faults().await.expect("faults").is_empty());
    setup.write(&server_path("orders"), plain_server()).await;
}

#[tokio::test]
async fn a_fault_can_strike_half_way() {
    let setup = Setup::start().await;
    setup.control.inject(&fault("*/flexibleServers/orders", Phase::Operation)).await.expect("injected");
    let path = server_path("orders");
    let accepted = setup.put(&path, VERSION, plain_server()).await;
    let outcome = setup.finish(&accepted).await;
    assert_eq!(
        (&outcome["status"], &outcome["error"]["code"]),
        (&json!("Failed"), &json!("TooManyRequests"))
    );
    assert_eq!(setup.get(&path).await.status, StatusCode::NOT_FOUND);
    setup.write(&path, plain_server()).await;

    setup.control.inject(&fault("flexibleServers/orders", Phase::Operation)).await.expect("injected");
    let change = json!({"properties": {"storage": {"storageSizeGB": 256}}});
    let accepted = setup.put(&path, VERSION, change).await;
    assert_eq!(setup.finish(&accepted).await["status"], "Failed");
    let server = setup.get(&path).await.body;
    assert_eq!(
        (&server["properties"]["storage"]["storageSizeGB"], &server["properties"]["state"]),
        (&json!(128), &json!("Ready"))
    );
}

#[tokio::test]
async fn what_is_deleted_in_the_portal_is_gone_and_a_server_keeps_its_name() {
    let setup = Setup::start().await;
    let path = server_path("orders");
    setup.write(&path, plain_server()).await;
    setup.control.delete_resource(&path).await.expect("deleted");
    assert_eq!(setup.get(&path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(setup.control.dropped_servers().await.expect("dropped"), ["orders"]);
    assert!(setup.control.delete_resource(&path).await.is_err(), "there is none");
}

#[tokio::test]
async fn a_database_belongs_to_who_was_there_when_it_was_made() {
    let setup = Setup::start().await;
    let path = server_path("orders");
    setup.write(&path, plain_server()).await;
    let database = |name: &str| format!("{path}/databases/{name}");
    let owner = async |name: &str| setup.control.owner(&database(name)).await.expect("an answer");
    setup.write(&database("early"), json!({"properties": {}})).await;
    let administrator = json!({"properties": {"principalName": "platform", "principalType": "Group"}});
    let administrators = format!("{path}/administrators/00000000-0000-4000-8000-0000000000aa");
    setup.write(&administrators, administrator).await;
    setup.control.advance_clock(DAY).await.expect("advanced");
    setup.write(&database("late"), json!({"properties": {}})).await;
    setup.write(&database("early"), json!({"properties": {}})).await;

    let early = owner("early").await.expect("an owner");
    assert_eq!(
        (early.owner.as_str(), early.is_usable()),
        ("azuresu", false),
        "writing it again mends nothing"
    );
    let late = owner("late").await.expect("an owner");
    assert_eq!((late.owner.as_str(), late.is_usable()), ("platform", true));
    assert_eq!(late.administrators, ["platform"]);
    assert_eq!(late.made_at.duration_since(early.made_at).as_hours(), 24);
    assert_eq!(owner("postgres").await, None);

    setup.control.delete_resource(&database("early")).await.expect("deleted");
    assert_eq!(owner("early").await, None);
    setup.write(&database("early"), json!({"properties": {}})).await;
    assert_eq!(owner("early").await.expect("an owner").owner, "platform");
}

#[tokio::test]
async fn what_is_locked_is_not_deleted() {
    let setup = Setup::start().await;
    let path = server_path("orders");
    setup.write(&path, plain_server()).await;
    setup.control.lock(&path, Lock::CanNotDelete).await.expect("locked");
    for asked in [path.as_str(), &format!("{path}/databases/app"), GROUP] {
        let refused = setup.delete(asked).await;
        assert_eq!((refused.status, refused.code()), (StatusCode::CONFLICT, "ScopeLocked"), "{asked}");
    }
    setup.write(&path, plain_server()).await;
    setup.control.lock(&path, Lock::ReadOnly).await.expect("locked");
    assert_eq!(setup.put(&path, VERSION, plain_server()).await.code(), "ScopeLocked");
    let restart = format!("{path}/restart?api-version={VERSION}");
    assert_eq!(setup.ask(Method::POST, &restart, Value::Null).await.code(), "ScopeLocked");
    assert_eq!(setup.get(&path).await.status, StatusCode::OK);

    setup.control.unlock(&path).await.expect("unlocked");
    let Err(Error::Refused(why)) = setup.control.unlock(&path).await else { panic!("accepted") };
    assert_eq!(why, format!("there is no lock on {path}"));
    setup.write(&path, plain_server()).await;

    setup.control.lock(&path, Lock::CanNotDelete).await.expect("locked");
    setup.control.delete_resource(&path).await.expect("deleted, for a story may do what it likes");
    setup.control.forget_dropped_servers().await.expect("forgotten");
    setup.write(&path, plain_server()).await;
    let dropping = setup.delete(&path).await;
    assert_eq!(setup.finish(&dropping).await["status"], "Succeeded", "a lock goes with what it lies on");
}

#[tokio::test]
async fn an_upgrade_that_azure_finds_impossible_fails_half_way_and_nothing_else_does() {
    let setup = Setup::start().await;
    let path = server_path("orders");
    setup.write(&path, plain_server()).await;
    let precheck =
        Fault { code: "UpgradeFailed".to_owned(), ..fault("flexibleServers/orders", Phase::Upgrade) };
    setup.control.inject(&precheck).await.expect("injected");
    setup.write(&path, json!({"properties": {"storage": {"storageSizeGB": 256}}})).await;
    let upgrade = json!({"properties": {"version": "18"}});
    let accepted = setup.put(&path, VERSION, upgrade.clone()).await;
    assert_eq!(setup.finish(&accepted).await["error"]["code"], "UpgradeFailed");
    assert_eq!(setup.get(&path).await.body["properties"]["version"], "17");
    setup.write(&path, upgrade).await;
    assert_eq!(setup.get(&path).await.body["properties"]["version"], "18");

    let never = Fault { method: Some("DELETE".to_owned()), ..precheck };
    let Err(Error::Refused(why)) = setup.control.inject(&never).await else { panic!("accepted") };
    assert_eq!(why, "this fault would never strike: only PUT and PATCH ask for an upgrade");
}

#[tokio::test]
async fn a_region_can_be_closed_and_lack_sizes() {
    let setup = Setup::start().await;
    let path = server_path("orders");
    let norway = async |region: Region| {
        setup.control.restrict_region("Norway East", &region).await.expect("restricted");
    };
    for (closed, code) in
        [(Closed::OfferRestricted, "LocationIsOfferRestricted"), (Closed::NoVersions, "ParameterOutOfRange")]
    {
        norway(Region { closed: Some(closed), ..Region::default() }).await;
        let accepted = setup.put(&path, VERSION, plain_server()).await;
        assert_eq!(setup.finish(&accepted).await["error"]["code"], code);
        assert_eq!(setup.get(&path).await.status, StatusCode::NOT_FOUND);
    }
    norway(Region::default()).await;
    setup.write(&path, plain_server()).await;
    norway(Region { closed: Some(Closed::OfferRestricted), sizes: Some(vec!["Standard_B*".to_owned()]) })
        .await;
    setup.write(&path, plain_server()).await;
    let larger = json!({"sku": {"name": "Standard_D4ds_v5", "tier": "GeneralPurpose"}});
    let refused = setup.put(&path, VERSION, larger).await;
    assert_eq!((refused.status, refused.code()), (StatusCode::BAD_REQUEST, "ParameterOutOfRange"));
    assert_eq!(
        refused.body["error"]["message"],
        "The value of the 'Sku.Name' should be in: [Standard_B12ms,Standard_B16ms,Standard_B1ms,Standard_B20ms,\
         Standard_B2ms,Standard_B2s,Standard_B4ms,Standard_B8ms]. Verify that the specified parameter value is \
         correct."
    );
    let Err(Error::Refused(why)) = setup.control.restrict_region("atlantis", &Region::default()).await else {
        panic!("accepted")
    };
    assert_eq!(why, "there is no region atlantis");
}

#[tokio::test]
async fn tags_are_stripped_and_rewritten_behind_everybodys_back() {
    let setup = Setup::start().await;
    let path = server_path("orders");
    setup.write(&path, plain_server()).await;
    let tags = async || setup.get(&path).await.body["tags"].clone();
    setup.control.replace_tags(&path, &json!({"found": "by hand"})).await.expect("replaced");
    assert_eq!(tags().await, json!({"found": "by hand"}));
    setup.control.replace_tags(&path, &json!({})).await.expect("stripped");
    assert_eq!(tags().await, json!({}));
}

#[tokio::test]
async fn a_server_is_stopped_and_starts_by_itself_after_seven_days() {
    let setup = Setup::start().await;
    let path = server_path("orders");
    setup.write(&path, plain_server()).await;
    let state = async || setup.get(&path).await.body["properties"]["state"].clone();
    setup.control.stop_server(&path).await.expect("stopped");
    assert_eq!(state().await, "Stopped");
    setup.control.start_server(&path).await.expect("started");
    assert_eq!(state().await, "Ready");

    setup.control.advance_clock(7 * DAY).await.expect("advanced");
    setup.control.stop_server(&path).await.expect("stopped");
    setup.control.advance_clock(6 * DAY).await.expect("advanced");
    assert_eq!(state().await, "Stopped", "the days before don't count");
    setup.control.advance_clock(DAY).await.expect("advanced");
    assert_eq!(state().await, "Ready");
    let Err(Error::Refused(why)) = setup.control.stop_server(&server_path("billing")).await else {
        panic!("accepted")
    };
    assert_eq!(why, format!("there is no resource {}", server_path("billing")));
}

#[tokio::test]
async fn every_request_is_logged_without_passwords() {
    let setup = Setup::start().await;
    setup.control.clear_requests().await.expect("cleared");
    let mut server = plain_server();
    server["properties"]["administratorLogin"] = json!("dbadmin");
    server["properties"]["administratorLoginPassword"] = json!("Correct-Horse-1");
    setup.write(&server_path("orders"), server).await;
    setup.get(&server_path("billing")).await;

    let log = setup.control.requests().await.expect("a log");
    let seen: Vec<(&str, u16)> =
        log.iter().map(|request| (request.method.as_str(), request.status)).collect();
    assert_eq!(seen, [("PUT", 202), ("GET", 200), ("GET", 404)]);
    let write = log.first().expect("a write");
    assert_eq!(
        (write.path.as_str(), write.api_version.as_deref()),
        (server_path("orders").as_str(), Some(VERSION))
    );
    assert!(write.body.as_ref().is_some_and(|body| !body.to_string().contains("Correct-Horse-1")));
    assert!(log.is_sorted_by_key(|request| request.sequence));
}

#[tokio::test]
async fn azure_can_act_by_itself() {
    let setup = Setup::start().await;
    let path = server_path("orders");
    setup.write(&path, plain_server()).await;
    let grown = json!({"properties": {"storage": {"storageSizeGB": 256}}});
    setup.control.patch_resource(&path.to_uppercase(), &grown).await.expect("patched");
    let existing = setup.control.resource(&path).await.expect("an answer").expect("a server");
    assert_eq!(existing.resource_type, "Microsoft.DBforPostgreSQL/flexibleServers");
    assert_eq!(existing.body["properties"]["storage"]["storageSizeGB"], 256);
    // What Azure grew, nobody shrinks.
    assert_eq!(setup.put(&path, VERSION, plain_server()).await.code(), "InvalidParameterValue");
}

#[tokio::test]
async fn what_azure_does_in_the_middle_of_an_operation_stays() {
    let setup = Setup::start_with_delay(Duration::from_millis(50)).await;
    let path = server_path("orders");
    let accepted = setup.put(&path, VERSION, plain_server()).await;
    setup
        .control
        .patch_resource(&path, &json!({"properties": {"availabilityZone": "3"}}))
        .await
        .expect("patched");
    setup.finish(&accepted).await;
    assert_eq!(setup.get(&path).await.body["properties"]["availabilityZone"], "3");
}

#[tokio::test]
async fn a_write_budget_can_run_out() {
    let setup = Setup::start().await;
    let settings = Settings { writes_per_minute: Some(1), ..Settings::default() };
    setup.control.change(&settings).await.expect("changed");
    let put = async || setup.put(GROUP, "2020-06-01", json!({"location": "norwayeast"})).await;
    assert_eq!(put().await.status, StatusCode::OK);
    let throttled = put().await;
    assert_eq!((throttled.status.as_u16(), throttled.code()), (429, "SubscriptionRequestsThrottled"));
    assert_eq!(setup.get(GROUP).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_mistake_is_answered_with_one_line() {
    let setup = Setup::start().await;
    let wrong = Fault { status: 200, ..fault("x", Phase::Request) };
    let Err(Error::Refused(why)) = setup.control.inject(&wrong).await else { panic!("accepted") };
    assert_eq!(why, "the status of a fault must be 400 to 599");
    let never = fault("userAssignedIdentities/orders", Phase::Operation);
    let Err(Error::Refused(why)) = setup.control.inject(&never).await else { panic!("accepted") };
    assert_eq!(
        why,
        "this fault would never strike: identities and their credentials are written at once: use the phase `request`"
    );
    let Err(Error::Refused(why)) = setup.control.patch_resource("orders", &json!({})).await else {
        panic!("accepted")
    };
    assert_eq!(why, "name the resource with ?id=/subscriptions/…");
}
