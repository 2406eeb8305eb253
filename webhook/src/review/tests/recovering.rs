//! A `Database` that is to bring back the data of another one.

use super::*;

const FROM: &str = "altinn.app/recover-from";

/// The policy lets reports/main have what is kept of reports/old.
fn reports(annotations: Value, status: Value) -> Value {
    let mut object = database(json!({"version": 17}), annotations);
    object["metadata"]["namespace"] = json!("reports");
    object["status"] = status;
    object
}

fn verdict(
    operation: &str,
    object: Value,
    old: Value,
    state: &PolicyState,
) -> (Option<String>, Option<String>) {
    let mut review = review(operation, object, old);
    review["request"]["namespace"] = json!("reports");
    let response = ask(Hook::Validate, &review, state);
    let text = |value: &Value| value.as_str().map(str::to_owned);
    (text(&response["auditAnnotations"]["codes"]), text(&response["status"]["message"]))
}

#[rstest]
#[case::allowed("reports/old", None)]
#[case::not_allowed("orders/main", Some("DB213"))]
#[case::no_database("old", Some("DB212"))]
fn a_new_one_needs_the_policys_consent(#[case] from: &str, #[case] code: Option<&str>) {
    let (codes, _) = verdict("CREATE", reports(json!({FROM: from}), Value::Null), Value::Null, &good());
    assert_eq!(codes.as_deref(), code);
}

#[test]
fn it_is_refused_together_with_what_else_is_wrong() {
    let mut object = reports(json!({FROM: "orders/main"}), Value::Null);
    object["spec"] = json!({"sku": "banana"});
    let (codes, message) = verdict("CREATE", object, Value::Null, &good());
    assert_eq!(codes.as_deref(), Some("DB115,DB213"));
    assert!(message.unwrap().starts_with("2 problems: (1) spec.sku"));
}

#[rstest]
#[case::as_it_was(Some("orders/main"), Some("orders/main"), made(None), None)]
#[case::taken_out(Some("orders/main"), None, made(None), None)]
#[case::on_one_that_has_a_server(None, Some("reports/old"), made(None), Some("DB212"))]
#[case::on_one_that_has_none(None, Some("reports/old"), Value::Null, None)]
#[case::put_back(None, Some("orders/main"), made(Some("orders/main")), None)]
#[case::not_allowed(Some("reports/old"), Some("orders/main"), Value::Null, Some("DB213"))]
fn on_one_that_is_there_it_is_judged_when_it_is_written(
    #[case] before: Option<&str>,
    #[case] after: Option<&str>,
    #[case] status: Value,
    #[case] code: Option<&str>,
) {
    let [old, new] = [before, after]
        .map(|from| reports(from.map_or_else(|| json!({}), |from| json!({FROM: from})), status.clone()));
    assert_eq!(verdict("UPDATE", new, old, &good()).0.as_deref(), code);
}

#[test]
fn without_a_policy_nothing_is_given_away() {
    let (old, new) = (reports(json!({}), Value::Null), reports(json!({FROM: "reports/old"}), Value::Null));
    assert_eq!(verdict("UPDATE", new, old, &PolicyState::Missing).0.as_deref(), Some("DB401"));
}

fn made(from: Option<&str>) -> Value {
    json!({
        "server": {"name": "x", "id": "/subscriptions/x"},
        "recovered": {"since": "2026-11-01T12:00:00Z", "from": from},
    })
}

#[test]
fn what_is_kept_of_itself_comes_back_whatever_the_annotation_says() {
    let mut review = review("CREATE", reports(json!({FROM: "orders/main"}), Value::Null), Value::Null);
    review["request"]["namespace"] = json!("reports");
    let question = Question::read(Hook::Validate, review.to_string().as_bytes());
    assert_eq!(question.needs(&good()).kept_of, Some(("reports", "main")));
    for (is_kept, allowed) in [(Some(true), true), (Some(false), false), (None, false)] {
        let response = ask_with(Hook::Validate, &review, &good(), &Facts { is_kept, ..Facts::default() });
        assert_eq!(response["allowed"], allowed, "{is_kept:?}");
    }
}
