//! A namespace that goes.

use super::*;

#[test]
fn a_namespace_with_databases_that_say_nothing_is_refused_and_names_them() {
    let (unsaid, kept) =
        (database(json!({}), json!({})), database(json!({}), json!({"altinn.app/retention": "Retain"})));
    let mut going = unsaid.clone();
    going["metadata"]["deletionTimestamp"] = json!("2026-11-22T12:00:00Z");
    let response = delete_namespace(&inside(&[unsaid.clone(), kept.clone(), going.clone()]));
    let message = response["status"]["message"].as_str().unwrap();
    assert!(message.contains("It holds main [DB201] [DB301]."), "{message}");
    let response = delete_namespace(&inside(&[kept, going.clone()]));
    assert_eq!(response["allowed"], true);
    assert_eq!(response["warnings"], json!(["1 Database(s) go with it, and their servers are kept"]));
    assert_eq!(delete_namespace(&inside(&[going]))["warnings"], Value::Null);
    // Not knowing what is in it lets nothing be lost: each database has its own guard.
    assert_eq!(delete_namespace(&Facts::default())["allowed"], true);
}

#[test]
fn what_becomes_of_each_server_is_told() {
    let tomorrow = "orders/main@2026-11-23";
    let with = |annotations: Value| database(json!({}), annotations);
    let response = delete_namespace(&inside(&[
        with(json!({"altinn.app/retention": "Retain"})),
        with(json!({"altinn.app/retention": "14d"})),
        with(json!({"altinn.app/retention": "Destroy", "altinn.app/confirm-destroy": tomorrow})),
    ]));
    let shown = "3 Database(s) go with it: 1 server(s) are destroyed now, 1 after some days, 1 are kept";
    assert_eq!(response["warnings"], json!([shown]));
}

#[test]
fn many_databases_in_a_namespace_fit_into_the_message() {
    let databases: Vec<Value> = (0..50)
        .map(|number| {
            let mut database = database(json!({}), json!({}));
            database["metadata"]["name"] = json!(format!("{number:02}-{}", "x".repeat(60)));
            database
        })
        .collect();
    let response = delete_namespace(&inside(&databases));
    let message = response["status"]["message"].as_str().unwrap();
    assert!(message.chars().count() <= 1000 && message.contains("(+45 more)"), "{message}");
    assert!(message.ends_with("[DB301]. Policy database-policy, profile default."), "{message}");
}
