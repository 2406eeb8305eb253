//! The messages as people and tools read them: what the snapshots of this crate and of `policy` hold.

use std::{collections::BTreeSet, path::Path};

use rstest::Context;

use super::*;

/// Each snapshot of a message, by its file's name.
fn written_down() -> Vec<(String, String)> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let folders = [
        "policy/src/rules/tests/snapshots",
        "policy/src/deleting/snapshots",
        "policy/src/snapshots",
        "policy/src/restoring/snapshots",
        "policy/src/document/snapshots",
        "webhook/src/review/tests/snapshots",
    ];
    let entries = folders.iter().flat_map(|folder| std::fs::read_dir(crates.join(folder)).unwrap());
    let files = entries.map(|entry| entry.unwrap().path());
    files
        .filter(|path| path.extension().is_some_and(|extension| extension == "snap"))
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let message = text.splitn(3, "---\n").nth(2).unwrap().trim_end().to_owned();
            (path.file_stem().unwrap().to_string_lossy().into_owned(), message)
        })
        .collect()
}

/// The codes of a message.
fn codes(message: &str) -> Vec<&str> {
    message.split("[DB").skip(1).filter_map(|rest| rest.split_once(']')).map(|(code, _)| code).collect()
}

fn message(response: &Value) -> &str {
    response["status"]["message"].as_str().unwrap()
}

/// What Flux and kubectl answer by deleting the object and creating it again, if they are asked to force.
///
/// Flux: `IsImmutableError` of github.com/fluxcd/pkg/ssa/errors: a conflict, an invalid object, or a message with
/// "is immutable" or "immutable field". kubectl: `apply --force` on a conflict or an invalid object.
fn forces(code: u64, reason: &str, message: &str) -> bool {
    code == 409
        || code == 422
        || ["Conflict", "Invalid", "AlreadyExists"].contains(&reason)
        || message.to_lowercase().contains("immutable")
}

/// A denial as the API server passes it on.
pub(super) fn assert_sets_off_no_tool(response: &Value) {
    let status = &response["status"];
    assert_eq!((&status["code"], &status["reason"]), (&json!(403), &json!("Forbidden")), "{response}");
    let message = status["message"].as_str().unwrap();
    assert!(!forces(403, "Forbidden", message) && !message.contains("map["), "{message}");
    assert!(message.chars().count() <= 1000 && !message.contains(char::is_control), "{message}");
    let causes = status["details"]["causes"].to_string();
    assert!(!causes.to_lowercase().contains("immutable") && !causes.contains("map["), "{causes}");
}

#[test]
fn every_code_has_a_message_that_is_written_down() {
    let all = written_down();
    let shown: BTreeSet<&str> = all.iter().flat_map(|(_, message)| codes(message)).collect();
    let known: BTreeSet<String> = Code::ALL.iter().map(|code| code.to_string()[2..].to_owned()).collect();
    assert_eq!(shown, known.iter().map(String::as_str).collect());
}

/// Every message there is, as the webhook sends it.
#[test]
fn flux_takes_no_denial_for_a_reason_to_delete() {
    let (state, facts) = (good(), Facts::default());
    let basis = Basis {
        state: &state,
        policy_name: "database-policy",
        now: "2026-11-22T12:00:00Z".parse().unwrap(),
        facts: &facts,
    };
    let review = review("UPDATE", database(json!({}), Value::Null), database(json!({}), Value::Null));
    let review = review.to_string();
    let request = Sent::read(Hook::Validate, review.as_bytes()).unwrap().request;
    for (file, text) in written_down() {
        for (_, hook) in Hook::ALL.iter().copied() {
            let code = *Code::ALL.iter().find(|code| text.contains(&code.to_string())).unwrap();
            let problem = Problem { code, field: "spec".into(), text: text.clone() };
            let denial = basis::denial(&basis, problem);
            let answer = finish(hook, &request, Err(denial), &basis);
            let response = serde_json::to_value(answer.review).unwrap()["response"].clone();
            assert_eq!(response["allowed"], false, "{file}");
            assert_eq!(response["auditAnnotations"]["codes"], code.to_string(), "{file}");
            assert_sets_off_no_tool(&response);
        }
    }
}

/// Commit statuses and chat tools show no more than the beginning.
#[test]
fn the_first_two_hundred_characters_say_what_to_do() {
    let advice = "use |write |leave |set |add |did you mean|ask |tell |wait |again|must |needs |such as|swap |first|change |expected|delete |look |save ";
    let advice: Vec<&str> = advice.split('|').collect();
    let start = |message: &str| message.chars().take(200).collect::<String>();
    let mut starts: Vec<String> = written_down().iter().map(|(_, message)| start(message)).collect();
    starts.retain(|start| !advice.iter().any(|advice| start.contains(advice)));
    assert_eq!(starts, Vec::<String>::new());
}

pub(super) const HOSTILE: [&str; 6] = [
    "field is immutable",
    "Is Immutable",
    "immutable field",
    "map[a:b]",
    "two\nlines\tand\u{1b}[2J",
    "\u{202e}back",
];

/// Wherever a stranger's text goes into a message.
#[rstest]
#[case::size(|text: &str| json!({"sku": text}))]
#[case::version(|text: &str| json!({"version": text}))]
#[case::database_name(|text: &str| json!({"databaseName": text}))]
#[case::service_account(|text: &str| json!({"serviceAccountName": text}))]
#[case::extension(|text: &str| json!({"extensions": [text]}))]
#[case::parameter(|text: &str| json!({"parameters": {text: "1"}}))]
#[case::parameter_of_an_extension(|text: &str| json!({"parameters": {format!("pgaudit.{text}"): "1"}}))]
#[case::value(|text: &str| json!({"parameters": {"work_mem": text}}))]
#[case::no_such_word(|text: &str| json!({"highAvailability": text}))]
fn a_text_that_would_set_off_a_tool_is_not_repeated(#[case] spec: fn(&str) -> Value) {
    for text in HOSTILE {
        let review = review("CREATE", database(spec(text), Value::Null), Value::Null);
        assert_sets_off_no_tool(&ask(Hook::Validate, &review, &good()));
    }
}

#[test]
fn a_name_or_annotation_that_would_set_off_a_tool_is_not_repeated() {
    for text in HOSTILE {
        let mut review = review("CREATE", database(json!({}), Value::Null), Value::Null);
        review["request"]["name"] = json!(text);
        assert_sets_off_no_tool(&ask(Hook::Validate, &review, &good()));
        let old =
            database(json!({}), json!({"altinn.app/retention": text, "altinn.app/confirm-destroy": text}));
        let delete = super::review("DELETE", Value::Null, old);
        assert_sets_off_no_tool(&ask(Hook::Validate, &delete, &good()));
        let yaml = POLICY.replace("sku: Standard_B1ms", &format!("sku: {text:?}"));
        assert_sets_off_no_tool(&apply_policy(config_map(&yaml), &good(), &facts(&[])));
        let yaml = POLICY.replace("    allow:\n", &format!("    {text:?}: x\n    allow:\n"));
        assert_sets_off_no_tool(&apply_policy(config_map(&yaml), &good(), &facts(&[])));
        let mut odd = database(json!({}), json!({}));
        odd["metadata"]["name"] = json!(text);
        assert_sets_off_no_tool(&delete_namespace(&inside(&[odd])));
        assert_sets_off_no_tool(&delete_crd(OURS, &objects(&[text], 1)));
    }
}

/// What an object that is being deleted is asked for.
fn terminating(metadata: Value, spec: Value) -> Value {
    let mut old = database(json!({"sku": "Standard_B1ms"}), json!({"altinn.app/retention": "Retain"}));
    old["metadata"]["deletionTimestamp"] = json!("2026-11-22T12:00:00Z");
    let mut new = old.clone();
    json_patch::merge(&mut new, &json!({"metadata": metadata, "spec": spec}));
    ask(Hook::Validate, &review("UPDATE", new, old), &good())
}

fn created(spec: Value, state: &PolicyState) -> Value {
    ask(Hook::Validate, &review("CREATE", database(spec, Value::Null), Value::Null), state)
}

fn databases(number: usize) -> Vec<Value> {
    let database = |number: usize| {
        let mut database = database(json!({}), json!({}));
        database["metadata"]["name"] = json!(format!("{number:02}-{}", "x".repeat(60)));
        database
    };
    (0..number).map(database).collect()
}

fn mistake() -> Value {
    let (state, facts) = (good(), Facts::default());
    let basis = Basis {
        state: &state,
        policy_name: "database-policy",
        now: "2026-11-22T12:00:00Z".parse().unwrap(),
        facts: &facts,
    };
    let review = review("CREATE", database(json!({}), Value::Null), Value::Null);
    let answer = answer_mistake(Hook::Validate, &Envelope::read(review.to_string().as_bytes()), &basis);
    serde_json::to_value(answer.review).unwrap()["response"].clone()
}

#[rstest]
#[case::retention_widened(terminating(json!({"annotations": {"altinn.app/retention": "14d"}}), json!({})))]
#[case::confirmed_late(terminating(json!({"annotations": {"altinn.app/confirm-destroy": "orders/main@2026-11-22"}}), json!({})))]
#[case::terminating(terminating(json!({}), json!({"sku": "Standard_B2s"})))]
#[case::delete_that_says_nothing(ask(Hook::Validate, &review("DELETE", Value::Null, database(json!({}), json!({}))), &good()))]
#[case::namespace_with_a_database(delete_namespace(&inside(&[database(json!({}), json!({}))])))]
#[case::namespace_with_many_databases(delete_namespace(&inside(&databases(50))))]
#[case::crd_with_an_object(delete_crd(OURS, &objects(&["orders/main"], 1)))]
#[case::crd_with_many_objects(delete_crd(OURS, &objects(&["orders/main", "payments/main"], 1000)))]
#[case::crd_that_cannot_be_told(delete_crd(OURS, &Facts::default()))]
#[case::no_policy(created(json!({}), &PolicyState::Missing))]
#[case::broken_policy(created(json!({}), &with_policy("azure: [")))]
#[case::no_profile(created(json!({}), &with_policy(&POLICY.replace("  - name: default\n", "  - name: default\n    namespaces: {names: [payments]}\n"))))]
#[case::labels_unknown(created(json!({}), &with_policy(&POLICY.replace("names: [\"*-prod\"]", "labels: {env: prod}"))))]
#[case::field_that_nobody_knows(created(json!({"size": "large"}), &good()))]
#[case::restored_from_the_future(created(json!({"restoreFrom": {"database": "live", "time": "2026-11-22T12:00:01Z"}}), &good()))]
#[case::restored_from_itself(created(json!({"restoreFrom": {"database": "main"}}), &good()))]
#[case::restored_from_another_namespace(created(json!({"restoreFrom": {"database": "ledger/main"}}), &good()))]
#[case::unreadable(ask(Hook::Validate, &review("CREATE", database(json!({}), json!({"altinn.app/retention": 5})), Value::Null), &good()))]
#[case::mistake_of_ours(mistake())]
#[case::two_mistakes_of_a_policy(apply_policy(config_map(&POLICY.replace("sku: Standard_B1ms", "sku: Standard_B1m").replace("sizeGiB: 32}", "sizeGiB: 33}")), &good(), &facts(&[])))]
fn the_message_says_what_to_do(#[context] context: Context, #[case] response: Value) {
    assert_sets_off_no_tool(&response);
    insta::assert_snapshot!(context.description.unwrap(), message(&response));
}
