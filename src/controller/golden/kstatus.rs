//! What Flux and `kubectl wait` make of an object, by the rules of kstatus.
//! <https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md>

use serde_json::Value;

/// The result of kstatus: what Flux's `wait: true` waits for is `Current`, and at `Failed` it gives up at once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kstatus {
    Terminating,
    InProgress,
    Failed,
    Current,
}

/// In the order of `status.Compute`.
pub(super) fn of(object: &Value) -> Kstatus {
    let (metadata, status) = (&object["metadata"], &object["status"]);
    if !metadata["deletionTimestamp"].is_null() {
        return Kstatus::Terminating;
    }
    if !status["observedGeneration"].is_null() && status["observedGeneration"] != metadata["generation"] {
        return Kstatus::InProgress;
    }
    let conditions = status["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    for condition in conditions.iter().filter(|condition| condition["status"] == "True") {
        match condition["type"].as_str() {
            Some("Reconciling") => return Kstatus::InProgress,
            Some("Stalled") => return Kstatus::Failed,
            _ => {}
        }
    }
    match conditions.iter().find(|condition| condition["type"] == "Ready") {
        Some(ready) if ready["status"] != "True" => Kstatus::InProgress,
        _ => Kstatus::Current,
    }
}

/// Whether `kubectl wait --for=condition=Ready` ends.
pub(super) fn wait_ends(object: &Value) -> bool {
    let conditions = object["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let ready = conditions.iter().find(|condition| condition["type"] == "Ready");
    ready.is_some_and(|ready| {
        let observed = [&ready["observedGeneration"], &object["status"]["observedGeneration"]]
            .into_iter()
            .find(|seen| !seen.is_null());
        let is_old = observed.and_then(Value::as_i64) < object["metadata"]["generation"].as_i64();
        ready["status"] == "True" && !is_old
    })
}

/// What must hold of each status that we write.
pub(super) fn check(object: &Value) {
    let status = &object["status"];
    assert_eq!(status["observedGeneration"], object["metadata"]["generation"], "failures too");
    let conditions = status["conditions"].as_array().unwrap();
    let of_type = |kind: &str| conditions.iter().filter(|condition| condition["type"] == kind).count();
    assert_eq!(of_type("Ready"), 1);
    assert!(of_type("Reconciling") + of_type("Stalled") <= 1, "never both: {conditions:?}");
    for condition in conditions {
        let reason = condition["reason"].as_str().unwrap();
        let is_camel = reason.starts_with(|c: char| c.is_ascii_uppercase())
            && reason.chars().all(|c| c.is_ascii_alphanumeric());
        assert!(is_camel, "{reason}");
        assert!(condition["observedGeneration"].is_i64() && condition["lastTransitionTime"].is_string());
    }
    // What is ready is Current, and what isn't, isn't.
    let ready = conditions.iter().find(|condition| condition["type"] == "Ready").unwrap();
    if object["metadata"]["deletionTimestamp"].is_null() {
        assert_eq!(of(object) == Kstatus::Current, ready["status"] == "True", "{conditions:?}");
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn condition(kind: &str, status: &str) -> Value {
        json!({"type": kind, "status": status, "observedGeneration": 2})
    }

    #[rstest]
    #[case::deleted(json!({"metadata": {"deletionTimestamp": "now"}}), Kstatus::Terminating, false)]
    #[case::before_the_first_visit(json!({"status": {"observedGeneration": -1}}), Kstatus::InProgress, false)]
    #[case::of_an_older_spec(json!({"status": {"observedGeneration": 1, "conditions": [condition("Ready", "True")]}}), Kstatus::InProgress, true)]
    #[case::working(json!({"status": {"observedGeneration": 2, "conditions": [condition("Ready", "Unknown"), condition("Reconciling", "True")]}}), Kstatus::InProgress, false)]
    #[case::stalled(json!({"status": {"observedGeneration": 2, "conditions": [condition("Ready", "False"), condition("Stalled", "True")]}}), Kstatus::Failed, false)]
    #[case::ready(json!({"status": {"observedGeneration": 2, "conditions": [condition("Ready", "True")]}}), Kstatus::Current, true)]
    #[case::not_ready(json!({"status": {"observedGeneration": 2, "conditions": [condition("Ready", "False")]}}), Kstatus::InProgress, false)]
    #[case::without_conditions(json!({"status": {"observedGeneration": 2}}), Kstatus::Current, false)]
    #[case::others_say_nothing(json!({"status": {"observedGeneration": 2, "conditions": [condition("Ready", "True"), condition("PolicyCompliant", "False")]}}), Kstatus::Current, true)]
    fn the_rules_of_kstatus(#[case] object: Value, #[case] expected: Kstatus, #[case] waited: bool) {
        let mut object = object;
        object["metadata"]["generation"] = json!(2);
        assert_eq!(of(&object), expected);
        assert_eq!(wait_ends(&object), waited);
    }
}
