//! A `Database` that is to begin with the data of another one.

use super::{defaults::patched, *};

const ID: &str = "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg/providers/\
                  Microsoft.DBforPostgreSQL/flexibleServers/srv";

fn copy(more: Value) -> Value {
    let mut object =
        database(json!({"restoreFrom": {"database": "live", "time": "2026-11-22T09:00:00Z"}}), json!({}));
    object["spec"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    object
}

/// The source as the webhook knows it, with backups of two hours.
fn source() -> Facts {
    let mut live = database(json!({"extensions": ["vector"]}), json!({}));
    live["status"] = json!({
        "databaseName": "live", "backups": {"earliestRestoreTime": "2026-11-22T10:00:00Z"},
        "server": {"name": "srv", "id": ID, "version": "16", "sku": "Standard_B2s", "sizeGiB": 64},
    });
    Facts { source: Some(Arc::new(serde_json::from_value(live).unwrap())), ..Facts::default() }
}

fn create(object: Value, facts: &Facts) -> Value {
    ask_with(Hook::Validate, &review("CREATE", object, Value::Null), &good(), facts)
}

/// Azure has made its server.
fn made() -> Value {
    json!({"server": {"name": "srv", "id": ID}})
}

fn code(response: &Value) -> Option<&str> {
    response["auditAnnotations"]["codes"].as_str()
}

#[rstest]
#[case::as_it_is(json!({}), None)]
#[case::noon_in_oslo_as_if_it_were_utc(json!({"restoreFrom": {"database": "live", "time": "2026-11-22T12:00:01Z"}}), Some("DB122"))]
#[case::itself(json!({"restoreFrom": {"database": "main"}}), Some("DB122"))]
#[case::of_another_namespace(json!({"restoreFrom": {"database": "ledger/main"}}), Some("DB123"))]
#[case::of_any_server(json!({"restoreFrom": {"serverId": ID}, "databaseName": "a"}), Some("DB123"))]
#[case::a_text(json!({"restoreFrom": "live"}), Some("DB122"))]
#[case::a_time_without_quotes(json!({"restoreFrom": {"database": "live", "time": 20_261_122}}), Some("DB122"))]
#[case::misspelt(json!({"restoreFrom": {"databases": "live"}}), Some("DB121"))]
#[case::empty(json!({"restoreFrom": {}}), None)]
fn a_new_one_is_judged_by_what_it_says(#[case] more: Value, #[case] expected: Option<&str>) {
    assert_eq!(code(&create(copy(more), &Facts::default())), expected);
}

/// It may come from Git long after its data were restored, and its server is found by its name.
#[test]
fn what_the_source_cannot_give_today_is_warned_of_and_refuses_nothing() {
    let response = create(copy(json!({"version": 17})), &source());
    assert_eq!(response["allowed"], true);
    let warnings: Vec<&str> =
        response["warnings"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    for field in ["spec.restoreFrom.time", "spec.version", "spec.extensions"] {
        let warning = warnings.iter().find(|warning| warning.starts_with(field));
        assert!(warning.is_some_and(|warning| warning.ends_with("[DB122]")), "{field}: {warnings:?}");
    }
    assert!(warnings.iter().all(|warning| warning.chars().count() <= 120), "{warnings:?}");
}

/// What another team's database is like, is theirs to know.
#[test]
fn who_may_not_have_the_data_is_told_nothing_of_the_database() {
    let mut facts = source();
    let mut live = facts.source.as_deref().unwrap().clone();
    live.status.as_mut().unwrap().server.as_mut().unwrap().sku = Some("Standard_E96ds_v5".to_owned());
    facts.source = Some(Arc::new(live));
    let own = create(copy(json!({"extensions": []})), &facts);
    assert_eq!(code(&own), Some("DB101"), "of its own namespace the size is judged");
    let theirs = create(copy(json!({"restoreFrom": {"database": "ledger/live"}})), &facts);
    assert_eq!((code(&theirs), &theirs["warnings"]), (Some("DB123"), &Value::Null));
}

#[test]
fn of_one_whose_server_is_kept_nothing_is_restored_and_nothing_is_judged() {
    let facts = Facts { is_kept: Some(true), ..source() };
    let object = copy(json!({"restoreFrom": {"database": "ledger/main", "time": "tomorrow"}}));
    let response = create(object, &facts);
    assert_eq!((&response["allowed"], code(&response)), (&json!(true), None));
}

#[test]
fn it_is_asked_what_is_known_of_the_source_and_whether_its_own_server_is_kept() {
    let of = |from: Value| {
        let body = review("CREATE", copy(json!({"restoreFrom": from})), Value::Null).to_string();
        let needs = |question: &Question| {
            let needs = question.needs(&good());
            let owned = |of: Option<(&str, &str)>| of.map(|(namespace, name)| format!("{namespace}/{name}"));
            (owned(needs.source), owned(needs.kept_of))
        };
        needs(&Question::read(Hook::Validate, body.as_bytes()))
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(of(json!({"database": "live"})), (some("orders/live"), some("orders/main")));
    assert_eq!(of(json!({"database": "ledger/main"})), (some("ledger/main"), some("orders/main")));
    assert_eq!(of(json!({"serverId": ID})), (None, some("orders/main")));
    assert_eq!(of(Value::Null), (None, None));
}

/// The profile gives a version, a size and a disk, which the source has otherwise.
#[test]
fn no_default_is_filled_in_of_what_comes_with_the_data() {
    let object = copy(json!({"sku": "Standard_B2s"}));
    let response = ask(Hook::Mutate, &review("CREATE", object.clone(), Value::Null), &good());
    assert_eq!(patched(object.clone(), &response), object);
    // Once Azure has made the server, it has what it has.
    let mut old = object.clone();
    old["status"] = made();
    let response = ask(Hook::Mutate, &review("UPDATE", object.clone(), old), &good());
    assert_ne!(patched(object.clone(), &response), object);
}

#[rstest]
#[case::another_moment(json!({"restoreFrom": {"database": "live"}}), json!({}), None)]
#[case::of_another_namespace(json!({"restoreFrom": {"database": "ledger/main"}}), json!({}), Some("DB123"))]
#[case::once_it_is_there(json!({"restoreFrom": {"database": "live"}}), made(), Some("DB110"))]
#[case::left_out_once_it_is_there(json!({"restoreFrom": null}), made(), None)]
fn it_can_be_mended_until_azure_has_made_the_server(
    #[case] more: Value,
    #[case] status: Value,
    #[case] expected: Option<&str>,
) {
    let mut old = copy(json!({}));
    old["status"] = status;
    let response = ask(Hook::Validate, &review("UPDATE", copy(more), old), &good());
    assert_eq!(code(&response), expected, "{response}");
}
