use rstest::rstest;
use serde_json::{Value, json};

use super::*;

/// An object with this reconcile policy.
fn object<K: AsoObject>(kind: &str, policy: &str) -> K {
    let mut object = json!({
        "metadata": {
            "name": "srv", "generation": 1,
            "annotations": {"serviceoperator.azure.com/reconcile-policy": policy},
        },
        "status": {"conditions": [{"type": "Ready", "status": "True", "reason": "Succeeded", "observedGeneration": 1}]},
    });
    object["apiVersion"] = json!(K::api_version(&()));
    object["kind"] = json!(kind);
    object["spec"] = match kind {
        "FlexibleServer" => {
            json!({"azureName": "srv", "owner": {}, "location": "x", "tags": {"managed-by": "database-operator"}})
        }
        "FederatedIdentityCredential" => {
            json!({"azureName": "a", "owner": {}, "issuer": "i", "subject": "s", "audiences": []})
        }
        "FlexibleServersFirewallRule" => {
            json!({"azureName": "a", "owner": {}, "startIpAddress": "1.1.1.1", "endIpAddress": "1.1.1.1"})
        }
        "UserAssignedIdentity" => json!({"azureName": "a", "owner": {}, "location": "x"}),
        _ => json!({"azureName": "a", "owner": {}}),
    };
    serde_json::from_value(object).unwrap()
}

fn server(policy: &str) -> FlexibleServer {
    object("FlexibleServer", policy)
}

/// Everything, with this policy each.
fn all(policy: &str) -> Objects {
    Objects {
        server: Some(server(policy)),
        database: Some(object("FlexibleServersDatabase", policy)),
        administrators: Vec::new(),
        identities: vec![object("UserAssignedIdentity", policy)],
        credentials: vec![object("FederatedIdentityCredential", policy)],
        secret: Some(serde_json::from_value(json!({"metadata": {"name": "srv-admin"}})).unwrap()),
        firewall_rules: vec![
            object("FlexibleServersFirewallRule", policy),
            object("FlexibleServersFirewallRule", policy),
        ],
        configurations: vec![object("FlexibleServersConfiguration", policy)],
    }
}

fn going<K: AsoObject>(mut object: K) -> K {
    object.meta_mut().deletion_timestamp =
        Some(serde_json::from_value(json!("2026-11-24T12:00:00Z")).unwrap());
    object
}

/// Only looked at; that is what Azure Service Operator says of it.
fn probe(condition: &Value) -> FlexibleServer {
    let mut server = server("skip");
    server.spec.tags.clear();
    server.status = serde_json::from_value(json!({"conditions": [condition]})).unwrap();
    server
}

fn nothing_found() -> FlexibleServer {
    probe(&json!({
        "type": "Ready", "status": "False", "severity": "Warning", "reason": "AzureResourceNotFound", "message": "",
        "observedGeneration": 1,
    }))
}

fn looking() -> FlexibleServer {
    probe(&json!({"type": "Ready", "status": "True", "reason": "Succeeded", "observedGeneration": 1}))
}

fn refused() -> FlexibleServer {
    let mut server = going(server("manage"));
    server.status = serde_json::from_value(json!({"conditions": [{
        "type": "Ready", "status": "False", "severity": "Error", "reason": "Conflict", "message": "locked",
        "observedGeneration": 1,
    }]}))
    .unwrap();
    server
}

fn alone(server: FlexibleServer) -> Objects {
    Objects { server: Some(server), ..Objects::default() }
}

const SERVER: Part = Part::Server;
const MANAGE: Policy = Policy::Manage;

#[rstest]
// Before its record says that it is being destroyed, nothing of it is deleted.
#[case::at_rest(alone(server("skip")), &[Act::SetPolicy(SERVER, MANAGE)], Step::Wait)]
#[case::at_work(alone(server("detach-on-delete")), &[Act::SetPolicy(SERVER, MANAGE)], Step::Wait)]
#[case::with_the_policy(alone(server("manage")), &[], Step::Note)]
#[case::on_its_way(alone(going(server("manage"))), &[], Step::Note)]
#[case::somebody_else_deletes_it_and_the_server_stays(alone(going(server("skip"))), &[], Step::Wait)]
#[case::azure_has_none(alone(nothing_found()), &[], Step::Note)]
#[case::azure_is_asked_whose_it_is(alone(looking()), &[], Step::Impossible)]
#[case::a_look_that_is_being_deleted(alone(going(looking())), &[], Step::Wait)]
#[case::it_has_no_object(Objects::default(), &[], Step::Impossible)]
#[case::its_parts_are_there_and_it_is_not(Objects { server: None, ..all("manage") }, &[], Step::Impossible)]
fn a_destroy_is_noted_before_anything_is_deleted(
    #[case] objects: Objects,
    #[case] acts: &[Act<'_>],
    #[case] step: Step,
) {
    assert_eq!(destroy(&objects, false), (acts.to_vec(), step));
}

#[rstest]
// It may have been given another policy since, by somebody else.
#[case::at_rest(all("skip"), &[Act::SetPolicy(SERVER, MANAGE)], Removal::UnderWay)]
#[case::with_the_policy(all("manage"), &[Act::Delete(SERVER)], Removal::UnderWay)]
#[case::on_its_way(Objects { server: Some(going(server("manage"))), ..all("skip") }, &[], Removal::UnderWay)]
#[case::azure_has_none(alone(nothing_found()), &[Act::Delete(SERVER)], Removal::UnderWay)]
#[case::a_look_for_nothing_on_its_way(alone(going(nothing_found())), &[], absent())]
#[case::azure_refuses(
    Objects { server: Some(refused()), ..all("skip") },
    &[],
    refusal("Conflict", "locked")
)]
// Once it is gone.
#[case::its_parts_are_released_and_its_login_ended(
    Objects { server: None, ..all("detach-on-delete") },
    &[
        Act::Delete(Part::Database),
        Act::Delete(Part::FirewallRule(0)),
        Act::Delete(Part::FirewallRule(1)),
        Act::Delete(Part::Configuration(0)),
        Act::SetPolicy(Part::Credential(0), MANAGE),
    ],
    Removal::UnderWay
)]
// They are on their way in Azure as well: who began that does it.
#[case::parts_that_somebody_ends(
    Objects { server: None, credentials: Vec::new(), ..all("manage") },
    &[Act::Delete(Part::Identity(0))],
    Removal::UnderWay
)]
#[case::both_identities_of_an_app_that_administered_its_server(
    Objects {
        identities: vec![object("UserAssignedIdentity", "manage"), object("UserAssignedIdentity", "skip")],
        ..Objects::default()
    },
    &[Act::Delete(Part::Identity(0)), Act::SetPolicy(Part::Identity(1), MANAGE)],
    Removal::UnderWay
)]
#[case::the_identity_comes_after_its_credential(
    Objects { identities: vec![object("UserAssignedIdentity", "skip")], ..Objects::default() },
    &[Act::SetPolicy(Part::Identity(0), MANAGE)],
    Removal::UnderWay
)]
#[case::the_identity_is_on_its_way(
    Objects {
        identities: vec![going(object("UserAssignedIdentity", "manage"))],
        secret: all("manage").secret,
        ..Objects::default()
    },
    &[],
    Removal::UnderWay
)]
#[case::the_secret_is_last(
    Objects { secret: all("manage").secret, ..Objects::default() },
    &[Act::Delete(Part::Secret)],
    Removal::Done
)]
#[case::nothing_is_left(Objects::default(), &[], Removal::Done)]
fn a_server_goes_before_its_parts_and_its_identity_last(
    #[case] objects: Objects,
    #[case] acts: &[Act<'_>],
    #[case] removal: Removal,
) {
    assert_eq!(destroy(&objects, true), (acts.to_vec(), Step::GoOn(removal)));
}

/// Azure Service Operator's own words for a server that isn't there.
fn absent() -> Removal {
    refusal("AzureResourceNotFound", "")
}

fn refusal(reason: &str, message: &str) -> Removal {
    Removal::Refused { reason: reason.to_owned(), message: message.to_owned() }
}

/// What a look shows is somebody's, or may be: it is never ended.
#[test]
fn a_look_is_never_ended_noted_or_not() {
    for is_noted in [false, true] {
        assert_eq!(destroy(&alone(looking()), is_noted), (Vec::new(), Step::Impossible));
    }
}

#[rstest]
#[case::nothing_was_begun(all("detach-on-delete"), &[])]
#[case::at_rest(all("skip"), &[])]
#[case::begun(
    all("manage"),
    &[
        Act::SetPolicy(SERVER, Policy::DetachOnDelete),
        Act::SetPolicy(Part::Database, Policy::DetachOnDelete),
        Act::SetPolicy(Part::Identity(0), Policy::DetachOnDelete),
    ]
)]
#[case::too_late(
    Objects {
        server: Some(going(server("manage"))),
        database: Some(going(object("FlexibleServersDatabase", "manage"))),
        identities: vec![going(object("UserAssignedIdentity", "manage"))],
        ..Objects::default()
    },
    &[]
)]
fn what_was_begun_is_taken_back(#[case] objects: Objects, #[case] acts: &[Act<'_>]) {
    assert_eq!(cancel(&objects), acts);
}

#[rstest]
#[case::at_rest(all("skip"), &[], true)]
#[case::as_wanted(
    all("detach-on-delete"),
    &[Act::SetPolicy(SERVER, Policy::Skip), Act::SetPolicy(Part::Database, Policy::Skip)],
    false
)]
#[case::azure_is_at_work(alone(changed(server("detach-on-delete"))), &[], false)]
// Azure Service Operator would ask for it again and again, and nobody wants it.
#[case::azure_refuses_to_make_it(
    alone(never_made("QuotaExceeded")), &[Act::SetPolicy(SERVER, Policy::Skip)], false
)]
// Azure may be at it.
#[case::azure_is_in_trouble_with_making_it(alone(never_made("InternalServerError")), &[], false)]
#[case::azure_refuses_a_change(alone(made(never_made("QuotaExceeded"))), &[], false)]
#[case::a_destroy_is_begun(all("manage"), &[], true)]
#[case::on_its_way(alone(going(server("detach-on-delete"))), &[], true)]
#[case::nothing_there(Objects::default(), &[], true)]
// One of the two is enough to be looked at again.
#[case::the_database_alone(
    Objects { server: Some(server("skip")), ..all("detach-on-delete") },
    &[Act::SetPolicy(Part::Database, Policy::Skip)],
    false
)]
#[case::the_server_alone(
    Objects { database: None, ..all("detach-on-delete") },
    &[Act::SetPolicy(SERVER, Policy::Skip)],
    false
)]
fn what_holds_data_is_only_looked_at_once_azure_is_done(
    #[case] objects: Objects,
    #[case] acts: &[Act<'_>],
    #[case] rests: bool,
) {
    assert_eq!(rest(&objects), (acts.to_vec(), rests));
}

/// Azure says so, and has made none.
fn never_made(reason: &str) -> FlexibleServer {
    let mut server = server("detach-on-delete");
    server.status = serde_json::from_value(json!({"conditions": [{
        "type": "Ready", "status": "False", "severity": "Warning", "reason": reason, "message": "", "observedGeneration": 1,
    }]}))
    .unwrap();
    server
}

fn made(mut server: FlexibleServer) -> FlexibleServer {
    server.status.as_mut().unwrap().id = Some("/s".to_owned());
    server
}

fn changed(mut server: FlexibleServer) -> FlexibleServer {
    server.metadata.generation = Some(2);
    server
}

#[rstest]
#[case::open(
    all("detach-on-delete"),
    &[
        Act::SetPolicy(Part::Credential(0), MANAGE),
        Act::SetPolicy(Part::FirewallRule(0), MANAGE),
        Act::SetPolicy(Part::FirewallRule(1), MANAGE),
    ],
    Removal::UnderWay
)]
#[case::by_both_identities(
    Objects {
        credentials: vec![
            object("FederatedIdentityCredential", "skip"),
            object("FederatedIdentityCredential", "manage"),
        ],
        ..Objects::default()
    },
    &[Act::SetPolicy(Part::Credential(0), MANAGE), Act::Delete(Part::Credential(1))],
    Removal::UnderWay
)]
#[case::told(
    all("manage"),
    &[
        Act::Delete(Part::Credential(0)),
        Act::Delete(Part::FirewallRule(0)),
        Act::Delete(Part::FirewallRule(1)),
    ],
    Removal::UnderWay
)]
#[case::a_rule_is_left(
    Objects { credentials: Vec::new(), firewall_rules: vec![going(object("FlexibleServersFirewallRule", "manage"))], ..all("skip") },
    &[],
    Removal::UnderWay
)]
#[case::closed(Objects { credentials: Vec::new(), firewall_rules: Vec::new(), ..all("skip") }, &[], Removal::Done)]
fn the_ways_in_are_ended_in_azure(
    #[case] objects: Objects,
    #[case] acts: &[Act<'_>],
    #[case] removal: Removal,
) {
    assert_eq!(close(&objects), (acts.to_vec(), removal));
}
