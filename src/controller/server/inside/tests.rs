use api::{DatabaseRef, DatabaseSpec};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use policy::{Policy, Request};
use rstest::rstest;
use serde_json::{Value, json};

use super::{
    super::{app_password::WORKS, password::Wanted},
    *,
};
use crate::azure::{FlexibleServer, FlexibleServersAdministrator, Identity, Principal};

/// Of a server that its app never administered.
const NEVER: FormerObjects = FormerObjects { administrator: None, credential: None, ends: false };

fn effective(spec: Value) -> Effective {
    let policy = Policy::parse(include_str!("../../../../examples/policy.yaml")).unwrap();
    let spec: DatabaseSpec = serde_json::from_value(spec).unwrap();
    let whose = DatabaseRef::new("orders-prod", "main");
    let request = Request::new("database-policy", whose, &spec, jiff::civil::date(2026, 11, 22));
    policy.resolve(&request, None).unwrap()
}

/// A server that the platform administers, and that is up.
fn known() -> Known {
    let server: FlexibleServer = serde_json::from_value(json!({
        "apiVersion": "dbforpostgresql.azure.com/v20250801", "kind": "FlexibleServer", "metadata": {"name": "srv"},
        "spec": {"azureName": "srv", "owner": {}, "location": "norwayeast"},
        "status": {"fullyQualifiedDomainName": "srv.postgres.database.azure.com"},
    }))
    .unwrap();
    let principal = Principal { name: "operators".into(), object_id: "id".into(), kind: "Group".into() };
    Known {
        administrator: Administrator::Platform(principal),
        identity: Some(Identity { client_id: "client".into(), principal_id: "principal".into() }),
        ..Known::of(server)
    }
}

fn wanted(known: &Known, spec: Value, configurations: &[FlexibleServersConfiguration]) -> Wish {
    match inside(known, &effective(spec), None, None, configurations, &NEVER) {
        Inside::Wanted(wish) => *wish,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_app_owns_what_is_in_its_database_and_administers_nothing() {
    let spec = json!({"databaseName": "Orders-1", "extensions": ["pgcrypto"]});
    let wish = wanted(&known(), spec, &[]);
    assert_eq!((&*wish.host, wish.port), ("srv.postgres.database.azure.com", 5432));
    assert_eq!(wish.administrator, "operators");
    insta::assert_debug_snapshot!(wish.desired);
}

#[test]
fn an_extension_is_updated_where_the_annotation_names_it() {
    let effective = effective(json!({"extensions": ["pgcrypto", "vector"]}));
    let Inside::Wanted(wish) = inside(&known(), &effective, Some("vector"), None, &[], &NEVER) else {
        panic!()
    };
    let updated = wish.desired.extensions.iter().map(|wish| (wish.name.as_str(), wish.update));
    assert_eq!(updated.collect::<Vec<_>>(), [("pgcrypto", false), ("vector", true)]);
}

#[rstest]
#[case::new(false, false, Create::IfNew)]
#[case::an_app_could_connect(true, false, Create::Never)]
#[case::somebody_said_that_an_empty_one_will_do(true, true, Create::Anyway)]
fn a_database_is_made_where_nothing_says_that_there_was_one(
    #[case] database_was_made: bool,
    #[case] accepts_empty: bool,
    #[case] expected: Create,
) {
    let known = Known { database_was_made, accepts_empty, ..known() };
    assert_eq!(wanted(&known, json!({}), &[]).desired.create, expected);
}

#[test]
fn with_passwords_two_logins_take_turns_and_the_identity_has_none() {
    let now: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
    let over = now + jiff::SignedDuration::from_hours(2);
    let plan = |existing: Option<&AppPasswords>, request, now| {
        let secret = existing.map(|passwords| {
            let mut secret = Secret { data: Some(passwords.data()), ..Secret::default() };
            secret.metadata.annotations =
                passwords.key_that_works().map(|key| [(WORKS.to_owned(), key)].into());
            secret
        });
        let wanted = Wanted { request, ..Wanted::default() };
        let overlap = jiff::SignedDuration::from_hours(1);
        AppPasswords::plan(secret.as_ref(), wanted, overlap, now, || Some("fresh".to_owned())).unwrap()
    };
    let first = plan(None, None, now).established();
    let second = plan(Some(&first), Some("ticket"), now);
    let effective = effective(json!({"databaseName": "orders"}));
    let logins = |passwords: &AppPasswords| {
        let known = Known { identity: None, ..known() };
        let Inside::Wanted(wish) = inside(&known, &effective, None, Some(passwords), &[], &NEVER) else {
            panic!()
        };
        assert_eq!(wish.desired.logins, []);
        let logins = wish.passwords.iter();
        logins
            .map(|it| format!("{} {}", it.role, if it.may_log_in { "in" } else { "out" }))
            .collect::<Vec<_>>()
    };
    assert_eq!(logins(&first), ["orders_app_1 in"]);
    assert_eq!(logins(&second), ["orders_app_2 in", "orders_app_1 in"]);
    let established = plan(Some(&second.established()), None, now);
    assert_eq!(logins(&established), ["orders_app_2 in", "orders_app_1 in"]);
    let later = plan(Some(&second.established()), None, over);
    assert_eq!(logins(&later), ["orders_app_2 in", "orders_app_1 out"]);
    let given = |passwords| handed_out(&effective, passwords).map(|(role, _)| role.to_string());
    assert_eq!(given(&second).as_deref(), Some("orders_app_1"));
    assert_eq!(given(&established).as_deref(), Some("orders_app_2"));
    assert_eq!(given(&plan(None, None, now)), None);
    // Before the server has passwords, nobody is given a login.
    let waiting = Effective { authentication: Authentication::Password, ..effective };
    assert_eq!(inside(&known(), &waiting, None, None, &[], &NEVER), Inside::NotYet);
}

#[test]
fn before_there_is_a_server_and_an_identity_nothing_is_wanted() {
    let effective = effective(json!({}));
    let without_identity = Known { identity: None, ..known() };
    let without_server = Known { server: None, ..known() };
    for known in [without_identity, without_server] {
        assert_eq!(inside(&known, &effective, None, None, &[], &NEVER), Inside::NotYet);
    }
}

#[test]
fn who_administers_its_server_sets_it_up() {
    let effective = effective(json!({}));
    let of_app = Known { administrator: Administrator::App, ..known() };
    assert_eq!(inside(&of_app, &effective, None, None, &[], &NEVER), Inside::Apps);
}

#[test]
fn what_the_former_login_owns_is_taken_over_as_long_as_it_is_there() {
    let effective = effective(json!({}));
    let wish = |former: &FormerObjects| match inside(&known(), &effective, None, None, &[], former) {
        Inside::Wanted(wish) => *wish,
        other => panic!("{other:?}"),
    };
    let spec = serde_json::from_value(json!({"azureName": "id", "owner": {}})).unwrap();
    let object = FlexibleServersAdministrator::new("srv", spec);
    let administrator = || Some(object.clone());
    let works = wish(&FormerObjects { administrator: administrator(), ..NEVER });
    let names = |wish: &Wish| wish.desired.take_over_from.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(names(&works), ["srv", "dbadmin"]);
    let ends = wish(&FormerObjects { administrator: administrator(), ends: true, ..NEVER });
    assert_ne!(ends, works, "it is looked at once more before it goes");
    assert_eq!(names(&ends), names(&works));
    let over = wish(&FormerObjects { ends: true, ..NEVER });
    assert_eq!((names(&over), over.former_login_ends), (vec![], false));
}

/// The server of `known`, with this administrator.
fn kept(principal_name: &str, kind: &str) -> Objects {
    let administrator = json!({
        "apiVersion": "dbforpostgresql.azure.com/v20250801", "kind": "FlexibleServersAdministrator",
        "metadata": {"name": "srv"},
        "spec": {"azureName": "id", "owner": {}, "principalName": principal_name, "principalType": kind},
    });
    let server = known().server.map(|server| server.object().clone());
    Objects {
        server,
        administrators: vec![serde_json::from_value(administrator).unwrap()],
        ..Objects::default()
    }
}

#[test]
fn nobody_gets_in_to_a_server_that_is_kept_and_nothing_is_made_in_it() {
    let wish = closed(&kept("operators", "Group"), &[], Some("orders")).unwrap();
    assert_eq!((&*wish.host, &*wish.administrator), ("srv.postgres.database.azure.com", "operators"));
    assert_eq!((wish.desired.access, wish.desired.create), (Access::Closed, Create::Never));
    assert_eq!((wish.desired.logins, wish.passwords), (vec![], vec![]));
    assert_eq!(wish.desired.mark.as_str(), "database-operator: orders");
    // Whose app administers it, and one without a database.
    assert_eq!(closed(&kept("srv", "ServicePrincipal"), &[], Some("orders")), None);
    assert_eq!(closed(&kept("operators", "Group"), &[], None), None);
}

/// It was deleted while Azure restored it, so nothing stands for its administrator, and its record knows no database.
#[test]
fn nobody_gets_in_to_a_copy_by_the_logins_that_came_with_the_data() {
    let mut copy = kept("operators", "Group");
    let of_source = std::mem::take(&mut copy.administrators);
    assert_eq!(closed(&copy, &of_source, None), None, "nothing says what its database is called");
    let tag = |copy: &mut Objects, key: &str, value: &str| {
        copy.server.as_mut().unwrap().spec.tags.insert(key.to_owned(), value.to_owned());
    };
    tag(&mut copy, "database-operator-database", "orders");
    assert_eq!(closed(&copy, &of_source, None), None, "one that is made empty has none yet");
    tag(&mut copy, "database-operator-restored-from", "prod-1-orders-live-384bab2c@2026-11-20T09:00:00Z");
    let wish = closed(&copy, &of_source, None).unwrap();
    assert_eq!((&*wish.administrator, wish.desired.database.as_str()), ("operators", "orders"));
    assert_eq!(wish.desired.access, Access::Closed);
    assert_eq!(closed(&copy, &[], None), None);
}

#[test]
fn a_name_that_postgresql_does_not_take_is_told() {
    let effective = Effective { database_name: "postgres".into(), ..effective(json!({})) };
    let inside = inside(&known(), &effective, None, None, &[], &NEVER);
    assert!(
        matches!(&inside, Inside::Impossible(error) if error.to_string().contains("postgres")),
        "{inside:?}"
    );
    assert_eq!(inside.login(), None);
}

fn configuration(parameter: &str, status: &Value) -> FlexibleServersConfiguration {
    serde_json::from_value(json!({
        "apiVersion": "dbforpostgresql.azure.com/v20250801", "kind": "FlexibleServersConfiguration",
        "metadata": {"name": parameter.replace(['_', '.'], "-"), "generation": 1},
        "spec": {"azureName": parameter, "owner": {}, "value": "pgcrypto"}, "status": status,
    }))
    .unwrap()
}

fn is(ready: &str, pending_restart: bool) -> Value {
    let condition =
        json!({"type": "Ready", "status": ready, "reason": "R", "message": "", "observedGeneration": 1});
    json!({"conditions": [condition], "isConfigPendingRestart": pending_restart})
}

#[rstest]
#[case::without_a_list(vec![], true)]
#[case::taken(vec![configuration("azure.extensions", &is("True", false))], true)]
#[case::on_its_way(vec![configuration("azure.extensions", &is("False", false))], false)]
#[case::waits_for_a_restart(vec![configuration("shared_preload_libraries", &is("True", true))], false)]
#[case::another_parameter(vec![configuration("work_mem", &is("False", false))], true)]
fn extensions_can_be_created_once_azure_works_by_their_lists(
    #[case] found: Vec<FlexibleServersConfiguration>,
    #[case] are_allowed: bool,
) {
    let wanted_configurations = found.clone();
    let known = Known { configurations: found, ..known() };
    let wish = wanted(&known, json!({}), &wanted_configurations);
    assert_eq!(wish.are_extensions_allowed, are_allowed);
}

#[test]
fn a_list_that_is_not_there_yet_or_is_another_one_counts_for_nothing() {
    let wished = configuration("azure.extensions", &is("True", false));
    let mut other = wished.clone();
    other.spec.value = Some("hstore".into());
    for found in [vec![], vec![other]] {
        let known = Known { configurations: found, ..known() };
        assert!(!wanted(&known, json!({}), std::slice::from_ref(&wished)).are_extensions_allowed);
    }
}
