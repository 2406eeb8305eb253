//! A review, from bytes to answer: a validating hook never lets pass what it can't read, an answer goes to the one who
//! asked, and defaults come to rest.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use policy::{Code, PolicyState, document::KEY, message, warning};
use serde_json::{Map, Value, json};
use webhook::{
    cluster::{Facts, Issuer, Objects, Servers},
    review::{Basis, Envelope, Hook, Question, answer, answer_mistake},
};

use super::{POLICY, line, menu::Menu};

const POLICY_NAME: &str = "database-policy";
/// 22 November 2026, at noon in UTC.
pub const NOON: jiff::Timestamp = jiff::Timestamp::constant(1_795_348_800, 0);

static GOOD: LazyLock<PolicyState> = LazyLock::new(|| {
    let with_labels = POLICY.replace("names: [\"*-prod\"]", "labels: {stage: prod}");
    PolicyState::default().applied(Some(&config_map(&with_labels)))
});
static PLAIN: LazyLock<PolicyState> =
    LazyLock::new(|| PolicyState::default().applied(Some(&config_map(POLICY))));

fn config_map(yaml: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(KEY.to_owned(), yaml.to_owned())])
}

/// A body as it is when it begins like JSON, and otherwise bytes that choose a review.
pub fn hold(data: &[u8]) {
    let mut menu = Menu::new(data);
    if data.first().is_none_or(|first| b"{[\" \n".contains(first)) {
        asked(data, &Facts::default());
        // Once more without keys that stand there twice, so that it is clear what is in it.
        if let Ok(value) = serde_json::from_slice::<Value>(data) {
            asked(value.to_string().as_bytes(), &facts(&mut menu));
        }
    } else {
        let review = review(&mut menu);
        asked(review.to_string().as_bytes(), &facts(&mut menu));
    }
}

fn review(menu: &mut Menu<'_>) -> Value {
    let operation = menu.one(&["CREATE", "UPDATE", "DELETE", "CREATE", "CONNECT"]);
    let (group, kind) = menu.one(&[
        ("altinn.app", "Database"),
        ("altinn.app", "Database"),
        ("", "ConfigMap"),
        ("", "Namespace"),
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
    ]);
    let mut object = || match kind {
        "Database" => menu.database(),
        "ConfigMap" => {
            let yaml = menu.text(&[POLICY, "azure: ["]);
            json!({"metadata": {"name": POLICY_NAME}, "data": {menu.text(&[KEY]): yaml}})
        }
        "Namespace" => json!({"metadata": {"name": menu.text(&["orders", "orders-prod"])}}),
        _ => {
            let group = menu.text(&["altinn.app", "other.example"]);
            json!({"metadata": {"name": menu.text(&["databases.altinn.app"])}, "spec": {"group": group}})
        }
    };
    let (mut new, mut old) = (object(), object());
    for object in [&mut new, &mut old] {
        object["apiVersion"] =
            json!(if group.is_empty() { "v1".to_owned() } else { format!("{group}/v1alpha1") });
        object["kind"] = json!(kind);
    }
    // Most updates change little.
    if menu.number(2) == 0 {
        let status = old["status"].clone();
        let (metadata, spec) = (new["metadata"].clone(), new["spec"].clone());
        old = json!({"apiVersion": new["apiVersion"], "kind": kind, "metadata": metadata, "spec": spec});
        old["status"] = status;
    }
    let name = match kind {
        "ConfigMap" => menu.text(&[POLICY_NAME]),
        "CustomResourceDefinition" => menu.text(&["databases.altinn.app", ""]),
        _ => menu.text(&["main", ""]),
    };
    let mut request = json!({
        "uid": menu.text(&["705ab4f5-6393-11e8-b7cc-42010a800002"]),
        "kind": {"group": group, "version": "v1", "kind": kind},
        "resource": {"group": group, "version": "v1", "resource": "things"},
        "name": name, "operation": operation, "userInfo": {"username": menu.text(&["flux"])}, "dryRun": false,
        "object": if operation == "DELETE" { Value::Null } else { new },
        "oldObject": if operation == "CREATE" { Value::Null } else { old },
    });
    if let Some(namespace) = menu.maybe(&["orders", "orders-prod"]) {
        request["namespace"] = json!(namespace);
    }
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request})
}

fn facts(menu: &mut Menu<'_>) -> Facts {
    let labels = Map::from_iter([("stage".to_owned(), json!(menu.text(&["prod", "test"])))]);
    let labels = serde_json::from_value(Value::Object(labels)).unwrap_or_default();
    let source = serde_json::from_value(menu.database()).ok().map(Arc::new);
    let databases = (0..menu.number(12)).filter_map(|_| serde_json::from_value(menu.database()).ok());
    Facts {
        using: Vec::new(),
        source,
        databases: Some(databases.map(Arc::new).collect()),
        servers: Some(servers(menu.one(&[0, 4, 5, 300]))),
        inside: serde_json::from_value(json!([menu.database()["metadata"]])).ok(),
        objects: Some(Objects { some: vec![menu.text(&["orders/main"])], count: menu.number(3) }),
        kept: Some(Objects { some: vec![menu.text(&["database-operator/x"])], count: menu.number(2) }),
        is_kept: Some(menu.rarely(4)),
        labels: BTreeMap::from([("orders".to_owned(), labels)]),
        // A warning of it is as long as an issuer.
        issuer: Issuer::NotAsked,
        guard: Some(menu.rarely(2)),
    }
}

fn servers(count: usize) -> Servers {
    let names = |of: usize| (0..of).map(|number| format!("database-{number}")).collect();
    Servers { live: names(count / 2), kept: names(count) }
}

fn asked(body: &[u8], facts: &Facts) {
    let missing = PolicyState::Missing;
    for (_, hook) in Hook::ALL.iter().copied() {
        for (state, facts) in
            [(&*PLAIN, facts), (&*GOOD, facts), (&*GOOD, &Facts::default()), (&missing, facts)]
        {
            let basis = Basis { state, policy_name: POLICY_NAME, now: NOON, facts };
            answered(hook, body, &basis);
        }
    }
}

fn answered(hook: Hook, body: &[u8], basis: &Basis<'_>) {
    // Of a field that nobody reads the parser takes what isn't UTF-8, or a number too large for any type.
    let sent = serde_json::from_str::<Value>(&String::from_utf8_lossy(body));
    let is_cut = sent.as_ref().is_err_and(serde_json::Error::is_eof);
    let can_be_told = is_cut || sent.is_ok();
    let sent = sent.unwrap_or_default();
    let question = Question::read(hook, body);
    let needs = question.needs(basis.state);
    assert!(basis.state.policy().is_some() || needs.servers_in.is_none());
    let answer = answer(&question, basis);
    let response =
        response_of(hook, body, &sent, &serde_json::to_value(&answer.review).expect("an answer is JSON"));
    assert_eq!(response["allowed"], answer.denial.is_none());
    if response["allowed"] == true && can_be_told {
        admitted(hook, &sent["request"], basis, &response);
    }
    if hook == Hook::Mutate && response["patch"] != Value::Null {
        comes_to_rest(&sent, basis, &response);
    }
    let mistake = answer_mistake(hook, &Envelope::read(body), basis);
    let response =
        response_of(hook, body, &sent, &serde_json::to_value(&mistake.review).expect("an answer is JSON"));
    assert_eq!(response["allowed"], hook == Hook::Mutate);
}

/// The form that every answer has.
fn response_of(hook: Hook, body: &[u8], sent: &Value, answer: &Value) -> Value {
    let response = &answer["response"];
    assert_eq!(answer["kind"], "AdmissionReview");
    if sent["apiVersion"].is_string() && sent.to_string().as_bytes() == body {
        assert_eq!(answer["apiVersion"], sent["apiVersion"]);
    }
    // With a key twice, or what isn't UTF-8, nobody can say which uid is meant.
    let uid = &sent["request"]["uid"];
    let is_meant = uid.is_string() && sent.to_string().as_bytes() == body;
    assert!(!is_meant || response["uid"] == *uid, "{uid} was answered as {}", response["uid"]);
    for warning in response["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        line::is_plain(warning);
        line::fits(warning, warning::LONGEST_WARNING);
    }
    if response["allowed"] != true {
        let status = &response["status"];
        assert_eq!((&status["code"], &status["reason"]), (&json!(403), &json!("Forbidden")));
        let text = status["message"].as_str().unwrap_or_default();
        assert!(text.contains(" [DB"), "{text}");
        // The mutating hook refuses what the API server would find invalid, and nothing by a policy alone.
        assert!(hook != Hook::Mutate || text.contains("metadata."), "{text}");
        line::is_plain(text);
        line::fits(text, message::LONGEST_MESSAGE);
        for cause in status["details"]["causes"].as_array().into_iter().flatten() {
            line::is_plain(cause["message"].as_str().unwrap_or_default());
        }
        assert!(response["auditAnnotations"]["codes"].is_string());
        assert_eq!(response["patch"], Value::Null);
    }
    response.clone()
}

/// What a validating hook lets pass it has read, and no data go without a word.
fn admitted(hook: Hook, request: &Value, basis: &Basis<'_>, response: &Value) {
    let kind = match hook {
        Hook::Mutate => return,
        Hook::Validate => "Database",
        Hook::Policy => "ConfigMap",
        Hook::Namespace => "Namespace",
        Hook::Crd => "CustomResourceDefinition",
        Hook::Retained => "RetainedDatabase",
    };
    assert!(request["uid"].is_string(), "allowed without a uid: {request}");
    assert_eq!(request["kind"]["kind"], kind);
    let (new, old) = (&request["object"], &request["oldObject"]);
    let operation = request["operation"].as_str().unwrap_or_default();
    assert!(operation == "DELETE" || new.is_object(), "{request}");
    assert!(operation == "CREATE" || old.is_object(), "{request}");
    if hook == Hook::Validate && operation == "DELETE" {
        let said = old["metadata"]["annotations"][api::annotations::RETENTION].as_str().unwrap_or_default();
        let is_known = policy::deleting::Retention::parse(said).is_some();
        assert!(is_known || old["metadata"]["deletionTimestamp"].is_string(), "let go without a word: {old}");
    }
    if hook == Hook::Validate && operation == "CREATE" {
        assert!(basis.state.policy().is_some(), "admitted without a policy: {request}");
    }
    let name = if request["name"] == "" { &old["metadata"]["name"] } else { &request["name"] };
    let is_ours = *name == "databases.altinn.app" || *name == "retaineddatabases.altinn.app";
    if hook == Hook::Crd && operation == "DELETE" && is_ours {
        let is_empty = basis.facts.objects.as_ref().is_some_and(|objects| objects.count == 0);
        assert!(is_empty || old["metadata"]["deletionTimestamp"].is_string(), "the CRD went: {response}");
    }
    if hook == Hook::Policy && operation != "DELETE" && request["name"] == POLICY_NAME {
        let data = serde_json::from_value(new["data"].clone()).unwrap_or_default();
        let broken = policy::Policy::from_config_map(Some(&data)).is_err();
        assert!(!broken, "a broken policy was admitted as {}", Code::PolicyUnreadable);
    }
}

/// The patch applies to what was sent, leaves alone what is written there, and a second pass, which comes when another
/// webhook changes the object, changes nothing.
fn comes_to_rest(sent: &Value, basis: &Basis<'_>, response: &Value) {
    let request = &sent["request"];
    let patch: Vec<u8> = serde_json::from_value(response["patch"].clone()).expect("a patch is bytes");
    let patch: json_patch::Patch = serde_json::from_slice(&patch).expect("a patch is JSON");
    let mut object = request["object"].clone();
    // The API server sends no object without them.
    if !object["metadata"].is_object() || !object["spec"].is_object() {
        return;
    }
    json_patch::patch(&mut object, &patch).expect("the patch applies");
    is_kept(&request["object"]["spec"], &object["spec"]);
    let mut again = sent.clone();
    again["request"]["object"] = object;
    let second = answer(&Question::read(Hook::Mutate, again.to_string().as_bytes()), basis);
    let second = serde_json::to_value(&second.review).expect("an answer is JSON");
    let text = |patch: &Value| {
        let bytes: Vec<u8> = serde_json::from_value(patch.clone()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let (first, second) = (text(&response["patch"]), text(&second["response"]["patch"]));
    assert_eq!(second, "", "a second pass after {first}");
}

fn is_kept(written: &Value, patched: &Value) {
    match written {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| is_kept(value, &patched[key])),
        Value::Null => {}
        value => assert_eq!(value, patched, "a written value was changed"),
    }
}
